//! From a profile to a program: the numbers of an ABI fall into ranges of one answer, and the
//! program looks for the range of a call by halving. So every call gets its answer after about as
//! many steps, and the kernel, which tries all numbers when a filter is installed, is soon done.

use super::assembler::{ARCHITECTURE, Assembler, Label, NUMBER, Question};
use super::calls::NUMBERS_END;
use super::{Abi, Action, Architecture, Call, Profile};
use crate::error::Error;
use crate::sys::seccomp::Instruction;
use alloc::vec::Vec;
use linux_raw_sys::ptrace::{AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386, AUDIT_ARCH_X86_64};

/// As long as the kernel lets a program be: `BPF_MAXINSNS`.
const LENGTH_MAX: usize = 4096;

/// The bit that tells the numbers of x32 from those of x86-64.
const X32_BIT: u32 = 0x4000_0000;

/// What is answered to a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Always(Action),
    /// The call's arguments decide.
    Depends(Call),
}

/// Numbers with one answer: from this one to the next range.
struct Range {
    first: u32,
    answer: Answer,
}

/// The program for a profile on a machine.
///
/// # Errors
///
/// The profile's conditions on arguments are too many for a program.
pub fn compile(
    profile: &Profile,
    architecture: Architecture,
) -> Result<Vec<Instruction>, Error<'static>> {
    let mut ranges = Vec::with_capacity(256);
    let mut program = Assembler::new();
    let mut foreign = None;
    let token = match architecture {
        Architecture::X86_64 => {
            if profile.x86 {
                add_ranges(&mut ranges, profile, Abi::X86, 0);
                foreign = Some(answer_calls(&mut program, profile, &ranges));
                ranges.clear();
            }
            add_ranges(&mut ranges, profile, Abi::X86_64, 0);
            if profile.x32 {
                add_ranges(&mut ranges, profile, Abi::X32, X32_BIT);
            } else {
                add_range(&mut ranges, X32_BIT, Answer::Always(Action::UNKNOWN));
            }
            AUDIT_ARCH_X86_64
        }
        Architecture::Aarch64 => {
            add_ranges(&mut ranges, profile, Abi::Aarch64, 0);
            AUDIT_ARCH_AARCH64
        }
    };
    let native = answer_calls(&mut program, profile, &ranges);
    let mut other = program.answer(Action::UNKNOWN);
    if let Some(foreign) = foreign {
        other = program.ask(Question::Equal, AUDIT_ARCH_I386, foreign, other);
    }
    let start = program.ask(Question::Equal, token, native, other);
    program.load(ARCHITECTURE, start);
    let program = program.finish();
    if program.len() > LENGTH_MAX {
        let why = rare!("its conditions on arguments are too many for the kernel");
        return Err(Error::usage(rare!("compile the seccomp profile"), b"", why, b""));
    }
    Ok(program)
}

/// Adds what the profile answers to the numbers of an ABI, which begin at `base`.
fn add_ranges(ranges: &mut Vec<Range>, profile: &Profile, abi: Abi, base: u32) {
    let default = profile.default;
    let newer = if default.is_permissive() { default } else { Action::UNKNOWN };
    let mut answers = [Answer::Always(newer); NUMBERS_END];
    for call in Call::all() {
        if let Some(answer) = answers.get_mut(call.number(abi)) {
            *answer = Answer::Always(default);
        }
    }
    let mut named = 0;
    for rule in profile.rules.iter().rev() {
        for call in &rule.calls {
            let number = call.number(abi);
            if let Some(answer) = answers.get_mut(number) {
                *answer = if rule.conditions.is_empty() {
                    Answer::Always(rule.action)
                } else {
                    Answer::Depends(*call)
                };
                named = number.max(named);
            }
        }
    }
    for (first, answer) in (base..).zip(answers.iter().take(named + 1)) {
        add_range(ranges, first, *answer);
    }
    add_range(ranges, base + named as u32 + 1, Answer::Always(newer));
}

fn add_range(ranges: &mut Vec<Range>, first: u32, answer: Answer) {
    if ranges.last().is_none_or(|range| range.answer != answer) {
        ranges.push(Range { first, answer });
    }
}

/// Loads the call's number, and answers by it.
fn answer_calls(program: &mut Assembler, profile: &Profile, ranges: &[Range]) -> Label {
    let search = search(program, profile, ranges);
    program.load(NUMBER, search)
}

fn search(program: &mut Assembler, profile: &Profile, ranges: &[Range]) -> Label {
    let (lower, upper) = ranges.split_at(ranges.len() / 2);
    match upper {
        [] => program.answer(profile.default),
        [range] if lower.is_empty() => match range.answer {
            Answer::Always(action) => program.answer(action),
            Answer::Depends(call) => decide(program, profile, call),
        },
        [first, ..] => {
            let at_least = search(program, profile, upper);
            let less = search(program, profile, lower);
            program.ask(Question::GreaterOrEqual, first.first, at_least, less)
        }
    }
}

/// Goes through the rules for a call whose arguments decide.
fn decide(program: &mut Assembler, profile: &Profile, call: Call) -> Label {
    let mut next = program.answer(profile.default);
    for rule in profile.rules.iter().rev() {
        if rule.calls.contains(&call) {
            let mut held = program.answer(rule.action);
            for condition in rule.conditions.iter().rev() {
                held = program.test(*condition, held, next);
            }
            next = held;
        }
    }
    next
}
