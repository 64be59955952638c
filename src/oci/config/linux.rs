//! The other parts of `linux`: namespaces, ids, devices, settings of the kernel's.

use super::node::Node;
use super::resources::numbers_at;
use super::{IntelRdt, Seccomp};
use crate::container::{IdMap, Isolation, Join, MemoryPolicy, keep, processors};
use crate::kernel::entry;
use crate::kernel::entry::NodeKind;
use crate::seccomp::{Host, json};
use crate::sys::namespaces::Namespaces;
use crate::text::{Table, Text, parts, place, table};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::mount::MountPropagationFlags;

const KINDS: Table<Namespaces> = table! {
    "mount" => Namespaces::MOUNT,
    "pid" => Namespaces::PID,
    "network" => Namespaces::NET,
    "uts" => Namespaces::UTS,
    "ipc" => Namespaces::IPC,
    "user" => Namespaces::USER,
    "cgroup" => Namespaces::CGROUP,
    "time" => Namespaces::TIME,
};

/// What a container has apart from the host; `top` is the whole configuration.
#[inline(never)]
pub fn isolation(top: &Node<'_>, node: &Node<'_>, isolation: &mut Isolation<'static>) {
    let (hostname, domainname) = (top.get("hostname"), top.get("domainname"));
    let devices = node.get("netDevices");
    let offsets = node.get("timeOffsets");
    isolation.hostname = hostname.filled();
    isolation.domainname = domainname.filled();
    isolation.clocks.monotonic = offset(&offsets.get("monotonic"));
    isolation.clocks.boottime = offset(&offsets.get("boottime"));
    devices.add_members(net_device, &mut isolation.net_devices);
    namespaces_of(node, isolation);
    id_maps(node, isolation);
    let has = |kind| has(isolation, kind);
    let takes = |node: &Node<'_>, is_said, kind| {
        if is_said && !has(kind) {
            node.wrong(rare!("it takes a namespace of its own: it would be the host's"));
        }
    };
    takes(&hostname, isolation.hostname.is_some(), Namespaces::UTS);
    takes(&domainname, isolation.domainname.is_some(), Namespaces::UTS);
    takes(&devices, !isolation.net_devices.is_empty(), Namespaces::NET);
    if offsets.is_there() && (!has(Namespaces::TIME) || isolation.joins(Namespaces::TIME)) {
        offsets.wrong(rare!("they take a new namespace of type time"));
    }
    isolation.sysctls = sysctls(&node.get("sysctl"), isolation);
}

/// Whether it has a namespace of this kind, or needs none: without mounts of its own it is no container's.
fn has(isolation: &Isolation<'_>, kind: Namespaces) -> bool {
    let own = isolation.namespaces;
    !own.contains(Namespaces::MOUNT) || own.contains(kind) || isolation.joins(kind)
}

fn namespaces_of(node: &Node<'_>, isolation: &mut Isolation<'static>) {
    node.each_at("namespaces", &mut |node| {
        let name = node.get("type");
        let Some(kind) = KINDS.get(name.needed_text().as_bytes()) else {
            return name.wrong(rare!("there is no such kind"));
        };
        if isolation.namespaces.contains(*kind) || isolation.joins(*kind) {
            name.wrong(rare!("it is there twice"));
        }
        let path = node.get("path");
        match path.filled() {
            Some(place) => {
                path.path();
                isolation.joined.push(Join { kind: *kind, path: place });
            }
            None => isolation.namespaces = isolation.namespaces.and(*kind),
        }
    });
}

#[inline(never)]
fn id_maps(node: &Node<'_>, isolation: &mut Isolation<'static>) {
    let has_users = isolation.namespaces.contains(Namespaces::USER);
    let is_joined = isolation.joins(Namespaces::USER);
    for (name, map) in
        [("uidMappings", &mut isolation.users), ("gidMappings", &mut isolation.groups)]
    {
        let node = node.get(name);
        let ranges = super::mounts::ranges(&node);
        if ranges.is_empty() && has_users {
            node.wrong(rare!("a new namespace of type user takes maps of users and groups"));
        } else if !ranges.is_empty() && !has_users && !is_joined {
            node.wrong(rare!("they take a namespace of type user"));
        }
        // A namespace that is joined has its maps already; engines say them again.
        if has_users || !ranges.is_empty() {
            *map = IdMap::Ranges(ranges.leak());
        }
    }
}

