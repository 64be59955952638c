//! File systems of the container's own: /proc, tmpfs and the like; `fsopen(2)`, Linux 5.2, and
//! mount(2) before that.

use super::devices;
use super::inside::{self, MountPoint};
use super::mounts::{DescriptorPath, MAKE_POINT, attach};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::text::{cut, parts};
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, mount,
};

/// A file system that is made for a container.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct FileSystem<'a> {
    /// Its type; filesystems(5).
    pub kind: &'a CStr,
    /// Its settings, as mount(2) takes them: `mode=755,size=64k`.
    pub settings: &'a CStr,
    /// What the mount allows.
    pub attributes: MountAttrFlags,
}

impl FileSystem<'_> {
    /// No devices, no setuid programs, no programs at all, as Docker and Podman do.
    pub const RESTRICTED: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID
        .union(MountAttrFlags::MOUNT_ATTR_NODEV)
        .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);
    /// The same, and nothing can be written.
    pub const READ_ONLY: MountAttrFlags = Self::RESTRICTED.union(MountAttrFlags::MOUNT_ATTR_RDONLY);

    /// The processes of the container's process namespace; proc(5).
    pub const PROC: FileSystem<'static> =
        FileSystem { kind: c"proc", settings: c"", attributes: Self::RESTRICTED };
    /// The devices and drivers of the machine, and the interfaces of the container's network
    /// namespace; sysfs(5).
    pub const SYS: FileSystem<'static> =
        FileSystem { kind: c"sysfs", settings: c"", attributes: Self::READ_ONLY };
    /// The cgroups at and below the container's own; cgroups(7).
    pub const CGROUP: FileSystem<'static> =
        FileSystem { kind: c"cgroup2", settings: c"", attributes: Self::RESTRICTED };
    /// The message queues of the container's IPC namespace; `mq_overview(7)`.
    pub const MESSAGE_QUEUES: FileSystem<'static> =
        FileSystem { kind: c"mqueue", settings: c"", attributes: Self::RESTRICTED };
    /// Terminals, where nothing is known of a group that is to own them.
    pub const TERMINALS: FileSystem<'static> = devices::terminals(false);
    /// Shared memory, of Docker's default size; `shm_overview(7)`.
    pub const SHARED_MEMORY: FileSystem<'static> = FileSystem {
        kind: c"tmpfs",
        settings: c"mode=1777,size=64m",
        attributes: Self::RESTRICTED,
    };
}

static MAKE: Operation = Operation {
    words: rare!("mount a new file system on"),
    on: Object::Target,
    cures: &[
        (Errno::NODEV, Cure::Words(rare!("this kernel does not have that file system"))),
        (
            Errno::PERM,
            Cure::Words(rare!(
                "inside a container whose /proc or /sys is partly hidden, the kernel makes no new \
                 ones: start outside, or show the present one with --volume"
            )),
        ),
        (Errno::INVAL, Cure::Words(rare!("the file system does not take one of its settings"))),
    ],
};

/// Makes the file system and mounts it on `target` in `root`; returns the mount.
///
/// # Errors
///
/// Those of [`inside::open_or_make`] on the target, of fsopen(2) and of mounting.
pub fn mount_new(
    root: BorrowedFd<'_>,
    target: &CStr,
    wanted: &FileSystem<'_>,
) -> Result<OwnedFd, Fault> {
    let onto = inside::open_or_make(root, target, MountPoint::Directory).doing(&MAKE_POINT)?;
    mount_on(&onto, wanted, &|| inside::open(root, target)).doing(&MAKE)
}

/// Mounts it on an open directory. Where the kernel knows only names, `mounted` opens what is then
/// mounted there.
pub(super) fn mount_on(
    onto: &OwnedFd,
    wanted: &FileSystem<'_>,
    mounted: &dyn Fn() -> Result<OwnedFd, Errno>,
) -> Result<OwnedFd, Errno> {
    let made = make(wanted).and_then(|mount| attach(&mount, onto).map(|()| mount));
    match made {
        Err(Errno::NOSYS) => {
            mount_by_path(wanted, wanted.kind, onto)?;
            mounted()
        }
        made => made,
    }
}

