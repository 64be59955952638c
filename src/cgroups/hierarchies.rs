//! Which hierarchies of cgroups the host has, and where this process is in them: `/proc/self/cgroup`, and
//! `/proc/self/mountinfo`; cgroups(7), `proc_pid_mountinfo(5)`.

use super::files::Path;
use crate::kernel::settings::read_file;
use crate::text::{cut, parts, together};
use alloc::vec::Vec;
use linux_raw_sys::general::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC};
use rustix::fs::statfs;

/// Where version 2 is mounted on a host that has nothing else, and the folders of version 1 are.
const USUAL: &[u8] = b"/sys/fs/cgroup";

/// The hierarchies that containers are put into: all of version 1, or the one of version 2. A host with both
/// has its controllers in version 1.
#[derive(Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct Hierarchies {
    /// Whether it is version 2.
    pub is_unified: bool,
    /// Each of them.
    pub list: Vec<Hierarchy>,
}

/// One.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct Hierarchy {
    /// Its controllers, as `/proc/self/cgroup` lists them: `cpu,cpuacct`, `name=systemd`; empty in version 2.
    pub controllers: &'static [u8],
    /// Where it is mounted.
    pub mount: &'static [u8],
    /// Our own cgroup below that: begins with a slash, or is empty.
    pub own: &'static [u8],
}

impl Hierarchies {
    /// Finds them; none where /proc does not say.
    #[must_use]
    pub fn find() -> Self {
        let read = |path| read_file(path).unwrap_or_default();
        let groups = read(c"/proc/self/cgroup");
        Self::usual(groups, version_at)
            .unwrap_or_else(|| Self::read(read(c"/proc/self/mountinfo"), groups))
    }

    /// Those at their usual places, if all are there: the kernel takes longer to tell of all mounts. A mount that
    /// shows only a part of a hierarchy, as in a container, does not have our own cgroup where it looks to be.
    fn usual(groups: &'static [u8], version_at: impl Fn(&[u8]) -> u8) -> Option<Self> {
        let is_unified = version_at(USUAL) == 2;
        let mut list = Vec::new();
        for line in parts(groups, b'\n') {
            let (controllers, own) = cut(cut(line, b':').1.unwrap_or_default(), b':');
            let Some(own) = own else { continue };
            let (mount, version) = match (controllers, is_unified) {
                (b"", false) => continue,
                (b"", true) => (USUAL, 2),
                (_, true) => return None,
                (_, false) => {
                    let name = cut(controllers, b'=').1.unwrap_or(controllers);
                    (together(&[USUAL, b"/", name]), 1)
                }
            };
            if version_at(together(&[mount, own])) != version {
                return None;
            }
            list.push(Hierarchy { controllers, mount, own: own.strip_suffix(b"/").unwrap_or(own) });
        }
        (!list.is_empty()).then_some(Self { is_unified, list })
    }

    fn read(mounts: &[u8], groups: &'static [u8]) -> Self {
        let mut found = Self::default();
        let mut unified = None;
        let mounts = parts(mounts, b'\n').filter_map(Mount::read);
        let mounts: Vec<_> = mounts.filter(|mount| mount.kind.starts_with(b"cgroup")).collect();
        for line in parts(groups, b'\n') {
            let (controllers, own) = cut(cut(line, b':').1.unwrap_or_default(), b':');
            let Some(own) = own else { continue };
            let Some(hierarchy) = mounted(&mounts, controllers, own) else { continue };
            if controllers.is_empty() {
                unified = Some(hierarchy);
            } else {
                found.list.push(hierarchy);
            }
        }
        if unified.is_some_and(|one: Hierarchy| found.list.is_empty() || one.mount == USUAL) {
            found.is_unified = true;
            found.list.clear();
            found.list.extend(unified);
        }
        found
    }
}

