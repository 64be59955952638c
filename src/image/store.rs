//! The file that an image is in, whatever its form: a folder or an archive in which things have names,
//! or nothing but a root filesystem.

use super::archive::{Member, READ, members, without_dot};
use super::digest::Digest;
use crate::error::{Cure, Doing, Error, Object, Operation, Why, status};
use crate::rare::Rare;
use crate::sys::descriptors::AsFd;
use crate::text::{keep, read_at, together};
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2};
use rustix::io::Errno;

/// An open image file.
pub struct Store {
    file: OwnedFd,
    form: Form,
    found: Stat,
}

enum Form {
    Folder,
    Archive(&'static [Member]),
    /// An archive that holds no image but a root filesystem, perhaps compressed.
    Root,
}

/// Some bytes of a file.
pub struct Content<'a> {
    file: Held<'a>,
    /// Where they begin.
    pub start: u64,
    /// How many there are.
    pub bytes: u64,
}

enum Held<'a> {
    Own(OwnedFd),
    Store(BorrowedFd<'a>),
}

impl AsFd for Content<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.file {
            Held::Own(file) => file.as_fd(),
            Held::Store(file) => *file,
        }
    }
}

static OPEN: Operation = Operation {
    words: rare!("open the image"),
    on: Object::Target,
    cures: &[(
        Errno::NOENT,
        Cure::Words(rare!(
            "it is a file or a folder here; `skopeo copy docker://NAME oci-archive:FILE` gets one"
        )),
    )],
};

/// More than any list or description of an image.
const TEXT_BYTES_MAX: u64 = 4 << 20;
/// Links to links.
const LINKS_MAX: usize = 8;

impl Store {
    /// Opens it, and finds out what it is.
    ///
    /// # Errors
    ///
    /// open(2); that it is neither folder nor file, or a damaged archive.
    pub fn open(path: &CStr) -> Result<Self, Error<'_>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = openat(CWD, path, flags, Mode::empty());
        let opened =
            opened.and_then(|file| fstat(file.as_fd()).map(|found| (file, found))).doing(&OPEN);
        let hint = |fault: crate::error::Fault| match fault.cure() {
            Some(Cure::Words(words)) => words.bytes(),
            _ => b"",
        };
        let (file, found) =
            opened.map_err(|fault| fault.into_error(path.to_bytes(), hint(fault)))?;
        let form = match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => Form::Folder,
            FileType::RegularFile => form_of(file.as_fd(), found.st_size as u64)?,
            _ => {
                let why = Why::Text(rare!("neither a folder nor a file"));
                let on = path.to_bytes();
                return Err(Error::new(rare!("open the image"), on, why, b"", status::FAILED));
            }
        };
        Ok(Self { file, form, found })
    }

    /// What is in an open file.
    ///
    /// # Errors
    ///
    /// That it is a damaged archive; fstat(2).
    pub fn of(file: OwnedFd) -> Result<Self, Error<'static>> {
        let found = fstat(file.as_fd()).doing(&OPEN).map_err(|fault| fault.into_error(b"", b""))?;
        let form = form_of(file.as_fd(), found.st_size as u64)?;
        Ok(Self { file, form, found })
    }

    /// The whole file, if it is but a root filesystem.
    #[must_use]
    pub fn root(&self) -> Option<Content<'_>> {
        let file = Held::Store(self.file.as_fd());
        let whole = Content { file, start: 0, bytes: self.found.st_size as u64 };
        matches!(self.form, Form::Root).then_some(whole)
    }

    /// What tells this version of the file from any other, without reading it.
    #[must_use]
    pub fn identity(&self) -> Digest {
        let found = &self.found;
        let numbers = [
            found.st_dev,
            found.st_ino,
            found.st_size as u64,
            found.st_mtime as u64,
            found.st_mtime_nsec,
            found.st_ctime as u64,
            found.st_ctime_nsec,
        ];
        let mut bytes = Vec::new();
        for number in numbers {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        Digest::of(&bytes)
    }

    /// Where the content of this name is; None if there is none.
    ///
    /// # Errors
    ///
    /// open(2).
    pub fn find(&self, name: &[u8]) -> Result<Option<Content<'_>>, Error<'static>> {
        match &self.form {
            Form::Root => Ok(None),
            Form::Archive(members) => Ok(self.find_member(members, name)),
            Form::Folder => match self.open_below(name) {
                Ok(content) => Ok(Some(content)),
                Err(Errno::NOENT) => Ok(None),
                Err(errno) => Err(named(rare!("open"), name, Why::Errno(errno))),
            },
        }
    }

    fn open_below(&self, name: &[u8]) -> Result<Content<'_>, Errno> {
        let path = keep(without_dot(name)).ok_or(Errno::INVAL)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let below = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let opened = match openat2(self.file.as_fd(), path, flags, Mode::empty(), below) {
            // Before Linux 5.6; what lies in an image file is checked before it is used.
            Err(Errno::NOSYS) if !path.to_bytes().starts_with(b"/") => {
                openat(self.file.as_fd(), path, flags | OFlags::NOFOLLOW, Mode::empty())
            }
            answer => answer,
        }?;
        let found = fstat(opened.as_fd())?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(Errno::INVAL);
        }
        Ok(Content { file: Held::Own(opened), start: 0, bytes: found.st_size as u64 })
    }

    fn find_member(&self, members: &[Member], name: &[u8]) -> Option<Content<'_>> {
        let mut name = without_dot(name);
        for _ in 0..LINKS_MAX {
            // As when it is unpacked, the last of a name counts.
            let member = members.iter().rev().find(|member| member.name == name)?;
            let Some(target) = member.target else {
                let file = Held::Store(self.file.as_fd());
                return Some(Content { file, start: member.start, bytes: member.bytes });
            };
            name = beside(name, target);
        }
        None
    }

    /// Where the content of this name is, which has to be there.
    ///
    /// # Errors
    ///
    /// That it is not; open(2).
    pub fn get(&self, name: &[u8]) -> Result<Content<'_>, Error<'static>> {
        let missing = || named(rare!("read"), name, Why::Text(rare!("the image does not have it")));
        self.find(name)?.ok_or_else(missing)
    }

    /// Reads a text that has to be there.
    ///
    /// # Errors
    ///
    /// It is not, or it is too long, or cut off.
    pub fn read(&self, name: &[u8]) -> Result<&'static [u8], Error<'static>> {
        let content = self.get(name)?;
        if content.bytes > TEXT_BYTES_MAX {
            return Err(named(rare!("read"), name, Why::Text(rare!("it is too long"))));
        }
        let text = vec![0; content.bytes as usize].leak();
        let filled = read_at(content.as_fd(), content.start, text).doing(&READ);
        let filled = filled.map_err(|fault| named(rare!("read"), name, Why::Errno(fault.errno)))?;
        if filled < text.len() {
            return Err(named(rare!("read"), name, Why::Text(rare!("it is cut off"))));
        }
        Ok(text)
    }
}

