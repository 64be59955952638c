//! Notice of a cgroup that has run out of memory: in version 1 a counter that the kernel is told to raise, in
//! version 2 a file that can be waited for; the kernel's `cgroup-v1/memory` and `cgroup-v2`, "memory.events".

use super::Cgroup;
use super::files::{Path, count, failed, write};
use crate::error::Error;
use crate::rare::Rare;
use crate::text::{Text, read_at};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, read};

/// What tells of it.
pub struct Oom {
    file: OwnedFd,
    /// In version 2, how many processes were killed for it so far.
    killed: Option<u64>,
}

impl Cgroup {
    /// Has the kernel tell of it from here on; None without a controller of memory, which would find it.
    ///
    /// # Errors
    ///
    /// open(2), write(2); `EOPNOTSUPP` from a kernel that has left that out of version 1.
    pub fn watch_memory(&self) -> Result<Option<Oom>, Error<'static>> {
        let Some(folder) = self.controlled(b"memory").filter(|folder| folder.is_usable) else {
            return Ok(None);
        };
        let name: &[u8] = if self.is_unified { b"memory.events" } else { b"memory.oom_control" };
        let path = Path::new(folder.path, name);
        let watched = openat(CWD, path.as_c_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .and_then(|file| {
                if self.is_unified {
                    return Ok(Oom { killed: Some(killed(&file)?), file });
                }
                let counter = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
                let mut line = Text::new();
                line.push_number(counter.as_raw_fd().unsigned_abs().into());
                line.push(" ").push_number(file.as_raw_fd().unsigned_abs().into());
                write(folder.path, b"cgroup.event_control", line.as_bytes())?;
                Ok(Oom { file: counter, killed: None })
            });
        match watched {
            Err(Errno::NOENT) if self.is_unified => Ok(None),
            Err(errno) => Err(failed(folder.path, name, rare!("watch"), errno, Rare::NONE)),
            Ok(oom) => Ok(Some(oom)),
        }
    }
}

impl Oom {
    /// What is to be waited for.
    #[must_use]
    pub fn poll(&self) -> PollFd<'_> {
        PollFd::new(&self.file, if self.killed.is_some() { PollFlags::PRI } else { PollFlags::IN })
    }

    /// Whether it has happened since this was last asked.
    pub fn has_come(&mut self) -> bool {
        let Some(before) = self.killed else { return read(&self.file, &mut [0_u8; 8]).is_ok() };
        self.killed = killed(&self.file).ok().or(self.killed);
        self.killed > Some(before)
    }
}

/// The number in the file now; the next change is waited for from here on.
fn killed(file: &OwnedFd) -> Result<u64, Errno> {
    let mut lines = [0; 512];
    let length = read_at(file, 0, &mut lines)?;
    Ok(count(lines.get(..length).unwrap_or_default(), "oom_kill"))
}
