//! `pause`, `resume`, `update` and `events`: a container's cgroup, while it runs.

use super::config;
use super::home::{FAILED, Folder, about};
use super::state::{self, State, Status};
use super::{Runtime, cgroup_of, print};
use crate::cgroups::Cgroup;
use crate::cli::runtime::Name;
use crate::container::{Resources, number};
use crate::error::{Doing, Error, Object, Operation, Why};
use crate::kernel::settings::{read_file, read_whole};
use crate::sys::files::standard_input;
use crate::text::{Text, wide_number};
use core::ffi::CStr;
use rustix::event::poll;
use rustix::fs::Timespec;

static READ: Operation = Operation { on: Object::Target, ..Operation::new("read") };

/// A container that has not stopped, and its cgroup.
fn living(runtime: &Runtime<'_>) -> Result<(Folder, State, Cgroup), Error<'static>> {
    let folder = runtime.home.open(runtime.id())?;
    let state = state::of(&folder)?;
    if state.status(&folder, false) == Status::Stopped {
        return Err(about(folder.id, "container not running"));
    }
    match cgroup_of(&state) {
        Some(cgroup) => Ok((folder, state, cgroup)),
        None => Err(about(folder.id, "it has no cgroup, which this takes")),
    }
}

/// Freezes all processes of a container, or lets them go on.
///
/// # Errors
///
/// It does not run, or is as asked for already.
pub fn freeze(runtime: &Runtime<'_>, is_wanted: bool) -> Result<u8, Error<'static>> {
    let (folder, state, cgroup) = living(runtime)?;
    folder.lock()?;
    let is_frozen = cgroup.is_frozen();
    match state.status(&folder, is_frozen) {
        Status::Running | Status::Created if is_wanted => {}
        Status::Paused if !is_wanted => {}
        _ if is_wanted => return Err(about(folder.id, "cannot pause: it is not running")),
        _ => return Err(about(folder.id, "cannot resume: it is not paused")),
    }
    cgroup.freeze(is_wanted)?;
    Ok(0)
}

/// Changes limits.
///
/// # Errors
///
/// A limit is none, or cannot be set.
pub fn update(runtime: &Runtime<'_>) -> Result<u8, Error<'static>> {
    let (folder, _, cgroup) = living(runtime)?;
    folder.lock()?;
    let resources = match runtime.typed.value(Name::Resources) {
        Some(file) => {
            let bytes = if file == c"-" { read_whole(standard_input()) } else { read_file(file) };
            let on = super::text::joined(&[file.to_bytes()]).to_bytes();
            let bytes = bytes.doing(&READ).map_err(|fault| fault.into_error(on, b""))?;
            config::resources(bytes)?
        }
        None => typed(runtime)?,
    };
    cgroup.apply(&resources)?;
    Ok(0)
}

/// The limits that options name.
fn typed(runtime: &Runtime<'_>) -> Result<Resources<'static>, Error<'static>> {
    let mut resources = Resources::default();
    let (memory, cpu) = (&mut resources.memory, &mut resources.cpu);
    for (name, value) in &runtime.typed.options {
        let Name::Limit(place) = name else { continue };
        let text = value.to_bytes();
        let refused = |why| {
            let on = super::text::joined(&[text]).to_bytes();
            Error::new("limit", on, Why::Text(why), b"", FAILED)
        };
        let signed = || signed(text).ok_or_else(|| refused("it is not a number"));
        let unsigned = || wide_number(text).ok_or_else(|| refused("it is not a number from 0 on"));
        let bytes = || bytes(text).ok_or_else(|| refused("it is not a number of bytes, or -1"));
        match place {
            0 => {
                let weight = number(text).and_then(|weight| u16::try_from(weight).ok());
                resources.block.weight = Some(weight.ok_or_else(|| refused("it is not a weight"))?);
            }
            1 => cpu.period = Some(unsigned()?),
            2 => cpu.quota = Some(signed()?),
            3 => cpu.burst = Some(unsigned()?),
            4 => cpu.shares = Some(unsigned()?),
            5 => cpu.realtime_period = Some(unsigned()?),
            6 => cpu.realtime_runtime = Some(signed()?),
            7 => cpu.idle = Some(signed()?),
            8 => cpu.cpus = Some(super::text::joined(&[text])),
            9 => cpu.mems = Some(super::text::joined(&[text])),
            10 => memory.limit = Some(bytes()?),
            11 => memory.reservation = Some(bytes()?),
            12 => memory.swap = Some(bytes()?),
            13 => resources.pids = Some(signed()?),
            _ => return Err(refused("this machine has no resctrl (Intel RDT)")),
        }
    }
    Ok(resources)
}

fn signed(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => Some(-i64::try_from(wide_number(digits)?).ok()?),
        digits => i64::try_from(wide_number(digits)?).ok(),
    }
}

/// Bytes, or units of 1024, as `512k`.
fn bytes(text: &[u8]) -> Option<i64> {
    let (digits, shift) = match text {
        [digits @ .., b'k' | b'K'] => (digits, 10),
        [digits @ .., b'm' | b'M'] => (digits, 20),
        [digits @ .., b'g' | b'G'] => (digits, 30),
        digits => (digits, 0),
    };
    signed(digits)?.checked_mul(1 << shift)
}

/// Prints what the container uses, once or again and again, as JSON a line.
///
/// # Errors
///
/// It does not run; the interval is none.
pub fn events(runtime: &Runtime<'_>) -> Result<u8, Error<'static>> {
    let (folder, state, cgroup) = living(runtime)?;
    let is_once = runtime.typed.has(Name::Stats);
    let seconds = match runtime.typed.value(Name::Interval).map_or(&b"5s"[..], CStr::to_bytes) {
        [digits @ .., b's'] | digits => number(digits).filter(|seconds| *seconds > 0),
    };
    let Some(seconds) = seconds else {
        let why = Why::Text("it is a number of seconds above 0, such as 5s");
        return Err(Error::new("option", b"--interval", why, b"", FAILED));
    };
    loop {
        let mut text = Text::new();
        text.push("{\"type\":\"stats\",\"id\":").push_json(folder.id.to_bytes()).push(",\"data\":");
        cgroup.push_stats(&mut text)?;
        print(text.push("}\n"))?;
        if is_once || !state.member.lives() {
            return Ok(0);
        }
        let limit = Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
        let _ = poll(&mut [], Some(&limit));
    }
}
