//! `exec`: another process in a container that runs. What it may see and do is the container's; who it is and
//! what it executes, the caller says.

use super::config::{self, Config};
use super::create::{How, console, listener, tell_process};
use super::home::{Folder, about};
use super::making::listener_words;
use super::state::{self, State, Status};
use super::text::{absolute, joined};
use super::{Runtime, bundle, cgroup_of, create, kept, passwd};
use crate::cgroups::Cgroup;
use crate::cli::runtime::Name;
use crate::container::{Attributes, Container, User, capability, environment, number};
use crate::error::{Doing, Error, Object, On, Operation};
use crate::kernel::settings::read_file;
use crate::launch::relay::Relay;
use crate::launch::runtime::{self, Attendant, Child, Given};
use crate::plan::{Plan, Point};
use crate::sys::namespaces::Namespaces;
use crate::sys::signals::Before;
use crate::text::{Text, cut, parts};
use core::ffi::CStr;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::Timespec;
use rustix::process::{Gid, Pid};
use rustix::thread::{CapabilitySet, nanosleep};

static READ: Operation = Operation { on: Object::Target, ..Operation::new(rare!("read")) };
static ENTER: Operation = Operation::new(rare!("find the container's process"));
static WAIT: Operation = Operation::new(rare!("wait for the program"));

/// A process on its way into a container.
struct Joining<'s> {
    cgroup: Option<&'s Cgroup>,
    state: &'s State,
    id: &'static CStr,
    metadata: &'static str,
}

impl Attendant for Joining<'_> {
    fn cloned(&mut self, child: Child) -> Result<(), Error<'static>> {
        match self.cgroup {
            Some(cgroup) => cgroup.join(Some(child.process)),
            None => Ok(()),
        }
    }

    fn prepared(&mut self, _child: Pid, _signals: Before) -> Result<(), Error<'static>> {
        Ok(())
    }

    fn hooks(
        &mut self,
        _point: Point,
        _child: i32,
        _signals: Before,
    ) -> Result<(), Error<'static>> {
        Ok(())
    }

    fn listener_words(&mut self, child: i32) -> Text {
        listener_words(self.state, self.id, self.metadata, child, Status::Running)
    }
}

/// Runs it; its exit status.
///
/// # Errors
///
/// The container does not run, or what kept the program from running.
pub fn exec(runtime: &Runtime<'_>) -> Result<u8, Error<'static>> {
    let folder = runtime.folder()?;
    let state = state::of(folder)?;
    let mut cgroup = cgroup_of(state);
    check(runtime, folder, state, cgroup.as_deref())?;
    // Open until we end, as all that is not closed here.
    let entered_process = kept(state.member.open().doing(&ENTER)?);
    let config = read(runtime, folder, state)?;
    let container = &config.container;
    let how = if runtime.typed.has(Name::Detach) { How::Detached } else { How::Attached };
    let filters = create::filters(config)?;
    let listener = kept(listener(config)?);
    let isolation = &container.isolation;
    let joined = isolation.joined.iter().fold(Namespaces::NONE, |all, join| all.and(join.kind));
    let entered = isolation.namespaces.and(joined).and(Namespaces::MOUNT);
    // Only a child is in a process namespace, and the others may belong to those users.
    let kinds = [Namespaces::USER, Namespaces::PID];
    let first = kinds.iter().fold(Namespaces::NONE, |first, kind| {
        if entered.contains(*kind) { first.and(*kind) } else { first }
    });
    let rest = entered.without(first);
    let plan = kept(Plan::for_exec(container, runtime.caller, filters, rest));
    let (ours, theirs) = kept(console(runtime, container.process.terminal, how)?);
    let metadata = config.seccomp.as_ref().and_then(|seccomp| seccomp.listener);
    let metadata = metadata.map_or("", |listener| listener.1);
    if let Some(inner) = runtime.typed.value(Name::Cgroup) {
        match &mut cgroup {
            Some(cgroup) => cgroup.descend(inner.to_bytes())?,
            None => {
                return Err(about(folder.id, rare!("it has no cgroup, which --cgroup takes")));
            }
        }
    }
    let mut joining = Joining { cgroup: cgroup.as_deref(), state, id: folder.id, metadata };
    let given = Given {
        terminal: theirs.as_ref().map(OwnedFd::as_fd),
        entered: Some(entered_process.as_fd()),
        first_entered: first,
        listener: listener.as_ref().map(OwnedFd::as_fd),
        ..Given::default()
    };
    let process = runtime::create(plan, &given, &mut joining, runtime.signals)?;
    *theirs = None;
    tell_process(runtime, process)?;
    if how == How::Detached {
        return Ok(0);
    }
    let program = runtime::program(process);
    let ended = match ours {
        Some(ours) => Relay::receive(ours).run(program, None),
        None => runtime::until_end(program),
    };
    ended.doing(&WAIT).map_err(Error::from)
}

fn check(
    runtime: &Runtime<'_>,
    folder: &Folder,
    state: &State,
    cgroup: Option<&Cgroup>,
) -> Result<(), Error<'static>> {
    if state.status(folder, false) == Status::Stopped {
        return Err(about(
            folder.id,
            rare!("cannot exec in a container that has stopped: container not running"),
        ));
    }
    await_program(folder, state)?;
    let is_frozen = cgroup.is_some_and(Cgroup::is_frozen);
    if is_frozen && !runtime.typed.has(Name::IgnorePaused) {
        return Err(about(
            folder.id,
            rare!("cannot exec in a paused container; --ignore-paused waits for its resume"),
        ));
    }
    Ok(())
}

