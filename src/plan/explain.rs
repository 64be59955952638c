//! A plan as a person reads it: a line a step, in the order they run, with the system calls and the
//! reason. Printed from the same list that runs.

use super::{Plan, Step};
use crate::container::KINDS;
use crate::rare::Rare;
use crate::sys::namespaces::Namespaces;
use crate::text::{Text, cut};

/// The columns: after the number, the system calls; then what they do and why.
const CALLS_COLUMN: usize = 4;
const WORDS_COLUMN: usize = 52;

impl Plan<'_> {
    /// The lines for the user.
    #[must_use]
    #[inline(never)]
    pub fn explain(&self) -> Text {
        let mut lines = Lines { text: Text::new(), number: 0 };
        lines.text.say(rare!("the launcher\n"));
        lines.add(rare!("rt_sigaction, rt_sigprocmask"));
        lines
            .text
            .say(rare!("block signals: none is lost while there is no program to pass it on to\n"));
        lines
            .add(rare!("mmap, mprotect"))
            .say(rare!("map a stack for the child, with a guard page below it\n"));
        for preparation in &self.preparations {
            preparation.describe(lines.add(preparation.calls()));
            lines.text.push("\n");
        }
        self.explain_clone(&mut lines);
        lines.text.say(rare!("the child\n"));
        self.explain_steps(&mut lines, &self.steps);
        if self.init {
            lines.add(rare!("clone(VM|VFORK), rt_sigtimedwait, kill, wait4")).say(rare!(
                "stay as process 1: start the program, pass signals on to it, reap what it leaves\n"
            ));
            lines.text.say(rare!("its child\n"));
        }
        self.explain_steps(&mut lines, &self.last_steps);
        let name = self.command.name.to_bytes();
        let place = if cut(name, b'/').1.is_some() { "\n" } else { " from the PATH\n" };
        let text = lines.add(rare!("rt_sigprocmask, execve"));
        text.say(rare!("unblock signals, become "))
            .push_name(name)
            .push(place)
            .say(rare!("the launcher\n"));
        if self.terminal {
            let text = lines.add(rare!("recvmsg, ioctl, poll, read, write"));
            text.say(rare!("pass on what is typed and what is printed, and the terminal's size\n"));
        }
        lines.add(rare!("rt_sigtimedwait, kill, wait4"));
        lines.text.say(rare!("pass signals on until the program ends, and end as it did\n"));
        if let Some(seconds) = self.timeout {
            lines.add(rare!("rt_sigtimedwait, kill")).say(rare!("kill the program after "));
            lines.text.push_number(seconds.into()).say(rare!(" seconds\n"));
        }
        lines.text
    }

    fn explain_steps(&self, lines: &mut Lines, steps: &[Step<'_>]) {
        for step in steps {
            if matches!(step, Step::AwaitLauncher) {
                for assist in &self.assists {
                    assist.describe(lines.add(assist.calls()));
                    lines.text.say(rare!(" (the launcher does)\n"));
                }
            }
            step.describe(lines.add(step.calls()));
            lines.text.push("\n");
        }
    }

    fn explain_clone(&self, lines: &mut Lines) {
        if let Some(join) = self.processes {
            let text = lines.add(rare!("open, setns(NEWPID)"));
            text.say(rare!("children are in the process namespace "))
                .push_name(join.path.to_bytes());
            text.push("\n");
        }
        let mut calls = Text::new();
        let is_shared = self.shares_memory();
        calls.say(rare!("clone(")).say(if is_shared {
            rare!("VM|VFORK")
        } else {
            rare!("SIGCHLD")
        });
        let mut words = Text::new();
        for (name, kernels, kind) in KINDS {
            if self.namespaces.contains(kind) && kind != Namespaces::TIME {
                let kernels = if kind == Namespaces::MOUNT { "ns" } else { kernels };
                calls.say(rare!("|NEW"));
                for letter in kernels.bytes() {
                    calls.push_name(&[letter.to_ascii_uppercase()]);
                }
                words
                    .say(if words.is_empty() { rare!(" with its own: ") } else { rare!(", ") })
                    .push(name);
            }
        }
        calls.push(")");
        let text =
            lines.add_name(calls.as_bytes()).say(rare!("a child")).push_name(words.as_bytes());
        text.say(if is_shared {
            rare!("; the launcher sleeps until it executes\n")
        } else {
            rare!("\n")
        });
    }
}

struct Lines {
    text: Text,
    number: u64,
}

impl Lines {
    /// Begins a line; what the calls do and why is to be added to it.
    fn add(&mut self, calls: Rare) -> &mut Text {
        self.add_name(calls.bytes())
    }

    fn add_name(&mut self, calls: &[u8]) -> &mut Text {
        self.number += 1;
        let start = self.text.len();
        self.text.push(if self.number < 10 { " " } else { "" });
        self.text.push_number(self.number).pad(start, CALLS_COLUMN);
        self.text.push_name(calls).pad(start, WORDS_COLUMN)
    }
}
