//! A process that does nothing but wait for the launcher's death, to put in order what the launcher
//! could not any more: so nothing is left, whatever kills it.

use crate::sys::descriptors::AsFd;
use crate::sys::files::close_all_but;
use crate::sys::namespaces::Namespaces;
use crate::sys::process::{Memory, clone};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open, setsid, waitpid,
};
use rustix::thread::set_name;

/// The guard; dismissed when dropped.
pub struct Guard(Pid);

impl Guard {
    /// Posts a guard that does `act` when the launcher is dead; of the launcher's descriptors it
    /// keeps standard input and `kept`.
    ///
    /// # Errors
    ///
    /// `pidfd_open(2)`, clone(2).
    pub fn post(kept: Option<BorrowedFd<'_>>, act: &dyn Fn()) -> Result<Self, Errno> {
        let launcher = pidfd_open(getpid(), PidfdFlags::empty())?;
        let mut guard = || {
            // What kills the launcher's group or session, or all of its name, is not to kill this.
            let _ = setsid();
            let _ = set_name(c"guard");
            let kept = [Some(launcher.as_raw_fd()), kept.map(|file| file.as_raw_fd())];
            let _ = close_all_but(1, &kept);
            let mut files = [PollFd::from_borrowed_fd(launcher.as_fd(), PollFlags::IN)];
            while poll(&mut files, None) == Err(Errno::INTR) {}
            act();
            0
        };
        clone(Memory::Copied, Namespaces::NONE, &mut guard).map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
        let _ = waitpid(Some(self.0), WaitOptions::empty());
    }
}
