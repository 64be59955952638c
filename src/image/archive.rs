//! The members of an archive that a layout was packed into: tar(5), not compressed, so that each can
//! be read at its place without reading the others.

use crate::error::{Doing, Error, Object, Operation, Why, status};
use crate::text::parts;
use alloc::vec::Vec;
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, pread, retry_on_intr};
use tar_core::parse::{Limits, ParseEvent, Parser};

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
/// Enough for the header of most members; what is longer is read again.
const HEAD_BYTES: usize = 2048;
/// The longest header, with all that extends it.
const HEAD_BYTES_MAX: usize = 64 * 1024;

pub static READ: Operation = Operation { on: Object::Target, ..Operation::new("read") };

/// Lists what is in the archive, as long as it can be a layout: none of those has so many members, nor
/// any that lies so deep, as a root filesystem.
///
/// # Errors
///
/// It is no archive, or it is cut off.
pub fn members(file: BorrowedFd<'_>, bytes: u64) -> Result<Option<Vec<Member>>, Error<'static>> {
    let mut members = Vec::new();
    let mut parser = Parser::new(Limits { max_metadata_size: 16 * 1024, ..Limits::default() });
    let mut head = Vec::new();
    let mut wanted = HEAD_BYTES;
    let mut place = 0;
    while place < bytes {
        read_at(file, place, wanted, &mut head)?;
        let (consumed, content) = match parser.parse(&head) {
            Ok(ParseEvent::NeedData { min_bytes })
                if min_bytes > head.len()
                    && min_bytes <= HEAD_BYTES_MAX
                    && head.len() == wanted =>
            {
                wanted = min_bytes;
                continue;
            }
            Ok(ParseEvent::Entry { consumed, entry }) => {
                let start = place + consumed as u64;
                let is_link = entry.is_symlink() || entry.is_hard_link();
                let target = if is_link { entry.link_target.as_ref() } else { None };
                let target = target.map(|target| target.to_vec());
                let name = without_dot(&entry.path).to_vec();
                if members.len() == MEMBERS_MAX || is_deep(&name) {
                    return Ok(None);
                }
                if entry.is_file() || target.is_some() {
                    members.push(Member { name, start, bytes: entry.size, target });
                }
                (consumed, entry.padded_size())
            }
            Ok(ParseEvent::GlobalExtensions { consumed, .. }) => (consumed, 0),
            Ok(ParseEvent::SparseEntry { .. }) => return Ok(None),
            Ok(ParseEvent::End { .. }) => return Ok(Some(members)),
            _ => return Err(damaged()),
        };
        wanted = HEAD_BYTES;
        let next =
            content.checked_add(consumed as u64).and_then(|length| place.checked_add(length));
        place = next.ok_or_else(damaged)?;
    }
    Err(damaged())
}

/// Whether it lies deeper than anything in a layout; blobs may.
fn is_deep(name: &[u8]) -> bool {
    parts(name, b'/').filter(|part| !part.is_empty()).nth(2).is_some()
        && !name.starts_with(b"blobs/")
}

fn damaged() -> Error<'static> {
    let why = Why::Text("it is no tar archive that is whole");
    Error::new("read", b"the image", why, b"it may have been cut off on its way", status::FAILED)
}

/// A name as it is meant.
pub fn without_dot(mut name: &[u8]) -> &[u8] {
    while let Some(rest) = name.strip_prefix(b"./") {
        name = rest;
    }
    name
}

/// Reads up to so many bytes; fewer at the end of the file.
fn read_at(
    file: BorrowedFd<'_>,
    place: u64,
    wanted: usize,
    into: &mut Vec<u8>,
) -> Result<(), Error<'static>> {
    into.clear();
    into.resize(wanted, 0);
    let filled = fill(file, place, into).doing(&READ);
    let filled = filled.map_err(|fault| fault.into_error(b"the image", b""))?;
    into.truncate(filled);
    Ok(())
}

/// Reads until the buffer is full or the file ends; returns how much it was.
///
/// # Errors
///
/// pread(2).
pub fn fill(file: BorrowedFd<'_>, place: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match retry_on_intr(|| pread(file, &mut *rest, place + filled as u64))? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
