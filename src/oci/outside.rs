//! What a container has from outside of it, which CRIU can neither write down nor make anew: mounts of what the
//! host has, namespaces that others made, and the streams. At a checkpoint each gets a name; at a restore the
//! name is told what to put there; criu(8), `--external` and `--inherit-fd`.

use super::config::Config;
use super::criu::Run;
use super::text::{joined, of_process};
use crate::cgroups::{Cgroup, unescaped};
use crate::container::Mounted;
use crate::error::{Doing, Error, Object, On, Operation};
use crate::json::{self, Value, as_str};
use crate::kernel::entry::Entry;
use crate::kernel::inside::{self, MountPoint};
use crate::kernel::settings::read_file;
use crate::sys::mounts::Reach;
use crate::sys::namespaces::{Namespaces, enter};
use crate::text::{Text, decimal, parts, together, wide_number};
use alloc::vec::Vec;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use rustix::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat_raw, stat};
use rustix::io::Errno;

static FIND: Operation = Operation {
    on: Object::Target,
    ..Operation::new(rare!("find what the container shows of the host:"))
};
static POINT: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("open or make the mount point")) };
static NOTE: Operation = Operation { on: Object::Target, ..Operation::new(rare!("write")) };
static JOIN: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("enter the namespace")) };

/// A mount of what is outside.
struct Shown {
    /// Where the configuration says.
    target: &'static CStr,
    /// What it shows, on the host.
    source: &'static CStr,
    /// Whether with what is mounted below it.
    reach: Reach,
}

/// What is shown in the place of a file that is hidden.
const NULL: &CStr = c"/dev/null";

/// All that can be; a path that is hidden is a mount of the null device only where it is a file.
fn shown(config: &'static Config, cgroup: &Cgroup) -> &'static [Shown] {
    let mut all = Vec::new();
    for mount in &config.container.mounts {
        let target = mount.target;
        if let Mounted::Entry(Entry { bind: Some(reach), source, .. }) = mount.what {
            all.push(Shown { target, source, reach });
        }
        if mount.shows_cgroups() {
            let (is_unified, own) = cgroup.shown();
            for one in own {
                let parts = [target.to_bytes(), b"/", one.name.to_bytes()];
                let target = if is_unified { target } else { joined(&parts) };
                all.push(Shown { target, source: one.own, reach: Reach::Mount });
            }
        }
    }
    for target in &config.container.security.masked {
        all.push(Shown { target, source: NULL, reach: Reach::Mount });
    }
    all.leak()
}

/// A line of mountinfo, as far as it is of use.
struct Line {
    id: &'static [u8],
    place: &'static [u8],
}

/// The mounts that a process has.
fn lines(path: &CStr) -> &'static [Line] {
    let content = read_file(path).unwrap_or_default();
    let mut all = Vec::new();
    for line in parts(content, b'\n') {
        let mut fields = parts(line, b' ');
        if let (Some(id), Some(place)) = (fields.next(), fields.nth(3)) {
            all.push(Line { id, place: unescaped(place) });
        }
    }
    all.leak()
}

/// The mounts below a folder: what comes behind its name.
fn below(lines: &'static [Line], folder: &'static CStr) -> impl Iterator<Item = &'static [u8]> {
    let names = lines.iter().filter_map(move |line| line.place.strip_prefix(folder.to_bytes()));
    names.filter(|rest| rest.first() == Some(&b'/'))
}

/// The mount that an open file is in, from its file in `fdinfo`; `proc_pid_fdinfo(5)`.
fn mount_of(about: &CStr) -> Option<&'static [u8]> {
    let content = read_file(about).ok()?;
    parts(content, b'\n').find_map(|line| line.strip_prefix(b"mnt_id:\t"))
}

/// `/proc/PROCESS/NAME`.
/// What a symbolic link of `/proc` says; nothing if it cannot be read.
fn link_of(path: &CStr) -> &'static [u8] {
    let mut space = [MaybeUninit::uninit(); 4096];
    readlinkat_raw(CWD, path, &mut space).map_or(b"", |(link, _)| together(&[link]))
}

