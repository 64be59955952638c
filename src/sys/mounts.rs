//! Attributes of a mount, or of a whole tree of mounts; `mount_setattr(2)`, Linux 5.12.
#![allow(unsafe_code)]

use super::{architecture, checked};
use core::ptr::from_ref;
use linux_raw_sys::general::{
    __NR_mount_setattr, AT_EMPTY_PATH, AT_RECURSIVE, MOUNT_ATTR_IDMAP, mount_attr,
};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountPropagationFlags};

/// How far a change of attributes goes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Reach {
    /// This mount alone.
    Mount,
    /// This mount and all below it.
    Tree,
}

/// A change of attributes.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// What holds from now on.
    pub set: MountAttrFlags,
    /// What does no longer.
    pub clear: MountAttrFlags,
    /// What is passed on to other copies of the mount, and taken from them; as it is if empty.
    pub propagation: MountPropagationFlags,
    /// The user namespace whose ids the files are seen with; `user_namespaces(7)`.
    pub id_map: Option<BorrowedFd<'a>>,
}

impl Change<'_> {
    /// Nothing.
    pub const NONE: Self = Self {
        set: MountAttrFlags::empty(),
        clear: MountAttrFlags::empty(),
        propagation: MountPropagationFlags::empty(),
        id_map: None,
    };
    /// To read-only.
    pub const READ_ONLY: Self = Self { set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..Self::NONE };
    /// From read-only.
    pub const WRITABLE: Self = Self { clear: MountAttrFlags::MOUNT_ATTR_RDONLY, ..Self::NONE };

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.set.is_empty()
            && self.clear.is_empty()
            && self.propagation.is_empty()
            && self.id_map.is_none()
    }
}

/// Changes the attributes of a mount.
///
/// # Errors
///
/// `mount_setattr(2)`: `ENOSYS` before Linux 5.12, `EPERM`, `EBUSY` when a file is open for
/// writing, `EINVAL` for a file system whose ids cannot be mapped.
pub fn change(mount: BorrowedFd<'_>, reach: Reach, change: Change<'_>) -> Result<(), Errno> {
    let id_mapped = if change.id_map.is_some() { MOUNT_ATTR_IDMAP } else { 0 };
    let attributes = mount_attr {
        attr_set: (change.set.bits() | id_mapped).into(),
        attr_clr: change.clear.bits().into(),
        propagation: change.propagation.bits().into(),
        userns_fd: change.id_map.map_or(0, |namespace| namespace.as_raw_fd() as u64),
    };
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
