//! What a runtime does for a container that is being made: it is written down, put into its cgroup, given its
//! interfaces, and its hooks run.

use super::config::Config;
use super::home::{FAILED, Folder};
use super::member::Member;
use super::state::{State, Status};
use super::text::of_process;
use crate::cgroups::Cgroup;
use crate::container::{Hook, IdMap};
use crate::error::{Doing, Error, Object, On, Operation, Why};
use crate::kernel::mounts::Access;
use crate::kernel::resctrl::{self, Group};
use crate::kernel::settings::read_file;
use crate::launch::criu::{SOCKET, protect_root};
use crate::launch::hooks::{Running, run_all};
use crate::launch::links;
use crate::launch::runtime::{Attendant, Child};
use crate::plan::{Point, ids};
use crate::sys::namespaces::Namespaces;
use crate::sys::signals::Before;
use crate::text::Text;
use core::ffi::CStr;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::Pid;

static FIND: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("find the container's process,")) };

/// A container on its way.
pub struct Making<'s> {
    /// Its folder.
    pub folder: &'s Folder,
    /// What is written down.
    pub state: State,
    /// What it is to be.
    pub config: &'static Config,
    /// Where it counts.
    pub cgroup: &'s mut Cgroup,
}

impl Attendant for Making<'_> {
    fn cloned(&mut self, child: Child) -> Result<(), Error<'static>> {
        let Child { process, is_this } = child;
        self.compare_maps(process)?;
        self.found(process)?;
        self.cgroup.make()?;
        self.state.note_cgroup(self.folder)?;
        self.cgroup.apply(&self.config.resources)?;
        self.cgroup.join((!is_this).then_some(process))?;
        self.join_cache_group(process)
    }

    fn prepared(&mut self, child: Pid, signals: Before) -> Result<(), Error<'static>> {
        self.give_interfaces(child)?;
        let hooks = &self.config.hooks;
        let number = child.as_raw_nonzero().get();
        self.run("prestart", &hooks.prestart, number, signals)?;
        self.run("createRuntime", &hooks.create_runtime, number, signals)
    }

    fn hooks(&mut self, point: Point, child: i32, signals: Before) -> Result<(), Error<'static>> {
        let hooks = &self.config.hooks;
        match point {
            Point::CreateContainer => {
                self.run("createContainer", &hooks.create_container, child, signals)
            }
            Point::StartContainer => {
                self.run("startContainer", &hooks.start_container, child, signals)
            }
        }
    }

    fn listener_words(&mut self, child: i32) -> Text {
        let listener = self.config.seccomp.as_ref().and_then(|seccomp| seccomp.listener);
        let metadata = listener.map_or("", |listener| listener.1);
        listener_words(&self.state, self.folder.id, metadata, child, Status::Creating)
    }
}

/// What is told with the descriptor of a filter; the specification, "The Container Process State".
pub fn listener_words(
    state: &State,
    id: &CStr,
    metadata: &str,
    child: i32,
    status: Status,
) -> Text {
    let mut text = Text::new();
    let child = child.unsigned_abs();
    text.push("{\"ociVersion\":").push_json(state.version.as_bytes());
    text.push(",\"fds\":[\"seccompFd\"],\"pid\":").push_number(child.into());
    if !metadata.is_empty() {
        text.push(",\"metadata\":").push_json(metadata.as_bytes());
    }
    text.push(",\"state\":");
    state.render(
        &mut text,
        id,
        status,
        if state.member.number == 0 { child } else { state.member.number },
    );
    text.push("}");
    text
}

fn number(process: Pid) -> u32 {
    process.as_raw_nonzero().get().unsigned_abs()
}

