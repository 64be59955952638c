//! A /proc that nobody has put anything over, and writing to its files: a name below the /proc that
//! an image or another process has prepared could lead the write to another file than is meant.

use super::filesystem::{self, FileSystem};
use super::inside;
use super::mounts::Name;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, StatxFlags, fstat, fstatfs, openat,
    openat2, statx,
};
use rustix::io::Errno;

static OPEN: Operation = Operation {
    words: rare!("open a /proc of its own"),
    on: Object::None,
    cures: &[(Errno::NOENT, Cure::Words(rare!("/proc has to be mounted")))],
};

/// What to say of a write that would have gone elsewhere.
pub(super) const COVERED: (Errno, Cure) = (
    Errno::XDEV,
    Cure::Words(rare!("something is mounted over it, or the name leads out of its folder")),
);

/// Opens one that is mounted nowhere; where the kernel makes no such, the one at /proc. To be called
/// before the mount namespace of a container is entered.
///
/// # Errors
///
/// open(2) on /proc; `EXDEV`: what is mounted there is none, or a part of one.
pub fn open() -> Result<OwnedFd, Fault> {
    match filesystem::make(&FileSystem::PROC) {
        // Part of the present one is hidden, or the process namespace is another user namespace's;
        // or the kernel is older than Linux 5.2.
        Err(Errno::PERM | Errno::NOSYS) => open_present(),
        answer => answer,
    }
    .doing(&OPEN)
}

fn open_present() -> Result<OwnedFd, Errno> {
    // The root of every procfs has this number.
    const ROOT: u64 = 1;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let proc = openat(CWD, c"/proc", flags, Mode::empty())?;
    let is_whole =
        fstatfs(proc.as_fd())?.f_type == PROC_SUPER_MAGIC && fstat(proc.as_fd())?.st_ino == ROOT;
    if is_whole { Ok(proc) } else { Err(Errno::XDEV) }
}

/// Writes all of `value` at once to the file at `path`, which is relative to `folder`, an open
/// directory of a /proc; `self` in it is this process.
///
/// # Errors
///
/// open(2), write(2); `EXDEV`: something is mounted over it, or the path leads out of the folder.
pub fn write(folder: BorrowedFd<'_>, path: &CStr, value: &[u8]) -> Result<(), Errno> {
    let file = open_below(folder, path, OFlags::WRONLY)?;
    match rustix::io::write(file.as_fd(), value)? {
        count if count == value.len() => Ok(()),
        _ => Err(Errno::IO),
    }
}

/// Opens what is at `path` below `folder`, in the same mount. The links in a /proc are the kernel's
/// own; those that lead to anywhere are not followed.
pub(super) fn open_below(
    folder: BorrowedFd<'_>,
    path: &CStr,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    let below = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
    match openat2(folder, path, flags, Mode::empty(), below) {
        // An older kernel, or a filter around us that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => open_and_check(folder, path, flags),
        answer => answer,
    }
}

/// As [`open_below`], by a walk that stays inside: if what is found at its end is in the mount that
/// it began in, it has never left it.
fn open_and_check(folder: BorrowedFd<'_>, path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = path.to_bytes();
    // The walk would stop at the folder, as at a root.
    if path.starts_with(b"/") || path.split(|byte| *byte == b'/').any(|name| name == b"..") {
        return Err(Errno::XDEV);
    }
    let end = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (way, name) = path.split_at(end);
    let (mut before, mut last) = (Name::<256>::new(), Name::<256>::new());
    let way = inside::open(folder, before.push(way).as_c_str()?)?;
    let name = last.push(name).as_c_str()?;
    let file = openat(way.as_fd(), name, flags | OFlags::NOFOLLOW, Mode::empty())?;
    if mount_of(folder)? == mount_of(file.as_fd())? { Ok(file) } else { Err(Errno::XDEV) }
}

/// The device, and the number of the mount: 0 before Linux 5.8, which has two places of one /proc
/// look alike.
fn mount_of(file: BorrowedFd<'_>) -> Result<(u32, u32, u64), Errno> {
    let status = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    Ok((status.stx_dev_major, status.stx_dev_minor, status.stx_mnt_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::read;

    /// The start of the file, by either way.
    fn start(path: &CStr) -> [Result<Vec<u8>, Errno>; 2] {
        let proc = open_present().unwrap();
        [open_below, open_and_check].map(|open| {
            let file = open(proc.as_fd(), path, OFlags::RDONLY)?;
            let mut buffer = [0; 16];
            let length = read(file, &mut buffer)?;
            Ok(buffer[..length].to_vec())
        })
    }

    #[test]
    fn files_of_this_process_and_settings_are_found() {
        let name = std::fs::read("/proc/self/comm").unwrap();
        assert_eq!(start(c"self/comm"), [Ok(name.clone()), Ok(name)]);
        let kind = std::fs::read("/proc/sys/kernel/ostype").unwrap();
        assert_eq!(start(c"sys/kernel/ostype"), [Ok(kind.clone()), Ok(kind)]);
        assert_eq!(start(c"sys/no/such"), [Err(Errno::NOENT), Err(Errno::NOENT)]);
    }

    #[test]
    fn nothing_leads_out() {
        for path in [c"/etc/passwd", c"../etc/passwd", c"sys/../../etc/passwd"] {
            assert_eq!(start(path), [Err(Errno::XDEV), Err(Errno::XDEV)]);
        }
        for found in start(c"self/root/etc/passwd").into_iter().chain(start(c"self/exe")) {
            assert!(matches!(found, Err(Errno::LOOP | Errno::XDEV | Errno::NOENT)), "{found:?}");
        }
    }
}
