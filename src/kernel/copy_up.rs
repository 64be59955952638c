//! A copy of a folder in a new file system: what a tmpfs begins with that covers something.
//!
//! The file system is new and nobody else writes to it, so plain names in it lead where they say; in the
//! folder that is copied, nothing is followed.

use crate::sys::descriptors::AsFd;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, RawDir, Stat, Timespec, Timestamps, Uid, XattrFlags,
    chmodat, chownat, fgetxattr, fgetxattr_query, flistxattr, flistxattr_query, fsetxattr, mkdirat,
    mknodat, openat, readlinkat_raw, sendfile, statat, symlinkat, utimensat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::umask;

/// Folders in folders; deeper ones are refused, not followed to the end of the stack.
const DEPTH_MAX: u32 = 64;
const LIST_BYTES: usize = 2048;
const LINK_BYTES: usize = 4096;
const PIECE_BYTES: usize = 1 << 30;

/// Copies what is in the directory `from` to `to`, with owners, modes, attributes and times. It allocates, which a
/// child with the launcher's memory does in the launcher's place.
///
/// # Errors
///
/// Those of the system calls on both; `ELOOP` for what is too deep.
pub(super) fn copy_up(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let callers = umask(Mode::empty());
    let copied = open_folder(from.as_fd(), c".")
        .and_then(|from| copy_all(from.as_fd(), to.as_fd(), DEPTH_MAX));
    umask(callers);
    copied
}

fn open_folder(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty())
}

fn copy_all(from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: u32) -> Result<(), Errno> {
    let depth = depth.checked_sub(1).ok_or(Errno::LOOP)?;
    let mut space = Vec::with_capacity(LIST_BYTES);
    let mut entries = RawDir::new(from, space.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            copy_one(from, to, name, depth)?;
        }
    }
    Ok(())
}

fn copy_one(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &CStr,
    depth: u32,
) -> Result<(), Errno> {
    let found = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mut opened = None;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => {
            mkdirat(to, name, Mode::RWXU)?;
            let (folder, copy) = (open_folder(from, name)?, open_folder(to, name)?);
            copy_all(folder.as_fd(), copy.as_fd(), depth)?;
            opened = Some((folder, copy));
        }
        FileType::Symlink => {
            let mut target = vec![0; LINK_BYTES];
            let length = readlinkat_raw(from, name, target.as_mut_slice())?;
            target.truncate(length);
            symlinkat(target.as_slice(), to, name)?;
        }
        FileType::RegularFile => {
            // Not what it was when it was looked at, but what it is when it is opened.
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = openat(from, name, flags, Mode::empty())?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let copy = openat(to, name, flags, Mode::RUSR | Mode::WUSR)?;
            while retry_on_intr(|| sendfile(copy.as_fd(), file.as_fd(), None, PIECE_BYTES))? > 0 {}
            opened = Some((file, copy));
        }
        kind => mknodat(to, name, kind, Mode::RUSR | Mode::WUSR, found.st_rdev)?,
    }
    make_like(to, name, &found)?;
    // A new owner would take capabilities away.
    if let Some((file, copy)) = opened {
        copy_attributes(file.as_fd(), copy.as_fd())?;
    }
    set_times(to, name, &found)
}

/// Extended attributes; xattr(7). Some a tmpfs cannot have, or not here.
fn copy_attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Errno> {
    let length = match flistxattr_query(from) {
        Err(Errno::OPNOTSUPP) | Ok(0) => return Ok(()),
        length => length?,
    };
    let mut names = vec![0; length];
    flistxattr(from, names.as_mut_slice())?;
    for name in names.split_inclusive(|byte| *byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
        let mut value = vec![0; fgetxattr_query(from, name)?];
        let length = fgetxattr(from, name, value.as_mut_slice())?;
        let value = value.get(..length).unwrap_or_default();
        match fsetxattr(to, name, value, XattrFlags::empty()) {
            Err(Errno::OPNOTSUPP | Errno::PERM | Errno::INVAL) => {}
            answer => answer?,
        }
    }
    Ok(())
}

/// What cannot be given to its owner does not run as its owner either.
fn make_like(folder: BorrowedFd<'_>, name: &CStr, like: &Stat) -> Result<(), Errno> {
    let (user, group) = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
    let given = chownat(folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW);
    let mut mode = Mode::from_raw_mode(like.st_mode & 0o7777);
    if given.is_err() {
        mode -= Mode::SUID | Mode::SGID;
    }
    if FileType::from_raw_mode(like.st_mode) != FileType::Symlink {
        chmodat(folder, name, mode, AtFlags::empty())?;
    }
    Ok(())
}

fn set_times(folder: BorrowedFd<'_>, name: &CStr, like: &Stat) -> Result<(), Errno> {
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps {
        last_access: time(like.st_atime, like.st_atime_nsec as _),
        last_modification: time(like.st_mtime, like.st_mtime_nsec as _),
    };
    utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW)
}
