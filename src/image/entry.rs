//! Folders of the cache and the locks on them.

use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, RawDir, SeekFrom, flock, fstat, mkdirat, openat, seek,
    statat,
};
use rustix::io::{Errno, retry_on_intr};

/// Whether something of this name is there.
///
/// # Errors
///
/// stat(2), but for `ENOENT`.
pub fn exists(folder: BorrowedFd<'_>, name: &CStr) -> Result<bool, Errno> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Makes a folder for its owner, if it is not there.
///
/// # Errors
///
/// mkdir(2), but for `EEXIST`.
pub fn make_folder(folder: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match mkdirat(folder, name, Mode::RWXU) {
        Err(Errno::EXIST) => Ok(()),
        answer => answer,
    }
}

/// Opens a folder, to list and to lock it.
///
/// # Errors
///
/// open(2); `ENOTDIR` for a symbolic link.
pub fn open_folder(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty())
}

/// Opens a folder, which is made if it is not there.
///
/// # Errors
///
/// mkdir(2), open(2).
pub fn make_and_open(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    match open_folder(folder, name) {
        Err(Errno::NOENT) => {
            make_folder(folder, name)?;
            open_folder(folder, name)
        }
        answer => answer,
    }
}

/// Locks a folder, as long as what is returned is open; None if nothing of this name is there, or no
/// more when the lock is had.
///
/// # Errors
///
/// open(2); flock(2): `EWOULDBLOCK`.
pub fn hold(
    folder: BorrowedFd<'_>,
    name: &CStr,
    operation: FlockOperation,
) -> Result<Option<OwnedFd>, Errno> {
    let entry = match open_folder(folder, name) {
        Err(Errno::NOENT) => return Ok(None),
        answer => answer?,
    };
    retry_on_intr(|| flock(entry.as_fd(), operation))?;
    let locked = fstat(entry.as_fd())?;
    let there = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        there => there?,
    };
    let is_same = (locked.st_dev, locked.st_ino) == (there.st_dev, there.st_ino);
    Ok(is_same.then_some(entry))
}

/// Calls `each` with every name in a folder.
///
/// # Errors
///
/// getdents(2), and those of `each`.
pub fn list(
    folder: BorrowedFd<'_>,
    each: &mut dyn FnMut(&CStr) -> Result<(), Errno>,
) -> Result<(), Errno> {
    seek(folder, SeekFrom::Start(0))?;
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(folder, &mut space);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            _ => each(entry.file_name())?,
        }
    }
    Ok(())
}
