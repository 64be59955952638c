//! What the launcher does while its child waits: the ids of the child's user namespace, and what
//! connects its network namespace.

use super::pasta::Pasta;
use super::{hints, id_map, name_of, number_of};
use crate::container::{Link, keep};
use crate::error::{Cure, Doing, Error, Fault, Object, Operation, Why, status};
use crate::kernel::network::{self, LinkKind};
use crate::kernel::program::exists;
use crate::plan::{Assist, Plan};
use crate::sys::descriptors::AsFd;
use crate::sys::namespaces::Namespaces;
use crate::sys::process::{Memory, Stack, StringList, clone, execve};
use crate::sys::signals::{Before, SignalSet, hold};
use crate::text::{Text, parts, read_at};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, fstat, memfd_create, openat};
use rustix::io::{Errno, write};
use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::stdio::dup2_stdout;

static GO: Operation = Operation::new(rare!("tell the child to go on"));
static MAP: Operation = Operation {
    words: rare!("write"),
    on: Object::Target,
    cures: &[
        (
            Errno::PERM,
            Cure::Words(rare!(
                "this takes CAP_SETUID and CAP_SETGID on the host, or the maps of newuidmap"
            )),
        ),
        (Errno::INVAL, Cure::Words(rare!("ranges may not overlap, and there may be at most 340"))),
    ],
};

/// Does all that the plan asks for, and lets the child go on; returns what runs beside it.
///
/// # Errors
///
/// What could not be done.
pub fn all<'a>(
    plan: &'a Plan<'a>,
    child: Pid,
    go_ahead: Option<&(OwnedFd, OwnedFd)>,
    signals: Before,
) -> Result<Option<Pasta>, Error<'a>> {
    let Some((_, ours)) = go_ahead else { return Ok(None) };
    let mut pasta = None;
    for assist in &plan.assists {
        match assist {
            Assist::MapIds { users, groups, directly: true } => {
                write_map(plan, child, "uid_map", users)?;
                write_map(plan, child, "gid_map", groups)?;
            }
            Assist::MapIds { users, groups, directly: false } => {
                map_by_helpers(child, users, groups, signals)?;
            }
            Assist::Link(link) => {
                connect(link, child)
                    .map_err(|fault| hints::explain(fault, link.parent.to_bytes(), plan))?;
            }
            Assist::Pasta => pasta = Some(Pasta::connect(child, signals)?),
        }
    }
    match write(ours.as_fd(), b"g") {
        // The child is gone; why, it has left behind.
        Err(Errno::PIPE) | Ok(_) => Ok(pasta),
        Err(errno) => Err(hints::explain(Fault { operation: &GO, errno }, b"", plan)),
    }
}

static OPEN_NETWORK: Operation = Operation::new(rare!("open the child's network namespace"));

/// Makes the interface. The host's end of a cable is called after the child, whose number nobody
/// else has as long as it lives.
fn connect(link: &Link<'_>, child: Pid) -> Result<(), Fault> {
    let here = cable_of(child);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace =
        openat(CWD, name_of(child, "ns/net"), flags, Mode::empty()).doing(&OPEN_NETWORK)?;
    network::create_link(link.kind, link.parent, here, namespace.as_fd())
}

fn cable_of(child: Pid) -> &'static CStr {
    let mut here = Text::new();
    here.push("mc").push_number(number_of(child));
    here.into_c_str()
}

/// Takes back what would otherwise be there for some moments after the program's end.
pub fn undo(plan: &Plan<'_>, child: Pid) {
    for assist in &plan.assists {
        if let Assist::Link(Link { kind: LinkKind::Veth, .. }) = assist {
            // It may be gone already.
            let _ = network::remove_link(cable_of(child));
        }
    }
}

fn write_map<'a>(plan: &Plan<'a>, child: Pid, name: &str, lines: &[u8]) -> Result<(), Error<'a>> {
    let written = id_map::write_map(child, name, lines).doing(&MAP);
    written.map_err(|fault| hints::explain(fault, name_of(child, name).to_bytes(), plan))
}