/// The name that a link at `name` leads to.
fn beside(name: &[u8], target: &[u8]) -> &'static [u8] {
    let folder = name.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let mut path = name.get(..folder).unwrap_or_default().to_vec();
    for part in crate::text::parts(target, b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                path.truncate(end);
            }
            part => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(part);
            }
        }
    }
    path.leak()
}

/// An error about something in the image.
#[must_use]
pub fn named(doing: Rare, name: &[u8], why: Why<'static>) -> Error<'static> {
    Error::new(doing, together(&[name]), why, b"", status::FAILED)
}

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// Whether an archive holds an image or a root filesystem.
fn form_of(file: BorrowedFd<'_>, bytes: u64) -> Result<Form, Error<'static>> {
    let mut magic = [0; 4];
    let filled = read_at(file, 0, &mut magic).doing(&READ);
    let filled = filled.map_err(|fault| fault.into_error(b"the image", b""))?;
    let magic = magic.get(..filled).unwrap_or_default();
    if magic.is_empty() {
        return Err(named(rare!("read"), b"the image", Why::Text(rare!("it is empty"))));
    }
    if magic.starts_with(GZIP) || magic.starts_with(ZSTD) {
        return Ok(Form::Root);
    }
    let Some(members) = members(file, bytes)? else { return Ok(Form::Root) };
    let has = |name: &[u8]| members.iter().any(|member| member.name == name);
    if has(super::manifest::OCI_LAYOUT) || has(super::manifest::DOCKER_MANIFEST) {
        return Ok(Form::Archive(members));
    }
    Ok(Form::Root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_name_beside_it() {
        assert_eq!(beside(b"a/layer.tar", b"../b/layer.tar"), b"b/layer.tar");
        assert_eq!(beside(b"a", b"./b"), b"b");
        assert_eq!(beside(b"a/b", b"../../../c"), b"c");
    }
}
