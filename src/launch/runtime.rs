//! Running a plan for a container that outlives who makes it: the child has a copy of the runtime's memory,
//! meets the runtime where the plan says, and tells in words what went wrong, to the runtime as long as it
//! is there, and then to whoever starts the container. Where nobody has to meet anybody, the child shares the
//! memory, as a launcher's does.

use super::child::{go_through, live};
use super::told::{MESSAGE_BYTES, read_failure};
use super::{CLONE, CONNECT, MAP_STACK, STACK_BYTES, assist, hints, wait};
use crate::container::number;
use crate::error::{Doing, Error, Fault, Operation, Why, status};
use crate::kernel::cgroup_mounts::Cgroups;
use crate::kernel::identity::Parent;
use crate::kernel::{namespaces, process};
use crate::plan::{Meeting, Plan, Point, Stage, Ties, answer};
use crate::sys::files::close_number;
use crate::sys::namespaces::{Namespaces, enter};
use crate::sys::process::{Memory, Stack, clone};
use crate::sys::signals::Before;
use crate::text::Text;
use alloc::vec::Vec;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, readlinkat_raw};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

/// What the runtime does while its child is on its way.
pub trait Attendant {
    /// The child is there: from here on it has to be known, and is to be put into its cgroup. It may be the one
    /// that calls this.
    ///
    /// # Errors
    ///
    /// What could not be done; the child is killed then.
    fn cloned(&mut self, child: Child) -> Result<(), Error<'static>>;

    /// All is mounted: hooks of the runtime's side run.
    ///
    /// # Errors
    ///
    /// As above.
    fn prepared(&mut self, child: Pid, signals: Before) -> Result<(), Error<'static>>;

    /// Runs the hooks of a point, in the child.
    ///
    /// # Errors
    ///
    /// Why one failed.
    fn hooks(&mut self, point: Point, child: i32, signals: Before) -> Result<(), Error<'static>>;

    /// What is told with the descriptor of a filter that asks somebody.
    fn listener_words(&mut self, child: i32) -> Text;
}

/// The child.
#[derive(Clone, Copy)]
pub struct Child {
    /// Its number here.
    pub process: Pid,
    /// Whether this is it.
    pub is_this: bool,
}

/// What the child is given.
#[derive(Default)]
pub struct Given<'s> {
    /// Where it waits for who starts the container: a listening socket. None: it goes on at once.
    pub starts: Option<BorrowedFd<'s>>,
    /// Where its terminal goes: a socket.
    pub terminal: Option<BorrowedFd<'s>>,
    /// The process whose container it enters.
    pub entered: Option<BorrowedFd<'s>>,
    /// Which of its namespaces are entered before the child is cloned: it is in them from its beginning.
    pub first_entered: Namespaces,
    /// Where the descriptor of a filter goes that asks somebody: a connected socket.
    pub listener: Option<BorrowedFd<'s>>,
    /// What a mount of cgroups shows.
    pub cgroups: Option<Cgroups<'s>>,
    /// Whether hooks are run before the program.
    pub has_start_hooks: bool,
}

pub(super) static WAIT: Operation = Operation::new(rare!("wait for the container's process"));
static FIND: Operation = Operation::new(rare!("read the number of this process from /proc/self"));
static ENTER: Operation = Operation::new(rare!("enter the container's namespaces"));

