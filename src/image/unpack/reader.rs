//! An archive, entry for entry. It knows of no files: it gets bytes, and says what they mean.

use super::entry::{Entry, Kind};
use super::failure::Failure;

pub use super::failure::CUT_OFF;

use super::header::{BLOCK_BYTES, Header};
use super::sparse::Map;
use alloc::vec::Vec;

/// Where the bytes come from.
pub trait Source {
    /// What comes next, as much of it as is there; nothing at the end. It is a multiple of the block
    /// size, but for the last.
    ///
    /// # Errors
    ///
    /// The source fails.
    fn window(&mut self) -> Result<&[u8], Failure>;

    /// Goes on behind so many bytes of the window.
    fn consume(&mut self, bytes: usize);

    /// Goes on behind so many bytes, or at the end.
    ///
    /// # Errors
    ///
    /// Those of [`Self::window`]; there are not so many.
    fn skip(&mut self, mut bytes: u64) -> Result<(), Failure> {
        while bytes > 0 {
            let here = self.window()?.len();
            if here == 0 {
                return Err(CUT_OFF);
            }
            let step = bytes.min(here as u64);
            self.consume(step as usize);
            bytes -= step;
        }
        Ok(())
    }
}

/// All of it is there.
impl Source for &[u8] {
    fn window(&mut self) -> Result<&[u8], Failure> {
        Ok(self)
    }

    fn consume(&mut self, bytes: usize) {
        *self = self.get(bytes..).unwrap_or_default();
    }
}

/// Reads entries, and the content of each.
pub struct Reader<'a> {
    source: &'a mut dyn Source,
    /// What is left of the content, and behind it up to the next block.
    left: u64,
    padding: u64,
    /// The extended header for all entries that follow.
    global: Vec<u8>,
    /// Whether nothing was read yet, and whether the mark of the end was.
    is_new: bool,
    has_end: bool,
    /// Of the next entry: a name, a target, an extended header.
    name: Vec<u8>,
    target: Vec<u8>,
    extended: Vec<u8>,
}

/// More than names and attributes need; the attributes of a file are 64 KiB each, at most.
const EXTENDED_BYTES_MAX: u64 = 1 << 20;
/// It is read for each entry that follows.
const GLOBAL_BYTES_MAX: u64 = 16 << 10;
const TOO_LONG: Failure = Failure::Archive(rare!("its extended header is too long"));

impl<'a> Reader<'a> {
    /// Of an archive that begins here.
    #[must_use]
    pub fn new(source: &'a mut dyn Source) -> Self {
        let (name, target, extended) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            source,
            is_new: true,
            has_end: false,
            left: 0,
            padding: 0,
            global: Vec::new(),
            name,
            target,
            extended,
        }
    }

    /// Whether the archive has said that this is its end; some do not.
    #[must_use]
    pub fn has_end(&self) -> bool {
        self.has_end
    }

    /// Goes to the next entry, whatever is left of this one; whether there is one. An error
    /// is about the one whose name `entry` has by then.
    ///
    /// # Errors
    ///
    /// The archive is malformed; those of the source.
    pub fn next(&mut self, entry: &mut Entry) -> Result<bool, Failure> {
        self.source.skip(self.left)?;
        // Some leave out what would fill the last block, and the mark of the end.
        if self.padding > 0 && !self.source.window()?.is_empty() {
            self.source.skip(self.padding)?;
        }
        (self.left, self.padding) = (0, 0);
        self.name.clear();
        self.target.clear();
        self.extended.clear();
        entry.name.clear();
        let mut is_end = false;
        loop {
            let Some(block) = block(self.source)? else {
                if self.is_new {
                    return Err(Failure::Archive(rare!(
                        "there is nothing in it, not even an empty archive"
                    )));
                }
                // Some leave the empty blocks at the end out.
                let is_whole = self.name.is_empty() && self.extended.is_empty();
                return if is_whole { Ok(false) } else { Err(CUT_OFF) };
            };
            self.is_new = false;
            let header = Header::new(&block);
            if header.is_empty() {
                if is_end {
                    return Ok(false);
                }
                is_end = true;
                self.has_end = true;
                continue;
            }
            (is_end, self.has_end) = (false, false);
            header.check()?;
            let limit = EXTENDED_BYTES_MAX;
            match header.kind() {
                b'L' => text(self.source, header, limit, &mut self.name)?,
                b'K' => text(self.source, header, limit, &mut self.target)?,
                b'x' => data(self.source, header, limit, &mut self.extended)?,
                b'g' => data(self.source, header, GLOBAL_BYTES_MAX, &mut self.global)?,
                // The name of a volume.
                b'V' => {}
                _ => {
                    self.begin(header, entry)?;
                    return Ok(true);
                }
            }
        }
    }

    fn begin(&mut self, header: Header<'_>, entry: &mut Entry) -> Result<(), Failure> {
        let read = entry.read(header);
        if !self.name.is_empty() {
            core::mem::swap(&mut entry.name, &mut self.name);
        }
        if !self.target.is_empty() {
            core::mem::swap(&mut entry.target, &mut self.target);
        }
        read?;
        entry.extend(&self.global)?;
        entry.extend(&self.extended)?;
        let stored = entry.bytes;
        self.padding = stored.padding()?;
        if header.kind() == b'S' {
            self.read_map(header, entry)?;
        }
        if entry.has_map {
            entry.bytes = self.read_front_map(entry, stored)?;
        }
        if let Some(sparse) = &entry.sparse {
            sparse.check(entry.bytes)?;
        }
        self.left = entry.bytes;
        Ok(())
    }

    /// Reads a map of holes from the header, and from the blocks that follow it.
    fn read_map(&mut self, header: Header<'_>, entry: &mut Entry) -> Result<(), Failure> {
        let sparse = entry.sparse.get_or_insert_default();
        sparse.bytes = header.sparse_size()?;
        let mut is_more = header.sparse(false, &mut |place, bytes| sparse.push(place, bytes))?;
        while is_more {
            let block = block(self.source)?.ok_or(CUT_OFF)?;
            let further = Header::new(&block);
            let before = sparse.parts().len();
            is_more = further.sparse(true, &mut |place, bytes| sparse.push(place, bytes))?;
            if is_more && sparse.parts().len() == before {
                return Err(Failure::Archive(rare!("the map of its holes has no end")));
            }
        }
        Ok(())
    }

    /// Reads a map of holes that stands in front of the content; how much content is behind it.
    fn read_front_map(&mut self, entry: &mut Entry, stored: u64) -> Result<u64, Failure> {
        let sparse = entry.sparse.get_or_insert_default();
        let mut map = Map::default();
        let mut left = stored;
        loop {
            left = left.checked_sub(BLOCK_BYTES as u64).ok_or(CUT_OFF)?;
            let block = block(self.source)?.ok_or(CUT_OFF)?;
            for byte in block {
                if map.push(byte, sparse)? {
                    return Ok(left);
                }
            }
        }
    }

    /// What comes next of the content; nothing at its end.
    ///
    /// # Errors
    ///
    /// The archive ends before; those of the source.
    pub fn content(&mut self) -> Result<&[u8], Failure> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let window = self.source.window()?;
        if window.is_empty() {
            return Err(CUT_OFF);
        }
        let here = window.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        Ok(window.get(..here).unwrap_or_default())
    }

    /// Goes on behind so many bytes of the content that is there.
    pub fn consume(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes as u64);
        self.source.consume(bytes);
    }
}

