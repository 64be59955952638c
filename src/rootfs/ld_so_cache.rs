//! Where libraries are, as ldconfig(8) has noted it: `/etc/ld.so.cache`, in the format of glibc 2.2
//! and later (`sysdeps/generic/dl-cache.h`), alone or behind the older one.

use core::cmp::Ordering;

/// The notes, in the bytes of the file.
pub struct Cache<'a> {
    /// From the header of the new format on; all offsets count from there.
    bytes: &'a [u8],
    count: usize,
    /// The names of the subdirectories of `glibc-hwcaps`: the offsets of strings.
    levels: &'a [u8],
}

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";
const OLD_HEADER_BYTES: usize = 16;
const OLD_ENTRY_BYTES: usize = 12;
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER_BYTES: usize = 48;
const ENTRY_BYTES: usize = 24;

/// Where a field begins in the header, and in an entry.
mod offset {
    pub const COUNT: usize = 20;
    pub const BYTE_ORDER: usize = 28;
    pub const EXTENSIONS: usize = 32;

    pub const FLAGS: usize = 0;
    pub const NAME: usize = 4;
    pub const PATH: usize = 8;
    pub const LEVEL: usize = 16;
    pub const HARDWARE: usize = 20;
}

const BIG_ENDIAN: u8 = 3;
const EXTENSIONS_MAGIC: u32 = 0xeaa4_2174;
/// The section with the names of hardware levels.
const LEVELS_TAG: u32 = 1;
/// Of an entry's upper hardware bits: those that say that the lower ones are the number of a level.
const IS_LEVEL: u32 = 1 << 30;
const LEVEL_BITS: u32 = (1 << 10) - 1;

impl<'a> Cache<'a> {
    /// Reads the header; None if it is no such file.
    #[must_use]
    pub fn parse(file: &'a [u8]) -> Option<Self> {
        let mut bytes = file;
        if file.starts_with(OLD_MAGIC) {
            let count = number(file, OLD_MAGIC.len())? as usize;
            let end = count.checked_mul(OLD_ENTRY_BYTES)?.checked_add(OLD_HEADER_BYTES)?;
            bytes = file.get(end.checked_next_multiple_of(8)?..)?;
        }
        if !bytes.starts_with(MAGIC) || *bytes.get(offset::BYTE_ORDER)? == BIG_ENDIAN {
            return None;
        }
        let count = number(bytes, offset::COUNT)? as usize;
        if count.checked_mul(ENTRY_BYTES)?.checked_add(HEADER_BYTES)? > bytes.len() {
            return None;
        }
        let mut cache = Self { bytes, count, levels: &[] };
        cache.levels = cache.find_levels().unwrap_or_default();
        Some(cache)
    }

