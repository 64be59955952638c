//! Names in an archive, taken apart and checked; and those of them that stand for a deletion; OCI image
//! specification, "Image Layer Filesystem Changeset", "Whiteouts".

use super::failure::Failure;
use crate::text::{parts, word};
use alloc::vec::Vec;

/// Where an entry is to be: folders below the root, and the name in the last of them, each ended by
/// a NUL. The root itself has no name.
#[derive(Default)]
pub struct Path {
    text: Vec<u8>,
    /// Where each part ends, behind its NUL.
    ends: Vec<u16>,
}

/// As the kernel has it.
const PATH_BYTES_MAX: usize = 4096;
const NAME_BYTES_MAX: usize = 255;
/// So many directories may be open at a time; deeper than any real file lies.
pub const DEPTH_MAX: usize = 768;

impl Path {
    /// Takes a name apart. An absolute one is a name in the root; [`Self::is_absolute`] tells.
    ///
    /// # Errors
    ///
    /// It leads out of the root, or is none that a file can have.
    pub fn set(&mut self, name: &[u8]) -> Result<(), Failure> {
        self.text.clear();
        self.ends.clear();
        let bad = |why| Err(Failure::Archive(why));
        if name.len() >= PATH_BYTES_MAX {
            return bad(rare!("its name is too long"));
        }
        if name.contains(&0) {
            return bad(rare!("its name has a NUL in it"));
        }
        for part in parts(name, b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    return bad(rare!(
                        "its name leads out of the root, or back: it has a .. in it"
                    ));
                }
                part if part.len() > NAME_BYTES_MAX => return bad(rare!("its name is too long")),
                part => {
                    self.text.extend_from_slice(part);
                    self.text.push(0);
                    self.ends.push(self.text.len() as u16);
                }
            }
        }
        if name.is_empty() {
            return bad(rare!("it has no name"));
        }
        if self.ends.len() > DEPTH_MAX {
            return bad(rare!("it lies too deep"));
        }
        Ok(())
    }

    /// Whether it is that of something in a root and not of the root itself, which nobody who means
    /// well writes so.
    #[must_use]
    pub fn is_absolute(&self, name: &[u8]) -> bool {
        name.starts_with(b"/") && !self.ends.is_empty()
    }

    /// How many parts there are.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.ends.len()
    }

    /// A part, with its NUL.
    #[must_use]
    pub fn part(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before));
        let end = self.ends.get(index).map_or(0, |end| usize::from(*end));
        self.text.get(start.map_or(0, |start| usize::from(*start))..end).unwrap_or_default()
    }

    /// The first parts as a path, with a NUL at the end.
    #[must_use]
    pub fn joined(&self, count: usize) -> Vec<u8> {
        let end = count.checked_sub(1).and_then(|last| self.ends.get(last));
        let mut path =
            self.text.get(..end.map_or(0, |end| usize::from(*end))).unwrap_or_default().to_vec();
        path.pop();
        for byte in &mut path {
            if *byte == 0 {
                *byte = b'/';
            }
        }
        path.push(0);
        path
    }
}

/// What a name of an entry stands for.
#[derive(PartialEq, Eq, Debug)]
pub enum Meaning<'a> {
    /// Itself.
    File,
    /// The file of this name, with its NUL, is deleted.
    Deleted(&'a [u8]),
    /// All that lower layers have in its directory is deleted.
    Emptied,
    /// Something of aufs, which nobody needs.
    Nothing,
}

const NAMELESS: Failure = Failure::Archive(rare!("it deletes what has no name"));

/// Says what a name, with its NUL, stands for.
///
/// # Errors
///
/// It stands for the deletion of something that has no such name.
pub fn meaning(name: &[u8]) -> Result<Meaning<'_>, Failure> {
    let Some(rest) = name.strip_prefix(b".wh.") else { return Ok(Meaning::File) };
    if rest.is_empty() {
        return Err(NAMELESS);
    }
    match word(rest) {
        "\0" | ".\0" | "..\0" => Err(NAMELESS),
        ".wh..opq\0" => Ok(Meaning::Emptied),
        _ if rest.starts_with(b".wh.") => Ok(Meaning::Nothing),
        _ => Ok(Meaning::Deleted(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(name: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut path = Path::default();
        path.set(name).ok()?;
        Some((0..path.depth()).map(|index| path.part(index).to_vec()).collect())
    }

    #[test]
    fn names_stay_below_the_root() {
        assert_eq!(parts_of(b"./a//b/."), Some(vec![b"a\0".to_vec(), b"b\0".to_vec()]));
        assert_eq!(parts_of(b"a/"), Some(vec![b"a\0".to_vec()]));
        assert_eq!(parts_of(b"//a"), Some(vec![b"a\0".to_vec()]));
        for root in [&b"."[..], b"./", b"/"] {
            assert_eq!(parts_of(root), Some(vec![]));
        }
        let (long, deep) = ([b'x'; 256], b"a/".repeat(769));
        for wrong in
            [&b""[..], b"..", b"a/../b", b"/..", b"../a", b"a\0b", &long, &deep, &[b'/'; 4096]]
        {
            assert_eq!(parts_of(wrong), None, "{wrong:?}");
        }
        assert_eq!(parts_of(&long[1..]).map(|parts| parts.len()), Some(1));
        assert_eq!(parts_of(&deep[2..]).map(|parts| parts.len()), Some(768));
    }

    #[test]
    fn parts_make_paths_again() {
        let mut path = Path::default();
        path.set(b"./usr/lib/x").unwrap();
        assert_eq!(path.joined(2), b"usr/lib\0");
        assert_eq!(path.joined(1), b"usr\0");
        assert_eq!(path.joined(0), b"\0");
    }

    #[test]
    fn some_names_stand_for_deletions() {
        assert_eq!(meaning(b"a\0"), Ok(Meaning::File));
        assert_eq!(meaning(b".wh.a\0"), Ok(Meaning::Deleted(b"a\0")));
        assert_eq!(meaning(b".wh..wh..opq\0"), Ok(Meaning::Emptied));
        assert_eq!(meaning(b".wh..wh.plnk\0"), Ok(Meaning::Nothing));
        assert_eq!(meaning(b".wh..hidden\0"), Ok(Meaning::Deleted(b".hidden\0")));
        for wrong in [&b".wh.\0"[..], b".wh..\0", b".wh...\0"] {
            assert!(meaning(wrong).is_err());
        }
    }
}
