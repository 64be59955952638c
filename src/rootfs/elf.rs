//! What an ELF file asks its loader for; elf(5). Only the parts that say so are read, wherever they
//! are in the file, and no more of them than any linker writes.

use crate::error::Why;
use crate::kernel::program::number_at;
use crate::sys::descriptors::AsFd;
use crate::text::read_at;
use alloc::boxed::Box;
use alloc::vec::Vec;
use elf::abi::{
    DF_1_NODEFLIB, DT_FLAGS_1, DT_NEEDED, DT_NULL, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ,
    DT_STRTAB, ELFCLASS64, ELFDATA2LSB, ELFMAGIC, EM_NONE, PT_DYNAMIC, PT_INTERP, PT_LOAD,
};
use elf::dynamic::{Dyn, DynamicTable};
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::parse::{ParseAt, ParseError};
use elf::segment::{ProgramHeader, SegmentTable};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

/// Something that bytes can be read from, anywhere.
pub trait Source {
    /// Fills the buffer with what is at `place`; less only where the file ends.
    ///
    /// # Errors
    ///
    /// pread(2).
    fn read_at(&self, buffer: &mut [u8], place: u64) -> Result<usize, Errno>;
}

impl Source for OwnedFd {
    fn read_at(&self, buffer: &mut [u8], place: u64) -> Result<usize, Errno> {
        read_at(self.as_fd(), place, buffer)
    }
}

impl Source for &[u8] {
    fn read_at(&self, buffer: &mut [u8], place: u64) -> Result<usize, Errno> {
        let rest = usize::try_from(place).ok().and_then(|place| self.get(place..));
        let mut filled = 0;
        for (to, from) in buffer.iter_mut().zip(rest.unwrap_or_default()) {
            *to = *from;
            filled += 1;
        }
        Ok(filled)
    }
}

/// What a program or library asks for.
#[cfg_attr(test, derive(Debug))]
pub struct Object {
    /// What it is made for: `EM_X86_64` and the like; `EM_NONE` for what is not of 64 bits with the
    /// lowest first, of which no more is read.
    pub machine: u16,
    /// The loader that the kernel is to start.
    pub interpreter: Option<&'static [u8]>,
    /// What the libraries that it needs are called.
    pub needed: Vec<&'static [u8]>,
    /// What it is called itself.
    pub name: Option<&'static [u8]>,
    /// Folders for its libraries and for theirs; older than `runpath`, which takes its place.
    pub rpath: Option<&'static [u8]>,
    /// Folders for its libraries.
    pub runpath: Option<&'static [u8]>,
    /// Whether the cache and the usual folders are not looked into (`-z nodefaultlib`).
    pub no_default_folders: bool,
}

const HEAD_BYTES: usize = 1024;
const SEGMENTS_MAX: usize = 512;
const DYNAMIC_BYTES_MAX: u64 = 1 << 16;
const STRINGS_BYTES_MAX: usize = 1 << 20;

/// Where a field begins in the header; elf(5).
mod offset {
    pub const CLASS: usize = 4;
    pub const VERSION: usize = 6;
    pub const MACHINE: usize = 18;
    pub const PROGRAM_HEADERS: usize = 32;
    pub const PROGRAM_HEADER_BYTES: usize = 54;
    pub const PROGRAM_HEADER_COUNT: usize = 56;
}

const HEADER_BYTES: usize = 64;

/// Reads it; None if it is no ELF file.
///
/// # Errors
///
/// What is wrong with it.
pub fn read(file: &dyn Source) -> Result<Option<&'static Object>, Why<'static>> {
    let mut head = [0; HEAD_BYTES];
    let length = file.read_at(&mut head, 0).map_err(Why::Errno)?;
    let head = head.get(..length).unwrap_or_default();
    if !head.starts_with(&ELFMAGIC) {
        return Ok(None);
    }
    parse(file, head).map(Some).map_err(|broken| broken.0)
}

