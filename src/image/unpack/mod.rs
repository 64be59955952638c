//! One layer, unpacked into a directory: an archive, compressed or not.
//!
//! Two processes do it. A child reads the layer (`input`) and decompresses it (`gzip`, `zstd`) into
//! memory that both have; this one reads entries there (`reader`, with `header`, `pax`, `sparse`,
//! `entry`), and makes files of them (`write`, with `names`, `folders`, `attributes`, `whiteouts`).

mod attributes;
mod crc;
mod entry;
mod failure;
mod folders;
mod gzip;
mod header;
mod input;
mod made;
pub mod names;
mod pax;
pub mod reader;
mod sparse;
mod stream;
#[cfg(test)]
mod tests;
mod whiteouts;
mod write;
mod zstd;

pub use entry::{Entry, Kind};
pub use failure::Failure;

use super::digest::Digest;
use super::progress::Progress;
use crate::error::{Error, Why, status};
use crate::sys::files::{close, standard_error};
use crate::sys::namespaces::Namespaces;
use crate::sys::process::{Memory, clone};
use crate::sys::ring::Ring;
use crate::text::Text;
use input::{CONTENT, Ended};
use reader::Reader;
use rustix::fd::BorrowedFd;
use rustix::fs::Mode;
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Signal, WaitOptions, kill_process, umask, waitpid};
use stream::{Compression, Stream};
use write::Files;

/// Where a layer's bytes are.
pub struct Blob<'a> {
    /// The file that they are in.
    pub file: BorrowedFd<'a>,
    /// Where they begin in it.
    pub start: u64,
    /// How many there are.
    pub bytes: u64,
    /// Their digest, which is checked.
    pub digest: Option<Digest>,
    /// The digest of the archive in them, which is checked.
    pub content: Option<Digest>,
    /// What messages call it.
    pub name: &'a [u8],
}

/// Where a layer is unpacked.
#[derive(Clone, Copy)]
pub struct Destination<'a> {
    /// The directory.
    pub folder: BorrowedFd<'a>,
    /// How.
    pub form: Form,
    /// Whose the files are.
    pub owners: Owners,
}

/// What becomes of what a layer deletes.
#[derive(Clone, Copy)]
pub enum Form {
    /// The directory is one layer of an overlay: a mark, of the attributes of root or of a user.
    Overlay {
        /// Whether the overlay is mounted with root privilege.
        privileged: bool,
    },
    /// Several layers become one tree: what earlier ones put there is removed.
    Tree,
}

/// Whose files are.
#[derive(Clone, Copy)]
pub enum Owners {
    /// Who the archive says; the user namespace knows the ids.
    Kept,
    /// The caller, all of them.
    Caller,
}

/// How much may be unpacked yet, of all layers together.
pub struct Limits {
    /// Decompressed.
    pub bytes: u64,
    /// Files.
    pub entries: u64,
}

impl Limits {
    /// More than any image has, and less than fills most disks.
    pub const DEFAULT: Self = Self { bytes: 64 << 30, entries: 1 << 22 };
}

/// Unpacks a layer. Whatever fails, what was made by then is left in the directory, and nothing
/// anywhere else.
///
/// # Errors
///
/// The layer is damaged, or would do harm; any system call that makes files.
pub fn unpack(
    blob: &Blob<'_>,
    into: Destination<'_>,
    limits: &mut Limits,
    progress: &mut Progress,
) -> Result<(), Error<'static>> {
    let mut entry = Entry::default();
    // The modes are meant as they stand.
    let callers = umask(Mode::empty());
    let unpacked = unpack_into(blob, into, limits, progress, &mut entry);
    umask(callers);
    unpacked.map_err(|failure| error(failure, &entry.name, blob.name))
}

fn unpack_into(
    blob: &Blob<'_>,
    into: Destination<'_>,
    limits: &mut Limits,
    progress: &mut Progress,
    entry: &mut Entry,
) -> Result<(), Failure> {
    let compression = Compression::of(blob)?;
    let mut ring = Ring::map()?;
    let (mut writer, reader) = ring.ends()?;
    let child = clone(Memory::Copied, Namespaces::NONE, &mut || {
        close(reader.socket());
        u8::from(stream::feed(blob, compression, &mut writer).is_err())
    })?;
    drop(writer);
    let hash = blob.content.filter(|_| compression != Compression::None);
    let mut stream = Stream::new(reader, hash, limits.bytes, progress);
    let mut unpacked = write_files(&mut stream, into, &mut limits.entries, entry, blob);
    if let Ok(()) | Err(Failure::Archive(_)) = unpacked {
        // If the layer is not the one that is meant, that is what is wrong.
        unpacked = match (unpacked, stream.finish()) {
            (Ok(()), rest) => rest,
            (Err(_), Err(Failure::Source(code))) if code != CONTENT.code() => {
                Err(Failure::Source(code))
            }
            (unpacked, _) => unpacked,
        };
    }
    limits.bytes = stream.left();
    // It may have a lot to read yet, and nobody reads it.
    let _ = kill_process(child, Signal::KILL);
    let _ = retry_on_intr(|| waitpid(Some(child), WaitOptions::empty()));
    if unpacked.is_ok() {
        progress.finish();
    }
    unpacked
}

fn write_files(
    stream: &mut Stream<'_>,
    into: Destination<'_>,
    entries: &mut u64,
    entry: &mut Entry,
    blob: &Blob<'_>,
) -> Result<(), Failure> {
    let is_checked = blob.digest.is_some() || blob.content.is_some();
    let mut files = Files::new(&into)?;
    let mut reader = Reader::new(stream);
    while reader.next(entry)? {
        *entries = entries.checked_sub(1).ok_or(Failure::Limit(rare!("it has too many files")))?;
        files.put(entry, &mut reader)?;
    }
    entry.name.clear();
    if !reader.has_end() && !is_checked {
        return Err(Failure::Archive(rare!("it ends without the mark of an end: it is cut off")));
    }
    tell(&files.left_out, blob.name);
    files.folders.finish()
}

/// Says in a line what could not be made as it is in the archive.
fn tell(left_out: &write::LeftOut, layer: &[u8]) {
    let mut text = Text::new();
    for (count, what) in
        [(left_out.devices, "devices: "), (left_out.attributes, "extended attributes: ")]
    {
        if count > 0 {
            if text.is_empty() {
                text.say(rare!("mini-container: left out of ")).push_name(layer).push(", ");
            } else {
                text.push(", ");
            }
            text.push(what).push_number(count);
        }
    }
    if !text.is_empty() {
        text.say(rare!(" (they take privilege, or another file system)\n"));
        // Nobody is told, then.
        let _ = text.write_to(standard_error());
    }
}

/// In words.
fn error(failure: Failure, entry: &[u8], layer: &[u8]) -> Error<'static> {
    let mut on = Text::new();
    if !entry.is_empty() {
        on.push_raw(entry).push(" of ");
    }
    on.push_raw(layer);
    let why = match failure {
        Failure::Archive(words) | Failure::Limit(words) => Why::Text(words),
        Failure::System(errno) => Why::Errno(errno),
        Failure::Source(code) => match Ended::of(code) {
            Ended::Wrong(words) => Why::Text(words),
            Ended::System(errno) => Why::Errno(errno),
            Ended::Whole => Why::Errno(Errno::PIPE),
        },
    };
    let doing = if let Failure::Source(_) = failure { rare!("read") } else { rare!("unpack") };
    let on = if let Failure::Source(_) = failure { layer.to_vec().leak() } else { on.leak() };
    Error::new(doing, on, why, b"", status::FAILED)
}
