//! A header in an archive, 512 bytes: POSIX ustar, GNU and what came before them; POSIX "pax", "ustar
//! Interchange Format", and tar(5).
//!
//! Written by hand since crates for it know no times before 1970, take numbers that are too large for
//! small ones, or need what formats text.

use super::failure::Failure;
use alloc::vec::Vec;

/// All of an archive is in blocks of this size.
pub const BLOCK_BYTES: usize = 512;

/// One header.
#[derive(Clone, Copy)]
pub struct Header<'a>(&'a [u8; BLOCK_BYTES]);

/// Places of fields: where each begins and how long it is.
type Field = (usize, usize);
const NAME: Field = (0, 100);
const MODE: Field = (100, 8);
const USER: Field = (108, 8);
const GROUP: Field = (116, 8);
const SIZE: Field = (124, 12);
const TIME: Field = (136, 12);
const CHECKSUM: Field = (148, 8);
const KIND: usize = 156;
const LINK: Field = (157, 100);
const MAGIC: Field = (257, 6);
const MAJOR: Field = (329, 8);
const MINOR: Field = (337, 8);
const PREFIX: Field = (345, 155);
/// In the form of star, which says so at the end.
const STAR_PREFIX: Field = (345, 131);
const STAR_MAGIC: Field = (508, 4);
/// In GNU's form of files with holes.
const SPARSE_PLACE: usize = 386;
const SPARSE_COUNT: usize = 4;
const SPARSE_MORE: usize = 482;
const SPARSE_SIZE: Field = (483, 12);
/// In the blocks that go on with it.
const FURTHER_COUNT: usize = 21;
const FURTHER_MORE: usize = 504;
const SPARSE_BYTES: usize = 24;

const BAD_NUMBER: Failure = Failure::Archive(rare!("a number in its header is none"));

impl<'a> Header<'a> {
    /// A block that is meant as one.
    #[must_use]
    pub fn new(block: &'a [u8; BLOCK_BYTES]) -> Self {
        Self(block)
    }

    /// Whether it is a block of zeros, as at the end of an archive.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// Checks the sum of all bytes, of which the sum itself counts as spaces. Some have written it with
    /// signed bytes.
    ///
    /// # Errors
    ///
    /// It is another one.
    pub fn check(self) -> Result<(), Failure> {
        let (mut sum, mut signed) = (0_u32, 0_i32);
        for (place, byte) in self.0.iter().enumerate() {
            let is_sum = place.wrapping_sub(CHECKSUM.0) < CHECKSUM.1;
            let byte = if is_sum { b' ' } else { *byte };
            sum += u32::from(byte);
            signed += i32::from(byte.cast_signed());
        }
        match number(self.field(CHECKSUM)) {
            Some(said) if said == i64::from(sum) || said == i64::from(signed) => Ok(()),
            _ => Err(Failure::Archive(rare!(
                "the archive is damaged: the checksum of a header is wrong"
            ))),
        }
    }

    /// What it is the header of.
    #[must_use]
    pub fn kind(self) -> u8 {
        self.0[KIND]
    }

