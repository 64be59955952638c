//! Extended attributes; xattr(7). Those that drive an overlay would do so with the overlay that the
//! layers are put into, so they get a name there that the kernel shows as theirs (Linux 6.7).

use super::Form;
use super::failure::Failure;
use super::folders::c_str;
use crate::text::{Text, parts};
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::fs::{XattrFlags, flistxattr, fremovexattr, fsetxattr, lsetxattr};
use rustix::io::Errno;

const OF_ROOT: &[u8] = b"trusted.overlay.";
const OF_USER: &[u8] = b"user.overlay.";
const OPAQUE_OF_ROOT: &CStr = c"trusted.overlay.opaque";
const OPAQUE_OF_USER: &CStr = c"user.overlay.opaque";
/// The names of all attributes of a file, at most.
const NAMES_BYTES_MAX: usize = 64 * 1024;
/// The machine's own.
const LABEL: &[u8] = b"security.selinux";

/// What is given attributes.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// An open file.
    File(BorrowedFd<'a>),
    /// A name in a directory, of what is not opened: a link, a device.
    Name(BorrowedFd<'a>, &'a CStr),
}

/// Removes those attributes of a directory that its entry does not have.
///
/// # Errors
///
/// listxattr(2), removexattr(2).
pub fn clear(folder: BorrowedFd<'_>, kept: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Errno> {
    let mut names = vec![0; NAMES_BYTES_MAX];
    let length = match flistxattr(folder, &mut names[..]) {
        Err(Errno::OPNOTSUPP) => 0,
        answer => answer?,
    };
    for name in parts(names.get(..length).unwrap_or_default(), 0) {
        let is_kept = kept.iter().any(|(there, _)| there == name);
        let is_own = [OF_ROOT, OF_USER, b"security.selinux", b"system."];
        if name.is_empty() || is_kept || is_own.iter().any(|own| name.starts_with(own)) {
            continue;
        }
        let mut name = name.to_vec();
        name.push(0);
        match fremovexattr(folder, c_str(&name)) {
            Err(Errno::PERM | Errno::NODATA | Errno::OPNOTSUPP) => {}
            answer => answer?,
        }
    }
    Ok(())
}

/// Sets attributes; returns how many were left out, since the file system or the caller may not have
/// them.
///
/// # Errors
///
/// setxattr(2), or one has no name.
pub fn set(
    target: Target<'_>,
    attributes: &[(Vec<u8>, Vec<u8>)],
    form: Form,
) -> Result<u64, Failure> {
    let mut left_out = 0;
    for (name, value) in attributes {
        if name.is_empty() || name.contains(&0) {
            return Err(Failure::Archive(rare!("one of its extended attributes has no name")));
        }
        let Some(name) = own_name(name, form) else { continue };
        match set_one(target, c_str(&name), value) {
            Err(Errno::OPNOTSUPP | Errno::PERM) => left_out += 1,
            answer => answer?,
        }
    }
    Ok(left_out)
}

/// What it is called there, with a NUL; None if it is left out.
fn own_name(name: &[u8], form: Form) -> Option<Vec<u8>> {
    let drives = match form {
        Form::Overlay { privileged: true } => OF_ROOT,
        Form::Overlay { privileged: false } => OF_USER,
        Form::Tree if name.starts_with(OF_ROOT) || name.starts_with(OF_USER) => return None,
        Form::Tree => b"\0",
    };
    if name == LABEL {
        return None;
    }
    let mut own = Vec::new();
    if let Some(rest) = name.strip_prefix(drives) {
        own.extend_from_slice(drives);
        own.extend_from_slice(b"overlay.");
        own.extend_from_slice(rest);
    } else {
        own.extend_from_slice(name);
    }
    own.push(0);
    Some(own)
}

fn set_one(target: Target<'_>, name: &CStr, value: &[u8]) -> Result<(), Errno> {
    match target {
        Target::File(file) => fsetxattr(file, name, value, XattrFlags::empty()),
        Target::Name(folder, place) => {
            let mut path = Text::new();
            path.push("/proc/self/fd/").push_number(u64::from(folder.as_raw_fd().unsigned_abs()));
            path.push("/").push_raw(place.to_bytes_with_nul());
            match lsetxattr(c_str(path.as_bytes()), name, value, XattrFlags::empty()) {
                // Without /proc there is no way.
                Err(Errno::NOENT) => Err(Errno::OPNOTSUPP),
                answer => answer,
            }
        }
    }
}

/// Says that nothing of lower layers is seen in a directory.
///
/// # Errors
///
/// setxattr(2).
pub fn set_opaque(folder: impl AsFd, privileged: bool) -> Result<(), Errno> {
    let name = if privileged { OPAQUE_OF_ROOT } else { OPAQUE_OF_USER };
    fsetxattr(folder, name, b"y", XattrFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_overlays_drive_none() {
        let (root, user) =
            (Form::Overlay { privileged: true }, Form::Overlay { privileged: false });
        let name = |name: &str, form| {
            own_name(name.as_bytes(), form).map(|name| String::from_utf8(name).unwrap())
        };
        let opaque = "trusted.overlay.opaque";
        assert_eq!(name(opaque, root).as_deref(), Some("trusted.overlay.overlay.opaque\0"));
        assert_eq!(name(opaque, user).as_deref(), Some("trusted.overlay.opaque\0"));
        assert_eq!(name(opaque, Form::Tree), None);
        let opaque = "user.overlay.opaque";
        assert_eq!(name(opaque, user).as_deref(), Some("user.overlay.overlay.opaque\0"));
        assert_eq!(name("user.a", user).as_deref(), Some("user.a\0"));
        assert_eq!(name("security.selinux", Form::Tree), None);
    }
}
