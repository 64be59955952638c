//! What a container sees of the host: volumes and devices.

use super::filesystem::as_flags;
use super::inside::{self, MountPoint};
use super::mounts::{
    ATTACH, Access, DescriptorPath, MAKE_POINT, attach, clone_tree, mount_point_for, remount_with,
    same_kind,
};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::sys::mounts::{Change, Reach, change};
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountPropagationFlags, mount_bind, mount_bind_recursive};

/// A file or directory of the host, and how it is seen.
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Volume<'a> {
    /// On the host; relative to the caller's working directory.
    pub source: &'a CStr,
    /// Whether it can be written to.
    pub access: Access,
    /// What else the mount allows.
    pub attributes: MountAttrFlags,
    /// Whether its devices are wanted, where devices are forbidden otherwise.
    pub allows_devices: bool,
    /// Whether the mounts below it are seen, too.
    pub with_mounts_below: bool,
    /// Whether mounts that the host makes below it show in the container, and perhaps the other way
    /// round; None is neither.
    pub propagation: Option<MountPropagationFlags>,
    /// Whether its files belong to the container's ids of the same number.
    pub id_mapped: bool,
    /// Whether its files are given to the container's user.
    pub chowned: bool,
}

impl<'a> Volume<'a> {
    /// All of it, as it is on the host.
    #[must_use]
    pub const fn of(source: &'a CStr) -> Self {
        Self {
            source,
            access: Access::ReadWrite,
            attributes: MountAttrFlags::empty(),
            allows_devices: false,
            with_mounts_below: true,
            propagation: None,
            id_mapped: false,
            chowned: false,
        }
    }

    /// How the copy of the source's mounts is changed before it is seen.
    fn change(&self) -> Change<'static> {
        let set = match self.access {
            Access::ReadOnly => self.attributes | MountAttrFlags::MOUNT_ATTR_RDONLY,
            Access::ReadWrite => self.attributes,
        };
        let propagation = self.propagation.unwrap_or(MountPropagationFlags::empty());
        Change { set, propagation, ..Change::NONE }
    }

    fn reach(&self) -> Reach {
        if self.with_mounts_below { Reach::Tree } else { Reach::Mount }
    }
}

static OPEN_SOURCE: Operation = Operation {
    words: rare!("open the volume's source"),
    on: Object::Source,
    cures: &[(Errno::NOENT, Cure::Words(rare!("the part before the colon is a path on the host")))],
};
pub(super) static TAKE: Operation = Operation {
    words: rare!("take the mounts of the volume"),
    on: Object::Source,
    cures: &[
        (Errno::NOSYS, Cure::Words(rare!("this option of a volume takes Linux 5.12 or newer"))),
        (
            Errno::INVAL,
            Cure::Words(rare!(
                "this file system, or this kernel, does not do that (idmap: Linux 5.12)"
            )),
        ),
        (Errno::PERM, Cure::Words(rare!("this takes root privilege on the host"))),
    ],
};
static NO_DEVICE: Operation = Operation {
    words: rare!("use as a device"),
    on: Object::Source,
    cures: &[(Errno::NODEV, Cure::Words(rare!("it is neither a character nor a block device")))],
};

/// Opens the source of a volume on the host.
///
/// # Errors
///
/// open(2).
pub fn open_source(source: &CStr) -> Result<OwnedFd, Fault> {
    openat(CWD, source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).doing(&OPEN_SOURCE)
}

/// Takes a copy of the mounts of a volume that is attached later, by [`attach_taken`]: before mounts
/// are made private, for one that shares mounts with the host; or with the host's privilege, for one
/// with mapped ids.
///
/// # Errors
///
/// Those of open(2), `open_tree(2)` and `mount_setattr(2)`.
pub fn take(volume: &Volume<'_>, id_map: Option<BorrowedFd<'_>>) -> Result<OwnedFd, Fault> {
    let source = open_source(volume.source)?;
    let wanted = Change { id_map, ..volume.change() };
    let taken = clone_tree(source.as_fd(), volume.reach()).and_then(|tree| {
        if !wanted.is_none() {
            change(tree.as_fd(), Reach::Tree, wanted)?;
        }
        Ok(tree)
    });
    taken.doing(&TAKE)
}

/// Mounts what [`take`] took on `target` in `root`.
///
/// # Errors
///
/// Those of [`inside::open_or_make`] on the target, and of mounting.
pub fn attach_taken(root: BorrowedFd<'_>, taken: &OwnedFd, target: &CStr) -> Result<(), Fault> {
    let onto =
        inside::open_or_make(root, target, mount_point_for(taken.as_fd())).doing(&MAKE_POINT)?;
    with_kinds(attach(taken, &onto), taken, &onto).doing(&ATTACH)
}

