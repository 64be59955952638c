//! Extended headers: lines `LENGTH KEY=VALUE`, of which the value may be anything; POSIX "pax", "pax
//! Extended Header".

use super::failure::Failure;
use crate::text::{cut, wide_number};
use alloc::vec::Vec;

const MALFORMED: Failure = Failure::Archive(rare!("its extended header is malformed"));

/// Calls `each` with every key and value.
///
/// # Errors
///
/// It is malformed; those of `each`.
pub fn records<'a>(
    mut data: &'a [u8],
    mut each: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    while !data.is_empty() {
        let (digits, rest) = cut(data, b' ');
        let length = wide_number(digits).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= data.len()).ok_or(MALFORMED)?;
        let ahead = data.len() - rest.map_or(0, <[u8]>::len);
        let record = data.get(ahead..length).and_then(|record| record.strip_suffix(b"\n"));
        let (key, value) = cut(record.ok_or(MALFORMED)?, b'=');
        each(key, value.ok_or(MALFORMED)?)?;
        data = data.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// A decimal number.
///
/// # Errors
///
/// It is none.
pub fn number(value: &[u8]) -> Result<u64, Failure> {
    wide_number(value).ok_or(MALFORMED)
}

/// A time: seconds, perhaps negative, and nanoseconds, which go forward from there.
///
/// # Errors
///
/// It is none.
pub fn time(value: &[u8]) -> Result<(i64, u32), Failure> {
    let (is_negative, value) = match value.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let (seconds, fraction) = cut(value, b'.');
    let seconds = i64::try_from(number(seconds)?).map_err(|_| MALFORMED)?;
    let mut nanoseconds = 0;
    let mut unit = 100_000_000;
    for digit in fraction.unwrap_or_default() {
        if !digit.is_ascii_digit() {
            return Err(MALFORMED);
        }
        nanoseconds += u32::from(digit - b'0') * unit;
        unit /= 10;
    }
    Ok(match (is_negative, nanoseconds) {
        (false, _) => (seconds, nanoseconds),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanoseconds),
    })
}

/// The name of an attribute in libarchive's form, where `%NN` stands for a byte.
///
/// # Errors
///
/// What follows a `%` is no number.
pub fn percent_decoded(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let digit = |byte: Option<&u8>| match byte {
        Some(byte @ b'0'..=b'9') => Ok(byte - b'0'),
        Some(byte @ b'A'..=b'F') => Ok(byte - b'A' + 10),
        Some(byte @ b'a'..=b'f') => Ok(byte - b'a' + 10),
        _ => Err(MALFORMED),
    };
    let mut decoded = Vec::new();
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            _ => *byte,
        });
    }
    Ok(decoded)
}

/// The value of an attribute in libarchive's form; RFC 4648, "Base 64 Encoding", perhaps without the
/// signs at the end that only fill.
///
/// # Errors
///
/// It is none.
pub fn base64_decoded(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut decoded = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.iter().filter(|byte| **byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err(MALFORMED),
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push((bits >> count) as u8);
        }
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(data: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut found = Vec::new();
        let end = records(data, |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            Ok(())
        });
        end.ok().map(|()| found)
    }

    #[test]
    fn records_may_hold_anything() {
        let found = all(b"12 path=a\nb\n10 x=y=\n\0\n8 size=\n").unwrap();
        assert_eq!(found[0], (b"path".to_vec(), b"a\nb".to_vec()));
        assert_eq!(found[1], (b"x".to_vec(), b"y=\n\0".to_vec()));
        assert_eq!(found[2], (b"size".to_vec(), Vec::new()));
        for wrong in [
            &b"12 path=a\nb"[..],
            b"x",
            b"0 a=b\n",
            b"2 a=b\n",
            b"1 a=b\n",
            b"6 ab\n\n",
            b"99999999999999999999999 a=b\n",
            b"-5 a=b\n",
            b"7 a=b\n",
            b" a=b\n",
            b"\0\0\0",
        ] {
            assert_eq!(all(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn times_have_fractions_and_may_lie_before_1970() {
        assert_eq!(time(b"1700000000.123456789"), Ok((1_700_000_000, 123_456_789)));
        assert_eq!(time(b"12.5"), Ok((12, 500_000_000)));
        assert_eq!(time(b"12.0000000019"), Ok((12, 1)));
        assert_eq!(time(b"-1.25"), Ok((-2, 750_000_000)));
        assert_eq!(time(b"-3"), Ok((-3, 0)));
        for wrong in [&b""[..], b"a", b"1.x", b"--1", b".5", b"99999999999999999999"] {
            assert!(time(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_attributes_of_libarchive_are_encoded() {
        assert_eq!(percent_decoded(b"user.a%3Db%25"), Ok(b"user.a=b%".to_vec()));
        assert!(percent_decoded(b"%4").is_err() && percent_decoded(b"%zz").is_err());
        assert_eq!(base64_decoded(b"aGVsbG8="), Ok(b"hello".to_vec()));
        assert_eq!(base64_decoded(b"aGVsbG8"), Ok(b"hello".to_vec()));
        assert_eq!(base64_decoded(b"/+8A"), Ok(vec![0xff, 0xef, 0]));
        assert!(base64_decoded(b"a*").is_err());
    }
}