    fn find_levels(&self) -> Option<&'a [u8]> {
        let start = number(self.bytes, offset::EXTENSIONS)? as usize;
        let extensions = self.bytes.get(start..).filter(|_| start > 0)?;
        if number(extensions, 0)? != EXTENSIONS_MAGIC {
            return None;
        }
        let sections = extensions.get(8..)?.chunks_exact(16).take(number(extensions, 4)? as usize);
        for section in sections {
            if number(section, 0)? == LEVELS_TAG {
                let (start, length) = (number(section, 8)? as usize, number(section, 12)? as usize);
                return self.bytes.get(start..)?.get(..length);
            }
        }
        None
    }

    /// The path of the library of this name for an ABI: the one for the highest level of the
    /// processor, where there are several. `rank` says how high the level of a name is, None for one
    /// that the processor does not have.
    #[must_use]
    pub fn find(
        &self,
        name: &[u8],
        abi: u32,
        rank: &dyn Fn(&[u8]) -> Option<u8>,
    ) -> Option<&'a [u8]> {
        let mut best = None;
        for index in self.first(name)?.. {
            let Some(entry) =
                self.entry(index).filter(|entry| self.string_at(entry, offset::NAME) == Some(name))
            else {
                break;
            };
            if number(entry, offset::FLAGS)? != abi {
                continue;
            }
            let hardware = number(entry, offset::HARDWARE)?;
            let level = number(entry, offset::LEVEL)?;
            let is_level = hardware & !LEVEL_BITS == IS_LEVEL;
            let rank = match (is_level, hardware, level) {
                (true, ..) => self.level(level).and_then(rank),
                (false, 0, 0) => Some(0),
                // What glibc before 2.37 knew of processors in bits.
                _ => None,
            };
            if rank > best.map(|(rank, _)| rank) {
                best = rank.zip(self.string_at(entry, offset::PATH));
            }
        }
        best.map(|(_, path)| path)
    }

    /// The first of the entries that may be of this name; they are in falling order.
    fn first(&self, name: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = usize::midpoint(low, high);
            let here = self.string_at(self.entry(middle)?, offset::NAME)?;
            if compare(here, name) == Ordering::Greater {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(low)
    }

    fn entry(&self, index: usize) -> Option<&'a [u8]> {
        let start = index.checked_mul(ENTRY_BYTES)?.checked_add(HEADER_BYTES)?;
        self.bytes.get(start..)?.get(..ENTRY_BYTES).filter(|_| index < self.count)
    }

    fn level(&self, index: u32) -> Option<&'a [u8]> {
        self.string_at(self.levels, (index as usize).checked_mul(4)?)
    }

    /// The string that a field is the offset of.
    fn string_at(&self, fields: &[u8], field: usize) -> Option<&'a [u8]> {
        let (string, rest) =
            crate::text::cut(self.bytes.get(number(fields, field)? as usize..)?, 0);
        rest.map(|_| string)
    }
}

/// The order of ldconfig's: digits that follow each other count as a number, and are more than
/// anything else.
fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let is_number = |text: &[u8]| text.first().is_some_and(u8::is_ascii_digit);
        match (is_number(left), is_number(right)) {
            (true, true) => match take_number(&mut left).cmp(&take_number(&mut right)) {
                Ordering::Equal => {}
                order => return order,
            },
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) => match (left.split_first(), right.split_first()) {
                (None, None) => return Ordering::Equal,
                (Some((first, left_rest)), Some((second, right_rest))) if first == second => {
                    (left, right) = (left_rest, right_rest);
                }
                (first, second) => {
                    return first.map(|(byte, _)| byte).cmp(&second.map(|(byte, _)| byte));
                }
            },
        }
    }
}

fn take_number(text: &mut &[u8]) -> u32 {
    let mut number = 0_u32;
    while let Some((digit @ b'0'..=b'9', rest)) = text.split_first() {
        number = number.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'));
        *text = rest;
    }
    number
}

