//! A layer over those below it, unpacked as a container would have written it: into an overlay of them
//! that is mounted for this and seen by nobody else. So a directory of which the layer says nothing
//! stays as it is below, a link that lies below leads where it leads, and a file from below can get
//! another name.

use super::cache::{Cache, FILES};
use super::digest::Digest;
use super::entry::make_and_open;
use super::remove::remove_tree;
use crate::kernel::overlay;
use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chmodat, chownat, openat, statat,
    utimensat,
};
use rustix::io::Errno;

const WORK: &CStr = c"work";

/// The overlay.
pub struct Over {
    /// Its root: what is written there is the layer's.
    pub root: OwnedFd,
    /// The folder that the layer's files are in.
    entry: OwnedFd,
}

impl Over {
    /// Mounts it over these layers, the topmost first, for the files in `folder`; None where that is
    /// not possible, as in a cache that itself lies on an overlay.
    #[must_use]
    pub fn begin(
        cache: &Cache,
        layer: &Digest,
        lower: &[&CStr],
        folder: BorrowedFd<'_>,
    ) -> Option<Self> {
        let topmost = lower.first()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let entry = openat(folder, c"..", flags, Mode::empty()).ok()?;
        remove_tree(entry.as_fd(), WORK).and_then(|()| make_and_open(entry.as_fd(), WORK)).ok()?;
        let root = as_below(folder, topmost).and_then(|()| {
            let upper = cache.path_of_partial(layer, FILES);
            let work = cache.path_of_partial(layer, WORK);
            overlay::over(lower, upper, work, cache.is_privileged())
        });
        if let Ok(root) = root {
            return Some(Self { root, entry });
        }
        let _ = remove_tree(entry.as_fd(), WORK);
        None
    }

    /// Unmounts it.
    ///
    /// # Errors
    ///
    /// unlink(2).
    pub fn end(self) -> Result<(), Errno> {
        drop(self.root);
        remove_tree(self.entry.as_fd(), WORK)
    }
}

/// Makes a directory look like the topmost below, as the root of an overlay looks like its upper layer.
fn as_below(folder: BorrowedFd<'_>, below: &CStr) -> Result<(), Errno> {
    let found = statat(CWD, below, AtFlags::empty())?;
    let owner = (Uid::from_raw(found.st_uid), Gid::from_raw(found.st_gid));
    // An owner who is not known here cannot be had.
    let _ = chownat(folder, c".", Some(owner.0), Some(owner.1), AtFlags::empty());
    chmodat(folder, c".", Mode::from_raw_mode(found.st_mode & 0o7777), AtFlags::empty())?;
    let time = Timespec { tv_sec: found.st_mtime, tv_nsec: found.st_mtime_nsec as i64 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(folder, c".", &times, AtFlags::empty())
}