/// The reason why a file cannot be understood.
struct Broken(Why<'static>);

impl From<ParseError> for Broken {
    fn from(_: ParseError) -> Self {
        BROKEN
    }
}

const BROKEN: Broken = Broken(Why::Text(rare!("the ELF file is damaged")));

fn parse(file: &dyn Source, head: &[u8]) -> Result<&'static Object, Broken> {
    // It is known until the root is made.
    let object = Box::leak(Box::new(Object {
        machine: EM_NONE,
        interpreter: None,
        needed: Vec::new(),
        name: None,
        rpath: None,
        runpath: None,
        no_default_folders: false,
    }));
    let identity = head.get(offset::CLASS..offset::VERSION).ok_or(BROKEN)?;
    if identity != [ELFCLASS64, ELFDATA2LSB] {
        return Ok(object);
    }
    if head.len() < HEADER_BYTES {
        return Err(BROKEN);
    }
    object.machine = number_at(head, offset::MACHINE, 2) as u16;
    let count = number_at(head, offset::PROGRAM_HEADER_COUNT, 2) as usize;
    let entry = number_at(head, offset::PROGRAM_HEADER_BYTES, 2) as usize;
    if count == 0 {
        return Ok(object);
    }
    if count > SEGMENTS_MAX {
        return Err(BROKEN);
    }
    let bytes = ProgramHeader::validate_entsize(Class::ELF64, entry)? * count;
    let table = bytes_at(file, number_at(head, offset::PROGRAM_HEADERS, 8), bytes)?;
    let segments = SegmentTable::new(LittleEndian, Class::ELF64, &table);
    let mut file = Mapped { file, segments, left: STRINGS_BYTES_MAX };
    let mut dynamic = None;
    for segment in segments.iter() {
        match segment.p_type {
            PT_INTERP if object.interpreter.is_none() => {
                object.interpreter = Some(file.text(segment.p_offset, segment.p_filesz)?);
            }
            PT_DYNAMIC => dynamic = Some((segment.p_offset, segment.p_filesz)),
            _ => {}
        }
    }
    if let Some((start, bytes)) = dynamic {
        if bytes > DYNAMIC_BYTES_MAX {
            return Err(BROKEN);
        }
        let table = bytes_at(file.file, start, bytes as usize)?;
        let table = DynamicTable::new(LittleEndian, Class::ELF64, &table);
        object.read_dynamic(&table, &mut file)?;
    }
    Ok(object)
}

impl Object {
    fn read_dynamic(
        &mut self,
        table: &DynamicTable<'_, LittleEndian>,
        file: &mut Mapped<'_>,
    ) -> Result<(), Broken> {
        let entries = || table.iter().take_while(|entry| entry.d_tag != DT_NULL);
        let value = |tag| entries().find(|entry| entry.d_tag == tag).as_ref().map(Dyn::d_val);
        self.no_default_folders =
            value(DT_FLAGS_1).is_some_and(|flags| flags & DF_1_NODEFLIB as u64 != 0);
        let strings = value(DT_STRTAB).zip(value(DT_STRSZ));
        for entry in entries() {
            if !matches!(entry.d_tag, DT_NEEDED | DT_SONAME | DT_RPATH | DT_RUNPATH) {
                continue;
            }
            let (start, bytes) = strings.ok_or(BROKEN)?;
            let left = bytes.checked_sub(entry.d_val()).ok_or(BROKEN)?;
            let address = start.checked_add(entry.d_val()).ok_or(BROKEN)?;
            let text = file.text(file.place_of(address)?, left)?;
            match entry.d_tag {
                DT_NEEDED => self.needed.push(text),
                DT_SONAME => self.name = Some(text),
                DT_RPATH => self.rpath = Some(text),
                _ => self.runpath = Some(text),
            }
        }
        Ok(())
    }
}

/// A file, and where its parts are in memory.
struct Mapped<'a> {
    file: &'a dyn Source,
    segments: SegmentTable<'a, LittleEndian>,
    /// How many bytes of strings may still be read.
    left: usize,
}

impl Mapped<'_> {
    /// Where in the file an address is.
    fn place_of(&self, address: u64) -> Result<u64, Broken> {
        for segment in self.segments.iter() {
            if let Some(within) = address.checked_sub(segment.p_vaddr)
                && (segment.p_type, within < segment.p_filesz) == (PT_LOAD, true)
            {
                return segment.p_offset.checked_add(within).ok_or(BROKEN);
            }
        }
        Err(BROKEN)
    }

    /// The string at this place, which ends within as many bytes.
    fn text(&mut self, mut place: u64, mut bytes: u64) -> Result<&'static [u8], Broken> {
        let mut text = Vec::new();
        loop {
            let mut piece = [0; 128];
            let length = self.file.read_at(&mut piece, place).map_err(read_error)?;
            let length = length.min(usize::try_from(bytes).unwrap_or(usize::MAX));
            let piece = piece.get(..length).unwrap_or_default();
            self.left = self.left.checked_sub(length).ok_or(BROKEN)?;
            let (text_end, rest) = crate::text::cut(piece, 0);
            text.extend_from_slice(text_end);
            if rest.is_some() {
                return Ok(text.leak());
            }
            if length == 0 {
                return Err(BROKEN);
            }
            place = place.checked_add(length as u64).ok_or(BROKEN)?;
            bytes -= length as u64;
        }
    }
}

