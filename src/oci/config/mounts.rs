//! `mounts`: what is mounted in the root, in the words of mount(8).

use super::node::Node;
use crate::container::{IdRange, Mount, Mounted};
use crate::kernel::entry::{Entry, IdMapped};
use crate::oci::text::joined;
use crate::plan::ids;
use crate::sys::mounts::Reach;
use crate::text::{Table, Text, table, word};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::mount::{MountAttrFlags, MountPropagationFlags};

/// What an option means.
#[derive(Clone, Copy)]
enum Meaning {
    /// Nothing: it is so anyway.
    Nothing,
    /// An attribute of the mount is set; with `r` before it, also of those below it.
    Set(u32),
    /// An attribute is taken away; likewise.
    Clear(u32),
    /// When the kernel notes that a file was read: one of several ways.
    Times(u32),
    /// How mounts on it are passed on.
    Pass(u32),
    /// What it shows is somewhere on the host.
    Bind(Reach),
    /// A setting of the file system.
    Setting,
    /// A tmpfs begins with what was there.
    CopyUp,
    /// The ids of its files are mapped.
    Map(Reach),
    /// Nothing is mounted, but the attributes of what is there are changed.
    Remount,
}
use Meaning::{Bind, Clear, CopyUp, Map, Nothing, Pass, Remount, Set, Setting, Times};

const RDONLY: u32 = MountAttrFlags::MOUNT_ATTR_RDONLY.bits();
const NOSUID: u32 = MountAttrFlags::MOUNT_ATTR_NOSUID.bits();
const NODEV: u32 = MountAttrFlags::MOUNT_ATTR_NODEV.bits();
const NOEXEC: u32 = MountAttrFlags::MOUNT_ATTR_NOEXEC.bits();
const NODIRATIME: u32 = MountAttrFlags::MOUNT_ATTR_NODIRATIME.bits();
const TIMES: u32 = MountAttrFlags::MOUNT_ATTR__ATIME.bits();
const NOATIME: u32 = MountAttrFlags::MOUNT_ATTR_NOATIME.bits();
const STRICT: u32 = MountAttrFlags::MOUNT_ATTR_STRICTATIME.bits();
/// The kernel's `MOUNT_ATTR_NOSYMFOLLOW`.
const NOSYMFOLLOW: u32 = 0x0020_0000;
const SHARED: u32 = MountPropagationFlags::SHARED.bits();
const SLAVE: u32 = MountPropagationFlags::DOWNSTREAM.bits();
const PRIVATE: u32 = MountPropagationFlags::PRIVATE.bits();
const UNBINDABLE: u32 = MountPropagationFlags::UNBINDABLE.bits();

/// Options that also come with an `r` before them, for all mounts below.
const RECURSIVE: Table<Meaning> = table! {
    "ro" => Set(RDONLY),
    "rw" => Clear(RDONLY),
    "nosuid" => Set(NOSUID),
    "suid" => Clear(NOSUID),
    "nodev" => Set(NODEV),
    "dev" => Clear(NODEV),
    "noexec" => Set(NOEXEC),
    "exec" => Clear(NOEXEC),
    "nodiratime" => Set(NODIRATIME),
    "diratime" => Clear(NODIRATIME),
    "nosymfollow" => Set(NOSYMFOLLOW),
    "symfollow" => Clear(NOSYMFOLLOW),
    "relatime" => Times(0),
    "norelatime" => Times(STRICT),
    "noatime" => Times(NOATIME),
    "atime" => Times(0),
    "strictatime" => Times(STRICT),
    "nostrictatime" => Times(0),
    "shared" => Pass(SHARED),
    "slave" => Pass(SLAVE),
    "private" => Pass(PRIVATE),
    "unbindable" => Pass(UNBINDABLE),
};

/// The others that are not the file system's own.
const PLAIN: Table<Meaning> = table! {
    "bind" => Bind(Reach::Mount),
    "rbind" => Bind(Reach::Tree),
    "defaults" => Nothing,
    "async" => Nothing,
    "nolazytime" => Nothing,
    "nomand" => Nothing,
    "noiversion" => Nothing,
    "loud" => Nothing,
    "silent" => Nothing,
    "acl" => Nothing,
    "noacl" => Nothing,
    "sync" => Setting,
    "dirsync" => Setting,
    "lazytime" => Setting,
    "mand" => Setting,
    "iversion" => Setting,
    "remount" => Remount,
    "tmpcopyup" => CopyUp,
    "idmap" => Map(Reach::Mount),
    "ridmap" => Map(Reach::Tree),
};

/// The names of all options.
#[must_use]
pub fn options() -> Vec<&'static [u8]> {
    let mut names = Vec::new();
    for name in RECURSIVE.words() {
        names.push(joined(&[b"r", name]).to_bytes());
    }
    names.extend(RECURSIVE.words().chain(PLAIN.words()));
    crate::text::sort(&mut names);
    names
}

/// What a word means, and how far.
fn meaning(word: &[u8]) -> Option<(Meaning, Reach)> {
    if let Some(meaning) = word.strip_prefix(b"r").and_then(|name| RECURSIVE.get(name)) {
        return Some((*meaning, Reach::Tree));
    }
    let meaning = RECURSIVE.get(word).or_else(|| PLAIN.get(word))?;
    Some((*meaning, Reach::Mount))
}

