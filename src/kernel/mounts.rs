//! Mounts: propagation, volumes and tmpfs, by descriptor where the kernel can (`open_tree(2)`,
//! `move_mount(2)`, `fsopen(2)`: Linux 5.2; `mount_setattr(2)`: 5.12), by mount(2) on the paths of
//! descriptors in /proc where it cannot.

use super::inside::{self, MountPoint};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::mounts::{Reach, set_read_only};
use core::ffi::CStr;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, StatVfsMountFlags, fstat, fstatvfs, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount, mount_bind,
    mount_bind_recursive, mount_change, mount_remount, move_mount, open_tree,
};

/// Whether what is mounted can be changed through the mount.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Access {
    /// As the file system itself allows.
    ReadWrite,
    /// Not at all, also in the mounts below.
    ReadOnly,
}

static MAKE_PRIVATE: Operation = Operation {
    words: "make the mounts private",
    on: Object::None,
    cures: &[
        (
            Errno::INVAL,
            Cure::Words(
                "the launcher runs in a chroot, where roots cannot be swapped: start it outside",
            ),
        ),
        (Errno::PERM, Cure::AllowUserNamespaces),
        (Errno::ACCESS, Cure::AllowUserNamespaces),
    ],
};
static OPEN_SOURCE: Operation = Operation {
    words: "open the volume's source",
    on: Object::Source,
    cures: &[(Errno::NOENT, Cure::Words("the part before the colon is a path on the host"))],
};
static MAKE_POINT: Operation = Operation {
    words: "open or make the mount point",
    on: Object::Target,
    cures: &[
        (
            Errno::ROFS,
            Cure::Words("the file system is read-only, so the mount point has to be there already"),
        ),
        (
            Errno::ACCESS,
            Cure::Words("the caller may not make it there, so it has to be there already"),
        ),
        (Errno::NOTDIR, Cure::Words("something on the way to it is not a directory")),
    ],
};
static ATTACH: Operation = Operation {
    words: "mount on",
    on: Object::Target,
    cures: &[
        (Errno::NOTDIR, Cure::Words("a directory goes on a directory, and a file on a file")),
        (
            Errno::INVAL,
            Cure::Words(
                "without privilege, a folder is shown with all the mounts below it or not at all",
            ),
        ),
    ],
};

/// Keeps mounts made from here on from showing outside, and those made outside from showing here;
/// `mount_namespaces(7)`, "Shared subtrees".
///
/// # Errors
///
/// mount(2): `EINVAL` when `/` is not a mount, as in a chroot.
pub fn make_private() -> Result<(), Fault> {
    mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .doing(&MAKE_PRIVATE)
}

/// Mounts the file or directory `source` of the host on `target` in `root`, with the mounts below.
///
/// # Errors
///
/// Those of open(2) on the source, of [`inside::open_or_make`] on the target, and of mounting.
pub fn volume(
    root: BorrowedFd<'_>,
    source: &CStr,
    target: &CStr,
    access: Access,
) -> Result<(), Fault> {
    let from =
        openat(CWD, source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).doing(&OPEN_SOURCE)?;
    let onto = inside::open_or_make(root, target, mount_point_for(&from)).doing(&MAKE_POINT)?;
    match bind(&from, &onto, access) {
        Err(Errno::NOSYS) => bind_by_path(root, &from, &onto, target, access),
        // What mount(2) calls ENOTDIR, move_mount(2) calls EINVAL, like much else.
        Err(Errno::INVAL) if !same_kind(&from, &onto) => Err(Errno::NOTDIR),
        answer => answer,
    }
    .doing(&ATTACH)
}

fn same_kind(from: &OwnedFd, onto: &OwnedFd) -> bool {
    mount_point_for(from) == mount_point_for(onto)
}

fn mount_point_for(source: &OwnedFd) -> MountPoint {
    match fstat(source).map(|status| FileType::from_raw_mode(status.st_mode)) {
        Ok(FileType::Directory) => MountPoint::Directory,
        _ => MountPoint::File,
    }
}

