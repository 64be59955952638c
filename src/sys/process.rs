//! Making a process, turning it into a program, and ending it: clone(2), execve(2),
//! `exit_group(2)`.
#![allow(unsafe_code)]

use super::{architecture, checked};
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_void};
use core::marker::PhantomData;
use core::ptr::{NonNull, null, null_mut};
use linux_raw_sys::general::{
    __NR_execve, __NR_exit_group, CLONE_NEWNS, CLONE_NEWUSER, CLONE_VFORK, CLONE_VM, SIGCHLD,
};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::process::Pid;

/// The namespaces that a child gets new: bits of clone(2)'s flags.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Namespaces(u32);

impl Namespaces {
    /// A table of mounts of its own; `mount_namespaces(7)`.
    pub const MOUNT: Self = Self(CLONE_NEWNS);
    /// User and group ids, and capabilities, of its own; `user_namespaces(7)`.
    pub const USER: Self = Self(CLONE_NEWUSER);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Memory for a child to run on: mapped by hand, with a page below it that cannot be touched, so
/// that running out of it ends the child and overwrites nothing. Unmapped when dropped.
pub struct Stack {
    lowest: NonNull<c_void>,
    bytes: usize,
}

/// Pages are 4, 16 or 64 KiB; the guard is as large as the largest.
const GUARD_BYTES: usize = 64 * 1024;

impl Stack {
    /// Maps `bytes` of stack and its guard; `bytes` is a multiple of 64 KiB.
    ///
    /// # Errors
    ///
    /// mmap(2) and mprotect(2): `ENOMEM`.
    pub fn map(bytes: usize) -> Result<Self, Errno> {
        let all = bytes + GUARD_BYTES;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::STACK;
        // SAFETY: without a fixed address, the kernel picks one where nothing is.
        let lowest = unsafe { mmap_anonymous(null_mut(), all, access, flags) }?;
        let stack = Self { lowest: NonNull::new(lowest).ok_or(Errno::NOMEM)?, bytes: all };
        // SAFETY: the guard lies within the mapping that was just made.
        unsafe { mprotect(lowest, GUARD_BYTES, MprotectFlags::empty()) }?;
        Ok(stack)
    }

    fn top(&self) -> usize {
        self.lowest.addr().get() + self.bytes
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and nobody runs on it: `vfork` borrows it.
        // A failure would only leave it mapped.
        let _ = unsafe { munmap(self.lowest.as_ptr(), self.bytes) };
    }
}

/// Clones a child into new `namespaces` that shares this process's memory, runs `child` in it on
/// `stack`, and returns when it has executed a program or exited; clone(2) with `CLONE_VM` and
/// `CLONE_VFORK`. The value that `child` returns is its exit status.
///
/// # Errors
///
/// clone(2): `EPERM`, `ENOSPC`, `EAGAIN`, `EINVAL` and others.
pub fn vfork<Child: FnMut() -> u8>(
    stack: &mut Stack,
    namespaces: Namespaces,
    child: &mut Child,
) -> Result<Pid, Errno> {
    unsafe extern "C" fn enter<Child: FnMut() -> u8>(child: *mut c_void) -> ! {
        // SAFETY: the parent passes its `&mut Child` and sleeps until this process is done with it.
        let child = unsafe { &mut *child.cast::<Child>() };
        exit(child())
    }
    let flags = namespaces.0 | CLONE_VM | CLONE_VFORK | SIGCHLD;
    let child: *mut Child = child;
    // SAFETY: the mapping is page-aligned, nobody else uses it while it is borrowed, and with
    // CLONE_VFORK this function does not return before the child has left it.
    let pid = unsafe { architecture::clone(flags, stack.top(), enter::<Child>, child.cast()) };
    let pid = i32::try_from(checked(pid)?).map_err(|_| Errno::OVERFLOW)?;
    Pid::from_raw(pid).ok_or(Errno::SRCH)
}

/// A list of strings as execve(2) takes it: pointers, ended by a NULL.
pub struct StringList<'a> {
    pointers: Vec<*const c_char>,
    strings: PhantomData<&'a CStr>,
}

impl<'a> StringList<'a> {
    /// The list of these strings.
    #[must_use]
    pub fn new(strings: &[&'a CStr]) -> Self {
        let mut pointers = Vec::with_capacity(strings.len() + 1);
        for string in strings {
            pointers.push(string.as_ptr());
        }
        pointers.push(null());
        Self { pointers, strings: PhantomData }
    }
}

/// Becomes the program at `path`; returns only when that failed, with the reason; execve(2).
#[must_use]
pub fn execve(path: &CStr, arguments: &StringList<'_>, environment: &StringList<'_>) -> Errno {
    let arguments = [
        path.as_ptr().expose_provenance(),
        arguments.pointers.as_ptr().expose_provenance(),
        environment.pointers.as_ptr().expose_provenance(),
        0,
        0,
    ];
    // SAFETY: a string, and two lists of strings with a NULL at their ends; all are borrowed.
    match checked(unsafe { architecture::syscall(__NR_execve, arguments) }) {
        Ok(_) => Errno::INVAL,
        Err(errno) => errno,
    }
}

/// Ends the process; `exit_group(2)`.
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: takes a number and does not return.
        unsafe { architecture::syscall(__NR_exit_group, [usize::from(status), 0, 0, 0, 0]) };
    }
}
