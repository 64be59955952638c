//! Devices in a root that somebody else has filled: each by the descriptor of the folder that it is in, so
//! that no link leads out; the OCI specification, `config-linux.md`, "Devices" and "Default Devices".

use super::devices::{DEVICES, Device, LINKS, SHOW_DEVICE, mount_on_file};
use super::entry::{Node, NodeKind};
use super::inside::{self, MountPoint};
use super::mounts::Name;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use rustix::fd::BorrowedFd;
use rustix::fs::{
    Access, AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, accessat, chownat, fstat, makedev,
    mknodat, openat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::umask;

static MAKE: Operation = Operation {
    words: rare!("make the device"),
    on: Object::Target,
    cures: &[
        (Errno::EXIST, Cure::Words(rare!("the root has something else there"))),
        (Errno::ROFS, Cure::Words(rare!("the root is read-only, and has no such device"))),
        (Errno::NODEV, Cure::Words(rare!("what the host has under that name is not that device"))),
    ],
};
static LINK: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("make the links in")) };

const PATH_BYTES: usize = 4096;

/// Makes a device that the configuration names, with the folders on the way.
///
/// # Errors
///
/// Those of [`inside::open_or_make`], mknod(2) and chown(2), and of mounting where there is no privilege to
/// make devices.
pub fn make(root: BorrowedFd<'_>, node: &Node<'_>) -> Result<(), Fault> {
    let made = split(node.path).and_then(|(parent, name)| {
        let mut space = Name::<PATH_BYTES>::new();
        let parent = space.push(b"/").push(parent).as_c_str()?;
        let folder = inside::open_or_make(root, parent, MountPoint::Directory)?;
        make_in(folder.as_fd(), name, node)
    });
    made.doing(&MAKE)
}

/// Makes in `/dev` the devices that every program expects, but for those that are among `nodes`, and the
/// links.
///
/// # Errors
///
/// As for [`make`], and those of symlink(2).
pub fn make_defaults(root: BorrowedFd<'_>, nodes: &[Node<'_>]) -> Result<(), Fault> {
    let folder = inside::open_or_make(root, c"/dev", MountPoint::Directory).doing(&MAKE)?;
    for Device { path, name, major, minor } in &DEVICES {
        if nodes.iter().any(|node| node.path == *path) {
            continue;
        }
        let kind = NodeKind::Character(*major, *minor);
        let node = Node { path, kind, mode: 0o666, user: 0, group: 0 };
        make_in(folder.as_fd(), name, &node).doing(&SHOW_DEVICE)?;
    }
    for (target, name) in LINKS {
        link(folder.as_fd(), target, name).doing(&LINK)?;
    }
    Ok(())
}

/// The folder and the name in it.
fn split(path: &CStr) -> Result<(&[u8], &CStr), Errno> {
    let bytes = path.to_bytes_with_nul();
    let slash = bytes.iter().rposition(|byte| *byte == b'/').ok_or(Errno::INVAL)?;
    let (parent, name) = bytes.split_at(slash);
    let name = CStr::from_bytes_with_nul(name.get(1..).unwrap_or_default());
    Ok((parent, name.map_err(|_| Errno::INVAL)?))
}

fn make_in(folder: BorrowedFd<'_>, name: &CStr, node: &Node<'_>) -> Result<(), Errno> {
    let (kind, number) = match node.kind {
        NodeKind::Character(major, minor) => (FileType::CharacterDevice, makedev(major, minor)),
        NodeKind::Block(major, minor) => (FileType::BlockDevice, makedev(major, minor)),
        NodeKind::Fifo => (FileType::Fifo, 0),
    };
    // The mode is meant as it stands; the caller's umask is the program's.
    let callers = umask(Mode::empty());
    let made = mknodat(folder, name, kind, Mode::from_raw_mode(node.mode & 0o7777), number);
    umask(callers);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let is_there = || is(openat(folder, name, flags, Mode::empty())?.as_fd(), kind, number);
    match made {
        Ok(()) if (node.user, node.group) == (0, 0) => return Ok(()),
        Ok(()) => {
            let (user, group) = (Uid::from_raw(node.user), Gid::from_raw(node.group));
            return chownat(folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW);
        }
        Err(Errno::EXIST) if is_there()? => return Ok(()),
        // What stands there is covered, whatever it is.
        Err(Errno::EXIST | Errno::PERM) if kind != FileType::Fifo => {}
        made => return made,
    }
    let hosts = openat(CWD, node.path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    if !is(hosts.as_fd(), kind, number)? {
        return Err(Errno::NODEV);
    }
    mount_on_file(folder, name, &hosts)
}

/// Whether an open file is the device of this kind, with this number.
fn is(file: BorrowedFd<'_>, kind: FileType, number: u64) -> Result<bool, Errno> {
    let found = fstat(file)?;
    let is_pipe = kind == FileType::Fifo;
    Ok(FileType::from_raw_mode(found.st_mode) == kind && (is_pipe || found.st_rdev == number))
}

/// A name that is taken stays, but for that of the terminals' source, which is the container's own.
fn link(folder: BorrowedFd<'_>, target: &CStr, name: &CStr) -> Result<(), Errno> {
    if name == c"core" && accessat(CWD, target, Access::EXISTS, AtFlags::empty()).is_err() {
        return Ok(());
    }
    match symlinkat(target, folder, name) {
        Err(Errno::EXIST) if name == c"ptmx" => match unlinkat(folder, name, AtFlags::empty()) {
            // The configuration has mounted something there.
            Err(Errno::BUSY) => Ok(()),
            answer => answer.and_then(|()| symlinkat(target, folder, name)),
        },
        Err(Errno::EXIST) => Ok(()),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_folder_and_a_name() {
        assert_eq!(split(c"/dev/null"), Ok((&b"/dev"[..], c"null")));
        assert_eq!(split(c"/dev/net/tun"), Ok((&b"/dev/net"[..], c"tun")));
        assert_eq!(split(c"/x"), Ok((&b""[..], c"x")));
        assert_eq!(split(c"x"), Err(Errno::INVAL));
    }
}
