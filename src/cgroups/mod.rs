//! Cgroups: what all processes of a container together may use of the machine, and what they have used;
//! cgroups(7), and the kernel's `cgroup-v1` and `cgroup-v2` documents.
//!
//! A container has one cgroup in each hierarchy of version 1, or the one of version 2. Where they are is known
//! and written down before they are made, so that nothing is left that nobody knows of.

mod block;
mod changes;
mod devices;
mod files;
mod hierarchies;
mod make;
mod oom;
mod processes;
mod stats;
mod stats_devices;
mod version1;
mod version2;
mod weights;

pub use hierarchies::{Hierarchies, Hierarchy, unescaped};
pub use oom::Oom;

use crate::container::{Resources, keep};
use crate::error::{Error, Why, status};
use crate::text::{Text, cut, parts, together};
use alloc::vec::Vec;
use core::ffi::CStr;
use core::mem::ManuallyDrop;
use files::Path;
use rustix::fs::{Access, access};
use rustix::io::Errno;

/// The cgroup of a container, in each of its hierarchies.
pub struct Cgroup {
    is_unified: bool,
    is_disabled: bool,
    /// That it was made: before, there may be another container's at its path, which is left alone.
    is_own: bool,
    /// Kept until the process ends, as nearly all that a launch makes.
    folders: ManuallyDrop<Vec<Folder>>,
}

/// The cgroup in one hierarchy.
struct Folder {
    controllers: &'static [u8],
    path: &'static [u8],
    /// Our own cgroup there.
    own: &'static [u8],
    /// How much of the path is where the hierarchy is mounted.
    mount: usize,
    /// That it is there, or can be made; if not, processes stay where they are.
    is_usable: bool,
}

/// What a mount of the kind `cgroup` shows of a hierarchy.
pub struct Shown {
    /// The name of its folder: `memory`, `cpu,cpuacct`, `systemd`; empty in version 2.
    pub name: &'static CStr,
    /// What mount(2) knows it by: `cpu,cpuacct`, `none,name=systemd`.
    pub options: &'static CStr,
    /// The folder of the container's own cgroup in it, on the host.
    pub own: &'static CStr,
}

