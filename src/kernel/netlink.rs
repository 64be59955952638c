//! Messages to the kernel about interfaces, addresses and routes, and its answers; rtnetlink(7).
//! Nothing is allocated: a message is short, and is written where it is sent from.

use crate::sys::descriptors::AsFd;
use rustix::fd::OwnedFd;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

/// Bytes of the longest message that is sent.
const MESSAGE_BYTES: usize = 512;
/// Bytes of the longest answer that is read; the start of it is all that is looked at.
const ANSWER_BYTES: usize = 4096;
/// Bytes of the longest piece of a list that the kernel sends to who reads no more at once.
const LIST_BYTES: usize = 8192;
/// Bytes of the header of every message, `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;

/// Types of messages, flags and attributes, with the names of the kernel's headers.
mod header {
    pub const NLM_F_REQUEST: u16 = 1;
    pub const NLM_F_ACK: u16 = 4;
    pub const NLMSG_ERROR: u16 = 2;
    pub const NLMSG_DONE: u16 = 3;
}

/// The flag of a message that is answered by a list.
pub const NLM_F_DUMP: u16 = 0x300;

/// A message that is being written. What does not fit makes it be refused when it is sent.
pub struct Message {
    bytes: [u8; MESSAGE_BYTES],
    length: usize,
    is_whole: bool,
}

impl Message {
    /// A message of this type, with flags besides those that all have; `fixed` is the structure that
    /// its type begins with.
    #[must_use]
    pub fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut message = Self { bytes: [0; MESSAGE_BYTES], length: HEADER_BYTES, is_whole: true };
        let flags = flags | header::NLM_F_REQUEST | header::NLM_F_ACK;
        message.set(4, &kind.to_ne_bytes());
        message.set(6, &flags.to_ne_bytes());
        message.add(fixed);
        message
    }

    /// Adds an attribute.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.nest(kind, |message| message.add(value))
    }

    /// Adds an attribute that contains what `inner` adds.
    pub fn nest(&mut self, kind: u16, inner: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.length;
        self.add(&[0; 4]);
        inner(self);
        self.end(start, kind)
    }

    /// Says of what was added from `start` on that it is an attribute.
    #[inline(never)]
    fn end(&mut self, start: usize, kind: u16) -> &mut Self {
        let length = (self.length - start) as u16;
        self.set(start, &length.to_ne_bytes());
        self.set(start + 2, &kind.to_ne_bytes());
        // Everything begins at a multiple of four.
        self.length = self.length.next_multiple_of(4);
        self
    }

    /// Adds bytes as they are.
    #[inline(never)]
    pub fn add(&mut self, value: &[u8]) {
        let start = self.length;
        self.length += value.len();
        self.set(start, value);
    }

    #[inline(never)]
    fn set(&mut self, start: usize, value: &[u8]) {
        match self.bytes.get_mut(start..start + value.len()) {
            Some(place) => place.copy_from_slice(value),
            None => self.is_whole = false,
        }
    }

    fn finish(&mut self, sequence: u32) -> Result<&[u8], Errno> {
        let length = self.length as u32;
        self.set(0, &length.to_ne_bytes());
        self.set(8, &sequence.to_ne_bytes());
        let bytes = self.bytes.get(..self.length).filter(|_| self.is_whole);
        bytes.ok_or(Errno::MSGSIZE)
    }
}

/// A connection to the kernel's part that knows the network namespace it was opened in.
pub struct Socket {
    file: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// Opens one for this network namespace.
    ///
    /// # Errors
    ///
    /// socket(2).
    pub fn open() -> Result<Self, Errno> {
        // The protocol of number 0 is NETLINK_ROUTE.
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        let file = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        Ok(Self { file, sequence: 0 })
    }

