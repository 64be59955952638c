//! `kill`: a signal for a container's process 1, or for all of its processes.

use super::home::about;
use super::state::{self, Status};
use super::{Runtime, cgroup_of};
use crate::cli::runtime::Name;
use crate::container::signal;
use crate::error::{Doing, Error, Operation};
use rustix::io::Errno;
use rustix::process::Signal;

static KILL: Operation = Operation::new(rare!("send the signal"));

/// Sends it.
///
/// # Errors
///
/// There is no such signal, or the container does not run.
#[inline(never)]
pub fn kill(runtime: &Runtime<'_>) -> Result<(), Error<'static>> {
    let typed = runtime.typed.words.get(1).copied().unwrap_or(c"TERM");
    let mut name = typed.to_bytes().to_vec();
    name.make_ascii_uppercase();
    let signal = signal(&name);
    // As with kill(2), 0 is none, and asks whether there is somebody to get it.
    if signal.is_none() && name != b"0" {
        let hint = rare!("a name with or without SIG, or a number; RTMIN+1").bytes();
        let on = super::text::joined(&[typed.to_bytes()]).to_bytes();
        return Err(Error::usage(rare!("signal"), on, rare!("there is none such"), hint));
    }
    let folder = runtime.folder()?;
    let state = state::of(folder)?;
    let is_stopped = state.status(folder, false) == Status::Stopped;
    if runtime.typed.has(Name::All) {
        // Also those that are left of a container without processes of its own.
        if let (Some(cgroup), Some(signal)) = (cgroup_of(state), signal)
            && cgroup.kill(signal)? > 0
        {
            return Ok(());
        }
        if is_stopped {
            return Ok(());
        }
    }
    if is_stopped {
        return Err(about(folder.id, rare!("container not running")));
    }
    let Some(signal) = signal else { return Ok(()) };
    match state.member.signal(signal) {
        Err(Errno::SRCH) => return Err(about(folder.id, rare!("container not running"))),
        answer => answer.doing(&KILL)?,
    }
    // One that is frozen dies when it thaws, and engines wait for that.
    if signal == Signal::KILL
        && let Some(cgroup) = cgroup_of(state)
        && cgroup.is_frozen()
    {
        cgroup.freeze(false)?;
    }
    Ok(())
}
