//! Attributes of a mount, or of a whole tree of mounts; `mount_setattr(2)`, Linux 5.12.
#![allow(unsafe_code)]

use super::{architecture, checked};
use core::ptr::from_ref;
use linux_raw_sys::general::{
    __NR_mount_setattr, AT_EMPTY_PATH, AT_RECURSIVE, MOUNT_ATTR_RDONLY, mount_attr,
};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;

/// How far a change of attributes goes.
#[derive(Clone, Copy)]
pub enum Reach {
    /// This mount alone.
    Mount,
    /// This mount and all below it.
    Tree,
}

/// Makes the mount read-only.
///
/// # Errors
///
/// `mount_setattr(2)`: `ENOSYS` before Linux 5.12, `EPERM`, `EBUSY` when a file is open for
/// writing.
pub fn set_read_only(mount: BorrowedFd<'_>, reach: Reach) -> Result<(), Errno> {
    change(mount, reach, MOUNT_ATTR_RDONLY, 0)
}

/// Makes the mount writable again.
///
/// # Errors
///
/// As for [`set_read_only`]; `EPERM` where a more privileged user made it read-only.
pub fn clear_read_only(mount: BorrowedFd<'_>, reach: Reach) -> Result<(), Errno> {
    change(mount, reach, 0, MOUNT_ATTR_RDONLY)
}

fn change(mount: BorrowedFd<'_>, reach: Reach, set: u32, clear: u32) -> Result<(), Errno> {
    let attributes =
        mount_attr { attr_set: set.into(), attr_clr: clear.into(), propagation: 0, userns_fd: 0 };
    let flags = match reach {
        Reach::Mount => AT_EMPTY_PATH,
        Reach::Tree => AT_EMPTY_PATH | AT_RECURSIVE,
    };
    let arguments = [
        mount.as_raw_fd() as usize,
        c"".as_ptr().expose_provenance(),
        flags as usize,
        from_ref(&attributes).expose_provenance(),
        size_of::<mount_attr>(),
    ];
    // SAFETY: an open descriptor, an empty string, and a structure of the size named.
    checked(unsafe { architecture::syscall(__NR_mount_setattr, arguments) })?;
    Ok(())
}
