//! The first of the two processes that unpack a layer: it reads the layer, hashes what it reads, and
//! pours what comes out of the decompression into a pipe. The second one, at the other end, has the
//! same processor time for itself.

use super::{Blob, gzip};
use crate::image::archive::fill;
use crate::image::digest::Sha256;
use crate::image::progress::Progress;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr, write};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::{Error as ReadError, ErrorKind, Read};

/// What went wrong while a layer was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// read(2), write(2).
    Errno(Errno),
    /// The other process has ended; why, it says.
    NobodyReads,
    /// It ends in the middle.
    CutOff,
    /// It is not what its first bytes say, or a checksum in it is wrong.
    Damaged,
    /// Something stands behind its end.
    Trailing,
    /// It takes more memory to decompress than is given to it.
    Window,
    /// Its digest is another one.
    Digest,
}

const PIECE_BYTES: usize = 128 * 1024;
/// The largest window of zstd that is decompressed: what its `--ultra -22` uses.
const WINDOW_BYTES_MAX: u64 = 128 << 20;

/// Pours a layer into the pipe.
///
/// # Errors
///
/// What went wrong; what was poured until then is of no use.
pub fn pour(blob: &Blob<'_>, into: &OwnedFd, progress: &mut Progress) -> Result<(), Trouble> {
    let mut input = Input::new(blob, progress);
    let mut output = Output { pipe: into };
    input.refill()?;
    match input.left() {
        [0x1f, 0x8b, ..] => gzip::inflate(&mut input, &mut output)?,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            decompress(&mut input, &mut output)?;
        }
        _ => copy(&mut input, &mut output)?,
    }
    // Only now is everything hashed.
    let digest = input.hash.take().map(Sha256::finish);
    if digest == blob.digest { Ok(()) } else { Err(Trouble::Digest) }
}

/// The layer's bytes, piece by piece.
pub struct Input<'a> {
    file: BorrowedFd<'a>,
    start: u64,
    read: u64,
    bytes: u64,
    hash: Option<Sha256>,
    piece: Vec<u8>,
    used: usize,
    filled: usize,
    progress: &'a mut Progress,
}

impl<'a> Input<'a> {
    fn new(blob: &Blob<'a>, progress: &'a mut Progress) -> Self {
        Self {
            file: blob.file,
            start: blob.start,
            read: 0,
            bytes: blob.bytes,
            hash: blob.digest.map(|_| Sha256::new()),
            piece: vec![0; PIECE_BYTES],
            used: 0,
            filled: 0,
            progress,
        }
    }

    /// What has been read and not been used; empty only at the end.
    pub fn left(&self) -> &[u8] {
        self.piece.get(self.used..self.filled).unwrap_or_default()
    }

    /// Lets go of what was used.
    pub fn advance(&mut self, count: usize) {
        self.used = (self.used + count).min(self.filled);
    }

    /// Reads the next piece, if nothing is left of the last.
    ///
    /// # Errors
    ///
    /// pread(2); that the file ends too early.
    pub fn refill(&mut self) -> Result<(), Trouble> {
        if self.used < self.filled {
            return Ok(());
        }
        let wanted = (self.bytes - self.read).min(PIECE_BYTES as u64) as usize;
        let piece = self.piece.get_mut(..wanted).unwrap_or_default();
        let count = fill(self.file, self.start + self.read, piece).map_err(Trouble::Errno)?;
        if count < wanted {
            return Err(Trouble::CutOff);
        }
        if let Some(hash) = &mut self.hash {
            hash.update(piece);
        }
        (self.used, self.filled) = (0, count);
        self.read += count as u64;
        self.progress.reached(self.read);
        Ok(())
    }
}

/// The pipe.
pub struct Output<'a> {
    pipe: &'a OwnedFd,
}

impl Output<'_> {
    /// Puts bytes into it.
    ///
    /// # Errors
    ///
    /// write(2).
    pub fn put(&mut self, mut bytes: &[u8]) -> Result<(), Trouble> {
        while !bytes.is_empty() {
            match retry_on_intr(|| write(self.pipe, bytes)) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(Errno::PIPE) => return Err(Trouble::NobodyReads),
                Err(errno) => return Err(Trouble::Errno(errno)),
            }
        }
        Ok(())
    }
}

fn copy(input: &mut Input<'_>, output: &mut Output<'_>) -> Result<(), Trouble> {
    while !input.left().is_empty() {
        output.put(input.left())?;
        input.advance(PIECE_BYTES);
        input.refill()?;
    }
    Ok(())
}

impl Read for Input<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        self.refill().map_err(|trouble| match trouble {
            Trouble::CutOff => ReadError::from(ErrorKind::UnexpectedEof),
            _ => ReadError::from(ErrorKind::Other),
        })?;
        let count = into.len().min(self.left().len());
        if let (Some(into), Some(from)) = (into.get_mut(..count), self.left().get(..count)) {
            into.copy_from_slice(from);
        }
        self.advance(count);
        Ok(count)
    }
}

/// zstd, of one frame or several; RFC 8878.
fn decompress(input: &mut Input<'_>, output: &mut Output<'_>) -> Result<(), Trouble> {
    let mut piece = vec![0; PIECE_BYTES];
    // It is large.
    let mut decoder = Box::new(FrameDecoder::new());
    decoder.set_max_window_size(WINDOW_BYTES_MAX);
    loop {
        input.refill()?;
        if input.left().is_empty() {
            return Ok(());
        }
        match decoder.init(&mut *input) {
            Ok(()) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                skip(input, length as usize)?;
                continue;
            }
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => return Err(Trouble::Window),
            Err(_) => return Err(damaged(input)),
        }
        while !decoder.is_finished() || decoder.can_collect() > 0 {
            if !decoder.is_finished() {
                let some = BlockDecodingStrategy::UptoBytes(PIECE_BYTES);
                decoder.decode_blocks(&mut *input, some).map_err(|_| damaged(input))?;
            }
            loop {
                let count = decoder.read(&mut piece).map_err(|_| Trouble::Damaged)?;
                output.put(piece.get(..count).unwrap_or_default())?;
                if count == 0 {
                    break;
                }
            }
        }
        let (said, is) = (decoder.get_checksum_from_data(), decoder.get_calculated_checksum());
        if said.is_some() && said != is {
            return Err(Trouble::Damaged);
        }
    }
}

/// Why a frame could not be read: it was not all there, or it is wrong.
fn damaged(input: &Input<'_>) -> Trouble {
    let is_end = input.read == input.bytes && input.left().is_empty();
    if is_end { Trouble::CutOff } else { Trouble::Damaged }
}

fn skip(input: &mut Input<'_>, mut length: usize) -> Result<(), Trouble> {
    while length > 0 {
        input.refill()?;
        match input.left().len().min(length) {
            0 => return Err(Trouble::CutOff),
            count => {
                input.advance(count);
                length -= count;
            }
        }
    }
    Ok(())
}
