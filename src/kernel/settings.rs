//! The settings and limits of the host that can forbid a launch, with their current values, in the
//! words of a hint.

use crate::sys::descriptors::AsFd;
use crate::text::{Text, cut, parts, read_start};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::BorrowedFd;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Resource, getrlimit};

const MAX_USER_NAMESPACES: &CStr = c"/proc/sys/user/max_user_namespaces";

/// Why a user namespace cannot be made, or is of no use; `user_namespaces(7)`, and Ubuntu's and
/// Debian's own settings.
#[must_use]
pub fn user_namespaces() -> &'static [u8] {
    const SETTINGS: [(&str, &CStr, &str); 3] = [
        ("user.max_user_namespaces", MAX_USER_NAMESPACES, "0"),
        ("kernel.unprivileged_userns_clone", c"/proc/sys/kernel/unprivileged_userns_clone", "0"),
        (
            "kernel.apparmor_restrict_unprivileged_userns",
            c"/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
        ),
    ];
    let mut hint = Text::new();
    let mut buffer = [0; 32];
    for (name, path, forbidding) in SETTINGS {
        let value = read_value(path, &mut buffer);
        if value == Some(forbidding.as_bytes()) {
            hint.say(rare!("without root privilege a user namespace is needed, which "));
            hint.push(name)
                .push(" = ")
                .push(forbidding)
                .say(rare!(" forbids: change it (sysctl -w "));
            hint.push(name).push(if forbidding == "0" { "=..." } else { "=0" });
            hint.say(rare!("), or run as root"));
            return hint.leak();
        }
    }
    hint.say(rare!(
        "without root privilege a user namespace is needed; a security policy, a chroot or a limit \
        forbids it here"
    ));
    if let Some(value) = read_value(MAX_USER_NAMESPACES, &mut buffer) {
        hint.say(rare!(" (user.max_user_namespaces = ")).push_name(value).push(")");
    }
    hint.say(rare!(": run as root"));
    hint.leak()
}

/// Which limit on the number of processes applies: the user's, or that of a cgroup.
#[must_use]
#[inline(never)]
pub fn processes() -> &'static [u8] {
    let mut hint = Text::new();
    hint.say(rare!("no more processes are allowed here: RLIMIT_NPROC (ulimit -u) is "));
    match getrlimit(Resource::Nproc).current {
        Some(limit) => hint.push_number(limit),
        None => hint.push("unlimited"),
    };
    let mut buffer = [0; 4096];
    if let Some(group) = pids_cgroup(&mut buffer) {
        let mut path = group.mount.as_bytes().to_vec();
        path.extend_from_slice(group.path);
        path.extend_from_slice(b"/pids.max");
        path.push(0);
        let path = CStr::from_bytes_until_nul(&path).unwrap_or_default();
        if let Some(value) = read_value(path, &mut [0; 32]) {
            hint.push(", ").push_name(path.to_bytes()).push(" is ").push_name(value);
        }
    }
    hint.leak()
}

/// A cgroup that counts processes: where its hierarchy is mounted, and its path there.
#[cfg_attr(test, derive(Debug, PartialEq))]
struct Cgroup<'a> {
    mount: &'static str,
    path: &'a [u8],
}

fn pids_cgroup(buffer: &mut [u8]) -> Option<Cgroup<'_>> {
    find_pids_cgroup(read(c"/proc/self/cgroup", buffer)?)
}

/// Finds it in `/proc/self/cgroup`, of lines `ID:CONTROLLERS:PATH`; cgroups(7). The hierarchy of
/// version 2 has no controllers there.
fn find_pids_cgroup(lines: &[u8]) -> Option<Cgroup<'_>> {
    let mut unified = None;
    for line in parts(lines, b'\n') {
        let (controllers, path) = cut(cut(line, b':').1.unwrap_or_default(), b':');
        let Some(path) = path else { continue };
        if controllers.is_empty() {
            unified = Some(Cgroup { mount: "/sys/fs/cgroup", path });
        } else if parts(controllers, b',').any(|name| name == b"pids") {
            return Some(Cgroup { mount: "/sys/fs/cgroup/pids", path });
        }
    }
    unified
}

/// The content of a file of one line.
fn read_value<'a>(path: &CStr, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    read(path, buffer).map(|content| cut(content, b'\n').0)
}

#[inline(never)]
fn read<'a>(path: &CStr, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    read_start(&file, buffer).ok()
}

/// More than any file that is read here.
const BYTES_MAX: usize = 1 << 22;

/// Reads a file whole; what is in it is kept until the process ends.
///
/// # Errors
///
/// open(2), read(2); `EFBIG` for one that cannot be meant.
#[inline(never)]
pub fn read_file(path: &CStr) -> Result<&'static [u8], Errno> {
    let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    read_whole(file.as_fd())
}

/// Reads what there is to read from an open file, likewise.
///
/// # Errors
///
/// read(2); `EFBIG`.
pub fn read_whole(file: BorrowedFd<'_>) -> Result<&'static [u8], Errno> {
    let mut content = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = retry_on_intr(|| rustix::io::read(file, &mut piece))?;
        content.extend_from_slice(piece.get(..length).unwrap_or_default());
        match length {
            0 => return Ok(content.leak()),
            _ if content.len() > BYTES_MAX => return Err(Errno::FBIG),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pids_cgroup_is_found_in_either_version() {
        let v1 = b"3:cpu,cpuacct:/\n2:memory,pids:/jobs/a\n1:name=systemd:/\n0::/unified\n";
        let found = Cgroup { mount: "/sys/fs/cgroup/pids", path: b"/jobs/a" };
        assert_eq!(find_pids_cgroup(v1), Some(found));
        let found = Cgroup { mount: "/sys/fs/cgroup", path: b"/user.slice" };
        assert_eq!(find_pids_cgroup(b"0::/user.slice"), Some(found));
        assert_eq!(find_pids_cgroup(b""), None);
    }
}
