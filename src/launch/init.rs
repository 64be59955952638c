//! A process of ours as process 1: it starts the program, passes signals on to it, reaps whatever the
//! program leaves, and ends when the program does, which ends all others in the namespace;
//! `pid_namespaces(7)`.

use super::wait;
use super::{CLONE, Failure, Life, WAIT};
use crate::error::{Doing, Fault, status};
use crate::plan::Stage;
use crate::sys::namespaces::Namespaces;
use crate::sys::process::{Memory, Stack, clone};

/// Takes the steps, starts the program, and stays until it ends; returns its exit status.
pub fn run<'a>(
    life: Life<'a>,
    mut stage: Stage<'_>,
    stack: &mut Stack,
    failure: &mut Option<Failure<'a>>,
) -> u8 {
    if let Err(failed) = life.take_steps(&mut stage) {
        *failure = Some(failed);
        return status::FAILED;
    }
    let mut life = Some(life);
    let mut program = || {
        *failure = life.take().map(|life| life.execute(&mut stage));
        status::FAILED
    };
    let started = clone(stack, Memory::Shared, Namespaces::NONE, &mut program).doing(&CLONE);
    let ended: Result<u8, Fault> =
        started.and_then(|program| wait::until_end_of_all(program).doing(&WAIT));
    match ended {
        Ok(status) => status,
        Err(fault) => {
            *failure = Some(Failure::Launcher(fault));
            status::FAILED
        }
    }
}
