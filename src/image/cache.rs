//! Where layers are kept unpacked: `mini-container/IDS/layers/DIGEST/files` in the caller's cache
//! folder; what programs wrote under a name, in `mini-container/IDS/kept/NAME`; and in
//! `mini-container/IDS/runs` what is unpacked for a run alone. IDS says whose the files are, since that
//! depends on the ids that a user namespace knows.
//!
//! A layer is complete or not there: it is unpacked under another name, and renamed when it is on the
//! disk. Who uses one holds a shared lock on it, who makes or removes one an exclusive one; flock(2)
//! lets go of them whatever happens to a process.

use super::digest::Digest;
use super::entry::{exists, hold, make_and_open, make_folder};
use super::remove::remove_tree;
use super::unpack::Owners;
use crate::container::{environment, keep};
use crate::error::{Cure, Doing, Error, Fault, Object, Operation};
use crate::kernel::caller::Caller;
use crate::rare::Rare;
use crate::sys::descriptors::AsFd;
use crate::text::{Text, parts, together};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FlockOperation, Gid, Mode, OFlags, Uid, fchmod, fchown, fstat, fsync, mkdirat,
    openat, renameat, syncfs, unlinkat,
};
use rustix::io::Errno;

/// The folder for layers and what is kept, of one way to see ids.
pub struct Cache {
    privileged: bool,
    pub(super) path: Text,
    pub(super) layers: OwnedFd,
    pub(super) kept: OwnedFd,
    pub(super) runs: OwnedFd,
}

/// Whose the files in a cache are.
#[derive(Clone, Copy)]
pub enum Whose {
    /// Of every id of the host, by root.
    All {
        /// Whether the containers have users of their own. Their overlays note deletions in other
        /// attributes than root's, and neither sees those of the other.
        isolated: bool,
    },
    /// The caller's, all of them.
    Caller,
    /// Of the ids of a map.
    Mapped {
        /// Of the map's text.
        digest: Digest,
        /// What root inside is outside.
        root: (u32, u32),
    },
}

/// What makes an entry, in an empty directory.
pub type Fill<'f> = &'f mut dyn FnMut(BorrowedFd<'_>) -> Result<(), Error<'static>>;

/// The part of an entry that has the layer's files; beside it is nothing yet.
pub(super) const FILES: &CStr = c"files";
const OWN: &CStr = c"mini-container";

static OPEN: Operation = Operation {
    words: rare!("open the cache of images"),
    on: Object::Target,
    cures: &[
        (Errno::ROFS, Cure::Words(ELSEWHERE)),
        (Errno::ACCESS, Cure::Words(ELSEWHERE)),
        (Errno::PERM, Cure::Words(ELSEWHERE)),
        (Errno::NOSPC, Cure::Words(rare!("mini-container rootfs --prune makes room in it"))),
    ],
};
const ELSEWHERE: Rare = rare!("the variable XDG_CACHE_HOME names another folder for it");
static MAKE: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("keep the layer")) };

/// The folder of caches, as an absolute path; the XDG Base Directory Specification.
fn folder(variables: &[&CStr], is_root: bool) -> Result<Vec<u8>, Error<'static>> {
    let absolute = |name| {
        let value = environment::value(variables, name);
        value.filter(|path| path.starts_with(b"/")).map(<[u8]>::to_vec)
    };
    if let Some(path) = absolute(b"XDG_CACHE_HOME") {
        return Ok(path);
    }
    if is_root {
        return Ok(b"/var/cache".to_vec());
    }
    let mut path = absolute(b"HOME").ok_or_else(|| {
        let hint = rare!("HOME or XDG_CACHE_HOME names one").bytes();
        Error::usage(Rare::NONE, b"", rare!("no folder is known to unpack images in"), hint)
    })?;
    path.extend_from_slice(b"/.cache");
    Ok(path)
}

/// Opens the folder of all caches; None if there is none.
///
/// # Errors
///
/// That it is not known where it would be; open(2).
pub fn open_base(variables: &[&CStr], is_root: bool) -> Result<Option<OwnedFd>, Error<'static>> {
    let path = base(variables, is_root)?;
    let name = keep(path.as_bytes()).unwrap_or_default();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat(CWD, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        answer => said(answer, &OPEN, name).map(Some),
    }
}