fn words(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

impl Making<'_> {
    /// The process that counts as the container's: from here on it can be found and removed, whatever happens.
    fn found(&mut self, process: Pid) -> Result<(), Error<'static>> {
        let member = Member::now(process).doing(&FIND);
        self.state.member = member?;
        self.state.save(self.folder)
    }

    /// CRIU is there, as a child; what it restores counts as the container's from the beginning.
    ///
    /// # Errors
    ///
    /// As for [`Attendant::cloned`].
    pub fn begun(&mut self, criu: Pid) -> Result<(), Error<'static>> {
        self.found(criu)?;
        self.cgroup.make()?;
        self.state.note_cgroup(self.folder)?;
        self.cgroup.join(Some(criu))
    }

    /// All processes are restored, and stand still. Limits that hold for them did not for CRIU.
    ///
    /// # Errors
    ///
    /// As for [`Attendant::cloned`].
    pub fn restored(&mut self, child: Pid) -> Result<(), Error<'static>> {
        self.found(child)?;
        if self.config.container.root.access == Access::ReadOnly {
            protect_root(child)?;
        }
        self.cgroup.apply(&self.config.resources)?;
        self.join_cache_group(child)?;
        let known = self.folder.rename(SOCKET, None).doing(&FIND);
        known.map_err(Error::from)
    }

    fn run(
        &self,
        kind: &'static str,
        hooks: &[Hook<'static>],
        process: i32,
        signals: Before,
    ) -> Result<(), Error<'static>> {
        let status = if kind == "startContainer" { Status::Created } else { Status::Creating };
        let told = Told {
            state: &self.state,
            id: self.folder.id,
            status,
            process: process.unsigned_abs(),
        };
        run_hooks(kind, hooks, &told, signals)
    }

    /// A user namespace that is joined has its maps already; what is said of them has to be true, since mounts
    /// and files are given to ids by it.
    #[inline(never)]
    fn compare_maps(&self, child: Pid) -> Result<(), Error<'static>> {
        let isolation = &self.config.container.isolation;
        let maps = [
            ("linux.uidMappings", &isolation.users, &b"uid_map"[..]),
            ("linux.gidMappings", &isolation.groups, b"gid_map"),
        ];
        let is_said = maps.iter().any(|map| matches!(map.1, IdMap::Ranges(_)));
        if !is_said || !isolation.joins(Namespaces::USER) {
            return Ok(());
        }
        for (name, map, file) in maps {
            let path = of_process(number(child), file);
            let present = read_file(path).doing(&FIND);
            let present = present.on(path)?;
            let said = match map {
                IdMap::Ranges(ranges) => ids::lines(ranges),
                _ => b"",
            };
            if !words(said).eq(words(present)) {
                let why = rare!("the user namespace that is joined has others");
                return Err(Error::usage(rare!("config.json:"), name.as_bytes(), why, b""));
            }
        }
        Ok(())
    }

    /// The host's interfaces that become the container's.
    #[inline(never)]
    fn give_interfaces(&self, child: Pid) -> Result<(), Error<'static>> {
        let devices = &self.config.container.isolation.net_devices;
        if devices.is_empty() {
            return Ok(());
        }
        let path = of_process(number(child), b"ns/net");
        let failed = |on: &'static CStr| {
            move |fault: crate::error::Fault| fault.into_error(on.to_bytes(), b"")
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let namespace =
            openat(CWD, path, flags, Mode::empty()).doing(&FIND).map_err(failed(path))?;
        devices
            .iter()
            .try_for_each(|(host, new)| links::give(host, new, &namespace).map_err(failed(host)))
    }

    /// The container's group of cache and memory bandwidth.
    fn join_cache_group(&mut self, child: Pid) -> Result<(), Error<'static>> {
        let Some(wanted) = &self.config.intel_rdt else { return Ok(()) };
        let failed = |fault: crate::error::Fault| {
            let hint = rare!("this machine has none, or resctrl is not mounted at /sys/fs/resctrl")
                .bytes();
            Error::new(
                rare!("config.json: linux.intelRdt:"),
                fault.operation.words.bytes(),
                Why::Errno(fault.errno),
                hint,
                FAILED,
            )
        };
        let root = resctrl::open().map_err(failed)?;
        let group = Group {
            name: wanted.class.unwrap_or(self.folder.id),
            is_present: wanted.class.is_some() && wanted.schemata.is_empty(),
            schemata: &wanted.schemata,
            monitored: wanted.is_monitored.then_some(self.folder.id),
        };
        if resctrl::join(&root, &group, child).map_err(failed)? || wanted.is_monitored {
            self.state.cache_group = group.name;
            self.state.save(self.folder)?;
        }
        Ok(())
    }
}

/// What hooks are told.
pub struct Told<'s> {
    /// What is known.
    pub state: &'s State,
    /// The container's name.
    pub id: &'s CStr,
    /// How far it is.
    pub status: Status,
    /// The number of its process 1.
    pub process: u32,
}

/// Runs hooks one after the other, and tells each the container's state.
///
/// # Errors
///
/// The first that failed.
pub fn run_hooks(
    kind: &str,
    hooks: &[Hook<'static>],
    told: &Told<'_>,
    signals: Before,
) -> Result<(), Error<'static>> {
    if hooks.is_empty() {
        return Ok(());
    }
    let mut words = Text::new();
    told.state.render(&mut words, told.id, told.status, told.process);
    run_all(hooks, Running { kind, state: words.as_bytes(), folder: None, signals })
}
