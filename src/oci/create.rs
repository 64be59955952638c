//! `create` and `run`: a container is made from its bundle. `create` leaves a process that waits in it, with
//! everything applied; `run` goes on to the program.

use super::bundle::{self, Bundle};
use super::config::Config;
use super::home::Folder;
use super::making::{Making, Told, run_hooks};
use super::state::{State, Status};
use super::text::{absolute, joined};
use super::{Runtime, delete};
use crate::cgroups::Cgroup;
use crate::cli::runtime::Name;
use crate::container::{Hooks, Mount, Mounted};
use crate::error::{Doing, Error, Object, On, Operation};
use crate::kernel::cgroup_mounts::{Cgroups, Hierarchy, Layout};
use crate::kernel::sockets;
use crate::launch::relay::Relay;
use crate::launch::runtime::{self, Given};
use crate::plan::{Plan, Program};
use crate::sys::namespaces::Namespaces;
use crate::sys::signals::Before;
use crate::text::Text;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::slice;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat, renameat};
use rustix::mount::MountPropagationFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

static CONSOLE: Operation = Operation { on: Object::Target, ..Operation::new(rare!("connect to")) };
static LISTEN: Operation = Operation::new(rare!("make the socket that the container waits at"));
static PID_FILE: Operation = Operation { on: Object::Target, ..Operation::new(rare!("write")) };
static PIDFD: Operation = Operation {
    on: Object::Target,
    ..Operation::new(rare!("send a descriptor of the process to"))
};
static WAIT: Operation = Operation::new(rare!("wait for the container"));

/// How a container is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It waits to be started.
    Created,
    /// It runs, and nobody waits for it.
    Detached,
    /// It runs, and its end is waited for.
    Attached,
}

/// A container that was made.
pub struct Made {
    /// Its folder.
    pub folder: Folder,
    /// What is written down of it.
    pub state: State,
    /// What it is.
    pub config: &'static Config,
    /// Its process 1.
    pub process: Pid,
    /// Where its terminal comes from.
    pub terminal: Option<OwnedFd>,
}

/// Makes a container; the exit status.
///
/// # Errors
///
/// What kept it from being made; nothing is left of it then.
pub fn create(runtime: &Runtime<'_>, how: How) -> Result<u8, Error<'static>> {
    let id = runtime.id();
    let bundle = bundle::read(runtime)?;
    let config = bundle.config;
    let folder = runtime.home.add(id)?;
    let mut cgroup = None;
    let made = match make(runtime, &bundle, &folder, &mut cgroup, how) {
        Ok((state, process, terminal)) => Made { folder, state, config, process, terminal },
        Err(error) => {
            undo(&folder, cgroup.as_mut());
            return Err(error);
        }
    };
    if how == How::Created { Ok(0) } else { go_on(runtime, &made, cgroup, how) }
}

/// Whether somebody could look at the container's process before that is the program: others are in its process
/// namespace or see its mounts, or hooks run in it, whose programs may be the container's own.
fn is_seen(config: &Config) -> bool {
    let container = &config.container;
    let is_passed_on = |kind: MountPropagationFlags| kind != MountPropagationFlags::PRIVATE;
    let shows = |mount: &Mount<'_>| match &mount.what {
        Mounted::Entry(entry) => entry.propagation.is_some_and(|(kind, _)| is_passed_on(kind)),
        _ => false,
    };
    !container.isolation.namespaces.contains(Namespaces::PID.and(Namespaces::MOUNT))
        || container.root.propagation.is_some_and(is_passed_on)
        || container.mounts.iter().any(shows)
        || !config.hooks.create_container.is_empty()
        || !config.hooks.start_container.is_empty()
}

/// Whether the runtime has to do something while the child is on its way, or has to stay when that is killed; what
/// can be seen has no memory of the runtime's, either.
fn needs_runtime(config: &Config, plan: &Plan<'_>) -> bool {
    is_seen(config)
        || !plan.shares_memory()
        || !plan.entered.is_empty()
        || config.hooks.run_before()
        || !config.container.isolation.net_devices.is_empty()
        || config.intel_rdt.is_some()
        || config.resources.memory.limit.is_some()
        || !config.resources.unified.is_empty()
}

