//! Which devices may be used: rules in version 1, and in version 2 a program that the kernel asks.
//!
//! Nothing is allowed that no rule allows. What every container is given follows the rules that were asked for: making
//! files for devices, the devices of a standard /dev, and its terminals.

use super::Cgroup;
use super::files::{Path, failed, open, put};
use crate::container::{DeviceAccess, DeviceKind, DeviceRule};
use crate::error::Error;
use crate::kernel::caller::is_initial_namespace;
use crate::rare::Rare;
use crate::sys::bpf::{self, Instruction};
use crate::text::Text;
use rustix::fd::AsFd;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

const LIMIT: Rare = rare!("limit the devices of the cgroup");
const MAKE: DeviceAccess = DeviceAccess(DeviceAccess::MAKE);

const fn always(
    kind: DeviceKind,
    major: Option<u32>,
    minor: Option<u32>,
    access: DeviceAccess,
) -> DeviceRule {
    DeviceRule { allow: true, kind, major, minor, access }
}

/// A device that every container has.
const fn usual(major: u32, minor: Option<u32>) -> DeviceRule {
    always(DeviceKind::Character, Some(major), minor, DeviceAccess::ALL)
}

/// What every container may use.
static ALWAYS: [DeviceRule; 11] = [
    always(DeviceKind::Character, None, None, MAKE),
    always(DeviceKind::Block, None, None, MAKE),
    // null, zero, full, random, urandom
    usual(1, Some(3)),
    usual(1, Some(5)),
    usual(1, Some(7)),
    usual(1, Some(8)),
    usual(1, Some(9)),
    // tty, console, ptmx, pts
    usual(5, Some(0)),
    usual(5, Some(1)),
    usual(5, Some(2)),
    usual(136, None),
];

fn all_rules(asked: &[DeviceRule]) -> &'static [DeviceRule] {
    let mut rules = asked.to_vec();
    rules.extend_from_slice(&ALWAYS);
    rules.leak()
}

/// Whether a rule is about all devices and all access, which version 1 writes as `a`.
fn is_all(rule: &DeviceRule) -> bool {
    let is_any = rule.major.is_none() && rule.minor.is_none();
    rule.kind == DeviceKind::All && is_any && rule.access == DeviceAccess::ALL
}

impl Cgroup {
    /// Puts the rules in force. In a user namespace, where nobody can, the kernel gives access to no devices but by files
    /// that were there before.
    pub(super) fn set_devices(&self, asked: &[DeviceRule]) -> Result<(), Error<'static>> {
        let folder = self.controlled(b"devices").filter(|folder| folder.is_usable);
        let Some(folder) = folder else {
            let is_excused = self.is_disabled || is_unprivileged();
            return if is_excused { Ok(()) } else { Err(self.missing(b"devices")) };
        };
        let rules = all_rules(asked);
        let (set, file) = if self.is_unified {
            (attach(folder.path, program(rules)), &b""[..])
        } else {
            (write(folder.path, rules), &b"devices.allow"[..])
        };
        match set {
            Err(Errno::PERM | Errno::ACCESS) if is_unprivileged() => Ok(()),
            Err(errno) => {
                let hint = match errno {
                    Errno::PERM => {
                        rare!("a cgroup cannot be allowed more than the one above it")
                    }
                    Errno::NOSYS | Errno::INVAL if self.is_unified => {
                        rare!("this takes a kernel with CONFIG_CGROUP_BPF, Linux 4.15")
                    }
                    _ => Rare::NONE,
                };
                Err(failed(folder.path, file, LIMIT, errno, hint))
            }
            Ok(()) => Ok(()),
        }
    }
}

/// Whether the caller has no say about devices: it is not root, or root only of a user namespace.
#[cold]
fn is_unprivileged() -> bool {
    !is_initial_namespace() || !geteuid().is_root()
}

/// Writes the rules of version 1.
fn write(folder: &[u8], rules: &[DeviceRule]) -> Result<(), Errno> {
    let (allow, deny) = (open(folder, b"devices.allow")?, open(folder, b"devices.deny")?);
    put(&deny, b"a")?;
    for (place, rule) in rules.iter().enumerate() {
        if place == 0 && is_all(rule) && !rule.allow {
            continue;
        }
        let file = if rule.allow { &allow } else { &deny };
        if is_all(rule) {
            put(file, b"a")?;
            continue;
        }
        // `a` would stand for all devices, whatever numbers follow.
        for (kind, letter) in [(DeviceKind::Character, "c "), (DeviceKind::Block, "b ")] {
            if rule.kind == kind || rule.kind == DeviceKind::All {
                put(file, line(letter, rule).as_bytes())?;
            }
        }
    }
    Ok(())
}

