//! Bind mounts as OCI configurations describe them: what the host has, shown in the container with
//! attributes of its own.

use super::entry::Entry;
use super::filesystem::as_flags;
use super::inside;
use super::mounts::{
    ATTACH, DescriptorPath, MAKE_POINT, attach, clone_tree, mount_point_for, remount_changed,
};
use super::volume::{TAKE, with_kinds};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::sys::mounts::{Reach, change};
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_bind, mount_bind_recursive, mount_change};

static OPEN_SOURCE: Operation =
    Operation { on: Object::Source, ..Operation::new(rare!("open the source of a mount")) };

static CHANGE: Operation = Operation {
    words: rare!("change the attributes of the mount at"),
    on: Object::Target,
    cures: &[(Errno::INVAL, Cure::Words(rare!("nothing is mounted there yet")))],
};

/// Takes a copy of the mounts that a bind mount shows, changed as it says, to be attached by
/// [`super::volume::attach_taken`]: before mounts are made private, for one that shares mounts with the
/// host; or with the host's privilege, for one with mapped ids.
///
/// # Errors
///
/// open(2), `open_tree(2)`, `mount_setattr(2)`.
pub fn take(entry: &Entry<'_>, id_map: Option<BorrowedFd<'_>>) -> Result<OwnedFd, Fault> {
    clone_changed(open_source(entry.source)?.as_fd(), entry, id_map).doing(&TAKE)
}

fn open_source(source: &CStr) -> Result<OwnedFd, Fault> {
    openat(CWD, source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).doing(&OPEN_SOURCE)
}

fn clone_changed(
    source: BorrowedFd<'_>,
    entry: &Entry<'_>,
    id_map: Option<BorrowedFd<'_>>,
) -> Result<OwnedFd, Errno> {
    let tree = clone_tree(source, entry.bind.unwrap_or(Reach::Mount))?;
    change_all(tree.as_fd(), entry, id_map).map(|()| tree)
}

fn change_all(
    tree: BorrowedFd<'_>,
    entry: &Entry<'_>,
    id_map: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    for reach in [Reach::Tree, Reach::Mount] {
        let wanted = entry.change(reach, id_map);
        if !wanted.is_none() {
            change(tree, reach, wanted)?;
        }
    }
    Ok(())
}

/// Changes what is mounted on `target` in `root` already.
///
/// # Errors
///
/// Those of [`inside::open`]; `mount_setattr(2)`, or mount(2) before Linux 5.12: `EINVAL` if nothing is mounted
/// there.
pub fn change_mounted(root: BorrowedFd<'_>, entry: &Entry<'_>, target: &CStr) -> Result<(), Fault> {
    let mounted = inside::open(root, target).doing(&CHANGE)?;
    match change_all(mounted.as_fd(), entry, None) {
        Err(Errno::NOSYS) => change_by_path(&mounted, entry),
        changed => changed,
    }
    .doing(&CHANGE)
}

/// Shows it on `target` in `root`.
///
/// # Errors
///
/// Those of open(2) on the source, of [`inside::open_or_make`] on the target, and of mounting.
pub(super) fn mount(
    root: BorrowedFd<'_>,
    entry: &Entry<'_>,
    reach: Reach,
    target: &CStr,
) -> Result<(), Fault> {
    let from = open_source(entry.source)?;
    let onto =
        inside::open_or_make(root, target, mount_point_for(from.as_fd())).doing(&MAKE_POINT)?;
    let bound = clone_changed(from.as_fd(), entry, None).and_then(|tree| attach(&tree, &onto));
    let bound = match bound {
        Err(Errno::NOSYS) => {
            bind_by_path(&from, &onto, entry, reach, || inside::open(root, target))
        }
        bound => with_kinds(bound, &from, &onto),
    };
    match bound {
        Err(Errno::NOSYS) => bound.doing(&TAKE),
        bound => bound.doing(&ATTACH),
    }
}

/// The way of older kernels, which change one mount at a time: `ENOSYS` when more is asked for.
fn bind_by_path(
    from: &OwnedFd,
    onto: &OwnedFd,
    entry: &Entry<'_>,
    reach: Reach,
    mounted: impl FnOnce() -> Result<OwnedFd, Errno>,
) -> Result<(), Errno> {
    if changes_below(entry) {
        return Err(Errno::NOSYS);
    }
    let (source, place) = (DescriptorPath::of(from.as_fd()), DescriptorPath::of(onto.as_fd()));
    match reach {
        Reach::Mount => mount_bind(source.as_c_str()?, place.as_c_str()?),
        Reach::Tree => mount_bind_recursive(source.as_c_str()?, place.as_c_str()?),
    }?;
    // `onto` is what the mount covers.
    change_by_path(&mounted()?, entry)
}

fn changes_below(entry: &Entry<'_>) -> bool {
    !entry.set_all.union(entry.clear_all).is_empty()
}

fn change_by_path(mounted: &OwnedFd, entry: &Entry<'_>) -> Result<(), Errno> {
    if changes_below(entry) {
        return Err(Errno::NOSYS);
    }
    if !entry.set.union(entry.clear).is_empty() {
        remount_changed(mounted.as_fd(), as_flags(entry.set), as_flags(entry.clear))?;
    }
    propagate_by_path(mounted, entry)
}

/// How mounts on one that is attached are passed on.
pub(super) fn propagate_by_path(mounted: &OwnedFd, entry: &Entry<'_>) -> Result<(), Errno> {
    let Some((kind, reach)) = entry.propagation else { return Ok(()) };
    let below = match reach {
        Reach::Mount => MountPropagationFlags::empty(),
        Reach::Tree => MountPropagationFlags::REC,
    };
    mount_change(DescriptorPath::of(mounted.as_fd()).as_c_str()?, kind | below)
}
