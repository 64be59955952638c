//! Why a program cannot be executed. The kernel says ENOENT also when it is the interpreter that is
//! missing, of a script (`#!`) or of a dynamic program; here the file is read and asked which.

use crate::error::{Why, status};
use crate::rare::Rare;
use crate::sys::descriptors::AsFd;
use crate::text::read_start;
use core::ffi::CStr;
use elf::abi::{ELFMAGIC, EM_386, EM_AARCH64, EM_ARM, EM_PPC64, EM_RISCV, EM_X86_64, PT_INTERP};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, StatVfsMountFlags, openat, statat, statvfs,
};
use rustix::io::{Errno, pread};

/// A program that could not be executed, and all that is to say about it.
#[derive(Clone, Copy)]
pub struct Refusal<'a> {
    /// Which one.
    pub program: &'a CStr,
    /// Why.
    pub why: Why<'a>,
    /// What to do; may be empty.
    pub hint: Rare,
    /// The launcher's exit status.
    pub status: u8,
}

/// Bytes of scratch for the name of one interpreter.
const NAME_BYTES: usize = 128;
/// Interpreters of interpreters that the kernel follows; execve(2).
const LEVELS_MAX: usize = 5;
/// Scratch that [`why_not`] can need.
pub const SCRATCH_BYTES: usize = NAME_BYTES * LEVELS_MAX;

/// Whether the name leads to something.
#[must_use]
pub fn exists(path: &CStr) -> bool {
    statat(CWD, path, AtFlags::empty()).is_ok()
}

/// Whether the name leads to a directory.
#[must_use]
pub fn is_directory(path: &CStr) -> bool {
    let found = statat(CWD, path, AtFlags::empty());
    found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory)
}

/// What to say of a program that execve(2) refused with `errno`.
#[must_use]
pub fn why_not<'a>(path: &'a CStr, errno: Errno, scratch: &'a mut [u8]) -> Refusal<'a> {
    let status = match errno {
        Errno::NOENT | Errno::NOTDIR => status::NOT_FOUND,
        _ => status::NOT_EXECUTABLE,
    };
    let (why, hint) = match errno {
        Errno::NOENT if !exists(path) => {
            (Why::Errno(errno), rare!("there is no such file in the root directory"))
        }
        Errno::NOENT => missing_interpreter(path, scratch),
        Errno::ACCESS => refusal(path),
        Errno::NOEXEC => wrong_format(path),
        _ => (Why::Errno(errno), Rare::NONE),
    };
    Refusal { program: path, why, hint, status }
}

type Reason<'a> = (Why<'a>, Rare);

/// Follows the interpreters from file to file until one is not there.
fn missing_interpreter<'a>(path: &'a CStr, mut scratch: &'a mut [u8]) -> Reason<'a> {
    let mut file = path;
    for level in 0..LEVELS_MAX {
        let Some((name, rest)) = scratch.split_at_mut_checked(NAME_BYTES) else { break };
        scratch = rest;
        let Some((needed, interpreter)) = open(file).and_then(|file| interpreter(&file, name))
        else {
            break;
        };
        if !exists(interpreter) {
            let (what, hint) = match (needed, level) {
                (Needed::Interpreter, _) => (
                    rare!("its interpreter"),
                    rare!(
                        "the script's first line names it: put it and what it needs into the root"
                    ),
                ),
                (Needed::ElfInterpreter, 0) => (
                    rare!("its ELF interpreter"),
                    rare!(
                        "the program is dynamic: put this and the libraries that ldd names into the root"
                    ),
                ),
                (Needed::ElfInterpreter, _) => (
                    rare!("the ELF interpreter of its interpreter"),
                    rare!(
                        "the program that the script's first line names is dynamic, and needs this"
                    ),
                ),
            };
            return (Why::Missing(what, interpreter.to_bytes()), hint);
        }
        file = interpreter;
    }
    (Why::Errno(Errno::NOENT), rare!("the program is there; something that it needs is not"))
}

