//! The kernel's machine for filters, as far as they use it; it stops at what the kernel refuses.

use crate::sys::seccomp::Instruction;

/// What came of a program.
pub struct Outcome {
    /// What it returned.
    pub answer: u32,
    /// How many instructions that took.
    pub steps: usize,
}

/// Runs a program on a call; arguments that are not given are 0.
pub fn run(program: &[Instruction], abi: u32, number: u32, arguments: &[u64]) -> Outcome {
    let mut data = Vec::from([number, abi, 0, 0]);
    for place in 0..6 {
        let argument = arguments.get(place).copied().unwrap_or_default();
        data.extend([argument as u32, (argument >> 32) as u32]);
    }
    let (mut loaded, mut place) = (0, 0);
    for steps in 1.. {
        let Instruction { code, jt, jf, k } = program[place];
        let branch = |holds| usize::from(if holds { jt } else { jf });
        place += 1;
        match code {
            0x06 => return Outcome { answer: k, steps },
            0x20 => {
                assert_eq!(k % 4, 0);
                loaded = data[k as usize / 4];
            }
            0x54 => loaded &= k,
            0x05 => place += k as usize,
            0x15 => place += branch(loaded == k),
            0x25 => place += branch(loaded > k),
            0x35 => place += branch(loaded >= k),
            _ => panic!("no instruction {code:#x}"),
        }
    }
    unreachable!("steps do not run out")
}
