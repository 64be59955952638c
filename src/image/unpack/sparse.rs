//! Files with holes: which parts of them an archive has; the GNU tar manual, "Storing Sparse Files".

use super::failure::Failure;
use super::pax;
use crate::text::{parts, word};
use alloc::vec::Vec;

/// The parts that are not holes, and how long it is with the holes.
#[derive(Default)]
#[cfg_attr(test, derive(Debug))]
pub struct Sparse {
    parts: Vec<(u64, u64)>,
    /// With the holes.
    pub bytes: u64,
    /// How many parts are said to be there.
    count: Option<u64>,
    /// Where a part was said to begin whose length has not been said yet.
    begun: Option<u64>,
}

/// More than any file has that was not made for it; 2 MiB of memory.
const PARTS_MAX: usize = 1 << 17;
const WRONG: Failure = Failure::Archive(rare!("the map of its holes is wrong"));

impl Sparse {
    /// Adds a part; they come in order.
    ///
    /// # Errors
    ///
    /// They do not, or there are too many.
    pub fn push(&mut self, place: u64, bytes: u64) -> Result<(), Failure> {
        let end = self.parts.last().map_or(0, |(place, bytes)| place + bytes);
        let is_in_order = place >= end && place.checked_add(bytes).is_some();
        if !is_in_order || self.parts.len() == PARTS_MAX {
            return Err(WRONG);
        }
        self.parts.push((place, bytes));
        Ok(())
    }

    /// Takes a record of an extended header in, in the versions 0.0 and 0.1.
    ///
    /// # Errors
    ///
    /// Those of [`Self::push`]; it is malformed.
    pub fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        match word(key) {
            "size" | "realsize" => self.bytes = pax::number(value)?,
            "numblocks" => self.count = Some(pax::number(value)?),
            "offset" => self.begun = Some(pax::number(value)?),
            "numbytes" => {
                let place = self.begun.take().ok_or(WRONG)?;
                self.push(place, pax::number(value)?)?;
            }
            "map" => {
                self.parts.clear();
                let mut place = None;
                for part in parts(value, b',').filter(|part| !part.is_empty()) {
                    let number = pax::number(part)?;
                    match place.take() {
                        None => place = Some(number),
                        Some(place) => self.push(place, number)?,
                    }
                }
                if place.is_some() {
                    return Err(WRONG);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks that the parts are what the archive has, and lie within the file.
    ///
    /// # Errors
    ///
    /// They are not, or do not.
    pub fn check(&self, stored: u64) -> Result<(), Failure> {
        let end = self.parts.last().map_or(0, |(place, bytes)| place + bytes);
        // None of them overlaps another, so the sum is at most the end of the last.
        let all: u64 = self.parts.iter().map(|(_, bytes)| bytes).sum();
        let count = self.parts.len() as u64;
        let is_count = self.count.is_none_or(|said| said == count);
        if end > self.bytes || all != stored || !is_count || i64::try_from(self.bytes).is_err() {
            return Err(WRONG);
        }
        Ok(())
    }

    /// The parts.
    #[must_use]
    pub fn parts(&self) -> &[(u64, u64)] {
        &self.parts
    }
}

/// The map in front of the content, in version 1.0: decimal numbers, each on a line; how many parts
/// there are, and then the place and the length of each.
#[derive(Default)]
pub struct Map {
    number: Option<u64>,
    left: Option<u64>,
    place: Option<u64>,
}

impl Map {
    /// Takes a byte of it in; whether it was the last.
    ///
    /// # Errors
    ///
    /// Those of [`Sparse::push`]; it is malformed.
    pub fn push(&mut self, byte: u8, into: &mut Sparse) -> Result<bool, Failure> {
        if let b'0'..=b'9' = byte {
            let number = self.number.unwrap_or(0).checked_mul(10);
            self.number = number.and_then(|number| number.checked_add(u64::from(byte - b'0')));
            return if self.number.is_some() { Ok(false) } else { Err(WRONG) };
        }
        let number = self.number.take().filter(|_| byte == b'\n').ok_or(WRONG)?;
        match (self.left, self.place.take()) {
            (None, _) => self.left = Some(number),
            (Some(_), None) => self.place = Some(number),
            (Some(left), Some(place)) => {
                into.push(place, number)?;
                self.left = Some(left - 1);
            }
        }
        Ok(self.left == Some(0) && self.place.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_order_and_do_not_overlap() {
        let mut sparse = Sparse::default();
        sparse.record(b"map", b"0,5,10,5").unwrap();
        sparse.record(b"realsize", b"20").unwrap();
        assert_eq!(sparse.parts(), [(0, 5), (10, 5)]);
        assert!(sparse.check(10).is_ok());
        assert!(sparse.check(9).is_err());
        assert!(sparse.push(14, 1).is_err() && sparse.push(u64::MAX, 1).is_err());
        assert!(sparse.push(15, 6).is_ok() && sparse.check(16).is_err());
        for wrong in [&b"0,5,3"[..], b"5,5,3,1", b"a,b", b"0,18446744073709551615,1,1"] {
            assert!(Sparse::default().record(b"map", wrong).is_err());
        }
    }

    #[test]
    fn places_and_lengths_come_in_pairs() {
        let mut sparse = Sparse::default();
        for (key, value) in [(&b"offset"[..], &b"1"[..]), (b"numbytes", b"2"), (b"offset", b"7")] {
            sparse.record(key, value).unwrap();
        }
        assert_eq!(sparse.parts(), [(1, 2)]);
        assert!(sparse.record(b"numbytes", b"1").is_ok());
        assert!(sparse.record(b"numbytes", b"1").is_err());
    }

    fn map(text: &[u8]) -> Option<(usize, Vec<(u64, u64)>)> {
        let (mut map, mut sparse) = (Map::default(), Sparse::default());
        for (place, byte) in text.iter().enumerate() {
            if map.push(*byte, &mut sparse).ok()? {
                return Some((place + 1, sparse.parts));
            }
        }
        None
    }

    #[test]
    fn a_map_ends_by_itself() {
        assert_eq!(map(b"2\n0\n5\n10\n5\n\0"), Some((11, vec![(0, 5), (10, 5)])));
        assert_eq!(map(b"0\n"), Some((2, vec![])));
        for wrong in
            [&b"\n"[..], b"1\n\n", b"1\n5\n", b"x", b"99999999999999999999\n", b"2\n5\n1\n0\n1\n"]
        {
            assert_eq!(map(wrong), None, "{wrong:?}");
        }
    }
}
