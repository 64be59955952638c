//! The plans of a runtime: a container that somebody else starts, and a process that joins one.

use super::step::Step;
use super::{Act, Meeting, Plan, Program, kinds};
use crate::container::{Container, Hooks};
use crate::kernel::caller::Caller;
use crate::kernel::terminal::Console;
use crate::sys::namespaces::Namespaces;

impl<'a> Plan<'a> {
    /// Plans a container that an OCI configuration describes. Mounts come in the order in which they are
    /// written; hooks find them done, and nothing hidden or read-only yet.
    #[must_use]
    pub fn for_runtime(
        container: &'a Container<'a>,
        caller: Caller,
        filters: &'a [Program],
        hooks: &Hooks<'_>,
    ) -> Self {
        let all = Namespaces::MOUNT.and(kinds(container, caller));
        // What the process sees of cgroups begins where it is when it makes the namespace.
        let mut plan = Self::of(&container.process, all.without(Namespaces::CGROUP));
        // Of users first: the others may belong to them.
        for kind in [Namespaces::USER, Namespaces::PID] {
            let joined = &container.isolation.joined;
            plan.entered.extend(joined.iter().copied().filter(|join| join.kind == kind));
        }
        plan.isolate(container, caller);
        if !container.process.terminal {
            plan.act(Act::NewSession);
        }
        plan.build_root(container, caller, Some(hooks));
        plan.become_process(container, caller, filters);
        plan
    }

    /// Plans a process that joins a container: what it may see and do is the container's. It is hidden from
    /// its beginning.
    #[must_use]
    pub fn for_exec(
        container: &'a Container<'a>,
        caller: Caller,
        filters: &'a [Program],
        entered: Namespaces,
    ) -> Self {
        let mut plan = Self::of(&container.process, Namespaces::NONE);
        let [first, last] = &container.process.attributes.exec_processors;
        plan.steps.extend(first.iter().map(Step::Processors));
        plan.act(Act::Meet(Meeting::Cgroup));
        plan.steps.extend(last.iter().map(Step::Processors));
        plan.label(container);
        if let Some(score) = container.process.oom_score {
            plan.steps.push(Step::SetOomScore(score.to_bytes()));
        }
        plan.act(Act::Enter(entered));
        if container.process.terminal {
            let user = container.process.user.map_or(0, |user| user.user);
            let size = container.process.attributes.console_size;
            plan.act(Act::OpenTerminal(Console { size, user }));
        } else {
            plan.act(Act::NewSession);
        }
        plan.become_process(container, caller, filters);
        plan
    }

    pub(super) fn act(&mut self, act: Act<'a>) {
        self.steps.push(Step::Act(act));
    }

    /// What is decided by labels when the program is executed.
    pub(super) fn label(&mut self, container: &Container<'a>) {
        let attributes = &container.process.attributes;
        self.steps.extend(attributes.apparmor.map(Act::AppArmor).map(Step::Act));
        self.steps.extend(attributes.selinux.map(Act::SeLinux).map(Step::Act));
    }

    /// From here on, what the process takes of the machine counts as the container's.
    pub(super) fn join_cgroup(&mut self, container: &Container<'_>, caller: Caller) {
        self.act(Act::Meet(Meeting::Cgroup));
        if kinds(container, caller).contains(Namespaces::CGROUP) {
            self.steps.push(Step::MakeNamespaces(Namespaces::CGROUP));
        }
    }
}