/// Where a mount is, whose root is open, as the process sees it; None if it is none.
fn place_of<'l>(file: &OwnedFd, lines: &'l [Line]) -> Option<&'l Line> {
    let number = decimal(file.as_raw_fd().unsigned_abs().into());
    let id = mount_of(joined(&[b"/proc/self/fdinfo/", number]))?;
    let path = link_of(joined(&[b"/proc/self/fd/", number]));
    lines.iter().find(|line| line.id == id && line.place == path)
}

/// Names what the container `process` has from outside.
///
/// # Errors
///
/// The process is gone, or what is known of it cannot be written down.
pub fn name(
    run: &mut Run,
    config: &'static Config,
    cgroup: &Cgroup,
    process: u32,
) -> Result<(), Error<'static>> {
    let path = of_process(process, b"root");
    let root = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).doing(&FIND);
    let root = root.on(path)?;
    let lines = lines(of_process(process, b"mountinfo"));
    let host = self::lines(c"/proc/self/mountinfo");
    for &Shown { target, source, reach } in shown(config, cgroup) {
        let Ok(file) = inside::open(root.as_fd(), target) else { continue };
        // A folder that is hidden is an empty file system, and not from outside.
        if source == NULL && is_folder(fstat(&file)) {
            continue;
        }
        let Some(line) = place_of(&file, lines) else { continue };
        run.external(b"mnt", line.place, target);
        for rest in below(host, source).filter(|_| reach == Reach::Tree) {
            let place = joined(&[line.place, rest]).to_bytes();
            // One that is mounted on it in the container is the container's own.
            if lines.iter().filter(|line| *line.place == *place).count() == 1 {
                run.external(b"mnt", place, joined(&[target.to_bytes(), rest]));
            }
        }
    }
    for (kind, _) in apart(config) {
        let path = of_process(process, joined(&[b"ns/", kind.as_bytes()]).to_bytes());
        let found = stat(path).doing(&FIND);
        let found = found.on(path)?;
        let name = joined(&[JOINED, kind.as_bytes()]);
        run.external(kind.as_bytes(), decimal(found.st_ino), name);
    }
    name_streams(run, process, lines)
}

fn is_folder(found: Result<Stat, Errno>) -> bool {
    found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory)
}