/// Reads one of them.
pub fn read(node: &Node<'_>, bundle: &CStr) -> Mount<'static> {
    let destination = node.get("destination");
    let target = match destination.needed_string() {
        whole if whole.to_bytes().first() == Some(&b'/') => whole,
        empty if empty.is_empty() => {
            destination.wrong(rare!("it is empty"));
            empty
        }
        // From version 1.2 on it begins at the root.
        relative => joined(&[b"/", relative.to_bytes()]),
    };
    let (source, kind) = (node.get("source"), node.get("type"));
    let mut entry = Entry {
        source: source.string().unwrap_or_default(),
        kind: kind.string().unwrap_or_default(),
        bind: None,
        set: MountAttrFlags::empty(),
        clear: MountAttrFlags::empty(),
        set_all: MountAttrFlags::empty(),
        clear_all: MountAttrFlags::empty(),
        propagation: None,
        settings: c"",
        copies_up: false,
        id_map: None,
    };
    if entry.kind == c"bind" {
        entry.bind = Some(Reach::Mount);
    }
    let mut settings = Text::new();
    let mut is_there = false;
    let options = node.get("options");
    options.each(&mut |option| {
        let word = option.needed_string().to_bytes();
        is_there |= word == b"remount";
        if !apply(&mut entry, word) && !word.is_empty() {
            settings.push_part(word);
        }
    });
    entry.settings = settings.into_c_str();
    map_ids(node, &mut entry);
    if entry.id_map.is_some() && entry.bind.is_none() {
        node.wrong(rare!("ids are mapped of bind mounts only"));
    }
    let is_named = entry.source.to_bytes();
    if entry.bind.is_some() {
        if is_named.is_empty() {
            source.wrong(rare!("it is missing"));
        } else if is_named.first() != Some(&b'/') {
            entry.source = joined(&[bundle.to_bytes(), b"/", is_named]);
        }
    } else if entry.kind.is_empty() {
        kind.wrong(rare!("it is missing"));
    }
    if entry.source.is_empty() {
        entry.source = entry.kind;
    }
    if !is_there {
        return Mount { target, what: Mounted::Entry(entry) };
    }
    // The file system may be the host's, too.
    if !entry.settings.is_empty() || entry.id_map.is_some() || entry.copies_up {
        options.wrong(rare!("remount changes the attributes of a mount, not of its file system"));
    }
    Mount { target, what: Mounted::Changed(entry) }
}

/// Takes in an option; false if it is a setting of the file system.
fn apply(entry: &mut Entry<'static>, word: &[u8]) -> bool {
    let Some((meaning, reach)) = meaning(word) else { return false };
    let (mut set, mut clear) = (0, 0);
    match meaning {
        Nothing | Remount => {}
        Set(flag) => set = flag,
        Clear(flag) => clear = flag,
        // The kernel wants the whole field to be taken away, and one way set.
        Times(way) => (set, clear) = (way, TIMES),
        Pass(flag) => {
            entry.propagation = Some((MountPropagationFlags::from_bits_retain(flag), reach));
        }
        Bind(reach) => entry.bind = Some(reach),
        Setting => return false,
        CopyUp => entry.copies_up = true,
        Map(reach) => entry.id_map = Some(IdMapped { reach, users: b"", groups: b"" }),
    }
    let (set, clear) =
        (MountAttrFlags::from_bits_retain(set), MountAttrFlags::from_bits_retain(clear));
    let (sets, clears) = match reach {
        Reach::Mount => (&mut entry.set, &mut entry.clear),
        Reach::Tree => (&mut entry.set_all, &mut entry.clear_all),
    };
    // The last word counts.
    *sets = sets.difference(clear).union(set);
    *clears = clears.difference(set).union(clear);
    true
}

/// The ids of its own that a mount is seen with.
#[inline(never)]
fn map_ids(node: &Node<'_>, entry: &mut Entry<'static>) {
    let users = ranges(&node.get("uidMappings"));
    let groups = ranges(&node.get("gidMappings"));
    if users.is_empty() != groups.is_empty() {
        node.get("gidMappings").wrong(rare!("users and groups are mapped together"));
    }
    if !users.is_empty() {
        let reach = entry.id_map.map_or(Reach::Mount, |map| map.reach);
        entry.id_map =
            Some(IdMapped { reach, users: ids::lines(&users), groups: ids::lines(&groups) });
    }
}

/// Ids, and what they are outside.
pub fn ranges(node: &Node<'_>) -> Vec<IdRange> {
    let mut ranges = Vec::new();
    node.each(&mut |node| {
        let number = |name| node.needed_number_at(name, u32::MAX.into()) as u32;
        let (inside, outside, count) = (number("containerID"), number("hostID"), number("size"));
        let fits = |first: u32| first.checked_add(count).is_some();
        if count == 0 || !fits(inside) || !fits(outside) {
            node.get("size").wrong(rare!("there are no such ids"));
        }
        ranges.push(IdRange { inside, outside, count });
    });
    // As many as the kernel takes; `user_namespaces(7)`.
    if ranges.len() > 340 {
        node.wrong(rare!("there may be at most 340"));
    }
    ranges
}

/// Gives memory and terminals a label of `SELinux`; mount(8), `context=`.
#[inline(never)]
pub fn label(mount: &mut Mount<'static>, label: &CStr) {
    if let Mounted::Entry(entry) = &mut mount.what
        && matches!(word(entry.kind.to_bytes()), "tmpfs" | "devpts")
        && entry.bind.is_none()
    {
        let comma: &[u8] = if entry.settings.is_empty() { b"" } else { b"," };
        let own = entry.settings.to_bytes();
        entry.settings = joined(&[own, comma, b"context=\"", label.to_bytes(), b"\""]);
    }
}
