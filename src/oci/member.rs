//! The process 1 of a container, as later commands find it again: by its number and the moment it started, so
//! that another process with a number used again is never taken for it.

use super::text::of_process;
use crate::kernel::settings::read_file;
use crate::text::{parts, wide_number};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Which process.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Member {
    /// Its number on the host.
    pub number: u32,
    /// When it started, in ticks since the machine did; `proc_pid_stat(5)`, `starttime`.
    pub started: u64,
}

impl Member {
    /// The process of this number as it is now.
    ///
    /// # Errors
    ///
    /// open(2): `ENOENT` if there is none, or none any more.
    pub fn now(process: Pid) -> Result<Self, Errno> {
        let number = process.as_raw_nonzero().get().unsigned_abs();
        let Stat { started, .. } = stat(number)?;
        Ok(Self { number, started })
    }

    /// Whether it runs; one that has ended and was not waited for does not.
    #[must_use]
    pub fn lives(self) -> bool {
        let found = stat(self.number);
        found.is_ok_and(|it| it.started == self.started && !matches!(it.state, b'Z' | b'X'))
    }

    /// Whether it has executed nothing since it was cloned: it is one of ours still, or was restored.
    #[must_use]
    pub fn is_as_cloned(self) -> bool {
        stat(self.number).is_ok_and(|it| it.flags & PF_FORKNOEXEC != 0)
    }

    /// Opens it; `pidfd_open(2)`.
    ///
    /// # Errors
    ///
    /// `ESRCH` if it has ended.
    pub fn open(self) -> Result<OwnedFd, Errno> {
        let process = i32::try_from(self.number).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        let file = pidfd_open(process, PidfdFlags::empty())?;
        // What was opened is the process that has the number now; it keeps it as long as it is the one.
        if self.lives() { Ok(file) } else { Err(Errno::SRCH) }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// `ESRCH` if it has ended, `EPERM`.
    pub fn signal(self, signal: Signal) -> Result<(), Errno> {
        pidfd_send_signal(self.open()?, signal)
    }
}

/// "Forked but didn't exec"; include/linux/sched.h of the kernel.
const PF_FORKNOEXEC: u64 = 0x40;

/// What `proc_pid_stat(5)` says of a process.
#[cfg_attr(test, derive(Debug, PartialEq))]
struct Stat {
    state: u8,
    flags: u64,
    started: u64,
}

fn stat(process: u32) -> Result<Stat, Errno> {
    read(read_file(of_process(process, b"stat"))?).ok_or(Errno::INVAL)
}

fn read(line: &[u8]) -> Option<Stat> {
    // The name in parentheses may be anything.
    let end = line.iter().rposition(|byte| *byte == b')')?;
    let mut fields = parts(line.get(end + 2..)?, b' ');
    let state = *fields.next()?.first()?;
    let flags = wide_number(fields.nth(5)?)?;
    Some(Stat { state, flags, started: wide_number(fields.nth(12)?)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_has_a_state_and_a_start() {
        let line = b"12 (a) b (c) S 1 12 12 0 -1 4194304 106 0 0 0 0 0 0 0 20 0 1 0 4711 2 3\n";
        assert_eq!(read(line), Some(Stat { state: b'S', flags: 0x0040_0000, started: 4711 }));
        assert_eq!(read(b"12 (a) Z"), None);
        let own = Member::now(rustix::process::getpid()).unwrap();
        assert!(own.lives() && !own.is_as_cloned());
        assert!(!Member { started: own.started + 1, ..own }.lives());
    }
}
