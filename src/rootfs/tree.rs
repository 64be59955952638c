//! The names that a root is to have, found by following paths on this system: each folder, file and
//! symbolic link on the way is noted as what it is.

use crate::sys::descriptors::AsFd;
use crate::text::{keep, together};
use alloc::vec::Vec;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, openat, readlinkat_raw, statat};
use rustix::io::Errno;

/// A name in a folder.
pub struct Node {
    /// The last part of its path.
    pub name: &'static [u8],
    /// What it stands for.
    pub what: What,
}

/// What a name stands for.
pub enum What {
    /// A folder, and what is to be in it.
    Folder(Folder),
    /// A symbolic link, and its text.
    Link(&'static [u8]),
    /// Something else that this system has there, of this type and mode.
    File(u32),
    /// A file that is to have this content, where there is none.
    Text(&'static str),
}

/// A folder.
#[derive(Default)]
pub struct Folder {
    /// In the order of their names.
    pub nodes: Vec<Node>,
    /// Whether it is to be as this system's is: its mode, its owner, its times.
    pub is_kept: bool,
}

const LINKS_MAX: u32 = 40;
const PATH_BYTES_MAX: usize = 4096;

impl Folder {
    /// The node at a path; None if there is none yet.
    pub fn get(&mut self, path: &[u8]) -> Option<&mut What> {
        let mut folder = self;
        let mut names = names(path);
        let mut name = names.next()?;
        loop {
            let place = folder.place_of(name).ok()?;
            let what = &mut folder.nodes.get_mut(place)?.what;
            match (names.next(), what) {
                (None, what) => return Some(what),
                (Some(next), What::Folder(inner)) => (folder, name) = (inner, next),
                _ => return None,
            }
        }
    }

    /// Puts something at a path whose folders are there; what was there already stays.
    pub fn put(&mut self, path: &[u8], what: What) {
        let (folder, name) = split(path);
        let Some(folder) = self.folder(folder) else { return };
        if let Err(place) = folder.place_of(name) {
            folder.nodes.insert(place, Node { name: together(&[name]), what });
        }
    }

    /// The folder at a path.
    pub fn folder(&mut self, path: &[u8]) -> Option<&mut Self> {
        if names(path).next().is_none() {
            return Some(self);
        }
        match self.get(path) {
            Some(What::Folder(folder)) => Some(folder),
            _ => None,
        }
    }

    fn place_of(&self, name: &[u8]) -> Result<usize, usize> {
        self.nodes.binary_search_by(|node| node.name.cmp(name))
    }

    /// Follows an absolute path on this system, and notes what is on the way and at its end. Returns
    /// the path without links and dots.
    ///
    /// # Errors
    ///
    /// open(2): `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`.
    pub fn add(&mut self, path: &[u8]) -> Result<&'static [u8], Errno> {
        let mut done = Vec::new();
        let mut pending = path.to_vec();
        let mut links = 0;
        let mut start = 0;
        loop {
            let rest = pending.get(start..).unwrap_or_default();
            let skipped = rest.iter().take_while(|byte| **byte == b'/').count();
            let (name, _) = crate::text::cut(rest.get(skipped..).unwrap_or_default(), b'/');
            start += skipped + name.len();
            match name {
                b"" => return Ok(done.leak()),
                b"." => continue,
                b".." => {
                    done.truncate(split(&done).0.len());
                    continue;
                }
                _ => {}
            }
            let parent = done.len();
            done.push(b'/');
            done.extend_from_slice(name);
            if self.get(&done).is_none() {
                let found = look(&done)?;
                self.put(&done, found);
            }
            match self.get(&done) {
                Some(What::Folder(_)) => {}
                Some(What::Link(target)) => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(Errno::LOOP);
                    }
                    let mut next = target.to_vec();
                    next.extend_from_slice(pending.get(start..).unwrap_or_default());
                    done.truncate(if target.starts_with(b"/") { 0 } else { parent });
                    (pending, start) = (next, 0);
                }
                _ if start < pending.len() => return Err(Errno::NOTDIR),
                _ => return Ok(done.leak()),
            }
        }
    }
}

/// What this system has at a path.
///
/// # Errors
///
/// `lstat(2)`, readlink(2).
pub fn look(path: &[u8]) -> Result<What, Errno> {
    look_at(CWD, terminated(path)?)
}

/// What has this name in a folder.
///
/// # Errors
///
/// `lstat(2)`, readlink(2).
pub fn look_at(folder: BorrowedFd<'_>, name: &CStr) -> Result<What, Errno> {
    let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => Ok(What::Folder(Folder::default())),
        FileType::Symlink => {
            let mut target = [0; PATH_BYTES_MAX];
            let length = readlinkat_raw(folder, name, &mut target[..])?;
            Ok(What::Link(together(&[target.get(..length).ok_or(Errno::NAMETOOLONG)?])))
        }
        _ => Ok(What::File(found.st_mode)),
    }
}

/// The names in a folder of this system.
///
/// # Errors
///
/// open(2), getdents(2).
pub fn names_in(path: &[u8]) -> Result<Vec<&'static [u8]>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, terminated(path)?, flags, Mode::empty())?;
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(folder.as_fd(), &mut space);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(together(&[name]));
        }
    }
    Ok(names)
}

/// A path for a system call, kept until the process ends.
///
/// # Errors
///
/// `EINVAL` if there is a NUL in it.
pub fn terminated(path: &[u8]) -> Result<&'static CStr, Errno> {
    keep(path).ok_or(Errno::INVAL)
}

/// The folder and the name in it; a path without a slash is a name in no folder.
#[must_use]
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => {
            (path.get(..slash).unwrap_or_default(), path.get(slash + 1..).unwrap_or_default())
        }
        None => (b"", path),
    }
}

fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    crate::text::parts(path, b'/').filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_the_way_is_noted() {
        let base = std::env::temp_dir().join(format!("mini-container-tree-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&base);
        std::fs::create_dir_all(base.join("real/deep")).unwrap();
        std::fs::write(base.join("real/deep/file"), "").unwrap();
        let link = |name, target| std::os::unix::fs::symlink(target, base.join(name)).unwrap();
        link("folder", "real");
        link("real/link", "../folder/deep/./file");
        link("loop", "loop");
        let path = |name: &str| format!("{}/{name}", base.display()).into_bytes();
        let mut tree = Folder::default();
        assert_eq!(tree.add(&path("folder//link")), Ok(&*path("real/deep/file")));
        assert!(matches!(tree.get(&path("folder")), Some(What::Link(b"real"))));
        assert!(matches!(tree.get(&path("real/deep/file")), Some(What::File(_))));
        assert!(tree.get(&path("loop")).is_none());
        assert_eq!(tree.add(&path("loop")), Err(Errno::LOOP));
        assert_eq!(tree.add(&path("folder/link/x")), Err(Errno::NOTDIR));
        assert_eq!(tree.add(&path("folder/none")), Err(Errno::NOENT));
        assert_eq!(tree.add(b"/../.."), Ok(&b""[..]));
        std::fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn names_are_in_order_and_the_first_stays() {
        let mut tree = Folder::default();
        for name in [&b"/b"[..], b"/a", b"/c", b"/a"] {
            tree.put(name, What::Text(if tree.nodes.len() < 3 { "first" } else { "second" }));
        }
        let names: Vec<_> = tree.nodes.iter().map(|node| node.name).collect();
        assert_eq!(names, [b"a", b"b", b"c"]);
        assert!(matches!(tree.get(b"/a"), Some(What::Text("first"))));
        assert!(tree.get(b"/a/b").is_none());
    }
}
