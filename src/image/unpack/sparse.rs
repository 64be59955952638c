//! Where the bytes of a file with holes stand; tar(5), "GNU tar pax archives".

use crate::text::{cut, parts, wide_number};
use alloc::vec::Vec;

/// Bytes that follow each other in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where they begin.
    pub start: u64,
    /// How many there are.
    pub bytes: u64,
}

/// A file with holes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sparse {
    /// How long it is, holes included.
    pub bytes: u64,
    /// What is not a hole, in its order.
    pub pieces: Vec<Piece>,
    /// What it is called, if it is called otherwise than its entry.
    pub name: Option<Vec<u8>>,
}

/// More than any file of sense has.
const PIECES_MAX: usize = 10_000;

/// Reads the map of the formats 0.0 and 0.1 from the records of a pax header, if there is one.
///
/// # Errors
///
/// That it is damaged.
pub fn read(records: &[u8]) -> Result<Option<Sparse>, Damaged> {
    let mut sparse = Sparse::default();
    let mut numbers = Vec::new();
    let mut pieces = None;
    let mut rest = records;
    while let Some((record, behind)) = next_record(rest)? {
        rest = behind;
        let (name, value) = cut(record, b'=');
        let value = value.unwrap_or_default();
        match name {
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => sparse.bytes = number(value)?,
            b"GNU.sparse.name" => sparse.name = Some(value.to_vec()),
            b"GNU.sparse.numblocks" => pieces = Some(number(value)?),
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => numbers.push(number(value)?),
            b"GNU.sparse.map" => {
                for value in parts(value, b',').filter(|value| !value.is_empty()) {
                    numbers.push(number(value)?);
                }
            }
            _ => {}
        }
    }
    if numbers.is_empty() && pieces.is_none() {
        return Ok(None);
    }
    let (pairs, []) = numbers.as_chunks::<2>() else { return Err(Damaged) };
    if pieces.is_some_and(|pieces| pieces != pairs.len() as u64) || pairs.len() > PIECES_MAX {
        return Err(Damaged);
    }
    for [start, bytes] in pairs {
        sparse.pieces.push(Piece { start: *start, bytes: *bytes });
    }
    Ok(Some(sparse))
}

/// A number that fits where the kernel takes one.
fn number(digits: &[u8]) -> Result<u64, Damaged> {
    wide_number(digits).filter(|number| i64::try_from(*number).is_ok()).ok_or(Damaged)
}

/// Whether all records of a pax header can be read, and the numbers in them that count.
#[must_use]
pub fn is_sound(records: &[u8]) -> bool {
    let mut rest = records;
    loop {
        let (record, behind) = match next_record(rest) {
            Ok(Some(next)) => next,
            Ok(None) => return true,
            Err(Damaged) => return false,
        };
        rest = behind;
        let (name, value) = cut(record, b'=');
        let Some(value) = value else { return false };
        if matches!(name, b"size" | b"uid" | b"gid") && number(value).is_err() {
            return false;
        }
    }
}

/// Whether the pieces are in their order, do not overlap, lie in the file, and are together what the
/// archive has.
#[must_use]
pub fn fits(pieces: &[Piece], file_bytes: u64, archive_bytes: u64) -> bool {
    let (mut end, mut all) = (0_u64, 0_u64);
    for piece in pieces {
        let Some(next) = piece.start.checked_add(piece.bytes) else { return false };
        if piece.start < end || next > file_bytes {
            return false;
        }
        end = next;
        // It cannot be more than where the file ends.
        all += piece.bytes;
    }
    all == archive_bytes
}

/// What cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// A record, and what follows it.
type Next<'r> = (&'r [u8], &'r [u8]);

/// The next record of a pax header, `LENGTH NAME=VALUE\n`, and what follows it; None at the end.
///
/// # Errors
///
/// That it is not one.
pub fn next_record(records: &[u8]) -> Result<Option<Next<'_>>, Damaged> {
    if records.is_empty() {
        return Ok(None);
    }
    let (digits, _) = cut(records, b' ');
    let length = wide_number(digits).and_then(|length| usize::try_from(length).ok());
    let length = length.ok_or(Damaged)?;
    let record = records.get(digits.len() + 1..length).ok_or(Damaged)?;
    let record = record.strip_suffix(b"\n").ok_or(Damaged)?;
    Ok(Some((record, records.get(length..).unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(texts: &[&str]) -> Vec<u8> {
        let mut all = Vec::new();
        for text in texts {
            let mut length = text.len() + 2;
            while format!("{length} {text}\n").len() != length {
                length += 1;
            }
            all.extend_from_slice(format!("{length} {text}\n").as_bytes());
        }
        all
    }

    #[test]
    fn a_map_stands_in_one_record_or_in_many() {
        let piece = |start, bytes| Piece { start, bytes };
        let one = records(&["GNU.sparse.size=100", "GNU.sparse.map=0,10,90,10", "path=x"]);
        let many = records(&[
            "GNU.sparse.realsize=100",
            "GNU.sparse.offset=0",
            "GNU.sparse.numbytes=10",
            "GNU.sparse.offset=90",
            "GNU.sparse.numbytes=10",
        ]);
        for records in [one, many] {
            let sparse = read(&records).unwrap().unwrap();
            assert_eq!((sparse.bytes, &*sparse.pieces), (100, &[piece(0, 10), piece(90, 10)][..]));
        }
        assert_eq!(read(&records(&["path=x"])), Ok(None));
        for wrong in ["GNU.sparse.map=0,x", "GNU.sparse.map=0,1,2", "GNU.sparse.numblocks=1"] {
            assert_eq!(read(&records(&[wrong])), Err(Damaged), "{wrong}");
        }
        assert_eq!(read(b"99 GNU.sparse.map=0,1\n"), Err(Damaged), "it is longer than there is");
    }

    #[test]
    fn records_that_cannot_be_read_are_noticed() {
        assert!(is_sound(&records(&["size=1", "path=x", "comment="])));
        assert!(is_sound(b""));
        for wrong in ["size=-1", "uid=x", "gid=99999999999999999999", "size", ""] {
            assert!(!is_sound(&records(&[wrong])), "{wrong}");
        }
        for wrong in [&b"x"[..], b"0 a=b\n", b"5 a=b\n", b"6 a=b", b"-6 a=b\n", b"99 a=b\n"] {
            assert!(!is_sound(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_map_that_lies_does_not_fit() {
        let piece = |start, bytes| Piece { start, bytes };
        assert!(fits(&[piece(0, 10), piece(90, 10)], 100, 20));
        assert!(fits(&[piece(100, 0)], 100, 0));
        assert!(!fits(&[piece(0, 10), piece(90, 10)], 100, 19));
        assert!(!fits(&[piece(0, 10), piece(5, 10)], 100, 20), "they overlap");
        assert!(!fits(&[piece(95, 10)], 100, 10), "behind the end");
        assert!(!fits(&[piece(u64::MAX, 2)], 100, 2));
    }
}