/// Removes what was made of a container that failed on its way. What failed is to be said; what else fails now
/// is not.
pub fn undo(folder: &Folder, mut cgroup: Option<&mut Cgroup>) {
    if let Ok(Some(state)) = State::load(folder) {
        let _ = delete::end(state, cgroup.as_deref_mut());
    }
    if let Some(cgroup) = cgroup {
        let _ = cgroup.remove();
    }
    let _ = folder.remove();
}

/// What comes when the program runs: hooks, and waiting for its end where that is wanted; the exit status.
///
/// # Errors
///
/// A hook that failed; the container is removed then.
pub fn go_on(
    runtime: &Runtime<'_>,
    made: &Made,
    mut cgroup: Option<Cgroup>,
    how: How,
) -> Result<u8, Error<'static>> {
    if let Err(error) = started(&made.config.hooks, &made.state, made.folder.id, runtime.signals) {
        let _ = delete::end(&made.state, cgroup.as_mut());
        let _ = delete::remove(&made.state, &made.folder, cgroup.as_mut());
        return Err(error);
    }
    if how == How::Detached {
        return Ok(0);
    }
    attend(runtime, made, cgroup)
}

/// Runs the hooks for a container whose program runs.
///
/// # Errors
///
/// One that failed.
pub fn started(
    hooks: &Hooks<'static>,
    state: &State,
    id: &CStr,
    signals: Before,
) -> Result<(), Error<'static>> {
    let (status, process) = (Status::Running, state.member.number);
    run_hooks("poststart", &hooks.poststart, &Told { state, id, status, process }, signals)
}

/// Waits for the end of a container, and removes it.
fn attend(
    runtime: &Runtime<'_>,
    made: &Made,
    mut cgroup: Option<Cgroup>,
) -> Result<u8, Error<'static>> {
    let program = runtime::program(made.process);
    // Others may change it meanwhile.
    made.folder.unlock();
    let ended = match &made.terminal {
        Some(ours) => Relay::receive(ours).run(program, None),
        None => runtime::until_end(program),
    };
    let status = ended.doing(&WAIT)?;
    if !runtime.typed.has(Name::Keep) {
        made.folder.lock()?;
        // Its process 1 has taken all others with it, unless it shared them with somebody.
        if made.state.shares_processes {
            delete::end(&made.state, cgroup.as_mut())?;
        }
        delete::remove(&made.state, &made.folder, cgroup.as_mut())?;
        delete::stopped(&made.config.hooks, &made.state, made.folder.id, runtime.signals);
    }
    Ok(status)
}

/// Makes it, as far as that goes; what has to be removed after a failure is in `folder` and `cgroup`.
fn make(
    runtime: &Runtime<'_>,
    bundle: &Bundle,
    folder: &Folder,
    cgroup: &mut Option<Cgroup>,
    how: How,
) -> Result<(State, Pid, Option<OwnedFd>), Error<'static>> {
    let config = bundle.config;
    let container = &config.container;
    let caller = runtime.caller;
    let (state, cgroup) = bundle.begin(runtime, folder, cgroup)?;
    let filters = filters(config)?;
    let plan = Plan::for_runtime(container, caller, filters, &config.hooks);
    let plan = &*Box::leak(Box::new(plan));
    let starts = match how {
        How::Created => {
            let listening = sockets::listen(folder.file(), c"pending").doing(&LISTEN);
            Some(listening?)
        }
        _ => None,
    };
    let console = console(runtime, container.process.terminal, how)?;
    let listener = listener(config)?;
    let (ours, theirs) = console;
    let shown = if container.mounts.iter().any(Mount::shows_cgroups) {
        cgroup.shown()
    } else {
        (false, Vec::new())
    };
    let hierarchies: Vec<Hierarchy<'_>> = shown
        .1
        .iter()
        .map(|one| Hierarchy { name: one.name, options: one.options, own: one.own })
        .collect();
    let own = hierarchies.first().map_or(c"", |first| first.own);
    let layout = if shown.0 { Layout::Unified(own) } else { Layout::Hierarchies(&hierarchies) };
    let has_namespace = container.isolation.namespaces.contains(Namespaces::CGROUP);
    let mut making = Making { folder, state, config, cgroup };
    let given = Given {
        starts: starts.as_ref().map(OwnedFd::as_fd),
        terminal: theirs.as_ref().map(OwnedFd::as_fd),
        listener: listener.as_ref().map(OwnedFd::as_fd),
        cgroups: (!hierarchies.is_empty()).then_some(Cgroups { has_namespace, layout }),
        has_start_hooks: !config.hooks.start_container.is_empty(),
        ..Given::default()
    };
    let make = if how == How::Created || needs_runtime(config, plan) {
        runtime::create
    } else {
        runtime::run
    };
    let process = make(plan, &given, &mut making, runtime.signals)?;
    let state = making.state;
    if how == How::Created {
        let renamed = folder.rename(c"pending", Some(c"start")).doing(&LISTEN);
        renamed?;
    }
    tell_process(runtime, process)?;
    Ok((state, process, ours))
}