/// Waits until the container's process 1 has executed its program, unless it waits to be started: before, it may have
/// the host's root, and the memory of its runtime. Who makes it holds the folder's lock so long.
fn await_program(folder: &Folder, state: &State) -> Result<(), Error<'static>> {
    const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
    let mut naps = 2000;
    let status = state.status(folder, false);
    let is_on_its_way = || state.member.is_as_cloned() && folder.is_locked();
    while status == Status::Creating || status != Status::Created && is_on_its_way() {
        if status == Status::Creating || naps == 0 {
            return Err(about(folder.id, rare!("cannot exec in a container that is being made")));
        }
        naps -= 1;
        let _ = nanosleep(&NAP);
    }
    Ok(())
}

/// The container's configuration, with another process.
#[inline(never)]
fn read(
    runtime: &Runtime<'_>,
    folder: &Folder,
    state: &State,
) -> Result<&'static Config, Error<'static>> {
    let typed = runtime.typed;
    let config = bundle::kept(runtime, folder, state)?;
    config.container.process.terminal = false;
    config.container.process.attributes.console_size = None;
    if let Some(file) = typed.value(Name::Process) {
        let file = absolute(file)?;
        let bytes = read_file(file).doing(&READ);
        let bytes = bytes.on(file)?;
        config::replace_process(bytes, &mut config.container)?;
    } else {
        let words = typed.words.get(1..).unwrap_or_default();
        config.container.process.command =
            words.iter().map(|word| joined(&[word.to_bytes()])).collect();
    }
    bundle::check_program(&config.container)?;
    change(runtime, &mut config.container)?;
    bundle::check_labels(config)?;
    passwd::add_home(&mut config.container);
    bundle::add_descriptors(runtime, &mut config.container);
    Ok(config)
}

/// What the options say about the process.
fn change(runtime: &Runtime<'_>, container: &mut Container<'static>) -> Result<(), Error<'static>> {
    let typed = runtime.typed;
    let process = &mut container.process;
    let kept = |value: &CStr| joined(&[value.to_bytes()]);
    let refused = |option: &'static str, value: &CStr, why| {
        let mut on = Text::new();
        on.push(option).push(" '").push_name(value.to_bytes()).push("'");
        Error::usage(rare!("option"), on.leak(), why, b"")
    };
    if typed.has(Name::Tty) {
        process.terminal = true;
    }
    if let Some(directory) = typed.value(Name::Cwd) {
        process.working_directory = kept(directory);
    }
    for variable in typed.values(Name::Env) {
        let own = core::mem::take(&mut process.environment);
        process.environment = environment::apply(&[], own, &[kept(variable)]);
    }
    if let Some(text) = typed.value(Name::User) {
        let user = user(text.to_bytes(), process.user);
        process.user = Some(
            user.ok_or_else(|| refused("--user", text, rare!("it is UID[:GID], in numbers")))?,
        );
    }
    for text in typed.values(Name::AdditionalGids) {
        for text_of_one in parts(text.to_bytes(), b',') {
            let group = number(text_of_one).filter(|group| *group != u32::MAX);
            let group =
                group.ok_or_else(|| refused("--additional-gids", text, rare!("it is a number")))?;
            process.groups.get_or_insert_default().push(Gid::from_raw(group));
        }
    }
    let Attributes { apparmor, selinux, .. } = &mut process.attributes;
    *apparmor = typed.value(Name::AppArmor).map(kept).or(*apparmor);
    *selinux = typed.value(Name::ProcessLabel).map(kept).or(*selinux);
    if typed.has(Name::NoNewPrivileges) {
        container.security.no_new_privileges = true;
    }
    for name in typed.values(Name::Capability) {
        let added = capability(name.to_bytes())
            .ok_or_else(|| refused("--cap", name, rare!("there is no such capability")))?;
        if let Some(sets) = &mut container.security.capabilities {
            sets.bounding |= added;
            sets.effective |= added;
            sets.permitted |= added;
        }
    }
    // Nothing is inherited but what was asked for.
    if let Some(sets) = &mut container.security.capabilities
        && !typed.has(Name::Process)
    {
        sets.inheritable = CapabilitySet::empty();
        sets.ambient = CapabilitySet::empty();
    }
    Ok(())
}

/// `UID[:GID]`; without a group it stays as it is.
fn user(text: &[u8], present: Option<User>) -> Option<User> {
    if let (_, Some(_)) = cut(text, b':') {
        User::parse(text)
    } else {
        let User { user, .. } = User::parse(text)?;
        Some(User { user, group: present.map_or(0, |present| present.group) })
    }
}
