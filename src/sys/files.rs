//! Descriptors by number: the standard streams; `close_range(2)`, Linux 5.9, and close(2) before
//! that.
#![allow(unsafe_code)]

use super::{architecture, checked};
use linux_raw_sys::general::{__NR_close, __NR_close_range, __NR_fcntl, __NR_getcwd};
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

/// Whether there is an open file of this number.
#[must_use]
pub fn is_open(number: u32) -> bool {
    const F_GETFD: usize = 1;
    // SAFETY: takes numbers only, and changes nothing.
    let answer = unsafe { architecture::syscall(__NR_fcntl, [number as usize, F_GETFD, 0, 0, 0]) };
    checked(answer).is_ok()
}

/// Closes this process's copy of a descriptor that the launcher owns.
///
/// Meant for a child with descriptors of its own, which forgets the owner; the launcher's copy stays
/// open.
pub fn close(file: BorrowedFd<'_>) {
    // SAFETY: takes a number only. In this process nobody uses the owner any more.
    unsafe { architecture::syscall(__NR_close, [file.as_raw_fd() as usize, 0, 0, 0, 0]) };
}

/// Closes what is open under this number, and is no value of anybody's here.
pub fn close_number(number: u32) {
    // SAFETY: takes a number only; no value of ours stands for it.
    unsafe { architecture::syscall(__NR_close, [number as usize, 0, 0, 0, 0]) };
}

/// Closes every descriptor from `first` on, but `kept`.
///
/// Meant for the last moments before execve(2): an `OwnedFd` that is still held would afterwards
/// stand for a closed descriptor, and dropping it does no harm only as long as nothing is opened.
///
/// # Errors
///
/// `close_range(2)`: none with a valid range.
pub fn close_all_but(first: u32, kept: &[Option<RawFd>]) -> Result<(), Errno> {
    let mut start = first;
    let number = |file: &RawFd| u32::try_from(*file).unwrap_or(0);
    while let Some(next) = kept.iter().flatten().map(number).filter(|file| *file >= start).min() {
        if start < next {
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

/// Where the process is, from its root on; getcwd(2). What cannot be reached from there begins with
/// `(unreachable)`.
///
/// # Errors
///
/// `ENOENT` if it was removed, `ERANGE` if the buffer is too short.
pub fn working_directory(buffer: &mut [u8]) -> Result<&[u8], Errno> {
    let arguments = [buffer.as_mut_ptr().expose_provenance(), buffer.len(), 0, 0, 0];
    // SAFETY: as much room as is said.
    let length = checked(unsafe { architecture::syscall(__NR_getcwd, arguments) })?;
    // With the NUL behind it.
    Ok(buffer.get(..length.saturating_sub(1)).unwrap_or_default())
}