/// Which version of cgroups a path lies in; 0 for none.
fn version_at(path: &[u8]) -> u8 {
    match statfs(Path::new(path, b"").as_c_str()).map(|found| found.f_type as u32) {
        Ok(CGROUP_SUPER_MAGIC) => 1,
        Ok(CGROUP2_SUPER_MAGIC) => 2,
        _ => 0,
    }
}

/// The mount of a hierarchy, of several the first that shows our own cgroup.
fn mounted(
    mounts: &[Mount<'_>],
    controllers: &'static [u8],
    own: &'static [u8],
) -> Option<Hierarchy> {
    let wanted = cut(controllers, b',').0;
    let mut hidden = None;
    for mount in mounts {
        let is_it = if controllers.is_empty() {
            mount.kind == b"cgroup2"
        } else {
            mount.kind == b"cgroup" && parts(mount.options, b',').any(|option| option == wanted)
        };
        if !is_it {
            continue;
        }
        let inside = below(own, unescaped(mount.root));
        let is_shown = inside.is_some();
        let hierarchy = Hierarchy {
            controllers,
            mount: unescaped(mount.point),
            own: inside.unwrap_or_default(),
        };
        if is_shown {
            return Some(hierarchy);
        }
        hidden = hidden.or(Some(hierarchy));
    }
    hidden
}

/// What a path has behind `root`; None if it does not lie there.
fn below<'a>(path: &'a [u8], root: &[u8]) -> Option<&'a [u8]> {
    let inside = path.strip_prefix(root.strip_suffix(b"/").unwrap_or(root))?;
    match inside {
        [] | b"/" => Some(b""),
        [b'/', ..] => Some(inside),
        _ => None,
    }
}

/// A line of mountinfo.
struct Mount<'a> {
    root: &'a [u8],
    point: &'a [u8],
    kind: &'a [u8],
    options: &'a [u8],
}

impl<'a> Mount<'a> {
    /// `ID PARENT DEVICE ROOT POINT OPTIONS [TAG...] - KIND SOURCE OPTIONS`.
    fn read(line: &'a [u8]) -> Option<Self> {
        let mut fields = parts(line, b' ');
        let (root, point) = (fields.nth(3)?, fields.next()?);
        fields.find(|field| field == b"-")?;
        let kind = fields.next()?;
        Some(Self { root, point, kind, options: fields.nth(1)? })
    }
}

