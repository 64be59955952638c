//! `events`: what a container uses, once or again and again, and that it has run out of memory.

use super::home::Folder;
use super::limits::living;
use super::{Runtime, kept, print};
use crate::cgroups::Oom;
use crate::cli::runtime::Name;
use crate::container::number;
use crate::error::Error;
use crate::launch::aside;
use crate::sys::clock::milliseconds;
use crate::text::Text;
use core::ffi::CStr;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::fs::Timespec;

/// Prints them as JSON, each on a line, until the container ends.
///
/// # Errors
///
/// It does not run; the interval is none.
#[inline(never)]
pub fn events(runtime: &Runtime<'_>) -> Result<(), Error<'static>> {
    let (folder, state, cgroup) = living(runtime)?;
    let is_once = runtime.typed.has(Name::Stats);
    let seconds = match runtime.typed.value(Name::Interval).map_or(&b"5s"[..], CStr::to_bytes) {
        [digits @ .., b's'] | digits => number(digits).filter(|seconds| *seconds > 0),
    };
    let Some(seconds) = seconds else {
        let why = rare!("it is a number of seconds above 0, such as 5s");
        return Err(Error::usage(rare!("option"), b"--interval", why, b""));
    };
    let oom = kept(if is_once { None } else { cgroup.watch_memory()? });
    let process = state.member.open();
    let tell = || {
        let mut text = begin(folder, "stats");
        cgroup.push_stats(text.push(",\"data\":"))?;
        print(text.push("}\n"))
    };
    tell()?;
    let Ok(process) = process.map(kept) else { return Ok(()) };
    let end = || milliseconds().saturating_add(i64::from(seconds) * 1000);
    while !is_once && wait(folder, process, oom, end())? {
        // This may go on for months, and texts are kept. What fails there is told from here.
        if !aside(&mut || tell().is_ok())? {
            tell()?;
        }
    }
    Ok(())
}

fn begin(folder: &Folder, kind: &str) -> Text {
    let mut text = Text::new();
    text.push("{\"type\":\"").push(kind).push("\",\"id\":").push_json(folder.id.to_bytes());
    text
}

/// Waits, and tells what happens; whether the container still runs then.
fn wait(
    folder: &Folder,
    process: &OwnedFd,
    oom: &mut Option<Oom>,
    end: i64,
) -> Result<bool, Error<'static>> {
    loop {
        let left = end.saturating_sub(milliseconds());
        if left <= 0 {
            return Ok(true);
        }
        let limit = Timespec { tv_sec: left / 1000, tv_nsec: left % 1000 * 1_000_000 };
        let ended = PollFd::new(process, PollFlags::IN);
        let mut files = [ended.clone(), oom.as_ref().map_or(ended, Oom::poll)];
        let _ = poll(&mut files, Some(&limit));
        let [ended, _] = &files;
        let has_ended = !ended.revents().is_empty();
        // What killed it comes before its end.
        if oom.as_mut().is_some_and(Oom::has_come) {
            print(begin(folder, "oom").push("}\n"))?;
        }
        if has_ended {
            return Ok(false);
        }
    }
}