/// A little-endian number of 32 bits.
fn number(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|field| u32::from_le_bytes(*field))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABI: u32 = 0x303;

    /// A file with these entries: name, path, ABI, level.
    fn file(entries: &[(&str, &str, u32, Option<u32>)], levels: &[&str]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((entries.len() as u32).to_le_bytes());
        bytes.resize(HEADER_BYTES, 0);
        let mut strings = Vec::new();
        let start = HEADER_BYTES + entries.len() * ENTRY_BYTES;
        let mut add = |text: &str| {
            let place = (start + strings.len()) as u32;
            strings.extend(text.bytes().chain([0]));
            place.to_le_bytes()
        };
        for (name, path, abi, level) in entries {
            bytes.extend(abi.to_le_bytes());
            bytes.extend(add(name));
            bytes.extend(add(path));
            bytes.extend([0; 4]);
            bytes.extend(level.unwrap_or(0).to_le_bytes());
            bytes.extend(if level.is_some() { IS_LEVEL | 2 } else { 0 }.to_le_bytes());
        }
        let names: Vec<u8> = levels.iter().flat_map(|level| add(level)).collect();
        bytes.extend(strings);
        let place = bytes.len() as u32;
        bytes[offset::EXTENSIONS..][..4].copy_from_slice(&place.to_le_bytes());
        for word in [EXTENSIONS_MAGIC, 1, LEVELS_TAG, 0, place + 24, names.len() as u32] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(names);
        bytes
    }

    fn find(file: &[u8], name: &str, processor: u8) -> Option<String> {
        let rank = |level: &[u8]| {
            let level = level.strip_prefix(b"x86-64-v")?.first()? - b'0';
            (level <= processor).then_some(level)
        };
        let path = Cache::parse(file)?.find(name.as_bytes(), ABI, &rank)?;
        Some(String::from_utf8_lossy(path).into_owned())
    }

    #[test]
    fn the_best_level_that_the_processor_has_is_chosen() {
        let file = file(
            &[
                ("libz.so.10", "/z10", ABI, None),
                ("libz.so.2", "/v3", ABI, Some(1)),
                ("libz.so.2", "/v2", ABI, Some(0)),
                ("libz.so.2", "/other", 3, None),
                ("libz.so.2", "/base", ABI, None),
                ("liba.so.2", "/a", ABI, None),
            ],
            &["x86-64-v2", "x86-64-v3"],
        );
        for (processor, expected) in [(1, "/base"), (2, "/v2"), (3, "/v3"), (4, "/v3")] {
            assert_eq!(find(&file, "libz.so.2", processor).as_deref(), Some(expected));
        }
        assert_eq!(find(&file, "libz.so.10", 1).as_deref(), Some("/z10"));
        assert_eq!(find(&file, "liba.so.2", 1).as_deref(), Some("/a"));
        for absent in ["libz.so", "libz.so.3", "libzz.so", "", "a", "z"] {
            assert_eq!(find(&file, absent, 1), None, "{absent}");
        }
    }

    #[test]
    fn the_new_format_is_found_behind_the_old_one() {
        let mut bytes = OLD_MAGIC.to_vec();
        bytes.extend(1_u32.to_le_bytes());
        bytes.resize(32, 0);
        bytes.extend(file(&[("liba.so", "/a", ABI, None)], &[]));
        assert_eq!(find(&bytes, "liba.so", 1).as_deref(), Some("/a"));
        assert_eq!(find(&bytes[..20], "liba.so", 1), None);
    }

    #[test]
    fn names_are_ordered_as_ldconfig_orders_them() {
        let falling =
            ["libb.so.2", "liba10.so", "liba9.so", "liba.so.1", "liba.so", "liba-x.so", ""];
        for pair in falling.windows(2) {
            assert_eq!(
                compare(pair[0].as_bytes(), pair[1].as_bytes()),
                Ordering::Greater,
                "{pair:?}"
            );
        }
    }

    /// What ldconfig prints is what is found.
    #[test]
    fn the_systems_own_is_understood() {
        let Ok(file) = std::fs::read("/etc/ld.so.cache") else { return };
        let abi = if cfg!(target_arch = "x86_64") { ABI } else { 0xa03 };
        let cache = Cache::parse(&file).expect("it is of the new format");
        let path = cache.find(b"libc.so.6", abi, &|_| None).expect("everything needs it");
        assert!(path.ends_with(b"/libc.so.6"));
        for index in 0..cache.count {
            let entry = cache.entry(index).unwrap();
            let name = cache.string_at(entry, offset::NAME).unwrap();
            if number(entry, offset::FLAGS) == Some(abi)
                && number(entry, offset::HARDWARE) == Some(0)
            {
                assert!(cache.find(name, abi, &|_| None).is_some(), "{name:?}");
            }
        }
    }

    #[test]
    fn nothing_in_a_file_makes_it_panic() {
        let good = std::fs::read("/etc/ld.so.cache").unwrap_or_else(|_| {
            file(&[("libc.so.6", "/c", ABI, Some(0)), ("liba.so", "/a", ABI, None)], &["x86-64-v2"])
        });
        let mut random = 1_u64;
        let mut next = |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % bound as u64).unwrap()
        };
        let mut bytes = good.clone();
        for round in 0..20_000 {
            let place = if round % 2 == 0 { next(HEADER_BYTES) } else { next(bytes.len()) };
            let old = bytes[place];
            bytes[place] = [0, 1, 0x7f, 0x80, 0xff][next(5)];
            let end = if round % 16 == 0 { next(bytes.len()) } else { bytes.len() };
            let _ = find(&bytes[..end], "libc.so.6", 4);
            bytes[place] = old;
        }
    }
}
