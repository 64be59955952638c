//! What a layer has made itself, so that its whiteouts remove nothing but what was there before, in
//! whatever order they come.

use alloc::vec;
use alloc::vec::Vec;

/// A set of names in directories: of each, eight bytes.
pub struct Made {
    /// A power of two of places, of which zeros are free.
    places: Vec<u64>,
    count: usize,
    seed: u64,
}

const PLACES: usize = 1024;

impl Made {
    /// Of nothing yet; the seed is what nobody who makes a layer can know.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { places: vec![0; PLACES], count: 0, seed }
    }

    /// Adds a name in a directory.
    pub fn insert(&mut self, folder: (u64, u64), name: &[u8]) {
        let mark = self.mark(folder, name);
        if self.count >= self.places.len() / 4 * 3 {
            let wider = vec![0; self.places.len() * 2];
            for mark in core::mem::replace(&mut self.places, wider) {
                self.put(mark);
            }
        }
        self.count += usize::from(self.put(mark));
    }

    /// Whether it has it.
    #[must_use]
    pub fn has(&self, folder: (u64, u64), name: &[u8]) -> bool {
        let mark = self.mark(folder, name);
        self.place_of(mark).is_some_and(|place| self.places.get(place) == Some(&mark))
    }

    fn put(&mut self, mark: u64) -> bool {
        let place = self.place_of(mark).and_then(|place| self.places.get_mut(place));
        place.is_some_and(|place| core::mem::replace(place, mark) != mark)
    }

    /// Where it is, or is to be.
    fn place_of(&self, mark: u64) -> Option<usize> {
        let last = self.places.len() - 1;
        let start = (mark >> 20) as usize;
        (0..=last).map(|step| start.wrapping_add(step) & last).find(|place| {
            self.places.get(*place).is_some_and(|there| *there == 0 || *there == mark)
        })
    }

    fn mark(&self, (device, inode): (u64, u64), name: &[u8]) -> u64 {
        let mut mark = mixed(self.seed ^ inode) ^ device;
        for byte in name {
            mark = (mark ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        // Zero is what a free place has.
        mixed(mark) | 1
    }
}

/// Every bit of the result depends on every bit.
fn mixed(mut value: u64) -> u64 {
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        value = (value ^ value >> 30).wrapping_mul(factor);
    }
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_what_was_put_in_and_nothing_else() {
        let mut made = Made::new(7);
        let name = |number: u32| format!("file-{number}").into_bytes();
        for number in 0..20_000 {
            made.insert((1, u64::from(number % 10)), &name(number));
            made.insert((1, u64::from(number % 10)), &name(number));
        }
        assert_eq!(made.count, 20_000);
        for number in 0..20_000 {
            assert!(made.has((1, u64::from(number % 10)), &name(number)));
            assert!(!made.has((1, u64::from(number % 10) + 1), &name(number)));
            assert!(!made.has((2, u64::from(number % 10)), &name(number)));
        }
    }
}
