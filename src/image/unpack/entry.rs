//! One thing in an archive, with all that is said about it, and whether its name may stand as it is.

use crate::text::parts;
use alloc::vec::Vec;

/// A file, folder, link or device.
#[derive(Default)]
pub struct Entry {
    /// Its path, as it is in the archive.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// What a link leads to.
    pub target: Vec<u8>,
    /// Permissions, with those that change the user.
    pub mode: u32,
    /// Who owns it.
    pub user: u32,
    /// Whose group it is.
    pub group: u32,
    /// When it was changed: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// Names and values of extended attributes; xattr(7).
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A regular file of so many bytes, holes included.
    File(u64),
    /// A folder.
    #[default]
    Folder,
    /// A symbolic link.
    Symlink,
    /// Another name of a file.
    HardLink,
    /// A device of characters: its numbers.
    Characters(u32, u32),
    /// A device of blocks, likewise.
    Blocks(u32, u32),
    /// A named pipe.
    Pipe,
}

/// A path that stays below where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The folder; empty for the top.
    pub folder: &'a [u8],
    /// The name in it; empty for the top itself.
    pub name: &'a [u8],
}

const NAME_BYTES_MAX: usize = 255;
const PATH_BYTES_MAX: usize = 4095;

impl<'a> Place<'a> {
    /// Reads a path of an archive. Docker and Podman take what begins with a slash as if it did not;
    /// nobody who means well writes it, so it is refused.
    ///
    /// # Errors
    ///
    /// Why it cannot stand.
    pub fn of(path: &'a [u8]) -> Result<Self, &'static str> {
        if path.len() > PATH_BYTES_MAX {
            return Err("its name is longer than 4095 bytes");
        }
        // Some call the top so.
        let is_top = path.iter().all(|byte| *byte == b'/');
        if path.starts_with(b"/") && !is_top {
            return Err("its name is absolute");
        }
        for part in parts(path, b'/') {
            if part == b".." {
                return Err("its name leads upwards");
            }
            if part.len() > NAME_BYTES_MAX {
                return Err("a part of its name is longer than 255 bytes");
            }
            if part.contains(&0) {
                return Err("there is a NUL in its name");
            }
        }
        let mut path = path;
        // What follows the last of these is nothing, or the same folder.
        loop {
            path = match path {
                [rest @ .., b'/'] | [rest @ .., b'/', b'.'] | [b'.', b'/', rest @ ..] => rest,
                b"." => b"",
                _ => break,
            };
        }
        let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (folder, name) = path.split_at(start);
        Ok(Self { folder: folder.strip_suffix(b"/").unwrap_or(folder), name })
    }
}

/// What the name of a file in a layer says about the layers below; OCI image specification,
/// "Whiteouts".
#[derive(Debug, PartialEq, Eq)]
pub enum Whiteout<'a> {
    /// What has this name there is gone.
    Of(&'a [u8]),
    /// All that the folder has there is.
    All,
    /// Something that only aufs knows.
    Other,
    /// Nothing can have this name.
    None,
}

impl<'a> Whiteout<'a> {
    /// Reads a name; None for an ordinary one.
    #[must_use]
    pub fn of(name: &'a [u8]) -> Option<Self> {
        let rest = name.strip_prefix(b".wh.")?;
        Some(match rest {
            b".wh..opq" => Self::All,
            _ if rest.starts_with(b".wh.") => Self::Other,
            // No file can have these names.
            b"" | b"." | b".." => Self::None,
            _ => Self::Of(rest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_folder_and_a_name() {
        let place = |path: &'static str| {
            let place = Place::of(path.as_bytes()).unwrap();
            let text = |bytes| std::str::from_utf8(bytes).unwrap();
            (text(place.folder), text(place.name))
        };
        assert_eq!(place("a"), ("", "a"));
        assert_eq!(place("./a/b/c"), ("a/b", "c"));
        assert_eq!(place("a/b/"), ("a", "b"));
        assert_eq!(place("a//b/./"), ("a/", "b"));
        assert_eq!(place("./././a"), ("", "a"));
        for top in ["", ".", "./", "././", ".//", "/"] {
            assert_eq!(place(top), ("", ""), "{top}");
        }
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        let long = "x".repeat(256);
        let deep = "a/".repeat(2048);
        let wrong = ["/a", "//a", "..", "a/..", "../a", "a/../b", "a\0b", &long, &deep];
        for path in wrong {
            assert!(Place::of(path.as_bytes()).is_err(), "{path:?}");
        }
        assert!(Place::of(b"..a/b..").is_ok());
    }

    #[test]
    fn whiteouts_are_known_by_their_names() {
        assert_eq!(Whiteout::of(b".wh.a"), Some(Whiteout::Of(b"a")));
        assert_eq!(Whiteout::of(b".wh..wh..opq"), Some(Whiteout::All));
        assert_eq!(Whiteout::of(b".wh..wh.plnk"), Some(Whiteout::Other));
        for none in [&b".wh."[..], b".wh..", b".wh..."] {
            let read = Whiteout::of(none);
            assert_eq!(read, Some(Whiteout::None));
        }
        assert_eq!(Whiteout::of(b".white"), None);
    }
}
