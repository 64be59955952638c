//! Files of an image's /etc, read from its layers before they are a root.

use crate::container::{Layers, Upper};
use crate::kernel::inside;
use crate::sys::descriptors::AsFd;
use crate::text::Text;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, getxattr, openat};
use rustix::io::{read as read_piece, retry_on_intr};

/// More than any list of users.
const BYTES_MAX: usize = 4 << 20;

/// Reads `/etc/NAME` as a program in the root would see it; None if it is not there, or no file.
#[must_use]
pub fn read(layers: &Layers<'_>, name: &CStr) -> Option<&'static [u8]> {
    let mut path = Text::new();
    path.push("etc/").push_raw(name.to_bytes());
    let path = path.into_c_str();
    let mut folders = Vec::new();
    if let Upper::Kept(kept) = layers.upper {
        let mut upper = Text::new();
        upper.push_raw(kept.to_bytes()).push("/upper");
        folders.push(upper.into_c_str());
    }
    folders.extend_from_slice(&layers.lower);
    for folder in folders {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(layer) = openat(CWD, folder, flags, Mode::empty()) else { continue };
        match inside::open(layer.as_fd(), path) {
            Ok(found) => return content(found.as_fd()),
            Err(_) if hides_lower(layer.as_fd(), folder) => return None,
            Err(_) => {}
        }
    }
    None
}

/// What is in it, if it is a file; a device or a pipe is not opened.
fn content(found: BorrowedFd<'_>) -> Option<&'static [u8]> {
    if FileType::from_raw_mode(fstat(found).ok()?.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut path = Text::new();
    path.push("/proc/self/fd/").push_number(found.as_raw_fd().unsigned_abs().into());
    let path = path.into_c_str();
    let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut content = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match retry_on_intr(|| read_piece(file.as_fd(), &mut piece)).ok()? {
            0 => return Some(content.leak()),
            _ if content.len() > BYTES_MAX => return None,
            length => content.extend_from_slice(piece.get(..length)?),
        }
    }
}

/// Whether the layer replaces the /etc of those below it, or has removed it.
fn hides_lower(layer: BorrowedFd<'_>, folder: &CStr) -> bool {
    let Ok(etc) = inside::open(layer, c"etc") else { return false };
    let is_directory = fstat(etc.as_fd())
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory);
    let mut path = Text::new();
    path.push_raw(folder.to_bytes()).push("/etc");
    let path = path.into_c_str();
    let is_opaque = |name: &CStr| {
        let mut value = [0; 2];
        matches!(getxattr(path, name, &mut value[..]), Ok(1) if value[0] == b'y')
    };
    !is_directory || is_opaque(c"trusted.overlay.opaque") || is_opaque(c"user.overlay.opaque")
}