fn bind(from: &OwnedFd, onto: &OwnedFd, access: Access) -> Result<(), Errno> {
    let tree = clone_tree(from)?;
    if access == Access::ReadOnly {
        set_read_only(tree.as_fd(), Reach::Tree)?;
    }
    attach(&tree, onto)
}

/// A copy of the mounts at and below `place`, not yet attached anywhere.
pub(super) fn clone_tree(place: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(place, c"", flags)
}

/// Attaches a mount that has no place yet.
pub(super) fn attach(mount: &OwnedFd, onto: &OwnedFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, c"", onto, c"", flags)
}

/// The way of older kernels. Without `mount_setattr(2)` only one mount can be made read-only, so a
/// read-only volume comes without the mounts below it, which would stay writable.
fn bind_by_path(
    root: BorrowedFd<'_>,
    from: &OwnedFd,
    onto: &OwnedFd,
    target: &CStr,
    access: Access,
) -> Result<(), Errno> {
    let (source, place) = (DescriptorPath::of(from), DescriptorPath::of(onto));
    match access {
        Access::ReadWrite => mount_bind_recursive(source.as_c_str()?, place.as_c_str()?),
        Access::ReadOnly => {
            mount_bind(source.as_c_str()?, place.as_c_str()?)?;
            // `onto` is what the mount covers; the name leads to the mount itself now.
            remount_read_only(&inside::open(root, target)?)
        }
    }
}

/// Makes one mount read-only by mount(2), which sets all flags of the mount at once.
pub(super) fn remount_read_only(mount: &OwnedFd) -> Result<(), Errno> {
    const KEPT: [(StatVfsMountFlags, MountFlags); 6] = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let present = fstatvfs(mount)?.f_flag;
    let kept = KEPT.iter().filter(|(present_flag, _)| present.contains(*present_flag));
    let flags = kept.fold(MountFlags::BIND | MountFlags::RDONLY, |flags, (_, flag)| flags | *flag);
    mount_remount(DescriptorPath::of(mount).as_c_str()?, flags, c"")
}

/// Mounts an empty file system in memory on `target` in `root`: for anyone to write, and with no
/// devices, setuid programs or programs at all in it, as Docker and Podman do; tmpfs(5).
///
/// # Errors
///
/// Those of [`inside::open_or_make`] on the target, and of mounting.
pub fn tmpfs(root: BorrowedFd<'_>, target: &CStr) -> Result<(), Fault> {
    let onto = inside::open_or_make(root, target, MountPoint::Directory).doing(&MAKE_POINT)?;
    match new_tmpfs().and_then(|mount| attach(&mount, &onto)) {
        Err(Errno::NOSYS) => mount_tmpfs_by_path(&onto),
        answer => answer,
    }
    .doing(&ATTACH)
}

const TMPFS: &CStr = c"tmpfs";

fn new_tmpfs() -> Result<OwnedFd, Errno> {
    let settings = fsopen(TMPFS, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&settings, c"mode", c"1777")?;
    fsconfig_create(&settings)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&settings, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

fn mount_tmpfs_by_path(onto: &OwnedFd) -> Result<(), Errno> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(TMPFS, DescriptorPath::of(onto).as_c_str()?, TMPFS, flags, c"mode=1777")
}

/// The name of an open file in /proc, for calls that take only names; proc(5), `/proc/pid/fd`.
struct DescriptorPath([u8; 32]);

impl DescriptorPath {
    fn of(file: &OwnedFd) -> Self {
        let number = file.as_raw_fd().unsigned_abs();
        let mut path = [0; 32];
        let mut places = path.iter_mut();
        let mut put = |byte| {
            if let Some(place) = places.next() {
                *place = byte;
            }
        };
        b"/proc/self/fd/".iter().for_each(|byte| put(*byte));
        let mut divisor = 1;
        while number / divisor >= 10 {
            divisor *= 10;
        }
        while divisor > 0 {
            put(b'0' + (number / divisor % 10) as u8);
            divisor /= 10;
        }
        Self(path)
    }

    fn as_c_str(&self) -> Result<&CStr, Errno> {
        CStr::from_bytes_until_nul(&self.0).map_err(|_| Errno::INVAL)
    }
}