/// Makes the file system, mounted nowhere yet.
///
/// # Errors
///
/// fsopen(2), fsconfig(2), fsmount(2): `ENOSYS` before Linux 5.2.
pub(super) fn make(wanted: &FileSystem<'_>) -> Result<OwnedFd, Errno> {
    make_from(wanted, c"")
}

/// Makes the file system from a source, where it has one.
///
/// # Errors
///
/// As for [`make`]; `ENOSYS` also for settings that only mount(2) takes.
pub(super) fn make_from(wanted: &FileSystem<'_>, source: &CStr) -> Result<OwnedFd, Errno> {
    let settings = wanted.settings.to_bytes();
    // A quoted value has commas of its own, which only mount(2) knows to leave.
    if settings.contains(&b'"') {
        return Err(Errno::NOSYS);
    }
    let made = fsopen(wanted.kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    if !source.is_empty() {
        let mut space = [0; SETTING_BYTES];
        let source = terminated(source.to_bytes(), &mut space)?;
        fsconfig_set_string(made.as_fd(), c"source", source)?;
    }
    for setting in parts(settings, b',').filter(|setting| !setting.is_empty()) {
        let (name, value) = cut(setting, b'=');
        let (mut short, mut long) = ([0; SETTING_BYTES], [0; SETTING_BYTES]);
        let name = terminated(name, &mut short)?;
        match value {
            Some(value) => fsconfig_set_string(made.as_fd(), name, terminated(value, &mut long)?)?,
            None => fsconfig_set_flag(made.as_fd(), name)?,
        }
    }
    fsconfig_create(made.as_fd())?;
    fsmount(made.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, wanted.attributes)
}

/// A single setting is shorter; fsconfig(2).
const SETTING_BYTES: usize = 256;

/// A copy with a NUL behind it. What does not fit, mount(2) takes.
fn terminated<'a>(text: &[u8], buffer: &'a mut [u8]) -> Result<&'a CStr, Errno> {
    buffer.get_mut(..text.len()).ok_or(Errno::NOSYS)?.copy_from_slice(text);
    CStr::from_bytes_until_nul(buffer).map_err(|_| Errno::NOSYS)
}

/// The way of older kernels, and of settings that are long; all together fit into a page.
pub(super) fn mount_by_path(
    wanted: &FileSystem<'_>,
    source: &CStr,
    onto: &OwnedFd,
) -> Result<(), Errno> {
    let place = DescriptorPath::of(onto.as_fd());
    mount(source, place.as_c_str()?, wanted.kind, as_flags(wanted.attributes), wanted.settings)
}

/// The attributes as mount(2) takes them.
pub(super) fn as_flags(attributes: MountAttrFlags) -> MountFlags {
    const PAIRS: [(MountAttrFlags, MountFlags); 8] = [
        (MountAttrFlags::MOUNT_ATTR_RDONLY, MountFlags::RDONLY),
        (MountAttrFlags::MOUNT_ATTR_NOSUID, MountFlags::NOSUID),
        (MountAttrFlags::MOUNT_ATTR_NODEV, MountFlags::NODEV),
        (MountAttrFlags::MOUNT_ATTR_NOEXEC, MountFlags::NOEXEC),
        (MountAttrFlags::MOUNT_ATTR_NOATIME, MountFlags::NOATIME),
        (MountAttrFlags::MOUNT_ATTR_STRICTATIME, MountFlags::STRICTATIME),
        (MountAttrFlags::MOUNT_ATTR_NODIRATIME, MountFlags::NODIRATIME),
        (MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW, MountFlags::NOSYMFOLLOW),
    ];
    let wanted = PAIRS.iter().filter(|(attribute, _)| attributes.contains(*attribute));
    wanted.fold(MountFlags::empty(), |flags, (_, flag)| flags | *flag)
}
