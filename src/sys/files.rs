//! Descriptors by number: the standard streams; `close_range(2)`, Linux 5.9, and close(2) before
//! that.
#![allow(unsafe_code)]

use super::{architecture, checked};
use linux_raw_sys::general::{__NR_close, __NR_close_range};
use rustix::fd::{AsRawFd, BorrowedFd, RawFd};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Standard input as it was given to the process, perhaps closed.
#[must_use]
pub fn standard_input() -> BorrowedFd<'static> {
    // SAFETY: as for standard output.
    unsafe { BorrowedFd::borrow_raw(0) }
}

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

/// Closes this process's copy of a descriptor that the launcher owns.
///
/// Meant for a child with descriptors of its own, which forgets the owner; the launcher's copy stays
/// open.
pub fn close(file: BorrowedFd<'_>) {
    // SAFETY: takes a number only. In this process nobody uses the owner any more.
    unsafe { architecture::syscall(__NR_close, [file.as_raw_fd() as usize, 0, 0, 0, 0]) };
}

/// Closes every descriptor from `first` on, but `kept`.
///
/// Meant for the last moments before execve(2): an `OwnedFd` that is still held would afterwards
/// stand for a closed descriptor, and dropping it does no harm only as long as nothing is opened.
///
/// # Errors
///
/// `close_range(2)`: none with a valid range.
pub fn close_all_but(first: u32, kept: [Option<RawFd>; 2]) -> Result<(), Errno> {
    let kept = kept.map(|file| file.and_then(|file| u32::try_from(file).ok()));
    let mut start = first;
    while let Some(next) = kept.iter().flatten().filter(|file| **file >= start).min() {
        if start < *next {
            close_range(start, next - 1)?;
        }
        start = next + 1;
    }
    close_range(start, u32::MAX)
}

fn close_range(first: u32, last: u32) -> Result<(), Errno> {
    let arguments = [first as usize, last as usize, 0, 0, 0];
    // SAFETY: takes numbers only.
    match checked(unsafe { architecture::syscall(__NR_close_range, arguments) }) {
        Ok(_) => Ok(()),
        Err(Errno::NOSYS) => {
            close_one_by_one(first, last);
            Ok(())
        }
        Err(errno) => Err(errno),
    }
}

/// The kernel's own bound on a process's descriptors, where nobody raised it; `proc_sys_fs(5)`.
const DESCRIPTORS_MAX: u64 = 1 << 20;

fn close_one_by_one(first: u32, last: u32) {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(0).max(DESCRIPTORS_MAX);
    for descriptor in u64::from(first)..=u64::from(last).min(limit) {
        // SAFETY: takes a number only; one that is not open is EBADF.
        unsafe { architecture::syscall(__NR_close, [descriptor as usize, 0, 0, 0, 0]) };
    }
}
