//! A plan as a person reads it: a line a step, in the order they run, with the system calls and the
//! reason. Printed from the same list that runs.

use super::{Plan, Step};
use crate::container::Mount;
use crate::kernel::mounts::Access;
use crate::sys::process::Namespaces;
use crate::text::{Text, cut};

/// The columns: after the number, the system calls; then what they do and why.
const CALLS_COLUMN: usize = 4;
const WORDS_COLUMN: usize = 52;

impl Plan<'_> {
    /// The lines for the user.
    #[must_use]
    pub fn explain(&self) -> Text {
        let mut lines = Lines { text: Text::new(), number: 0 };
        lines.text.push("the launcher\n");
        lines.add("rt_sigaction, rt_sigprocmask");
        lines.text.push("block signals: none is lost while there is no program to pass it on to\n");
        lines.add("mmap, mprotect").push("map a stack for the child, with a guard page below it\n");
        if self.namespaces.contains(Namespaces::USER) {
            lines.add("clone(VM|VFORK|NEWNS|NEWUSER)");
            lines.text.push(
                "a child with its own mounts and user ids; the launcher sleeps until it executes\n",
            );
        } else {
            lines.add("clone(VM|VFORK|NEWNS)");
            lines.text.push("a child with its own mounts; the launcher sleeps until it executes\n");
        }
        lines.text.push("the child\n");
        for step in &self.steps {
            step.describe(lines.add(step.calls()));
            lines.text.push("\n");
        }
        let name = self.command.name.to_bytes();
        let place = if cut(name, b'/').1.is_some() { "\n" } else { " from the PATH\n" };
        let text = lines.add("rt_sigprocmask, execve");
        text.push("unblock signals, become ").push_name(name).push(place).push("the launcher\n");
        lines.add("rt_sigtimedwait, kill, wait4");
        lines.text.push("pass signals on until the program ends, and end as it did\n");
        lines.text
    }
}

struct Lines {
    text: Text,
    number: u64,
}

impl Lines {
    /// Begins a line; what the calls do and why is to be added to it.
    fn add(&mut self, calls: &str) -> &mut Text {
        self.number += 1;
        let start = self.text.len();
        self.text.push(if self.number < 10 { " " } else { "" });
        self.text.push_number(self.number).pad(start, CALLS_COLUMN);
        self.text.push(calls).pad(start, WORDS_COLUMN)
    }
}

impl Step<'_> {
    /// The system calls it makes.
    fn calls(&self) -> &'static str {
        match self {
            Self::MapCaller { .. } => "open, write, close",
            Self::MakeMountsPrivate => "mount(REC|PRIVATE)",
            Self::PrepareRoot { access: Access::ReadWrite, .. } => "open, open_tree, move_mount",
            Self::PrepareRoot { access: Access::ReadOnly, .. } => {
                "open, open_tree, mount_setattr, move_mount"
            }
            Self::Mount(Mount::Volume { access: Access::ReadWrite, .. }) => {
                "openat2, open_tree, move_mount"
            }
            Self::Mount(Mount::Volume { access: Access::ReadOnly, .. }) => {
                "openat2, open_tree, mount_setattr, move_mount"
            }
            Self::Mount(Mount::Tmpfs { .. }) => "openat2, fsopen, fsmount, move_mount",
            Self::ProtectRoot => "mount_setattr(RDONLY)",
            Self::EnterRoot => "fchdir, pivot_root, umount2, chdir",
            Self::CloseDescriptors { .. } => "close_range",
            Self::ChangeDirectory(_) => "chdir",
            Self::SwitchUser(_) => "setgroups, setresgid, setresuid",
            Self::DieWithLauncher => "prctl(SET_PDEATHSIG), getppid",
        }
    }

    /// What it does, and why.
    fn describe<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        match self {
            Self::MapCaller { users, groups } => {
                text.push("map ids (inside, outside, count): users ");
                push_line(text, users).push(", groups ");
                push_line(text, groups)
            }
            Self::MakeMountsPrivate => {
                text.push("make all mounts private: none made here shows on the host")
            }
            Self::PrepareRoot { directory, access } => {
                text.push("make ").push_name(directory.to_bytes());
                text.push(" a mount of its own, as pivot_root asks");
                match access {
                    Access::ReadWrite => text,
                    Access::ReadOnly => text.push("; read-only below it"),
                }
            }
            Self::Mount(mount) => describe_mount(mount, text),
            Self::ProtectRoot => {
                text.push("make the root read-only, now that its mount points are there")
            }
            Self::EnterRoot => {
                text.push("make it /, and detach the old root: no name leads to the host")
            }
            Self::CloseDescriptors { first } => {
                text.push("close descriptors from ").push_number((*first).into());
                text.push(" on: none leads to the host")
            }
            Self::ChangeDirectory(directory) => {
                text.push("start in ").push_name(directory.to_bytes())
            }
            Self::SwitchUser(user) => {
                text.push("become user ").push_number(user.user.into());
                text.push(", group ").push_number(user.group.into());
                text.push(", without supplementary groups")
            }
            Self::DieWithLauncher => text.push("be killed when the launcher dies"),
        }
    }
}

fn describe_mount<'t>(mount: &Mount<'_>, text: &'t mut Text) -> &'t mut Text {
    match mount {
        Mount::Volume { source, target, access } => {
            text.push("show ").push_name(source.to_bytes());
            text.push(" as ").push_name(target.to_bytes());
            match access {
                Access::ReadWrite => text,
                Access::ReadOnly => text.push(", read-only"),
            }
        }
        Mount::Tmpfs { target } => {
            text.push("an empty directory in memory at ").push_name(target.to_bytes())
        }
    }
}

/// A line of an id map without its end.
fn push_line<'t>(text: &'t mut Text, line: &[u8]) -> &'t mut Text {
    text.push_name(cut(line, b'\n').0)
}
