//! An image's files as one tree, for a host that has no overlays: unpacked for one run and removed after
//! it.

use super::Opened;
use super::cache::{Cache, FILES, said};
use super::entry::{hold, make_and_open, make_folder};
use super::remove::remove_tree;
use super::unpack::Owners;
use crate::error::{Error, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::text::Text;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FlockOperation, unlinkat};
use rustix::io::Errno;
use rustix::process::getpid;

static MAKE: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("make the root of the run")) };

/// The tree of one run.
pub struct Tree {
    name: &'static CStr,
    held: OwnedFd,
    /// Where its files are.
    pub path: &'static CStr,
}

impl Tree {
    /// Begins a tree.
    ///
    /// # Errors
    ///
    /// mkdir(2), open(2), flock(2).
    pub fn begin(cache: &Cache) -> Result<Self, Error<'static>> {
        let mut name = Text::new();
        name.push_number(getpid().as_raw_nonzero().get().unsigned_abs().into());
        let mut path = Text::new();
        path.push_raw(cache.path.as_bytes()).push("/runs/").push_raw(name.as_bytes()).push("/");
        path.push_raw(FILES.to_bytes());
        let (name, path) = (name.into_c_str(), path.into_c_str());
        let held = make_folder(cache.runs.as_fd(), name)
            .and_then(|()| hold(cache.runs.as_fd(), name, FlockOperation::LockExclusive));
        let held = held.and_then(|held| held.ok_or(Errno::NOENT));
        Ok(Self { name, held: said(held, &MAKE, name)?, path })
    }

    /// Fills it; what a run of the same number has left when it was killed goes first.
    ///
    /// # Errors
    ///
    /// Those of [`fill`].
    pub fn fill(
        &self,
        opened: &Opened,
        owners: Owners,
        is_quiet: bool,
    ) -> Result<(), Error<'static>> {
        fill(self.held.as_fd(), opened, owners, is_quiet)
    }

    /// Removes it.
    ///
    /// # Errors
    ///
    /// unlink(2).
    pub fn end(&self, cache: &Cache) -> Result<(), Error<'static>> {
        let removed = remove_tree(self.held.as_fd(), FILES)
            .and_then(|()| unlinkat(cache.runs.as_fd(), self.name, AtFlags::REMOVEDIR));
        said(removed, &MAKE, self.name)
    }
}

/// Unpacks all layers into the folder for files in `entry`.
///
/// # Errors
///
/// Those of [`Opened::unpack_all`]; mkdir(2).
pub fn fill(
    entry: BorrowedFd<'_>,
    opened: &Opened,
    owners: Owners,
    is_quiet: bool,
) -> Result<(), Error<'static>> {
    let files = remove_tree(entry, FILES).and_then(|()| make_and_open(entry, FILES));
    let files = said(files, &MAKE, FILES)?;
    let filled = opened.unpack_all(files.as_fd(), owners, is_quiet);
    if filled.is_err() {
        // The first failure is the one to tell of.
        let _ = remove_tree(entry, FILES);
    }
    filled
}
