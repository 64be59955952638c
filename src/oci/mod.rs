//! The OCI runtime: what container engines call, in place of runc; the OCI runtime specification 1.3.
//!
//! A command line names a command and a container. [`config`] reads a bundle's `config.json` into the container
//! that it describes; `create` makes it and leaves a process that waits in it; `home` and `state` keep what later
//! commands need, a file for each group of which is here.

mod bundle;
mod checkpoint;
pub mod config;
mod create;
mod criu;
mod delete;
mod events;
mod exec;
mod features;
mod home;
mod kill;
mod limits;
mod list;
mod log;
mod making;
mod member;
mod outside;
mod passwd;
mod restore;
mod spec;
mod start;
mod state;
mod text;
mod time;

use crate::cgroups::Cgroup;
use crate::cli::runtime::{Command, Name, Typed};
use crate::container::number;
use crate::error::{Doing, Error, Operation};
use crate::kernel::caller::Caller;
use crate::launch::relay;
use crate::sys::files::{is_open, standard_output};
use crate::sys::signals::{Before, SignalSet, hold};
use crate::text::Text;
use alloc::boxed::Box;
use config::Config;
use core::ffi::CStr;
use create::How;
use home::{Folder, Home};
use state::State;

/// What every command works with.
pub struct Runtime<'a> {
    typed: &'a Typed<'a>,
    home: Home,
    caller: Caller,
    variables: &'a [&'a CStr],
    has_cgroups: bool,
    /// How many descriptors are passed on, from 3 on.
    preserved: u32,
    /// Signals as they were when the process started.
    signals: Before,
}

/// Does what a command line asks for; the exit status.
///
/// # Errors
///
/// What went wrong; it stands in the log already.
pub fn run<'a>(typed: Typed<'a>, variables: &'a [&'a CStr]) -> Result<u8, Error<'static>> {
    let typed = &*kept(typed);
    let status = typed.command.failed();
    let log = log::Log::of(typed);
    obey(typed, variables).map_err(|error| {
        log.note(error);
        error.with_status(status)
    })
}

fn obey<'a>(typed: &'a Typed<'a>, variables: &'a [&'a CStr]) -> Result<u8, Error<'static>> {
    let caller = Caller::current();
    let command = typed.command;
    // These are about no container, and need no place for one.
    match command {
        Command::Features => return features::features().map(succeeded),
        Command::Spec => return spec::spec(typed, caller).map(succeeded),
        _ => {}
    }
    let has_cgroups = has_cgroups(typed)?;
    // Before anything of ours is open.
    let preserved = preserved(typed)?;
    let home = Home::new(typed.value(Name::Root), variables, caller)?;
    // Nothing is lost of a program that is waited for: its signals are held from before it is there.
    let is_attended = matches!(command, Command::Run | Command::Exec | Command::Restore)
        && !typed.has(Name::Detach);
    let held = if is_attended { relay::SIGNALS_AND_SIZE } else { SignalSet::of(&[]) };
    let signals = hold(held).doing(&HOLD)?;
    let runtime = &Runtime { typed, home, caller, variables, has_cgroups, preserved, signals };
    let done = match command {
        // A program that is waited for has a status.
        Command::Create => return create::create(runtime, How::Created),
        Command::Run if is_attended => return create::create(runtime, How::Attached),
        Command::Run => return create::create(runtime, How::Detached),
        Command::Exec => return exec::exec(runtime),
        Command::Restore => return restore::restore(runtime),
        Command::Start => start::start(runtime),
        Command::State => list::state(runtime),
        Command::Kill => kill::kill(runtime),
        Command::Delete => delete::delete(runtime),
        Command::List => list::list(runtime),
        Command::Ps => list::ps(runtime),
        Command::Pause => limits::freeze(runtime, true),
        Command::Resume => limits::freeze(runtime, false),
        Command::Update => limits::update(runtime),
        Command::Events => events::events(runtime),
        Command::Checkpoint => checkpoint::checkpoint(runtime),
        // Answered before they get here.
        Command::Features | Command::Spec | Command::Help | Command::Version => Ok(()),
    };
    done.map(succeeded)
}

fn succeeded((): ()) -> u8 {
    0
}

/// The descriptors that are asked for have to be there.
fn preserved(typed: &Typed<'_>) -> Result<u32, Error<'static>> {
    let Some(value) = typed.value(Name::PreserveFds) else { return Ok(0) };
    let count =
        number(value.to_bytes()).filter(|count| (3..3 + (*count).min(1 << 20)).all(is_open));
    count.ok_or_else(|| {
        let why = rare!("it is not a number, or not as many are open");
        Error::usage(rare!("option"), b"--preserve-fds", why, b"")
    })
}

/// Whether containers have cgroups, by the options of runc and crun for it.
fn has_cgroups(typed: &Typed<'_>) -> Result<bool, Error<'static>> {
    let format = typed.value(Name::LogFormat).map_or(&b"text"[..], CStr::to_bytes);
    if !matches!(format, b"text" | b"json") {
        let on = text::joined(&[b"--log-format ", format]).to_bytes();
        return Err(Error::usage(
            rare!("option"),
            on,
            rare!("there is none such"),
            rare!("text or json").bytes(),
        ));
    }
    let manager = typed.value(Name::CgroupManager).map_or(&b"cgroupfs"[..], CStr::to_bytes);
    let is_systemd = typed.has(Name::SystemdCgroup) || manager == b"systemd";
    if is_systemd {
        let hint = rare!(
            "have the engine use cgroupfs: podman --cgroup-manager cgroupfs, SystemdCgroup = false"
        )
        .bytes();
        let why = rare!("cgroups by systemd are not supported yet");
        return Err(Error::usage(rare!("option"), b"--systemd-cgroup", why, hint));
    }
    match manager {
        b"cgroupfs" => Ok(true),
        b"disabled" => Ok(false),
        _ => {
            let why = rare!("there is no such manager");
            Err(Error::usage(
                rare!("option"),
                b"--cgroup-manager",
                why,
                rare!("cgroupfs or disabled").bytes(),
            ))
        }
    }
}

impl Runtime<'_> {
    /// The name of the container.
    fn id(&self) -> &CStr {
        self.typed.words.first().copied().unwrap_or_default()
    }

    /// The folder of the container.
    fn folder(&self) -> Result<&'static Folder, Error<'static>> {
        self.home.open(self.id()).map(|folder| &*kept(folder))
    }

    /// The cgroup for a container that is to be made.
    fn cgroup(&self, config: &Config, id: &CStr) -> Result<Cgroup, Error<'static>> {
        Cgroup::plan(config.cgroups_path, id, self.has_cgroups)
    }
}

/// The cgroup of a container, if it is to have one.
fn cgroup_of(state: &State) -> Option<&'static mut Cgroup> {
    (!state.cgroup.is_empty()).then(|| kept(Cgroup::of(state.cgroup, state.has_cgroup)))
}

/// Keeps it until the process ends, so that nobody has to give it back.
fn kept<'k, T: 'k>(value: T) -> &'k mut T {
    Box::leak(Box::new(value))
}

static HOLD: Operation = Operation::new(rare!("hold signals"));
static PRINT: Operation = Operation::new(rare!("write to standard output"));

fn print(text: &Text) -> Result<(), Error<'static>> {
    let written = text.write_to(standard_output()).doing(&PRINT);
    written.map_err(Error::from)
}
