//! From the bytes of an archive to its entries, one after the other; tar(5).

use super::entry::{Entry, Kind};
use super::refused;
use super::sparse::{self, Piece, Sparse, next_record};
use super::stream::Stream;
use crate::error::{Error, Why};
use crate::image::store::named;
use crate::text::{cut, wide_number};
use alloc::vec::Vec;
use tar_core::EntryType;
use tar_core::parse::{Limits, ParseError, ParseEvent, ParsedEntry, Parser};

/// What becomes of the entries.
pub trait Sink {
    /// Takes an entry that is no file.
    ///
    /// # Errors
    ///
    /// What cannot be, or fails.
    fn take(&mut self, entry: &Entry) -> Result<(), Error<'static>>;

    /// Takes a file, with what is in it.
    ///
    /// # Errors
    ///
    /// Likewise.
    fn take_file(
        &mut self,
        entry: &Entry,
        content: &mut Content<'_, '_>,
    ) -> Result<(), Error<'static>>;
}

/// Headers that extend the next one, all together.
const METADATA_BYTES_MAX: u32 = 1 << 20;
const BLOCK_BYTES: u64 = 512;

/// Hands all entries to the sink, at most as many as are `left`. An archive that is not checked as a
/// whole has to have the blocks at its end: without, nobody knows whether it is cut off.
///
/// # Errors
///
/// Those of the sink; that the archive is damaged or cut off, or has too many entries.
pub fn walk(
    stream: &mut Stream<'_>,
    left: &mut u64,
    is_checked: bool,
    sink: &mut dyn Sink,
) -> Result<(), Error<'static>> {
    let limits = Limits { max_metadata_size: METADATA_BYTES_MAX, ..Limits::default() };
    let mut parser = Parser::new(limits);
    parser.set_ignore_pax_errors(true);
    // The entry for the top may be called nothing but a slash.
    parser.set_allow_empty_path(true);
    let mut entry = Entry::default();
    let mut wanted = BLOCK_BYTES as usize;
    let mut is_begun = false;
    loop {
        stream.hold(wanted)?;
        let is_all = stream.held().len() < wanted;
        // Some leave the empty blocks at the end out, or one of them.
        if is_all && is_begun && is_checked && stream.held().iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let (consumed, bytes, holes) = match parser.parse(stream.held()) {
            Ok(ParseEvent::NeedData { .. }) if is_all && !is_begun => return Err(no_archive()),
            Ok(ParseEvent::NeedData { .. }) if is_all => return Err(cut_off(&entry)),
            Ok(ParseEvent::NeedData { min_bytes }) => {
                wanted = min_bytes;
                continue;
            }
            Ok(ParseEvent::GlobalExtensions { consumed, .. }) => {
                stream.advance(consumed);
                wanted = BLOCK_BYTES as usize;
                continue;
            }
            Ok(ParseEvent::End { .. }) => return Ok(()),
            Ok(ParseEvent::Entry { consumed, entry: parsed }) => {
                let holes = read(&parsed, &mut entry)?;
                (consumed, parsed.size, holes)
            }
            Ok(ParseEvent::SparseEntry { consumed, entry: parsed, sparse_map, real_size }) => {
                let _ = read(&parsed, &mut entry)?;
                let mut pieces = Vec::new();
                for piece in sparse_map {
                    pieces.push(Piece { start: piece.offset, bytes: piece.length });
                }
                entry.kind = Kind::File(real_size);
                (consumed, parsed.size, Some(Sparse { bytes: real_size, pieces, name: None }))
            }
            Err(error) => return Err(damaged(&entry, &error)),
        };
        stream.advance(consumed);
        wanted = BLOCK_BYTES as usize;
        is_begun = true;
        *left = left.checked_sub(1).ok_or_else(|| refused(&entry.name, TOO_MANY))?;
        let padding = bytes.wrapping_neg() % BLOCK_BYTES;
        let rest = if let Kind::File(file_bytes) = entry.kind {
            let whole = [Piece { start: 0, bytes }];
            let pieces = holes.as_ref().map_or(&whole[..], |holes| &holes.pieces);
            if !sparse::fits(pieces, file_bytes, bytes) {
                return Err(refused(&entry.name, "its map of holes does not fit"));
            }
            let has_holes = holes.is_some();
            let mut content = Content { stream, pieces, has_holes, is_cut_off: false };
            sink.take_file(&entry, &mut content)?;
            if content.is_cut_off {
                return Err(cut_off(&entry));
            }
            padding
        } else {
            sink.take(&entry)?;
            bytes + padding
        };
        if !stream.skip(rest)? {
            return Err(cut_off(&entry));
        }
    }
}

const TOO_MANY: &str = "the image has more than eight million entries";

fn cut_off(entry: &Entry) -> Error<'static> {
    refused(&entry.name, "the archive is cut off in it or behind it")
}

fn no_archive() -> Error<'static> {
    named("unpack", b"the layer", Why::Text("it is no tar archive"))
}

fn damaged(before: &Entry, error: &ParseError) -> Error<'static> {
    let why = match error {
        ParseError::MetadataTooLarge { .. } | ParseError::TooManyPendingEntries { .. } => {
            "the entry behind it has a header that is too long"
        }
        _ => "the header behind it is damaged",
    };
    if before.name.is_empty() {
        return no_archive();
    }
    refused(&before.name, why)
}

