//! What is in a folder, file by file, and how two folders differ.

use rustix::fs::{lgetxattr, llistxattr};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Everything that can be seen of each file, in words: type, mode, owner, time, device number, links,
/// extended attributes, content. What was changed since the tests began was changed now.
pub type Tree = BTreeMap<String, String>;

/// What is in this folder, and itself, as `.`.
pub fn tree(root: &Path) -> Tree {
    let mut open: Vec<PathBuf> = vec![root.into()];
    let mut paths = BTreeMap::new();
    let mut links = Links::new();
    while let Some(path) = open.pop() {
        let status = path.symlink_metadata().unwrap();
        if status.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().escape_ascii();
        let name = if path == root { ".".into() } else { name.to_string() };
        if !status.is_dir() {
            links.entry(status.ino()).or_default().insert(name.clone());
        }
        paths.insert(name, path);
    }
    paths.into_iter().map(|(name, path)| (name, facts(&path, &links))).collect()
}

/// The names of each file, by its number.
type Links = BTreeMap<u64, BTreeSet<String>>;

fn facts(path: &Path, links: &Links) -> String {
    let status = path.symlink_metadata().unwrap();
    let kind = status.file_type();
    let mut facts = match () {
        () if kind.is_dir() => "folder".to_string(),
        () if kind.is_symlink() => {
            let target = fs::read_link(path).unwrap();
            format!("symlink to {}", target.as_os_str().as_bytes().escape_ascii())
        }
        () if kind.is_fifo() => "fifo".into(),
        () if kind.is_char_device() => "character device".into(),
        () if kind.is_block_device() => "block device".into(),
        () => {
            let content = fs::read(path).unwrap();
            let shown = content.get(..content.len().min(60)).unwrap();
            format!("file of {} {:x} {}", content.len(), sum(&content), shown.escape_ascii())
        }
    };
    let mut add =
        |name: &str, value: &dyn std::fmt::Display| write!(facts, ", {name} {value}").unwrap();
    add("mode", &format_args!("{:o}", status.mode() & 0o7777));
    add("owner", &format_args!("{}:{}", status.uid(), status.gid()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    match now.abs_diff(status.mtime() as u64) {
        0..3600 => add("time", &"now"),
        _ => add("time", &format_args!("{}.{:09}", status.mtime(), status.mtime_nsec())),
    }
    if kind.is_char_device() || kind.is_block_device() {
        add("device", &status.rdev());
    }
    if let Some(names) = links.get(&status.ino()).filter(|names| names.len() > 1) {
        add("one with", &names.iter().map(String::as_str).collect::<Vec<_>>().join(" and "));
    }
    for (key, value) in attributes(path) {
        add(&key, &value);
    }
    facts
}

/// The extended attributes, by name.
fn attributes(path: &Path) -> BTreeMap<String, String> {
    let path = path.as_os_str().as_bytes();
    let mut names = vec![0; 65536];
    let length = llistxattr(path, &mut names[..]).unwrap_or(0);
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 65536];
            let length = lgetxattr(path, name, &mut value[..]).unwrap_or(0);
            (name.escape_ascii().to_string(), value[..length].escape_ascii().to_string())
        })
        .collect()
}

/// FNV-1a: enough to tell two files apart that nobody made to be confused.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Where two trees differ, a line each; empty if nowhere.
pub fn differences(ours: &Tree, theirs: &Tree) -> Vec<String> {
    let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let missing = "not there".to_string();
    names
        .into_iter()
        .map(|name| {
            (name, ours.get(name).unwrap_or(&missing), theirs.get(name).unwrap_or(&missing))
        })
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(name, ours, theirs)| format!("{name}\n  ours:   {ours}\n  theirs: {theirs}"))
        .collect()
}
