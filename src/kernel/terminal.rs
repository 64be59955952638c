//! The container's terminal: a pair of its own, made in its own devpts, so that nothing that the
//! program does to its terminal reaches the caller's; pty(7), devpts.

use super::devices::mount_on_file;
use super::inside;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use core::mem::MaybeUninit;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, IoSlice};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

static OPEN: Operation = Operation {
    words: "open a terminal in the container's /dev/pts",
    on: Object::None,
    cures: &[(Errno::BADF, Cure::Words("--tty takes a /dev/pts of the container's own"))],
};
static CONSOLE: Operation = Operation::new("make the terminal /dev/console");
static CONTROL: Operation = Operation::new("make the terminal the program's");
static SEND: Operation = Operation::new("hand the terminal to the launcher");

/// Opens a pair of terminals in `terminals`, a mounted devpts; makes one end the controlling terminal
/// and the standard streams of this process, and the container's console if it has one; and sends
/// the other end through `launcher`.
///
/// # Errors
///
/// Those of open(2), `ioctl_tty(2)`, setsid(2), of mounting, and of sendmsg(2).
pub fn open(
    terminals: Option<&OwnedFd>,
    root: BorrowedFd<'_>,
    launcher: BorrowedFd<'_>,
) -> Result<(), Fault> {
    let terminals = terminals.ok_or(Errno::BADF).doing(&OPEN)?;
    let (ours, programs) = open_pair(terminals).doing(&OPEN)?;
    show_as_console(root, &programs).doing(&CONSOLE)?;
    setsid().doing(&CONTROL)?;
    ioctl_tiocsctty(&programs).doing(&CONTROL)?;
    send(launcher, ours.as_fd()).doing(&SEND)?;
    dup2_stdin(&programs).doing(&CONTROL)?;
    dup2_stdout(&programs).doing(&CONTROL)?;
    dup2_stderr(&programs).doing(&CONTROL)
}

fn open_pair(terminals: &OwnedFd) -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let ours = openat(terminals, c"ptmx", flags, Mode::empty())?;
    unlockpt(&ours)?;
    // By the descriptor, not by a name that somebody could have put something under.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let programs = ioctl_tiocgptpeer(&ours, flags)?;
    Ok((ours, programs))
}

fn show_as_console(root: BorrowedFd<'_>, terminal: &OwnedFd) -> Result<(), Errno> {
    match inside::open(root, c"/dev") {
        Ok(folder) if inside::open(root, c"/dev/console").is_ok() => {
            mount_on_file(&folder, c"console", terminal)
        }
        _ => Ok(()),
    }
}

fn send(socket: BorrowedFd<'_>, file: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let files = [file];
    ancillary.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(socket, &[IoSlice::new(b"t")], &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}
