//! What the filter of system calls costs: nanoseconds a call without one, with the default
//! profile's, and with those that libseccomp makes of the same rules, where it is installed.
//!
//! A filter cannot be taken back, so each measurement is a process of its own; the candidates take
//! turns. `MINI_CONTAINER_BENCH_ROUNDS` sets how often.
//!
//! The kernel remembers the calls that a filter always allows, and does not ask it again. Where
//! arguments decide, and for what is refused, the program runs each time.
#![allow(unsafe_code)]

use linux_raw_sys::general::{__NR_futex_requeue, __NR_get_mempolicy, __NR_getppid, __NR_ioctl};
use mini_container::seccomp::{Action, Architecture, Host, KernelVersion, Profile, Rule, compile};
use mini_container::sys::seccomp::{Flags, Instruction, install};
use rustix::thread::{CapabilitySet, set_no_new_privs};
use std::ffi::c_long;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The calls, each with a first argument with which it does as good as nothing.
const CALLS: [(&str, u32, c_long); 4] = [
    ("getppid", __NR_getppid, 0),
    ("futex_requeue", __NR_futex_requeue, 0),
    ("ioctl on no file", __NR_ioctl, -1),
    ("get_mempolicy, refused", __NR_get_mempolicy, 0),
];

const CALLS_PER_TURN: u32 = 100_000;
const COMPILES: u32 = 1000;

