//! A process of ours as process 1: it starts the program, passes signals on to it, reaps whatever the
//! program leaves, and ends when the program does, which ends all others in the namespace;
//! `pid_namespaces(7)`.
//!
//! Once the program runs, this process executes the launcher's sealed copy anew, to be rid of the
//! memory that the launch took.

use super::wait::{self, Program};
use super::{CLONE, Failure, Life, WAIT, number_of};
use crate::container::{number, signal};
use crate::error::{Doing, status};
use crate::kernel::process;
use crate::plan::Stage;
use crate::sys::namespaces::Namespaces;
use crate::sys::process::{Memory, Stack, StringList, clone, execute_file};
use crate::text::Text;
use core::ffi::CStr;
use rustix::process::Pid;
use rustix::thread::set_name;

/// What the launcher is called when it is to stay as process 1, which nobody types. (In a process
/// namespace that was joined, the number is another.)
const NAME: &CStr = c"mini-container init";

/// Takes the steps, starts the program, and stays until it ends; returns its exit status.
pub(super) fn run<'a>(
    life: Life<'a>,
    mut stage: Stage<'_>,
    stack: &mut Stack,
    failure: &mut Option<Failure<'a>>,
) -> u8 {
    if let Err(failed) = life.take_steps(&mut stage) {
        *failure = Some(failed);
        return status::FAILED;
    }
    let own_file = stage.own_file;
    let stop_signal = life.plan.stop_signal;
    let mut life = Some(life);
    let mut program = || {
        *failure = life.take().map(|life| life.execute(&mut stage));
        status::FAILED
    };
    let started = clone(Memory::Shared(stack), Namespaces::NONE, &mut program).doing(&CLONE);
    let ended = started.and_then(|process| {
        if let (None, Some(file)) = (&failure, own_file) {
            let (number, signal) = (word(number_of(process)), word(stop_signal.as_raw() as u64));
            let words = StringList::new(&[NAME, number, signal]);
            // Where that cannot be, this process stays as it is.
            let _ = execute_file(file, &words, &StringList::new(&[]));
        }
        wait::until_end_of_all(Program { process, stop_signal }).doing(&WAIT)
    });
    match ended {
        Ok(status) => status,
        Err(fault) => {
            *failure = Some(Failure::Launcher(fault));
            status::FAILED
        }
    }
}

fn word(number: u64) -> &'static CStr {
    let mut text = Text::new();
    text.push_number(number);
    text.into_c_str()
}

/// The program that this process was executed for, to stay as process 1.
#[must_use]
pub fn program(words: &[&CStr]) -> Option<Program> {
    match words {
        [name, program, stop_signal] if *name == NAME => {
            let process = Pid::from_raw(i32::try_from(number(program.to_bytes())?).ok()?)?;
            Some(Program { process, stop_signal: signal(stop_signal.to_bytes())? })
        }
        _ => None,
    }
}

/// Stays until the program ends; returns its exit status.
#[must_use]
pub fn stay(program: Program) -> u8 {
    // Neither can fail here; there is nobody left to tell.
    let _ = process::hide();
    let _ = set_name(c"mini-container");
    wait::until_end_of_all(program).unwrap_or(status::FAILED)
}
