//! What comes out of the pipe: hashed, counted, and held until it is used.

use crate::error::{Error, Why};
use crate::image::digest::{Digest, Sha256};
use crate::image::store::named;
use alloc::vec;
use alloc::vec::Vec;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{read, retry_on_intr};

/// The archive, as it comes.
pub struct Stream<'a> {
    file: BorrowedFd<'a>,
    hash: Option<Sha256>,
    held: Vec<u8>,
    used: usize,
    filled: usize,
    left: u64,
    is_end: bool,
}

const HELD_BYTES: usize = 256 * 1024;

impl<'a> Stream<'a> {
    /// Reads from `file` no more than `limit` bytes; `hashed` says whether they are hashed.
    #[must_use]
    pub fn new(file: &'a OwnedFd, hashed: bool, limit: u64) -> Self {
        Self {
            file: file.as_fd(),
            hash: hashed.then(Sha256::new),
            held: vec![0; HELD_BYTES],
            used: 0,
            filled: 0,
            left: limit,
            is_end: false,
        }
    }

    /// What is held.
    #[must_use]
    pub fn held(&self) -> &[u8] {
        self.held.get(self.used..self.filled).unwrap_or_default()
    }

    /// Lets go of what was used.
    pub fn advance(&mut self, count: usize) {
        self.used = (self.used + count).min(self.filled);
    }

    /// Holds so many bytes, or all that are left.
    ///
    /// # Errors
    ///
    /// read(2); that there is more than there may be.
    pub fn hold(&mut self, wanted: usize) -> Result<(), Error<'static>> {
        if wanted > self.held.len() - self.used {
            self.held.copy_within(self.used..self.filled, 0);
            self.filled -= self.used;
            self.used = 0;
            if wanted > self.held.len() {
                self.held.resize(wanted, 0);
            }
        }
        while self.held().len() < wanted && !self.is_end {
            self.read_some()?;
        }
        Ok(())
    }

    /// Holds at least one byte, if there is one.
    ///
    /// # Errors
    ///
    /// As for [`Stream::hold`].
    pub fn hold_some(&mut self) -> Result<(), Error<'static>> {
        if self.used == self.filled {
            (self.used, self.filled) = (0, 0);
            if !self.is_end {
                self.read_some()?;
            }
        }
        Ok(())
    }

    fn read_some(&mut self) -> Result<(), Error<'static>> {
        let free = self.held.get_mut(self.filled..).unwrap_or_default();
        let count = retry_on_intr(|| read(self.file, &mut *free))
            .map_err(|errno| named("read", b"the layer", Why::Errno(errno)))?;
        if let Some(hash) = &mut self.hash {
            hash.update(free.get(..count).unwrap_or_default());
        }
        self.filled += count;
        self.is_end = count == 0;
        let Some(left) = self.left.checked_sub(count as u64) else {
            let why = "the image is larger than 64 GiB when it is unpacked";
            return Err(named("unpack", b"the layer", Why::Text(why)));
        };
        self.left = left;
        Ok(())
    }

    /// Skips so many bytes; false if there are not so many.
    ///
    /// # Errors
    ///
    /// As for [`Stream::hold`].
    pub fn skip(&mut self, mut count: u64) -> Result<bool, Error<'static>> {
        while count > 0 {
            self.hold_some()?;
            let here = count.min(self.held().len() as u64);
            if here == 0 {
                return Ok(false);
            }
            self.advance(here as usize);
            count -= here;
        }
        Ok(true)
    }

    /// Reads what stands behind the end of the archive, which is hashed, too.
    ///
    /// # Errors
    ///
    /// As for [`Stream::hold`].
    pub fn drain(&mut self) -> Result<(), Error<'static>> {
        while !self.is_end {
            (self.used, self.filled) = (0, 0);
            self.read_some()?;
        }
        Ok(())
    }

    /// The digest of all of it, and what is left of the limit.
    pub fn finish(self, limit: &mut u64) -> Option<Digest> {
        *limit = self.left;
        self.hash.map(Sha256::finish)
    }
}