fn refusal<'a>(path: &CStr) -> Reason<'a> {
    let Ok(found) = statat(CWD, path, AtFlags::empty()) else {
        return (Why::Errno(Errno::ACCESS), rare!("a folder on the way to it may not be searched"));
    };
    if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
        return (Why::Text(rare!("it is a directory")), Rare::NONE);
    }
    if !Mode::from_raw_mode(found.st_mode).intersects(Mode::XUSR | Mode::XGRP | Mode::XOTH) {
        return (Why::Errno(Errno::ACCESS), rare!("the file is not marked executable: chmod +x"));
    }
    if statvfs(path).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
        return (
            Why::Errno(Errno::ACCESS),
            rare!("it lies on a mount that allows no programs (noexec)"),
        );
    }
    (
        Why::Errno(Errno::ACCESS),
        rare!(
            "its mode, or that of the interpreter that it names, does not let this user execute it"
        ),
    )
}

fn wrong_format<'a>(path: &CStr) -> Reason<'a> {
    let mut head = [0; 64];
    let head = open(path).and_then(|file| read_start(&file, &mut head).ok()).unwrap_or_default();
    match machine(head) {
        Some(machine) if machine != MACHINE => (Why::Text(built_for(machine)), THIS),
        Some(_) => (
            Why::Errno(Errno::NOEXEC),
            rare!("the file is damaged, or of a kind that this kernel does not execute"),
        ),
        None => (
            Why::Text(rare!("neither an ELF program nor a script")),
            rare!("a script begins with a line that names its interpreter, such as #!/bin/sh"),
        ),
    }
}

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = EM_X86_64;
#[cfg(target_arch = "x86_64")]
const THIS: Rare = rare!("this machine is x86-64");
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = EM_AARCH64;
#[cfg(target_arch = "aarch64")]
const THIS: Rare = rare!("this machine is aarch64");

fn built_for(machine: u16) -> Rare {
    match machine {
        EM_386 => rare!("it is built for x86"),
        EM_X86_64 => rare!("it is built for x86-64"),
        EM_ARM => rare!("it is built for 32-bit arm"),
        EM_AARCH64 => rare!("it is built for aarch64"),
        EM_PPC64 => rare!("it is built for ppc64"),
        EM_RISCV => rare!("it is built for riscv"),
        _ => rare!("it is built for another kind of machine"),
    }
}

/// What a program needs to be executed.
#[derive(Clone, Copy)]
enum Needed {
    Interpreter,
    ElfInterpreter,
}

fn open(path: &CStr) -> Option<OwnedFd> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()).ok()
}

/// Reads from the file which interpreter it asks for; the name is put into `name`.
fn interpreter<'a>(file: &OwnedFd, name: &'a mut [u8]) -> Option<(Needed, &'a CStr)> {
    let mut head = [0; NAME_BYTES];
    let head = read_start(file, &mut head).ok()?;
    if let Some(line) = head.strip_prefix(b"#!") {
        return Some((Needed::Interpreter, script_interpreter(line, name)?));
    }
    Some((Needed::ElfInterpreter, elf_interpreter(file.as_fd(), head, name)?))
}

/// The first word behind `#!`; execve(2), "Interpreter scripts".
fn script_interpreter<'a>(line: &[u8], name: &'a mut [u8]) -> Option<&'a CStr> {
    let (word, behind) = first_word(line)?;
    if behind.is_empty() {
        return None;
    }
    name.get_mut(..word.len())?.copy_from_slice(word);
    *name.get_mut(word.len())? = 0;
    CStr::from_bytes_until_nul(name).ok()
}

