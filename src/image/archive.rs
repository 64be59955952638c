//! The members of an archive that a layout was packed into: tar(5), not compressed, so that each can
//! be read at its place without reading the others.

use super::unpack::reader::{CUT_OFF, Reader, Source};
use super::unpack::{Entry, Failure, Kind};
use crate::error::{Error, Object, Operation, Why, status};
use crate::text::{parts, read_at};
use alloc::vec::Vec;
use rustix::fd::BorrowedFd;

/// A file in an archive, or a link to one.
pub struct Member {
    /// Its name, without `./` in front.
    pub name: Vec<u8>,
    /// Where its content begins.
    pub start: u64,
    /// How long it is.
    pub bytes: u64,
    /// What it is a link to, if it is one.
    pub target: Option<Vec<u8>>,
}

/// More than any layout has: a layer or two files for each, and some more.
const MEMBERS_MAX: usize = 4096;
/// Enough for the header of most members.
const HEAD_BYTES: usize = 2048;
const BLOCK_BYTES: u64 = 512;

pub static READ: Operation = Operation { on: Object::Target, ..Operation::new("read") };

/// Lists what is in the archive, as long as it can be a layout: none of those has so many members, nor
/// any that lies so deep, as a root filesystem.
///
/// # Errors
///
/// It is no archive, or it is cut off.
pub fn members(file: BorrowedFd<'_>, bytes: u64) -> Result<Option<Vec<Member>>, Error<'static>> {
    let mut members = Vec::new();
    let head = Vec::new();
    let mut reader = Reader::new(Head { file, place: 0, end: bytes, bytes: head, used: 0 });
    let mut entry = Entry::default();
    while reader.next(&mut entry).map_err(|failure| damaged(&failure))? {
        let target = match entry.kind {
            Kind::Link | Kind::HardLink => Some(entry.target.clone()),
            _ => None,
        };
        let name = without_dot(&entry.name).to_vec();
        if members.len() == MEMBERS_MAX || is_deep(&name) || entry.sparse.is_some() {
            return Ok(None);
        }
        if entry.kind == Kind::File || target.is_some() {
            let start = reader.source().position();
            members.push(Member { name, start, bytes: entry.bytes, target });
        }
    }
    // Nobody leaves the mark of the end out here, so it is cut off.
    if !reader.has_end() {
        return Err(damaged(&CUT_OFF));
    }
    Ok(Some(members))
}

/// A file that is read where something is to be known, and not in between.
struct Head<'a> {
    file: BorrowedFd<'a>,
    /// What was read ends here, and there is no more from there on.
    place: u64,
    end: u64,
    bytes: Vec<u8>,
    used: usize,
}

impl Head<'_> {
    fn position(&self) -> u64 {
        self.place - (self.bytes.len() - self.used) as u64
    }
}

impl Source for Head<'_> {
    fn window(&mut self) -> Result<&[u8], Failure> {
        if self.used == self.bytes.len() {
            let wanted =
                HEAD_BYTES.min(usize::try_from(self.end - self.place).unwrap_or(HEAD_BYTES));
            self.bytes.resize(wanted, 0);
            let filled = read_at(self.file, self.place, &mut self.bytes)?;
            self.bytes.truncate(filled);
            self.place += filled as u64;
            self.used = 0;
        }
        Ok(self.bytes.get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        self.used = (self.used + bytes).min(self.bytes.len());
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Failure> {
        // The padding of the last member may be missing.
        let to = self.position().checked_add(bytes).filter(|to| *to <= self.end + BLOCK_BYTES);
        self.place = to.ok_or(CUT_OFF)?.min(self.end);
        (self.bytes, self.used) = (Vec::new(), 0);
        Ok(())
    }
}

/// Whether it lies deeper than anything in a layout; blobs may.
fn is_deep(name: &[u8]) -> bool {
    parts(name, b'/').filter(|part| !part.is_empty()).nth(2).is_some()
        && !name.starts_with(b"blobs/")
}

fn damaged(failure: &Failure) -> Error<'static> {
    let why = match *failure {
        Failure::System(errno) => Why::Errno(errno),
        _ => Why::Text("it is no tar archive that is whole"),
    };
    Error::new("read", b"the image", why, b"it may have been cut off on its way", status::FAILED)
}

/// A name as it is meant.
pub fn without_dot(mut name: &[u8]) -> &[u8] {
    while let Some(rest) = name.strip_prefix(b"./") {
        name = rest;
    }
    name
}
