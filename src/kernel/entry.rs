//! Mounts in the terms of mount(8) and fstab(5), as OCI configurations describe them: a source, a type, and
//! options.

use super::bind::{self, propagate_by_path};
use super::copy_up::copy_up;
use super::filesystem::{FileSystem, make_from, mount_by_path};
use super::inside::{self, MountPoint};
use super::mounts::{ATTACH, MAKE_POINT, Name, attach, remount_read_only};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::mounts::{Change, Reach, change};
use crate::text::{parts, word};
use core::ffi::CStr;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountPropagationFlags};

/// A mount.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Entry<'a> {
    /// What is mounted: a path of the host's for a bind mount, otherwise what the file system makes of it.
    pub source: &'a CStr,
    /// The type of file system; of no meaning for a bind mount.
    pub kind: &'a CStr,
    /// Whether the source is shown, and with what below it; None: a file system of its own.
    pub bind: Option<Reach>,
    /// What the mount allows: set and cleared on the mount itself.
    pub set: MountAttrFlags,
    /// Attributes that are taken away from the mount itself.
    pub clear: MountAttrFlags,
    /// The same on the mount and all below it.
    pub set_all: MountAttrFlags,
    /// Attributes that are taken away from the mount and all below it.
    pub clear_all: MountAttrFlags,
    /// How mounts on it are passed on, and whether this holds for those below it.
    pub propagation: Option<(MountPropagationFlags, Reach)>,
    /// Settings of the file system, with commas between them; also `sync`, `dirsync`, `lazytime`, `mand`.
    pub settings: &'a CStr,
    /// Whether a tmpfs begins with what is at its place in the root.
    pub copies_up: bool,
    /// Whether its files belong to other ids than they say; for a bind mount.
    pub id_map: Option<IdMapped<'a>>,
}

/// Which ids the files of a mount are seen with.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct IdMapped<'a> {
    /// Whether those in the mounts below it are, too.
    pub reach: Reach,
    /// Lines for a `uid_map`: inside, outside, count; the container's if empty.
    pub users: &'a [u8],
    /// Likewise for a `gid_map`.
    pub groups: &'a [u8],
}

/// A device node that is made in the root.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct Node<'a> {
    /// Where; absolute.
    pub path: &'a CStr,
    /// What.
    pub kind: NodeKind,
    /// Permissions.
    pub mode: u32,
    /// Its owner inside.
    pub user: u32,
    /// Its group inside.
    pub group: u32,
}

/// Kinds of nodes, with their numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum NodeKind {
    /// A character device.
    Character(u32, u32),
    /// A block device.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
}

static MAKE_REAL: Operation = Operation {
    words: rare!("open or make the mount point"),
    on: Object::Target,
    cures: &[
        (
            Errno::LOOP,
            Cure::Words(rare!(
                "proc and sysfs go on a directory of the root, and on no symbolic link"
            )),
        ),
        (Errno::NOTDIR, Cure::Words(rare!("proc and sysfs go on a directory"))),
    ],
};
static MAKE: Operation = Operation {
    words: rare!("mount a new file system on"),
    on: Object::Target,
    cures: &[
        (Errno::NODEV, Cure::Words(rare!("this kernel does not have that file system"))),
        (
            Errno::PERM,
            Cure::Words(rare!(
                "in a user namespace this takes a new namespace of the kind that it shows, and a \
                 /proc or /sys that is not partly hidden"
            )),
        ),
        (Errno::INVAL, Cure::Words(rare!("the file system does not take one of its options"))),
    ],
};
static MAP: Operation = Operation {
    on: Object::Target,
    ..Operation::new(rare!("map the ids of a mount that is not bound"))
};
static COPY: Operation = Operation {
    on: Object::Target,
    ..Operation::new(rare!("copy what was there into the memory at"))
};
static PROTECT: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("make read-only")) };

