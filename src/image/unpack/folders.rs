//! The directories on the way to an entry, kept open from one entry to the next. Each is opened by its
//! name in the one above it, never through a link; `openat2(2)` (Linux 5.6), and openat(2) before that.
//!
//! What is done in a directory changes its time, and may take a mode that it is not to have in the
//! end. Both are put right when it is left.

use super::failure::Failure;
use super::names::Path;
use crate::kernel::inside;
use crate::sys::descriptors::AsFd;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, chmodat, fstat,
    mkdirat, openat, openat2, statat, utimensat,
};
use rustix::io::Errno;

/// An open directory.
pub struct Folder {
    file: OwnedFd,
    /// In the one above it, with a NUL.
    name: Vec<u8>,
    /// The mode that it has, and what it is to have when it is left.
    mode: u32,
    wanted_mode: u32,
    /// When it was changed last, if that is known.
    time: Option<Timespec>,
    /// What tells it from all others.
    pub id: (u64, u64),
    /// Whether something was made or removed in it.
    pub is_changed: bool,
}

/// What is done about a directory that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is made, with the usual mode.
    Make,
    /// Nothing.
    Leave,
}

const USUAL_MODE: u32 = 0o755;
/// What it takes to work in a directory, without privilege.
const WORK_MODE: u32 = 0o700;
const SET_GROUP: u32 = 0o2000;
const NOWHERE: Failure = Failure::Archive(rare!("a link on its way leads nowhere in the root"));

impl Folder {
    fn new(file: OwnedFd, name: &[u8], found: &Stat) -> Self {
        let mode = found.st_mode & 0o7777;
        let time = Timespec { tv_sec: found.st_mtime, tv_nsec: found.st_mtime_nsec as i64 };
        let id = (found.st_dev, found.st_ino);
        let (name, time) = (name.to_vec(), Some(time));
        Self { file, name, mode, wanted_mode: mode, time, id, is_changed: false }
    }

    /// Whether what is made in it belongs to its group.
    #[must_use]
    pub fn gives_group(&self) -> bool {
        self.mode & SET_GROUP != 0
    }

    /// Says what it is to be when it is left.
    pub fn set(&mut self, mode: u32, time: Timespec) {
        self.wanted_mode = mode;
        self.time = Some(time);
        self.is_changed = true;
    }

