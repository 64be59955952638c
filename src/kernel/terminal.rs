//! The container's terminal: a pair of its own, made in its own devpts, so that nothing that the
//! program does to its terminal reaches the caller's; pty(7), devpts.

use super::devices::mount_on_file;
use super::inside::{self, MountPoint};
use super::sockets::send_file;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::sys::files::{standard_error, standard_input, standard_output};
use linux_raw_sys::general::DEVPTS_SUPER_MAGIC;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, Uid, fchown, fstat, fstatfs, makedev, openat};
use rustix::io::Errno;
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::termios::{Winsize, tcsetwinsize};

static OPEN: Operation = Operation {
    words: rare!("open a terminal in the container's /dev/pts"),
    on: Object::None,
    cures: &[(Errno::BADF, Cure::Words(rare!("--tty takes a /dev/pts of the container's own")))],
};
static CONSOLE: Operation = Operation::new(rare!("make the terminal /dev/console"));
static CONTROL: Operation = Operation::new(rare!("make the terminal the program's"));
static GIVE: Operation = Operation::new(rare!("give the standard streams to the user"));
static SEND: Operation = Operation::new(rare!("hand the terminal to the launcher"));

/// What a container of an OCI configuration gets, besides the terminal itself.
#[derive(Clone, Copy)]
pub struct Console {
    /// Rows and columns.
    pub size: Option<(u16, u16)>,
    /// Whose it is, inside.
    pub user: u32,
}

/// Opens a pair of terminals in `terminals`, a mounted devpts; makes one end the controlling terminal
/// and the standard streams of this process, and the container's console if it has one; and sends
/// the other end through `launcher`. With `console` it has one in any case.
///
/// # Errors
///
/// Those of open(2), `ioctl_tty(2)`, setsid(2), of mounting, and of sendmsg(2).
pub fn open(
    terminals: Option<&OwnedFd>,
    root: BorrowedFd<'_>,
    launcher: BorrowedFd<'_>,
    console: Option<Console>,
) -> Result<(), Fault> {
    let mut found = None;
    if terminals.is_none() && console.is_some() {
        found = Some(find_terminals(root).doing(&OPEN)?);
    }
    let terminals = terminals.or(found.as_ref()).ok_or(Errno::BADF).doing(&OPEN)?;
    let (ours, programs) = open_pair(terminals.as_fd()).doing(&OPEN)?;
    match console {
        None => show_as_console(root, &programs).doing(&CONSOLE)?,
        Some(console) => make_console(root, &programs, console).doing(&CONSOLE)?,
    }
    take_over(ours.as_fd(), programs.as_fd(), launcher)
}

/// The same for a process that joins a container: its console stays as it is.
///
/// # Errors
///
/// As there.
pub fn open_joined(launcher: BorrowedFd<'_>, console: Console) -> Result<(), Fault> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, c"/", flags, Mode::empty()).doing(&OPEN)?;
    let terminals = find_terminals(root.as_fd()).doing(&OPEN)?;
    let (ours, programs) = open_pair(terminals.as_fd()).doing(&OPEN)?;
    prepare(programs.as_fd(), console).doing(&CONTROL)?;
    take_over(ours.as_fd(), programs.as_fd(), launcher)
}

/// Makes one end this process's, and sends the other.
fn take_over(
    ours: BorrowedFd<'_>,
    programs: BorrowedFd<'_>,
    launcher: BorrowedFd<'_>,
) -> Result<(), Fault> {
    setsid().doing(&CONTROL)?;
    ioctl_tiocsctty(programs).doing(&CONTROL)?;
    send_file(launcher, b"t", ours).doing(&SEND)?;
    dup2_stdin(programs).doing(&CONTROL)?;
    dup2_stdout(programs).doing(&CONTROL)?;
    dup2_stderr(programs).doing(&CONTROL)
}

fn open_pair(terminals: BorrowedFd<'_>) -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let ours = openat(terminals, c"ptmx", flags, Mode::empty())?;
    unlockpt(ours.as_fd())?;
    // By the descriptor, not by a name that somebody could have put something under.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let programs = ioctl_tiocgptpeer(ours.as_fd(), flags)?;
    Ok((ours, programs))
}

fn show_as_console(root: BorrowedFd<'_>, terminal: &OwnedFd) -> Result<(), Errno> {
    match inside::open(root, c"/dev") {
        Ok(folder) if inside::open(root, c"/dev/console").is_ok() => {
            mount_on_file(folder.as_fd(), c"console", terminal)
        }
        _ => Ok(()),
    }
}

/// What the container has as /dev/pts, if that is what it seems to be; proc(5) has such lookalikes.
fn find_terminals(root: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let found = inside::open(root, c"/dev/pts")?;
    if fstatfs(found.as_fd())?.f_type == DEVPTS_SUPER_MAGIC.into() {
        Ok(found)
    } else {
        Err(Errno::BADF)
    }
}

/// The terminal was opened by its other end, so it is one, whatever the container has made of the names.
fn make_console(root: BorrowedFd<'_>, terminal: &OwnedFd, wanted: Console) -> Result<(), Errno> {
    prepare(terminal.as_fd(), wanted)?;
    let folder = inside::open_or_make(root, c"/dev", MountPoint::Directory)?;
    mount_on_file(folder.as_fd(), c"console", terminal)
}

/// Its size and its owner.
fn prepare(terminal: BorrowedFd<'_>, wanted: Console) -> Result<(), Errno> {
    if let Some((rows, columns)) = wanted.size {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(terminal, size)?;
    }
    give(terminal, wanted.user)
}

/// Gives the standard streams to the user, so that the program can open them again by their names in
/// /dev; what belongs to somebody who is not known here stays as it is.
///
/// # Errors
///
/// fchown(2).
pub fn give_streams(user: u32) -> Result<(), Fault> {
    for stream in [standard_input(), standard_output(), standard_error()] {
        give(stream, user).doing(&GIVE)?;
    }
    Ok(())
}

fn give(file: BorrowedFd<'_>, user: u32) -> Result<(), Errno> {
    let Ok(found) = fstat(file) else { return Ok(()) };
    let is_null = found.st_rdev == makedev(1, 3)
        && FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice;
    if found.st_uid == user || is_null {
        return Ok(());
    }
    match fchown(file, Some(Uid::from_raw(user)), None) {
        Err(Errno::PERM | Errno::INVAL | Errno::ROFS) => Ok(()),
        answer => answer,
    }
}
