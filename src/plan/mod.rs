//! From what is wanted to how it is done: the namespaces that the child is cloned into, the steps
//! that it takes, in their order, and the program that it becomes. Made without touching the kernel.

mod act;
mod assist;
mod command;
mod describe;
mod describe_launcher;
mod explain;
pub mod ids;
mod prepare;
mod root;
mod run;
mod runtime;
mod step;

pub use act::{Act, Meeting, Point, Ties, answer};
pub use assist::Assist;
pub use prepare::Preparation;
pub use step::{Program, Stage, Step, Taken};

use crate::container::{Container, IdMap, Join, Network, Process, User};
use crate::kernel::caller::Caller;
use crate::kernel::execute::Command;
use crate::sys::namespaces::Namespaces;
use alloc::vec::Vec;
use rustix::process::Signal;

/// The way from the launcher to the program.
pub struct Plan<'a> {
    /// What the child gets new when it is cloned.
    pub namespaces: Namespaces,
    /// The process namespace that the child is cloned into, if it is to be an existing one.
    pub processes: Option<Join<'a>>,
    /// Namespaces that a runtime's child is in from its beginning: of users, and of processes.
    pub entered: Vec<Join<'a>>,
    /// What the launcher does before.
    pub preparations: Vec<Preparation<'a>>,
    /// What the launcher does while the child waits.
    pub assists: Vec<Assist<'a>>,
    /// What the child does, in this order.
    pub steps: Vec<Step<'a>>,
    /// What the process that becomes the program does last of all.
    pub last_steps: Vec<Step<'a>>,
    /// What it becomes in the end.
    pub command: Command<'a>,
    /// Whether the child stays, and a child of its own becomes the program.
    pub init: bool,
    /// Whether the launcher passes on what goes to and comes from the program's terminal.
    pub terminal: bool,
    /// What the program gets when the launcher gets `SIGTERM`.
    pub stop_signal: Signal,
    /// After how many seconds the program is killed.
    pub timeout: Option<u32>,
    /// How many volumes are taken before they are mounted.
    pub taken: usize,
}

impl<'a> Plan<'a> {
    /// Plans `container` for `caller`; `filters` are for its system calls.
    ///
    /// The order matters: the sources of volumes are names of the host's, so they come before the
    /// root is entered; its mount points are made before it is read-only; a name in the root is
    /// resolved only when no descriptor of the host's is left that it could lead through; and
    /// privilege is given up when nothing needs it any more.
    #[must_use]
    pub fn new(container: &'a Container<'a>, caller: Caller, filters: &'a [Program]) -> Self {
        let mut plan =
            Self::of(&container.process, Namespaces::MOUNT.and(kinds(container, caller)));
        let joined = &container.isolation.joined;
        plan.processes = joined.iter().copied().find(|join| join.kind == Namespaces::PID);
        plan.isolate(container, caller);
        if container.isolation.joins(Namespaces::MOUNT) {
            plan.namespaces = plan.namespaces.without(Namespaces::MOUNT);
            plan.join(container, Namespaces::MOUNT);
        } else {
            plan.build_root(container, caller, None);
        }
        plan.become_process(container, caller, filters);
        plan.steps.push(Step::DieWithLauncher(plan.hides_launcher()));
        plan
    }

    /// Without steps yet, for a process that is cloned into these namespaces.
    fn of(process: &Process<'a>, namespaces: Namespaces) -> Self {
        Self {
            namespaces,
            processes: None,
            entered: Vec::new(),
            preparations: Vec::new(),
            assists: Vec::new(),
            steps: Vec::with_capacity(32),
            last_steps: Vec::new(),
            command: command::command(process),
            init: process.init,
            terminal: process.terminal,
            stop_signal: process.stop_signal.unwrap_or(Signal::TERM),
            timeout: process.timeout,
            taken: 0,
        }
    }

    /// Whether the child shares the launcher's memory, which is the fast way: unless the launcher has to do
    /// something meanwhile, or the child has to be alone in it.
    #[must_use]
    pub fn shares_memory(&self) -> bool {
        let is_alone = self.steps.iter().any(|step| match step {
            Step::EnterTime => true,
            Step::Join(join) => join.kind == Namespaces::TIME,
            _ => false,
        });
        !self.init && !is_alone && self.assists.is_empty()
    }