/// Seconds and nanoseconds, as the kernel reads them.
fn offset(node: &Node<'_>) -> Option<&'static [u8]> {
    let seconds = node.signed_at("secs").unwrap_or_default();
    let nanoseconds = node.number_at("nanosecs", 999_999_999).unwrap_or_default();
    node.value()?;
    let mut text = Text::new();
    text.push_signed(seconds).push(" ").push_number(nanoseconds);
    Some(text.leak())
}

/// A name that an interface can have; the kernel's `dev_valid_name`.
fn is_interface(name: &CStr) -> bool {
    /// Bytes of it, at most; netdevice(7).
    const NAME_BYTES_MAX: usize = 15;
    let bytes = name.to_bytes();
    !matches!(bytes, b"" | b"." | b"..")
        && bytes.len() <= NAME_BYTES_MAX
        && bytes.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':'))
}

fn net_device(node: &Node<'_>) -> (&'static CStr, &'static CStr) {
    let host: &'static CStr = keep(node.name()).unwrap_or_default();
    let inside = node.get("name");
    let new = inside.filled().unwrap_or(host);
    if !is_interface(host) {
        node.wrong(rare!("it is no interface's name"));
    }
    if !is_interface(new) {
        inside.wrong(rare!("it is no interface's name"));
    }
    (host, new)
}

/// The settings below `/proc/sys` that belong to the IPC namespace, besides those in `fs/mqueue`.
const IPC_SETTINGS: &str = "kernel/msgmax kernel/msgmnb kernel/msgmni kernel/sem kernel/shmall \
    kernel/shmmax kernel/shmmni kernel/shm_rmid_forced";

/// The kind of namespace that a setting belongs to.
fn setting_kind(path: &[u8]) -> Option<Namespaces> {
    if path.starts_with(b"net/") {
        Some(Namespaces::NET)
    } else if path == b"kernel/domainname" {
        Some(Namespaces::UTS)
    } else {
        let is_ipc = path.starts_with(b"fs/mqueue/") || place(IPC_SETTINGS, path).is_some();
        is_ipc.then_some(Namespaces::IPC)
    }
}

/// The file of each below `/proc/sys`, and what is written to it. As in sysctl(8), a name has dots, or slashes,
/// whichever comes first; the other then stands for itself.
fn sysctls(node: &Node<'_>, isolation: &Isolation<'_>) -> Vec<(&'static CStr, &'static CStr)> {
    let mut settings = Vec::new();
    let read = |node: &Node<'_>| {
        let mut path = node.name().as_bytes().to_vec();
        if path.iter().find(|byte| matches!(byte, b'.' | b'/')) == Some(&b'.') {
            swap(&mut path);
        }
        match setting_kind(&path) {
            None if path == b"kernel/hostname" => {
                node.wrong(rare!("the property hostname says it"));
            }
            None => node.wrong(rare!("it belongs to no namespace, so it is the host's")),
            Some(kind) if !has(isolation, kind) => {
                node.wrong(rare!("it takes a namespace of its own: it would be the host's"));
            }
            Some(_) => {}
        }
        let text = node.needed_string();
        let is_path = parts(&path, b'/').all(|part| !matches!(part, b"" | b"." | b".."));
        if !is_path || path.contains(&0) || text.to_bytes().contains(&b'\n') {
            node.wrong(rare!("it is no name of a setting, or there is a line break in it"));
        }
        (keep(path).unwrap_or_default() as &CStr, text)
    };
    node.add_members(read, &mut settings);
    settings
}

/// Dots for slashes, and slashes for dots.
fn swap(name: &mut [u8]) {
    for byte in name {
        *byte = match *byte {
            b'.' => b'/',
            b'/' => b'.',
            other => other,
        };
    }
}

/// As much of a device's numbers as the kernel keeps: of more, it would make another device.
const MAJOR_MAX: i64 = (1 << 12) - 1;
const MINOR_MAX: i64 = (1 << 20) - 1;