impl Entry<'_> {
    /// Whether it is read-only in the end, but has to be written to before: what is mounted or made in it
    /// needs places.
    #[must_use]
    pub fn is_protected_later(&self, target: &CStr) -> bool {
        let is_filled = self.kind == c"tmpfs" || target == c"/dev";
        self.bind.is_none() && is_filled && self.set.contains(MountAttrFlags::MOUNT_ATTR_RDONLY)
    }

    /// What is changed on the mount alone, or on all of the tree.
    pub(super) fn change<'c>(&self, reach: Reach, id_map: Option<BorrowedFd<'c>>) -> Change<'c> {
        let (set, mut clear) = match reach {
            Reach::Mount => (self.set, self.clear),
            Reach::Tree => (self.set_all, self.clear_all),
        };
        // These are one value, which is replaced as a whole.
        if set.union(clear).intersects(MountAttrFlags::MOUNT_ATTR__ATIME) {
            clear |= MountAttrFlags::MOUNT_ATTR__ATIME;
        }
        let propagation = self.propagation.filter(|(_, wanted)| *wanted == reach);
        let is_mapped = self.id_map.is_some_and(|wanted| wanted.reach == reach);
        Change {
            set,
            clear,
            propagation: propagation.map_or(MountPropagationFlags::empty(), |(kind, _)| kind),
            id_map: id_map.filter(|_| is_mapped),
        }
    }
}

/// Mounts the entry on `target` in `root`; returns the mount if it is a file system of its own. One that
/// [`Entry::is_protected_later`] can be written to until [`protect`].
///
/// # Errors
///
/// Those of open(2) on the source, of [`inside::open_or_make`] on the target, and of mounting.
pub fn mount(
    root: BorrowedFd<'_>,
    entry: &Entry<'_>,
    target: &CStr,
) -> Result<Option<OwnedFd>, Fault> {
    if entry.id_map.is_some() {
        return Err(Errno::INVAL).doing(&MAP);
    }
    match entry.bind {
        Some(reach) => bind::mount(root, entry, reach, target).map(|()| None),
        None => mount_file_system(root, entry, target).map(Some),
    }
}

/// Makes a mount read-only, now that all is in it.
///
/// # Errors
///
/// `mount_setattr(2)`, or mount(2) before Linux 5.12.
pub fn protect(mount: &OwnedFd) -> Result<(), Fault> {
    match change(mount.as_fd(), Reach::Mount, Change::READ_ONLY) {
        Err(Errno::NOSYS) => remount_read_only(mount),
        answer => answer,
    }
    .doing(&PROTECT)
}

/// All settings together; mount(2).
const SETTINGS_BYTES: usize = 4096;

