//! Running the programs that are hooked into a container's life; the OCI specification, `config.md`,
//! "POSIX-platform Hooks".

use crate::container::Hook;
use crate::error::{Error, Why, errno_text, status};
use crate::sys::clock::milliseconds;
use crate::sys::descriptors::AsFd;
use crate::sys::files::close_all_but;
use crate::sys::namespaces::Namespaces;
use crate::sys::process::{Memory, Stack, StringList, clone, execve};
use crate::sys::signals::Before;
use crate::text::Text;
use core::ffi::CStr;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, SeekFrom, Timespec, memfd_create, seek};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, chdir, kill_process, pidfd_open, waitpid,
};
use rustix::stdio::dup2_stdin;

/// How hooks are run.
#[derive(Clone, Copy)]
pub struct Running<'a> {
    /// Which ones they are: `createRuntime` and so on.
    pub kind: &'a str,
    /// What they read from standard input: the container's state as JSON.
    pub state: &'a [u8],
    /// Where they start; None: where this process is.
    pub folder: Option<&'a CStr>,
    /// The signals that they get.
    pub signals: Before,
}

/// Runs hooks one after the other, until one fails.
///
/// # Errors
///
/// As for [`run_hook`].
pub fn run_all(hooks: &[Hook<'_>], running: Running<'_>) -> Result<(), Error<'static>> {
    hooks.iter().try_for_each(|hook| run_hook(hook, running))
}

/// Runs a hook and waits for it. It has the streams of this process but the first, and nothing else
/// that this one has open.
///
/// # Errors
///
/// That it could not be executed, and how it ended if not with 0.
pub fn run_hook(hook: &Hook<'_>, running: Running<'_>) -> Result<(), Error<'static>> {
    let mut why = Text::new();
    match run(hook, running) {
        Ok(Ended::InTime(ended)) => match (ended.exit_status(), ended.terminating_signal()) {
            (Some(0), _) => return Ok(()),
            (_, Some(signal)) => why.say(rare!("ended by signal ")).push_number(signal as u64),
            (code, None) => why.say(rare!("exit status ")).push_number(code.unwrap_or(-1) as u64),
        },
        Ok(Ended::Late) => {
            let seconds = hook.timeout.unwrap_or_default();
            why.say(rare!("killed, for it has not ended after ")).push_number(seconds.into());
            why.say(if seconds == 1 { rare!(" second") } else { rare!(" seconds") })
        }
        Err(errno) => why.push_raw(errno_text(errno)),
    };
    let mut on = Text::new();
    on.push(running.kind).push(" ").push_raw(hook.path.to_bytes());
    let why = Why::Told(why.leak());
    Err(Error::new(rare!("run the hook"), on.leak(), why, b"", status::FAILED))
}

enum Ended {
    InTime(WaitStatus),
    Late,
}

fn run(hook: &Hook<'_>, running: Running<'_>) -> Result<Ended, Errno> {
    const STACK_BYTES: usize = 64 * 1024;
    let only = [hook.path];
    let words = if hook.arguments.is_empty() { &only } else { hook.arguments.as_slice() };
    let (arguments, environment) = (StringList::new(words), StringList::new(&hook.environment));
    let input = file_of(running.state)?;
    let mut failed = None;
    let mut child = || {
        let prepared = dup2_stdin(input.as_fd())
            .and_then(|()| close_all_but(3, &[]))
            .and_then(|()| running.folder.map_or(Ok(()), chdir))
            .and_then(|()| running.signals.restore());
        failed = Some(match prepared {
            Ok(()) => execve(hook.path, &arguments, &environment),
            Err(errno) => errno,
        });
        status::FAILED
    };
    let mut stack = Stack::map(STACK_BYTES)?;
    let process = clone(Memory::Shared(&mut stack), Namespaces::NONE, &mut child)?;
    let ended = until_end(process, hook.timeout)?;
    failed.map_or(Ok(ended), Err)
}

/// A file with this content. Unlike a pipe it takes all of it at once, and nobody has to be told
/// when the hook does not read it.
fn file_of(content: &[u8]) -> Result<OwnedFd, Errno> {
    // It is to stay open where it has the number 0 already.
    let file = memfd_create(c"state", MemfdFlags::empty())?;
    let mut rest = content;
    while !rest.is_empty() {
        let written = rustix::io::write(file.as_fd(), rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    seek(file.as_fd(), SeekFrom::Start(0))?;
    Ok(file)
}

/// How long to sleep before Linux 5.3, where a process cannot be waited for with a limit.
const NAP_MS: i64 = 10;

fn until_end(process: Pid, timeout: Option<u32>) -> Result<Ended, Errno> {
    let Some(seconds) = timeout else { return wait(process).map(Ended::InTime) };
    let end = milliseconds().saturating_add(i64::from(seconds) * 1000);
    let file = pidfd_open(process, PidfdFlags::empty()).ok();
    loop {
        let left = end.saturating_sub(milliseconds());
        let nap = if file.is_some() { left } else { left.min(NAP_MS) };
        let limit = Timespec { tv_sec: nap.max(0) / 1000, tv_nsec: nap.max(0) % 1000 * 1_000_000 };
        let mut watched =
            file.as_ref().map(|file| PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN));
        match poll(watched.as_mut_slice(), Some(&limit)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        if let Some((_, ended)) = waitpid(Some(process), WaitOptions::NOHANG)? {
            return Ok(Ended::InTime(ended));
        }
        if left <= 0 {
            // Nobody else waits for it, so the number is still its own.
            let _ = kill_process(process, Signal::KILL);
            wait(process)?;
            return Ok(Ended::Late);
        }
    }
}

/// Does something in a child, and waits for the end of that.
pub(super) fn in_child(
    memory: Memory<'_>,
    child: &mut dyn FnMut() -> u8,
) -> Result<WaitStatus, Errno> {
    wait(clone(memory, Namespaces::NONE, &mut || child())?)
}

/// Waits for the end of a child; wait4(2).
pub(super) fn wait(process: Pid) -> Result<WaitStatus, Errno> {
    loop {
        match waitpid(Some(process), WaitOptions::empty()) {
            Ok(Some((_, ended))) => return Ok(ended),
            Ok(None) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
