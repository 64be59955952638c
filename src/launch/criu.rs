//! CRIU, which writes processes down and brings them back: run as a program, criu(8). Where it stops on its way
//! for what is to be done meanwhile, it runs a script (`--action-script`): this program again, under a name that
//! says so, which tells the runtime and waits for its word.

use super::hooks::{in_child, wait};
use super::told::{read_failure, write_failure};
use super::{CLONE, CONNECT, STACK_BYTES, UNBLOCK, name_of};
use crate::container::{environment, keep};
use crate::error::{Doing, Error, Object, Operation, Why, status};
use crate::kernel::mounts;
use crate::kernel::sockets::connect_to;
use crate::sys::descriptors::AsFd;
use crate::sys::files::close_all_but;
use crate::sys::namespaces::{Namespaces, enter};
use crate::sys::process::{Memory, Stack, StringList, clone, execve};
use crate::sys::signals::Before;
use crate::text::{Text, cut, parts};
use core::ffi::CStr;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat, openat};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, recv, send,
    socketpair,
};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

static EXECUTE: Operation = Operation { on: Object::Target, ..Operation::new(rare!("execute")) };
static WAIT: Operation = Operation::new(rare!("wait for criu"));
static PROTECT: Operation = Operation::new(rare!("make the restored root read-only"));

/// How it is run.
pub struct Criu<'a> {
    /// Its file.
    pub program: &'a CStr,
    /// Its words, its own name first.
    pub words: &'a [&'a CStr],
    /// Its environment.
    pub environment: &'a [&'a CStr],
    /// What it keeps of our descriptors besides the streams; these are not closed by execve(2).
    pub kept: &'a [RawFd],
    /// The signals that it gets.
    pub signals: Before,
}

/// Does what is asked for on the way.
pub type Act<'a> = dyn FnMut(&[u8], Pid) -> Result<(), Error<'static>> + 'a;

/// The program of this name: where a folder is in it, there, and otherwise in the folders of the caller's PATH.
#[must_use]
pub fn find(name: &CStr, variables: &[&CStr]) -> Option<&'static CStr> {
    let bytes = name.to_bytes();
    let is_path = bytes.contains(&b'/');
    let folders = if is_path { &b"/"[..] } else { environment::path(variables) };
    for folder in parts(folders, b':').filter(|folder| folder.starts_with(b"/")) {
        let path = keep(if is_path { bytes.to_vec() } else { [folder, b"/", bytes].concat() })?;
        if accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok() {
            return Some(path);
        }
    }
    None
}

impl Criu<'_> {
    /// Starts it: `begun` is called when its process is there, and `prepare` in that before it is the program.
    ///
    /// # Errors
    ///
    /// What either said; clone(2), execve(2). The process is gone then.
    pub fn start(
        &self,
        begun: &mut dyn FnMut(Pid) -> Result<(), Error<'static>>,
        prepare: &dyn Fn() -> Result<(), Error<'static>>,
    ) -> Result<Pid, Error<'static>> {
        let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
        let pair = socketpair(AddressFamily::UNIX, kind, flags, None);
        let (ours, theirs) = pair.doing(&CONNECT)?;
        let (mut ours, mut theirs) = (Some(ours), Some(theirs));
        let mut child = || {
            // Only so does the end of it mean that the runtime is gone.
            drop(ours.take());
            if let Some(channel) = theirs.take()
                && answer(channel.as_fd()) == Some(1)
            {
                let failure = write_failure(self.become_it(channel.as_fd(), prepare));
                let _ = send(channel.as_fd(), failure.as_bytes(), SendFlags::NOSIGNAL);
            }
            status::FAILED
        };
        let cloned = clone(Memory::Copied, Namespaces::NONE, &mut child);
        let process = cloned.doing(&CLONE)?;
        drop(theirs);
        let started = begun(process).and_then(|()| {
            let ours = ours.ok_or(Errno::BADF).doing(&CONNECT)?;
            send(ours.as_fd(), b"s", SendFlags::NOSIGNAL).doing(&CONNECT)?;
            let mut told = [0; 4096];
            let length = retry_on_intr(|| recv(ours.as_fd(), &mut told[..], RecvFlags::empty()));
            // The other end is closed when the program is executed.
            match length.map_or(0, |length| length.0) {
                0 => Ok(()),
                length => Err(read_failure(told.get(..length).unwrap_or_default())),
            }
        });
        if started.is_err() {
            let _ = kill_process(process, Signal::KILL);
            let _ = wait(process);
        }
        started.map(|()| process)
    }

    fn become_it(
        &self,
        channel: BorrowedFd<'_>,
        prepare: &dyn Fn() -> Result<(), Error<'static>>,
    ) -> Error<'static> {
        if let Err(error) = prepare() {
            return error;
        }
        let mut kept = alloc::vec![Some(channel.as_raw_fd())];
        kept.extend(self.kept.iter().map(|file| Some(*file)));
        let closed = close_all_but(3, &kept).doing(&EXECUTE);
        if let Err(fault) = closed.and_then(|()| self.signals.restore().doing(&UNBLOCK)) {
            return fault.into_error(b"criu", b"");
        }
        let (words, environment) = (StringList::new(self.words), StringList::new(self.environment));
        let errno = execve(self.program, &words, &environment);
        let on = self.program.to_bytes().to_vec().leak();
        Error::new(EXECUTE.words, on, Why::Errno(errno), b"", status::FAILED)
    }
}

