//! The way of a runtime's child to the program: it takes the plan's steps, has hooks run where they are due, waits to
//! be started, and tells in words what went wrong.

use super::runtime::{Attendant, Given, WAIT};
use super::told::{MESSAGE_BYTES, missing, refused, write_failure};
use super::{UNBLOCK, hints};
use crate::error::{Cure, Doing, Error, Fault, Object, Operation};
use crate::kernel::execute::execute;
use crate::kernel::own_file;
use crate::kernel::program::SCRATCH_BYTES;
use crate::kernel::sockets::send_file;
use crate::plan::{Act, Meeting, Plan, Point, Program, Stage, Step, Ties};
use crate::sys::seccomp::install_listening;
use crate::sys::signals::Before;
use alloc::vec::Vec;
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};

static LISTEN: Operation = Operation {
    words: rare!("hand the filter of system calls to who decides about them"),
    on: Object::None,
    cures: &[(Errno::BUSY, Cure::Words(rare!("this process has such a filter already")))],
};

/// All that the child does, told to the runtime or to who has started it; returns only if something failed.
pub(super) fn live(
    plan: &Plan<'_>,
    given: &Given<'_>,
    mut stage: Stage<'_>,
    attendant: &mut dyn Attendant,
    signals: Before,
) -> u8 {
    let error = go_through(plan, given, &mut stage, attendant, signals);
    if let Some(listener) = &stage.ties.runtime {
        let failure = write_failure(error);
        let bytes = failure.as_bytes();
        let _ = send(
            listener,
            bytes.get(..bytes.len().min(MESSAGE_BYTES)).unwrap_or_default(),
            SendFlags::NOSIGNAL,
        );
    }
    let status = error.status();
    // Its descriptors are closed already, and go with the process.
    core::mem::forget(stage);
    status
}

/// The child's way to the program; returns only if something failed.
pub(super) fn go_through<'s>(
    plan: &'s Plan<'_>,
    given: &Given<'_>,
    stage: &mut Stage<'_>,
    attendant: &mut dyn Attendant,
    signals: Before,
) -> Error<'s> {
    let mut told = take(plan, given, &plan.steps, stage, attendant, signals).err();
    if told.is_none()
        && let Some(starts) = given.starts
    {
        told = await_start(plan, starts, &mut stage.ties).err();
    }
    if told.is_none() && given.has_start_hooks {
        told = attendant.hooks(Point::StartContainer, stage.ties.number, signals).err();
    }
    told.unwrap_or_else(|| become_program(plan, given, stage, attendant, signals))
}

fn become_program<'s>(
    plan: &'s Plan<'_>,
    given: &Given<'_>,
    stage: &mut Stage<'_>,
    attendant: &mut dyn Attendant,
    signals: Before,
) -> Error<'s> {
    if let Err(error) = take(plan, given, &plan.last_steps, stage, attendant, signals) {
        return error;
    }
    if let Err(fault) = own_file::mark().and_then(|()| signals.restore().doing(&UNBLOCK)) {
        return hints::explain(fault, b"", plan);
    }
    let scratch = Vec::leak([0; SCRATCH_BYTES].to_vec());
    refused(plan, &execute(&plan.command, scratch))
}

fn take<'s>(
    plan: &'s Plan<'_>,
    given: &Given<'_>,
    steps: &'s [Step<'_>],
    stage: &mut Stage<'_>,
    attendant: &mut dyn Attendant,
    signals: Before,
) -> Result<(), Error<'s>> {
    for step in steps {
        let taken = match step {
            // It has done the runtime's part itself.
            Step::Act(Act::Meet(Meeting::Cgroup)) if stage.ties.runtime.is_none() => Ok(()),
            Step::Act(Act::Hooks(point)) => {
                attendant.hooks(*point, stage.ties.number, signals)?;
                Ok(())
            }
            Step::Filter(program) if program.listens => {
                let words = attendant.listener_words(stage.ties.number);
                listen(program, given.listener, words.as_bytes()).doing(&LISTEN)
            }
            step => step.run(stage),
        };
        if let Err(fault) = taken {
            return Err(hints::explain(fault, step.name(fault.operation.on).to_bytes(), plan));
        }
    }
    Ok(())
}

/// Installs a filter, and sends its descriptor, which is a call that no profile asks somebody about.
fn listen(program: &Program, to: Option<BorrowedFd<'_>>, words: &[u8]) -> Result<(), Errno> {
    let listener = install_listening(&program.instructions, program.flags)?;
    send_file(to.ok_or(Errno::BADF)?, words, &listener)
}

/// Tells the runtime that all is applied, and waits until somebody starts the container.
fn await_start<'s>(
    plan: &'s Plan<'_>,
    starts: BorrowedFd<'_>,
    ties: &mut Ties<'_>,
) -> Result<(), Error<'s>> {
    if let Some(refusal) = missing(plan) {
        return Err(refusal);
    }
    let explain = |errno| hints::explain(Fault { operation: &WAIT, errno }, b"", plan);
    let runtime = ties.runtime.take().ok_or(Errno::BADF).map_err(explain)?;
    send(&runtime, &[Meeting::Created as u8], SendFlags::NOSIGNAL).map_err(explain)?;
    drop(runtime);
    loop {
        let starter =
            retry_on_intr(|| accept_with(starts, SocketFlags::CLOEXEC)).map_err(explain)?;
        let mut byte = [0; 1];
        // Whoever goes away without a word has started nothing.
        if let Ok((1, _)) = retry_on_intr(|| recv(&starter, &mut byte[..], RecvFlags::empty())) {
            ties.runtime = Some(starter);
            return Ok(());
        }
    }
}
