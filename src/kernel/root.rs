//! The root directory: made a mount of its own, and then made `/`, with the old one gone.

use super::filesystem::as_flags;
use super::mounts::{Access, attach, clone_tree, remount_read_only, remount_with};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::sys::mounts::{Change, Reach, change};
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags, fstatvfs, openat};
use rustix::io::Errno;
use rustix::mount::{
    MountAttrFlags, UnmountFlags, mount_bind, mount_bind_recursive, mount_move, unmount,
};
use rustix::process::{chdir, chroot, fchdir, pivot_root};

pub(super) static OPEN: Operation = Operation {
    words: rare!("open the root directory"),
    on: Object::Target,
    cures: &[
        (
            Errno::NOENT,
            Cure::Words(rare!(
                "make it and put the program into it, or name another with --rootfs DIR"
            )),
        ),
        (Errno::NOTDIR, Cure::Words(rare!("the root has to be a directory"))),
        (
            Errno::ACCESS,
            Cure::Words(rare!(
                "the caller has to be allowed to search every folder on the way to it"
            )),
        ),
    ],
};
static PREPARE: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("make a mount of the root directory")) };
static PROTECT: Operation = Operation::new(rare!("make the root read-only"));
static ENTER: Operation = Operation::new(rare!("go into the root directory"));
static PIVOT: Operation = Operation::new(rare!("make it the root (pivot_root)"));
static MOVE: Operation = Operation::new(rare!("make it the root (mount over the initramfs)"));
static CHROOT: Operation = Operation::new(rare!("make it the root (chroot)"));
static DETACH: Operation = Operation::new(rare!("detach the old root"));

/// Makes `directory` a mount of its own on its own place, which `pivot_root(2)` asks for, and opens
/// it. For a read-only root the mounts below it are made read-only here, and the topmost one by
/// [`protect`], when the mount points in it have been made.
///
/// # Errors
///
/// Those of open(2) on the directory, and of mounting.
pub fn prepare(
    directory: &CStr,
    access: Access,
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Fault> {
    let place = open_directory(directory).doing(&OPEN)?;
    match clone_onto_itself(&place, access, attributes) {
        Err(Errno::NOSYS) => {
            bind_by_path(directory, access, attributes).doing(&PREPARE)?;
            open_directory(directory).doing(&OPEN)
        }
        answer => answer.doing(&PREPARE),
    }
}

pub(super) fn open_directory(directory: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, directory, flags, Mode::empty())
}

fn clone_onto_itself(
    place: &OwnedFd,
    access: Access,
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Errno> {
    let tree = clone_tree(place.as_fd(), Reach::Tree)?;
    if access == Access::ReadOnly {
        let writable = !fstatvfs(tree.as_fd())?.f_flag.contains(StatVfsMountFlags::RDONLY);
        let set = attributes | MountAttrFlags::MOUNT_ATTR_RDONLY;
        change(tree.as_fd(), Reach::Tree, Change { set, ..Change::NONE })?;
        if writable {
            change(tree.as_fd(), Reach::Mount, Change::WRITABLE)?;
        }
    } else if !attributes.is_empty() {
        change(tree.as_fd(), Reach::Tree, Change { set: attributes, ..Change::NONE })?;
    }
    attach(&tree, place)?;
    Ok(tree)
}

/// The way of older kernels, where only one mount can be changed: a root that is read-only or has
/// attributes comes without the mounts below it, since those would stay as they are.
fn bind_by_path(directory: &CStr, access: Access, attributes: MountAttrFlags) -> Result<(), Errno> {
    if access == Access::ReadWrite && attributes.is_empty() {
        return mount_bind_recursive(directory, directory);
    }
    mount_bind(directory, directory)?;
    if attributes.is_empty() {
        return Ok(());
    }
    remount_with(open_directory(directory)?.as_fd(), as_flags(attributes))
}

/// Makes the topmost mount of the root read-only.
///
/// # Errors
///
/// `mount_setattr(2)`, or mount(2) before Linux 5.12.
pub fn protect(root: BorrowedFd<'_>) -> Result<(), Fault> {
    match change(root, Reach::Mount, Change::READ_ONLY) {
        Err(Errno::NOSYS) => remount_read_only(root),
        answer => answer,
    }
    .doing(&PROTECT)
}

/// Makes the mount `/` and the working directory, and lets go of everything that was mounted
/// before. After this no name leads to the host.
///
/// # Errors
///
/// `pivot_root(2)`, umount(2); on a host that runs from an initramfs mount(2) and chroot(2).
pub fn enter(root: OwnedFd) -> Result<(), Fault> {
    fchdir(root.as_fd()).doing(&ENTER)?;
    drop(root);
    match pivot_root(c".", c".") {
        // The old root now lies on top of the new one, at the same place.
        Ok(()) => unmount(c".", UnmountFlags::DETACH).doing(&DETACH)?,
        Err(Errno::INVAL) => move_over_initramfs()?,
        Err(errno) => Err(errno).doing(&PIVOT)?,
    }
    chdir(c"/").doing(&ENTER)
}

/// The initramfs is the first mount of all, and the kernel never replaces it: `pivot_root(2)`,
/// `EINVAL`. Covering it is as good, and what booting from one ends with: nothing lies above `/`,
/// so even a second chroot(2) and its `..` stay in the mount that covers it.
///
/// This is the only cause left for `EINVAL`. That `/` is a mount, and not the directory of a
/// chroot that one could climb out of, is known since [`super::mounts::make_private`] succeeded.
fn move_over_initramfs() -> Result<(), Fault> {
    match mount_move(c".", c"/") {
        // A root in memory was mounted there.
        Err(Errno::LOOP) => {}
        answer => answer.doing(&MOVE)?,
    }
    chroot(c".").doing(&CHROOT)
}