/// `KIND MAJOR:MINOR ACCESS`.
fn line(kind: &str, rule: &DeviceRule) -> Text {
    let mut line = Text::new();
    line.push(kind);
    for (number, behind) in [(rule.major, ":"), (rule.minor, " ")] {
        match number {
            Some(number) => line.push_number(number.into()),
            None => line.push("*"),
        };
        line.push(behind);
    }
    for (bit, letter) in b"rwm".iter().enumerate() {
        if rule.access.0 >> bit & 1 == 1 {
            line.push_raw(&[*letter]);
        }
    }
    line
}

/// Attaches a program in the place of those that were there.
fn attach(folder: &[u8], program: &[Instruction]) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let cgroup = openat(CWD, Path::new(folder, b"").as_c_str(), flags, Mode::empty())?;
    let mut before = [0; 64];
    let count = bpf::attached(cgroup.as_fd(), &mut before)?;
    let loaded = match bpf::load(program) {
        Err(Errno::PERM) => {
            // Before Linux 5.11 programs count as locked memory of their user, all together.
            let hard = getrlimit(Resource::Memlock).maximum;
            let raised = Rlimit { current: None, maximum: None };
            setrlimit(Resource::Memlock, raised).or_else(|_| {
                setrlimit(Resource::Memlock, Rlimit { current: hard, maximum: hard })
            })?;
            bpf::load(program)?
        }
        answer => answer?,
    };
    bpf::attach(cgroup.as_fd(), loaded.as_fd())?;
    // Until they are gone, both have to agree, so nothing is allowed meanwhile that should not be.
    for old in before.get(..count).unwrap_or_default() {
        match bpf::detach(cgroup.as_fd(), *old) {
            Ok(()) | Err(Errno::NOENT) => {}
            answer => return answer,
        }
    }
    Ok(())
}

/// What the kernel tells the program, a word each: the kind below the access, and the device's numbers.
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// Instructions, of those in the kernel's `bpf.rst`: on registers of 64 bits, with a number.
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const AND: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const LOAD_WORD: u8 = 0x61;
const JUMP_IF_EQUAL: u8 = 0x15;
const JUMP_IF_NOT_EQUAL: u8 = 0x55;
const EXIT: u8 = 0x95;

const fn to(code: u8, registers: u8, offset: i16, number: i32) -> Instruction {
    Instruction { code, registers, offset, number }
}

/// Takes apart what the kernel tells.
const BEGIN: [Instruction; 6] = [
    to(LOAD_WORD, KIND | 1 << 4, 0, 0),
    to(MOVE_REGISTER, ACCESS | KIND << 4, 0, 0),
    to(SHIFT_RIGHT, ACCESS, 0, 16),
    to(AND, KIND, 0, 0xffff),
    to(LOAD_WORD, MAJOR | 1 << 4, 4, 0),
    to(LOAD_WORD, MINOR | 1 << 4, 8, 0),
];

/// What a rule ends with that allows: yes, if no other access is left than its own, which is taken away.
const ALLOW: &[Instruction] = &[
    to(AND, ACCESS, 0, ASKED),
    to(JUMP_IF_NOT_EQUAL, ACCESS, 2, 0),
    to(MOVE, 0, 0, 1),
    to(EXIT, 0, 0, 0),
];

/// What one ends with that denies: no, if any of its access is left.
const DENY: &[Instruction] = &[
    to(MOVE_REGISTER, ACCESS << 4, 0, 0),
    to(AND, 0, 0, ASKED),
    to(JUMP_IF_EQUAL, 0, 2, 0),
    to(MOVE, 0, 0, 0),
    to(EXIT, 0, 0, 0),
];

/// Stands where the access comes that a rule is about, or what is left without it.
const ASKED: i32 = i32::MAX;

