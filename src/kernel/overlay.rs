//! A root of layers: directories that are seen as one, over which what is written lies apart, in
//! memory or in a directory; the kernel's `Documentation/filesystems/overlayfs.rst`.

use super::filesystem::{self, FileSystem, as_flags};
use super::mounts::{DescriptorPath, Name, attach};
use super::root::{OPEN, open_directory};
use super::settings::read_file;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::text::parts;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, chmodat, chownat, fstat, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, mount,
};

static MEMORY: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("mount memory on")) };
static OVERLAY: Operation = Operation {
    words: rare!("lay what is written over"),
    on: Object::Target,
    cures: &[
        (
            Errno::NODEV,
            Cure::Words(rare!("the kernel has no overlay file system (CONFIG_OVERLAY_FS)")),
        ),
        (
            Errno::PERM,
            Cure::Words(rare!(
                "without root privilege the kernel does this from Linux 5.11 on: run as root"
            )),
        ),
        (
            Errno::INVAL,
            Cure::Words(rare!(
                "its file system cannot be a layer of an overlay, nor, without root privilege, a \
                 directory that has mounts in it"
            )),
        ),
        (Errno::NOENT, Cure::Words(rare!("/proc has to be mounted, to name the layers"))),
        (Errno::NOSYS, Cure::Words(rare!("an overlay takes Linux 5.2 or newer here"))),
    ],
};

/// The upper layer, and the directory that the overlay needs beside it.
const UPPER: FileSystem<'static> =
    FileSystem { kind: c"tmpfs", settings: c"mode=755", attributes: MountAttrFlags::empty() };

/// As many layers as one overlay is made of here; an image of Docker's has at most 127.
pub const LAYERS_MAX: usize = 128;

/// Mounts, on the topmost of the directories `lower`, an overlay of all of them, and returns the
/// mount. What is written goes to the directory `kept`, which has the folders `upper` and `work`, or
/// to memory that is gone with the container. `privileged` says whether the caller may use `trusted`
/// extended attributes, which is what the overlay notes deletions with; otherwise `user` ones.
///
/// # Errors
///
/// Those of open(2) on the directories, and of mounting.
pub fn prepare(
    lower: &[&CStr],
    kept: Option<&CStr>,
    privileged: bool,
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Fault> {
    let mut layers = [const { None }; LAYERS_MAX];
    let topmost = open_all(lower, &mut layers).doing(&OPEN)?;
    let (upper, work, onto);
    if let Some(kept) = kept {
        let kept = open_directory(kept).doing(&OPEN)?;
        upper = open_folder(kept.as_fd(), c"upper").doing(&OVERLAY)?;
        work = open_folder(kept.as_fd(), c"work").doing(&OVERLAY)?;
        onto = open_folder(topmost.as_fd(), c".").doing(&OVERLAY)?;
    } else {
        // The upper layer has to be mounted somewhere in this namespace: on the directory itself,
        // which the open descriptor still leads to.
        onto = filesystem::make(&UPPER).doing(&MEMORY)?;
        attach(&onto, topmost).doing(&MEMORY)?;
        upper = make_upper(onto.as_fd(), topmost.as_fd()).doing(&OVERLAY)?;
        work = make_folder(onto.as_fd(), c"work").doing(&OVERLAY)?;
    }
    let wanted = Overlay { lower: joined(&layers), upper, work, privileged, attributes };
    let mounted = if wanted.lower.len() < SETTING_BYTES {
        wanted.mount().and_then(|overlay| attach(&overlay, &onto).map(|()| overlay))
    } else {
        let top = lower.first().copied().unwrap_or_default();
        wanted.mount_by_path(onto.as_fd()).and_then(|()| open_directory(top))
    };
    mounted.doing(&OVERLAY)
}

/// Mounts, nowhere, an overlay of these directories, the topmost first: what is written there is in
/// `upper`, which lies beside `work`.
///
/// # Errors
///
/// open(2), and those of mounting.
pub fn over(
    lower: &[&CStr],
    upper: &CStr,
    work: &CStr,
    privileged: bool,
) -> Result<OwnedFd, Errno> {
    let mut layers = [const { None }; LAYERS_MAX];
    open_all(lower, &mut layers)?;
    let (upper, work) = (open_directory(upper)?, open_directory(work)?);
    let wanted = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let below = joined(&layers);
    if below.len() < SETTING_BYTES {
        fsconfig_set_string(wanted.as_fd(), c"lowerdir", below.as_c_str()?)?;
    } else {
        // One after the other, from Linux 6.8 on.
        for layer in layers.iter().flatten() {
            let layer = DescriptorPath::of(layer.as_fd());
            fsconfig_set_string(wanted.as_fd(), c"lowerdir+", layer.as_c_str()?)?;
        }
    }
    make(wanted.as_fd(), upper.as_fd(), work.as_fd(), privileged, MountAttrFlags::empty())
}

/// Whether this kernel has overlays for who makes them; None if that has to be tried. Without root
/// privilege on the host it has them from Linux 5.11 on.
#[must_use]
pub fn is_there(privileged: bool, kernel: (u16, u16)) -> Option<bool> {
    if privileged {
        return Some(can_be_made());
    }
    let known = read_file(c"/proc/filesystems").unwrap_or_default();
    let is_known = parts(known, b'\n').any(|line| line == b"nodev\toverlay");
    if kernel < (5, 11) { Some(false) } else { is_known.then_some(true) }
}

/// Tries it, which also loads the module.
#[must_use]
pub fn can_be_made() -> bool {
    fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC).is_ok()
}

