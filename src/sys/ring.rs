//! A stream of bytes from a process to its parent, without copying: they share the memory that the one
//! writes and the other reads, and tell each other over a socket how far they are. If either ends, the
//! other sees that at the socket; nothing hangs.
//!
//! # Safety
//!
//! The memory is in pieces. Only the child writes, and only to a piece that the parent has not been
//! told of, or has given back; only the parent reads, and only pieces that it has been told of.
#![allow(unsafe_code)]

use super::descriptors::AsFd;
use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

/// What the parent is told of at a time.
pub const PIECE_BYTES: usize = 128 * 1024;
const PIECES: usize = 8;
/// A power of two.
const RING_BYTES: usize = PIECE_BYTES * PIECES;

/// The memory; as long as it is there, so may its ends be.
pub struct Ring {
    start: NonNull<u8>,
}

impl Ring {
    /// Maps it; mmap(2).
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn map() -> Result<Self, Errno> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: without a fixed address, the kernel picks one where nothing is.
        let start = unsafe { mmap_anonymous(null_mut(), RING_BYTES, access, MapFlags::SHARED) }?;
        Ok(Self { start: NonNull::new(start.cast()).ok_or(Errno::NOMEM)? })
    }

    /// The two ends, of which each process keeps one; socketpair(2).
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOBUFS`.
    pub fn ends(&mut self) -> Result<(Writer<'_>, Reader<'_>), Errno> {
        let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
        let (writers, readers) = socketpair(AddressFamily::UNIX, kind, flags, None)?;
        let start = self.start;
        let writer = Writer { start, socket: writers, place: 0, free: PIECES, ring: PhantomData };
        let reader = Reader {
            start,
            socket: readers,
            piece: 0,
            read: 0,
            bytes: 0,
            end: None,
            position: 0,
            ring: PhantomData,
        };
        Ok((writer, reader))
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and its ends are borrowed from it.
        // A failure would only leave it mapped.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), RING_BYTES) };
    }
}

/// The child's end.
pub struct Writer<'a> {
    start: NonNull<u8>,
    socket: OwnedFd,
    /// Where it goes on in the ring.
    place: usize,
    /// How many pieces are not the parent's, with the one that is being written.
    free: usize,
    ring: PhantomData<&'a mut Ring>,
}

/// Where the child writes.
pub struct Space<'a> {
    /// The whole ring: what was written last stands in front of `place`, and what the parent reads is
    /// not to be changed.
    pub ring: &'a mut [u8],
    /// Where to write.
    pub place: usize,
    /// How much.
    pub room: usize,
}

impl Writer<'_> {
    /// Where the next bytes go; waits until there is room.
    ///
    /// # Errors
    ///
    /// `EPIPE`: the parent is not there any more.
    pub fn space(&mut self) -> Result<Space<'_>, Errno> {
        while self.free == 0 {
            let mut given_back = [0; 1];
            let receive = || recv(self.socket.as_fd(), &mut given_back[..], RecvFlags::empty());
            if retry_on_intr(receive)?.0 == 0 {
                return Err(Errno::PIPE);
            }
            self.free += 1;
        }
        let room = PIECE_BYTES - self.place % PIECE_BYTES;
        // SAFETY: the mapping is as long as that and lives as long as the ring; this process alone
        // writes to it, and does so through this borrow.
        let ring = unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), RING_BYTES) };
        Ok(Space { ring, place: self.place, room })
    }

    /// So many bytes were written there; `position` is told to the parent with the piece.
    ///
    /// # Errors
    ///
    /// send(2): `EPIPE`.
    pub fn advance(&mut self, bytes: usize, position: u64) -> Result<(), Errno> {
        self.place = (self.place + bytes) % RING_BYTES;
        if bytes > 0 && self.place.is_multiple_of(PIECE_BYTES) {
            self.free -= 1;
            return self.tell(PIECE_BYTES, None, position);
        }
        Ok(())
    }

    /// Nothing follows; `end` is told to the parent.
    ///
    /// # Errors
    ///
    /// As for [`Self::advance`].
    pub fn finish(&mut self, end: u32, position: u64) -> Result<(), Errno> {
        self.tell(self.place % PIECE_BYTES, Some(end), position)
    }

    fn tell(&mut self, bytes: usize, end: Option<u32>, position: u64) -> Result<(), Errno> {
        let word = end.map_or(0, |end| 1 << 32 | u64::from(end));
        let mut message = [0; MESSAGE_BYTES];
        for (to, from) in message.chunks_mut(8).zip([bytes as u64, word, position]) {
            to.copy_from_slice(&from.to_ne_bytes());
        }
        retry_on_intr(|| send(self.socket.as_fd(), &message, SendFlags::NOSIGNAL)).map(drop)
    }
}

const MESSAGE_BYTES: usize = 24;

/// The parent's end.
pub struct Reader<'a> {
    start: NonNull<u8>,
    socket: OwnedFd,
    /// Where the piece begins that is read, how much of it was, and how much there is.
    piece: usize,
    read: usize,
    bytes: usize,
    end: Option<u32>,
    position: u64,
    ring: PhantomData<&'a Ring>,
}

impl Reader<'_> {
    /// What comes next; nothing at the end. Waits for it.
    ///
    /// # Errors
    ///
    /// recv(2); `EPIPE`: the child has ended without a word.
    pub fn window(&mut self) -> Result<&[u8], Errno> {
        while self.read == self.bytes && self.end.is_none() {
            self.next()?;
        }
        // SAFETY: the piece is the parent's until it is given back, which takes a `&mut self`.
        let start = unsafe { self.start.add(self.piece + self.read) };
        // SAFETY: the same; the child has written all of it before it told.
        Ok(unsafe { core::slice::from_raw_parts(start.as_ptr(), self.bytes - self.read) })
    }

    fn next(&mut self) -> Result<(), Errno> {
        if self.bytes > 0 {
            // A child that is not there any more needs no room.
            let _ = retry_on_intr(|| send(self.socket.as_fd(), &[0], SendFlags::NOSIGNAL));
            self.piece = (self.piece + PIECE_BYTES) % RING_BYTES;
            (self.read, self.bytes) = (0, 0);
        }
        let mut message = [0; MESSAGE_BYTES];
        let receive = || recv(self.socket.as_fd(), &mut message[..], RecvFlags::empty());
        let length = match retry_on_intr(receive) {
            // It has ended before it took what was sent to it, which is told first; unix(7).
            Err(Errno::CONNRESET) => {
                recv(self.socket.as_fd(), &mut message[..], RecvFlags::empty())?.0
            }
            answer => answer?.0,
        };
        let mut words =
            message.chunks(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default()));
        let (Some(bytes), Some(end), Some(position)) = (words.next(), words.next(), words.next())
        else {
            return Err(Errno::PIPE);
        };
        if length < MESSAGE_BYTES || bytes > PIECE_BYTES as u64 {
            return Err(Errno::PIPE);
        }
        (self.bytes, self.position) = (bytes as usize, position);
        self.end = (end >> 32 != 0).then_some(end as u32);
        Ok(())
    }

    /// Goes on behind so many bytes of the window.
    pub fn consume(&mut self, bytes: usize) {
        self.read = (self.read + bytes).min(self.bytes);
    }

    /// What the child said at the end, when all is read.
    #[must_use]
    pub fn end(&self) -> Option<u32> {
        self.end
    }

    /// The position that the child told last.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What the child has to close of this end, so that it sees when the parent is gone.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut ring = Ring::map().unwrap();
        let (mut writer, mut reader) = ring.ends().unwrap();
        let mut written = 0_u64;
        let mut read = 0_u64;
        // Several times around; as one thread, no more at a time than there is room for.
        for round in 0..40 {
            for _ in 0..3 {
                let Space { ring, place, room } = writer.space().unwrap();
                let bytes = room.min(100_000 + round);
                for byte in &mut ring[place..place + bytes] {
                    *byte = (written % 251) as u8;
                    written += 1;
                }
                writer.advance(bytes, written).unwrap();
            }
            while written - read > 2 * PIECE_BYTES as u64 {
                let window = reader.window().unwrap();
                let bytes = window.len().min(70_000);
                assert!(
                    window[..bytes].iter().zip(read..).all(|(byte, at)| *byte == (at % 251) as u8)
                );
                read += bytes as u64;
                reader.consume(bytes);
            }
        }
        writer.finish(7, written).unwrap();
        while !reader.window().unwrap().is_empty() {
            let bytes = reader.window().unwrap().len();
            read += bytes as u64;
            reader.consume(bytes);
        }
        assert_eq!((read, reader.end(), reader.position()), (written, Some(7), written));
    }

    #[test]
    fn either_end_sees_that_the_other_is_gone() {
        let mut ring = Ring::map().unwrap();
        let (writer, mut reader) = ring.ends().unwrap();
        drop(writer);
        assert_eq!(reader.window().err(), Some(Errno::PIPE));
        let (mut writer, reader) = ring.ends().unwrap();
        drop(reader);
        assert_eq!(writer.advance(PIECE_BYTES, 0), Err(Errno::PIPE));
    }

    #[test]
    fn what_was_written_before_the_end_is_read_after_it() {
        let mut ring = Ring::map().unwrap();
        let (mut writer, mut reader) = ring.ends().unwrap();
        for _ in 0..4 {
            writer.space().unwrap();
            writer.advance(PIECE_BYTES, 0).unwrap();
        }
        writer.finish(3, 0).unwrap();
        let mut writer = Some(writer);
        let mut pieces = 0;
        while !reader.window().unwrap().is_empty() {
            reader.consume(PIECE_BYTES);
            pieces += 1;
            if pieces == 2 {
                // With a piece given back that it has not taken.
                drop(writer.take());
            }
        }
        assert_eq!((pieces, reader.end()), (4, Some(3)));
    }
}