/// Says what is put where something from outside was.
///
/// # Errors
///
/// A namespace cannot be opened.
#[inline(never)]
pub fn give(run: &mut Run, config: &'static Config, cgroup: &Cgroup) -> Result<(), Error<'static>> {
    let lines = lines(c"/proc/self/mountinfo");
    for &Shown { target, source, reach } in shown(config, cgroup) {
        run.external(b"mnt", target.to_bytes(), source);
        for rest in below(lines, source).filter(|_| reach == Reach::Tree) {
            let name = joined(&[target.to_bytes(), rest]).to_bytes();
            run.external(b"mnt", name, joined(&[source.to_bytes(), rest]));
        }
    }
    for (kind, path) in apart(config) {
        let file = openat(CWD, path, OFlags::RDONLY, Mode::empty()).doing(&JOIN);
        let file = file.on(path)?.into_raw_fd();
        run.keep(file);
        run.inherit(file, joined(&[JOINED, kind.as_bytes()]).to_bytes());
    }
    give_streams(run);
    Ok(())
}

/// Before the name of a kind of namespace: one that was joined.
const JOINED: &[u8] = b"joined-";

/// The joined namespaces that CRIU can have as such: their kinds as the kernel names them, and their files.
fn apart(config: &'static Config) -> impl Iterator<Item = (&'static str, &'static CStr)> {
    config.container.isolation.joined.iter().filter_map(|join| match join.kind {
        Namespaces::NET => Some(("net", join.path)),
        Namespaces::PID => Some(("pid", join.path)),
        _ => None,
    })
}

/// Enters the others: what CRIU is in itself, it leaves to those that it restores.
///
/// # Errors
///
/// open(2), setns(2).
pub fn enter_others(config: &'static Config) -> Result<(), Error<'static>> {
    for join in &config.container.isolation.joined {
        if !matches!(join.kind, Namespaces::NET | Namespaces::PID) {
            let file = openat(CWD, join.path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            let entered = file.and_then(|file| enter(file.as_fd(), join.kind)).doing(&JOIN);
            entered.on(join.path)?;
        }
    }
    Ok(())
}

/// In the image: what the streams were, in the form that runc writes.
const STREAMS: &[u8] = b"/descriptors.json";

/// Notes what the streams are, and names those that are files which only the host sees.
fn name_streams(run: &mut Run, process: u32, lines: &[Line]) -> Result<(), Error<'static>> {
    let mut list = Text::new();
    list.push("[");
    let files = [(&b"fd/0"[..], &b"fdinfo/0"[..]), (b"fd/1", b"fdinfo/1"), (b"fd/2", b"fdinfo/2")];
    for (file, about) in files {
        let file = of_process(process, file);
        let link = link_of(file);
        let mount = mount_of(of_process(process, about)).unwrap_or_default();
        let is_terminal = link.starts_with(b"/dev/pts/") || link.starts_with(b"/dev/tty");
        let is_seen = lines.iter().any(|line| line.id == mount);
        let mut name = link;
        if let (Ok(found), [b'/', ..], false) = (stat(file), link, is_terminal || is_seen) {
            let mount = wide_number(mount).unwrap_or_default();
            let file = joined(&[b"file[", hex(mount), b":", hex(found.st_ino), b"]"]);
            name = file.to_bytes();
            run.add(&[c"--external", file]);
        }
        list.comma().push_json(name);
    }
    let path = joined(&[run.images.to_bytes(), STREAMS]);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Mode::RUSR | Mode::WUSR);
    let written = file.and_then(|file| list.push("]\n").write_to(file)).doing(&NOTE);
    written.on(path)
}

/// A number as C's `%x` has it.
fn hex(number: u64) -> &'static [u8] {
    let mut text = Text::new();
    text.push_hex(&number.to_be_bytes());
    let zeros = text.as_bytes().iter().take(15).take_while(|digit| **digit == b'0').count();
    text.leak().get(zeros..).unwrap_or_default()
}

/// Our streams in the place of pipes and files of the host's that the container had.
fn give_streams(run: &mut Run) {
    let path = joined(&[run.images.to_bytes(), STREAMS]);
    let content = read_file(path).unwrap_or_default();
    let Ok(Value::Array(names)) = json::parse(content, rare!("read descriptors.json,")) else {
        return;
    };
    for (number, name) in names.iter().map(|name| as_str(name).unwrap_or_default()).enumerate() {
        if name.starts_with("pipe:") || name.starts_with("file[") {
            run.inherit(number as i32, name.as_bytes());
        }
    }
}

/// Makes the mount points in the root that are missing there; the others are in mounts themselves.
///
/// # Errors
///
/// open(2), mkdir(2).
#[inline(never)]
pub fn make_points(config: &'static Config, root: &'static CStr) -> Result<(), Error<'static>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, root, flags, Mode::empty()).doing(&POINT).on(root)?;
    let mounts = &config.container.mounts;
    for (index, mount) in mounts.iter().enumerate() {
        let mut before = mounts.iter().take(index);
        if before.any(|before| before.contains(mount)) {
            continue;
        }
        let is_file = match mount.what {
            Mounted::Entry(Entry { bind: Some(_), source, .. }) => {
                let found = stat(source);
                found.is_ok() && !is_folder(found)
            }
            _ => false,
        };
        let wanted = if is_file { MountPoint::File } else { MountPoint::Directory };
        let made = inside::open_or_make(root.as_fd(), mount.target, wanted).doing(&POINT);
        made.on(mount.target)?;
    }
    Ok(())
}
