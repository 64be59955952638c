//! The files of a cgroup: short, and read and written whole; cgroups(7).

use crate::error::{Error, Why, status};
use crate::kernel::settings::read_file;
use crate::rare::Rare;
use crate::text::{Text, cut, parts, wide_number};
use alloc::vec::Vec;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, openat, stat};
use rustix::io::{Errno, retry_on_intr};
use rustix::thread::{NanosleepRelativeResult, nanosleep};

/// A path, kept until the process ends.
pub struct Path(&'static CStr);

impl Path {
    /// The file of this name in a folder; the folder itself without a name.
    pub fn new(folder: &[u8], file: &[u8]) -> Self {
        let mut text = Text::new();
        text.push_raw(folder);
        if !file.is_empty() {
            text.push("/").push_raw(file);
        }
        Self(text.into_c_str())
    }

    /// As system calls take it.
    pub fn as_c_str(&self) -> &'static CStr {
        self.0
    }

    /// What failed on it, and why.
    #[cold]
    pub fn error(self, doing: Rare, why: Why<'static>, hint: &'static [u8]) -> Error<'static> {
        Error::new(doing, self.0.to_bytes(), why, hint, status::FAILED)
    }
}

/// What the kernel says against something that is done to a file of a cgroup, or to its folder.
#[cold]
#[inline(never)]
pub fn failed(folder: &[u8], file: &[u8], doing: Rare, errno: Errno, hint: Rare) -> Error<'static> {
    let hint = if hint.is_empty() { b"" } else { hint.bytes() };
    Path::new(folder, file).error(doing, Why::Errno(errno), hint)
}

/// Opens a file to be written to.
pub fn open(folder: &[u8], file: &[u8]) -> Result<OwnedFd, Errno> {
    let path = Path::new(folder, file);
    openat(CWD, path.as_c_str(), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Writes `value` at once: what the kernel takes as one.
pub fn put(file: &OwnedFd, value: &[u8]) -> Result<(), Errno> {
    match retry_on_intr(|| rustix::io::write(file, value))? {
        count if count == value.len() => Ok(()),
        _ => Err(Errno::IO),
    }
}

/// Writes `value` to a file.
pub fn write(folder: &[u8], file: &[u8], value: &[u8]) -> Result<(), Errno> {
    put(&open(folder, file)?, value)
}

/// Reads a file.
pub fn read(folder: &[u8], file: &[u8]) -> Result<&'static [u8], Errno> {
    read_file(Path::new(folder, file).as_c_str())
}

/// The text in a file of one line; empty if there is no such file.
pub fn value(folder: &[u8], file: &[u8]) -> &'static [u8] {
    read(folder, file).unwrap_or_default().trim_ascii_end()
}

/// The value of a line `NAME VALUE`.
pub fn field<'a>(lines: &'a [u8], name: &str) -> Option<&'a [u8]> {
    parts(lines, b'\n').find_map(|line| match cut(line, b' ') {
        (found, Some(value)) if found == name.as_bytes() => Some(value),
        _ => None,
    })
}

/// The number in a line `NAME NUMBER`; 0 without one.
pub fn count(lines: &[u8], name: &str) -> u64 {
    field(lines, name).and_then(wide_number).unwrap_or_default()
}

/// The cgroups in this one and in those, itself first, each before what is in it.
pub fn tree(top: &[u8]) -> Vec<Vec<u8>> {
    let mut folders = Vec::new();
    folders.push(top.to_vec());
    let mut read = 0;
    while let Some(folder) = folders.get(read) {
        let path = Path::new(folder, b"");
        // Most have none below: this is told without a look at all of their files.
        if stat(path.as_c_str()).is_ok_and(|about| about.st_nlink > 2) {
            let folder = folder.clone();
            let _ = add_folders(&path, &folder, &mut folders);
        }
        read += 1;
    }
    folders
}

fn add_folders(path: &Path, folder: &[u8], found: &mut Vec<Vec<u8>>) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(CWD, path.as_c_str(), flags, Mode::empty())?;
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(opened, &mut space);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if entry.file_type() == FileType::Directory && !matches!(name, b"." | b"..") {
            let mut inner = folder.to_vec();
            inner.push(b'/');
            inner.extend_from_slice(name);
            found.push(inner);
        }
    }
    Ok(())
}

/// Waiting for what takes the kernel moments: shortly at first, and then longer.
pub struct Patience {
    next_us: i64,
    waited_us: i64,
}

impl Patience {
    const FIRST_US: i64 = 100;
    const LONGEST_US: i64 = 20_000;
    const ALL_US: i64 = 2_000_000;

    /// Nothing was waited for yet.
    pub const fn new() -> Self {
        Self { next_us: Self::FIRST_US, waited_us: 0 }
    }

    /// Waits; whether it is worth another try.
    pub fn wait(&mut self) -> bool {
        if self.waited_us >= Self::ALL_US {
            return false;
        }
        let mut left = rustix::fs::Timespec { tv_sec: 0, tv_nsec: self.next_us * 1000 };
        while let NanosleepRelativeResult::Interrupted(rest) = nanosleep(&left) {
            left = rest;
        }
        self.waited_us += self.next_us;
        self.next_us = (self.next_us * 2).min(Self::LONGEST_US);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn fields_have_their_whole_name() {
        let lines = b"populated 1\nfrozen 0\nmax 12\n";
        assert_eq!(field(lines, "frozen"), Some(&b"0"[..]));
        assert_eq!(field(lines, "froz"), None);
        assert_eq!((count(lines, "max"), count(lines, "min")), (12, 0));
    }

    #[test]
    fn a_tree_has_parents_first_and_no_files() {
        let scratch = std::env::temp_dir().join(format!("cgroup-tree-{}", std::process::id()));
        fs::create_dir_all(scratch.join("a/b")).unwrap();
        fs::create_dir_all(scratch.join("c")).unwrap();
        fs::write(scratch.join("a/file"), "").unwrap();
        let mut names = Vec::new();
        for folder in tree(scratch.to_str().unwrap().as_bytes()) {
            let name = String::from_utf8(folder).unwrap();
            names.push(name.replace(scratch.to_str().unwrap(), ""));
        }
        assert_eq!(names[0], "");
        assert_eq!(names.len(), 4);
        let place = |name| names.iter().position(|found| found == name).unwrap();
        assert!(place("/a") < place("/a/b") && place("/c") > 0);
        fs::remove_dir_all(&scratch).unwrap();
        assert_eq!(tree(b"/nonexistent").len(), 1);
    }
}