/// A program, and what came of it: microseconds to install it, and nanoseconds for each call.
struct Candidate {
    name: &'static str,
    length: usize,
    path: PathBuf,
    results: [Vec<f64>; CALLS.len() + 1],
}

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let [_, word, path] = &*words
        && word == "--turn"
    {
        return take_turn(Path::new(path));
    }
    let folder = PathBuf::from(format!("/tmp/mini-container-filter-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut candidates = candidates(&folder);
    let rounds = std::env::var("MINI_CONTAINER_BENCH_ROUNDS").ok();
    let rounds: usize = rounds.map_or(30, |rounds| rounds.parse().expect("a number of rounds"));
    for round in 0..rounds {
        for turn in 0..candidates.len() {
            let place = (turn + round) % candidates.len();
            measure(&mut candidates[place]);
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    print_table(&mut candidates);
}

fn profile() -> Profile {
    Profile::builtin(&Host {
        architecture: Architecture::NATIVE,
        kernel: KernelVersion { major: 6, minor: 1 },
        capabilities: CapabilitySet::empty(),
    })
}

fn candidates(folder: &Path) -> Vec<Candidate> {
    let start = Instant::now();
    let mut program = Vec::new();
    for _ in 0..COMPILES {
        program = compile(&profile(), Architecture::NATIVE).ok().expect("it compiles");
    }
    println!(
        "compiling the profile: {:.1} us",
        start.elapsed().as_secs_f64() * 1e6 / f64::from(COMPILES)
    );
    let bytes = program.iter().flat_map(|step| {
        let [code, k] = [u64::from(step.code), u64::from(step.k)];
        (code | u64::from(step.jt) << 16 | u64::from(step.jf) << 24 | k << 32).to_le_bytes()
    });
    let programs = [
        ("no filter", Some(Vec::new())),
        ("mini-container", Some(bytes.collect())),
        ("libseccomp", by_libseccomp(folder, "1")),
        ("libseccomp, as a tree", by_libseccomp(folder, "2")),
    ];
    let candidate = |(name, bytes): (&'static str, Option<Vec<u8>>)| {
        let path = folder.join(name);
        let Some(bytes) = bytes else {
            println!("{name}: not installed");
            return None;
        };
        fs::write(&path, &bytes).unwrap();
        Some(Candidate { name, length: bytes.len() / 8, path, results: Default::default() })
    };
    programs.into_iter().filter_map(candidate).collect()
}

fn by_libseccomp(folder: &Path, level: &str) -> Option<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/filter/libseccomp.c");
    let tool = folder.join("tool");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-o"]).arg(&tool).arg(source).arg("-lseccomp").stderr(Stdio::null());
    if !compiler.status().is_ok_and(|status| status.success()) {
        return None;
    }
    let mut tool = Command::new(tool);
    let mut tool = tool.arg(level).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    tool.stdin.take().unwrap().write_all(rules().as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(output.stdout)
}

/// The default profile's rules, in the words of the tool. libseccomp knows no order of rules, so
/// those that depend on arguments say what is allowed.
fn rules() -> String {
    const LESS: u32 = 2;
    const EQUAL: u32 = 4;
    const GREATER: u32 = 6;
    const MASKED: u32 = 7;
    let mut rules = String::from("clone3 38\n");
    let always = |rule: &&Rule| rule.action == Action::Allow && rule.conditions.is_empty();
    for call in profile().rules.iter().filter(always).flat_map(|rule| &rule.calls) {
        let name = std::str::from_utf8(call.name()).unwrap();
        if name != "ioctl" {
            writeln!(rules, "{name} 0").unwrap();
        }
    }
    let mut allow = |name: &str, argument: u32, operator: u32, first: u64| {
        writeln!(rules, "{name} 0 {argument} {operator} {first} 0").unwrap();
    };
    allow("clone", 0, MASKED, 0x7e02_0000);
    allow("ioctl", 1, LESS, 0x5412);
    (0x5413..0x541c).for_each(|command| allow("ioctl", 1, EQUAL, command));
    allow("ioctl", 1, GREATER, 0x541c);
    allow("socket", 0, LESS, 12);
    let families = (13..=18).chain([21, 22, 24]).chain(26..=33).chain([35, 36, 39]).chain(41..=45);
    families.for_each(|family| allow("socket", 0, EQUAL, family));
    let personalities = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff].into_iter();
    personalities.for_each(|personality| allow("personality", 0, EQUAL, personality));
    rules
}

/// Installs the program, makes the calls, and prints how long each took.
fn take_turn(path: &Path) {
    let program: Vec<Instruction> = fs::read(path).unwrap().chunks(8).map(instruction).collect();
    set_no_new_privs(true).unwrap();
    let start = Instant::now();
    if !program.is_empty() {
        install(&program, Flags::NONE).unwrap();
    }
    println!("{}", start.elapsed().as_secs_f64() * 1e6);
    for (_, number, argument) in CALLS {
        let start = Instant::now();
        for _ in 0..CALLS_PER_TURN {
            // SAFETY: with these arguments, none of the calls does anything.
            unsafe {
                syscall(number.into(), argument, 0_usize, 0_usize, 0_usize, 0_usize, 0_usize)
            };
        }
        println!("{}", start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS_PER_TURN));
    }
}

fn instruction(bytes: &[u8]) -> Instruction {
    let word = u64::from_le_bytes(bytes.try_into().unwrap());
    Instruction {
        code: word as u16,
        jt: (word >> 16) as u8,
        jf: (word >> 24) as u8,
        k: (word >> 32) as u32,
    }
}

fn measure(candidate: &mut Candidate) {
    let mut turn = Command::new(std::env::current_exe().unwrap());
    let output = turn.arg("--turn").arg(&candidate.path).output().unwrap();
    assert!(output.status.success(), "{}", candidate.name);
    let text = String::from_utf8(output.stdout).unwrap();
    for (line, results) in text.lines().zip(&mut candidate.results) {
        results.push(line.parse().unwrap());
    }
}

fn print_table(candidates: &mut [Candidate]) {
    print!("{:<24}{:>12}{:>14}", "medians", "instructions", "install, us");
    for (name, ..) in CALLS {
        print!("{:>27}", format!("{name}, ns"));
    }
    println!();
    for candidate in candidates {
        print!("{:<24}{:>12}", candidate.name, candidate.length);
        for (place, results) in candidate.results.iter_mut().enumerate() {
            results.sort_by(f64::total_cmp);
            let median = results[results.len() / 2];
            print!("{median:>width$.1}", width = if place == 0 { 14 } else { 27 });
        }
        println!();
    }
}
