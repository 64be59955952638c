//! What programs wrote to the root of an image, kept under a name: the folders `upper` and `work` of an
//! overlay in `kept/NAME` of the cache, and a third whose name says which image they lie over.

use super::cache::{Cache, FILES, said};
use super::digest::Digest;
use super::entry::{exists, hold, list, make_and_open, make_folder};
use super::remove::remove_tree;
use crate::error::{Error, Object, Operation, Why, status};
use crate::rare::Rare;
use crate::sys::descriptors::AsFd;
use crate::text::{Text, together};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FlockOperation, Gid, Mode, Uid, fchmod, fchown, statat};
use rustix::io::Errno;

static KEEP: Operation = Operation { on: Object::Target, ..Operation::new(DOING) };
const DOING: Rare = rare!("keep what is written as");

impl Cache {
    /// Where what is kept under a name is.
    #[must_use]
    pub fn path_of_kept(&self, name: &CStr) -> &'static CStr {
        let mut path = Text::new();
        path.push_raw(self.path.as_bytes()).push("/kept/").push_raw(name.to_bytes());
        path.into_c_str()
    }

    /// Where the files of a whole tree that is kept are.
    #[must_use]
    pub fn files_of_kept(&self, name: &CStr) -> &'static CStr {
        let mut path = Text::new();
        path.push_raw(self.path_of_kept(name).to_bytes()).push("/").push_raw(FILES.to_bytes());
        path.into_c_str()
    }

    /// Has a place made for what is kept under a name over these layers, unless there is one.
    ///
    /// # Errors
    ///
    /// That the name is none, that it is another image's, or in use; those of `make`.
    pub fn make_kept(
        &self,
        name: &CStr,
        layers: &[Digest],
        make: &mut dyn FnMut(BorrowedFd<'_>) -> Result<(), Error<'static>>,
    ) -> Result<(), Error<'static>> {
        let is_name =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let bytes = name.to_bytes();
        if !bytes.iter().all(is_name) || bytes.starts_with(b".") || bytes.len() > NAME_BYTES_MAX {
            let hint = rare!("letters, digits, and . _ - behind the first").bytes();
            return Err(refused(name, rare!("that is no name for it"), hint));
        }
        said(make_folder(self.kept.as_fd(), name), &KEEP, name)?;
        let entry = self.hold_kept(name)?;
        let image = chain(layers);
        // The name of the image is made last: without it, what is there is half made.
        if said(exists(entry.as_fd(), image), &KEEP, name)? {
            return Ok(());
        }
        if said(has_image(entry.as_fd()), &KEEP, name)? {
            let hint =
                rare!("another name, or remove it: mini-container rootfs --prune --keep NAME")
                    .bytes();
            return Err(refused(name, rare!("it is of another image"), hint));
        }
        make(entry.as_fd())?;
        said(make_folder(entry.as_fd(), image), &KEEP, name)
    }

    /// Holds what is kept under a name, for one container alone.
    ///
    /// # Errors
    ///
    /// That another one uses it.
    pub fn hold_kept(&self, name: &CStr) -> Result<OwnedFd, Error<'static>> {
        match hold(self.kept.as_fd(), name, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(refused(name, rare!("another container uses it"), b"")),
            answer => {
                let gone = || refused(name, rare!("it is not there any more"), b"");
                said(answer, &KEEP, name)?.ok_or_else(gone)
            }
        }
    }
}

fn refused(name: &CStr, why: Rare, hint: &'static [u8]) -> Error<'static> {
    let name = together(&[name.to_bytes()]);
    Error::new(DOING, name, Why::Text(why), hint, status::FAILED)
}

/// Beside the folders, the name of the image that they belong to.
const IMAGE: &str = "image-";
const NAME_BYTES_MAX: usize = 128;

/// What stands for all layers of an image.
fn chain(layers: &[Digest]) -> &'static CStr {
    let mut all = Vec::new();
    for layer in layers {
        all.extend_from_slice(&layer.0);
    }
    let mut name = Text::new();
    name.push(IMAGE).push_raw(Digest::of(&all).hex().as_bytes());
    name.into_c_str()
}

/// Makes the folders of an overlay over layers of which the topmost is in `top`.
///
/// # Errors
///
/// mkdir(2), chown(2).
pub fn make_upper(entry: BorrowedFd<'_>, top: &CStr) -> Result<(), Error<'static>> {
    said(make_folders(entry, top), &KEEP, c"upper")
}

fn make_folders(entry: BorrowedFd<'_>, top: &CStr) -> Result<(), Errno> {
    remove_tree(entry, c"upper")?;
    remove_tree(entry, c"work")?;
    make_folder(entry, c"work")?;
    let upper = make_and_open(entry, c"upper")?;
    // The root of an overlay has the attributes of its upper layer.
    let found = statat(CWD, top, AtFlags::empty())?;
    let (user, group) = (Uid::from_raw(found.st_uid), Gid::from_raw(found.st_gid));
    fchown(upper.as_fd(), Some(user), Some(group))?;
    fchmod(upper.as_fd(), Mode::from_raw_mode(found.st_mode))
}

fn has_image(entry: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mut is_there = false;
    list(entry, &mut |name| {
        is_there |= name.to_bytes().starts_with(IMAGE.as_bytes());
        Ok(())
    })?;
    Ok(is_there)
}
