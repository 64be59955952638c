//! The bytes of a layer, on their way through its digest to what decompresses them. All of this runs
//! in a process of its own, which knows no files but the layer.

use super::super::digest::Sha256;
use crate::rare::Rare;
use crate::sys::ring::Writer;
use alloc::vec;
use alloc::vec::Vec;
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, pread, retry_on_intr};

/// Why there is no more: what the process says in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Ended {
    /// All of it was read.
    Whole,
    /// Something is wrong with the layer.
    Wrong(Rare),
    /// A system call failed.
    System(Errno),
}

impl From<Errno> for Ended {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

pub const CUT_OFF: Ended = Ended::Wrong(rare!("it is cut off"));
pub const DAMAGED: Ended = Ended::Wrong(rare!("its compressed content is damaged"));
pub const CHECKSUM: Ended = Ended::Wrong(rare!("its compressed content has another checksum"));
pub const GARBAGE: Ended = Ended::Wrong(rare!("something that is not compressed follows what is"));
pub const WINDOW: Ended = Ended::Wrong(rare!("its window is larger than 128 MiB"));
pub const DICTIONARY: Ended = Ended::Wrong(rare!("it takes a dictionary to decompress it"));
pub const DIGEST: Ended =
    Ended::Wrong(rare!("its digest is another one: it is damaged, or not the one that is meant"));
pub const CONTENT: Ended = Ended::Wrong(rare!("its unpacked content has another digest"));
pub const DIED: Ended = Ended::Wrong(rare!("the process that reads it has ended"));

/// More than any place of words.
const SYSTEM: u32 = 1 << 17;

impl Ended {
    /// As a number, for the ring.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Whole => 0,
            Self::Wrong(words) => 1 + u32::from(words.0),
            Self::System(errno) => SYSTEM | errno.raw_os_error().unsigned_abs(),
        }
    }

    /// The other way round.
    #[must_use]
    pub fn of(code: u32) -> Self {
        match code {
            0 => Self::Whole,
            SYSTEM.. => Self::System(Errno::from_raw_os_error((code & 0xfff) as i32)),
            _ => Self::Wrong(Rare((code - 1) as u16)),
        }
    }
}

const BUFFER_BYTES: usize = 64 * 1024;

/// A part of a file, read from its start to its end.
pub struct Input<'a> {
    file: BorrowedFd<'a>,
    place: u64,
    end: u64,
    start: u64,
    hash: Option<Sha256>,
    buffer: Vec<u8>,
    used: usize,
    filled: usize,
}

impl<'a> Input<'a> {
    /// So many bytes from `start` on.
    #[must_use]
    pub fn new(file: BorrowedFd<'a>, start: u64, bytes: u64, is_hashed: bool) -> Self {
        let hash = is_hashed.then(Sha256::new);
        let (end, buffer) = (start.saturating_add(bytes), vec![0; BUFFER_BYTES]);
        Self { file, place: start, end, start, hash, buffer, used: 0, filled: 0 }
    }

    /// How much has been read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.place - self.start
    }

    /// The digest of all that has been read.
    #[must_use]
    pub fn hash(self) -> Option<Sha256> {
        self.hash
    }

    /// Reads some of it into a buffer; how much, nothing at the end.
    ///
    /// # Errors
    ///
    /// pread(2); the file ends before.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, Ended> {
        let wanted = into.len().min(usize::try_from(self.end - self.place).unwrap_or(usize::MAX));
        let Some(into) = into.get_mut(..wanted).filter(|into| !into.is_empty()) else {
            return Ok(0);
        };
        let count = retry_on_intr(|| pread(self.file, &mut *into, self.place))?;
        if count == 0 {
            return Err(CUT_OFF);
        }
        if let Some(hash) = &mut self.hash {
            hash.update(into.get(..count).unwrap_or_default());
        }
        self.place += count as u64;
        Ok(count)
    }

    /// What comes next; nothing at the end.
    ///
    /// # Errors
    ///
    /// Those of [`Self::read`].
    pub fn available(&mut self) -> Result<&[u8], Ended> {
        if self.used == self.filled {
            let mut buffer = core::mem::take(&mut self.buffer);
            let filled = self.read(&mut buffer);
            self.buffer = buffer;
            (self.used, self.filled) = (0, filled?);
        }
        Ok(self.buffer.get(self.used..self.filled).unwrap_or_default())
    }

    /// Goes on behind so many bytes of what is available.
    pub fn consume(&mut self, bytes: usize) {
        self.used = (self.used + bytes).min(self.filled);
    }

    /// The next byte.
    ///
    /// # Errors
    ///
    /// There is none; those of [`Self::read`].
    pub fn byte(&mut self) -> Result<u8, Ended> {
        let byte = *self.available()?.first().ok_or(CUT_OFF)?;
        self.consume(1);
        Ok(byte)
    }

    /// The next bytes, as a number whose lowest byte comes first.
    ///
    /// # Errors
    ///
    /// As for [`Self::byte`].
    pub fn number(&mut self, bytes: u32) -> Result<u32, Ended> {
        (0..bytes).try_fold(0, |number, place| Ok(number | u32::from(self.byte()?) << (8 * place)))
    }

    /// Goes on behind so many bytes.
    ///
    /// # Errors
    ///
    /// As for [`Self::byte`].
    pub fn skip(&mut self, mut bytes: usize) -> Result<(), Ended> {
        while bytes > 0 {
            let step = self.available()?.len().min(bytes);
            if step == 0 {
                return Err(CUT_OFF);
            }
            self.consume(step);
            bytes -= step;
        }
        Ok(())
    }
}

/// Passes it on as it is.
///
/// # Errors
///
/// Those of [`Input::read`] and [`Writer`].
pub fn copy(input: &mut Input<'_>, output: &mut Writer<'_>) -> Result<(), Ended> {
    loop {
        let space = output.space()?;
        let room = space.ring.get_mut(space.place..space.place + space.room);
        let count = input.read(room.unwrap_or_default())?;
        if count == 0 {
            return Ok(());
        }
        output.advance(count, input.position())?;
    }
}
