//! Sockets that have a name; unix(7). A name that is too long for an address is reached by a descriptor.

use super::mounts::DescriptorPath;
use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, IoSlice};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, bind, connect, listen as begin_listening, sendmsg, socket_with,
};

/// Connects to the socket with this name below `folder`.
///
/// # Errors
///
/// open(2), socket(2), connect(2): `ECONNREFUSED` if nobody listens.
pub fn connect_to(folder: BorrowedFd<'_>, name: &CStr, kind: SocketType) -> Result<OwnedFd, Errno> {
    let place = openat(folder, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
    connect(socket.as_fd(), &SocketAddrUnix::new(DescriptorPath::of(place.as_fd()).bytes())?)?;
    Ok(socket)
}

/// The same, of a stream socket on the host.
///
/// # Errors
///
/// As there.
pub fn connect_stream(path: &CStr) -> Result<OwnedFd, Errno> {
    connect_to(CWD, path, SocketType::STREAM)
}

/// Listens at a new name in `folder`.
///
/// # Errors
///
/// socket(2), bind(2): `EADDRINUSE`; listen(2).
pub fn listen(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let mut path: super::mounts::Name = super::mounts::Name::new();
    path.push(DescriptorPath::of(folder).bytes()).push(b"/").push(name.to_bytes());
    bind(socket.as_fd(), &SocketAddrUnix::new(path.as_c_str()?)?)?;
    begin_listening(socket.as_fd(), 1)?;
    Ok(socket)
}

/// Sends words and an open file with them.
///
/// # Errors
///
/// sendmsg(2).
pub fn send_file(
    socket: BorrowedFd<'_>,
    words: &[u8],
    file: impl rustix::fd::AsFd,
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(socket, &[IoSlice::new(words)], &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}
