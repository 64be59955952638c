//! The launcher between two terminals: what is typed at the caller's goes to the program's, what the
//! program writes comes back, and the size follows. The caller's is raw meanwhile, so that the keys
//! that make signals do so inside; however this ends, it is set back.

use super::guard::Guard;
use super::wait::{self, Deadline, Program, SIGNALS};
use crate::plan::Plan;
use crate::sys::descriptors::AsFd;
use crate::sys::files::{standard_input, standard_output};
use crate::sys::signals::{self, Received, SignalSet};
use core::mem::MaybeUninit;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::Timespec;
use rustix::io::{Errno, IoSliceMut, read, retry_on_intr, write};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::Signal;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

/// What tells of another size of the caller's terminal.
const SIZE: SignalSet = SignalSet::of(&[Signal::WINCH]);

/// All that is fetched while a program runs.
pub const SIGNALS_AND_SIZE: SignalSet = SIGNALS.and(SIZE);

/// The signals that are fetched while the plan's program runs.
#[must_use]
pub fn signals(plan: &Plan<'_>) -> SignalSet {
    if plan.terminal { SIGNALS_AND_SIZE } else { SIGNALS }
}

/// The launcher's end of the program's terminal.
pub struct Relay {
    terminal: Option<OwnedFd>,
}

/// The caller's terminal as it was, to which it returns; and who sees to that if the launcher is
/// killed.
struct Caller {
    before: Option<Termios>,
    _guard: Option<Guard>,
}

impl Caller {
    /// Makes the terminal pass every key on as it is; termios(3), "Raw mode".
    fn make_raw() -> Self {
        let before = tcgetattr(standard_input()).ok();
        let mut guard = None;
        if let Some(before) = &before {
            guard = Guard::post(None, &|| set_back(before)).ok();
            let mut raw = before.clone();
            raw.make_raw();
            let _ = tcsetattr(standard_input(), OptionalActions::Drain, &raw);
        }
        Self { before, _guard: guard }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            set_back(before);
        }
    }
}

fn set_back(before: &Termios) {
    let _ = tcsetattr(standard_input(), OptionalActions::Now, before);
}

/// What a terminal reads as the end of a file.
const END_OF_FILE: &[u8] = b"\x04";
const PIECE_BYTES: usize = 4096;
/// For what is there already.
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

impl Relay {
    /// Waits for the child to send its terminal. A child that failed sends none.
    #[must_use]
    pub fn receive(from: &OwnedFd) -> Self {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = retry_on_intr(|| {
            recvmsg(from.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags)
        });
        let mut terminal = None;
        if received.is_ok() {
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(files) = message {
                    terminal = files.last().or(terminal);
                }
            }
        }
        Self { terminal }
    }

    /// Passes everything on until the program ends, or is killed after `timeout` seconds; returns
    /// its exit status, as [`wait::until_end`] does.
    ///
    /// # Errors
    ///
    /// As there; signalfd(2).
    #[inline(never)]
    pub fn run(self, program: Program, timeout: Option<u32>) -> Result<u8, Errno> {
        let Some(terminal) = self.terminal else { return wait::until_end(program, timeout) };
        let signals = signals::file_of(SIGNALS.and(SIZE))?;
        let (terminal, signals) = (terminal.as_fd(), signals.as_fd());
        let caller = Caller::make_raw();
        follow_size(terminal);
        let mut deadline = Deadline::of(program.process, timeout);
        let (mut hears, mut speaks) = (true, true);
        let status = loop {
            let ready = wait_for(signals, terminal, hears, speaks, deadline.left())?;
            if ready.output {
                speaks = pass(terminal, standard_output());
            }
            if ready.input && !pass(standard_input(), terminal) {
                hears = false;
                let _ = write(terminal, END_OF_FILE);
            }
            if ready.signal
                && let Some(received) = signals::read_from(signals)?
            {
                if received.number == Signal::WINCH.as_raw() {
                    follow_size(terminal);
                    continue;
                }
                // In a session of its own, the program gets nothing by itself from the caller's
                // terminal, such as that it is gone.
                let received = Received { sent_by_process: true, ..received };
                if let Some(status) = wait::take_in(program, received)? {
                    break status;
                }
            }
        };
        // What the program wrote last is still on its way.
        while wait_for(signals, terminal, false, true, Some(AT_ONCE))?.output {
            if !pass(terminal, standard_output()) {
                break;
            }
        }
        drop(caller);
        Ok(status)
    }
}

struct Ready {
    signal: bool,
    output: bool,
    input: bool,
}

fn wait_for(
    signals: BorrowedFd<'_>,
    terminal: BorrowedFd<'_>,
    hears: bool,
    speaks: bool,
    limit: Option<Timespec>,
) -> Result<Ready, Errno> {
    let input = standard_input();
    let when = |wanted| if wanted { PollFlags::IN } else { PollFlags::empty() };
    let mut files = [
        PollFd::from_borrowed_fd(signals, PollFlags::IN),
        PollFd::from_borrowed_fd(if speaks { terminal } else { signals }, when(speaks)),
        PollFd::from_borrowed_fd(input, when(hears)),
    ];
    // A file that is not listened to reports its end all the same, so it is left out.
    let count = if hears { 3 } else { 2 };
    match poll(files.get_mut(..count).unwrap_or_default(), limit.as_ref()) {
        Err(Errno::INTR) => return Ok(Ready { signal: false, output: false, input: false }),
        answer => answer?,
    };
    let is_ready = |file: &PollFd<'_>| !file.revents().is_empty();
    let [signal, output, input] = &files;
    Ok(Ready {
        signal: is_ready(signal),
        output: speaks && is_ready(output),
        input: hears && is_ready(input),
    })
}

/// Passes a piece on; false at the end of it.
#[inline(never)]
fn pass(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
    let mut piece = [0; PIECE_BYTES];
    let Ok(length) = retry_on_intr(|| read(from, &mut piece)) else { return false };
    let mut rest = piece.get(..length).unwrap_or_default();
    while !rest.is_empty() {
        match retry_on_intr(|| write(to, rest)) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(_) => return false,
        }
    }
    length > 0
}

/// Gives the program's terminal the size of the caller's.
fn follow_size(terminal: BorrowedFd<'_>) {
    if let Ok(size) = tcgetwinsize(standard_input()).or_else(|_| tcgetwinsize(standard_output())) {
        let _ = tcsetwinsize(terminal, size);
    }
}
