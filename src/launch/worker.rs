//! Work on files as whoever a container's files belong to: by this process itself, or by a child in a
//! user namespace in which it is root.

use super::assist::map_by_helpers;
use super::id_map::write_map;
use crate::error::{Doing, Error, Fault, Operation, Why, status};
use crate::kernel::identity::{self, Parent};
use crate::kernel::settings;
use crate::rare::Rare;
use crate::sys::descriptors::AsFd;
use crate::sys::namespaces::Namespaces;
use crate::sys::process::{Memory, clone};
use crate::sys::signals::{self, SignalSet};
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open, waitpid,
};

static START: Operation = Operation::new(rare!("start a process in a user namespace"));

/// With mounts of its own, it may mount the layers that it builds upon.
const OWN: Namespaces = Namespaces::USER.and(Namespaces::MOUNT);

/// The ids that the work is done with.
#[derive(Clone, Copy)]
pub struct Ids {
    /// Lines for a `uid_map`.
    pub users: &'static [u8],
    /// Lines for a `gid_map`.
    pub groups: &'static [u8],
    /// How the namespace gets them.
    pub maps: Maps,
}

/// How a user namespace for work gets its maps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Maps {
    /// There is none: this process does the work.
    None,
    /// It maps the caller's own ids, and does so itself.
    Own,
    /// This process writes them, with root privilege.
    Written,
    /// newuidmap(1) and newgidmap(1) do.
    ByHelpers,
}

impl Ids {
    /// Those of this process.
    pub const NONE: Self = Self { users: b"", groups: b"", maps: Maps::None };
}

/// What is done.
pub type Work<'w> = &'w mut dyn FnMut() -> Result<(), Error<'static>>;

/// Does the work.
///
/// # Errors
///
/// Its own; that the user namespace is not to be had.
pub fn run(ids: Ids, work: Work<'_>) -> Result<(), Error<'static>> {
    if ids.maps == Maps::None {
        return work();
    }
    let failed = |errno| Fault { operation: &START, errno }.into_error(b"", hint(errno));
    // A caller that ignores the end of children would never learn of this one's.
    let signals = signals::hold(SignalSet::of(&[])).map_err(failed)?;
    let (go, ours) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
    let process = getpid();
    let file = pidfd_open(process, PidfdFlags::empty()).ok();
    let parent = Parent { process, file };
    let mut ours = Some(ours);
    let mut child = || {
        // Only so does the end of the pipe mean that the launcher is gone.
        drop(ours.take());
        let done = become_root(ids, go.as_fd(), &parent).and_then(|()| work());
        match done {
            Ok(()) => 0,
            Err(error) => {
                error.print();
                error.status()
            }
        }
    };
    let cloned = clone(Memory::Copied, OWN, &mut child);
    let worker = cloned.map_err(failed)?;
    let mapped = match ids.maps {
        Maps::None | Maps::Own => Ok(()),
        Maps::Written => write_map(worker, "uid_map", ids.users)
            .and_then(|()| write_map(worker, "gid_map", ids.groups))
            .map_err(failed),
        Maps::ByHelpers => map_by_helpers(worker, ids.users, ids.groups, signals),
    };
    if let Err(error) = mapped {
        let _ = kill_process(worker, Signal::KILL);
        let _ = status_of(worker);
        return Err(error);
    }
    if let Some(ours) = ours {
        // A worker that is gone has said why.
        let _ = write(ours.as_fd(), b"g");
    }
    match status_of(worker).map_err(failed)? {
        0 => Ok(()),
        status => Err(Error::new(Rare::NONE, b"", Why::Said, b"", status)),
    }
}

fn hint(errno: Errno) -> &'static [u8] {
    match errno {
        Errno::PERM | Errno::NOSPC | Errno::USERS => settings::user_namespaces(),
        Errno::AGAIN => settings::processes(),
        _ => b"",
    }
}

fn become_root(ids: Ids, go: BorrowedFd<'_>, parent: &Parent) -> Result<(), Error<'static>> {
    let become_root = || {
        if ids.maps == Maps::Own {
            identity::write_maps(ids.users, ids.groups)?;
        }
        if retry_on_intr(|| read(go, &mut [0; 1])).doing(&START)? == 0 {
            return Err(Errno::PIPE).doing(&START);
        }
        if ids.maps != Maps::Own {
            identity::set_groups(&[])?;
            identity::switch_to(0, 0)?;
        }
        identity::die_with(parent)
    };
    become_root().map_err(|fault| fault.into_error(b"", hint(fault.errno)))
}

/// Waits for it to end.
fn status_of(worker: Pid) -> Result<u8, Errno> {
    loop {
        match waitpid(Some(worker), WaitOptions::empty()) {
            Err(Errno::INTR) | Ok(None) => {}
            Ok(Some((_, ended))) => {
                let status = ended.exit_status().and_then(|status| u8::try_from(status).ok());
                return Ok(status.unwrap_or(status::FAILED));
            }
            Err(errno) => return Err(errno),
        }
    }
}
