//! What an archive says about one file, from all the headers that say something about it.

use super::failure::Failure;
use super::header::Header;
use super::pax;
use super::sparse::Sparse;
use crate::text::word;
use alloc::vec::Vec;

/// One file of an archive.
#[derive(Default)]
#[cfg_attr(test, derive(Debug))]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name, as it stands there.
    pub name: Vec<u8>,
    /// What it is a link to.
    pub target: Vec<u8>,
    /// How much content there is of it in the archive.
    pub bytes: u64,
    /// Its permissions.
    pub mode: u32,
    /// Who owns it: a user and a group.
    pub owner: (u64, u64),
    /// When it was changed: seconds and nanoseconds.
    pub time: (i64, u32),
    /// The numbers of a device.
    pub device: (u32, u32),
    /// Extended attributes: names and values.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Of a file with holes.
    pub sparse: Option<Sparse>,
    /// Whether the map of its holes stands in front of the content.
    pub has_map: bool,
}

/// What a file of an archive is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file with content.
    #[default]
    File,
    /// Another name for a file.
    HardLink,
    /// A symbolic link.
    Link,
    /// A directory.
    Folder,
    /// A device for characters.
    Characters,
    /// A device for blocks.
    Blocks,
    /// A named pipe.
    Pipe,
}

impl Entry {
    /// What the header itself says.
    ///
    /// # Errors
    ///
    /// It has numbers that are none, or is of an unknown kind.
    pub fn read(&mut self, header: Header<'_>) -> Result<(), Failure> {
        header.name(&mut self.name);
        self.target.clear();
        self.target.extend_from_slice(header.link());
        self.attributes.clear();
        self.sparse = None;
        self.has_map = false;
        self.kind = match header.kind() {
            // Before there were kinds, a slash at the end said it.
            0 if self.name.ends_with(b"/") => Kind::Folder,
            0 | b'0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Link,
            b'3' => Kind::Characters,
            b'4' => Kind::Blocks,
            b'5' => Kind::Folder,
            b'6' => Kind::Pipe,
            _ => return Err(Failure::Archive(rare!("it is of an unknown kind"))),
        };
        // What has no content may still have a size, which says nothing.
        self.bytes = if self.kind == Kind::File { header.size()? } else { 0 };
        self.mode = header.mode()?;
        self.owner = header.owner()?;
        self.time = (header.time()?, 0);
        let is_device = matches!(self.kind, Kind::Characters | Kind::Blocks);
        self.device = if is_device { header.device()? } else { (0, 0) };
        Ok(())
    }

    /// What an extended header says, which counts more.
    ///
    /// # Errors
    ///
    /// It is malformed.
    pub fn extend(&mut self, records: &[u8]) -> Result<(), Failure> {
        let mut version = (0, 0);
        let mut sparse_name = None;
        let read = pax::records(records, |key, value| {
            match word(key) {
                // Empty, it takes back what a global header said, which is not kept apart here.
                "path" if !value.is_empty() => replace(&mut self.name, value),
                "linkpath" if !value.is_empty() => replace(&mut self.target, value),
                "size" if self.kind == Kind::File => self.bytes = pax::number(value)?,
                "uid" => self.owner.0 = pax::number(value)?,
                "gid" => self.owner.1 = pax::number(value)?,
                "mtime" => self.time = pax::time(value)?,
                _ => {}
            }
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                self.attribute(name.to_vec(), value.to_vec())?;
            } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
                self.attribute(pax::percent_decoded(name)?, pax::base64_decoded(value)?)?;
            } else if let Some(key) = key.strip_prefix(b"GNU.sparse.")
                && self.kind == Kind::File
            {
                match word(key) {
                    "major" => version.0 = pax::number(value)?,
                    "minor" => version.1 = pax::number(value)?,
                    "name" => sparse_name = Some(value),
                    _ => self.sparse.get_or_insert_default().record(key, value)?,
                }
            }
            Ok(())
        });
        if let Some(name) = sparse_name {
            replace(&mut self.name, name);
        }
        read?;
        self.has_map |= version == (1, 0) && self.sparse.is_some();
        Ok(())
    }

    /// Adds an attribute; the last of a name counts.
    fn attribute(&mut self, name: Vec<u8>, value: Vec<u8>) -> Result<(), Failure> {
        if self.attributes.len() == ATTRIBUTES_MAX {
            return Err(Failure::Archive(rare!("it has too many extended attributes")));
        }
        self.attributes.retain(|(there, _)| *there != name);
        self.attributes.push((name, value));
        Ok(())
    }
}

/// The names of all attributes of a file have 64 KiB, of which the kernel lets few be so short.
const ATTRIBUTES_MAX: usize = 1024;

fn replace(text: &mut Vec<u8>, with: &[u8]) {
    text.clear();
    text.extend_from_slice(with);
}