/// Where all caches are.
fn base(variables: &[&CStr], is_root: bool) -> Result<Text, Error<'static>> {
    let mut path = Text::new();
    path.push_raw(&folder(variables, is_root)?).push("/").push_raw(OWN.to_bytes());
    Ok(path)
}

impl Cache {
    /// Opens the cache, and makes what is missing of it.
    ///
    /// # Errors
    ///
    /// That there is no place for it, or that it is somebody else's; mkdir(2), open(2).
    pub fn open(
        variables: &[&CStr],
        caller: Caller,
        whose: &Whose,
    ) -> Result<Self, Error<'static>> {
        let privileged = matches!(whose, Whose::All { isolated: false });
        let mut path = base(variables, caller.privileged)?;
        let name = keep(path.as_bytes()).unwrap_or_default();
        let ids = whose.name();
        let opened = open_all(path.as_bytes(), caller.user, whose, ids);
        let [layers, kept, runs] = said(opened, &OPEN, name)?;
        path.push("/").push_raw(ids.to_bytes());
        Ok(Self { privileged, path, layers, kept, runs })
    }

    /// Whether overlays of the layers note deletions as only root's do.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.privileged
    }

    /// Where the files of a layer are.
    #[must_use]
    pub fn path_of(&self, layer: &Digest) -> &'static CStr {
        self.path_in(layer, "/", FILES)
    }

    /// Where something of a layer is that is being made.
    #[must_use]
    pub(super) fn path_of_partial(&self, layer: &Digest, name: &CStr) -> &'static CStr {
        self.path_in(layer, ".partial/", name)
    }

    #[inline(never)]
    fn path_in(&self, layer: &Digest, ending: &str, name: &CStr) -> &'static CStr {
        let mut path = Text::new();
        path.push_raw(self.path.as_bytes()).push("/layers/").push_raw(layer.hex().as_bytes());
        path.push(ending).push_raw(name.to_bytes());
        path.into_c_str()
    }

    /// Holds a layer, so that nobody removes it; None if it is not there.
    ///
    /// # Errors
    ///
    /// open(2), flock(2).
    pub fn hold(&self, layer: &Digest) -> Result<Option<OwnedFd>, Error<'static>> {
        let name = name_of(layer, "");
        said(hold(self.layers.as_fd(), name, FlockOperation::LockShared), &MAKE, name)
    }

    /// Makes a layer, if nobody else has or does, and holds it.
    ///
    /// # Errors
    ///
    /// Those of `fill`; open(2), `syncfs(2)`, rename(2).
    pub fn make(&self, layer: &Digest, fill: Fill<'_>) -> Result<(), Error<'static>> {
        let (name, partial) = (name_of(layer, ""), name_of(layer, ".partial"));
        let layers = self.layers.as_fd();
        loop {
            if said(exists(layers, name), &MAKE, name)? {
                return Ok(());
            }
            said(make_folder(layers, partial), &MAKE, name)?;
            // Waits for another run that unpacks the same.
            let locked = hold(layers, partial, FlockOperation::LockExclusive);
            let Some(entry) = said(locked, &MAKE, name)? else { continue };
            // What a run that was killed has left.
            said(remove_tree(entry.as_fd(), FILES), &MAKE, name)?;
            let files = said(make_and_open(entry.as_fd(), FILES), &MAKE, name)?;
            let filled = fill(files.as_fd());
            let done = filled.and_then(|()| {
                let renamed = syncfs(files.as_fd())
                    .and_then(|()| renameat(layers, partial, layers, name))
                    .and_then(|()| fsync(layers));
                said(renamed, &MAKE, name)
            });
            if done.is_err() {
                // The first failure is the one to tell of.
                let _ = remove_tree(entry.as_fd(), FILES);
                let _ = unlinkat(layers, partial, AtFlags::REMOVEDIR);
            }
            return done;
        }
    }
}

impl Whose {
    /// Who owns the files of a layer.
    #[must_use]
    pub fn owners(&self) -> Owners {
        if matches!(self, Self::Caller) { Owners::Caller } else { Owners::Kept }
    }

    /// Who works on them, if not the caller.
    #[must_use]
    pub fn root(&self) -> Option<(u32, u32)> {
        match self {
            Self::Mapped { root, .. } => Some(*root),
            Self::All { .. } | Self::Caller => None,
        }
    }

