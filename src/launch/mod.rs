//! Running a plan: the child is cloned and takes its steps, the launcher waits for the program.
//!
//! In the fast case the child shares the launcher's memory, and the launcher sleeps until the child
//! has executed the program or given up. So the child neither allocates nor formats; what went wrong
//! it leaves in a record, which both see in any case, and the launcher turns that into words.

pub mod assist;
mod child;
pub mod criu;
mod guard;
mod hints;
pub mod hooks;
pub mod id_map;
pub mod init;
pub mod links;
mod pasta;
mod prepare;
pub mod relay;
pub mod runtime;
pub mod told;
pub mod wait;
pub mod worker;

use crate::error::{Cure, Doing, Error, Fault, Object, Operation, status};
use crate::kernel::execute::execute;
use crate::kernel::identity::Parent;
use crate::kernel::program::{Refusal, SCRATCH_BYTES};
use crate::kernel::{namespaces, own_file};
use crate::plan::{Plan, Stage, Step, Ties};
use crate::sys::descriptors::AsFd;
use crate::sys::namespaces::Namespaces;
use crate::sys::process::{Memory, Stack, clone, share};
use crate::sys::signals::{self, Before};
use crate::text::Text;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::CStr;
use relay::Relay;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open};
use wait::Program;

/// Does something in a process that has a copy of our memory: what it takes of that goes with it. Whether it
/// was done; who ignores the ends of children is not told otherwise.
///
/// # Errors
///
/// mmap(2), clone(2).
pub fn aside(act: &mut dyn FnMut() -> bool) -> Result<bool, Fault> {
    let mut child = || u8::from(!act());
    match hooks::in_child(Memory::Copied, &mut child) {
        Err(Errno::CHILD) => Ok(true),
        ended => Ok(ended.doing(&ASIDE)?.exit_status() == Some(0)),
    }
}

/// The child's stack; it uses a few pages of it.
const STACK_BYTES: usize = 128 * 1024;

/// Runs the program, and returns the exit status that says how it ended.
///
/// # Errors
///
/// What kept the program from running.
#[inline(never)]
pub fn launch<'a>(plan: &'a Plan<'a>) -> Result<u8, Error<'a>> {
    let explain = |fault| hints::explain(fault, b"", plan);
    let signals = signals::hold(relay::signals(plan)).doing(&BLOCK).map_err(explain)?;
    let map_stack = || Stack::map(STACK_BYTES).doing(&MAP_STACK).map_err(explain);
    let mut stack = if plan.shares_memory() { Some(map_stack()?) } else { None };
    let Record { failure, scratch } = Record::new(plan.shares_memory()).map_err(explain)?;
    let mut scratch = Some(scratch.as_mut_slice());
    let channels = Channels::open(plan).map_err(explain)?;
    let mut init_stack = if plan.init { Some(map_stack()?) } else { None };
    let mut taken = Vec::new();
    prepare::all(plan, &mut taken)?;
    let mut child = || {
        let stage = channels.stage(core::mem::take(&mut taken));
        let scratch = scratch.take().unwrap_or_default();
        let life = Life { plan, signals, scratch };
        if let Some(stack) = init_stack.as_mut() {
            return init::run(life, stage, stack, failure);
        }
        *failure = Some(life.become_program(stage));
        status::FAILED
    };
    if let Some(join) = plan.processes {
        namespaces::join(join.path, join.kind)
            .map_err(|fault| hints::explain(fault, join.path.to_bytes(), plan))?;
    }
    let memory = stack.as_mut().map_or(Memory::Copied, Memory::Shared);
    let cloned = clone(memory, plan.namespaces, &mut child);
    drop(stack);
    let program = cloned.doing(&CLONE).map_err(explain)?;
    if plan.processes.is_some() {
        // What else the launcher starts is none of the container's business.
        let own = namespaces::join(c"/proc/self/ns/pid", Namespaces::PID);
        own.map_err(|fault| hints::explain(fault, b"/proc/self/ns/pid", plan))?;
    }
    // Process 1 obeys its own rules, and so sees to it itself.
    let stop_signal = if plan.init { Signal::TERM } else { plan.stop_signal };
    let waited_for = Program { process: program, stop_signal };
    let beside = match assist::all(plan, program, channels.go_ahead.as_ref(), signals) {
        Ok(beside) => beside,
        Err(error) => {
            let _ = kill_process(program, Signal::KILL);
            let _ = wait::until_end(waited_for, None);
            return Err(error);
        }
    };
    let ended = match channels.terminal {
        Some((ours, theirs)) => {
            drop(theirs);
            Relay::receive(&ours).run(waited_for, plan.timeout)
        }
        None => wait::until_end(waited_for, plan.timeout),
    };
    drop(beside);
    assist::undo(plan, program);
    let status = ended.doing(&WAIT).map_err(explain)?;
    match failure.take() {
        None => Ok(status),
        Some(Failure::Launcher(failed)) => Err(explain(failed)),
        Some(Failure::Step(step, fault)) => {
            Err(hints::explain(fault, step.name(fault.operation.on).to_bytes(), plan))
        }
        Some(Failure::Program(refusal)) => Err(hints::refusal(&refusal)),
    }
}

