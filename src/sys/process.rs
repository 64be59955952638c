//! Making a process, turning it into a program, and ending it: clone(2), execve(2),
//! `exit_group(2)`.
#![allow(unsafe_code)]

use super::namespaces::Namespaces;
use super::{architecture, checked};
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_void};
use core::marker::PhantomData;
use core::ptr::{NonNull, from_ref, null, null_mut};
use linux_raw_sys::general::{
    __NR_execve, __NR_execveat, __NR_exit_group, AT_EMPTY_PATH, CLONE_PARENT, CLONE_VFORK,
    CLONE_VM, SIGCHLD,
};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::process::Pid;

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

/// What a child does with the memory of the process that cloned it.
pub enum Memory<'s> {
    /// It uses the same, but for this stack, and its parent sleeps until it has executed a program or
    /// exited: the fast way; clone(2), `CLONE_VM` and `CLONE_VFORK`.
    Shared(&'s mut Stack),
    /// It has a copy, in which it goes on where its parent's stack ends, and both go on: for a parent that
    /// has work to do while the child waits, and for a child that stays.
    Copied,
    /// The same, and it is a child of this process's parent.
    ForParent,
}

/// Clones a child into new `namespaces`, which runs `child`; clone(2). The value that `child` returns is
/// its exit status.
///
/// # Errors
///
/// clone(2): `EPERM`, `ENOSPC`, `EAGAIN`, `EINVAL` and others.
pub fn clone<Child: FnMut() -> u8>(
    memory: Memory<'_>,
    namespaces: Namespaces,
    child: &mut Child,
) -> Result<Pid, Errno> {
    unsafe extern "C" fn enter<Child: FnMut() -> u8>(child: *mut c_void) -> ! {
        // SAFETY: the parent passes its `&mut Child`; it sleeps until this process is done with it,
        // or this process has a copy of it.
        let child = unsafe { &mut *child.cast::<Child>() };
        exit(child())
    }
    let child: *mut Child = child;
    // SAFETY: `enter` is told of a `Child`, which is borrowed until the child has left it, or has
    // its own.
    unsafe { enter_in_child(memory, namespaces, enter::<Child>, child.cast()) }
}

/// Clones a child, whatever it does.
///
/// # Safety
///
/// `enter` may be called with `child` as long as this function does not return, or in a process
/// that has a copy of all memory.
#[inline(never)]
unsafe fn enter_in_child(
    memory: Memory<'_>,
    namespaces: Namespaces,
    enter: unsafe extern "C" fn(*mut c_void) -> !,
    child: *mut c_void,
) -> Result<Pid, Errno> {
    // What the child borrows lies above this.
    let here = 0_u8;
    let end_of_own = from_ref(&here).addr() & !15;
    let (sharing, stack_top) = match memory {
        Memory::Shared(stack) => (CLONE_VM | CLONE_VFORK, stack.top()),
        Memory::Copied => (0, end_of_own),
        Memory::ForParent => (CLONE_PARENT, end_of_own),
    };
    let flags = namespaces.at_clone() | sharing | SIGCHLD;
    // SAFETY: with CLONE_VM, the mapping is page-aligned and nobody else uses it while it is borrowed; with
    // CLONE_VFORK this function does not return before the child has left it. Without, the child writes to a
    // copy of this stack, of which it only needs what lies above the end.
    let pid = unsafe { architecture::clone(flags, stack_top, enter, child) };
    let pid = i32::try_from(checked(pid)?).map_err(|_| Errno::OVERFLOW)?;
    Pid::from_raw(pid).ok_or(Errno::SRCH)
}

/// A value that a process and its children see alike, also when they have copies of everything
/// else: what one writes, the other reads. It stays until the process ends.
///
/// # Errors
///
/// mmap(2): `ENOMEM`.
pub fn share<'a, T: 'a>(value: T) -> Result<&'a mut T, Errno> {
    const { assert!(align_of::<T>() <= 4096) };
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: without a fixed address, the kernel picks one where nothing is.
    let place = unsafe { mmap_anonymous(null_mut(), size_of::<T>(), access, MapFlags::SHARED) }?;
    let place = place.cast::<T>();
    // SAFETY: the mapping is new, page-aligned, and large enough.
    unsafe { place.write(value) };
    // SAFETY: it was just written, nobody else knows it, and it is never unmapped.
    Ok(unsafe { &mut *place })
}

/// A list of strings as execve(2) takes it: pointers, ended by a NULL. It stays until the process ends.
#[derive(Clone, Copy)]
pub struct StringList<'a> {
    pointers: &'static [*const c_char],
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
        Self { pointers: pointers.leak(), strings: PhantomData }
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

/// Becomes the program in an open file; returns only when that failed, with the reason; execveat(2).
#[must_use]
pub fn execute_file(
    file: BorrowedFd<'_>,
    arguments: &StringList<'_>,
    environment: &StringList<'_>,
) -> Errno {
    let arguments = [
        file.as_raw_fd() as usize,
        c"".as_ptr().expose_provenance(),
        arguments.pointers.as_ptr().expose_provenance(),
        environment.pointers.as_ptr().expose_provenance(),
        AT_EMPTY_PATH as usize,
    ];
    // SAFETY: as for `execve`; the descriptor is open.
    match checked(unsafe { architecture::syscall(__NR_execveat, arguments) }) {
        Ok(_) => Errno::INVAL,
        Err(errno) => errno,
    }
}

/// Ends the process; `exit_group(2)`.
pub fn exit(status: u8) -> ! {
    // SAFETY: takes a number and does not return.
    unsafe { architecture::syscall(__NR_exit_group, [usize::from(status), 0, 0, 0, 0]) };
    // But where a filter forbids even that.
    architecture::trap()
}
