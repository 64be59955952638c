//! Giving the files of a volume to the container's user, as Podman's option `U` does.

use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, RawDir, Uid, chownat, openat, statat};
use rustix::io::Errno;

static CHANGE: Operation = Operation {
    words: rare!("change the owner of what is in"),
    on: Object::Source,
    cures: &[(
        Errno::PERM,
        Cure::Words(rare!("giving files to another user takes root privilege")),
    )],
};

/// Folders in folders; deeper ones are refused, not followed to the end of the stack.
const DEPTH_MAX: u32 = 256;

/// Gives the file, or the directory and all that is in it, to this user and group. Symbolic links
/// are given and not followed.
///
/// # Errors
///
/// Those of open(2) and chown(2); `ELOOP` for what is too deep.
pub fn give(path: &CStr, user: u32, group: u32) -> Result<(), Fault> {
    let owner = (Uid::from_raw(user), Gid::from_raw(group));
    let given = chownat(CWD, path, Some(owner.0), Some(owner.1), AtFlags::empty())
        .and_then(|()| statat(CWD, path, AtFlags::empty()));
    let result = given.and_then(|found| match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => {
            give_all_in(open(CWD, path, OFlags::empty())?.as_fd(), owner, DEPTH_MAX)
        }
        _ => Ok(()),
    });
    result.doing(&CHANGE)
}

fn open(folder: BorrowedFd<'_>, name: &CStr, more: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more;
    openat(folder, name, flags, Mode::empty())
}

fn give_all_in(folder: BorrowedFd<'_>, owner: (Uid, Gid), depth: u32) -> Result<(), Errno> {
    let depth = depth.checked_sub(1).ok_or(Errno::LOOP)?;
    let mut space = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(folder, &mut space);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        chownat(folder, name, Some(owner.0), Some(owner.1), AtFlags::SYMLINK_NOFOLLOW)?;
        // Not what it was when it was listed, but what it is when it is opened.
        match open(folder, name, OFlags::NOFOLLOW) {
            Ok(inner) => give_all_in(inner.as_fd(), owner, depth)?,
            Err(Errno::NOTDIR | Errno::LOOP) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