fn mount_file_system(
    root: BorrowedFd<'_>,
    entry: &Entry<'_>,
    target: &CStr,
) -> Result<OwnedFd, Fault> {
    let onto = if matches!(word(entry.kind.to_bytes()), "proc" | "sysfs") {
        inside::open_or_make_plainly(root, target).doing(&MAKE_REAL)?
    } else {
        inside::open_or_make(root, target, MountPoint::Directory).doing(&MAKE_POINT)?
    };
    let mut attributes = entry.set.union(entry.set_all);
    let mut settings = Name::<SETTINGS_BYTES>::new();
    let has_mode =
        || parts(entry.settings.to_bytes(), b',').any(|setting| setting.starts_with(b"mode="));
    if entry.kind == c"tmpfs" && !has_mode() {
        // As the directory was.
        settings.push(b"mode=").push_octal(fstat(&onto).doing(&MAKE)?.st_mode & 0o7777).push(b",");
    } else if entry.source.to_bytes().starts_with(b"/")
        && attributes.contains(MountAttrFlags::MOUNT_ATTR_RDONLY)
    {
        // A device may not be written to, either.
        settings.push(b"ro,");
    }
    if entry.is_protected_later(target) {
        attributes -= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    settings.push(entry.settings.to_bytes());
    let wanted =
        FileSystem { kind: entry.kind, settings: settings.as_c_str().doing(&MAKE)?, attributes };
    let attached = make_from(&wanted, entry.source).and_then(|made| {
        propagate(&made, entry)?;
        attach(&made, &onto).map(|()| made)
    });
    let made = match attached {
        Err(Errno::PERM) => return show_hosts(entry, &onto),
        Err(Errno::NOSYS) => {
            let source = if entry.source.is_empty() { entry.kind } else { entry.source };
            mount_by_path(&wanted, source, &onto)
                .and_then(|()| inside::open(root, target))
                .and_then(|mounted| propagate_by_path(&mounted, entry).map(|()| mounted))
        }
        made => made,
    }
    .doing(&MAKE)?;
    if entry.copies_up {
        copy_up(&onto, &made).doing(&COPY)?;
    }
    Ok(made)
}

/// A new mount is private already.
fn propagate(made: &OwnedFd, entry: &Entry<'_>) -> Result<(), Errno> {
    match entry.propagation {
        Some((kind, _)) if kind != MountPropagationFlags::PRIVATE => {
            let wanted = Change { propagation: kind, ..Change::NONE };
            change(made.as_fd(), Reach::Mount, wanted)
        }
        _ => Ok(()),
    }
}

/// In a user namespace the kernel makes these only together with the namespace that they show. Then what
/// the host has is shown, with no more rights.
fn show_hosts(entry: &Entry<'_>, onto: &OwnedFd) -> Result<OwnedFd, Fault> {
    let (source, reach) = match word(entry.kind.to_bytes()) {
        "sysfs" => (c"/sys", Reach::Tree),
        "mqueue" => (c"/dev/mqueue", Reach::Mount),
        _ => return Err(Errno::PERM).doing(&MAKE),
    };
    let shown = Entry {
        source,
        bind: Some(reach),
        set: MountAttrFlags::empty(),
        clear: MountAttrFlags::empty(),
        set_all: entry.set.difference(MountAttrFlags::MOUNT_ATTR__ATIME),
        clear_all: MountAttrFlags::empty(),
        ..*entry
    };
    let Ok(tree) = bind::take(&shown, None) else { return Err(Errno::PERM).doing(&MAKE) };
    attach(&tree, onto).doing(&ATTACH)?;
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: MountAttrFlags = MountAttrFlags::empty();
    const READ_ONLY: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY;
    const ENTRY: Entry<'static> = Entry {
        source: c"tmpfs",
        kind: c"tmpfs",
        bind: None,
        set: READ_ONLY,
        clear: NONE,
        set_all: NONE,
        clear_all: NONE,
        propagation: None,
        settings: c"",
        copies_up: false,
        id_map: None,
    };

    #[test]
    fn what_has_to_be_filled_is_protected_later() {
        assert!(ENTRY.is_protected_later(c"/run"));
        assert!(!Entry { set: NONE, ..ENTRY }.is_protected_later(c"/run"));
        assert!(!Entry { bind: Some(Reach::Tree), ..ENTRY }.is_protected_later(c"/dev"));
        let other = Entry { kind: c"devtmpfs", ..ENTRY };
        assert!(other.is_protected_later(c"/dev") && !other.is_protected_later(c"/run"));
    }

    #[test]
    fn a_change_is_for_the_mount_or_for_the_tree() {
        let times = MountAttrFlags::MOUNT_ATTR_NOATIME;
        let propagation = Some((MountPropagationFlags::PRIVATE, Reach::Tree));
        let entry = Entry { set_all: times, propagation, ..ENTRY };
        let alone = entry.change(Reach::Mount, None);
        assert!(alone.set == READ_ONLY && alone.clear == NONE && alone.propagation.is_empty());
        let all = entry.change(Reach::Tree, None);
        assert_eq!(all.set, times);
        assert_eq!(all.clear, MountAttrFlags::MOUNT_ATTR__ATIME, "replaced as a whole");
        assert_eq!(all.propagation, MountPropagationFlags::PRIVATE);
        assert!(Entry { propagation: None, ..ENTRY }.change(Reach::Tree, None).is_none());
    }
}
