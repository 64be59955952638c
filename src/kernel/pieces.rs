//! A root in memory that shows files of the host at their own places, read-only, without a copy; gone
//! with the last process that sees it.

use super::filesystem::{self, FileSystem};
use super::mounts::{attach, remount_read_only};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::sys::mounts::{Change, Reach, change};
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat, symlinkat};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

/// A name in the root; its folder stands before it.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub enum Piece<'a> {
    /// A folder.
    Folder(&'a CStr),
    /// A symbolic link, and its text.
    Link(&'a CStr, &'a CStr),
    /// A file of the host.
    File(&'a CStr),
}

static MEMORY: Operation = Operation {
    words: rare!("mount memory for the root"),
    on: Object::None,
    cures: &[(Errno::NOSYS, Cure::Words(rare!("--programs takes Linux 5.2 or newer")))],
};
static FILL: Operation = Operation {
    words: rare!("show the programs in the root"),
    on: Object::None,
    cures: &[(
        Errno::NOENT,
        Cure::Words(rare!("one of them was removed while it was being started")),
    )],
};
static PROTECT: Operation = Operation::new(rare!("make the programs read-only"));

/// Makes the root, and mounts it over `/`: no name is resolved to what lies there, but from the
/// descriptor that is returned.
///
/// # Errors
///
/// Those of mounting.
pub fn prepare(pieces: &[Piece<'_>], attributes: MountAttrFlags) -> Result<OwnedFd, Fault> {
    const MEMORY_ROOT: FileSystem<'static> =
        FileSystem { kind: c"tmpfs", settings: c"mode=755", attributes: MountAttrFlags::empty() };
    let root = filesystem::make(&FileSystem { attributes, ..MEMORY_ROOT }).doing(&MEMORY)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let place = openat(CWD, c"/", flags, Mode::empty()).doing(&MEMORY)?;
    attach(&root, &place).doing(&MEMORY)?;
    for piece in pieces {
        put(root.as_fd(), piece).doing(&FILL)?;
    }
    protect(root.as_fd(), pieces).doing(&PROTECT)?;
    Ok(root)
}

/// Nobody else sees the root yet, and none of the folders is a link: names are enough.
fn put(root: BorrowedFd<'_>, piece: &Piece<'_>) -> Result<(), Errno> {
    match piece {
        Piece::Folder(path) => mkdirat(root, relative(path), Mode::from_raw_mode(0o755)),
        Piece::Link(path, target) => symlinkat(*target, root, relative(path)),
        Piece::File(path) => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            drop(openat(root, relative(path), flags, Mode::from_raw_mode(0o644))?);
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            let tree = open_tree(CWD, *path, flags | OpenTreeFlags::AT_SYMLINK_NOFOLLOW)?;
            let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
            move_mount(tree.as_fd(), c"", root, relative(path), flags)
        }
    }
}

/// All files at once, and then the memory itself not; before Linux 5.12 one by one.
fn protect(root: BorrowedFd<'_>, pieces: &[Piece<'_>]) -> Result<(), Errno> {
    match change(root, Reach::Tree, Change::READ_ONLY) {
        Err(Errno::NOSYS) => pieces.iter().try_for_each(|piece| {
            let Piece::File(path) = piece else { return Ok(()) };
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            remount_read_only(openat(root, relative(path), flags, Mode::empty())?.as_fd())
        }),
        Err(errno) => Err(errno),
        Ok(()) => change(root, Reach::Mount, Change::WRITABLE),
    }
}

/// The path behind its first slash.
fn relative(path: &CStr) -> &CStr {
    CStr::from_bytes_with_nul(path.to_bytes_with_nul().get(1..).unwrap_or_default())
        .unwrap_or_default()
}
