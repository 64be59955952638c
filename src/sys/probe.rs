//! Whether the kernel knows a system call: one that it knows refuses senseless arguments by another
//! error than `ENOSYS`.
#![allow(unsafe_code)]

use super::{architecture, checked};
use core::ptr::from_ref;
use linux_raw_sys::general::{
    __NR_clone3, __NR_close_range, __NR_fsopen, __NR_mount_setattr, __NR_move_mount,
    __NR_open_tree, __NR_openat2, __NR_pidfd_open, __NR_seccomp, CLONE_INTO_CGROUP, SIGCHLD,
    clone_args,
};
use linux_raw_sys::ptrace::{SECCOMP_GET_ACTION_AVAIL, SECCOMP_RET_ERRNO};
use rustix::io::Errno;

/// A call that a kernel may not have; none of them does anything with the arguments of [`is_known`].
#[derive(Clone, Copy)]
#[repr(u32)]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub enum Call {
    Fsopen = __NR_fsopen,
    OpenTree = __NR_open_tree,
    MoveMount = __NR_move_mount,
    MountSetattr = __NR_mount_setattr,
    Openat2 = __NR_openat2,
    CloseRange = __NR_close_range,
    PidfdOpen = __NR_pidfd_open,
}

/// Whether a call is there.
///
/// # Errors
///
/// `ENOSYS` if it is not.
pub fn is_known(call: Call) -> Result<(), Errno> {
    // SAFETY: every call of these refuses such arguments: no address, descriptor or flags are so.
    match checked(unsafe { architecture::syscall(call as u32, [usize::MAX; 5]) }) {
        Err(Errno::NOSYS) => Err(Errno::NOSYS),
        _ => Ok(()),
    }
}

/// Whether system calls can be filtered, and refused with an error.
///
/// # Errors
///
/// seccomp(2): `EINVAL`, `ENOSYS`, `EOPNOTSUPP`.
pub fn filters() -> Result<(), Errno> {
    let action = SECCOMP_RET_ERRNO;
    let arguments =
        [SECCOMP_GET_ACTION_AVAIL as usize, 0, from_ref(&action).expose_provenance(), 0, 0];
    // SAFETY: a number to read, for this operation.
    checked(unsafe { architecture::syscall(__NR_seccomp, arguments) }).map(drop)
}

/// Whether a process can be made in a cgroup at once; clone3(2).
///
/// # Errors
///
/// `ENOSYS`, `E2BIG` or `EINVAL` if not.
pub fn clone_into_cgroup() -> Result<(), Errno> {
    // SAFETY: all zero is a valid value of this structure of numbers.
    let mut wanted: clone_args = unsafe { core::mem::zeroed() };
    wanted.flags = CLONE_INTO_CGROUP;
    wanted.exit_signal = SIGCHLD.into();
    // No such descriptor, so that no process is made.
    wanted.cgroup = i32::MAX as u64;
    let arguments = [from_ref(&wanted).expose_provenance(), size_of::<clone_args>(), 0, 0, 0];
    // SAFETY: the structure of the size named.
    match checked(unsafe { architecture::syscall(__NR_clone3, arguments) }) {
        Err(Errno::BADF) => Ok(()),
        Err(errno) => Err(errno),
        Ok(_) => Err(Errno::INVAL),
    }
}
