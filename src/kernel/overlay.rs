//! A root whose changes are thrown away: an overlay of the root directory with an upper layer in
//! memory; the kernel's `Documentation/filesystems/overlayfs.rst`.

use super::filesystem::{self, FileSystem};
use super::mounts::{DescriptorPath, attach};
use super::root::{OPEN, open_directory};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use core::ffi::CStr;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags, chmodat, fstat, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

static MEMORY: Operation = Operation { on: Object::Target, ..Operation::new("mount memory on") };
static OVERLAY: Operation = Operation {
    words: "lay memory over",
    on: Object::Target,
    cures: &[
        (Errno::NODEV, Cure::Words("the kernel has no overlay file system (CONFIG_OVERLAY_FS)")),
        (
            Errno::PERM,
            Cure::Words(
                "without root privilege the kernel does this from Linux 5.11 on: run as root",
            ),
        ),
        (
            Errno::INVAL,
            Cure::Words(
                "the file system of the root directory cannot be a layer of an overlay, nor, without \
                 root privilege, a directory that has mounts in it",
            ),
        ),
        (Errno::NOENT, Cure::Words("/proc has to be mounted, to name the layers")),
        (Errno::NOSYS, Cure::Words("--ephemeral takes Linux 5.2 or newer")),
    ],
};

/// The upper layer, and the directory that the overlay needs beside it.
const UPPER: FileSystem<'static> =
    FileSystem { kind: c"tmpfs", settings: c"mode=755", attributes: MountAttrFlags::empty() };

/// Mounts, on the root directory, an overlay of it whose upper layer is gone with the container;
/// returns the mount. `privileged` says whether the caller may use `trusted` extended attributes,
/// which is what the overlay notes deletions with; otherwise `user` ones.
///
/// # Errors
///
/// Those of open(2) on the directory, and of mounting.
pub fn prepare(
    directory: &CStr,
    privileged: bool,
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Fault> {
    let lower = open_directory(directory).doing(&OPEN)?;
    // Layers have to be mounted somewhere in this namespace: on the directory itself, which the
    // open descriptor still leads to.
    let memory = filesystem::make(&UPPER).doing(&MEMORY)?;
    attach(&memory, &lower).doing(&MEMORY)?;
    let overlay = overlay(&lower, &memory, privileged, attributes).doing(&OVERLAY)?;
    attach(&overlay, &memory).doing(&OVERLAY)?;
    Ok(overlay)
}

fn overlay(
    lower: &OwnedFd,
    memory: &OwnedFd,
    privileged: bool,
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Errno> {
    // The root of the overlay has the attributes of its upper layer: the mode of the directory's.
    let found = fstat(lower)?;
    let upper = make_folder(memory, c"upper")?;
    chmodat(memory, c"upper", Mode::from_raw_mode(found.st_mode), AtFlags::empty())?;
    let work = make_folder(memory, c"work")?;
    let wanted = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&wanted, c"lowerdir", DescriptorPath::of(lower).as_c_str()?)?;
    fsconfig_set_string(&wanted, c"upperdir", DescriptorPath::of(&upper).as_c_str()?)?;
    fsconfig_set_string(&wanted, c"workdir", DescriptorPath::of(&work).as_c_str()?)?;
    if !privileged {
        fsconfig_set_flag(&wanted, c"userxattr")?;
    }
    fsconfig_create(&wanted)?;
    fsmount(&wanted, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

fn make_folder(memory: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    mkdirat(memory, name, Mode::from_raw_mode(0o755))?;
    openat(memory, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