/// Mounts the volume on `target` in `root`.
///
/// # Errors
///
/// Those of open(2) on the source, of [`inside::open_or_make`] on the target, and of mounting.
pub fn mount_volume(root: BorrowedFd<'_>, volume: &Volume<'_>, target: &CStr) -> Result<(), Fault> {
    let from = open_source(volume.source)?;
    let onto =
        inside::open_or_make(root, target, mount_point_for(from.as_fd())).doing(&MAKE_POINT)?;
    match bind(&from, &onto, volume) {
        Err(Errno::NOSYS) => bind_by_path(root, &from, &onto, target, volume),
        answer => with_kinds(answer, &from, &onto),
    }
    .doing(&ATTACH)
}

/// Shows a file of the host, read-only, at the same place in `root`, if the root has none there but
/// a place for it, and the host has one.
///
/// # Errors
///
/// As for [`mount_volume`].
pub fn mount_if_missing(root: BorrowedFd<'_>, path: &CStr) -> Result<(), Fault> {
    if inside::open(root, path).is_ok() || open_source(path).is_err() {
        return Ok(());
    }
    match mount_volume(root, &Volume { access: Access::ReadOnly, ..Volume::of(path) }, path) {
        // There is no place for it, and nobody asked for it by name.
        Err(Fault { errno: Errno::ROFS | Errno::ACCESS | Errno::NOTDIR, .. }) => Ok(()),
        answer => answer,
    }
}

/// Mounts a device of the host on `target` in `root`.
///
/// # Errors
///
/// As for [`mount_volume`]; `ENODEV` for what is no device.
pub fn mount_device(root: BorrowedFd<'_>, source: &CStr, target: &CStr) -> Result<(), Fault> {
    let from = open_source(source)?;
    let kind =
        fstat(from.as_fd()).doing(&NO_DEVICE).map(|status| FileType::from_raw_mode(status.st_mode));
    if !matches!(kind?, FileType::CharacterDevice | FileType::BlockDevice) {
        return Err(Errno::NODEV).doing(&NO_DEVICE);
    }
    let onto = inside::open_or_make(root, target, MountPoint::File).doing(&MAKE_POINT)?;
    let volume = Volume { with_mounts_below: false, ..Volume::of(source) };
    match bind(&from, &onto, &volume) {
        Err(Errno::NOSYS) => bind_by_path(root, &from, &onto, target, &volume),
        answer => answer,
    }
    .doing(&ATTACH)
}

/// What mount(2) calls ENOTDIR, `move_mount(2)` calls EINVAL, like much else.
pub(super) fn with_kinds(
    answer: Result<(), Errno>,
    from: &OwnedFd,
    onto: &OwnedFd,
) -> Result<(), Errno> {
    match answer {
        Err(Errno::INVAL) if !same_kind(from.as_fd(), onto.as_fd()) => Err(Errno::NOTDIR),
        answer => answer,
    }
}

fn bind(from: &OwnedFd, onto: &OwnedFd, volume: &Volume<'_>) -> Result<(), Errno> {
    let tree = clone_tree(from.as_fd(), volume.reach())?;
    let wanted = volume.change();
    if !wanted.is_none() {
        change(tree.as_fd(), Reach::Tree, wanted)?;
    }
    attach(&tree, onto)
}

/// The way of older kernels. Without `mount_setattr(2)` only one mount can be changed, so a volume
/// with attributes comes without the mounts below it, which would not have them.
fn bind_by_path(
    root: BorrowedFd<'_>,
    from: &OwnedFd,
    onto: &OwnedFd,
    target: &CStr,
    volume: &Volume<'_>,
) -> Result<(), Errno> {
    let (source, place) = (DescriptorPath::of(from.as_fd()), DescriptorPath::of(onto.as_fd()));
    let attributes = volume.change().set;
    if volume.with_mounts_below && attributes.is_empty() {
        return mount_bind_recursive(source.as_c_str()?, place.as_c_str()?);
    }
    mount_bind(source.as_c_str()?, place.as_c_str()?)?;
    if attributes.is_empty() {
        return Ok(());
    }
    // `onto` is what the mount covers; the name leads to the mount itself now.
    remount_with(inside::open(root, target)?.as_fd(), as_flags(attributes))
}
