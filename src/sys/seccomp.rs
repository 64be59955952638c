//! Filters of system calls: the instructions that they are made of, and seccomp(2) to install one.
#![allow(unsafe_code)]

use super::{architecture, checked};
use core::ptr::from_ref;
use linux_raw_sys::general::__NR_seccomp;
use linux_raw_sys::ptrace::{
    SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, SECCOMP_SET_MODE_FILTER,
};
use rustix::fd::{FromRawFd, OwnedFd};
use rustix::io::Errno;

/// An instruction of classic BPF: the kernel's `sock_filter`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
#[repr(C)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// How many instructions a jump leaves out when its test holds.
    pub jt: u8,
    /// How many it leaves out when the test does not hold.
    pub jf: u8,
    /// What it is done with.
    pub k: u32,
}

/// How a filter is installed: flags of seccomp(2).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Flags(u32);

impl Flags {
    /// Nothing in particular.
    pub const NONE: Self = Self(0);
    /// Each answer but "allow" goes to the kernel's log; Linux 4.14.
    pub const LOG: Self = Self(SECCOMP_FILTER_FLAG_LOG);
    /// The processor may go on speculating past stores; Linux 4.17.
    pub const SPEC_ALLOW: Self = Self(SECCOMP_FILTER_FLAG_SPEC_ALLOW);
    /// A call that a listener has received is waited for, whatever signals arrive but those that
    /// kill; for a filter with a listener, Linux 5.19.
    pub const WAIT_KILLABLE_RECV: Self = Self(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The kernel's `sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// Has the kernel ask `program` about each system call from here on, in this thread and in all that
/// come from it. It cannot be taken back. The caller has `CAP_SYS_ADMIN` in its user namespace, or
/// has given up new privileges.
///
/// # Errors
///
/// seccomp(2): `EACCES` without either; `EINVAL` for a program that is empty, longer than 4096
/// instructions, or not valid, and where the kernel has no filters.
pub fn install(program: &[Instruction], flags: Flags) -> Result<(), Errno> {
    set_filter(program, flags.0).map(drop)
}

/// As [`install`], and returns the descriptor at which the calls can be received that the program
/// answers with "ask"; `seccomp_unotify(2)`, Linux 5.0. It is closed when a program is executed.
///
/// # Errors
///
/// As there; `EBUSY` when a filter with a listener is there already.
pub fn install_listening(program: &[Instruction], flags: Flags) -> Result<OwnedFd, Errno> {
    let listener = set_filter(program, flags.0 | SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(listener as i32) })
}

fn set_filter(program: &[Instruction], flags: u32) -> Result<usize, Errno> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    let program = Program { length, instructions: program.as_ptr() };
    let arguments = [
        SECCOMP_SET_MODE_FILTER as usize,
        flags as usize,
        from_ref(&program).expose_provenance(),
        0,
        0,
    ];
    // SAFETY: a program of the length named, which the kernel copies, and checks.
    checked(unsafe { architecture::syscall(__NR_seccomp, arguments) })
}
