//! What all mounts have in common: propagation, a tree of mounts as a descriptor, and attaching it;
//! by descriptor where the kernel can (`open_tree(2)`, `move_mount(2)`: Linux 5.2), by mount(2) on
//! the paths of descriptors in /proc where it cannot.

use super::inside::MountPoint;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::sys::mounts::{Change, Reach, change};
use core::ffi::CStr;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, StatVfsMountFlags, fstat, fstatvfs, openat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount_bind, mount_change,
    mount_remount, move_mount, open_tree,
};

/// Whether what is mounted can be changed through the mount.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Access {
    /// As the file system itself allows.
    #[default]
    ReadWrite,
    /// Not at all, also in the mounts below.
    ReadOnly,
}

static MAKE_PRIVATE: Operation = Operation {
    words: rare!("make the mounts private"),
    on: Object::None,
    cures: &[
        (
            Errno::INVAL,
            Cure::Words(rare!(
                "the launcher runs in a chroot, where roots cannot be swapped: start it outside"
            )),
        ),
        (Errno::PERM, Cure::AllowUserNamespaces),
        (Errno::ACCESS, Cure::AllowUserNamespaces),
    ],
};
pub(super) static MAKE_POINT: Operation = Operation {
    words: rare!("open or make the mount point"),
    on: Object::Target,
    cures: &[
        (
            Errno::ROFS,
            Cure::Words(rare!(
                "the file system is read-only, so the mount point has to be there already"
            )),
        ),
        (
            Errno::ACCESS,
            Cure::Words(rare!("the caller may not make it there, so it has to be there already")),
        ),
        (Errno::NOTDIR, Cure::Words(rare!("something on the way to it is not a directory"))),
    ],
};
pub(super) static ATTACH: Operation = Operation {
    words: rare!("mount on"),
    on: Object::Target,
    cures: &[
        (
            Errno::NOTDIR,
            Cure::Words(rare!("a directory goes on a directory, and a file on a file")),
        ),
        (
            Errno::PERM,
            Cure::Words(rare!(
                "in a user namespace, what the host forbids on a mount stays forbidden"
            )),
        ),
        (
            Errno::INVAL,
            Cure::Words(rare!(
                "without privilege, a folder is shown with all the mounts below it or not at all"
            )),
        ),
    ],
};

/// Keeps mounts made from here on from showing outside; and, unless they are to be seen, those made
/// outside from showing here; `mount_namespaces(7)`, "Shared subtrees".
///
/// # Errors
///
/// mount(2): `EINVAL` when `/` is not a mount, as in a chroot.
pub fn make_private(sees_new_mounts: bool) -> Result<(), Fault> {
    let propagation = if sees_new_mounts {
        MountPropagationFlags::DOWNSTREAM
    } else {
        MountPropagationFlags::PRIVATE
    };
    mount_change(c"/", propagation | MountPropagationFlags::REC).doing(&MAKE_PRIVATE)
}

static PROPAGATE: Operation = Operation::new(rare!("set how mounts in the root are passed on"));

/// Sets how mounts in the root are passed on, once it is `/`.
///
/// # Errors
///
/// mount(2).
pub fn propagate_root(kind: MountPropagationFlags) -> Result<(), Fault> {
    mount_change(c"/", kind).doing(&PROPAGATE)
}

pub(super) fn same_kind(from: BorrowedFd<'_>, onto: BorrowedFd<'_>) -> bool {
    mount_point_for(from) == mount_point_for(onto)
}

pub(super) fn mount_point_for(source: BorrowedFd<'_>) -> MountPoint {
    match fstat(source).map(|status| FileType::from_raw_mode(status.st_mode)) {
        Ok(FileType::Directory) => MountPoint::Directory,
        _ => MountPoint::File,
    }
}

/// A copy of the mount at `place`, or of all at and below it, not yet attached anywhere.
pub(super) fn clone_tree(place: BorrowedFd<'_>, reach: Reach) -> Result<OwnedFd, Errno> {
    let recursive = match reach {
        Reach::Mount => OpenTreeFlags::empty(),
        Reach::Tree => OpenTreeFlags::AT_RECURSIVE,
    };
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    open_tree(place, c"", flags | recursive)
}

/// Attaches a mount that has no place yet.
pub(super) fn attach(mount: &OwnedFd, onto: &OwnedFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount.as_fd(), c"", onto.as_fd(), c"", flags)
}