    /// Has the kernel do what the message says.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn request(&mut self, message: &mut Message) -> Result<(), Errno> {
        self.ask(message).map(drop)
    }

    /// As [`Socket::request`], for a message with an answer: the number behind the header of the
    /// first one, such as an interface's in `struct ifinfomsg`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn index_of(&mut self, message: &mut Message) -> Result<u32, Errno> {
        self.ask(message)?.ok_or(Errno::NODEV)
    }

    /// As [`Socket::request`], for a message that is answered by a list: `each` gets what stands
    /// behind the header of every one.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn list(
        &mut self,
        message: &mut Message,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Errno> {
        self.sequence += 1;
        send(self.file.as_fd(), message.finish(self.sequence)?, SendFlags::empty())?;
        loop {
            let mut answer = [0; LIST_BYTES];
            let (_, length) =
                retry_on_intr(|| recv(self.file.as_fd(), &mut answer[..], RecvFlags::TRUNC))?;
            let mut rest = answer.get(..length).ok_or(Errno::MSGSIZE)?;
            while let Some((message, behind)) = split_first(rest, word(rest, 0) as usize) {
                rest = behind;
                if word(message, 8) != self.sequence {
                    continue;
                }
                match (word(message, 4) & 0xffff) as u16 {
                    header::NLMSG_ERROR | header::NLMSG_DONE => return result(message),
                    _ => each(message.get(HEADER_BYTES..).unwrap_or_default()),
                }
            }
        }
    }

    fn ask(&mut self, message: &mut Message) -> Result<Option<u32>, Errno> {
        self.sequence += 1;
        let bytes = message.finish(self.sequence)?;
        send(self.file.as_fd(), bytes, SendFlags::empty())?;
        let mut found = None;
        loop {
            let mut answer = [0; ANSWER_BYTES];
            let (length, _) =
                retry_on_intr(|| recv(self.file.as_fd(), &mut answer[..], RecvFlags::empty()))?;
            let answer = answer.get(..length.min(ANSWER_BYTES)).unwrap_or_default();
            if word(answer, 8) != self.sequence {
                continue;
            }
            if word(answer, 4) & 0xffff != u32::from(header::NLMSG_ERROR) {
                // `struct ifinfomsg`: family, type, and then the number.
                found = Some(word(answer, HEADER_BYTES + 4));
                continue;
            }
            return result(answer).map(|()| found);
        }
    }
}

/// What a message says that ends an answer.
fn result(message: &[u8]) -> Result<(), Errno> {
    match word(message, HEADER_BYTES).cast_signed() {
        0.. => Ok(()),
        number => Err(Errno::from_raw_os_error(number.wrapping_neg())),
    }
}

/// The first of a list of messages or attributes, of this length, and those behind it. Everything
/// begins at a multiple of four.
fn split_first(list: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let first = list.get(..length).filter(|first| !first.is_empty())?;
    Some((first, list.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// The kinds and values of a list of attributes, one after the other.
pub fn attributes(list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = list;
    core::iter::from_fn(move || {
        // Length and kind are of two bytes each.
        let (length, kind) = (half(rest, 0), half(rest, 2));
        let (first, behind) = split_first(rest, length.into())?;
        rest = behind;
        Some((kind, first.get(4..)?))
    })
}

fn half(bytes: &[u8], start: usize) -> u16 {
    let bytes = bytes.get(start..start + 2).and_then(|bytes| bytes.try_into().ok());
    u16::from_ne_bytes(bytes.unwrap_or_default())
}

/// A number of four bytes; what lies behind the end counts as zero.
pub(super) fn word(bytes: &[u8], start: usize) -> u32 {
    let bytes = bytes.get(start..start + 4).and_then(|bytes| bytes.try_into().ok());
    u32::from_ne_bytes(bytes.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_header_and_padded_attributes() {
        let mut message = Message::new(16, 0x400, &[1, 2, 3, 4]);
        message.attribute(3, b"eth0\0").nest(18, |inner| {
            inner.attribute(1, b"veth");
        });
        let bytes = message.finish(7).unwrap();
        assert_eq!(word(bytes, 0) as usize, bytes.len());
        assert_eq!(bytes[4..8], [16, 0, 5, 4]);
        assert_eq!(word(bytes, 8), 7);
        assert_eq!(bytes[16..20], [1, 2, 3, 4]);
        assert_eq!(bytes[20..32], [9, 0, 3, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0]);
        assert_eq!(bytes[32..], [12, 0, 18, 0, 8, 0, 1, 0, b'v', b'e', b't', b'h']);
    }

    #[test]
    fn attributes_are_read_as_they_are_written() {
        let mut message = Message::new(20, 0, &[]);
        message.attribute(3, b"lo\0").attribute(8, &[1, 2, 3, 4]);
        let bytes = message.finish(1).unwrap();
        let read: Vec<_> = attributes(&bytes[HEADER_BYTES..]).collect();
        assert_eq!(read, [(3, &b"lo\0"[..]), (8, &[1, 2, 3, 4])]);
        // A length that is none, or more than there is.
        assert_eq!(attributes(&[0, 0, 3, 0, 9, 9, 9, 9]).next(), None);
        assert_eq!(attributes(&[9, 0, 3, 0, 9, 9, 9, 9]).next(), None);
    }

    #[test]
    fn a_message_that_does_not_fit_is_refused() {
        let mut message = Message::new(16, 0, &[]);
        message.attribute(3, &[0; MESSAGE_BYTES]);
        assert_eq!(message.finish(1).err(), Some(Errno::MSGSIZE));
    }
}
