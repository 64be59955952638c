//! Frames of zstd, with some between them that are to be skipped; RFC 8878.

use super::input::{CHECKSUM, CUT_OFF, DAMAGED, DICTIONARY, Ended, GARBAGE, Input, WINDOW};
use crate::sys::ring::Writer;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::{Error, ErrorKind, Read};

/// What a frame with content begins with.
pub const MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
/// What those begin with that are to be skipped, but for four bits.
const SKIPPED: &[u8] = b"\x2a\x4d\x18";
/// All of it is kept in memory.
const WINDOW_BYTES_MAX: u64 = 128 << 20;

/// Whether a frame begins so.
#[must_use]
pub fn is_frame(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
        || start
            .split_first()
            .is_some_and(|(first, rest)| first & 0xf0 == 0x50 && rest.starts_with(SKIPPED))
}

/// The input as the decoder takes it; it keeps what went wrong, which the decoder does not.
struct Taken<'a, 'b> {
    input: &'a mut Input<'b>,
    failed: Option<Ended>,
}

impl Read for Taken<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let there = match self.input.available() {
            Ok(there) => there,
            Err(ended) => {
                self.failed = Some(ended);
                return Err(Error::from(ErrorKind::Other));
            }
        };
        let count = there.len().min(into.len());
        if count == 0 && !into.is_empty() {
            self.failed = Some(CUT_OFF);
        }
        if let (Some(to), Some(from)) = (into.get_mut(..count), there.get(..count)) {
            to.copy_from_slice(from);
        }
        self.input.consume(count);
        Ok(count)
    }
}

/// Decompresses all of the input.
///
/// # Errors
///
/// It is damaged or cut off; those of [`Input::read`] and [`Writer`].
pub fn decompress(input: &mut Input<'_>, output: &mut Writer<'_>) -> Result<(), Ended> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(WINDOW_BYTES_MAX);
    let mut taken = Taken { input, failed: None };
    while !taken.input.available()?.is_empty() {
        match decoder.reset(&mut taken) {
            Ok(()) => frame(&mut decoder, &mut taken, output)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => taken.input.skip(length as usize)?,
            Err(error) => return Err(taken.failed.unwrap_or_else(|| meant(&error))),
        }
    }
    Ok(())
}

fn meant(error: &FrameDecoderError) -> Ended {
    match error {
        FrameDecoderError::WindowSizeTooBig { .. } => WINDOW,
        FrameDecoderError::DictNotProvided { .. } => DICTIONARY,
        FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::BadMagicNumber(_)) => GARBAGE,
        _ => DAMAGED,
    }
}

fn frame(
    decoder: &mut FrameDecoder,
    taken: &mut Taken<'_, '_>,
    output: &mut Writer<'_>,
) -> Result<(), Ended> {
    while !decoder.is_finished() {
        let done = decoder.decode_blocks(&mut *taken, BlockDecodingStrategy::UptoBlocks(1));
        if let Err(error) = done {
            return Err(taken.failed.unwrap_or_else(|| meant(&error)));
        }
        while decoder.can_collect() > 0 {
            let space = output.space()?;
            let room = space.ring.get_mut(space.place..space.place + space.room);
            let count = decoder.read(room.unwrap_or_default()).map_err(|_| DAMAGED)?;
            output.advance(count, taken.input.position())?;
        }
    }
    let said = decoder.get_checksum_from_data();
    if said.is_some() && said != decoder.get_calculated_checksum() {
        return Err(CHECKSUM);
    }
    Ok(())
}