/// A program that is privileged to write one kind of map for ordinary users.
struct Helper {
    paths: [&'static CStr; 2],
    /// What says which ranges are the caller's.
    file: &'static str,
}

const HELPERS: [Helper; 2] = [
    Helper { paths: [c"/usr/bin/newuidmap", c"/usr/local/bin/newuidmap"], file: "/etc/subuid" },
    Helper { paths: [c"/usr/bin/newgidmap", c"/usr/local/bin/newgidmap"], file: "/etc/subgid" },
];

/// Writes both maps of a child for an ordinary user.
///
/// # Errors
///
/// That the ranges are not the caller's, or that there is no newuidmap(1).
pub fn map_by_helpers(
    child: Pid,
    users: &[u8],
    groups: &[u8],
    signals: Before,
) -> Result<(), Error<'static>> {
    run_helper(&HELPERS[0], child, users, signals)?;
    run_helper(&HELPERS[1], child, groups, signals)
}

/// Whether ordinary users may have more ids than their own here.
#[must_use]
pub fn has_helpers() -> bool {
    HELPERS.iter().all(|helper| helper.paths.iter().any(|path| exists(path)))
}

/// Runs newuidmap(1) or newgidmap(1) for these lines.
fn run_helper(
    helper: &'static Helper,
    child: Pid,
    lines: &[u8],
    signals: Before,
) -> Result<(), Error<'static>> {
    let name = helper.paths[0];
    let mut number = Text::new();
    number.push_number(number_of(child));
    let mut words = [name].to_vec();
    words.push(number.into_c_str());
    for word in lines.split(|byte| matches!(byte, b' ' | b'\n')).filter(|word| !word.is_empty()) {
        words.extend(keep(word));
    }
    let failed = |why, hint: Text| {
        Error::new(rare!("map ids with"), name.to_bytes(), why, hint.leak(), status::FAILED)
    };
    match run(&helper.paths, &words, signals) {
        Ok(0) => Ok(()),
        Ok(_) => {
            let mut hint = Text::new();
            hint.say(rare!("it allows the caller only the ranges that ")).push(helper.file);
            hint.say(rare!(" has for them, and wants to be setuid; asked for: "));
            for (index, line) in parts(lines, b'\n').filter(|line| !line.is_empty()).enumerate() {
                hint.push(if index > 0 { ", " } else { "" }).push_name(line);
            }
            Err(failed(Why::Text(rare!("it refused the ranges")), hint))
        }
        Err(errno) => {
            let mut hint = Text::new();
            hint.say(rare!("without root privilege, more than one id takes the package uidmap"));
            Err(failed(Why::Errno(errno), hint))
        }
    }
}

/// Runs the first program that is there, with signals as they were before the launcher, and returns
/// its exit status.
///
/// # Errors
///
/// clone(2), execve(2).
pub fn run(paths: &[&CStr], words: &[&CStr], signals: Before) -> Result<i32, Errno> {
    run_into(paths, words, signals, None)
}

/// Runs the first program that is there, and returns what it prints.
///
/// # Errors
///
/// As for [`run`]; pipe(2), read(2).
pub fn output(paths: &[&CStr], words: &[&CStr]) -> Result<Vec<u8>, Errno> {
    let signals = hold(SignalSet::of(&[]))?;
    // Room for as much as is printed, so that nobody has to read meanwhile.
    let file = memfd_create(c"output", MemfdFlags::CLOEXEC)?;
    run_into(paths, words, signals, Some(file.as_fd()))?;
    let mut printed = alloc::vec![0; fstat(file.as_fd())?.st_size as usize];
    let length = read_at(file.as_fd(), 0, &mut printed)?;
    printed.truncate(length);
    Ok(printed)
}

fn run_into(
    paths: &[&CStr],
    words: &[&CStr],
    signals: Before,
    output: Option<BorrowedFd<'_>>,
) -> Result<i32, Errno> {
    const STACK_BYTES: usize = 64 * 1024;
    let arguments = StringList::new(words);
    let environment = StringList::new(&[c"PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
    let mut failed = None;
    let mut child = || {
        failed = signals.restore().err();
        if let Some(output) = output {
            failed = failed.or(dup2_stdout(output).err());
        }
        for path in paths {
            match execve(path, &arguments, &environment) {
                Errno::NOENT => failed = failed.or(Some(Errno::NOENT)),
                errno => {
                    failed = Some(errno);
                    break;
                }
            }
        }
        status::FAILED
    };
    let mut stack = Stack::map(STACK_BYTES)?;
    let process = clone(Memory::Shared(&mut stack), Namespaces::NONE, &mut child)?;
    loop {
        if let Some((_, ended)) = waitpid(Some(process), WaitOptions::empty())? {
            return failed.map_or_else(|| ended.exit_status().ok_or(Errno::INTR), Err);
        }
    }
}
