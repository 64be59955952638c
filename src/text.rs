//! Building the lines that a person reads, without `core::fmt`, whose machinery would be a third of
//! the binary.

mod sort;
mod table;

pub use sort::sort;
pub(crate) use table::table;
pub use table::{Table, place};

use crate::rare::Rare;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::mem::ManuallyDrop;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr};

/// Bytes that are on their way to a terminal or a file. They are kept until the process ends, as nearly all that a
/// launch makes, so that nobody has to give them back: not for what is made for each file of an image.
#[derive(Default)]
pub struct Text(ManuallyDrop<Vec<u8>>);

impl Text {
    /// Nothing yet.
    #[must_use]
    #[inline(never)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds words of our own.
    #[inline(never)]
    pub fn push(&mut self, words: &str) -> &mut Self {
        self.0.extend_from_slice(words.as_bytes());
        self
    }

    /// Adds words that are seldom read.
    #[cold]
    #[inline(never)]
    pub fn say(&mut self, words: Rare) -> &mut Self {
        self.push_raw(words.bytes())
    }

    /// Adds bytes as they are; not for a terminal.
    #[inline(never)]
    pub fn push_raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a name that somebody else chose. What could drive a terminal is written as `\xNN`: the
    /// control characters of ASCII, and those above it as UTF-8 writes them, C2 80 to C2 9F.
    #[inline(never)]
    pub fn push_name(&mut self, name: &[u8]) -> &mut Self {
        let mut before = 0;
        for byte in name {
            let is_control = byte.is_ascii_control() || before == 0xc2 && *byte < 0xa0;
            if is_control {
                self.push("\\x").push_digit(byte >> 4).push_digit(byte & 15);
            } else {
                self.0.push(*byte);
            }
            before = *byte;
        }
        self
    }

    /// Adds a name as a JSON string; RFC 8259. What is no UTF-8 reads as Latin-1.
    pub fn push_json(&mut self, name: &[u8]) -> &mut Self {
        let is_text = core::str::from_utf8(name).is_ok();
        self.push("\"");
        for byte in name {
            match byte {
                b'"' | b'\\' => {
                    self.0.push(b'\\');
                    self.0.push(*byte);
                }
                b' '..=b'~' => self.0.push(*byte),
                0x80.. if is_text => self.0.push(*byte),
                _ => {
                    self.push("\\u00").push_digit(byte >> 4).push_digit(byte & 15);
                }
            }
        }
        self.push("\"")
    }

    /// Adds two hexadecimal digits for each byte.
    pub fn push_hex(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            self.push_digit(byte >> 4).push_digit(byte & 15);
        }
        self
    }

    fn push_digit(&mut self, digit: u8) -> &mut Self {
        self.0.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
        self
    }

    /// Adds a number in decimal.
    #[inline(never)]
    pub fn push_number(&mut self, number: u64) -> &mut Self {
        let mut divisor = 1;
        while number / divisor >= 10 {
            divisor *= 10;
        }
        while divisor > 0 {
            self.push_digit((number / divisor % 10) as u8);
            divisor /= 10;
        }
        self
    }

    /// Adds a number that may be below zero.
    #[inline(never)]
    pub fn push_signed(&mut self, number: i64) -> &mut Self {
        self.push(if number < 0 { "-" } else { "" }).push_number(number.unsigned_abs())
    }

    /// Adds a part of a list, with a comma between it and those before.
    #[inline(never)]
    pub fn push_part(&mut self, part: &[u8]) -> &mut Self {
        self.push(if self.is_empty() { "" } else { "," }).push_raw(part)
    }

    /// Adds a comma, unless a list or an object of JSON has just begun.
    #[inline(never)]
    pub fn comma(&mut self) -> &mut Self {
        let is_first = matches!(self.0.last(), None | Some(b'[' | b'{'));
        self.push(if is_first { "" } else { "," })
    }

    /// Adds words of our own in which each `#` stands for the next of the numbers.
    #[inline(never)]
    pub fn push_filled(&mut self, words: &str, numbers: &[u64]) -> &mut Self {
        let mut numbers = numbers.iter();
        for byte in words.bytes() {
            match (byte, numbers.as_slice()) {
                (b'#', [number, ..]) => {
                    self.push_number(*number);
                    numbers.next();
                }
                _ => self.0.push(byte),
            }
        }
        self
    }

    /// Adds spaces up to `column`, counted in bytes from `line_start`; at least two.
    pub fn pad(&mut self, line_start: usize, column: usize) -> &mut Self {
        let wanted = (line_start + column).max(self.0.len() + 2);
        self.0.resize(wanted, b' ');
        self
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, kept until the process ends, so that an error can point to them.
    #[must_use]
    pub fn leak(self) -> &'static [u8] {
        ManuallyDrop::into_inner(self.0).leak()
    }

    /// The bytes as a C string, kept likewise; None if there is a NUL in them.
    #[inline(never)]
    fn into_kept(mut self) -> Option<&'static CStr> {
        self.0.push(0);
        CStr::from_bytes_with_nul(self.leak()).ok()
    }

    /// The same; empty if there is a NUL in them.
    #[must_use]
    #[inline(never)]
    pub fn into_c_str(self) -> &'static CStr {
        self.into_kept().unwrap_or_default()
    }

    /// Writes all of it.
    ///
    /// # Errors
    ///
    /// write(2).
    pub fn write_to(&self, file: impl AsFd) -> Result<(), Errno> {
        let mut rest = self.as_bytes();
        while !rest.is_empty() {
            let written = retry_on_intr(|| rustix::io::write(&file, rest))?;
            rest = &rest[written..];
        }
        Ok(())
    }
}