/// A device that is made in the root.
pub fn device(node: &Node<'_>) -> entry::Node<'static> {
    let path = node.get("path");
    let place = path.needed_path();
    if parts(place.to_bytes(), b'/').any(|part| part == b"..") {
        path.wrong(rare!("there is .. in it"));
    }
    let kind = node.needed_word_at("type", "b p c u");
    let number = |name, most| {
        let number = match kind {
            1 => node.signed_at(name),
            _ => node.needed(name).between(0, most),
        };
        number.unwrap_or_default() as u32
    };
    let (major, minor) = (number("major", MAJOR_MAX), number("minor", MINOR_MAX));
    entry::Node {
        path: place,
        kind: match kind {
            0 => NodeKind::Block(major, minor),
            1 => NodeKind::Fifo,
            _ => NodeKind::Character(major, minor),
        },
        // Podman's have the kind of the file in it, too.
        mode: node.number_at("fileMode", 0o177_777).unwrap_or(0o666) as u32 & 0o777,
        user: node.small_at("uid").unwrap_or_default(),
        group: node.small_at("gid").unwrap_or_default(),
    }
}

/// How mounts in the root are passed on; `linux` is what holds it.
pub fn propagation(linux: &Node<'_>) -> Option<MountPropagationFlags> {
    const KINDS: &str = "shared rshared slave rslave unbindable runbindable private rprivate ";
    match linux.word_at("rootfsPropagation", KINDS) {
        Some(0 | 1) => Some(MountPropagationFlags::SHARED),
        Some(2 | 3) => Some(MountPropagationFlags::DOWNSTREAM),
        Some(4 | 5) => Some(MountPropagationFlags::UNBINDABLE),
        _ => None,
    }
}

/// The execution domain; personality(2).
#[inline(never)]
pub fn personality(node: &Node<'_>) -> Option<u32> {
    let flags = node.get("flags");
    if !flags.list().is_empty() {
        flags.wrong(rare!("there are none yet"));
    }
    node.word_at("domain", "LINUX LINUX32").map(|place| if place == 0 { 0 } else { 8 })
}

/// `mempolicy.h`.
const MODES: &str = "MPOL_DEFAULT MPOL_PREFERRED MPOL_BIND MPOL_INTERLEAVE MPOL_LOCAL \
    MPOL_PREFERRED_MANY MPOL_WEIGHTED_INTERLEAVE";
/// From bit 13 on.
const MODE_FLAGS: &str = "MPOL_F_NUMA_BALANCING MPOL_F_RELATIVE_NODES MPOL_F_STATIC_NODES";

/// Where memory is placed.
#[inline(never)]
pub fn memory_policy(node: &Node<'_>) -> Option<MemoryPolicy> {
    node.value()?;
    let mode = node.needed_word_at("mode", MODES);
    let flags = node.word_bits_at("flags", MODE_FLAGS);
    let mut policy = MemoryPolicy { mode: mode as u32 | (flags as u32) << 13, nodes: [0; 16] };
    let list = numbers_at(node, "nodes").and_then(|list| processors(list.to_bytes()));
    if let Some(set) = list {
        for (place, word) in policy.nodes.iter_mut().enumerate() {
            for bit in 0..64 {
                *word |= u64::from(set.is_set(place * 64 + bit)) << bit;
            }
        }
    }
    Some(policy)
}

/// The filter of system calls.
#[inline(never)]
pub fn seccomp(node: &Node<'_>, host: &Host) -> Option<Seccomp> {
    let path = node.get("listenerPath");
    let metadata = node.text_at("listenerMetadata");
    let profile = json::read(node.value()?, host, "linux.seccomp");
    let profile = profile.map_err(|error| node.note(error)).ok()?;
    let (words, listener) = (metadata.unwrap_or_default(), path.filled());
    if listener.is_some() {
        path.path();
    } else if profile.asks() {
        path.wrong(rare!("SCMP_ACT_NOTIFY takes somebody who listens"));
    }
    let listener = listener.filter(|_| profile.asks()).map(|path| (path, words));
    Some(Seccomp { profile, listener })
}

/// Whether it is the line of a group's memory bandwidth.
#[must_use]
pub fn is_bandwidth(line: &CStr) -> bool {
    line.to_bytes().starts_with(b"MB:") && !line.to_bytes().contains(&b'\n')
}

/// A group of cache and memory bandwidth.
#[inline(never)]
pub fn intel_rdt(node: &Node<'_>) -> Option<IntelRdt> {
    node.value()?;
    let class = node.get("closID");
    let name = class.filled();
    if name.is_some_and(|name| {
        matches!(name.to_bytes(), b"." | b"..") || name.to_bytes().contains(&b'/')
    }) {
        class.wrong(rare!("it is no name of a group"));
    }
    let mut schemata = node.strings_at("schemata");
    schemata.extend(node.get("l3CacheSchema").string());
    let bandwidth = node.get("memBwSchema");
    let line = bandwidth.string();
    if line.is_some_and(|line| !is_bandwidth(line)) {
        bandwidth.wrong(rare!("it is to begin with MB: and be one line"));
    }
    schemata.extend(line);
    Some(IntelRdt { class: name, schemata, is_monitored: node.flag_at("enableMonitoring") })
}