/// The program for rules: from the last to the first, each that is about the device says about the access that is left.
/// A rule that denies any of it ends with no; one that allows the rest, with yes.
fn program(rules: &[DeviceRule]) -> &'static [Instruction] {
    let mut all = BEGIN.to_vec();
    for rule in rules.iter().rev() {
        let kind = match rule.kind {
            DeviceKind::All => None,
            DeviceKind::Block => Some(1),
            DeviceKind::Character => Some(2),
        };
        // The kernel's bits are in another order: making, reading, writing.
        let access = i32::from(rule.access.0);
        let access = access >> 2 & 1 | (access & 3) << 1;
        let (end, asked) = if rule.allow { (ALLOW, !access) } else { (DENY, access) };
        let questions = [(KIND, kind), (MAJOR, rule.major), (MINOR, rule.minor)];
        let mut left = end.len() + questions.iter().filter(|(_, number)| number.is_some()).count();
        for (register, number) in questions {
            if let Some(number) = number {
                left -= 1;
                all.push(to(JUMP_IF_NOT_EQUAL, register, left as i16, number.cast_signed()));
            }
        }
        for step in end {
            let number = if step.number == ASKED { asked } else { step.number };
            all.push(Instruction { number, ..*step });
        }
    }
    all.extend_from_slice(&[to(MOVE, 0, 0, 0), to(EXIT, 0, 0, 0)]);
    all.leak()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: u8 = DeviceAccess::READ;
    const WRITE: u8 = DeviceAccess::WRITE;

    fn rule(allow: bool, kind: DeviceKind, numbers: [Option<u32>; 2], access: u8) -> DeviceRule {
        let [major, minor] = numbers;
        DeviceRule { allow, kind, major, minor, access: DeviceAccess(access) }
    }

    /// Runs a program as the kernel does; the access is in our own bits.
    fn asked(program: &[Instruction], kind: DeviceKind, device: (u32, u32), access: u8) -> bool {
        let kind = if kind == DeviceKind::Block { 1 } else { 2 };
        let access = u32::from(access);
        let told = [kind | (access >> 2 & 1 | (access & 3) << 1) << 16, device.0, device.1];
        let mut registers = [0_u64; 11];
        let mut at = 0;
        loop {
            let Instruction { code, registers: both, offset, number } = program[at];
            let (to, from) = (usize::from(both & 15), usize::from(both >> 4));
            let wide = i64::from(number) as u64;
            at += 1;
            let jumps = match code {
                LOAD_WORD => {
                    assert_eq!(from, 1, "only what is told is loaded");
                    registers[to] = u64::from(told[offset as usize / 4]);
                    continue;
                }
                MOVE => {
                    registers[to] = wide;
                    continue;
                }
                MOVE_REGISTER => {
                    registers[to] = registers[from];
                    continue;
                }
                AND => {
                    registers[to] &= wide;
                    continue;
                }
                SHIFT_RIGHT => {
                    registers[to] >>= wide;
                    continue;
                }
                EXIT => return registers[0] == 1,
                JUMP_IF_EQUAL => registers[to] == wide,
                JUMP_IF_NOT_EQUAL => registers[to] != wide,
                code => panic!("{code:#x}"),
            };
            if jumps {
                at += offset as usize;
            }
        }
    }

    #[test]
    fn the_last_rule_about_a_device_counts() {
        let all = DeviceKind::All;
        let rules = [
            rule(false, all, [None, None], 7),
            rule(true, DeviceKind::Block, [Some(8), None], 7),
            rule(false, DeviceKind::Block, [Some(8), Some(1)], WRITE),
            rule(true, DeviceKind::Character, [Some(10), Some(200)], READ),
            rule(true, all, [Some(10), Some(200)], WRITE),
        ];
        let program = program(all_rules(&rules));
        let (character, block) = (DeviceKind::Character, DeviceKind::Block);
        for (kind, device, access, expected) in [
            (block, (8, 0), 7, true),
            (block, (8, 1), READ, true),
            (block, (8, 1), WRITE, false),
            (block, (8, 1), READ | WRITE, false),
            (character, (8, 0), READ, false),
            (character, (10, 200), READ | WRITE, true),
            (block, (10, 200), WRITE, true),
            (block, (10, 200), READ | WRITE, false),
            (character, (99, 1), DeviceAccess::MAKE, true),
            (character, (99, 1), READ, false),
            (character, (1, 3), READ | WRITE, true),
            (character, (136, 77), READ | WRITE, true),
            (character, (1, 1), READ, false),
        ] {
            assert_eq!(
                asked(program, kind, device, access),
                expected,
                "{kind:?} {device:?} {access}"
            );
        }
    }

    #[test]
    fn without_rules_nothing_is_allowed_and_a_late_denial_is_heard() {
        let program_of = |rules: &[DeviceRule]| program(rules);
        assert!(!asked(program_of(&[]), DeviceKind::Block, (8, 0), READ));
        let rules = [
            rule(true, DeviceKind::All, [None, None], 7),
            rule(false, DeviceKind::All, [None, None], WRITE),
        ];
        assert!(asked(program_of(&rules), DeviceKind::Block, (8, 0), READ));
        assert!(!asked(program_of(&rules), DeviceKind::Block, (8, 0), READ | WRITE));
    }

    #[test]
    fn rules_of_version_1_are_lines() {
        let tun = rule(true, DeviceKind::Character, [Some(10), Some(200)], READ | WRITE);
        assert_eq!(line("c ", &tun).as_bytes(), b"c 10:200 rw");
        let any = rule(false, DeviceKind::Block, [None, None], 7);
        assert_eq!(line("b ", &any).as_bytes(), b"b *:* rwm");
        assert!(!is_all(&any));
    }
}
