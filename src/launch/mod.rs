//! Running a plan: the child is cloned and takes its steps, the launcher waits for it.
//!
//! The child shares the launcher's memory, and the launcher sleeps until the child has executed the
//! program or given up. So the child neither allocates nor formats; what went wrong it leaves in
//! `failure`, and the launcher turns that into words.

mod hints;
mod limits;
mod wait;

use crate::error::{Cure, Doing, Error, Fault, Object, Operation, status};
use crate::kernel::execute::execute;
use crate::kernel::program::{Refusal, SCRATCH_BYTES};
use crate::plan::{Plan, Stage, Step};
use crate::sys::process::{Stack, vfork};
use crate::sys::signals::{self, Before};
use rustix::io::Errno;
use rustix::process::getpid;

/// The child's stack; it uses a few pages of it.
const STACK_BYTES: usize = 128 * 1024;

/// Runs the program, and returns the exit status that says how it ended.
///
/// # Errors
///
/// What kept the program from running.
pub fn launch<'a>(plan: &'a Plan<'a>) -> Result<u8, Error<'a>> {
    let fault = |fault| hints::explain(fault, b"", plan);
    let signals = signals::hold(wait::SIGNALS).doing(&BLOCK).map_err(fault)?;
    let mut stack = Stack::map(STACK_BYTES).doing(&MAP_STACK).map_err(fault)?;
    let mut scratch = Some(alloc::vec![0; SCRATCH_BYTES].leak());
    let launcher = getpid();
    let mut failure = None;
    let mut child = || {
        let stage = Stage { launcher, root: None };
        let failed = become_program(plan, stage, signals, scratch.take().unwrap_or_default());
        failure = Some(failed);
        status::FAILED
    };
    let cloned = vfork(&mut stack, plan.namespaces, &mut child);
    drop(stack);
    let program = cloned.doing(&CLONE).map_err(fault)?;
    let status = wait::until_end(program).doing(&WAIT).map_err(fault)?;
    match failure {
        None => Ok(status),
        Some(Failure::Launcher(failed)) => Err(fault(failed)),
        Some(Failure::Step(step, fault)) => {
            Err(hints::explain(fault, step.name(fault.operation.on).to_bytes(), plan))
        }
        Some(Failure::Program(refusal)) => Err(hints::refusal(&refusal)),
    }
}

static BLOCK: Operation = Operation::new("block signals");
static UNBLOCK: Operation = Operation::new("unblock signals");
static MAP_STACK: Operation = Operation::new("map a stack for the child");
static CLONE: Operation = Operation {
    words: "make a process in new namespaces",
    on: Object::None,
    cures: &[
        (Errno::AGAIN, Cure::AllowProcesses),
        (Errno::PERM, Cure::AllowUserNamespaces),
        (Errno::NOSPC, Cure::AllowUserNamespaces),
        (Errno::USERS, Cure::AllowUserNamespaces),
    ],
};
static WAIT: Operation = Operation::new("wait for the program");

/// What the child leaves to the launcher when it could not become the program.
enum Failure<'a> {
    Step(&'a Step<'a>, Fault),
    Launcher(Fault),
    Program(Refusal<'a>),
}

/// Everything the child does; returns only if something failed.
fn become_program<'a>(
    plan: &'a Plan<'a>,
    mut stage: Stage,
    signals: Before,
    scratch: &'a mut [u8],
) -> Failure<'a> {
    for step in &plan.steps {
        if let Err(fault) = step.run(&mut stage) {
            return Failure::Step(step, fault);
        }
    }
    match signals.restore().doing(&UNBLOCK) {
        Err(fault) => Failure::Launcher(fault),
        Ok(()) => Failure::Program(execute(&plan.command, scratch)),
    }
}