impl Cgroup {
    /// Where the cgroup of the container `id` is to be: at `wanted` below the root of each hierarchy if it
    /// begins with a slash, and below our own cgroup if not; without it, under a name of its own. Of version 2
    /// it is beside our own, since cgroups there have either processes or others below them.
    ///
    /// # Errors
    ///
    /// The path is none: it leads upwards, or names the root, or is for systemd.
    pub fn plan(
        wanted: Option<&CStr>,
        id: &CStr,
        has_cgroups: bool,
    ) -> Result<Self, Error<'static>> {
        let mut cgroup = Self::empty(!has_cgroups, false);
        let wanted = wanted.map(CStr::to_bytes).filter(|wanted| !wanted.is_empty());
        let name = name(wanted, id.to_bytes())?;
        if !has_cgroups {
            return Ok(cgroup);
        }
        let is_absolute = wanted.is_some_and(|wanted| wanted.starts_with(b"/"));
        let found = Hierarchies::find();
        cgroup.is_unified = found.is_unified;
        for hierarchy in found.list {
            let mount = hierarchy.mount.len();
            let own = together(&[hierarchy.mount, hierarchy.own]);
            let end = match (is_absolute, found.is_unified) {
                (true, _) => mount,
                (false, true) => parent(own).max(mount),
                (false, false) => own.len(),
            };
            let path = together(&[own.get(..end).unwrap_or_default(), &name]);
            let is_usable = is_possible(path, mount);
            let controllers = hierarchy.controllers;
            cgroup.folders.push(Folder { controllers, path, own, mount, is_usable });
        }
        Ok(cgroup)
    }

    /// What is written down of it: `CONTROLLERS:PATH` for each hierarchy, without controllers in version 2.
    #[must_use]
    pub fn paths(&self) -> Vec<&'static CStr> {
        let mut paths = Vec::new();
        for folder in self.usable() {
            let mut line = Text::new();
            line.push_raw(folder.controllers).push(":").push_raw(folder.path);
            paths.push(line.into_c_str());
        }
        paths
    }

    fn empty(is_disabled: bool, is_own: bool) -> Self {
        Self { is_unified: false, is_disabled, is_own, folders: ManuallyDrop::default() }
    }

    /// The cgroup that was written down so, and whether it was made.
    #[must_use]
    pub fn of(paths: &[&'static CStr], is_own: bool) -> Self {
        let mut cgroup = Self::empty(false, is_own);
        for line in paths {
            let line = line.to_bytes();
            let place = line.windows(2).position(|pair| pair == b":/").unwrap_or(line.len());
            let (controllers, path) = line.split_at(place);
            let path = path.get(1..).unwrap_or_default();
            // Nobody but us writes it; what is removed is below a root all the same.
            if path.len() < 2 || parts(path, b'/').any(|part| part == b"..") {
                continue;
            }
            cgroup.is_unified |= controllers.is_empty();
            cgroup.folders.push(Folder { controllers, path, own: b"", mount: 1, is_usable: true });
        }
        cgroup
    }

    /// Goes on to the cgroup at a path below, in all hierarchies or, as in `memory:PATH`, in that of a controller.
    ///
    /// # Errors
    ///
    /// It leads upwards.
    #[inline(never)]
    pub fn descend(&mut self, inner: &[u8]) -> Result<(), Error<'static>> {
        let (controller, path) = match cut(inner, b':') {
            (controller, Some(path)) => (Some(controller), path),
            (path, None) => (None, path),
        };
        if parts(path, b'/').any(|part| part == b"..") {
            let on = keep(inner).unwrap_or_default().to_bytes();
            let why = Why::Text(rare!("it must not lead upwards"));
            return Err(Error::new(rare!("option --cgroup"), on, why, b"", status::FAILED));
        }
        for folder in self.folders.iter_mut() {
            if controller.is_none_or(|controller| folder.has(controller)) {
                folder.path = together(&[folder.path, b"/", path]);
            }
        }
        Ok(())
    }

    /// Sets limits. They are in force when this returns.
    ///
    /// # Errors
    ///
    /// One that cannot be set; the error names its file.
    pub fn apply(&self, resources: &Resources<'_>) -> Result<(), Error<'static>> {
        let changes = if self.is_unified {
            let folder = self.folders.first().map_or(&b""[..], |folder| folder.path);
            version2::changes(resources, folder)
        } else {
            version1::changes(resources)
        };
        self.set_all(changes)?;
        if resources.devices.is_empty() { Ok(()) } else { self.set_devices(&resources.devices) }
    }

    /// What a mount of the kind `cgroup` shows, for one that was planned: of hierarchies that the container has no
    /// cgroup in, the one that it stays in. Whether this is version 2 comes first.
    #[must_use]
    pub fn shown(&self) -> (bool, Vec<Shown>) {
        let mut shown = Vec::new();
        for folder in self.folders.iter() {
            let own = if folder.is_usable { folder.path } else { folder.own };
            shown.push(Shown::new(folder.controllers, own));
        }
        if !self.is_disabled {
            return (self.is_unified, shown);
        }
        let found = Hierarchies::find();
        for hierarchy in found.list {
            let own = together(&[hierarchy.mount, hierarchy.own]);
            shown.push(Shown::new(hierarchy.controllers, own));
        }
        (found.is_unified, shown)
    }

    fn usable(&self) -> impl Iterator<Item = &Folder> {
        self.folders.iter().filter(|folder| folder.is_usable)
    }

    /// The folder of a controller.
    fn controlled(&self, controller: &[u8]) -> Option<&Folder> {
        self.folders.iter().find(|folder| self.is_unified || folder.has(controller))
    }

    /// The folder in which all processes of the container are found.
    fn counted(&self) -> Option<&'static [u8]> {
        if !self.is_own {
            return None;
        }
        let freezer = self.usable().find(|folder| folder.has(b"freezer"));
        freezer.or_else(|| self.usable().next()).map(|folder| folder.path)
    }
}

impl Shown {
    fn new(controllers: &'static [u8], own: &'static [u8]) -> Self {
        let (name, options) = match cut(controllers, b'=') {
            (_, Some(name)) => (name, together(&[b"none,", controllers])),
            _ => (controllers, controllers),
        };
        let kept = |bytes: &[u8]| keep(bytes).unwrap_or_default();
        Self { name: kept(name), options: kept(options), own: kept(own) }
    }
}

