//! `delete`: what a container has left is removed, and nothing else; with `--force`, however far it is.

use super::config;
use super::home::{Folder, Home, about};
use super::making::{Told, run_hooks};
use super::state::{State, Status};
use super::text::mentions;
use super::{Runtime, cgroup_of};
use crate::cgroups::Cgroup;
use crate::cli::runtime::Name;
use crate::container::Hooks;
use crate::error::{Doing, Error, Operation};
use crate::kernel::resctrl::{self, Group};
use crate::sys::clock::milliseconds;
use crate::sys::signals::Before;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Timespec;
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};

static END: Operation = Operation::new(rare!("end the container"));

/// Removes the container.
///
/// # Errors
///
/// It runs, or there is none of that name; neither with `--force`.
#[inline(never)]
pub fn delete(runtime: &Runtime<'_>) -> Result<(), Error<'static>> {
    let is_forced = runtime.typed.has(Name::Force);
    let folder = match runtime.home.open(runtime.id()) {
        // As runc: whoever forces it wants it to be gone, which it is.
        Err(_) if is_forced && Home::is_name(runtime.id()) => return Ok(()),
        answer => answer?,
    };
    // Who makes it at this moment is waited for.
    folder.lock()?;
    let Some(state) = State::load(&folder)? else {
        folder.remove()?;
        return Ok(());
    };
    let mut cgroup = cgroup_of(state);
    match state.status(&folder, false) {
        Status::Running | Status::Paused if !is_forced => {
            return Err(about(
                folder.id,
                rare!("cannot delete a container that is not stopped: it is running"),
            ));
        }
        // Nothing of the container's own has run yet.
        Status::Created | Status::Creating | Status::Running | Status::Paused => {
            end(state, cgroup.as_deref_mut())?;
        }
        Status::Stopped => {}
    }
    let bytes = folder.read(c"config.json").unwrap_or_default();
    remove(state, &folder, cgroup)?;
    if mentions(bytes, b"poststop")
        && let Ok(config) = config::parse(bytes, state.bundle, runtime.caller)
    {
        let hooks = &config.hooks;
        stopped(hooks, state, folder.id, runtime.signals);
    }
    Ok(())
}

/// How long a killed process may take.
const WAIT_MS: i64 = 10_000;

/// Ends all processes of the container, and waits until its process 1 is gone.
///
/// # Errors
///
/// It does not go.
pub fn end(state: &State, cgroup: Option<&mut Cgroup>) -> Result<(), Error<'static>> {
    let failed = |errno| Err(errno).doing(&END).map_err(Error::from);
    let opened = state.member.open();
    if let Ok(process) = &opened {
        match pidfd_send_signal(process, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(errno) => return failed(errno),
        }
    }
    if let Some(cgroup) = cgroup {
        if cgroup.is_frozen() {
            cgroup.freeze(false)?;
        }
        cgroup.kill(Signal::KILL)?;
    }
    let Ok(process) = opened else { return Ok(()) };
    let end = milliseconds().saturating_add(WAIT_MS);
    loop {
        let left = end.saturating_sub(milliseconds());
        if left <= 0 {
            return failed(Errno::TIMEDOUT);
        }
        let limit = Timespec { tv_sec: left / 1000, tv_nsec: left % 1000 * 1_000_000 };
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit)) {
            Ok(0) | Err(Errno::INTR) => {}
            _ => return Ok(()),
        }
    }
}

/// Removes what was made for a container that has ended.
///
/// # Errors
///
/// Its cgroup, or its folder, cannot be removed.
pub fn remove(
    state: &State,
    folder: &Folder,
    cgroup: Option<&mut Cgroup>,
) -> Result<(), Error<'static>> {
    if let Some(cgroup) = cgroup {
        // There may be another container's by now, which is left alone.
        if state.shares_processes {
            cgroup.kill(Signal::KILL)?;
        }
        cgroup.remove()?;
    }
    if !state.cache_group.is_empty()
        && let Ok(root) = resctrl::open()
    {
        let name = state.cache_group;
        let group = Group { name, is_present: false, schemata: &[], monitored: Some(folder.id) };
        resctrl::leave(&root, &group, true);
    }
    folder.remove()
}

/// Runs the hooks for a container that is gone. One that fails is said, and changes nothing.
pub fn stopped(
    hooks: &Hooks<'static>,
    state: &State,
    id: &'static core::ffi::CStr,
    signals: Before,
) {
    let told = Told { state, id, status: Status::Stopped, process: 0 };
    for hook in hooks.poststop.chunks(1) {
        if let Err(error) = run_hooks("poststop", hook, &told, signals) {
            error.print();
        }
    }
}
