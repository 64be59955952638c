//! /dev: a small file system with the devices that every program expects and no other, terminals and
//! shared memory of the container's own.
//!
//! The file system is new and nobody else can see it yet, so plain names in it lead where they say.

use super::filesystem::{self, FileSystem};
use super::mounts::bind_one;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    CWD, FileType, Mode, OFlags, fstat, makedev, mkdirat, mknodat, openat, symlinkat,
};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use rustix::process::umask;

/// How the devices come about.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Devices {
    /// Whether they are made anew, which takes root privilege on the host; otherwise they are the
    /// host's own, mounted one by one.
    pub made: bool,
    /// Whether group 5 is there to own the terminals; Docker's and most distributions' `tty`.
    pub has_terminal_group: bool,
    /// Whether message queues can be mounted: in a user namespace, only its own.
    pub has_message_queues: bool,
}

pub(super) struct Device {
    pub path: &'static CStr,
    pub name: &'static CStr,
    pub major: u32,
    pub minor: u32,
}

const fn device(path: &'static CStr, name: &'static CStr, major: u32, minor: u32) -> Device {
    Device { path, name, major, minor }
}

/// The numbers of the kernel's `Documentation/admin-guide/devices.txt`.
pub(super) const DEVICES: [Device; 6] = [
    device(c"/dev/null", c"null", 1, 3),
    device(c"/dev/zero", c"zero", 1, 5),
    device(c"/dev/full", c"full", 1, 7),
    device(c"/dev/random", c"random", 1, 8),
    device(c"/dev/urandom", c"urandom", 1, 9),
    device(c"/dev/tty", c"tty", 5, 0),
];

pub(super) const LINKS: [(&CStr, &CStr); 6] = [
    (c"pts/ptmx", c"ptmx"),
    (c"/proc/self/fd", c"fd"),
    (c"/proc/self/fd/0", c"stdin"),
    (c"/proc/self/fd/1", c"stdout"),
    (c"/proc/self/fd/2", c"stderr"),
    (c"/proc/kcore", c"core"),
];

const FILE_SYSTEM: FileSystem<'static> = FileSystem {
    kind: c"tmpfs",
    settings: c"mode=755,size=64k",
    attributes: MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NOEXEC),
};

static MAKE: Operation = Operation::new(rare!("make /dev"));
static MAKE_DEVICE: Operation = Operation::new(rare!("make a device in /dev"));
pub(super) static SHOW_DEVICE: Operation = Operation {
    words: rare!("show a device of the host's in /dev"),
    on: Object::None,
    cures: &[
        (
            Errno::NOENT,
            Cure::Words(rare!("the host's /dev lacks null, zero, full, random, urandom or tty")),
        ),
        (
            Errno::NODEV,
            Cure::Words(rare!("what the host's /dev has under that name is not that device")),
        ),
    ],
};
static MAKE_TERMINALS: Operation = Operation {
    words: rare!("make the terminals in /dev/pts"),
    on: Object::None,
    cures: &[(Errno::NODEV, Cure::Words(rare!("this kernel has no devpts")))],
};
static MAKE_FOLDERS: Operation = Operation::new(rare!("make /dev/shm and /dev/mqueue"));

/// Mounts the file system on `target` in `root`, and fills it. Returns the container's devpts.
///
/// # Errors
///
/// Those of making and mounting.
pub fn mount_devices(
    root: BorrowedFd<'_>,
    target: &CStr,
    devices: Devices,
) -> Result<OwnedFd, Fault> {
    let folder = filesystem::mount_new(root, target, &FILE_SYSTEM)?;
    // The modes are meant as they stand; the caller's umask is the program's.
    let callers = umask(Mode::empty());
    let filled = fill(folder.as_fd(), devices);
    umask(callers);
    filled
}