/// Opens all of them; returns the first.
fn open_all<'a>(
    directories: &[&CStr],
    open: &'a mut [Option<OwnedFd>; LAYERS_MAX],
) -> Result<&'a OwnedFd, Errno> {
    if directories.len() > LAYERS_MAX {
        return Err(Errno::INVAL);
    }
    for (place, directory) in open.iter_mut().zip(directories) {
        *place = Some(open_directory(directory)?);
    }
    open[0].as_ref().ok_or(Errno::NOENT)
}

/// A single setting of a file system is shorter; fsconfig(2).
const SETTING_BYTES: usize = 256;
/// All settings together, as mount(2) takes them: a page.
const SETTINGS_BYTES: usize = 4096;

/// An overlay that is to be mounted.
struct Overlay {
    /// The names of the lower layers, with colons between them.
    lower: Name<SETTINGS_BYTES>,
    upper: OwnedFd,
    work: OwnedFd,
    privileged: bool,
    attributes: MountAttrFlags,
}

impl Overlay {
    fn mount(&self) -> Result<OwnedFd, Errno> {
        let wanted = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(wanted.as_fd(), c"lowerdir", self.lower.as_c_str()?)?;
        let (upper, work) = (self.upper.as_fd(), self.work.as_fd());
        make(wanted.as_fd(), upper, work, self.privileged, self.attributes)
    }

    /// The way for many layers.
    fn mount_by_path(&self, onto: BorrowedFd<'_>) -> Result<(), Errno> {
        let mut settings = Name::<SETTINGS_BYTES>::new();
        settings.push(b"lowerdir=").push(self.lower.bytes());
        settings.push(b",upperdir=").push(DescriptorPath::of(self.upper.as_fd()).bytes());
        settings.push(b",workdir=").push(DescriptorPath::of(self.work.as_fd()).bytes());
        settings.push(if self.privileged { b"" } else { b",userxattr" });
        let (place, flags) = (DescriptorPath::of(onto), as_flags(self.attributes));
        mount(c"overlay", place.as_c_str()?, c"overlay", flags, settings.as_c_str()?)
    }
}

/// Makes the overlay whose lower layers are set.
fn make(
    wanted: BorrowedFd<'_>,
    upper: BorrowedFd<'_>,
    work: BorrowedFd<'_>,
    privileged: bool,
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Errno> {
    let (upper, work) = (DescriptorPath::of(upper), DescriptorPath::of(work));
    fsconfig_set_string(wanted, c"upperdir", upper.as_c_str()?)?;
    fsconfig_set_string(wanted, c"workdir", work.as_c_str()?)?;
    if !privileged {
        fsconfig_set_flag(wanted, c"userxattr")?;
    }
    fsconfig_create(wanted)?;
    fsmount(wanted, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// The names of open layers, with colons between them.
fn joined(layers: &[Option<OwnedFd>]) -> Name<SETTINGS_BYTES> {
    let mut below = Name::new();
    for layer in layers.iter().flatten() {
        below
            .push(if below.len() == 0 { b"" } else { b":" })
            .push(DescriptorPath::of(layer.as_fd()).bytes());
    }
    below
}

/// The root of the overlay has the attributes of its upper layer: those of the topmost directory.
fn make_upper(memory: BorrowedFd<'_>, topmost: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let upper = make_folder(memory, c"upper")?;
    let found = fstat(topmost)?;
    if (found.st_uid, found.st_gid) != (0, 0) {
        // An owner who is not known here cannot be had.
        let owner = (Uid::from_raw(found.st_uid), Gid::from_raw(found.st_gid));
        let _ = chownat(memory, c"upper", Some(owner.0), Some(owner.1), AtFlags::empty());
    }
    chmodat(memory, c"upper", Mode::from_raw_mode(found.st_mode), AtFlags::empty())?;
    Ok(upper)
}

fn make_folder(memory: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    mkdirat(memory, name, Mode::from_raw_mode(0o755))?;
    open_folder(memory, name)
}

fn open_folder(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(folder, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
