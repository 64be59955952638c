//! What only the child of a runtime does: it meets its runtime on the way, enters a container that runs, and
//! has hooks run.

use crate::container::Attributes;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::kernel::terminal::{self, Console};
use crate::kernel::{attributes, labels, private_proc, sysctl};
use crate::rare::Rare;
use crate::sys::descriptors::AsFd;
use crate::sys::namespaces::{Namespaces, enter};
use core::ffi::CStr;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::process::{Pid, setsid};
use rustix::thread::set_keep_capabilities;

/// One thing that it does.
pub enum Act<'a> {
    /// Tell the runtime that this point is reached, and wait until it has done its part.
    Meet(Meeting),
    /// Be in a session of its own; setsid(2).
    NewSession,
    /// Enter these namespaces of the container's process 1; setns(2).
    Enter(Namespaces),
    /// Open a terminal in the container, and hand its other end to the runtime.
    OpenTerminal(Console),
    /// Have the hooks of a point run.
    Hooks(Point),
    /// Keep capabilities when the user changes; `PR_SET_KEEPCAPS(2const)`.
    HoldCapabilities,
    /// Set a kernel parameter of a namespace: the file below `/proc/sys`, and the value.
    Sysctl(&'a CStr, &'a CStr),
    /// Be scheduled, placed and kept apart like this.
    Attributes(&'a Attributes<'a>),
    /// Be executed under this profile of `AppArmor`'s.
    AppArmor(&'a CStr),
    /// Be executed with this label of `SELinux`'.
    SeLinux(&'a CStr),
}

/// Where runtime and child meet, as the letter that is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// The child has to be in its cgroup from here on.
    Cgroup = b'g' as isize,
    /// All is mounted; the hooks of the runtime's side are next.
    Hooks = b'h' as isize,
    /// All is applied.
    Created = b'c' as isize,
}

/// Where hooks run that run in the container.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Before the root is entered.
    CreateContainer,
    /// Before the program is executed.
    StartContainer,
}

/// What ties the child to others.
#[derive(Default)]
pub struct Ties<'s> {
    /// Where it talks to the runtime.
    pub runtime: Option<OwnedFd>,
    /// The process of the container that it enters.
    pub entered: Option<BorrowedFd<'s>>,
    /// Where its terminal goes.
    pub terminal: Option<BorrowedFd<'s>>,
    /// Where it waits to be started.
    pub starts: Option<BorrowedFd<'s>>,
    /// Where the descriptor of a filter goes.
    pub listener: Option<BorrowedFd<'s>>,
    /// A /proc that nobody else sees, once it is needed.
    pub proc: Option<OwnedFd>,
    /// The number of this process outside, once the runtime has told.
    pub number: i32,
}

static MEET: Operation = Operation::new(rare!("wait for the runtime"));
static TERMINAL: Operation = Operation::new(rare!("use the terminal without the runtime"));
static SESSION: Operation = Operation::new(rare!("make a session"));
static ENTER: Operation = Operation {
    words: rare!("enter the container's namespaces"),
    on: Object::None,
    cures: &[
        (Errno::PERM, Cure::Words(rare!("this takes root privilege over the container"))),
        (Errno::SRCH, Cure::Words(rare!("its process has just ended"))),
        (Errno::INVAL, Cure::Words(rare!("this takes Linux 5.8 or newer"))),
    ],
};
static HOLD: Operation = Operation::new(rare!("keep the capabilities when the user changes"));