impl Folder {
    fn has(&self, controller: &[u8]) -> bool {
        parts(self.controllers, b',').any(|one| one == controller)
    }
}

/// The path below the root, or below our own cgroup, without empty parts.
fn name(wanted: Option<&[u8]>, id: &[u8]) -> Result<Vec<u8>, Error<'static>> {
    let mut name = Vec::new();
    let Some(wanted) = wanted else {
        name.extend_from_slice(b"/mini-container-");
        name.extend_from_slice(id);
        return Ok(name);
    };
    let refused = |why, hint| {
        let on = keep(wanted).unwrap_or_default().to_bytes();
        Err(Error::new(rare!("linux.cgroupsPath:"), on, Why::Text(why), hint, status::FAILED))
    };
    if !wanted.contains(&b'/') && parts(wanted, b':').count() == 3 {
        let hint = rare!("have the engine use cgroupfs, whose paths are /FOLDER/NAME").bytes();
        return refused(rare!("SLICE:PREFIX:NAME takes the systemd driver"), hint);
    }
    for part in parts(wanted, b'/') {
        match part {
            b"" | b"." => {}
            b".." => return refused(rare!("it must not lead upwards"), b""),
            part => {
                name.push(b'/');
                name.extend_from_slice(part);
            }
        }
    }
    if name.is_empty() { refused(rare!("it names no cgroup of its own"), b"") } else { Ok(name) }
}

/// Whether the folder can be made, or used if it is there: without privilege it often cannot.
fn is_possible(path: &[u8], mount: usize) -> bool {
    let mut end = path.len();
    loop {
        let part = path.get(..end).unwrap_or_default();
        match access(Path::new(part, b"").as_c_str(), Access::WRITE_OK | Access::EXEC_OK) {
            Err(Errno::NOENT) if end > mount => end = parent(part),
            answer => return answer.is_ok(),
        }
    }
}

/// How much of a path is its parent's.
fn parent(path: &[u8]) -> usize {
    path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(wanted: &str) -> Result<String, String> {
        match name(Some(wanted.as_bytes()), b"c1") {
            Ok(name) => Ok(String::from_utf8(name).unwrap()),
            Err(error) => Err(String::from_utf8(error.render().as_bytes().to_vec()).unwrap()),
        }
    }

    #[test]
    fn a_path_stays_below_its_root() {
        assert_eq!(told("/a//b/./c/"), Ok("/a/b/c".into()));
        assert_eq!(told("a"), Ok("/a".into()));
        for wanted in ["..", "/a/../..", "a/..", "../../x"] {
            assert!(told(wanted).unwrap_err().contains("must not lead upwards"), "{wanted}");
        }
        for wanted in ["/", ".", "//./"] {
            assert!(told(wanted).unwrap_err().contains("no cgroup of its own"), "{wanted}");
        }
        assert!(told("system.slice:docker:abc").unwrap_err().contains("takes the systemd driver"));
        assert_eq!(told("/a:b:c"), Ok("/a:b:c".into()));
        assert_eq!(name(None, b"c1").unwrap(), b"/mini-container-c1");
    }

    #[test]
    fn what_is_written_down_is_found_again() {
        let lines = [c"cpu,cpuacct:/sys/fs/cgroup/cpu,cpuacct/a:/b", c"name=systemd:/s/a"];
        let cgroup = Cgroup::of(&lines, true);
        assert!(!cgroup.is_unified);
        assert_eq!(cgroup.paths(), lines);
        assert_eq!(cgroup.controlled(b"cpuacct").unwrap().path, b"/sys/fs/cgroup/cpu,cpuacct/a:/b");
        assert!(cgroup.controlled(b"memory").is_none());
        let cgroup = Cgroup::of(&[c":/sys/fs/cgroup/a"], true);
        assert!(cgroup.is_unified && cgroup.controlled(b"memory").is_some());
        let none = [c":/sys/../etc", c"memory:", c"x", c":/"];
        assert!(Cgroup::of(&none, true).folders.is_empty());
    }

    #[test]
    fn without_cgroups_nothing_is_planned() {
        assert!(Cgroup::plan(Some(c"/a"), c"c1", false).unwrap().paths().is_empty());
        assert!(Cgroup::plan(Some(c"/a/../b"), c"c1", false).is_err());
    }
}