    fn field(self, (start, length): Field) -> &'a [u8] {
        self.0.get(start..start + length).unwrap_or_default()
    }

    fn number(self, field: Field) -> Result<i64, Failure> {
        number(self.field(field)).ok_or(BAD_NUMBER)
    }

    fn natural(self, field: Field) -> Result<u64, Failure> {
        u64::try_from(self.number(field)?).map_err(|_| BAD_NUMBER)
    }

    fn short(self, field: Field) -> Result<u32, Failure> {
        u32::try_from(self.number(field)?).map_err(|_| BAD_NUMBER)
    }

    /// How long the content is.
    ///
    /// # Errors
    ///
    /// That is no number; so for the others.
    pub fn size(self) -> Result<u64, Failure> {
        self.natural(SIZE)
    }

    /// The permissions.
    ///
    /// # Errors
    ///
    /// As for [`Self::size`].
    pub fn mode(self) -> Result<u32, Failure> {
        Ok(self.number(MODE)? as u32 & 0o7777)
    }

    /// The user and the group that own it.
    ///
    /// # Errors
    ///
    /// As for [`Self::size`].
    pub fn owner(self) -> Result<(u64, u64), Failure> {
        Ok((self.number(USER)? as u64, self.number(GROUP)? as u64))
    }

    /// When it was changed, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// As for [`Self::size`].
    pub fn time(self) -> Result<i64, Failure> {
        self.number(TIME)
    }

    /// The numbers of a device.
    ///
    /// # Errors
    ///
    /// As for [`Self::size`].
    pub fn device(self) -> Result<(u32, u32), Failure> {
        Ok((self.short(MAJOR)?, self.short(MINOR)?))
    }

    /// Puts the name together.
    pub fn name(self, into: &mut Vec<u8>) {
        into.clear();
        let prefix = match (self.field(MAGIC), self.field(STAR_MAGIC)) {
            (b"ustar\0", b"tar\0") => STAR_PREFIX,
            (b"ustar\0", _) => PREFIX,
            _ => (0, 0),
        };
        let prefix = text(self.field(prefix));
        into.extend_from_slice(prefix);
        if !prefix.is_empty() {
            into.push(b'/');
        }
        into.extend_from_slice(text(self.field(NAME)));
    }

    /// What it is a link to.
    #[must_use]
    pub fn link(self) -> &'a [u8] {
        text(self.field(LINK))
    }

    /// How long a file with holes is, in GNU's form.
    ///
    /// # Errors
    ///
    /// As for [`Self::size`].
    pub fn sparse_size(self) -> Result<u64, Failure> {
        self.natural(SPARSE_SIZE)
    }

    /// Calls `each` with the place and the length of the parts that are not holes; whether there are
    /// more in a block that follows.
    ///
    /// # Errors
    ///
    /// As for [`Self::size`], and those of `each`.
    pub fn sparse(
        self,
        is_further: bool,
        each: &mut dyn FnMut(u64, u64) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let (start, count, more) = if is_further {
            (0, FURTHER_COUNT, FURTHER_MORE)
        } else {
            (SPARSE_PLACE, SPARSE_COUNT, SPARSE_MORE)
        };
        for index in 0..count {
            let place = start + index * SPARSE_BYTES;
            if self.0.get(place) == Some(&0) {
                break;
            }
            each(self.natural((place, 12))?, self.natural((place + 12, 12))?)?;
        }
        Ok(self.0.get(more).is_some_and(|more| *more != 0))
    }
}

/// What stands before the first NUL.
fn text(field: &[u8]) -> &[u8] {
    crate::text::cut(field, 0).0
}

/// A number: octal digits between spaces or NULs, or binary with GNU's mark, the top bit.
fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        // Two's complement: the next bit is the sign.
        let value = if first & 0x40 == 0 { first & 0x3f } else { first };
        let start = i64::from(value.cast_signed());
        return field
            .get(1..)?
            .iter()
            .try_fold(start, |value, byte| Some(value.checked_mul(256)? | i64::from(*byte)));
    }
    let is_blank = |byte: &u8| matches!(byte, 0 | b' ' | b'\t'..=b'\r');
    let start = field.iter().position(|byte| !is_blank(byte)).unwrap_or(field.len());
    let digits = field.get(start..)?;
    let end = digits.iter().position(is_blank).unwrap_or(digits.len());
    digits.get(..end)?.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => Some(value.checked_mul(8)? | i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"  644 \0\0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"77777777777\0"), Some(0o77_777_777_777));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x05"), Some(5));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(1 << 33));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"), Some(-2));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff"), Some(-1));
        for wrong in [&b"8"[..], b"-1", b"0x1", b"\x80\x01\0\0\0\0\0\0\0\0\0\0", b""] {
            assert_eq!(number(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_sum_may_be_signed() {
        let mut block = [b'a'; BLOCK_BYTES];
        block[..4].copy_from_slice(b"\xc3\xa9\xff\x80");
        let plain = 500 * u32::from(b'a') + 8 * u32::from(b' ');
        let unsigned = plain + 0xc3 + 0xa9 + 0xff + 0x80;
        for (sum, holds) in [(unsigned, true), (unsigned - 4 * 256, true), (unsigned - 256, false)]
        {
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            assert_eq!(Header::new(&block).check().is_ok(), holds);
        }
    }

    #[test]
    fn a_name_may_stand_in_two_fields() {
        let mut block = [0; BLOCK_BYTES];
        block[..100].fill(b'n');
        block[345..348].copy_from_slice(b"a/b");
        let mut name = Vec::new();
        Header::new(&block).name(&mut name);
        assert_eq!(name, [b'n'; 100]);
        block[257..263].copy_from_slice(b"ustar\0");
        Header::new(&block).name(&mut name);
        assert_eq!(name, [&b"a/b/"[..], &[b'n'; 100]].concat());
    }
}
