//! Descriptors by number: the standard streams; `close_range(2)`, Linux 5.9, and close(2) before
//! that.
#![allow(unsafe_code)]

use super::{architecture, checked};
use linux_raw_sys::general::{__NR_close, __NR_close_range};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Standard output as it was given to the process, perhaps closed.
#[must_use]
pub fn standard_output() -> BorrowedFd<'static> {
    // SAFETY: the number is not -1. A write to it goes where the user sent it, or is `EBADF`.
    unsafe { BorrowedFd::borrow_raw(1) }
}

/// Standard error as it was given to the process, perhaps closed.
#[must_use]
pub fn standard_error() -> BorrowedFd<'static> {
    // SAFETY: as for standard output.
    unsafe { BorrowedFd::borrow_raw(2) }
}

/// Closes every descriptor from `first` on.
///
/// Meant for the last moments before execve(2): an `OwnedFd` that is still held would afterwards
/// stand for a closed descriptor, and dropping it does no harm only as long as nothing is opened.
///
/// # Errors
///
/// `close_range(2)`: none with a valid range.
pub fn close_from(first: u32) -> Result<(), Errno> {
    let arguments = [first as usize, u32::MAX as usize, 0, 0, 0];
    // SAFETY: takes numbers only.
    match checked(unsafe { architecture::syscall(__NR_close_range, arguments) }) {
        Ok(_) => Ok(()),
        Err(Errno::NOSYS) => {
            close_one_by_one(first);
            Ok(())
        }
        Err(errno) => Err(errno),
    }
}

/// The kernel's own bound on a process's descriptors, where nobody raised it; `proc_sys_fs(5)`.
const DESCRIPTORS_MAX: u64 = 1 << 20;

fn close_one_by_one(first: u32) {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(0);
    for descriptor in u64::from(first)..limit.max(DESCRIPTORS_MAX) {
        // SAFETY: takes a number only; one that is not open is EBADF.
        unsafe { architecture::syscall(__NR_close, [descriptor as usize, 0, 0, 0, 0]) };
    }
}
