//! The checksum of gzip; RFC 1952, section 8. Eight bytes at a time, by tables that are made when they
//! are needed, since they would be 8 KiB of the file.

use alloc::boxed::Box;

/// A checksum in the making.
pub struct Crc {
    tables: Box<[[u32; 256]; 8]>,
    value: u32,
}

/// The polynomial, its lowest bit first.
const POLYNOMIAL: u32 = 0xedb8_8320;

impl Crc {
    /// Of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let mut tables = Box::new([[0; 256]; 8]);
        for byte in 0..256 {
            let mut value = byte as u32;
            for table in 0..8 {
                for _ in 0..8 {
                    value = value >> 1 ^ if value & 1 == 0 { 0 } else { POLYNOMIAL };
                }
                tables[table][byte] = value;
            }
        }
        Self { tables, value: !0 }
    }

    /// Begins again.
    pub fn reset(&mut self) {
        self.value = !0;
    }

    /// Takes more in.
    pub fn update(&mut self, bytes: &[u8]) {
        let [t7, t6, t5, t4, t3, t2, t1, t0] = &*self.tables;
        let mut value = self.value;
        let (chunks, rest) = bytes.as_chunks::<8>();
        for [a, b, c, d, e, f, g, h] in chunks {
            let [x0, x1, x2, x3] = value.to_le_bytes();
            value = t0[usize::from(a ^ x0)]
                ^ t1[usize::from(b ^ x1)]
                ^ t2[usize::from(c ^ x2)]
                ^ t3[usize::from(d ^ x3)]
                ^ t4[usize::from(*e)]
                ^ t5[usize::from(*f)]
                ^ t6[usize::from(*g)]
                ^ t7[usize::from(*h)];
        }
        for byte in rest {
            let [low, ..] = value.to_le_bytes();
            value = value >> 8 ^ t7[usize::from(byte ^ low)];
        }
        self.value = value;
    }

    /// The checksum.
    #[must_use]
    pub fn value(&self) -> u32 {
        !self.value
    }
}

impl Default for Crc {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_known_one() {
        let mut crc = Crc::new();
        crc.update(b"123456789");
        assert_eq!(crc.value(), 0xcbf4_3926);
        crc.reset();
        for part in b"The quick brown fox jumps over the lazy dog".chunks(11) {
            crc.update(part);
        }
        assert_eq!(crc.value(), 0x414f_a339);
    }
}