/// Takes over all that is said about an entry; returns where its holes are, if it has some.
fn read(parsed: &ParsedEntry<'_>, entry: &mut Entry) -> Result<Option<Sparse>, Error<'static>> {
    let records = parsed.pax.unwrap_or_default();
    entry.name.clear();
    entry.name.extend_from_slice(&parsed.path);
    let damaged = || refused(&parsed.path, "its extended header is damaged");
    if !sparse::is_sound(records) {
        return Err(damaged());
    }
    let mut holes = sparse::read(records).map_err(|_| damaged())?;
    if let Some(name) = holes.as_mut().and_then(|holes| holes.name.take()) {
        entry.name = name;
    }
    entry.target.clear();
    entry.target.extend_from_slice(parsed.link_target.as_deref().unwrap_or_default());
    entry.mode = parsed.mode & 0o7777;
    let id = |id: u64| u32::try_from(id).ok().filter(|id| *id != u32::MAX);
    let owner = id(parsed.uid).zip(id(parsed.gid));
    (entry.user, entry.group) =
        owner.ok_or_else(|| refused(&entry.name, "its owner has a number that is too large"))?;
    entry.modified = modified(records).unwrap_or((parsed.mtime as i64, 0));
    entry.attributes.clear();
    for (name, value) in &parsed.xattrs {
        entry.attributes.push((name.to_vec(), value.to_vec()));
    }
    let numbers = (parsed.dev_major.unwrap_or(0), parsed.dev_minor.unwrap_or(0));
    let bytes = holes.as_ref().map_or(parsed.size, |holes| holes.bytes);
    entry.kind = match parsed.entry_type {
        // Before ustar, a folder was known by its name.
        EntryType::Regular if entry.name.ends_with(b"/") && bytes == 0 => Kind::Folder,
        EntryType::Regular | EntryType::Continuous | EntryType::GnuSparse => Kind::File(bytes),
        EntryType::Directory => Kind::Folder,
        EntryType::Symlink => Kind::Symlink,
        EntryType::Link => Kind::HardLink,
        EntryType::Char => Kind::Characters(numbers.0, numbers.1),
        EntryType::Block => Kind::Blocks(numbers.0, numbers.1),
        EntryType::Fifo => Kind::Pipe,
        _ => return Err(refused(&entry.name, "it is of a kind that no layer has")),
    };
    Ok(holes)
}

/// The time of a pax header, which has fractions, and may lie before 1970.
fn modified(records: &[u8]) -> Option<(i64, i64)> {
    let mut found = None;
    let mut rest = records;
    while let Ok(Some((record, behind))) = next_record(rest) {
        rest = behind;
        if let Some(value) = record.strip_prefix(b"mtime=") {
            found = time(value);
        }
    }
    found
}

/// `[-]SECONDS[.FRACTION]` as seconds and nanoseconds from 0 up.
fn time(text: &[u8]) -> Option<(i64, i64)> {
    const DIGITS: usize = 9;
    let (is_before, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let (whole, fraction) = cut(digits, b'.');
    let seconds = i64::try_from(wide_number(whole)?).ok()?;
    let mut nanoseconds = 0;
    let fraction = fraction.unwrap_or_default();
    for place in 0..DIGITS {
        let digit = fraction.get(place).copied().unwrap_or(b'0');
        nanoseconds = nanoseconds * 10 + i64::from(digit.wrapping_sub(b'0'));
        if !digit.is_ascii_digit() {
            return None;
        }
    }
    Some(match (is_before, nanoseconds) {
        (false, _) => (seconds, nanoseconds),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanoseconds),
    })
}

/// What takes the bytes of a file, each with where they stand in it.
pub type Write<'w> = &'w mut dyn FnMut(u64, &[u8]) -> Result<(), Error<'static>>;

/// What is in a file, to be read once.
pub struct Content<'s, 'f> {
    stream: &'s mut Stream<'f>,
    pieces: &'s [Piece],
    /// Whether not all of the file is in it.
    pub has_holes: bool,
    is_cut_off: bool,
}

impl Content<'_, '_> {
    /// Hands it on: where some bytes stand, and which.
    ///
    /// # Errors
    ///
    /// Those of `write`; read(2).
    pub fn pour(&mut self, write: Write<'_>) -> Result<(), Error<'static>> {
        for piece in self.pieces {
            let mut done = 0;
            while done < piece.bytes {
                self.stream.hold_some()?;
                let held = self.stream.held();
                let count = (piece.bytes - done).min(held.len() as u64);
                if count == 0 {
                    self.is_cut_off = true;
                    return Ok(());
                }
                write(piece.start + done, held.get(..count as usize).unwrap_or_default())?;
                self.stream.advance(count as usize);
                done += count;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_fractions_and_may_lie_before_1970() {
        assert_eq!(time(b"1700000000"), Some((1_700_000_000, 0)));
        assert_eq!(time(b"1.5"), Some((1, 500_000_000)));
        assert_eq!(time(b"1.0000000019"), Some((1, 1)));
        assert_eq!(time(b"-1.25"), Some((-2, 750_000_000)));
        assert_eq!(time(b"-3"), Some((-3, 0)));
        for wrong in ["", "x", "1.x", "-", "1e3"] {
            assert_eq!(time(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