    /// Whether the child is in a process namespace in which the launcher has no number.
    #[must_use]
    pub fn hides_launcher(&self) -> bool {
        self.processes.is_some() || self.namespaces.contains(Namespaces::PID)
    }

    /// Whether processes of the container's can look at ours: at a process 1 that stays, or from a
    /// container that runs already.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        let joins =
            |step: &Step<'_>| matches!(step, Step::Join(join) if join.kind == Namespaces::MOUNT);
        self.init || self.processes.is_some() || self.steps.iter().any(joins)
    }

    /// The namespaces, and what is set up in them.
    fn isolate(&mut self, container: &'a Container<'a>, caller: Caller) {
        let isolation = &container.isolation;
        let namespaces = kinds(container, caller);
        let is_in = |kind| self.entered.iter().any(|join| join.kind == kind);
        if is_in(Namespaces::USER) {
            self.steps.push(Step::SetGroups(&[]));
            self.steps.push(Step::SwitchUser(User { user: 0, group: 0 }));
        } else if isolation.joins(Namespaces::USER) {
            // Only in it may the others be made, and so not by the clone.
            self.namespaces = Namespaces::NONE;
            self.join(container, Namespaces::USER);
            let here = namespaces.without(Namespaces::TIME).and(Namespaces::MOUNT);
            self.steps.push(Step::MakeNamespaces(here));
        } else if namespaces.contains(Namespaces::USER) {
            self.map_ids(container, caller);
        }
        for join in &isolation.joined {
            let is_elsewhere = [Namespaces::USER, Namespaces::PID, Namespaces::MOUNT];
            if !is_elsewhere.contains(&join.kind) {
                self.steps.push(Step::Join(*join));
            }
        }
        if namespaces.contains(Namespaces::TIME) {
            self.steps.push(Step::MakeTime(isolation.clocks.lines()));
            if !caller.enters_time_by_exec() {
                self.steps.push(Step::EnterTime);
            }
        }
        if let Some(score) = container.process.oom_score {
            self.steps.push(Step::SetOomScore(score.to_bytes()));
        }
        if isolation.hostname.or(isolation.domainname).is_some() {
            self.steps.push(Step::SetNames(isolation.hostname, isolation.domainname));
        }
        if namespaces.contains(Namespaces::NET) {
            self.connect(&isolation.network);
        }
        // Until here pasta(1) has to look into it.
        if !namespaces.without(Namespaces::USER).is_none() || !isolation.joined.is_empty() {
            self.steps.push(Step::Hide);
        }
    }

    fn join(&mut self, container: &Container<'a>, kind: Namespaces) {
        let joined = container.isolation.joined.iter().find(|join| join.kind == kind);
        self.steps.extend(joined.copied().map(Step::Join));
    }

    /// The ids of a new user namespace.
    fn map_ids(&mut self, container: &Container<'a>, caller: Caller) {
        let isolation = &container.isolation;
        let inside = container.process.user.unwrap_or(User { user: 0, group: 0 });
        let own = (&isolation.users, &isolation.groups);
        if let (IdMap::Own, IdMap::Own) = own {
            self.steps.push(Step::MapCaller {
                users: ids::own(inside.user, caller.user),
                groups: ids::own(inside.group, caller.group),
            });
            return;
        }
        if !caller.privileged && ids::is_own(own.0, caller.user) && ids::is_own(own.1, caller.group)
        {
            self.steps.push(Step::MapCaller {
                users: ids::ranges(own.0, inside.user, caller.user),
                groups: ids::ranges(own.1, inside.group, caller.group),
            });
            return;
        }
        self.assist(Assist::MapIds {
            users: ids::ranges(&isolation.users, inside.user, caller.user),
            groups: ids::ranges(&isolation.groups, inside.group, caller.group),
            directly: caller.privileged,
        });
        // From here on as somebody that the namespace knows.
        self.steps.push(Step::SetGroups(&[]));
        self.steps.push(Step::SwitchUser(User {
            user: ids::first(&isolation.users),
            group: ids::first(&isolation.groups),
        }));
    }

    /// Has the launcher do something; the child waits where it stands now.
    fn assist(&mut self, assist: Assist<'a>) {
        if self.assists.is_empty() {
            self.steps.push(Step::AwaitLauncher);
        }
        self.assists.push(assist);
    }

    /// What the process is and may do, once it is in its root.
    fn become_process(
        &mut self,
        container: &'a Container<'a>,
        caller: Caller,
        filters: &'a [Program],
    ) {
        let (process, security) = (&container.process, &container.security);
        let first = FIRST_DESCRIPTOR + process.preserved_descriptors;
        self.steps.push(Step::CloseDescriptors { first });
        for limit in &process.limits {
            self.steps.push(Step::Limit(limit));
        }
        if let Some(value) = process.nice {
            self.steps.push(Step::Nice(value));
        }
        if let Some(set) = &process.processors {
            self.steps.push(Step::Processors(set));
        }
        if process.attributes.are_asked_for() {
            self.act(Act::Attributes(&process.attributes));
        }
        if process.working_directory != c"/" {
            self.steps.push(Step::ChangeDirectory(process.working_directory));
        }
        // A filter takes privilege or the forbidding of new privileges.
        if security.no_new_privileges {
            self.last_steps.extend(filters.iter().map(Step::Filter));
        } else {
            self.steps.extend(filters.iter().map(Step::Filter));
        }
        if let Some(kept) = security.capabilities {
            self.steps.push(Step::BoundCapabilities(kept.bounding));
            // Another user's are gone otherwise; what is executed has them only by these sets.
            if !(kept.ambient | kept.inheritable).is_empty() {
                self.act(Act::HoldCapabilities);
            }
        }
        self.become_user(container, caller);
        if let Some(kept) = security.capabilities {
            self.steps.push(Step::KeepCapabilities(kept));
        }
        if security.no_new_privileges {
            self.steps.push(Step::NoNewPrivileges);
        }
        if security.landlock {
            self.steps.push(Step::RestrictFiles);
        }
        if let Some(mask) = process.umask {
            self.steps.push(Step::SetUmask(mask));
        }
    }

    /// Another user, where the map of the caller's own id has not made it that already.
    fn become_user(&mut self, container: &'a Container<'a>, caller: Caller) {
        let isolation = &container.isolation;
        let process = &container.process;
        let inside = process.user.unwrap_or(User { user: 0, group: 0 });
        let own = |map, inside, outside| ids::maps_caller(map, inside, outside, caller.privileged);
        let is_mapped = kinds(container, caller).contains(Namespaces::USER)
            && own(&isolation.users, inside.user, caller.user)
            && own(&isolation.groups, inside.group, caller.group);
        let may_switch = !is_mapped && (caller.privileged || has_users(container, caller));
        match &process.groups {
            Some(groups) => self.steps.push(Step::SetGroups(groups)),
            None if may_switch && process.user.is_some() => {
                self.steps.push(Step::SetGroups(&[]));
            }
            None => {}
        }
        if let (true, Some(user)) = (may_switch, process.user) {
            self.steps.push(Step::SwitchUser(user));
        }
    }

    /// What is in a new network namespace.
    fn connect(&mut self, network: &'a Network<'a>) {
        match network {
            Network::Link(link) => self.assist(Assist::Link(link)),
            Network::Pasta => self.assist(Assist::Pasta),
            Network::None | Network::Host | Network::Join(_) => {}
        }
        self.steps.push(Step::BringLoopbackUp);
        self.steps.extend(network.link().map(Step::ConfigureLink));
    }
}

/// What is new. Without privilege a user namespace is needed, in which the caller has it.
fn kinds(container: &Container<'_>, caller: Caller) -> Namespaces {
    let isolation = &container.isolation;
    if caller.privileged || isolation.joins(Namespaces::USER) {
        isolation.namespaces
    } else {
        isolation.namespaces.and(Namespaces::USER)
    }
}

/// Whether the child has other users than the caller, and root privilege only among them.
fn has_users(container: &Container<'_>, caller: Caller) -> bool {
    kinds(container, caller).contains(Namespaces::USER)
        || container.isolation.joins(Namespaces::USER)
}

/// Behind standard input, output and error.
const FIRST_DESCRIPTOR: u32 = 3;

#[cfg(test)]
mod tests;