fn read_error(errno: Errno) -> Broken {
    Broken(Why::Errno(errno))
}

fn bytes_at(file: &dyn Source, place: u64, length: usize) -> Result<Vec<u8>, Broken> {
    let mut bytes = alloc::vec![0; length];
    if file.read_at(&mut bytes, place).map_err(read_error)? < length {
        return Err(BROKEN);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use elf::abi::{EM_AARCH64, EM_X86_64};

    fn own() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    fn names(object: &Object) -> Vec<&str> {
        object.needed.iter().map(|name| std::str::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn a_program_names_its_loader_and_its_libraries() {
        let bytes = own();
        let object = read(&&*bytes).unwrap().expect("a test is a dynamic program");
        let interpreter = String::from_utf8(object.interpreter.unwrap().to_vec()).unwrap();
        assert!(interpreter.contains("/ld-linux"), "{interpreter}");
        assert!(names(object).contains(&"libc.so.6"), "{:?}", names(object));
        assert_eq!(
            object.machine,
            if cfg!(target_arch = "x86_64") { EM_X86_64 } else { EM_AARCH64 }
        );
    }

    #[test]
    fn what_is_no_elf_file_is_none() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fEL"] {
            assert!(matches!(read(&bytes), Ok(None)));
        }
    }

    #[test]
    fn what_is_cut_off_is_damaged() {
        let bytes = own();
        for length in (4..400).chain([1000, 4096]) {
            assert!(read(&&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn other_kinds_of_files_are_for_no_machine() {
        for (class, order) in [(1, 1), (2, 2), (0, 0)] {
            let mut bytes = own();
            (bytes[4], bytes[5]) = (class, order);
            let object = read(&&*bytes).unwrap().unwrap();
            assert_eq!(object.machine, EM_NONE);
            assert!(object.needed.is_empty() && object.interpreter.is_none());
        }
    }

    /// Whatever the header and the dynamic section say, there is an answer, and a small one.
    #[test]
    fn nothing_in_a_file_makes_it_panic() {
        let bytes = own();
        // What is read: the head, and the parts that it leads to.
        let mut random = 1_u64;
        let mut next = |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % bound as u64).unwrap()
        };
        let table = read_places(&bytes);
        for _ in 0..20_000 {
            let mut changes = Vec::new();
            for _ in 0..=next(4) {
                let (start, length) = table[next(table.len())];
                changes.push((start + next(length), [0, 1, 0x7f, 0x80, 0xff][next(5)]));
            }
            let file = Changed { bytes: &bytes, changes };
            if let Ok(Some(object)) = read(&file) {
                let bytes: usize = object.needed.iter().map(|name| name.len()).sum();
                assert!(bytes <= STRINGS_BYTES_MAX);
            }
        }
    }

    /// The header with the program headers, and the dynamic section.
    fn read_places(bytes: &[u8]) -> Vec<(usize, usize)> {
        let word = |place: usize| {
            let bytes = bytes[place..][..8].try_into().unwrap();
            usize::try_from(u64::from_le_bytes(bytes)).unwrap()
        };
        let headers = (0..usize::from(bytes[56])).map(|index| 64 + 56 * index);
        let dynamic = headers.clone().find(|place| bytes[*place] == PT_DYNAMIC as u8).unwrap();
        vec![(0, 64), (64, headers.count() * 56), (word(dynamic + 8), word(dynamic + 32))]
    }

    struct Changed<'a> {
        bytes: &'a [u8],
        changes: Vec<(usize, u8)>,
    }

    impl Source for Changed<'_> {
        fn read_at(&self, buffer: &mut [u8], place: u64) -> Result<usize, Errno> {
            let length = self.bytes.read_at(buffer, place)?;
            for (changed, byte) in &self.changes {
                let within = changed.checked_sub(usize::try_from(place).unwrap_or(usize::MAX));
                if let Some(old) = within.and_then(|within| buffer[..length].get_mut(within)) {
                    *old = *byte;
                }
            }
            Ok(length)
        }
    }
}
