//! The members of an archive that a layout was packed into: tar(5), not compressed, so that each can
//! be read at its place without reading the others.

use super::unpack::reader::{CUT_OFF, Reader, Source};
use super::unpack::{Entry, Failure, Kind};
use crate::error::{Error, Object, Operation, Why, status};
use crate::text::{parts, read_at, together};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use rustix::fd::BorrowedFd;

/// A file in an archive, or a link to one.
pub struct Member {
    /// Its name, without `./` in front.
    pub name: &'static [u8],
    /// Where its content begins.
    pub start: u64,
    /// How long it is.
    pub bytes: u64,
    /// What it is a link to, if it is one.
    pub target: Option<&'static [u8]>,
}

/// More than any layout has: a layer or two files for each, and some more.
const MEMBERS_MAX: usize = 4096;
/// Enough for the header of most members.
const HEAD_BYTES: usize = 2048;
const BLOCK_BYTES: u64 = 512;

pub static READ: Operation = Operation { on: Object::Target, ..Operation::new(rare!("read")) };

/// Lists what is in the archive, as long as it can be a layout: none of those has so many members, nor
/// any that lies so deep, as a root filesystem.
///
/// # Errors
///
/// It is no archive, or it is cut off.
pub fn members(
    file: BorrowedFd<'_>,
    bytes: u64,
) -> Result<Option<&'static [Member]>, Error<'static>> {
    // They are read from until the program ends.
    let members: &mut Vec<Member> = Box::leak(Box::default());
    let place = Cell::new(0);
    let mut head = Head { file, place: &place, end: bytes, bytes: Vec::new(), used: 0 };
    let mut reader = Reader::new(&mut head);
    let mut entry = Entry::default();
    while reader.next(&mut entry).map_err(damaged)? {
        let target = match entry.kind {
            Kind::Link | Kind::HardLink => Some(together(&[&entry.target])),
            _ => None,
        };
        let name = together(&[without_dot(&entry.name)]);
        if members.len() == MEMBERS_MAX || is_deep(name) || entry.sparse.is_some() {
            return Ok(None);
        }
        if entry.kind == Kind::File || target.is_some() {
            let start = place.get();
            members.push(Member { name, start, bytes: entry.bytes, target });
        }
    }
    // Nobody leaves the mark of the end out here, so it is cut off.
    if !reader.has_end() {
        return Err(damaged(CUT_OFF));
    }
    Ok(Some(members))
}

/// A file that is read where something is to be known, and not in between.
struct Head<'a> {
    file: BorrowedFd<'a>,
    /// What comes next is here, for who wants to know, and there is no more from there on.
    place: &'a Cell<u64>,
    end: u64,
    bytes: Vec<u8>,
    used: usize,
}

impl Source for Head<'_> {
    fn window(&mut self) -> Result<&[u8], Failure> {
        if self.used == self.bytes.len() {
            let place = self.place.get();
            let wanted = HEAD_BYTES.min(usize::try_from(self.end - place).unwrap_or(HEAD_BYTES));
            self.bytes.resize(wanted, 0);
            let filled = read_at(self.file, place, &mut self.bytes)?;
            self.bytes.truncate(filled);
            self.used = 0;
        }
        Ok(self.bytes.get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        let step = bytes.min(self.bytes.len() - self.used);
        self.used += step;
        self.place.set(self.place.get() + step as u64);
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Failure> {
        // The padding of the last member may be missing.
        let to = self.place.get().checked_add(bytes).filter(|to| *to <= self.end + BLOCK_BYTES);
        self.place.set(to.ok_or(CUT_OFF)?.min(self.end));
        (self.bytes, self.used) = (Vec::new(), 0);
        Ok(())
    }
}

/// Whether it lies deeper than anything in a layout; blobs may.
fn is_deep(name: &[u8]) -> bool {
    parts(name, b'/').filter(|part| !part.is_empty()).nth(2).is_some()
        && !name.starts_with(b"blobs/")
}

fn damaged(failure: Failure) -> Error<'static> {
    let why = match failure {
        Failure::System(errno) => Why::Errno(errno),
        _ => Why::Text(rare!("it is no tar archive that is whole")),
    };
    Error::new(
        rare!("read"),
        b"the image",
        why,
        rare!("it may have been cut off on its way").bytes(),
        status::FAILED,
    )
}

/// A name as it is meant.
pub fn without_dot(mut name: &[u8]) -> &[u8] {
    while let Some(rest) = name.strip_prefix(b"./") {
        name = rest;
    }
    name
}