    /// What its folder is called.
    fn name(&self) -> &'static CStr {
        let mut name = Text::new();
        match self {
            Self::All { isolated: false } => name.push("all"),
            Self::All { isolated: true } => name.push("all-isolated"),
            Self::Caller => name.push("caller"),
            Self::Mapped { digest, .. } => {
                name.push("ids-").push_raw(digest.hex().as_bytes().get(..16).unwrap_or_default())
            }
        };
        name.into_c_str()
    }
}

/// Opens the folders in the one at `path`, which has to be the caller's alone: programs that gain
/// privilege lie in it.
fn open_all(path: &[u8], caller: u32, whose: &Whose, ids: &CStr) -> Result<[OwnedFd; 3], Errno> {
    let base = open_path(path)?;
    let found = fstat(base.as_fd())?;
    // Who is root in a user namespace may have to search it, but not list it.
    if found.st_mode & 0o777 == 0o700 && found.st_uid == caller {
        fchmod(base.as_fd(), Mode::from_raw_mode(0o711))?;
    } else if found.st_uid != caller || found.st_mode & 0o066 != 0 {
        return Err(Errno::PERM);
    }
    let ids = make_for(whose, caller, base.as_fd(), ids)?;
    let make = |name| make_for(whose, caller, ids.as_fd(), name);
    Ok([make(c"layers")?, make(c"kept")?, make(c"runs")?])
}

/// Opens a folder, which is made for whoever works in it, and for nobody else.
fn make_for(
    whose: &Whose,
    caller: u32,
    folder: BorrowedFd<'_>,
    name: &CStr,
) -> Result<OwnedFd, Errno> {
    let made = make_and_open(folder, name)?;
    if let Some((user, group)) = whose.root()
        && user != caller
        && fstat(made.as_fd())?.st_uid != user
    {
        fchown(made.as_fd(), Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
    }
    Ok(made)
}

/// Opens a folder by its absolute path, and makes it and what is missing on the way.
fn open_path(path: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let whole = keep(path).ok_or(Errno::INVAL)?;
    match openat(CWD, whole, flags, Mode::empty()) {
        Err(Errno::NOENT) => {}
        answer => return answer,
    }
    let mut folder = openat(CWD, c"/", flags, Mode::empty())?;
    for part in parts(path, b'/').filter(|part| !part.is_empty()) {
        let name = keep(part).ok_or(Errno::INVAL)?;
        match mkdirat(folder.as_fd(), name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            // What is there already may lie where nothing can be made.
            Err(_) if exists(folder.as_fd(), name)? => {}
            answer => answer?,
        }
        folder = openat(folder.as_fd(), name, flags, Mode::empty())?;
    }
    Ok(folder)
}

/// The name of a layer's entry.
pub(super) fn name_of(layer: &Digest, ending: &str) -> &'static CStr {
    let mut name = Text::new();
    name.push_raw(layer.hex().as_bytes()).push(ending);
    name.into_c_str()
}

/// The message for what failed on something of this name.
pub(super) fn said<T>(
    result: Result<T, Errno>,
    operation: &'static Operation,
    name: &CStr,
) -> Result<T, Error<'static>> {
    result.doing(operation).map_err(|fault| message(fault, name))
}

#[cold]
#[inline(never)]
fn message(fault: Fault, name: &CStr) -> Error<'static> {
    let hint = match fault.cure() {
        Some(Cure::Words(words)) => words.bytes(),
        _ => b"",
    };
    fault.into_error(together(&[name.to_bytes()]), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_the_caller_says_or_where_caches_are() {
        let folder = |variables: &[&CStr], is_root| {
            folder(variables, is_root).map(|path| String::from_utf8(path).unwrap()).ok()
        };
        assert_eq!(folder(&[c"HOME=/root"], true).as_deref(), Some("/var/cache"));
        assert_eq!(folder(&[c"HOME=/home/a"], false).as_deref(), Some("/home/a/.cache"));
        let said = [c"HOME=/home/a", c"XDG_CACHE_HOME=/b"];
        assert_eq!(folder(&said, false).as_deref(), Some("/b"));
        assert_eq!(folder(&said, true).as_deref(), Some("/b"));
        let relative = [c"HOME=/home/a", c"XDG_CACHE_HOME=b"];
        assert_eq!(folder(&relative, false).as_deref(), Some("/home/a/.cache"));
        assert_eq!(folder(&[], false), None);
    }
}