static BLOCK: Operation = Operation::new(rare!("block signals"));
static UNBLOCK: Operation = Operation::new(rare!("unblock signals"));
static ASIDE: Operation = Operation::new(rare!("do it in a process of its own"));
static MAP_STACK: Operation = Operation::new(rare!("map a stack for the child"));
static MAP: Operation = Operation::new(rare!("map memory to share with the child"));
static CONNECT: Operation = Operation::new(rare!("make a way to talk to the child"));
static CLONE: Operation = Operation {
    words: rare!("make a process in new namespaces"),
    on: Object::None,
    cures: &[
        (Errno::AGAIN, Cure::AllowProcesses),
        (Errno::PERM, Cure::AllowUserNamespaces),
        (Errno::NOSPC, Cure::AllowUserNamespaces),
        (Errno::USERS, Cure::AllowUserNamespaces),
        (
            Errno::INVAL,
            Cure::Words(rare!("the kernel lacks one of these isolations: mini-container check")),
        ),
        (
            Errno::NOMEM,
            Cure::Words(rare!(
                "if memory is left: process 1 of a joined process namespace has ended"
            )),
        ),
    ],
};
static WAIT: Operation = Operation::new(rare!("wait for the program"));

/// A process's number, for a name or a word.
fn number_of(process: Pid) -> u64 {
    process.as_raw_nonzero().get().unsigned_abs().into()
}

/// `/proc/PID/NAME`.
fn name_of(process: Pid, name: &str) -> &'static CStr {
    let mut path = Text::new();
    path.push("/proc/").push_number(number_of(process)).push("/").push(name);
    path.into_c_str()
}

/// What the child leaves to the launcher, wherever its memory is.
struct Record<'a> {
    failure: Option<Failure<'a>>,
    /// For the names in the failure.
    scratch: [u8; SCRATCH_BYTES],
}

impl<'a> Record<'a> {
    /// An empty one, where both see it.
    fn new(has_one_memory: bool) -> Result<&'a mut Self, Fault> {
        let record = Self { failure: None, scratch: [0; SCRATCH_BYTES] };
        if has_one_memory { Ok(Box::leak(Box::new(record))) } else { share(record).doing(&MAP) }
    }
}

/// Why the child could not become the program.
enum Failure<'a> {
    Step(&'a Step<'a>, Fault),
    Launcher(Fault),
    Program(Refusal<'a>),
}

/// What launcher and child talk through, as far as the plan asks for it.
struct Channels {
    parent: Parent,
    own_file: Option<OwnedFd>,
    go_ahead: Option<(OwnedFd, OwnedFd)>,
    terminal: Option<(OwnedFd, OwnedFd)>,
}

impl Channels {
    fn open(plan: &Plan<'_>) -> Result<Self, Fault> {
        let process = getpid();
        // Before Linux 5.3 a race with the launcher's own death stays.
        let open = || pidfd_open(process, PidfdFlags::empty()).ok();
        let file = plan.hides_launcher().then(open).flatten();
        let mut go_ahead = None;
        if !plan.assists.is_empty() {
            go_ahead = Some(pipe_with(PipeFlags::CLOEXEC).doing(&CONNECT)?);
        }
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let mut terminal = None;
        if plan.terminal {
            let pair = socketpair(family, kind, SocketFlags::CLOEXEC, None);
            terminal = Some(pair.doing(&CONNECT)?);
        }
        let own_file = if plan.init { Some(own_file::open()?) } else { None };
        Ok(Self { parent: Parent { process, file }, own_file, go_ahead, terminal })
    }

    /// The child's view of it.
    fn stage(&self, taken: Vec<Option<OwnedFd>>) -> Stage<'_> {
        Stage {
            launcher: &self.parent,
            own_file: self.own_file.as_ref().map(OwnedFd::as_fd),
            go_ahead: self.go_ahead.as_ref().map(|(read, write)| (read.as_fd(), write.as_fd())),
            terminal: self.terminal.as_ref().map(|(_, theirs)| theirs.as_fd()),
            taken,
            root: None,
            proc: None,
            sys: None,
            terminals: None,
            ties: Ties::default(),
            cgroups: None,
        }
    }
}

/// The child's way to the program.
struct Life<'a> {
    plan: &'a Plan<'a>,
    signals: Before,
    scratch: &'a mut [u8],
}

impl<'a> Life<'a> {
    /// Everything the child does; returns only if something failed.
    fn become_program(self, mut stage: Stage<'_>) -> Failure<'a> {
        match self.take_steps(&mut stage) {
            Err(failure) => failure,
            Ok(()) => self.execute(&mut stage),
        }
    }

    fn take_steps(&self, stage: &mut Stage<'_>) -> Result<(), Failure<'a>> {
        take(&self.plan.steps, stage)
    }

    /// The last moments, in the process that becomes the program.
    fn execute(self, stage: &mut Stage<'_>) -> Failure<'a> {
        if let Err(failure) = take(&self.plan.last_steps, stage) {
            return failure;
        }
        match self.signals.restore().doing(&UNBLOCK) {
            Err(fault) => Failure::Launcher(fault),
            Ok(()) => Failure::Program(execute(&self.plan.command, self.scratch)),
        }
    }
}

fn take<'a>(steps: &'a [Step<'a>], stage: &mut Stage<'_>) -> Result<(), Failure<'a>> {
    for step in steps {
        step.run(stage).map_err(|fault| Failure::Step(step, fault))?;
    }
    Ok(())
}
