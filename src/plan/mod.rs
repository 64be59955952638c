//! From what is wanted to how it is done: the namespaces that the child is cloned into, the steps
//! that it takes, in their order, and the program that it becomes. Made without touching the kernel.

mod explain;
mod step;

pub use step::{Stage, Step};

use crate::container::{Container, Process, User, environment, keep};
use crate::kernel::caller::Caller;
use crate::kernel::execute::Command;
use crate::kernel::mounts::Access;
use crate::sys::process::{Namespaces, StringList};
use crate::text::{Text, cut, parts};
use alloc::vec::Vec;
use core::ffi::CStr;

/// The way from the launcher to the program.
pub struct Plan<'a> {
    /// What the child gets new when it is cloned.
    pub namespaces: Namespaces,
    /// What it does then, in this order.
    pub steps: Vec<Step<'a>>,
    /// What it becomes in the end.
    pub command: Command<'a>,
}

impl<'a> Plan<'a> {
    /// Plans `container` for `caller`.
    ///
    /// The order matters: the sources of volumes are names of the host's, so they come before the
    /// root is entered; its mount points are made before it is read-only; a name in the root is
    /// resolved only when no descriptor of the host's is left that it could lead through; and
    /// privilege is given up when nothing needs it any more.
    #[must_use]
    pub fn new(container: &Container<'a>, caller: Caller) -> Self {
        let process = &container.process;
        let mut namespaces = Namespaces::MOUNT;
        let mut steps = Vec::with_capacity(container.mounts.len() + 10);
        if let Caller::Ordinary { user, group } = caller {
            namespaces = namespaces.and(Namespaces::USER);
            steps.push(map_caller(User { user, group }, process.user));
        }
        steps.push(Step::MakeMountsPrivate);
        let root = &container.root;
        steps.push(Step::PrepareRoot { directory: root.directory, access: root.access });
        for mount in &container.mounts {
            steps.push(Step::Mount(*mount));
        }
        if root.access == Access::ReadOnly {
            steps.push(Step::ProtectRoot);
        }
        steps.push(Step::EnterRoot);
        let first = FIRST_DESCRIPTOR + process.preserved_descriptors;
        steps.push(Step::CloseDescriptors { first });
        if process.working_directory != c"/" {
            steps.push(Step::ChangeDirectory(process.working_directory));
        }
        if let (Caller::Privileged, Some(user)) = (caller, process.user) {
            steps.push(Step::SwitchUser(user));
        }
        steps.push(Step::DieWithLauncher);
        Self { namespaces, steps, command: command(process) }
    }
}

/// Behind standard input, output and error.
const FIRST_DESCRIPTOR: u32 = 3;

/// A map of one user and one group: the caller's own, seen inside as the wanted ones or as root.
fn map_caller<'a>(caller: User, wanted: Option<User>) -> Step<'a> {
    let inside = wanted.unwrap_or(User { user: 0, group: 0 });
    let line = |inside: u32, outside: u32| {
        let mut line = Text::new();
        line.push_number(inside.into()).push(" ").push_number(outside.into()).push(" 1\n");
        line.leak()
    };
    Step::MapCaller {
        users: line(inside.user, caller.user),
        groups: line(inside.group, caller.group),
    }
}

fn command<'a>(process: &Process<'a>) -> Command<'a> {
    let name = process.command.first().copied().unwrap_or_default();
    Command {
        name,
        candidates: candidates(name, &process.environment),
        arguments: StringList::new(&process.command),
        environment: StringList::new(&process.environment),
    }
}

/// Where a program without a slash is looked for when the environment has no PATH; Docker's.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The paths to try for a program; an empty folder in PATH is the working directory, as in
/// execvp(3).
fn candidates<'a>(name: &'a CStr, environment: &[&'a CStr]) -> Vec<&'a CStr> {
    if cut(name.to_bytes(), b'/').1.is_some() {
        return [name].to_vec();
    }
    let path = environment::value(environment, b"PATH").unwrap_or(DEFAULT_PATH);
    let mut candidates = Vec::new();
    for folder in parts(path, b':') {
        let mut candidate = if folder.is_empty() { b".".to_vec() } else { folder.to_vec() };
        candidate.push(b'/');
        candidate.extend_from_slice(name.to_bytes());
        candidates.extend(keep(candidate));
    }
    candidates
}

#[cfg(test)]
mod tests;
