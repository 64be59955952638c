//! Files of gzip, which may be several in a row; RFC 1952.

use super::crc::Crc;
use super::input::{CHECKSUM, CUT_OFF, DAMAGED, Ended, GARBAGE, Input};
use crate::sys::ring::Writer;
use alloc::boxed::Box;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress_with_limit};

/// What such a file begins with.
pub const MAGIC: &[u8] = b"\x1f\x8b";
const DEFLATE: u8 = 8;
const HEADER_CHECKSUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// Decompresses all of the input.
///
/// # Errors
///
/// It is damaged or cut off; those of [`Input::read`] and [`Writer`].
pub fn decompress(input: &mut Input<'_>, output: &mut Writer<'_>) -> Result<(), Ended> {
    let mut state = Box::<DecompressorOxide>::default();
    let mut crc = Crc::new();
    loop {
        header(input)?;
        state.init();
        crc.reset();
        let bytes = inflate(input, &mut state, &mut crc, output)?;
        // Of the length only the lowest 32 bits are there.
        if input.number(4)? != crc.value() || input.number(4)? != bytes as u32 {
            return Err(CHECKSUM);
        }
        if !follows(input)? {
            return Ok(());
        }
    }
}

/// Whether another file follows; zeros may, which some fill their blocks with.
fn follows(input: &mut Input<'_>) -> Result<bool, Ended> {
    if input.available()?.first().is_some_and(|byte| *byte != 0) {
        return Ok(true);
    }
    loop {
        let rest = input.available()?;
        let length = rest.len();
        if length == 0 {
            return Ok(false);
        }
        if rest.iter().any(|byte| *byte != 0) {
            return Err(GARBAGE);
        }
        input.consume(length);
    }
}

fn header(input: &mut Input<'_>) -> Result<(), Ended> {
    for byte in MAGIC {
        if input.byte()? != *byte {
            return Err(GARBAGE);
        }
    }
    if input.byte()? != DEFLATE {
        return Err(DAMAGED);
    }
    let flags = input.byte()?;
    // A time, and who has made it on what.
    input.skip(6)?;
    if flags & EXTRA != 0 {
        let bytes = input.number(2)?;
        input.skip(bytes as usize)?;
    }
    for text in [NAME, COMMENT] {
        while flags & text != 0 && input.byte()? != 0 {}
    }
    if flags & HEADER_CHECKSUM != 0 {
        input.skip(2)?;
    }
    Ok(())
}

/// Decompresses one file into the ring, which is also the window that it refers back to; returns its
/// length.
fn inflate(
    input: &mut Input<'_>,
    state: &mut DecompressorOxide,
    crc: &mut Crc,
    output: &mut Writer<'_>,
) -> Result<u64, Ended> {
    let mut all = 0;
    loop {
        let position = input.position();
        let bytes = input.available()?;
        let flags = if bytes.is_empty() { 0 } else { TINFL_FLAG_HAS_MORE_INPUT };
        let space = output.space()?;
        let (status, used, made) =
            decompress_with_limit(state, bytes, space.ring, space.place, space.room, flags);
        crc.update(space.ring.get(space.place..space.place + made).unwrap_or_default());
        all += made as u64;
        input.consume(used);
        output.advance(made, position)?;
        match status {
            TINFLStatus::Done => return Ok(all),
            TINFLStatus::HasMoreOutput | TINFLStatus::NeedsMoreInput if flags != 0 => {}
            TINFLStatus::HasMoreOutput if made > 0 => {}
            TINFLStatus::NeedsMoreInput | TINFLStatus::FailedCannotMakeProgress => {
                return Err(CUT_OFF);
            }
            _ => return Err(DAMAGED),
        }
    }
}