fn fill(folder: BorrowedFd<'_>, devices: Devices) -> Result<OwnedFd, Fault> {
    for device in &DEVICES {
        if devices.made {
            make(folder, device).doing(&MAKE_DEVICE)?;
        } else {
            show(folder, device, device.name).doing(&SHOW_DEVICE)?;
        }
    }
    for (target, name) in LINKS {
        symlinkat(target, folder, name).doing(&MAKE)?;
    }
    let terminals = mount_terminals(folder, devices).doing(&MAKE_TERMINALS)?;
    // Where no terminal takes its place, what is written to the console is nobody's.
    match DEVICES.first() {
        Some(null) if devices.made => {
            make(folder, &Device { name: c"console", ..*null }).doing(&MAKE_DEVICE)
        }
        Some(null) => show(folder, null, c"console").doing(&SHOW_DEVICE),
        None => Ok(()),
    }?;
    mount_in(folder, c"shm", &FileSystem::SHARED_MEMORY).doing(&MAKE_FOLDERS)?;
    if !devices.has_message_queues {
        return Ok(terminals);
    }
    match mount_in(folder, c"mqueue", &FileSystem::MESSAGE_QUEUES) {
        // A kernel without them; the folder stays empty.
        Err(Errno::NODEV) => Ok(()),
        answer => answer.map(drop).doing(&MAKE_FOLDERS),
    }?;
    Ok(terminals)
}

const FOR_EVERYONE: Mode = Mode::from_raw_mode(0o666);

fn make(folder: BorrowedFd<'_>, device: &Device) -> Result<(), Errno> {
    let number = makedev(device.major, device.minor);
    mknodat(folder, device.name, FileType::CharacterDevice, FOR_EVERYONE, number)
}

/// Mounts the host's own device on a new file, after making sure that it is the one.
fn show(folder: BorrowedFd<'_>, device: &Device, name: &CStr) -> Result<(), Errno> {
    let source = openat(CWD, device.path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    verify(source.as_fd(), device.major, device.minor)?;
    mount_on_file(folder, name, &source)
}

/// Mounts an open file on the file `name` in the folder, which is made if it is missing.
pub(super) fn mount_on_file(
    folder: BorrowedFd<'_>,
    name: &CStr,
    from: &OwnedFd,
) -> Result<(), Errno> {
    match mknodat(folder, name, FileType::RegularFile, FOR_EVERYONE, 0) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    bind_one(from, &openat(folder, name, flags, Mode::empty())?)
}

/// Makes sure that an open file is the device with these numbers.
fn verify(file: BorrowedFd<'_>, major: u32, minor: u32) -> Result<(), Errno> {
    let status = fstat(file)?;
    let is_device = FileType::from_raw_mode(status.st_mode) == FileType::CharacterDevice;
    if is_device && status.st_rdev == makedev(major, minor) { Ok(()) } else { Err(Errno::NODEV) }
}

/// What hides a file: the host's null device, verified.
///
/// # Errors
///
/// open(2), `ENODEV` if it is another one.
pub(super) fn null_device() -> Result<OwnedFd, Errno> {
    let null = openat(CWD, c"/dev/null", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    verify(null.as_fd(), 1, 3).map(|()| null)
}

fn mount_terminals(folder: BorrowedFd<'_>, devices: Devices) -> Result<OwnedFd, Errno> {
    mount_in(folder, c"pts", &terminals(devices.has_terminal_group))
}

/// A file system for terminals; devpts is new with every mount since Linux 4.7, and asked to be
/// before that.
pub(super) const fn terminals(has_group: bool) -> FileSystem<'static> {
    FileSystem {
        kind: c"devpts",
        settings: if has_group {
            c"newinstance,ptmxmode=0666,mode=0620,gid=5"
        } else {
            c"newinstance,ptmxmode=0666,mode=0620"
        },
        attributes: MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NOEXEC),
    }
}

fn mount_in(
    folder: BorrowedFd<'_>,
    name: &CStr,
    wanted: &FileSystem<'_>,
) -> Result<OwnedFd, Errno> {
    mkdirat(folder, name, Mode::from_raw_mode(0o755))?;
    let place =
        openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    filesystem::mount_on(&place?, wanted, &|| {
        openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
    })
}
