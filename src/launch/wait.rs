//! The launcher while the program runs: it passes signals on, stops and goes on with the program,
//! and learns how it ended.

use crate::error::status;
use crate::sys::signals::{SignalSet, wait};
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

/// Waits for `program`, a child of this process, to end; returns its exit status, or 128 and the
/// number of the signal that ended it.
///
/// # Errors
///
/// wait4(2): none for a child that only we wait for.
pub fn until_end(program: Pid) -> Result<u8, Errno> {
    loop {
        let received = match wait(SIGNALS) {
            // The process was stopped and goes on.
            Err(Errno::INTR) => continue,
            answer => answer?,
        };
        let signal = PASSED_ON.into_iter().find(|signal| signal.as_raw() == received.number);
        match signal {
            // A program that has ended and was not waited for yet takes a signal without harm.
            Some(signal) if received.sent_by_process => drop(kill_process(program, signal)),
            // What the terminal sends, it sends to the program too.
            Some(_) => {}
            None => {
                if let Some(status) = news_of(program)? {
                    return Ok(status);
                }
            }
        }
    }
}

/// Takes in all that happened to the program; its exit status once it has one.
fn news_of(program: Pid) -> Result<Option<u8>, Errno> {
    let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
    while let Some((_, news)) = waitpid(Some(program), options)? {
        if news.stopped() {
            stop_with(program);
        } else {
            return Ok(Some(exit_status(news)));
        }
    }
    Ok(None)
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