/// How long the answer is that comes; None for an end without one.
fn answer(channel: BorrowedFd<'_>) -> Option<usize> {
    let answer = retry_on_intr(|| recv(channel, &mut [0; 1][..], RecvFlags::empty()));
    answer.ok().map(|answer| answer.0).filter(|length| *length > 0)
}

/// Waits for its end; whether it did what it was to do. Meanwhile `act` does what it asks for at the socket: it
/// is told the name of the action, and which process is the container's.
///
/// # Errors
///
/// What `act` said, after which CRIU gave up; `pidfd_open(2)`, wait4(2).
pub fn attend(
    process: Pid,
    socket: Option<&OwnedFd>,
    act: &mut Act<'_>,
) -> Result<bool, Error<'static>> {
    let file = pidfd_open(process, PidfdFlags::empty()).doing(&WAIT)?;
    let mut refused = None;
    loop {
        let mut watched = [&file, socket.unwrap_or(&file)]
            .map(|file| PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN));
        match poll(&mut watched, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).doing(&WAIT).map_err(Error::from),
        }
        let [has_ended, is_asked] = watched.map(|file| !file.revents().is_empty());
        if let Some(socket) = socket.filter(|_| is_asked) {
            refused = refused.or(serve(socket.as_fd(), act).err());
        } else if has_ended {
            let ended = wait(process).doing(&WAIT)?;
            return refused.map_or(Ok(ended.exit_status() == Some(0)), Err);
        }
    }
}

/// Does one thing that is asked for.
fn serve(socket: BorrowedFd<'_>, act: &mut Act<'_>) -> Result<(), Error<'static>> {
    let asking = accept_with(socket, SocketFlags::CLOEXEC).doing(&WAIT)?;
    let mut asked = [0; 64];
    let length = retry_on_intr(|| recv(asking.as_fd(), &mut asked[..], RecvFlags::empty()));
    let asked = asked.get(..length.map_or(0, |length| length.0)).unwrap_or_default();
    let (action, child) = cut(asked, b' ');
    let child =
        child.and_then(crate::container::number).and_then(|child| Pid::from_raw(child as i32));
    // Whoever goes away without a word wants nothing.
    let Some(child) = child else { return Ok(()) };
    act(action, child)?;
    let _ = send(asking.as_fd(), b"d", SendFlags::NOSIGNAL);
    Ok(())
}

/// Makes the root of the process read-only, as its configuration has it: CRIU restores that of the other mounts.
///
/// # Errors
///
/// setns(2); those of [`mounts::protect_root`].
pub fn protect_root(process: Pid) -> Result<(), Error<'static>> {
    let mut done = Ok(());
    let mut child = || {
        let path = name_of(process, "ns/mnt");
        let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        done = file.and_then(|file| {
            enter(file.as_fd(), Namespaces::MOUNT)?;
            mounts::protect_root()
        });
        0
    };
    let mut stack = Stack::map(STACK_BYTES).doing(&PROTECT)?;
    let protected = in_child(Memory::Shared(&mut stack), &mut child).and(done).doing(&PROTECT);
    protected.map_err(Error::from)
}

/// The name of this program as the script, in a folder in which the runtime listens at [`SOCKET`].
pub const SCRIPT: &CStr = c"criu-script";
/// The name of the runtime's socket.
pub const SOCKET: &CStr = c"pending";

/// The namespaces are there, and the container's first process; nothing is in them yet.
pub const NAMESPACES: &[u8] = b"setup-namespaces";
/// Everything is there, and stands still.
pub const RESTORED: &[u8] = b"post-restore";

/// The exit status of this process if it is CRIU's script.
#[must_use]
pub fn script(words: &[&CStr], variables: &[&CStr]) -> Option<u8> {
    let [name] = words else { return None };
    let folder = name.to_bytes().strip_suffix(SCRIPT.to_bytes())?.strip_suffix(b"/")?;
    let action = environment::value(variables, b"CRTOOLS_SCRIPT_ACTION")?;
    if ![NAMESPACES, RESTORED].contains(&action) {
        return Some(0);
    }
    let process = environment::value(variables, b"CRTOOLS_INIT_PID").unwrap_or_default();
    let socket = keep([folder, b"/", SOCKET.to_bytes()].concat())?;
    let is_done = ask(socket, action, process).is_ok_and(|length| length > 0);
    Some(if is_done { 0 } else { status::FAILED })
}

/// Asks the runtime for it, and waits until it is done: a byte comes then, and otherwise an end.
fn ask(path: &CStr, action: &[u8], process: &[u8]) -> Result<usize, Errno> {
    let socket = connect_to(CWD, path, SocketType::SEQPACKET)?;
    let mut words = Text::new();
    words.push_raw(action).push(" ").push_raw(process);
    send(socket.as_fd(), words.as_bytes(), SendFlags::NOSIGNAL)?;
    Ok(answer(socket.as_fd()).unwrap_or(0))
}