/// The first word of a line as the kernel reads it, and what stands behind it.
#[must_use]
pub fn first_word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line.iter().position(|byte| !is_blank(byte))?;
    let line = line.get(start..)?;
    let is_end = |byte| is_blank(byte) || matches!(byte, b'\n' | 0);
    let split = line.split_at_checked(line.iter().position(is_end).unwrap_or(line.len()));
    // Where the line ends, nothing is a word.
    split.filter(|(word, _)| !word.is_empty())
}

/// Where a field begins in the header of a 64-bit ELF file, and in an entry of its program header
/// table; elf(5). The machine is at the same place in a 32-bit one.
mod offset {
    pub const MACHINE: usize = 18;
    pub const PROGRAM_HEADERS: usize = 32;
    pub const PROGRAM_HEADER_COUNT: usize = 56;
    pub const SEGMENT_START: usize = 8;
    pub const SEGMENT_BYTES: usize = 32;
}

/// Bytes of an entry of the program header table.
const PROGRAM_HEADER_BYTES: usize = 56;
/// More entries than any linker writes.
const PROGRAM_HEADERS_MAX: u64 = 64;

/// The machine that an ELF file is for; None for a file of another kind.
fn machine(head: &[u8]) -> Option<u16> {
    head.starts_with(&ELFMAGIC).then(|| number_at(head, offset::MACHINE, 2) as u16)
}

/// Copies the name in the first segment of type `PT_INTERP`.
fn elf_interpreter<'a>(file: BorrowedFd<'_>, head: &[u8], name: &'a mut [u8]) -> Option<&'a CStr> {
    machine(head)?;
    let mut place = number_at(head, offset::PROGRAM_HEADERS, 8);
    let count = number_at(head, offset::PROGRAM_HEADER_COUNT, 2).min(PROGRAM_HEADERS_MAX);
    for _ in 0..count {
        let mut header = [0; PROGRAM_HEADER_BYTES];
        pread(file, &mut header, place).ok()?;
        if number_at(&header, 0, 4) == u64::from(PT_INTERP) {
            let length = number_at(&header, offset::SEGMENT_BYTES, 8);
            let length = usize::try_from(length).ok()?.min(name.len());
            pread(file, name.get_mut(..length)?, number_at(&header, offset::SEGMENT_START, 8))
                .ok()?;
            return CStr::from_bytes_until_nul(name).ok();
        }
        place = place.checked_add(PROGRAM_HEADER_BYTES as u64)?;
    }
    None
}

/// A little-endian number; what lies behind the end counts as zero.
#[must_use]
pub fn number_at(bytes: &[u8], offset: usize, length: usize) -> u64 {
    let field = bytes.iter().skip(offset).take(length);
    field.rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_word(line: &str) -> Option<String> {
        let mut name = [0; 16];
        let name = script_interpreter(line.as_bytes(), &mut name)?;
        Some(name.to_str().unwrap().into())
    }

    #[test]
    fn a_script_names_its_interpreter() {
        assert_eq!(first_word("/bin/sh\n").as_deref(), Some("/bin/sh"));
        assert_eq!(first_word(" \t/bin/env  python3\n").as_deref(), Some("/bin/env"));
        assert_eq!(first_word("/a/name/too/long/for/it\n"), None);
        assert_eq!(first_word("no end of line"), Some("no".into()));
        assert_eq!(first_word("   "), None);
    }

    #[test]
    fn the_header_tells_the_machine() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(machine(&own), Some(MACHINE));
        assert_eq!(machine(&own[..4]), Some(0), "what is cut off counts as zero");
        assert_eq!(machine(b"#!/bin/sh\n"), None);
        assert_eq!(machine(b""), None);
    }

    #[test]
    fn the_interpreter_is_the_one_that_the_file_names() {
        let file = open(c"/proc/self/exe").unwrap();
        let mut name = [0; NAME_BYTES];
        let (_, name) = interpreter(&file, &mut name).expect("a test is a dynamic program");
        assert!(name.to_str().unwrap().contains("/ld-linux"), "{name:?}");
    }
}
