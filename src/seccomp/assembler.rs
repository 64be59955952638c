//! Putting a program of classic BPF together. Its jumps only lead forward, so it is written from
//! the last instruction to the first: then each jump knows how far its target is.

use super::{Action, Condition, Test};
use crate::sys::seccomp::Instruction;
use alloc::vec::Vec;
use linux_raw_sys::ptrace::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET,
    BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD,
    SECCOMP_RET_LOG, SECCOMP_RET_TRACE, SECCOMP_RET_TRAP, SECCOMP_RET_USER_NOTIF,
};

/// Where the call's number is in what the kernel tells the program: `struct seccomp_data`.
pub const NUMBER: u32 = 0;
/// Where the architecture is.
pub const ARCHITECTURE: u32 = 4;
/// Where the arguments are, of eight bytes each, the lower half first.
const ARGUMENTS: u32 = 16;

/// The instruction at a place, counted from the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Label(usize);

/// What a jump asks about the number that was loaded.
#[derive(Clone, Copy)]
pub enum Question {
    /// Whether it is this.
    Equal = BPF_JEQ as isize,
    /// Whether it is this or more.
    GreaterOrEqual = BPF_JGE as isize,
    /// Whether it is more.
    Greater = BPF_JGT as isize,
}

/// How far behind the next instruction a target of a question may be: a longer jump, to the other
/// target, may come between them.
const REACH: usize = 255;

/// A program, its last instruction first.
pub struct Assembler {
    reversed: Vec<Instruction>,
    /// Where each answer was written last.
    answers: Vec<(Action, Label)>,
}

impl Assembler {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { reversed: Vec::with_capacity(256), answers: Vec::new() }
    }

    /// The program, in its own order.
    pub fn finish(mut self) -> Vec<Instruction> {
        self.reversed.reverse();
        self.reversed
    }

    /// Ends with this answer.
    pub fn answer(&mut self, action: Action) -> Label {
        for (answer, label) in &self.answers {
            if *answer == action && self.reversed.len() - label.0 <= REACH {
                return *label;
            }
        }
        let label = self.push(BPF_RET | BPF_K, 0, 0, returned(action));
        self.answers.retain(|(answer, _)| *answer != action);
        self.answers.push((action, label));
        label
    }

    /// Loads the word at `offset`, and goes on at `next`.
    pub fn load(&mut self, offset: u32, next: Label) -> Label {
        self.fall_to(next);
        self.push(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset)
    }

    /// Goes to one label or the other by what was loaded.
    pub fn ask(&mut self, question: Question, value: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        let (yes, no) = (self.near(yes), self.near(no));
        let distance = |label: Label| (self.reversed.len() - 1 - label.0) as u8;
        self.push(BPF_JMP | question as u32 | BPF_K, distance(yes), distance(no), value)
    }

    /// Goes to one label or the other by whether the condition holds.
    pub fn test(&mut self, condition: Condition, yes: Label, no: Label) -> Label {
        let lower = ARGUMENTS + 8 * u32::from(condition.argument);
        match condition.test {
            Test::Equal(value) => self.masked(lower, u64::MAX, value, yes, no),
            Test::NotEqual(value) => self.masked(lower, u64::MAX, value, no, yes),
            Test::Masked { mask, value } => self.masked(lower, mask, value, yes, no),
            Test::Greater(value) => self.ordered(lower, Question::Greater, value, yes, no),
            Test::LessOrEqual(value) => self.ordered(lower, Question::Greater, value, no, yes),
            Test::GreaterOrEqual(value) => {
                self.ordered(lower, Question::GreaterOrEqual, value, yes, no)
            }
            Test::Less(value) => self.ordered(lower, Question::GreaterOrEqual, value, no, yes),
        }
    }

    fn masked(&mut self, lower: u32, mask: u64, value: u64, yes: Label, no: Label) -> Label {
        let next = self.masked_half(lower, mask as u32, value as u32, yes, no);
        self.masked_half(lower + 4, (mask >> 32) as u32, (value >> 32) as u32, next, no)
    }

    fn masked_half(&mut self, at: u32, mask: u32, value: u32, yes: Label, no: Label) -> Label {
        if mask == 0 {
            return yes;
        }
        let mut next = self.ask(Question::Equal, value & mask, yes, no);
        if mask != u32::MAX {
            self.fall_to(next);
            next = self.push(BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
        }
        self.load(at, next)
    }

    fn ordered(
        &mut self,
        lower: u32,
        at_last: Question,
        value: u64,
        yes: Label,
        no: Label,
    ) -> Label {
        let next = self.ask(at_last, value as u32, yes, no);
        let next = self.load(lower, next);
        let upper = (value >> 32) as u32;
        let next = self.ask(Question::Equal, upper, next, no);
        let next = self.ask(Question::Greater, upper, yes, next);
        self.load(lower + 4, next)
    }

    /// The label itself, or a longer jump to it.
    fn near(&mut self, label: Label) -> Label {
        if self.reversed.len() - label.0 <= REACH { label } else { self.jump(label) }
    }

    /// What is written next goes on at `label`.
    fn fall_to(&mut self, label: Label) {
        if label.0 + 1 != self.reversed.len() {
            self.jump(label);
        }
    }

    fn jump(&mut self, label: Label) -> Label {
        let distance = self.reversed.len() - 1 - label.0;
        self.push(BPF_JMP | BPF_JA, 0, 0, distance as u32)
    }

    fn push(&mut self, code: u32, jt: u8, jf: u8, k: u32) -> Label {
        self.reversed.push(Instruction { code: code as u16, jt, jf, k });
        Label(self.reversed.len() - 1)
    }
}

fn returned(action: Action) -> u32 {
    match action {
        Action::Allow => SECCOMP_RET_ALLOW,
        Action::Errno(number) => SECCOMP_RET_ERRNO | u32::from(number),
        Action::KillProcess => SECCOMP_RET_KILL_PROCESS,
        Action::KillThread => SECCOMP_RET_KILL_THREAD,
        Action::Trap => SECCOMP_RET_TRAP,
        Action::Log => SECCOMP_RET_LOG,
        Action::Notify => SECCOMP_RET_USER_NOTIF,
        Action::Trace(message) => SECCOMP_RET_TRACE | u32::from(message),
    }
}
