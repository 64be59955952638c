//! Groups of processes that share a part of the caches and of the memory bandwidth; the kernel's
//! `filesystems/resctrl`, and `linux.intelRdt` of the OCI specification. Run by the runtime.

use super::mounts::Name;
use super::settings::read_file;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::text::{parts, read_start};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::Pid;

/// A group, and what is asked of it.
pub struct Group<'a> {
    /// Its name: a single one.
    pub name: &'a CStr,
    /// Whether it has to be there already: it was named, and nothing is said of what it gets.
    pub is_present: bool,
    /// What it gets, as lines of its `schemata`.
    pub schemata: &'a [&'a CStr],
    /// The name under which what the container uses is counted.
    pub monitored: Option<&'a CStr>,
}

static FIND: Operation = Operation {
    words: rare!("find a mounted resctrl"),
    on: Object::None,
    cures: &[(
        Errno::NODEV,
        Cure::Words(rare!(
            "linux.intelRdt takes a processor with that, and mount -t resctrl resctrl /sys/fs/resctrl"
        )),
    )],
};
static JOIN: Operation = Operation {
    words: rare!("join the resctrl group"),
    on: Object::Target,
    cures: &[
        (Errno::NOENT, Cure::Words(rare!("a group without schemata has to be there already"))),
        (Errno::NOSPC, Cure::Words(rare!("the processor has no more groups"))),
    ],
};
static SHARE: Operation = Operation {
    words: rare!("set the schemata of the resctrl group"),
    on: Object::Target,
    cures: &[
        (Errno::EXIST, Cure::Words(rare!("the group is there already, and has others"))),
        (Errno::INVAL, Cure::Words(rare!("/sys/fs/resctrl/info/last_cmd_status says why"))),
    ],
};

/// Opens the root of the groups.
///
/// # Errors
///
/// `ENODEV`: there is none.
pub fn open() -> Result<OwnedFd, Fault> {
    let mounts = read_file(c"/proc/self/mountinfo").doing(&FIND)?;
    let mut place = mount_point(mounts).ok_or(Errno::NODEV).doing(&FIND)?.to_vec();
    place.push(0);
    let place = CStr::from_bytes_until_nul(&place).unwrap_or_default();
    openat(CWD, place, FOLDER, Mode::empty()).doing(&FIND)
}

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Where it is mounted, of lines such as `36 35 98:0 / /sys/fs/resctrl rw,noatime shared:1 - resctrl
/// resctrl rw`; `proc_pid_mountinfo(5)`.
fn mount_point(mounts: &[u8]) -> Option<&[u8]> {
    parts(mounts, b'\n').find_map(|line| {
        let kind = parts(line, b' ').skip_while(|word| *word != b"-").nth(1);
        kind.filter(|kind| *kind == b"resctrl").and_then(|_| parts(line, b' ').nth(4))
    })
}

/// Puts a process into a group, which is made if it may be; returns whether it was.
///
/// # Errors
///
/// mkdir(2), open(2), write(2); `EEXIST` for a group with other schemata.
pub fn join(root: &OwnedFd, group: &Group<'_>, process: Pid) -> Result<bool, Fault> {
    let made = !group.is_present && make(root.as_fd(), group.name).doing(&JOIN)?;
    let folder =
        openat(root.as_fd(), group.name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).doing(&JOIN)?;
    let folder = folder.as_fd();
    let shared = if made { share(folder, group.schemata) } else { compare(folder, group.schemata) };
    let joined = shared.doing(&SHARE).and_then(|()| enter(folder, group, process).doing(&JOIN));
    if joined.is_err() {
        leave(root, group, made);
    }
    joined.map(|()| made)
}

fn make(folder: BorrowedFd<'_>, name: &CStr) -> Result<bool, Errno> {
    if matches!(name.to_bytes(), b"" | b"." | b"..") || name.to_bytes().contains(&b'/') {
        return Err(Errno::INVAL);
    }
    match mkdirat(folder, name, Mode::from_raw_mode(0o755)) {
        Err(Errno::EXIST) => Ok(false),
        answer => answer.map(|()| true),
    }
}

