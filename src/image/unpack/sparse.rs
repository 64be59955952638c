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

/// Reads the map of the formats 0.0 and 0.1 from the records of a pax header; None if there is none.
#[must_use]
pub fn read(records: &[u8]) -> Option<Sparse> {
    let mut sparse = Sparse::default();
    let mut start = None;
    let mut is_sparse = false;
    let add = |sparse: &mut Sparse, start: &mut Option<u64>, number| {
        if let Some(start) = start.take()
            && sparse.pieces.len() < PIECES_MAX
        {
            sparse.pieces.push(Piece { start, bytes: number });
        } else {
            *start = Some(number);
        }
    };
    let mut rest = records;
    while let Some((record, behind)) = next_record(rest) {
        rest = behind;
        let (name, value) = cut(record, b'=');
        let value = value.unwrap_or_default();
        match name {
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => sparse.bytes = wide_number(value)?,
            b"GNU.sparse.name" => sparse.name = Some(value.to_vec()),
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                is_sparse = true;
                add(&mut sparse, &mut start, wide_number(value)?);
            }
            b"GNU.sparse.map" => {
                is_sparse = true;
                for number in parts(value, b',').filter(|number| !number.is_empty()) {
                    add(&mut sparse, &mut start, wide_number(number)?);
                }
            }
            _ => {}
        }
    }
    is_sparse.then_some(sparse)
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

/// The next record of a pax header, `LENGTH NAME=VALUE\n`, and what follows it.
#[must_use]
pub fn next_record(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let (digits, _) = cut(records, b' ');
    let length = usize::try_from(wide_number(digits)?).ok()?;
    let record = records.get(digits.len() + 1..length)?;
    Some((record.strip_suffix(b"\n")?, records.get(length..)?))
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
            let sparse = read(&records).unwrap();
            assert_eq!((sparse.bytes, &*sparse.pieces), (100, &[piece(0, 10), piece(90, 10)][..]));
        }
        assert_eq!(read(&records(&["path=x"])), None);
        assert_eq!(read(&records(&["GNU.sparse.map=0,x"])), None);
        assert_eq!(read(b"99 GNU.sparse.map=0,1\n"), None, "it is longer than there is");
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
