//! The processes of a cgroup and of those below it: which they are, freezing them, and signals for all.

use super::Cgroup;
use super::files::{Patience, failed, field, read, tree, write};
use crate::error::Error;
use crate::rare::Rare;
use crate::text::{parts, wide_number};
use alloc::vec::Vec;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

impl Cgroup {
    /// The numbers of all processes; none if the cgroup is gone.
    ///
    /// # Errors
    ///
    /// open(2), read(2).
    pub fn processes(&self) -> Result<Vec<u32>, Error<'static>> {
        let mut numbers = Vec::new();
        let Some(top) = self.counted() else { return Ok(numbers) };
        for folder in tree(top) {
            let lines = match read(&folder, b"cgroup.procs") {
                // It is gone; or it counts threads, whose processes the one above has.
                Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => continue,
                answer => answer.map_err(|errno| {
                    failed(&folder, b"cgroup.procs", rare!("read"), errno, Rare::NONE)
                })?,
            };
            for line in parts(lines, b'\n') {
                // 0 stands for those in other process namespaces.
                let number = wide_number(line).filter(|number| *number > 0);
                numbers.extend(number.and_then(|number| u32::try_from(number).ok()));
            }
        }
        Ok(numbers)
    }

    /// Sends a signal to all processes; how many there were. None gets away by forking meanwhile.
    ///
    /// # Errors
    ///
    /// Those of [`Cgroup::processes`]; kill(2): `EPERM`.
    pub fn kill(&self, signal: Signal) -> Result<usize, Error<'static>> {
        let mut numbers = self.processes()?;
        let Some(top) = self.counted().filter(|_| !numbers.is_empty()) else { return Ok(0) };
        let count = numbers.len();
        if self.is_unified && signal == Signal::KILL && write(top, b"cgroup.kill", b"1").is_ok() {
            return Ok(count);
        }
        let was_frozen = self.is_frozen();
        // Those that cannot be frozen can be killed all the same.
        if !was_frozen && self.freeze(true).is_ok() {
            numbers = self.processes()?;
        }
        let mut refused = None;
        for number in &numbers {
            let process = i32::try_from(*number).ok().and_then(Pid::from_raw);
            match process.map_or(Ok(()), |process| kill_process(process, signal)) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => refused = Some(errno),
            }
        }
        if !was_frozen || signal == Signal::KILL {
            let _ = self.freeze(false);
        }
        match refused {
            Some(errno) => {
                Err(failed(top, b"", rare!("signal the processes of"), errno, Rare::NONE))
            }
            None => Ok(count.max(numbers.len())),
        }
    }

    /// Whether its processes are frozen.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        let Some(folder) = self.freezer() else { return false };
        self.state(folder.path) == Some(true)
    }

    /// Freezes all processes, or lets them go on; returns when it is so.
    ///
    /// # Errors
    ///
    /// open(2), write(2); `ETIMEDOUT` when one of them does not come to rest.
    pub fn freeze(&self, is_wanted: bool) -> Result<(), Error<'static>> {
        let Some(folder) = self.freezer() else { return Err(self.missing(b"freezer")) };
        let (file, value): (&[u8], &[u8]) = match (self.is_unified, is_wanted) {
            (true, true) => (b"cgroup.freeze", b"1"),
            (true, false) => (b"cgroup.freeze", b"0"),
            (false, true) => (b"freezer.state", b"FROZEN"),
            (false, false) => (b"freezer.state", b"THAWED"),
        };
        let path = &folder.path;
        let failed = |errno| failed(path, file, rare!("write"), errno, Rare::NONE);
        write(path, file, value).map_err(failed)?;
        let mut patience = Patience::new();
        while self.state(path) != Some(is_wanted) {
            if !patience.wait() {
                if is_wanted {
                    let thawed: &[u8] = if self.is_unified { b"0" } else { b"THAWED" };
                    let _ = write(path, file, thawed);
                }
                return Err(failed(Errno::TIMEDOUT));
            }
            // Version 1 counts those that have come since only when it is told again.
            if !self.is_unified {
                write(path, file, value).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn freezer(&self) -> Option<&super::Folder> {
        self.controlled(b"freezer").filter(|folder| folder.is_usable && self.is_own)
    }

    /// Whether the processes are frozen; None on the way there.
    fn state(&self, path: &[u8]) -> Option<bool> {
        if self.is_unified {
            let lines = read(path, b"cgroup.events").unwrap_or_default();
            return Some(field(lines, "frozen") == Some(b"1"));
        }
        match read(path, b"freezer.state").unwrap_or_default().trim_ascii() {
            b"FROZEN" => Some(true),
            b"FREEZING" => None,
            _ => Some(false),
        }
    }
}
