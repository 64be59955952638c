//! What a layer says that the layers below it no longer have: marks in a layer of an overlay, done at
//! once in a tree.

use super::Form;
use super::attributes::make_opaque;
use super::entry::{Place, Whiteout};
use super::names::{as_c_str, hash, path_of, terminated};
use super::parents::open;
use super::place::{Folder, clear};
use crate::image::entry::list;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags, makedev, mknodat, openat};
use rustix::io::Errno;

impl Folder<'_> {
    /// Deletes what lower layers have.
    ///
    /// # Errors
    ///
    /// Those of mknod(2), unlink(2) and setxattr(2).
    pub fn delete(&mut self, whiteout: &Whiteout<'_>, place: Place<'_>) -> Result<(), Errno> {
        match (whiteout, self.into.form) {
            (Whiteout::Other | Whiteout::None, _) => Ok(()),
            (Whiteout::All, Form::Overlay { privileged }) => {
                make_opaque(&self.parents.of(place.folder)?.folder, privileged)
            }
            (Whiteout::All, Form::Tree) => {
                let folder = openat(
                    &self.parents.of(place.folder)?.folder,
                    c".",
                    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                    Mode::empty(),
                )?;
                self.parents.forget();
                clear_lower(&folder, place.folder, &self.made)
            }
            (Whiteout::Of(name), form) => {
                let terminated = terminated(name)?;
                let c_name = as_c_str(&terminated);
                let path = path_of(Place { folder: place.folder, name });
                let is_made = self.made.contains(&hash(&path));
                let parent = self.parents.of(place.folder)?;
                match form {
                    Form::Overlay { privileged } if is_made => {
                        // A file of this layer hides the lower one anyway; a folder has to be told to.
                        match open(self.into.folder, &path) {
                            Ok(folder) => make_opaque(&folder, privileged),
                            Err(_) => Ok(()),
                        }
                    }
                    Form::Overlay { .. } => {
                        let none = makedev(0, 0);
                        let kind = FileType::CharacterDevice;
                        match mknodat(&parent.folder, c_name, kind, Mode::empty(), none) {
                            // Twice the same.
                            Err(Errno::EXIST) => Ok(()),
                            answer => answer,
                        }
                    }
                    Form::Tree if is_made => Ok(()),
                    Form::Tree => {
                        let cleared = clear(&parent.folder, c_name);
                        self.parents.forget();
                        cleared
                    }
                }
            }
        }
    }
}

/// Removes what is in the folder at `path`, but for what this layer has `made`, in which what is of
/// others goes likewise.
///
/// # Errors
///
/// Those of open(2) and unlink(2).
fn clear_lower(folder: &OwnedFd, path: &[u8], made: &BTreeSet<u64>) -> Result<(), Errno> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    list(folder, |name| {
        names.push(name.to_bytes_with_nul().to_vec());
        Ok(())
    })?;
    for name in names {
        let name = CStr::from_bytes_until_nul(&name).unwrap_or_default();
        let mut inner = path.to_vec();
        if !inner.is_empty() {
            inner.push(b'/');
        }
        inner.extend_from_slice(name.to_bytes());
        if !made.contains(&hash(&inner)) {
            clear(folder, name)?;
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(folder, name, flags, Mode::empty()) {
            Ok(folder) => clear_lower(&folder, &inner, made)?,
            Err(Errno::NOTDIR | Errno::LOOP) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