/// The program that system calls go through, if there is one.
pub fn filters(config: &Config) -> Result<&'static [Program], Error<'static>> {
    let Some(seccomp) = &config.seccomp else { return Ok(&[]) };
    let mut program = crate::lookup::program(&seccomp.profile)?;
    program.listens = seccomp.listener.is_some();
    Ok(slice::from_ref(Box::leak(Box::new(program))))
}

/// Connects to who is asked about system calls.
pub fn listener(config: &Config) -> Result<Option<OwnedFd>, Error<'static>> {
    match config.seccomp.as_ref().and_then(|seccomp| seccomp.listener) {
        None => Ok(None),
        Some((path, _)) => connect(path).map(Some),
    }
}

fn connect(path: &'static CStr) -> Result<OwnedFd, Error<'static>> {
    let connected = sockets::connect_stream(path).doing(&CONSOLE);
    connected.map_err(|fault| {
        fault.into_error(path.to_bytes(), rare!("somebody has to listen there").bytes())
    })
}

/// The way that the terminal takes: our end, where it is ours, and the child's.
pub fn console(
    runtime: &Runtime<'_>,
    has_terminal: bool,
    how: How,
) -> Result<(Option<OwnedFd>, Option<OwnedFd>), Error<'static>> {
    let refused = |why| Err(Error::usage(rare!("option"), b"--console-socket", why, b""));
    match (runtime.typed.value(Name::ConsoleSocket), has_terminal) {
        (None, false) => Ok((None, None)),
        (Some(_), false) => refused(rare!("the container has no terminal")),
        (Some(path), true) => Ok((None, Some(connect(absolute(path)?)?))),
        (None, true) if how == How::Attached => {
            let flags = SocketFlags::CLOEXEC;
            let pair =
                socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).doing(&CONSOLE);
            let (ours, theirs) = pair?;
            Ok((Some(ours), Some(theirs)))
        }
        (None, true) => {
            refused(rare!("a container with a terminal that nobody waits for needs it"))
        }
    }
}

/// Tells the caller which process it is, in the ways that it asked for: by its number in a file, and by a
/// descriptor of it, sent to a socket.
pub fn tell_process(runtime: &Runtime<'_>, process: Pid) -> Result<(), Error<'static>> {
    if let Some(path) = runtime.typed.value(Name::PidFile) {
        write_pid_file(absolute(path)?, process)?;
    }
    if let Some(path) = runtime.typed.value(Name::PidfdSocket) {
        let path = absolute(path)?;
        let socket = connect(path)?;
        let sent = || {
            let file = pidfd_open(process, PidfdFlags::empty())?;
            sockets::send_file(socket.as_fd(), b"pidfd", file)
        };
        sent().doing(&PIDFD).on(path)?;
    }
    Ok(())
}

/// Writes the number of the process, whole or not at all.
fn write_pid_file(path: &'static CStr, process: Pid) -> Result<(), Error<'static>> {
    let new = joined(&[path.to_bytes(), b".new"]);
    let mut text = Text::new();
    text.push_number(process.as_raw_nonzero().get().unsigned_abs().into());
    let written = || {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
        text.write_to(openat(CWD, new, flags, Mode::from_raw_mode(0o644))?)?;
        renameat(CWD, new, CWD, path)
    };
    written().doing(&PID_FILE).on(path)
}
