//! What is tried, each in a process of its own that is thrown away, with what it made.

use crate::kernel::filesystem::{self, FileSystem};
use crate::kernel::identity::{set_groups, switch_to, write_maps};
use crate::kernel::settings::read_file;
use crate::kernel::{mounts, overlay};
use crate::launch::id_map;
use crate::sys::descriptors::AsFd;
use crate::sys::mounts::{Change, Reach, change};
use crate::sys::namespaces::{Namespaces, unshare};
use crate::sys::process::{Memory, clone};
use crate::text::{Text, cut, parts};
use core::ffi::CStr;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, openat, statfs};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};
use rustix::process::{
    DumpableBehavior, WaitOptions, getegid, geteuid, set_dumpable_behavior, waitpid,
};

/// Who tries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// The caller, as it is.
    Caller,
    /// The caller, or where that is root, a user who is nobody.
    Nobody,
}

/// The user and group that have nothing; the kernel's overflow ids.
const NOBODY: u32 = 65534;

/// Does `act` in new namespaces of these kinds, in a process of its own.
pub fn attempt(
    whose: As,
    kinds: Namespaces,
    act: &dyn Fn() -> Result<(), Errno>,
) -> Result<(), Errno> {
    in_child(&|| {
        if whose == As::Nobody && geteuid().is_root() {
            set_groups(&[]).map_err(|fault| fault.errno)?;
            switch_to(NOBODY, NOBODY).map_err(|fault| fault.errno)?;
            // Its files in /proc are its own again.
            set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        }
        unshare(kinds)?;
        act()
    })
}

/// The error of a process is its exit status: the numbers are small.
fn in_child(act: &dyn Fn() -> Result<(), Errno>) -> Result<(), Errno> {
    let mut child = || act().map_or_else(|errno| errno.raw_os_error() as u8, |()| 0);
    let process = clone(Memory::Copied, Namespaces::NONE, &mut child)?;
    loop {
        if let Some((_, ended)) = waitpid(Some(process), WaitOptions::empty())? {
            return match ended.exit_status() {
                Some(0) => Ok(()),
                Some(number) => Err(Errno::from_raw_os_error(number)),
                None => Err(Errno::INTR),
            };
        }
    }
}

/// Lays memory over a directory, as --ephemeral does.
pub fn overlay(whose: As) -> Result<(), Errno> {
    let kinds = match whose {
        As::Caller => Namespaces::MOUNT,
        As::Nobody => Namespaces::MOUNT.and(Namespaces::USER),
    };
    // Inside, the ids are not known before they are mapped.
    let user = if geteuid().is_root() { NOBODY } else { geteuid().as_raw() };
    let group = if geteuid().is_root() { NOBODY } else { getegid().as_raw() };
    let made = |root: OwnedFd| {
        if whose == As::Nobody {
            write_maps(line(user), line(group))?;
        }
        mounts::make_private(false)?;
        // Not over a directory of the host's: any may have mounts in it, and without root privilege
        // such a one cannot be a layer.
        filesystem::mount_new(root.as_fd(), c"/", &FileSystem::SHARED_MEMORY)?;
        // By this name the new memory; `/` is still the directory under it.
        overlay::prepare(&[c"/.."], None, whose == As::Caller, MountAttrFlags::empty()).map(drop)
    };
    attempt(whose, kinds, &|| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        made(openat(CWD, c"/", flags, Mode::empty())?).map_err(|fault| fault.errno)
    })
}

/// A map of one id, as root's.
fn line(id: u32) -> &'static [u8] {
    let mut text = Text::new();
    text.push("0 ").push_number(id.into()).push(" 1\n");
    text.leak()
}

/// Maps the ids of a copy of a mount.
pub fn id_mapped() -> Result<(), Errno> {
    in_child(&|| {
        unshare(Namespaces::MOUNT)?;
        let map = b"0 100000 1000\n";
        let users = id_map::namespace(map, map).map_err(|fault| fault.errno)?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = open_tree(CWD, c"/", flags)?;
        change(tree.as_fd(), Reach::Mount, Change { id_map: Some(users.as_fd()), ..Change::NONE })
    })
}

/// The file system that version 2 is; statfs(2).
const CGROUP2_SUPER_MAGIC: u64 = 0x6367_7270;

/// Which version is mounted, and the controllers there are; cgroups(7).
pub fn cgroups() -> (&'static str, &'static [u8]) {
    let is_second =
        |path: &CStr| statfs(path).is_ok_and(|found| found.f_type as u64 == CGROUP2_SUPER_MAGIC);
    if is_second(c"/sys/fs/cgroup") {
        let names = read_file(c"/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        return ("version 2", cut(names, b'\n').0);
    }
    let lines = read_file(c"/proc/self/cgroup").unwrap_or_default();
    let mut names = Text::new();
    for line in parts(lines, b'\n') {
        let name = cut(cut(line, b':').1.unwrap_or_default(), b':').0;
        if !name.is_empty() {
            names.push(if names.is_empty() { "" } else { " " }).push_name(name);
        }
    }
    let version = match (names.is_empty(), is_second(c"/sys/fs/cgroup/unified")) {
        (true, _) => "",
        (false, true) => "versions 1 and 2 (hybrid)",
        (false, false) => "version 1",
    };
    (version, names.leak())
}

/// Where a program is.
pub fn program(name: &str) -> Option<&'static [u8]> {
    for folder in ["/usr/bin/", "/usr/local/bin/", "/bin/", "/usr/sbin/", "/sbin/"] {
        let mut path = Text::new();
        path.push(folder).push(name);
        let path = path.into_c_str();
        if openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).is_ok() {
            return Some(path.to_bytes());
        }
    }
    None
}
