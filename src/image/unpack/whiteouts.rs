//! What a layer deletes: in an overlay a mark that the kernel understands, in a tree what earlier
//! layers have put there; the kernel's `Documentation/filesystems/overlayfs.rst`, "whiteouts and opaque
//! directories".

use super::attributes::set_opaque;
use super::failure::Failure;
use super::folders::{Folder, Missing, c_str};
use super::made::Made;
use super::names::Path;
use super::write::Files;
use super::{super::entry::list, super::remove::remove_tree, Form};
use crate::sys::descriptors::AsFd;
use alloc::vec::Vec;
use core::ffi::CStr;

use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, mknodat, openat, unlinkat};
use rustix::io::Errno;

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Deeper is nothing that was unpacked.
const DEPTH_MAX: usize = 1024;

impl Files {
    /// Deletes a name in the directory of the first `count` parts.
    pub(super) fn delete(&mut self, path: &Path, count: usize, name: &CStr) -> Result<(), Failure> {
        let Form::Overlay { privileged } = self.form else {
            if self.made.is_some() && self.folders.enter(path, count, Missing::Leave)? {
                let folder = self.folders.last();
                folder.is_changed = true;
                remove_old(folder.as_fd(), folder.id, name, self.made.as_ref(), DEPTH_MAX)?;
            }
            return Ok(());
        };
        self.folders.enter(path, count, Missing::Make)?;
        let folder = self.folders.last();
        folder.is_changed = true;
        match mknodat(folder.as_fd(), name, FileType::CharacterDevice, Mode::empty(), 0) {
            // This layer has something of that name, which hides a file below, and a directory if it
            // is told to.
            Err(Errno::EXIST) => match openat(folder.as_fd(), name, FOLDER, Mode::empty()) {
                Err(Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => Ok(()),
                opened => Ok(set_opaque(opened?.as_fd(), privileged)?),
            },
            made => Ok(made?),
        }
    }

    /// Deletes all that lower layers have in the directory of the first `count` parts.
    pub(super) fn empty(&mut self, path: &Path, count: usize) -> Result<(), Failure> {
        if let Form::Overlay { .. } = self.form {
            self.folders.enter(path, count, Missing::Make)?;
            return self.make_opaque();
        }
        if self.made.is_none() || !self.folders.enter(path, count, Missing::Leave)? {
            return Ok(());
        }
        let folder: &mut Folder = self.folders.last();
        folder.is_changed = true;
        let id = folder.id;
        let file = openat(folder.as_fd(), c".", FOLDER, Mode::empty())?;
        empty_old(file.as_fd(), id, self.made.as_ref(), DEPTH_MAX)
    }
}

/// Removes what is of an earlier layer, and in what is not, what is.
fn remove_old(
    folder: BorrowedFd<'_>,
    id: (u64, u64),
    name: &CStr,
    made: Option<&Made>,
    depth: usize,
) -> Result<(), Failure> {
    if !made.is_some_and(|made| made.has(id, name.to_bytes_with_nul())) {
        return Ok(remove(folder, name)?);
    }
    match openat(folder, name, FOLDER, Mode::empty()) {
        Err(Errno::LOOP | Errno::NOTDIR) => Ok(()),
        inner => {
            let inner = inner?;
            let found = fstat(inner.as_fd())?;
            let depth = depth.checked_sub(1).ok_or(Failure::Archive(rare!("it lies too deep")))?;
            empty_old(inner.as_fd(), (found.st_dev, found.st_ino), made, depth)
        }
    }
}

fn empty_old(
    folder: BorrowedFd<'_>,
    id: (u64, u64),
    made: Option<&Made>,
    depth: usize,
) -> Result<(), Failure> {
    for name in &names(folder)? {
        remove_old(folder, id, c_str(name), made, depth)?;
    }
    Ok(())
}

/// Reads all names before any is removed, since reading a directory that changes may miss some.
fn names(folder: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    list(folder, &mut |name| {
        names.push(name.to_bytes_with_nul().to_vec());
        Ok(())
    })?;
    Ok(names)
}

/// Removes whatever has this name; nothing is fine, too.
pub fn remove(folder: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => match remove_tree(folder, name) {
            // What lies below in an overlay is not moved.
            Err(Errno::XDEV) => remove_in_place(folder, name, DEPTH_MAX),
            answer => answer,
        },
        Err(Errno::NOENT) => Ok(()),
        answer => answer,
    }
}

fn remove_in_place(folder: BorrowedFd<'_>, name: &CStr, depth: usize) -> Result<(), Errno> {
    let depth = depth.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
    let inner = openat(folder, name, FOLDER, Mode::empty())?;
    for name in &names(inner.as_fd())? {
        let name = c_str(name);
        match unlinkat(inner.as_fd(), name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => remove_in_place(inner.as_fd(), name, depth)?,
            answer => answer?,
        }
    }
    unlinkat(folder, name, AtFlags::REMOVEDIR)
}

/// Whether there is nothing in a directory.
pub fn is_empty(folder: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mut is_empty = true;
    list(openat(folder, c".", FOLDER, Mode::empty())?.as_fd(), &mut |_| {
        is_empty = false;
        Ok(())
    })?;
    Ok(is_empty)
}
