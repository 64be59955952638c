//! `state`, `list` and `ps`: what there is.

use super::home::{FAILED, Folder};
use super::state::{self, State, Status, owner_name};
use super::{Runtime, cgroup_of, kept, print};
use crate::cli::runtime::Name;
use crate::error::{Error, Why};
use crate::launch::assist;
use crate::text::{Text, decimal, parts};
use alloc::vec::Vec;
use core::ffi::CStr;

/// What is known of a container; one that is being made has little.
fn known(folder: &Folder) -> Result<(&'static State, Status), Error<'static>> {
    let Some(state) = State::load(folder)? else {
        let status = if folder.is_locked() { Status::Creating } else { Status::Stopped };
        return Ok((kept(State::default()), status));
    };
    let mut status = state.status(folder, false);
    if status == Status::Running && cgroup_of(state).is_some_and(|cgroup| cgroup.is_frozen()) {
        status = Status::Paused;
    }
    Ok((state, status))
}

/// The number of its process 1, as far as it has one.
fn number(state: &State, status: Status) -> u32 {
    if status == Status::Stopped { 0 } else { state.member.number }
}

/// Prints a container's state.
///
/// # Errors
///
/// There is none of that name.
pub fn state(runtime: &Runtime<'_>) -> Result<(), Error<'static>> {
    let folder = runtime.folder()?;
    let (state, status) = known(folder)?;
    let mut text = Text::new();
    state.render(&mut text, folder.id, status, number(state, status));
    print(text.push("\n"))
}

/// Prints all containers.
///
/// # Errors
///
/// The format is none.
pub fn list(runtime: &Runtime<'_>) -> Result<(), Error<'static>> {
    let is_json = is_json(runtime)?;
    let is_quiet = runtime.typed.has(Name::Quiet);
    let mut text = Text::new();
    let mut count = 0;
    if !is_json && !is_quiet {
        row(&mut text, [b"ID", b"PID", b"STATUS", b"BUNDLE", b"CREATED", b"OWNER"]);
    }
    for id in runtime.home.names() {
        // One may go while they are listed.
        let Ok(folder) = runtime.home.open(id) else { continue };
        let Ok((state, status)) = known(&folder) else { continue };
        let number = number(state, status);
        if is_quiet {
            text.push_name(id.to_bytes()).push("\n");
        } else if is_json {
            text.push(if count == 0 { "[" } else { "," });
            state.render(&mut text, id, status, number);
        } else {
            let owner = owner_name(state.owner);
            let (status, bundle) = (status.name().as_bytes(), state.bundle.to_bytes());
            let created = state.created.as_bytes();
            row(
                &mut text,
                [id.to_bytes(), decimal(number.into()), status, bundle, created, owner.as_bytes()],
            );
        }
        count += 1;
    }
    if is_json && !is_quiet {
        text.push(if count == 0 { "null\n" } else { "]\n" });
    }
    print(&text)
}

/// Where the columns of a list begin.
const COLUMNS: [usize; 5] = [12, 24, 36, 60, 92];

fn row(text: &mut Text, fields: [&[u8]; 6]) {
    let start = text.len();
    for (index, field) in fields.iter().enumerate() {
        if let Some(column) = index.checked_sub(1).and_then(|place| COLUMNS.get(place)) {
            text.pad(start, *column);
        }
        text.push_name(field);
    }
    text.push("\n");
}

fn is_json(runtime: &Runtime<'_>) -> Result<bool, Error<'static>> {
    match runtime.typed.value(Name::Format).map_or(&b"table"[..], CStr::to_bytes) {
        b"json" => Ok(true),
        b"table" => Ok(false),
        other => {
            let on = super::text::joined(&[other]).to_bytes();
            Err(Error::usage(rare!("format"), on, rare!("it is table or json"), b""))
        }
    }
}

/// Prints the processes of a container: their numbers, or what ps(1) says of them.
///
/// # Errors
///
/// There is no container of that name, or no ps(1).
pub fn ps(runtime: &Runtime<'_>) -> Result<(), Error<'static>> {
    let folder = runtime.folder()?;
    let state = state::of(folder)?;
    let numbers = kept(match cgroup_of(state) {
        Some(cgroup) => cgroup.processes()?,
        None => Vec::new(),
    });
    if numbers.is_empty() && state.member.lives() {
        numbers.push(state.member.number);
    }
    crate::text::sort(numbers);
    let mut text = Text::new();
    // The format of ps(1) is the same whoever asks.
    if runtime.typed.value(Name::Format).is_some() && is_json(runtime)? {
        for (index, number) in numbers.iter().enumerate() {
            text.push(if index == 0 { "[" } else { "," }).push_number((*number).into());
        }
        text.push(if numbers.is_empty() { "null\n" } else { "]\n" });
        return print(&text);
    }
    let words = kept([c"ps"].to_vec());
    match runtime.typed.words.get(1..) {
        Some(own @ [_, ..]) => words.extend_from_slice(own),
        _ => words.push(c"-ef"),
    }
    let printed = assist::output(&[c"/bin/ps", c"/usr/bin/ps"], words).map_err(|errno| {
        let hint = rare!("--format json does without it").bytes();
        Error::new(rare!("run"), b"ps", Why::Errno(errno), hint, FAILED)
    })?;
    let mut column = None;
    for line in parts(kept(printed), b'\n') {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let is_shown = match column {
            None => {
                column = fields.position(|field| field == b"PID");
                column.is_some()
            }
            Some(place) => {
                let number = fields.nth(place).and_then(crate::container::number);
                number.is_some_and(|number| numbers.contains(&number))
            }
        };
        if is_shown {
            text.push_raw(line).push("\n");
        }
    }
    if column.is_none() {
        return Err(Error::usage(rare!("run"), b"ps", rare!("it prints no column PID"), b""));
    }
    print(&text)
}
