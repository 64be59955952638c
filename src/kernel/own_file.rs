//! The launcher's own file, which nobody inside a container may get to write to. A program inside
//! that executes `/proc/self/exe` in the moment before it is the program, by itself or by way of a
//! script's first line, gets the launcher, and with it a name for the launcher's file outside.
//!
//! Two things are done about it. A launcher that was started that way notices, and goes no further.
//! And where processes that are there already could look at ours, ours run from a sealed copy in
//! memory; `memfd_create(2)`.

use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::process::{StringList, execute_file};
use crate::text::{Text, parts, read_start};
use core::ffi::CStr;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{
    CWD, MemfdFlags, Mode, OFlags, PROC_SUPER_MAGIC, SealFlags, fcntl_add_seals, fcntl_get_seals,
    fstatfs, memfd_create, openat, sendfile,
};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::process::{Signal, parent_process_death_signal, set_parent_process_death_signal};
use rustix::thread::set_name;

static OPEN: Operation = Operation {
    words: rare!("open the launcher's own file, /proc/self/exe"),
    on: Object::None,
    cures: &[(Errno::NOENT, Cure::Words(rare!("/proc has to be mounted")))],
};
static MARKING: Operation = Operation::new(rare!("mark the container's process"));
static COPY: Operation = Operation::new(rare!("make a sealed copy of the launcher in memory"));
static EXECUTE: Operation = Operation::new(rare!("execute the sealed copy of the launcher"));

/// Whether this process was started from inside a container by the file of the launcher outside.
///
/// Only a child of a launcher that became its program is suspected: it dies with its parent. Its
/// file is then looked for among the mounts that it sees. What cannot be found out counts as yes.
#[must_use]
pub fn is_from_outside() -> bool {
    match parent_process_death_signal() {
        Ok(Some(Signal::KILL)) => !is_among_mounts().unwrap_or(false),
        Ok(Some(MARK)) => {
            // Who runs in a container from a file of its own goes on, and perhaps from a copy.
            let is_own = is_among_mounts().unwrap_or(false) && !is_sealed_copy();
            is_own.then(|| set_parent_process_death_signal(None)).is_none()
        }
        _ => false,
    }
}

/// What a runtime's child asks for in the moment before it is the program, which outlives the runtime: a signal
/// that does nothing, by which a program that is our file is known.
const MARK: Signal = Signal::URG;

/// Marks this process as one that is about to execute a container's program.
///
/// # Errors
///
/// `PR_SET_PDEATHSIG(2const)`: none.
pub fn mark() -> Result<(), Fault> {
    set_parent_process_death_signal(Some(MARK)).doing(&MARKING)
}

fn is_sealed_copy() -> bool {
    open().is_ok_and(|file| is_sealed(&file))
}

fn is_among_mounts() -> Result<bool, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let own = openat(CWD, c"/proc/self", flags, Mode::empty())?;
    // Inside a container that came with files of these names, anything could be read from them.
    if fstatfs(&own)?.f_type != PROC_SUPER_MAGIC {
        return Err(Errno::NODEV);
    }
    let file = read_only(&own, c"exe")?;
    if is_sealed(&file) {
        return Ok(true);
    }
    let mut name = Text::new();
    name.push("fdinfo/").push_number(file.as_raw_fd().unsigned_abs().into()).push("\0");
    let name = CStr::from_bytes_until_nul(name.as_bytes()).map_err(|_| Errno::INVAL)?;
    let mut buffer = [0; 256];
    let about = read_start(&read_only(&own, name)?, &mut buffer)?;
    let mount = parts(about, b'\n').find_map(|line| line.strip_prefix(b"mnt_id:\t"));
    has_line(&read_only(&own, c"mountinfo")?, mount.ok_or(Errno::NOENT)?)
}

/// Whether a line of the file begins with this word.
fn has_line(file: &OwnedFd, word: &[u8]) -> Result<bool, Errno> {
    let mut buffer = [0; 1024];
    // How much of the word the line at hand has shown; None once it is another one.
    let mut matched = Some(0);
    loop {
        let length = retry_on_intr(|| read(file, &mut buffer))?;
        if length == 0 {
            return Ok(false);
        }
        for byte in buffer.iter().take(length) {
            matched = match (*byte, matched) {
                (b'\n', _) => Some(0),
                (b' ', Some(count)) if count == word.len() => return Ok(true),
                (byte, Some(count)) if word.get(count) == Some(&byte) => Some(count + 1),
                _ => None,
            };
        }
    }
}

/// Goes on in a sealed copy of the launcher's file, with the same arguments and environment; returns
/// when this is one already.
///
/// # Errors
///
/// `memfd_create(2)`, sendfile(2), fcntl(2), execveat(2).
pub fn seal(arguments: &StringList<'_>, environment: &StringList<'_>) -> Result<(), Fault> {
    let file = open()?;
    if is_sealed(&file) {
        // Or else it would be called after the file in memory.
        return set_name(NAME).doing(&COPY);
    }
    let copy = sealed_copy(&file).doing(&COPY)?;
    Err(execute_file(copy.as_fd(), arguments, environment)).doing(&EXECUTE)
}

/// What the copy is called.
const NAME: &CStr = c"mini-container";

fn sealed_copy(file: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let copy = match memfd_create(NAME, flags | MemfdFlags::EXEC) {
        // Before Linux 6.3 all are executable.
        Err(Errno::INVAL) => memfd_create(NAME, flags),
        answer => answer,
    }?;
    while sendfile(&copy, file, None, 1 << 20)? > 0 {}
    fcntl_add_seals(&copy, SEALS)?;
    Ok(copy)
}

const SEALS: SealFlags =
    SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

fn is_sealed(file: &OwnedFd) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS))
}

/// Opens it.
///
/// # Errors
///
/// open(2): `ENOENT` without /proc.
pub fn open() -> Result<OwnedFd, Fault> {
    read_only(CWD, c"/proc/self/exe").doing(&OPEN)
}

fn read_only(folder: impl AsFd, path: &CStr) -> Result<OwnedFd, Errno> {
    openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_first_word_alone() {
        let found = |content: &str, word: &str| {
            let file = memfd_create(c"test", MemfdFlags::CLOEXEC).unwrap();
            rustix::io::pwrite(&file, content.as_bytes(), 0).unwrap();
            has_line(&file, word.as_bytes()).unwrap()
        };
        assert!(found("12 1 0:1\n25 1 0:2\n", "25"));
        assert!(found("25 1\n", "25"));
        for other in ["125 1\n", "251 1\n", "1 25 \n", "2\n5 1\n", "25", ""] {
            assert!(!found(other, "25"), "{other}");
        }
        assert!(found(&format!("{} x\n25 x\n", "1".repeat(1022)), "25"), "across pieces");
    }

    #[test]
    fn the_tests_run_from_a_mount_that_they_see() {
        assert_eq!(is_among_mounts(), Ok(true));
    }
}