/// Attaches it to a name in a folder that nobody else has.
pub(super) fn attach_at(mount: &OwnedFd, folder: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    move_mount(mount.as_fd(), c"", folder, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Makes one mount read-only by mount(2), which sets all flags of the mount at once.
pub(super) fn remount_read_only(mount: impl rustix::fd::AsFd) -> Result<(), Errno> {
    remount_with(mount.as_fd(), MountFlags::RDONLY)
}

/// Adds flags to those of one mount by mount(2).
pub(super) fn remount_with(mount: BorrowedFd<'_>, added: MountFlags) -> Result<(), Errno> {
    remount_changed(mount, added, MountFlags::empty())
}

/// Adds flags to those of one mount, and takes others away.
pub(super) fn remount_changed(
    mount: BorrowedFd<'_>,
    added: MountFlags,
    removed: MountFlags,
) -> Result<(), Errno> {
    remount_by_name(DescriptorPath::of(mount).as_c_str()?, mount, added, removed)
}

fn remount_by_name(
    name: &CStr,
    mount: BorrowedFd<'_>,
    added: MountFlags,
    removed: MountFlags,
) -> Result<(), Errno> {
    const KEPT: [(StatVfsMountFlags, MountFlags); 7] = [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let present = fstatvfs(mount)?.f_flag;
    let kept = KEPT.iter().filter(|(present_flag, _)| present.contains(*present_flag));
    let flags = kept.fold(MountFlags::empty(), |flags, (_, flag)| flags | *flag);
    let flags = MountFlags::BIND | flags.difference(removed) | added;
    mount_remount(name, flags, c"")
}

/// Makes the mount at `/` read-only, and none below it.
///
/// # Errors
///
/// open(2), `mount_setattr(2)`, mount(2): `EBUSY` when a file is open for writing.
pub fn protect_root() -> Result<(), Errno> {
    let root = openat(CWD, c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    match change(root.as_fd(), Reach::Mount, Change::READ_ONLY) {
        Err(Errno::NOSYS) => {
            remount_by_name(c"/", root.as_fd(), MountFlags::RDONLY, MountFlags::empty())
        }
        answer => answer,
    }
}

/// Shows one open file at the place of another.
pub(super) fn bind_one(from: &OwnedFd, onto: &OwnedFd) -> Result<(), Errno> {
    match clone_tree(from.as_fd(), Reach::Mount).and_then(|tree| attach(&tree, onto)) {
        Err(Errno::NOSYS) => bind_by_names(from, onto),
        answer => answer,
    }
}

/// The way of older kernels, by the names of open files in /proc.
pub(super) fn bind_by_names(from: &OwnedFd, onto: &OwnedFd) -> Result<(), Errno> {
    mount_bind(
        DescriptorPath::of(from.as_fd()).as_c_str()?,
        DescriptorPath::of(onto.as_fd()).as_c_str()?,
    )
}

/// Enough for what is named in /proc/self/fd.
const NAME_BYTES: usize = 64;

/// A short name that is put together without a heap; what does not fit makes it none.
pub(super) struct Name<const BYTES: usize = NAME_BYTES> {
    bytes: [u8; BYTES],
    length: usize,
}

impl<const BYTES: usize> Name<BYTES> {
    pub fn new() -> Self {
        Self { bytes: [0; BYTES], length: 0 }
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    pub fn push(&mut self, part: &[u8]) -> &mut Self {
        self.length = put(&mut self.bytes, self.length, part);
        self
    }

    pub fn push_number(&mut self, number: u32) -> &mut Self {
        let mut divisor = 1;
        while number / divisor >= 10 {
            divisor *= 10;
        }
        while divisor > 0 {
            self.push(&[b'0' + (number / divisor % 10) as u8]);
            divisor /= 10;
        }
        self
    }

    /// At most four digits, as of a mode.
    pub fn push_octal(&mut self, number: u32) -> &mut Self {
        for shift in [9, 6, 3, 0] {
            self.push(&[b'0' + (number >> shift & 7) as u8]);
        }
        self
    }

    pub fn as_c_str(&self) -> Result<&CStr, Errno> {
        whole(&self.bytes, self.length)
    }
}

/// The name of this length, unless it did not fit.
#[inline(never)]
fn whole(bytes: &[u8], length: usize) -> Result<&CStr, Errno> {
    let whole = bytes.get(..=length).ok_or(Errno::NAMETOOLONG)?;
    CStr::from_bytes_with_nul(whole).map_err(|_| Errno::INVAL)
}

/// Puts a part to its place, if there is one; where it ends.
#[inline(never)]
fn put(bytes: &mut [u8], start: usize, part: &[u8]) -> usize {
    let end = start + part.len();
    if let Some(place) = bytes.get_mut(start..end) {
        place.copy_from_slice(part);
    }
    end
}

/// The name of an open file in /proc, for calls that take only names; proc(5), `/proc/pid/fd`.
pub(super) struct DescriptorPath(Name);

impl DescriptorPath {
    pub fn of(file: BorrowedFd<'_>) -> Self {
        let mut name = Name::new();
        name.push(b"/proc/self/fd/").push_number(file.as_raw_fd().unsigned_abs());
        Self(name)
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    pub fn as_c_str(&self) -> Result<&CStr, Errno> {
        self.0.as_c_str()
    }
}
