//! A user namespace that nobody is in: a descriptor of a map of ids, for mounts that are seen with
//! it; `mount_setattr(2)`, `MOUNT_ATTR_IDMAP`.

use super::name_of;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::sys::namespaces::Namespaces;
use crate::sys::process::{Memory, clone};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, read, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

static MAKE: Operation = Operation {
    words: rare!("make a user namespace for the ids of a volume"),
    on: Object::None,
    cures: &[(Errno::PERM, Cure::Words(rare!("this takes root privilege on the host")))],
};

/// A user namespace with these maps.
///
/// # Errors
///
/// clone(2), write(2): `EPERM` without root privilege.
pub fn namespace(users: &[u8], groups: &[u8]) -> Result<OwnedFd, Fault> {
    let made = || {
        let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        // It stays until it is killed.
        let mut child = || read(ours.as_fd(), &mut [0; 1]).map_or(1, |_| 0);
        let holder = clone(Memory::Copied, Namespaces::USER, &mut child)?;
        let opened = map(holder, users, groups);
        kill_process(holder, Signal::KILL)?;
        while waitpid(Some(holder), WaitOptions::empty())?.is_none() {}
        drop(theirs);
        opened
    };
    made().doing(&MAKE)
}

fn map(holder: Pid, users: &[u8], groups: &[u8]) -> Result<OwnedFd, Errno> {
    write_map(holder, "uid_map", users)?;
    write_map(holder, "gid_map", groups)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    openat(CWD, name_of(holder, "ns/user"), flags, Mode::empty())
}

/// Writes one of the two maps of a process that is in a new user namespace.
pub(super) fn write_map(process: Pid, name: &str, lines: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(CWD, name_of(process, name), flags, Mode::empty())?;
    write(file.as_fd(), lines).map(drop)
}
