//! Extended attributes of unpacked files: which are set, under which names, and how; xattr(7).

use super::Form;
use super::entry::Entry;
use crate::text::Text;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{XattrFlags, fsetxattr, lsetxattr};
use rustix::io::Errno;

const TRUSTED: &[u8] = b"trusted.overlay.";
const USER: &[u8] = b"user.overlay.";

/// The name under which an attribute of an image is set. Those that would tell an overlay what to do
/// get another one in a layer of an overlay, which it shows as the one that is meant (Linux 6.7), and
/// in a tree those of root's are left out.
fn name_for(name: &[u8], form: Form) -> Option<Vec<u8>> {
    let escaped = |prefix: &[u8]| {
        let rest = name.strip_prefix(prefix)?;
        Some([prefix, b"overlay.", rest].concat())
    };
    match form {
        Form::Tree if name.starts_with(TRUSTED) => None,
        Form::Tree => Some(name.to_vec()),
        Form::Overlay { .. } => {
            escaped(TRUSTED).or_else(|| escaped(USER)).or_else(|| Some(name.to_vec()))
        }
    }
}

/// Sets those of an entry on an open file; returns how many could not be had here.
///
/// # Errors
///
/// setxattr(2), but for those that say that this file system or this caller has none such.
pub fn set_on_file(entry: &Entry, file: &OwnedFd, form: Form) -> Result<u64, Errno> {
    set(entry, form, |name, value| fsetxattr(file, name, value, XattrFlags::empty()))
}

/// Sets those of an entry on what has this name in a folder, and is not followed.
///
/// # Errors
///
/// As for [`set_on_file`].
pub fn set_on_name(entry: &Entry, folder: &OwnedFd, name: &CStr, form: Form) -> Result<u64, Errno> {
    if entry.attributes.is_empty() {
        return Ok(0);
    }
    let path = path_of(folder, name);
    let path = CStr::from_bytes_until_nul(path.as_bytes()).map_err(|_| Errno::INVAL)?;
    set(entry, form, |name, value| lsetxattr(path, name, value, XattrFlags::empty()))
}

fn set(
    entry: &Entry,
    form: Form,
    mut set_one: impl FnMut(&CStr, &[u8]) -> Result<(), Errno>,
) -> Result<u64, Errno> {
    let mut left_out = 0;
    for (name, value) in &entry.attributes {
        let Some(mut name) = name_for(name, form) else {
            left_out += 1;
            continue;
        };
        name.push(0);
        let name = CStr::from_bytes_until_nul(&name).map_err(|_| Errno::INVAL)?;
        match set_one(name, value) {
            Err(Errno::NOTSUP | Errno::PERM) => left_out += 1,
            answer => answer?,
        }
    }
    Ok(left_out)
}

/// Marks a folder of a layer: what lower layers have in it is not seen. A layer that root has unpacked
/// may become part of an overlay of either kind.
///
/// # Errors
///
/// setxattr(2): `ENOTSUP`.
pub fn make_opaque(folder: &OwnedFd, privileged: bool) -> Result<(), Errno> {
    let path = path_of(folder, c".");
    let path = CStr::from_bytes_until_nul(path.as_bytes()).map_err(|_| Errno::INVAL)?;
    if privileged {
        lsetxattr(path, c"trusted.overlay.opaque", b"y", XattrFlags::empty())?;
    }
    lsetxattr(path, c"user.overlay.opaque", b"y", XattrFlags::empty())
}

/// A name for calls that take no descriptor of a folder.
fn path_of(folder: &OwnedFd, name: &CStr) -> Text {
    let mut path = Text::new();
    path.push("/proc/self/fd/").push_number(folder.as_fd().as_raw_fd().unsigned_abs().into());
    path.push("/").push_raw(name.to_bytes_with_nul());
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_cannot_speak_to_the_overlay() {
        let overlay = Form::Overlay { privileged: true };
        let name = |name: &str, form| {
            name_for(name.as_bytes(), form).map(|name| String::from_utf8(name).unwrap())
        };
        assert_eq!(name("user.a", overlay).as_deref(), Some("user.a"));
        for (theirs, ours) in [
            ("trusted.overlay.redirect", "trusted.overlay.overlay.redirect"),
            ("user.overlay.opaque", "user.overlay.overlay.opaque"),
            ("user.overlay.overlay.x", "user.overlay.overlay.overlay.x"),
        ] {
            assert_eq!(name(theirs, overlay).as_deref(), Some(ours));
        }
        assert_eq!(name("trusted.overlay.opaque", Form::Tree), None);
        assert_eq!(name("user.overlay.x", Form::Tree).as_deref(), Some("user.overlay.x"));
    }
}