fn share(folder: BorrowedFd<'_>, schemata: &[&CStr]) -> Result<(), Errno> {
    let mut lines = Vec::new();
    for line in schemata {
        lines.extend_from_slice(line.to_bytes());
        lines.push(b'\n');
    }
    if lines.is_empty() { Ok(()) } else { write(folder, c"schemata", &lines) }
}

/// Gives a group that is there another share.
///
/// # Errors
///
/// open(2): `ENOENT` if it is not there; write(2): `EINVAL`.
pub fn change(root: &OwnedFd, name: &CStr, schemata: &[&CStr]) -> Result<(), Fault> {
    let folder =
        openat(root.as_fd(), name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).doing(&SHARE)?;
    share(folder.as_fd(), schemata).doing(&SHARE)
}

/// Others are in the group already; it stays as it is.
fn compare(folder: BorrowedFd<'_>, schemata: &[&CStr]) -> Result<(), Errno> {
    let mut buffer = [0; 4096];
    let file = openat(folder, c"schemata", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let present = read_start(&file, &mut buffer)?;
    for line in schemata {
        let mut lines = parts(present, b'\n').map(<[u8]>::trim_ascii);
        if !lines.any(|present| present == line.to_bytes().trim_ascii()) {
            return Err(Errno::EXIST);
        }
    }
    Ok(())
}

fn enter(folder: BorrowedFd<'_>, group: &Group<'_>, process: Pid) -> Result<(), Errno> {
    let mut number: Name = Name::new();
    number.push_number(process.as_raw_nonzero().get().unsigned_abs());
    write(folder, c"tasks", number.bytes())?;
    let Some(name) = group.monitored else { return Ok(()) };
    let counted = openat(folder, c"mon_groups", FOLDER, Mode::empty())?;
    make(counted.as_fd(), name)?;
    let counted = openat(counted.as_fd(), name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
    write(counted.as_fd(), c"tasks", number.bytes())
}

fn write(folder: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> Result<(), Errno> {
    let file = openat(folder, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(file.as_fd(), value).map(drop)
}

/// Removes what [`join`] has made, as far as it is still there.
pub fn leave(root: &OwnedFd, group: &Group<'_>, made: bool) {
    if let Some(name) = group.monitored {
        let counted = openat(root.as_fd(), group.name, FOLDER | OFlags::NOFOLLOW, Mode::empty())
            .and_then(|folder| openat(folder.as_fd(), c"mon_groups", FOLDER, Mode::empty()));
        if let Ok(counted) = counted {
            let _ = unlinkat(counted.as_fd(), name, AtFlags::REMOVEDIR);
        }
    }
    if made {
        let _ = unlinkat(root.as_fd(), group.name, AtFlags::REMOVEDIR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_found_by_its_type() {
        let lines = b"35 1 0:30 / /resctrl rw - tmpfs resctrl rw\n\
            36 35 0:31 / /sys/fs/resctrl rw,relatime shared:1 - resctrl resctrl rw\n";
        assert_eq!(mount_point(lines), Some(&b"/sys/fs/resctrl"[..]));
        assert_eq!(mount_point(&lines[..40]), None);
    }

    #[test]
    fn another_share_is_written_as_lines() {
        let place = std::env::temp_dir().join(format!("resctrl-{}", std::process::id()));
        std::fs::create_dir_all(place.join("group")).unwrap();
        let path = std::ffi::CString::new(place.to_str().unwrap()).unwrap();
        std::fs::write(place.join("group/schemata"), "").unwrap();
        let root = openat(CWD, &*path, FOLDER, Mode::empty()).unwrap();
        assert!(change(&root, c"group", &[c"L3:0=f;1=f", c"MB:0=20"]).is_ok());
        let written = std::fs::read_to_string(place.join("group/schemata")).unwrap();
        assert_eq!(written, "L3:0=f;1=f\nMB:0=20\n");
        let missing = change(&root, c"none", &[c"MB:0=20"]).err();
        assert!(missing.is_some_and(|fault| fault.errno == Errno::NOENT));
        std::fs::remove_dir_all(place).unwrap();
    }
}