/// A name with its spaces, tabs, newlines and backslashes, which are written as `\NNN`;
/// `proc_pid_mountinfo(5)`.
#[must_use]
pub fn unescaped(name: &[u8]) -> &'static [u8] {
    let mut plain = Vec::new();
    let mut rest = name;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        match (byte, behind) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..]) => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = behind;
            }
            _ => plain.push(*byte),
        }
    }
    plain.leak()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hierarchy(controllers: &'static str, mount: &'static str, own: &'static str) -> Hierarchy {
        let [controllers, mount, own] = [controllers, mount, own].map(str::as_bytes);
        Hierarchy { controllers, mount, own }
    }

    #[test]
    fn version_2_alone() {
        let mounts = b"25 30 0:23 / /sys rw,nosuid - sysfs sysfs rw\n\
            30 25 0:26 / /sys/fs/cgroup rw,nosuid,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = Hierarchies::read(mounts, b"0::/user.slice/session-1.scope\n");
        let list = vec![hierarchy("", "/sys/fs/cgroup", "/user.slice/session-1.scope")];
        assert_eq!(found, Hierarchies { is_unified: true, list });
        let found = Hierarchies::read(mounts, b"0::/\n");
        assert_eq!(found.list, [hierarchy("", "/sys/fs/cgroup", "")]);
    }

    const HYBRID: &[u8] = b"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
        33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn with_both_versions_it_is_version_1() {
        let groups =
            b"4:name=systemd:/init\n3:memory:/a:b\n2:cpuset:/\n1:cpu,cpuacct:/\n0::/init\n";
        let found = Hierarchies::read(HYBRID, groups);
        assert!(!found.is_unified);
        let expected = [
            hierarchy("name=systemd", "/sys/fs/cgroup/systemd", "/init"),
            hierarchy("memory", "/sys/fs/cgroup/memory", "/a:b"),
            hierarchy("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct", ""),
        ];
        assert_eq!(found.list, expected, "cpuset is mounted nowhere");
    }

    #[test]
    fn at_the_usual_places_no_mount_is_asked_for() {
        let on = |places: &'static [(&'static str, u8)]| {
            move |path: &[u8]| {
                let found = places.iter().find(|place| place.0.as_bytes() == path);
                found.map_or(0, |place| place.1)
            }
        };
        let old = on(&[
            ("/sys/fs/cgroup/systemd/init", 1),
            ("/sys/fs/cgroup/memory/a:b", 1),
            ("/sys/fs/cgroup/cpu,cpuacct/", 1),
        ]);
        let groups = b"4:name=systemd:/init\n3:memory:/a:b\n1:cpu,cpuacct:/\n0::/init\n";
        assert_eq!(Hierarchies::usual(groups, old), Some(Hierarchies::read(HYBRID, groups)));
        for unusual in
            [&b"3:memory:/elsewhere\n"[..], b"2:cpuset:/\n1:cpu,cpuacct:/\n", b"0::/init\n", b""]
        {
            assert_eq!(Hierarchies::usual(unusual, old), None);
        }
        let new = on(&[("/sys/fs/cgroup", 2), ("/sys/fs/cgroup/a", 2), ("/sys/fs/cgroup/", 2)]);
        let expected = |own| {
            let list = vec![hierarchy("", "/sys/fs/cgroup", own)];
            Some(Hierarchies { is_unified: true, list })
        };
        assert_eq!(Hierarchies::usual(b"0::/a\n", new), expected("/a"));
        assert_eq!(Hierarchies::usual(b"0::/\n", new), expected(""));
        assert_eq!(Hierarchies::usual(b"1:net_cls:/\n0::/a\n", new), None);
        assert_eq!(Hierarchies::usual(b"0::/in/a/container\n", new), None);
    }

    #[test]
    fn both_ways_find_the_same_here() {
        let read = |path| read_file(path).unwrap();
        let groups = read(c"/proc/self/cgroup");
        if let Some(found) = Hierarchies::usual(groups, version_at) {
            assert_eq!(found, Hierarchies::read(read(c"/proc/self/mountinfo"), groups));
        }
    }

    #[test]
    fn a_single_old_hierarchy_beside_version_2_does_not_count() {
        let mounts = b"30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n\
            31 25 0:27 / /mnt/net rw - cgroup none rw,net_cls\n";
        let found = Hierarchies::read(mounts, b"1:net_cls:/\n0::/x\n");
        assert_eq!(found.list, [hierarchy("", "/sys/fs/cgroup", "/x")]);
        let found = Hierarchies::read(b"1 2 0:26 / /cg rw - cgroup2 none rw\n", b"0::/x\n");
        assert!(found.is_unified, "elsewhere it counts when it is alone");
        assert_eq!(Hierarchies::read(b"", b"0::/x\n"), Hierarchies::default());
    }

    #[test]
    fn in_a_container_a_mount_shows_a_part() {
        let mounts = b"9 8 0:30 /docker/b /old ro - cgroup cgroup rw,memory\n\
            9 8 0:30 /docker/a /sys\\040fs/memory ro master:3 - cgroup cgroup rw,memory\n";
        let found = Hierarchies::read(mounts, b"3:memory:/docker/a/in\n");
        assert_eq!(found.list, [hierarchy("memory", "/sys fs/memory", "/in")]);
        let found = Hierarchies::read(mounts, b"3:memory:/docker/ab\n");
        assert_eq!(found.list, [hierarchy("memory", "/old", "")]);
    }
}
