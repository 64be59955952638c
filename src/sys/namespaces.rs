//! Namespaces: which there are, entering one that exists, and making some without a new process;
//! namespaces(7), setns(2), unshare(2).
#![allow(unsafe_code)]

use super::{architecture, checked};
use linux_raw_sys::general::{
    __NR_setns, __NR_unshare, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS,
    CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NEWUTS,
};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;

/// A set of kinds of namespaces: bits of clone(2)'s flags.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Namespaces(u32);

impl Namespaces {
    /// None.
    pub const NONE: Self = Self(0);
    /// A table of mounts; `mount_namespaces(7)`.
    pub const MOUNT: Self = Self(CLONE_NEWNS);
    /// User and group ids, and capabilities; `user_namespaces(7)`.
    pub const USER: Self = Self(CLONE_NEWUSER);
    /// Process ids; `pid_namespaces(7)`.
    pub const PID: Self = Self(CLONE_NEWPID);
    /// System V and POSIX message queues, semaphores and shared memory; `ipc_namespaces(7)`.
    pub const IPC: Self = Self(CLONE_NEWIPC);
    /// Interfaces, addresses, routes, sockets; `network_namespaces(7)`.
    pub const NET: Self = Self(CLONE_NEWNET);
    /// Host name and domain name; `uts_namespaces(7)`.
    pub const UTS: Self = Self(CLONE_NEWUTS);
    /// The root of what is seen of the cgroups; `cgroup_namespaces(7)`.
    pub const CGROUP: Self = Self(CLONE_NEWCGROUP);
    /// The clocks since the start of the machine; `time_namespaces(7)`.
    pub const TIME: Self = Self(CLONE_NEWTIME);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the kinds in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is none in it.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The flags for clone(2), which cannot make time namespaces: their bit means something else
    /// there.
    pub(super) const fn at_clone(self) -> u32 {
        self.0 & !CLONE_NEWTIME
    }
}

/// Enters the namespace that `file` stands for, which has to be of this kind.
///
/// # Errors
///
/// setns(2): `EINVAL` for another kind, `EPERM`, `EUSERS`.
pub fn enter(file: BorrowedFd<'_>, kind: Namespaces) -> Result<(), Errno> {
    let arguments = [file.as_raw_fd() as usize, kind.0 as usize, 0, 0, 0];
    // SAFETY: takes numbers only, and changes what the process sees, not its memory.
    checked(unsafe { architecture::syscall(__NR_setns, arguments) })?;
    Ok(())
}

/// Moves this process into new namespaces of these kinds; for process ids and time, its children.
///
/// # Errors
///
/// unshare(2): `EPERM`, `ENOSPC`, `EINVAL` for a kind that the kernel does not have.
pub fn unshare(kinds: Namespaces) -> Result<(), Errno> {
    // SAFETY: takes a number only; the flags that take memory or descriptors apart are not in it.
    checked(unsafe { architecture::syscall(__NR_unshare, [kinds.0 as usize, 0, 0, 0, 0]) })?;
    Ok(())
}