/// How much is between the end of the content and the next block.
trait Padding {
    fn padding(self) -> Result<u64, Failure>;
}

impl Padding for u64 {
    fn padding(self) -> Result<u64, Failure> {
        let end = self.checked_next_multiple_of(BLOCK_BYTES as u64);
        end.map(|end| end - self).ok_or(Failure::Archive(rare!("its size is beyond all bounds")))
    }
}

/// Takes the next block; None at the end.
fn block(source: &mut dyn Source) -> Result<Option<[u8; BLOCK_BYTES]>, Failure> {
    let window = source.window()?;
    if window.is_empty() {
        return Ok(None);
    }
    let block = *window.first_chunk().ok_or(CUT_OFF)?;
    source.consume(BLOCK_BYTES);
    Ok(Some(block))
}

/// Reads the content of a header that says something about another entry.
fn data(
    source: &mut dyn Source,
    header: Header<'_>,
    limit: u64,
    into: &mut Vec<u8>,
) -> Result<(), Failure> {
    let mut left = header.size()?;
    if left > limit {
        return Err(TOO_LONG);
    }
    let padding = left.padding()?;
    into.clear();
    while left > 0 {
        let window = source.window()?;
        if window.is_empty() {
            return Err(CUT_OFF);
        }
        let step = window.len().min(left as usize);
        into.extend_from_slice(window.get(..step).unwrap_or_default());
        source.consume(step);
        left -= step as u64;
    }
    source.skip(padding)
}

/// Reads a name, which ends with a NUL.
fn text(
    source: &mut dyn Source,
    header: Header<'_>,
    limit: u64,
    into: &mut Vec<u8>,
) -> Result<(), Failure> {
    data(source, header, limit, into)?;
    let length = crate::text::cut(into, 0).0.len();
    into.truncate(length);
    Ok(())
}

/// Reads a whole archive and does nothing with it: the path of hostile bytes, without files.
///
/// # Errors
///
/// It is malformed.
pub fn walk(mut archive: &[u8], mut each: impl FnMut(&Entry, &[u8])) -> Result<(), Failure> {
    let mut reader = Reader::new(&mut archive);
    let mut entry = Entry::default();
    while reader.next(&mut entry)? {
        loop {
            let content = reader.content()?;
            let length = content.len();
            if length == 0 {
                break;
            }
            each(&entry, content);
            reader.consume(length);
        }
        if entry.kind != Kind::File || entry.bytes == 0 {
            each(&entry, &[]);
        }
    }
    Ok(())
}
