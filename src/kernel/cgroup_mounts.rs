//! The cgroups that a container sees: its own and those below it, in the place of the host's; cgroups(7),
//! `cgroup_namespaces(7)`.

use super::bind;
use super::entry::{self, Entry};
use super::mounts::{ATTACH, attach_at};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::mounts::Reach;
use crate::text::parts;
use core::ffi::CStr;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, mkdirat, symlinkat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

/// What a mount of the kind `cgroup` shows.
#[derive(Clone, Copy)]
pub struct Cgroups<'a> {
    /// Whether the container has a cgroup namespace, in which its own cgroup is the root.
    pub has_namespace: bool,
    /// What the host has.
    pub layout: Layout<'a>,
}

/// The two versions.
#[derive(Clone, Copy)]
pub enum Layout<'a> {
    /// One hierarchy, version 2: the folder of the container's own cgroup, on the host.
    Unified(&'a CStr),
    /// A hierarchy for each controller or group of them, version 1.
    Hierarchies(&'a [Hierarchy<'a>]),
}

/// A hierarchy of version 1.
#[derive(Clone, Copy)]
pub struct Hierarchy<'a> {
    /// The name of its folder, such as `memory`, `cpu,cpuacct` or `systemd`.
    pub name: &'a CStr,
    /// What mount(2) knows it by: `cpu,cpuacct`, `none,name=systemd`.
    pub options: &'a CStr,
    /// The folder of the container's own cgroup in it, on the host.
    pub own: &'a CStr,
}

static USE: Operation = Operation {
    words: rare!("mount the cgroups on"),
    on: Object::Target,
    cures: &[(Errno::NODEV, Cure::Words(rare!("there are none for this container")))],
};
static LINK: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("name the cgroups' controllers in")) };

/// Mounts the container's cgroups on `target` in `root`.
///
/// # Errors
///
/// Those of [`entry::mount`]; `ENODEV` when nothing is known of cgroups.
pub fn mount(
    root: BorrowedFd<'_>,
    entry: &Entry<'_>,
    target: &CStr,
    cgroups: Option<&Cgroups<'_>>,
) -> Result<(), Fault> {
    let cgroups = cgroups.ok_or(Errno::NODEV).doing(&USE)?;
    match cgroups.layout {
        Layout::Unified(own) => {
            let fresh = Entry { source: c"cgroup2", kind: c"cgroup2", ..*entry };
            show(root, &fresh, target, own, cgroups.has_namespace)
        }
        Layout::Hierarchies(hierarchies) => {
            let folder = Entry {
                source: c"tmpfs",
                kind: c"tmpfs",
                settings: c"mode=755",
                copies_up: false,
                ..*entry
            };
            let made = entry::mount(root, &folder, target)?.ok_or(Errno::NODEV).doing(&USE)?;
            for hierarchy in hierarchies {
                let fresh = Entry {
                    source: c"cgroup",
                    kind: c"cgroup",
                    settings: hierarchy.options,
                    copies_up: false,
                    ..*entry
                };
                let (name, own) = (hierarchy.name, hierarchy.own);
                // The folder is new; what this fails at, what follows says.
                let _ = mkdirat(&made, name, Mode::from_raw_mode(0o755));
                show(made.as_fd(), &fresh, name, own, cgroups.has_namespace)?;
                link(&made, name).doing(&LINK)?;
            }
            if folder.is_protected_later(target) { entry::protect(&made) } else { Ok(()) }
        }
    }
}

/// Mounts a hierarchy whose root is the container's own cgroup; without a namespace, or where the kernel
/// makes no new mount, its folder, which can be written to only if that is asked for.
fn show(
    root: BorrowedFd<'_>,
    fresh: &Entry<'_>,
    target: &CStr,
    own: &CStr,
    has_namespace: bool,
) -> Result<(), Fault> {
    if has_namespace {
        match entry::mount(root, fresh, target) {
            Err(Fault { errno: Errno::PERM | Errno::BUSY, .. }) => {}
            answer => return answer.map(drop),
        }
    }
    let mut shown = Entry { source: own, bind: Some(Reach::Mount), ..*fresh };
    if !shown.clear.contains(MountAttrFlags::MOUNT_ATTR_RDONLY) {
        shown.set |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    if !target.to_bytes().starts_with(b"/")
        && let Ok(tree) = bind::take(&shown, None)
    {
        // Of one that was just made, nobody has changed what the names stand for.
        return attach_at(&tree, root, target).doing(&ATTACH);
    }
    entry::mount(root, &shown, target).map(drop)
}

/// Gives each controller of several in one hierarchy a name of its own.
fn link(folder: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    if !name.to_bytes().contains(&b',') {
        return Ok(());
    }
    for controller in parts(name.to_bytes(), b',') {
        symlinkat(name, folder, controller)?;
    }
    Ok(())
}
