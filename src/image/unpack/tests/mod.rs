//! Layers that are made here, as files; and the same, damaged in all ways.

mod compressed;
mod damaged;
mod files;

use super::entry::Entry;
use super::failure::Failure;
use super::reader::Reader;
use super::write::Files;
use super::{Destination, Form, Owners};
use rustix::fd::{AsFd, OwnedFd};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An archive in the making.
#[derive(Default)]
pub struct Archive(pub Vec<u8>);

impl Archive {
    /// Adds a header and what is behind it.
    pub fn add(&mut self, kind: u8, name: &str, target: &str, content: &[u8]) -> &mut Self {
        let mut block = [0; 512];
        block[..name.len()].copy_from_slice(name.as_bytes());
        let mode = if kind == b'5' { 0o755 } else { 0o644 };
        let (user, group) = (own_id("-u"), own_id("-g"));
        for (place, digits) in [
            (100, format!("{mode:07o}")),
            (108, format!("{user:07o}")),
            (116, format!("{group:07o}")),
            (124, format!("{:011o}", content.len())),
            (136, format!("{:011o}", 1_000_000_000)),
        ] {
            block[place..place + digits.len()].copy_from_slice(digits.as_bytes());
        }
        block[156] = kind;
        block[157..157 + target.len()].copy_from_slice(target.as_bytes());
        block[257..265].copy_from_slice(b"ustar\x0000");
        self.block(block, content)
    }

    /// Adds a header whose sum is put right.
    pub fn block(&mut self, mut block: [u8; 512], content: &[u8]) -> &mut Self {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&block);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(&mut self, name: &str, content: &[u8]) -> &mut Self {
        self.add(b'0', name, "", content)
    }

    pub fn folder(&mut self, name: &str) -> &mut Self {
        self.add(b'5', name, "", b"")
    }

    pub fn link(&mut self, name: &str, target: &str) -> &mut Self {
        self.add(b'2', name, target, b"")
    }

    pub fn hard_link(&mut self, name: &str, target: &str) -> &mut Self {
        self.add(b'1', name, target, b"")
    }

    /// Adds records for the next entry.
    pub fn records(&mut self, records: &[(&str, &[u8])]) -> &mut Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            write!(data, "{length} {key}=").unwrap();
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        self.add(b'x', "PaxHeaders/x", "", &data)
    }

    pub fn end(&self) -> Vec<u8> {
        [&self.0[..], &[0; 1024]].concat()
    }
}

fn own_id(which: &str) -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = if which == "-u" { "Uid:\t" } else { "Gid:\t" };
    let rest = status.split(line).nth(1).unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

fn open(path: &Path) -> OwnedFd {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    openat(CWD, path.to_str().unwrap(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

/// A directory of a test's own, with `root` in it; gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("unpack-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("root")).unwrap();
        fs::write(path.join("outside"), "as it was").unwrap();
        Self(path)
    }

    fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.root().join(name)).unwrap()
    }

    /// That nothing is beside the root but what was there.
    fn check_outside(&self) {
        assert_eq!(fs::read_to_string(self.0.join("outside")).unwrap(), "as it was");
        assert_eq!(fs::read_dir(&self.0).unwrap().count(), 2);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = Command::new("chmod").args(["-R", "u+rwx"]).arg(&self.0).status();
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn unpack(mut archive: &[u8], root: &Path, form: Form) -> Result<(), (String, Failure)> {
    let folder = open(root);
    let into = Destination { folder: folder.as_fd(), form, owners: Owners::Kept };
    let mut files = Files::new(&into).map_err(|failure| (String::new(), failure))?;
    let mut reader = Reader::new(&mut archive);
    let mut entry = Entry::default();
    let mut put = || -> Result<(), Failure> {
        while reader.next(&mut entry)? {
            files.put(&entry, &mut reader)?;
        }
        Ok(())
    };
    let done = put();
    let left = files.folders.finish();
    done.and(left).map_err(|failure| (String::from_utf8_lossy(&entry.name).into(), failure))
}

fn tree(archive: &Archive, scratch: &Scratch) {
    unpack(&archive.end(), &scratch.root(), Form::Tree).unwrap();
}

fn piped(program: &str, options: &[&str], input: &[u8]) -> Vec<u8> {
    let command =
        Command::new(program).args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = command.unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    assert!(child.wait().unwrap().success());
    output
}

/// Something to compress.
fn text() -> Vec<u8> {
    let mut random = Random(3);
    (0..60_000_u32).flat_map(|_| (random.next() as u32 % 5000).to_string().into_bytes()).collect()
}

/// xorshift; Marsaglia 2003.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Damages something in some places.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let place = self.below(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(place.max(1)),
                1 => bytes[place] = b"0/.\0\xff5"[self.below(6)],
                2 => bytes[place] ^= 1 << self.below(8),
                3 => {
                    let to = self.below(bytes.len());
                    let length = self.below(bytes.len() - place.max(to)).min(600);
                    bytes.copy_within(place..place + length, to);
                }
                _ => bytes[place] = self.next() as u8,
            }
        }
    }
}