/// Clones the child and attends to it until it waits to be started or, without that, runs the program;
/// returns its number. `signals` are as they were before the runtime held some.
///
/// # Errors
///
/// What kept it from that; it is gone then.
pub fn create<'a>(
    plan: &'a Plan<'a>,
    given: &Given<'_>,
    attendant: &mut dyn Attendant,
    signals: Before,
) -> Result<Pid, Error<'a>> {
    let explain = |fault| hints::explain(fault, b"", plan);
    let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    let pair = socketpair(AddressFamily::UNIX, kind, flags, None);
    let (ours, theirs) = pair.doing(&CONNECT).map_err(explain)?;
    let mut go_ahead = None;
    if !plan.assists.is_empty() {
        go_ahead = Some(pipe_with(PipeFlags::CLOEXEC).doing(&CONNECT).map_err(explain)?);
    }
    let mut taken = Vec::new();
    super::prepare::all(plan, &mut taken)?;
    let (mut ours, mut theirs) = (Some(ours), Some(theirs));
    let launcher = Parent { process: getpid(), file: None };
    let mut child = || {
        // Only so does the end of it mean that the runtime is gone.
        drop(ours.take());
        let mut stage = given.stage(&launcher, core::mem::take(&mut taken));
        stage.go_ahead = go_ahead.as_ref().map(|(read, write)| (read.as_fd(), write.as_fd()));
        stage.ties.runtime = theirs.take();
        live(plan, given, stage, &mut *attendant, signals)
    };
    let process = beget(plan, given, &mut child)?;
    drop(theirs);
    let Some(ours) = ours else {
        return Err(explain(Fault { operation: &CONNECT, errno: Errno::BADF }));
    };
    let attended = attendant
        .cloned(Child { process, is_this: false })
        .map_err(|error| error as Error<'a>)
        .and_then(|()| assist::all(plan, process, go_ahead.as_ref(), signals).map(drop))
        .and_then(|()| attend(plan, &ours, process, attendant, (signals, given.starts.is_some())));
    if attended.is_err() {
        // One that told why is on its way out.
        let _ = kill_process(process, Signal::KILL);
        while matches!(waitpid(Some(process), WaitOptions::empty()), Err(Errno::INTR)) {}
    }
    attended.map(|()| process)
}

/// Clones a child that does everything by itself, in the memory of the runtime, which sleeps until it has executed the
/// program; returns its number. This takes the kernel less time; but there is nobody to meet, and whatever kills the
/// child for its memory kills the runtime with it.
///
/// # Errors
///
/// What kept it from that; it is gone then.
pub fn run<'a>(
    plan: &'a Plan<'a>,
    given: &Given<'_>,
    attendant: &mut dyn Attendant,
    signals: Before,
) -> Result<Pid, Error<'a>> {
    let explain = |fault| hints::explain(fault, b"", plan);
    let mut taken = Vec::new();
    super::prepare::all(plan, &mut taken)?;
    let mut stack = Stack::map(STACK_BYTES).doing(&MAP_STACK).map_err(explain)?;
    let numbers: Vec<_> = taken.iter().flatten().map(AsRawFd::as_raw_fd).collect();
    let launcher = Parent { process: getpid(), file: None };
    let mut failed = None;
    let mut child = || {
        let mut stage = given.stage(&launcher, core::mem::take(&mut taken));
        let noted = own_number().doing(&FIND).map_err(explain).and_then(|process| {
            stage.ties.number = process.as_raw_nonzero().get();
            attendant.cloned(Child { process, is_this: true })
        });
        failed = Some(match noted {
            Ok(()) => go_through(plan, given, &mut stage, &mut *attendant, signals),
            Err(error) => error,
        });
        status::FAILED
    };
    let memory = Memory::Shared(&mut stack);
    let process = clone(memory, plan.namespaces, &mut child).doing(&CLONE).map_err(explain)?;
    // The child has closed those of its own, and taken the list.
    for number in numbers {
        close_number(number.unsigned_abs());
    }
    let Some(error) = failed else { return Ok(process) };
    while matches!(waitpid(Some(process), WaitOptions::empty()), Err(Errno::INTR)) {}
    Err(error)
}

/// The number of this process where the host's /proc is from, whatever it is in its own namespace.
fn own_number() -> Result<Pid, Errno> {
    let mut digits = [0; 16];
    let length = readlinkat_raw(CWD, c"/proc/self", &mut digits)?;
    let number = number(digits.get(..length).unwrap_or_default())
        .and_then(|number| i32::try_from(number).ok());
    number.and_then(Pid::from_raw).ok_or(Errno::SRCH)
}

impl Given<'_> {
    /// What the child begins with.
    fn stage<'s>(&'s self, launcher: &'s Parent, taken: Vec<Option<OwnedFd>>) -> Stage<'s> {
        Stage {
            launcher,
            own_file: None,
            go_ahead: None,
            terminal: self.terminal,
            taken,
            root: None,
            proc: None,
            sys: None,
            terminals: None,
            cgroups: self.cgroups,
            ties: Ties {
                terminal: self.terminal,
                runtime: None,
                entered: self.entered,
                starts: self.starts,
                listener: self.listener,
                proc: None,
                number: 0,
            },
        }
    }
}

