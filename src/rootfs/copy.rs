//! One file made as another one is: its content, without reading it where the kernel can; its mode,
//! its times, and where the caller may, its owner.

use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, copy_file_range,
    fchmod, fchown, fstat, futimens, ioctl_ficlone, openat, renameat, sendfile, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};

const PIECE_BYTES: usize = 1 << 30;

/// A name in a folder, and the one that it has until it is whole.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The folder.
    pub folder: BorrowedFd<'a>,
    /// The name in the end.
    pub name: &'a CStr,
    /// The name until then.
    pub temporary: &'a CStr,
}

impl Place<'_> {
    /// Makes a file like the one at `path`. What has the name goes.
    ///
    /// # Errors
    ///
    /// Those of the system calls on both files.
    pub fn copy(self, path: &CStr) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let from = openat(CWD, path, flags, Mode::empty())?;
        let found = fstat(from.as_fd())?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            // It was when it was looked at.
            return Err(Errno::STALE);
        }
        self.put(&|| {
            let to = self.create()?;
            copy_content(from.as_fd(), to.as_fd())?;
            make_like(to.as_fd(), &found)
        })
    }

    /// Makes a file with this content, for everybody to read.
    ///
    /// # Errors
    ///
    /// open(2), write(2).
    pub fn write(self, content: &str) -> Result<(), Errno> {
        self.put(&|| {
            let to = self.create()?;
            crate::text::Text::new().push(content).write_to(to.as_fd())?;
            fchmod(to.as_fd(), Mode::from_raw_mode(0o644))
        })
    }

    /// Has something made under the temporary name, and renames it.
    ///
    /// # Errors
    ///
    /// Those of `make`; rename(2).
    pub fn put(self, make: &dyn Fn() -> Result<(), Errno>) -> Result<(), Errno> {
        let Self { folder, name, temporary } = self;
        let done = make().and_then(|()| renameat(folder, temporary, folder, name));
        if done.is_err() {
            // The first failure is the one to tell of.
            let _ = unlinkat(folder, temporary, AtFlags::empty());
        }
        done
    }

    fn create(self) -> Result<OwnedFd, Errno> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(self.folder, self.temporary, flags, Mode::RUSR | Mode::WUSR)
    }
}

/// By sharing the content, by a copy within the file system, or by one through the kernel.
fn copy_content(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Errno> {
    if ioctl_ficlone(to, from).is_ok() {
        return Ok(());
    }
    // Where it cannot, or says that there is nothing where there is, the other way goes on.
    while retry_on_intr(|| copy_file_range(from, None, to, None, PIECE_BYTES)).unwrap_or(0) > 0 {}
    while retry_on_intr(|| sendfile(to, from, None, PIECE_BYTES))? > 0 {}
    Ok(())
}

/// Gives a file or a folder the owner, the mode and the times of another. What cannot be given to its
/// owner does not run as its owner either.
///
/// # Errors
///
/// fchmod(2), futimens(3).
pub fn make_like(file: BorrowedFd<'_>, like: &Stat) -> Result<(), Errno> {
    let present = fstat(file)?;
    let mut mode = Mode::from_raw_mode(like.st_mode & 0o7777);
    if (present.st_uid, present.st_gid) != (like.st_uid, like.st_gid) {
        let (user, group) = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
        if fchown(file, Some(user), Some(group)).is_err() {
            mode -= Mode::SUID | Mode::SGID;
        }
    }
    fchmod(file, mode)?;
    futimens(file, &times(like))
}

/// When it was read and written.
pub fn times(like: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    Timestamps {
        last_access: time(like.st_atime, like.st_atime_nsec as _),
        last_modification: time(like.st_mtime, like.st_mtime_nsec as _),
    }
}