impl Act<'_> {
    /// Does it.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn run(&self, ties: &mut Ties<'_>) -> Result<(), Fault> {
        match self {
            Self::Meet(meeting) => ties.meet(*meeting).doing(&MEET),
            Self::NewSession => match setsid() {
                // Who leads a group, leads a session already or need not.
                Ok(_) | Err(Errno::PERM) => Ok(()),
                Err(errno) => Err(errno).doing(&SESSION),
            },
            Self::Enter(kinds) => {
                let process = ties.entered.ok_or(Errno::BADF).doing(&ENTER)?;
                enter(process, *kinds).doing(&ENTER)
            }
            Self::OpenTerminal(console) => {
                terminal::open_joined(ties.terminal.ok_or(Errno::BADF).doing(&TERMINAL)?, *console)
            }
            // Who launches it runs them.
            Self::Hooks(_) => Ok(()),
            Self::HoldCapabilities => set_keep_capabilities(true).doing(&HOLD),
            Self::Sysctl(path, value) => sysctl::set(ties.proc()?, path, value.to_bytes()),
            Self::AppArmor(profile) => labels::apparmor(ties.proc()?, profile),
            Self::SeLinux(label) => labels::selinux(ties.proc()?, label),
            Self::Attributes(attributes) => set_all(attributes),
        }
    }

    /// The system calls it makes.
    #[must_use]
    pub fn calls(&self) -> Rare {
        match self {
            Self::Meet(_) => rare!("sendto, recvfrom"),
            Self::NewSession => rare!("setsid"),
            Self::Enter(_) => rare!("setns"),
            Self::OpenTerminal(_) => rare!("open, ioctl, setsid, sendmsg, dup3"),
            Self::Hooks(_) => rare!("clone, execve, wait4"),
            Self::HoldCapabilities => rare!("prctl(SET_KEEPCAPS)"),
            Self::Sysctl(..) | Self::AppArmor(_) | Self::SeLinux(_) => rare!("openat2, write"),
            Self::Attributes(_) => {
                rare!("sched_setattr, ioprio_set, set_mempolicy, personality, keyctl")
            }
        }
    }
}

/// Those that were asked for.
fn set_all(wanted: &Attributes<'_>) -> Result<(), Fault> {
    if let Some(name) = wanted.keyring {
        attributes::join_session_keyring(name)?;
    }
    if let Some(scheduler) = &wanted.scheduler {
        attributes::schedule(scheduler)?;
    }
    if let Some(priority) = wanted.io_priority {
        attributes::schedule_io(priority)?;
    }
    if let Some(policy) = &wanted.memory_policy {
        attributes::place_memory(policy)?;
    }
    wanted.personality.map_or(Ok(()), attributes::personality)
}

impl Ties<'_> {
    /// What of it is still needed when the other descriptors are closed.
    #[must_use]
    pub fn descriptors(&self) -> [Option<RawFd>; 3] {
        let number = |file: Option<BorrowedFd<'_>>| file.map(|file| file.as_raw_fd());
        let runtime = self.runtime.as_ref().map(AsFd::as_fd);
        [number(runtime), number(self.starts), number(self.listener)]
    }

    /// A /proc to write to, whatever is mounted over that of the host or of the container.
    fn proc(&mut self) -> Result<BorrowedFd<'_>, Fault> {
        let proc = match self.proc.take() {
            Some(proc) => proc,
            None => private_proc::open()?,
        };
        let proc: &OwnedFd = self.proc.insert(proc);
        Ok(proc.as_fd())
    }

    /// Says where the child is, and waits for the runtime, which tells the child's number.
    fn meet(&mut self, meeting: Meeting) -> Result<(), Errno> {
        let runtime = self.runtime.as_ref().ok_or(Errno::BADF)?;
        send(runtime.as_fd(), &[meeting as u8], SendFlags::NOSIGNAL)?;
        let mut number = [0; 4];
        // A runtime that is gone has no answer.
        if recv(runtime.as_fd(), &mut number[..], RecvFlags::empty())?.0 < 4 {
            return Err(Errno::PIPE);
        }
        self.number = i32::from_ne_bytes(number);
        Ok(())
    }
}

/// The answer at a meeting.
#[must_use]
pub fn answer(child: Pid) -> [u8; 4] {
    child.as_raw_nonzero().get().to_ne_bytes()
}
