//! Folders below the top of a tree that an archive fills: each path is resolved once, by the kernel,
//! and never leads out; openat2(2), Linux 5.6, and a walk from folder to folder before that.

use crate::text::parts;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, openat2};
use rustix::io::Errno;

const FLAGS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// What openat2(2) answers when something else moves folders about.
const ATTEMPTS_MAX: u32 = 64;

/// The folder that was used last, which mostly is the next one, too.
pub struct Parents<'a> {
    top: BorrowedFd<'a>,
    path: Vec<u8>,
    last: Option<Parent>,
}

/// A folder that is open.
pub struct Parent {
    /// It.
    pub folder: OwnedFd,
    /// Whether what is made in it gets its group.
    pub gives_group: bool,
}

impl<'a> Parents<'a> {
    /// Of the tree in this folder.
    pub fn new(top: BorrowedFd<'a>) -> Self {
        Self { top, path: Vec::new(), last: None }
    }

    /// Opens a folder, and makes what is missing of it.
    ///
    /// # Errors
    ///
    /// openat2(2): `EXDEV` for a path that a symbolic link leads out, `ENOTDIR`; mkdir(2).
    pub fn of(&mut self, path: &[u8]) -> Result<&Parent, Errno> {
        if self.path != path {
            self.last = None;
        }
        if self.last.is_none() {
            let folder = match open(self.top, path) {
                Err(Errno::NOENT) => {
                    make_all(self.top, path)?;
                    open(self.top, path)
                }
                answer => answer,
            }?;
            self.path.clear();
            self.path.extend_from_slice(path);
            let gives_group = fstat(&folder)?.st_mode & Mode::SGID.as_raw_mode() != 0;
            self.last = Some(Parent { folder, gives_group });
        }
        self.last.as_ref().ok_or(Errno::BADF)
    }

    /// Forgets what was open, since a folder was replaced.
    pub fn forget(&mut self) {
        self.last = None;
    }
}

/// Opens a folder by its path below `top`.
///
/// # Errors
///
/// openat2(2).
pub fn open(top: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let mut name = path.to_vec();
    if name.is_empty() {
        name.push(b'.');
    }
    name.push(0);
    let name = CStr::from_bytes_until_nul(&name).map_err(|_| Errno::INVAL)?;
    let below = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..ATTEMPTS_MAX {
        match openat2(top, name, FLAGS, Mode::empty(), below) {
            Err(Errno::AGAIN) => {}
            Err(Errno::NOSYS) => return walk(top, path),
            answer => return answer,
        }
    }
    Err(Errno::AGAIN)
}

fn make_all(top: BorrowedFd<'_>, path: &[u8]) -> Result<(), Errno> {
    // As far as it is there, links in it may lead elsewhere in the tree.
    let mut start = 0;
    for (place, byte) in path.iter().enumerate() {
        if *byte == b'/' {
            make(top, path, start, place)?;
            start = place + 1;
        }
    }
    make(top, path, start, path.len())
}

/// Makes the part of the path from `start` to `end`, unless it is there.
fn make(top: BorrowedFd<'_>, path: &[u8], start: usize, end: usize) -> Result<(), Errno> {
    let whole = path.get(..end).unwrap_or_default();
    match open(top, whole) {
        Err(Errno::NOENT) => {}
        answer => return answer.map(drop),
    }
    let parent = open(top, path.get(..start).unwrap_or_default())?;
    let mut name = path.get(start..end).unwrap_or_default().to_vec();
    name.push(0);
    let name = CStr::from_bytes_until_nul(&name).map_err(|_| Errno::INVAL)?;
    mkdirat(&parent, name, Mode::from_raw_mode(0o755))
}

/// The way of older kernels: symbolic links are not followed at all.
fn walk(top: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let mut folder = openat(top, c".", FLAGS, Mode::empty())?;
    for part in parts(path, b'/').filter(|part| !matches!(*part, b"" | b".")) {
        if part == b".." {
            return Err(Errno::XDEV);
        }
        let mut name = part.to_vec();
        name.push(0);
        let name = CStr::from_bytes_until_nul(&name).map_err(|_| Errno::INVAL)?;
        folder = openat(folder.as_fd(), name, FLAGS | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(folder)
}
