//! What an opaque folder does to a tree: all that earlier layers put into it goes.

use super::place::{clear, hash};
use crate::image::entry::list;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

/// Removes what is in the folder at `path`, but for what this layer has `made`, in which what is of
/// others goes likewise.
///
/// # Errors
///
/// Those of open(2) and unlink(2).
pub fn clear_lower(folder: &OwnedFd, path: &[u8], made: &BTreeSet<u64>) -> Result<(), Errno> {
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