    fn leave(&self) -> Result<(), Failure> {
        if let Some(time) = self.time.filter(|_| self.is_changed) {
            let times = Timestamps { last_access: time, last_modification: time };
            utimensat(self.file.as_fd(), c".", &times, AtFlags::empty())?;
        }
        if self.mode != self.wanted_mode {
            let mode = Mode::from_raw_mode(self.wanted_mode);
            chmodat(self.file.as_fd(), c".", mode, AtFlags::empty())?;
        }
        Ok(())
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Those on the way, the root first.
pub struct Folders(Vec<Folder>);

impl Folders {
    /// The root alone.
    ///
    /// # Errors
    ///
    /// open(2), stat(2).
    pub fn new(root: BorrowedFd<'_>) -> Result<Self, Failure> {
        let file = openat(root, c".", PATH, Mode::empty())?;
        let found = fstat(file.as_fd())?;
        Ok(Self(vec![Folder::new(file, b"", &found)]))
    }

    /// The last of them.
    pub fn last(&mut self) -> &mut Folder {
        let last = self.0.len().saturating_sub(1);
        // The root is never left.
        &mut self.0[last]
    }

    /// Goes to the directory that the first `count` parts of the path name; whether it is there.
    ///
    /// # Errors
    ///
    /// One of them leads out of the root; open(2), mkdir(2).
    pub fn enter(&mut self, path: &Path, count: usize, missing: Missing) -> Result<bool, Failure> {
        let is_same = |index: &usize| {
            self.0.get(index + 1).is_some_and(|folder| folder.name == path.part(*index))
        };
        let shared = (0..count).take_while(is_same).count();
        self.leave_to(shared)?;
        for index in shared..count {
            let name = c_str(path.part(index));
            match self.step(name) {
                Err(Failure::System(Errno::NOENT)) if missing == Missing::Leave => {
                    return Ok(false);
                }
                Err(Failure::System(Errno::NOENT)) => self.make(name)?,
                // A link, or something that is no directory.
                Err(Failure::System(Errno::LOOP | Errno::NOTDIR)) => {
                    if !self.follow(path, index + 1)? {
                        return match missing {
                            Missing::Leave => Ok(false),
                            Missing::Make => {
                                Err(Failure::Archive(rare!("something on its way is no directory")))
                            }
                        };
                    }
                }
                answer => answer?,
            }
        }
        Ok(true)
    }

    /// Calls `each` with what tells a directory and the name of one in it, for all but the root.
    pub fn each(&self, mut each: impl FnMut((u64, u64), &[u8])) {
        for (above, folder) in self.0.iter().zip(self.0.iter().skip(1)) {
            each(above.id, &folder.name);
        }
    }

    /// Leaves all below the first `count`.
    ///
    /// # Errors
    ///
    /// chmod(2), utimensat(2).
    pub fn leave_to(&mut self, count: usize) -> Result<(), Failure> {
        while self.0.len() > count + 1 {
            if let Some(folder) = self.0.pop() {
                folder.leave()?;
            }
        }
        Ok(())
    }

    /// Leaves all, the root too.
    ///
    /// # Errors
    ///
    /// As for [`Self::leave_to`].
    pub fn finish(mut self) -> Result<(), Failure> {
        self.leave_to(0)?;
        self.last().leave()
    }

    /// Opens a directory of this name in the last one.
    ///
    /// # Errors
    ///
    /// open(2), chmod(2).
    pub fn step(&mut self, name: &CStr) -> Result<(), Failure> {
        let above = self.last();
        let file = open_folder(above.as_fd(), name)?;
        let found = fstat(file.as_fd())?;
        let mut folder = Folder::new(file, name.to_bytes_with_nul(), &found);
        if folder.mode & WORK_MODE != WORK_MODE {
            folder.mode |= WORK_MODE;
            chmodat(above.as_fd(), name, Mode::from_raw_mode(folder.mode), AtFlags::empty())?;
        }
        self.0.push(folder);
        Ok(())
    }

    /// Makes a directory that no entry describes.
    fn make(&mut self, name: &CStr) -> Result<(), Failure> {
        let above = self.last();
        mkdirat(above.file.as_fd(), name, Mode::from_raw_mode(USUAL_MODE))?;
        // Nobody has said how old what it is in is to be now.
        above.time = None;
        self.step(name)?;
        let folder = self.last();
        folder.wanted_mode = USUAL_MODE;
        folder.time = None;
        Ok(())
    }

    /// Goes where a link leads within the root, as a process inside would; whether it is a link.
    fn follow(&mut self, path: &Path, count: usize) -> Result<bool, Failure> {
        let name = path.part(count - 1);
        let found = statat(self.last().as_fd(), c_str(name), AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
            return Ok(false);
        }
        let joined = path.joined(count);
        let root = self.0.first().map(AsFd::as_fd).ok_or(NOWHERE)?;
        let file = match inside::open(root, c_str(&joined)) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => {
                return Err(NOWHERE);
            }
            answer => answer?,
        };
        let found = fstat(file.as_fd())?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
            return Err(NOWHERE);
        }
        self.0.push(Folder::new(file, name, &found));
        Ok(true)
    }

    /// Opens the directory that the first `count` parts of another path name, without leaving any.
    ///
    /// # Errors
    ///
    /// It is not there; open(2).
    pub fn find(&self, path: &Path, count: usize) -> Result<OwnedFd, Failure> {
        let root = self.0.first().ok_or(NOWHERE)?;
        let joined = path.joined(count);
        let name = if count == 0 { c"." } else { c_str(&joined) };
        match openat2(root.as_fd(), name, PATH, Mode::empty(), BELOW) {
            // Through a link, or before Linux 5.6.
            Err(Errno::LOOP | Errno::NOTDIR | Errno::NOSYS | Errno::PERM) => {
                Ok(inside::open(root.as_fd(), name)?)
            }
            answer => Ok(answer?),
        }
    }
}

const PATH: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const BELOW: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

fn open_folder(above: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    match openat2(above, name, PATH, Mode::empty(), BELOW) {
        // A name without a slash that is not followed stays below all the same.
        Err(Errno::NOSYS | Errno::PERM) => openat(above, name, PATH, Mode::empty()),
        answer => answer,
    }
}

/// A part of a path as the kernel takes it.
#[must_use]
pub fn c_str(name: &[u8]) -> &CStr {
    CStr::from_bytes_until_nul(name).unwrap_or_default()
}