/// A copy of `bytes` as a C string that lives until the process ends; None if there is a NUL in it.
///
/// A launch makes few of these and needs them until the program ends, so nobody owns them.
#[must_use]
pub fn keep(bytes: impl AsRef<[u8]>) -> Option<&'static CStr> {
    let mut text = Text::new();
    text.push_raw(bytes.as_ref());
    text.into_kept()
}

/// A number in decimal, kept likewise.
#[must_use]
#[inline(never)]
pub fn decimal(number: u64) -> &'static [u8] {
    let mut text = Text::new();
    text.push_number(number);
    text.leak()
}

/// The text that the bytes are, empty if they are none: to find out which of some words it is. As bytes, it would
/// be compared with each letter of each word apart.
#[must_use]
#[inline(never)]
pub fn word(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// The parts one behind the other, kept until the process ends.
#[must_use]
#[inline(never)]
pub fn together(parts: &[&[u8]]) -> &'static [u8] {
    let mut text = Text::new();
    for part in parts {
        text.push_raw(part);
    }
    text.leak()
}

/// What stands before the first `separator`, and what stands behind it, if there is one.
#[must_use]
#[inline(never)]
pub fn cut(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    for (place, byte) in text.iter().enumerate() {
        if *byte == separator {
            let (head, tail) = text.split_at(place);
            return (head, tail.get(1..));
        }
    }
    (text, None)
}

/// Reads a decimal number of 64 bits.
#[must_use]
pub fn wide_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The parts of `text` between the `separator`s, one at least.
pub fn parts(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let (part, behind) = cut(rest?, separator);
        rest = behind;
        Some(part)
    })
}

/// Reads a short file whole, such as those of /proc; what does not fit into `buffer` is left.
///
/// # Errors
///
/// read(2).
pub fn read_start<'a>(file: &OwnedFd, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let mut filled = 0;
    while filled < buffer.len() {
        match retry_on_intr(|| rustix::io::read(file, &mut buffer[filled..]))? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(&buffer[..filled])
}

/// Reads what is at `place` of a file until the buffer is full or the file ends; returns how much it was.
///
/// # Errors
///
/// pread(2); `EINVAL` for a place that no file has.
pub fn read_at(file: impl AsFd, place: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while let Some(rest @ [_, ..]) = into.get_mut(filled..) {
        let from = place.checked_add(filled as u64).ok_or(Errno::INVAL)?;
        match retry_on_intr(|| rustix::io::pread(&file, &mut *rest, from))? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