/// Clones the child. Where it is to be in namespaces that belong to other users, or are known by a path, a
/// process between enters those, and clones it for this one.
fn beget<'a>(
    plan: &Plan<'a>,
    given: &Given<'_>,
    child: &mut dyn FnMut() -> u8,
) -> Result<Pid, Error<'a>> {
    let explain = |fault| hints::explain(fault, b"", plan);
    let mut child = || child();
    if given.entered.is_some() || !plan.entered.is_empty() {
        // Who is there already could otherwise look at it; the child has this from its beginning.
        process::hide().map_err(explain)?;
    }
    if plan.entered.is_empty() && Namespaces::PID.contains(given.first_entered) {
        // Only children are in one of processes: this process stays where it is, and clones nothing else.
        let cloned = enter_all(plan, given)
            .and_then(|()| clone(Memory::Copied, plan.namespaces, &mut child).doing(&CLONE));
        return cloned.map_err(explain);
    }
    let mut cloned = Err(Fault { operation: &CLONE, errno: Errno::SRCH });
    let mut between = || {
        cloned = enter_all(plan, given)
            .and_then(|()| clone(Memory::ForParent, plan.namespaces, &mut child).doing(&CLONE));
        0
    };
    let mut stack = Stack::map(STACK_BYTES).doing(&MAP_STACK).map_err(explain)?;
    let process = clone(Memory::Shared(&mut stack), Namespaces::NONE, &mut between);
    let process = process.doing(&CLONE).map_err(explain)?;
    while matches!(waitpid(Some(process), WaitOptions::empty()), Err(Errno::INTR)) {}
    cloned.map_err(|fault| {
        let on = plan.entered.first().map_or(&b""[..], |join| join.path.to_bytes());
        hints::explain(fault, on, plan)
    })
}

/// What the child is in from its beginning.
fn enter_all(plan: &Plan<'_>, given: &Given<'_>) -> Result<(), Fault> {
    if let (Some(process), false) = (given.entered, given.first_entered.is_none()) {
        enter(process, given.first_entered).doing(&ENTER)?;
    }
    plan.entered.iter().try_for_each(|join| namespaces::join(join.path, join.kind))
}

/// Answers the child at each meeting.
fn attend<'a>(
    plan: &Plan<'a>,
    channel: &OwnedFd,
    child: Pid,
    attendant: &mut dyn Attendant,
    (signals, waits): (Before, bool),
) -> Result<(), Error<'a>> {
    let mut message = [0; MESSAGE_BYTES];
    loop {
        let received = retry_on_intr(|| recv(channel, &mut message[..], RecvFlags::empty()));
        let length = received.doing(&WAIT).map_err(|fault| hints::explain(fault, b"", plan))?.0;
        match message.get(..length.min(MESSAGE_BYTES)) {
            // The child's end is closed when it executes the program, or is killed on the way.
            None | Some([]) if !waits => return Ok(()),
            None | Some([]) => {
                let hint =
                    rare!("killed, perhaps for its memory: the limit is too low for its mounts")
                        .bytes();
                let why = Why::Text(rare!("it ended on the way"));
                return Err(Error::new(
                    rare!("make the container's process"),
                    b"",
                    why,
                    hint,
                    status::FAILED,
                ));
            }
            Some([letter]) if *letter == Meeting::Created as u8 => return Ok(()),
            Some([letter]) => {
                if *letter == Meeting::Hooks as u8 {
                    attendant.prepared(child, signals)?;
                }
                let answered = send(channel, &answer(child), SendFlags::NOSIGNAL);
                if answered.is_err_and(|errno| errno != Errno::PIPE) {
                    return Err(hints::explain(
                        Fault { operation: &WAIT, errno: Errno::PIPE },
                        b"",
                        plan,
                    ));
                }
            }
            Some(told) => return Err(read_failure(told)),
        }
    }
}

/// A process that is this one's child, to be waited for.
#[must_use]
pub fn program(process: Pid) -> wait::Program {
    wait::Program { process, stop_signal: Signal::TERM }
}

/// Waits for its end, and passes signals on to it; its exit status.
///
/// # Errors
///
/// wait4(2).
pub fn until_end(program: wait::Program) -> Result<u8, Errno> {
    wait::until_end(program, None)
}
