//! Making a directory have what a tree says. Everything is done in folders that are open, by single
//! names that are never followed if they are links; so nothing is made outside, whatever the directory
//! has in it, or gets while it is filled.

use super::copy::{Place, make_like, times};
use super::tree::{Folder, Node, What, look_at, terminated};
use crate::error::{Error, Why, status};
use crate::rare::Rare;
use crate::sys::descriptors::AsFd;
use crate::text::{Text, together};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, mkdirat, mknodat, openat,
    statat, symlinkat, utimensat,
};
use rustix::io::Errno;
use rustix::process::{getpid, umask};

/// Makes `directory`, or adds to it; what is there already and is the same kind of thing gives way.
///
/// # Errors
///
/// What cannot be read, or made; what is there and is something else.
pub fn assemble(tree: &Folder, directory: &CStr) -> Result<(), Error<'static>> {
    // Modes are meant as they stand.
    umask(Mode::empty());
    let made = make_folder(CWD, directory, 0o755, OFlags::empty());
    let top =
        made.map_err(|errno| failed(rare!("make the directory"), directory.to_bytes(), errno))?;
    let mut temporary = Text::new();
    temporary.push(".mini-container-");
    temporary.push_number(getpid().as_raw_nonzero().get().unsigned_abs().into());
    let temporary = terminated(temporary.as_bytes()).unwrap_or_default();
    Assembly { temporary, path: Vec::new() }.fill(top.as_fd(), tree)
}

/// Opens a folder that is there, or is made.
fn make_folder(
    folder: BorrowedFd<'_>,
    name: &CStr,
    permissions: u32,
    more: OFlags,
) -> Result<OwnedFd, Errno> {
    match mkdirat(folder, name, Mode::from_raw_mode(permissions)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more;
    openat(folder, name, flags, Mode::empty())
}

struct Assembly {
    temporary: &'static CStr,
    /// Where on this system we are.
    path: Vec<u8>,
}

impl Assembly {
    fn fill(&mut self, into: BorrowedFd<'_>, folder: &Folder) -> Result<(), Error<'static>> {
        for node in &folder.nodes {
            let length = self.path.len();
            self.path.push(b'/');
            self.path.extend_from_slice(node.name);
            self.make(into, node)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn make(&mut self, folder: BorrowedFd<'_>, node: &Node) -> Result<(), Error<'static>> {
        let name = terminated(node.name).unwrap_or_default();
        let place = Place { folder, name, temporary: self.temporary };
        let made = match &node.what {
            What::Folder(inner) => {
                // Nobody looks into one that is not as it will be.
                let permissions = if inner.is_kept { 0o700 } else { 0o755 };
                let made = make_folder(folder, name, permissions, OFlags::NOFOLLOW);
                let made = made.map_err(|errno| self.failed(rare!("make the folder"), errno))?;
                self.fill(made.as_fd(), inner)?;
                if !inner.is_kept {
                    return Ok(());
                }
                self.like().and_then(|like| make_like(made.as_fd(), &like))
            }
            What::Link(target) => self.link(place, target),
            What::File(mode) => self.file(place, *mode),
            What::Text(content) => match kind_of(place) {
                Ok(None) => place.write(content),
                _ => return Ok(()),
            },
        };
        made.map_err(|errno| self.failed(rare!("copy"), errno))
    }

    fn link(&self, place: Place<'_>, target: &[u8]) -> Result<(), Errno> {
        let Place { folder, name, temporary } = place;
        match kind_of(place)? {
            None => {}
            Some(FileType::Symlink) => {
                if matches!(look_at(folder, name)?, What::Link(text) if text == target) {
                    return Ok(());
                }
            }
            Some(_) => return Err(Errno::EXIST),
        }
        let like = self.like()?;
        place.put(&|| {
            symlinkat(terminated(target)?, folder, temporary)?;
            set_owner(folder, temporary, &like);
            utimensat(folder, temporary, &times(&like), AtFlags::SYMLINK_NOFOLLOW)
        })
    }

    /// A file, or a device or the like.
    fn file(&self, place: Place<'_>, mode: u32) -> Result<(), Errno> {
        let kind = FileType::from_raw_mode(mode);
        match kind_of(place)? {
            Some(other) if other != kind => return Err(Errno::EXIST),
            _ => {}
        }
        if kind == FileType::RegularFile {
            return place.copy(terminated(&self.path)?);
        }
        let like = self.like()?;
        place.put(&|| {
            let mode = Mode::from_raw_mode(mode & 0o777);
            mknodat(place.folder, place.temporary, kind, mode, like.st_rdev)?;
            set_owner(place.folder, place.temporary, &like);
            Ok(())
        })
    }

    fn like(&self) -> Result<Stat, Errno> {
        statat(CWD, terminated(&self.path)?, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn failed(&self, doing: Rare, errno: Errno) -> Error<'static> {
        match errno {
            Errno::EXIST | Errno::NOTDIR | Errno::LOOP | Errno::ISDIR => {
                let why = rare!("there is something of another kind in its place");
                Error::usage(
                    doing,
                    self.path.clone().leak(),
                    why,
                    rare!("remove it, or name another directory").bytes(),
                )
            }
            _ => failed(doing, &self.path, errno),
        }
    }
}

fn failed(doing: Rare, path: &[u8], errno: Errno) -> Error<'static> {
    Error::new(doing, together(&[path]), Why::Errno(errno), b"", status::FAILED)
}

/// As root; others own what they make.
fn set_owner(folder: BorrowedFd<'_>, name: &CStr, like: &Stat) {
    let owner = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
    let _ = chownat(folder, name, Some(owner.0), Some(owner.1), AtFlags::SYMLINK_NOFOLLOW);
}

/// What is there.
fn kind_of(place: Place<'_>) -> Result<Option<FileType>, Errno> {
    match statat(place.folder, place.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}
