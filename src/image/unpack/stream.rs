//! A layer between the two processes: what the child does, and how this one sees it.

use super::super::digest::{Digest, Sha256};
use super::super::progress::Progress;
use super::failure::Failure;
use super::input::{self, CONTENT, DIED, DIGEST, Ended, Input};
use super::reader::Source;
use super::{Blob, gzip, zstd};
use crate::sys::ring::{self, Writer};
use crate::text::read_at;
use rustix::io::Errno;

/// How a layer is compressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Compression {
    /// By what the layer begins with.
    ///
    /// # Errors
    ///
    /// pread(2).
    pub fn of(blob: &Blob<'_>) -> Result<Self, Errno> {
        let mut start = [0; 4];
        let filled = read_at(blob.file, blob.start, &mut start)?;
        let start = start.get(..filled.min(usize::try_from(blob.bytes).unwrap_or(filled)));
        Ok(match start.unwrap_or_default() {
            start if start.starts_with(gzip::MAGIC) => Self::Gzip,
            start if zstd::is_frame(start) => Self::Zstd,
            _ => Self::None,
        })
    }
}

/// Reads the layer, checks it, and passes on what is in it: the child.
///
/// # Errors
///
/// Nobody takes it.
pub fn feed(
    blob: &Blob<'_>,
    compression: Compression,
    output: &mut Writer<'_>,
) -> Result<(), Errno> {
    let is_plain = compression == Compression::None;
    let is_hashed = blob.digest.is_some() || is_plain && blob.content.is_some();
    let mut input = Input::new(blob.file, blob.start, blob.bytes, is_hashed);
    let passed = match compression {
        Compression::None => input::copy(&mut input, output),
        Compression::Gzip => gzip::decompress(&mut input, output),
        Compression::Zstd => zstd::decompress(&mut input, output),
    };
    let position = input.position();
    let end = match checked(passed, input, blob, is_plain) {
        Ok(()) => Ended::Whole,
        Err(ended) => ended,
    };
    output.finish(end.code(), position)
}

fn checked(
    passed: Result<(), Ended>,
    mut input: Input<'_>,
    blob: &Blob<'_>,
    is_plain: bool,
) -> Result<(), Ended> {
    // A layer that is not the one that is meant is damaged for that reason.
    if let Err(Ended::Wrong(_)) = passed
        && blob.digest.is_some()
    {
        loop {
            let length = input.available()?.len();
            if length == 0 {
                break;
            }
            input.consume(length);
        }
    } else {
        passed?;
    }
    if let Some(found) = input.hash().map(Sha256::finish) {
        let differs = |wanted: Option<Digest>| wanted.is_some_and(|wanted| wanted != found);
        if differs(blob.digest) {
            return Err(DIGEST);
        }
        if is_plain && differs(blob.content) {
            return Err(CONTENT);
        }
    }
    passed
}

/// The archive as it comes from the child.
pub struct Stream<'a> {
    ring: ring::Reader<'a>,
    hash: Option<(Sha256, Digest)>,
    left: u64,
    progress: &'a mut Progress,
}

impl<'a> Stream<'a> {
    /// Of which at most `left` bytes are taken, and whose digest is checked, if there is one.
    pub fn new(
        ring: ring::Reader<'a>,
        digest: Option<Digest>,
        left: u64,
        progress: &'a mut Progress,
    ) -> Self {
        let hash = digest.map(|digest| (Sha256::new(), digest));
        Self { ring, hash, left, progress }
    }

    /// How much more could have been taken.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Takes all the rest, and checks the digest.
    ///
    /// # Errors
    ///
    /// What the child says; the digest is another one.
    pub fn finish(&mut self) -> Result<(), Failure> {
        loop {
            let length = self.window()?.len();
            if length == 0 {
                break;
            }
            self.consume(length);
        }
        let differs = self.hash.take().is_some_and(|(hash, wanted)| hash.finish() != wanted);
        if differs { Err(Failure::Source(CONTENT.code())) } else { Ok(()) }
    }
}

impl Source for Stream<'_> {
    fn window(&mut self) -> Result<&[u8], Failure> {
        let position = self.ring.position();
        let is_empty = match self.ring.window() {
            Ok(window) if window.len() as u64 > self.left => {
                return Err(Failure::Limit(rare!("it is too large when it is unpacked")));
            }
            Ok(window) => window.is_empty(),
            Err(Errno::PIPE | Errno::CONNRESET) => return Err(Failure::Source(DIED.code())),
            Err(errno) => return Err(errno.into()),
        };
        if self.ring.position() != position {
            self.progress.reached(self.ring.position());
        }
        match self.ring.end() {
            Some(end) if is_empty && Ended::of(end) != Ended::Whole => Err(Failure::Source(end)),
            // It is there already.
            _ => Ok(self.ring.window()?),
        }
    }

    fn consume(&mut self, bytes: usize) {
        if let Some((hash, _)) = &mut self.hash
            && let Ok(window) = self.ring.window()
        {
            hash.update(window.get(..bytes).unwrap_or_default());
        }
        self.left = self.left.saturating_sub(bytes as u64);
        self.ring.consume(bytes);
    }
}
