//! gzip, of one member or several; RFC 1952. What a member holds is compared with the checksum and the
//! length at its end.

use super::source::{Input, Output, Trouble};
use alloc::boxed::Box;
use alloc::vec;
use crc32fast::Hasher;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// What is decompressed goes round in it; a power of two, and more than the 32 KiB that deflate looks
/// back.
const RING_BYTES: usize = 128 * 1024;

/// Decompresses all members.
///
/// # Errors
///
/// That they are damaged or cut off; those of reading and writing.
pub fn inflate(input: &mut Input<'_>, output: &mut Output<'_>) -> Result<(), Trouble> {
    let mut ring = vec![0; RING_BYTES];
    let mut state = Box::new(DecompressorOxide::new());
    loop {
        skip_header(input)?;
        state.init();
        let (checksum, length) = inflate_member(input, output, &mut state, &mut ring)?;
        if (number(input)?, number(input)?) != (checksum, length) {
            return Err(Trouble::Damaged);
        }
        // Some pad their last block with zeros.
        loop {
            input.refill()?;
            match input.left() {
                [] => return Ok(()),
                [0, ..] => input.advance(1),
                [0x1f, ..] => break,
                _ => return Err(Trouble::Trailing),
            }
        }
    }
}

/// Decompresses one member; returns the checksum of what came out, and the lower half of its length.
fn inflate_member(
    input: &mut Input<'_>,
    output: &mut Output<'_>,
    state: &mut DecompressorOxide,
    ring: &mut [u8],
) -> Result<(u32, u32), Trouble> {
    let mut checksum = Hasher::new();
    let (mut place, mut length) = (0, 0_u32);
    loop {
        input.refill()?;
        let left = input.left();
        let flags = if left.is_empty() { 0 } else { TINFL_FLAG_HAS_MORE_INPUT };
        let (status, used, made) = decompress(state, left, ring, place, flags);
        input.advance(used);
        let bytes = ring.get(place..place + made).unwrap_or_default();
        checksum.update(bytes);
        output.put(bytes)?;
        length = length.wrapping_add(made as u32);
        place = (place + made) % RING_BYTES;
        match status {
            TINFLStatus::Done => return Ok((checksum.finalize(), length)),
            TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {}
            TINFLStatus::FailedCannotMakeProgress => return Err(Trouble::CutOff),
            _ => return Err(Trouble::Damaged),
        }
    }
}

const HAS_CHECKSUM: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;

fn skip_header(input: &mut Input<'_>) -> Result<(), Trouble> {
    let mut header = [0; 10];
    for place in &mut header {
        *place = byte(input)?;
    }
    let [0x1f, 0x8b, 8, flags, ..] = header else { return Err(Trouble::Damaged) };
    if flags & HAS_EXTRA != 0 {
        for _ in 0..u16::from_le_bytes([byte(input)?, byte(input)?]) {
            byte(input)?;
        }
    }
    for flag in [HAS_NAME, HAS_COMMENT] {
        while flags & flag != 0 && byte(input)? != 0 {}
    }
    if flags & HAS_CHECKSUM != 0 {
        byte(input)?;
        byte(input)?;
    }
    Ok(())
}

fn number(input: &mut Input<'_>) -> Result<u32, Trouble> {
    Ok(u32::from_le_bytes([byte(input)?, byte(input)?, byte(input)?, byte(input)?]))
}

fn byte(input: &mut Input<'_>) -> Result<u8, Trouble> {
    input.refill()?;
    let first = input.left().first().copied().ok_or(Trouble::CutOff)?;
    input.advance(1);
    Ok(first)
}
