//! The launcher while the program runs: it passes signals on, stops and goes on with the program,
//! and learns how it ended.

use crate::error::status;
use crate::sys::clock::milliseconds;
use crate::sys::memory::shed;
use crate::sys::signals::{Received, SignalSet, wait};
use rustix::fs::Timespec;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, waitpid};

/// What the launcher passes on. It does not obey a Ctrl-Z (`SIGTSTP`) either before the program has.
const PASSED_ON: [Signal; 7] = [
    Signal::TERM,
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::TSTP,
];

/// What the launcher blocks and fetches: these, and the news of the program.
pub const SIGNALS: SignalSet = SignalSet::of(&PASSED_ON).and(SignalSet::of(&[Signal::CHILD]));

/// How long a program runs before the launcher makes itself small.
const LONG: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// A program that is waited for.
#[derive(Clone, Copy)]
pub struct Program {
    /// Its process.
    pub process: Pid,
    /// What it gets instead of `SIGTERM`.
    pub stop_signal: Signal,
}

/// Waits for `program`, a child of this process, to end, and kills it after `timeout` seconds;
/// returns its exit status, or 128 and the number of the signal that ended it.
///
/// # Errors
///
/// wait4(2): none for a child that only we wait for.
pub fn until_end(program: Program, timeout: Option<u32>) -> Result<u8, Errno> {
    let mut waiting = Waiting { program, others: Others::None };
    let mut deadline = Deadline::of(program.process, timeout);
    let mut is_small = false;
    loop {
        let left = deadline.left();
        match waiting.next(if is_small { left } else { Some(LONG) }) {
            Err(Errno::AGAIN) if !is_small => {
                shed();
                is_small = true;
            }
            Err(Errno::AGAIN) => {}
            answer => {
                if let Some(status) = answer? {
                    return Ok(status);
                }
            }
        }
    }
}

/// When a program is to be killed, if ever.
pub struct Deadline {
    program: Pid,
    end: Option<i64>,
}

impl Deadline {
    /// In so many seconds.
    #[must_use]
    pub fn of(program: Pid, seconds: Option<u32>) -> Self {
        let in_milliseconds = |seconds| milliseconds().saturating_add(i64::from(seconds) * 1000);
        Self { program, end: seconds.map(in_milliseconds) }
    }

    /// How long that is from now; once it is over, the program is killed.
    pub fn left(&mut self) -> Option<Timespec> {
        let left = self.end?.saturating_sub(milliseconds());
        if left > 0 {
            return Some(Timespec { tv_sec: left / 1000, tv_nsec: left % 1000 * 1_000_000 });
        }
        // A program that has ended and was not waited for yet takes it without harm.
        let _ = kill_process(self.program, Signal::KILL);
        self.end = None;
        None
    }
}

/// As [`until_end`], for the first process of a namespace: it also reaps those that nobody waits for.
///
/// # Errors
///
/// As for [`until_end`].
pub fn until_end_of_all(program: Program) -> Result<u8, Errno> {
    shed();
    let mut waiting = Waiting { program, others: Others::Reaped };
    loop {
        if let Some(status) = waiting.next(None)? {
            return Ok(status);
        }
    }
}

/// What is done about other children.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    None,
    Reaped,
}

struct Waiting {
    program: Program,
    others: Others,
}

impl Waiting {
    /// Takes one signal in; the exit status once there is one.
    fn next(&mut self, limit: Option<Timespec>) -> Result<Option<u8>, Errno> {
        let received = match wait(SIGNALS, limit) {
            // The process was stopped and goes on.
            Err(Errno::INTR) => return Ok(None),
            answer => answer?,
        };
        self.take(received)
    }

    fn take(&mut self, received: Received) -> Result<Option<u8>, Errno> {
        let signal = PASSED_ON.into_iter().find(|signal| signal.as_raw() == received.number);
        match signal {
            // As above.
            Some(signal) if received.sent_by_process => {
                let is_end = signal == Signal::TERM;
                let signal = if is_end { self.program.stop_signal } else { signal };
                let _ = kill_process(self.program.process, signal);
                Ok(None)
            }
            // What the terminal sends, it sends to the program too.
            Some(_) => Ok(None),
            None => self.news(),
        }
    }

    /// Takes in all that happened to children; the program's exit status once it has one.
    fn news(&self) -> Result<Option<u8>, Errno> {
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
        let of = if self.others == Others::Reaped { None } else { Some(self.program.process) };
        while let Some((process, news)) = waitpid(of, options)? {
            if process != self.program.process {
                continue;
            }
            if !news.stopped() {
                return Ok(Some(exit_status(news)));
            }
            if self.others == Others::None {
                stop_with(self.program.process);
            }
        }
        Ok(None)
    }
}

/// Takes one signal in, for who waits for more than signals; the program's exit status once it has
/// one.
///
/// # Errors
///
/// As for [`until_end`].
pub fn take_in(program: Program, received: Received) -> Result<Option<u8>, Errno> {
    Waiting { program, others: Others::None }.take(received)
}

/// Stops this process as the program has stopped, so that the shell that started it notices; when
/// the shell lets it go on, so does the program, which may be in a process group of its own.
fn stop_with(program: Pid) {
    // Neither can fail: both processes are ours.
    let _ = kill_process(getpid(), Signal::STOP);
    let _ = kill_process(program, Signal::CONT);
}

fn exit_status(news: WaitStatus) -> u8 {
    let code = news
        .exit_status()
        .or_else(|| news.terminating_signal().map(|signal| signal + i32::from(status::SIGNALED)));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(status::FAILED)
}
