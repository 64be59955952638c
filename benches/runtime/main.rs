//! The OCI runtime beside crun and runc: whole containers of the configuration that `spec` writes, with
//! a static program that does nothing, timed side by side, and what they take in memory.
//!
//! All candidates of all groups take turns in one process, in another order each round.
//! `MINI_CONTAINER_BENCH_ROUNDS` sets how often; with `MINI_CONTAINER_BENCH_STRICT=1` a missed
//! target is a failure; `MINI_CONTAINER_RUNTIME` is another program to measure in our place.
//!
//! crun refuses a machine with cgroup v1 hierarchies and an empty v2 one, so that one is unmounted, in a
//! mount namespace that all this runs in.

mod build;
mod candidate;
mod memory;
#[path = "../shared/mod.rs"]
mod shared;

use build::Folder;
use candidate::{Candidate, Operation, Runtime};
use shared::{Target, shuffle, target};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

const OURS: &str = "mini-container";
const CRUN: &str = "crun";
const RUNC: &str = "runc";

const WARM_UP_ROUNDS: usize = 5;

/// Set where the mount namespace is our own.
const IS_APART: &str = "MINI_CONTAINER_BENCH_IS_APART";

/// Ways to the same thing, and how our runtime should compare.
struct Group {
    operation: Operation,
    has_cgroups: bool,
}

/// Joining and leaving nine hierarchies takes the kernel long, whoever does it.
const TARGETS_V1: &[Target] = &[target(CRUN, 0.60), target(RUNC, 0.15)];
const TARGETS_V2: &[Target] = &[target(CRUN, 0.35)];
/// runc has no such mode.
const TARGETS_WITHOUT: &[Target] = &[target(CRUN, 0.35)];

const fn group(operation: Operation, has_cgroups: bool) -> Group {
    Group { operation, has_cgroups }
}

const GROUPS: [Group; 6] = [
    group(Operation::Run, true),
    group(Operation::Cycle, true),
    group(Operation::Exec, true),
    group(Operation::Run, false),
    group(Operation::Cycle, false),
    group(Operation::Exec, false),
];

fn main() -> ExitCode {
    if !std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|text| text.contains("\nUid:\t0\t0\t"))
    {
        println!("needs root: it measures containers with cgroups of their own");
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(IS_APART).is_none() {
        return go_apart();
    }
    let folder = Folder::new(&[RUNC, CRUN, &ours()]);
    let runtimes = runtimes();
    let mut is_met = measure_and_print(&runtimes, &folder);
    is_met &= memory::measure(&runtimes, &folder);
    for runtime in &runtimes {
        let left = runtime.take_left(&folder);
        if !left.is_empty() {
            println!("{} left behind: {}", runtime.name, left.join(" "));
            is_met &= runtime.name != OURS;
        }
    }
    let is_strict =
        std::env::var_os("MINI_CONTAINER_BENCH_STRICT").is_some_and(|value| value == "1");
    if is_strict && !is_met { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn go_apart() -> ExitCode {
    const SCRIPT: &str = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", SCRIPT]).arg(std::env::current_exe().unwrap());
    let error = command.args(std::env::args().skip(1)).env(IS_APART, "1").exec();
    println!("unshare: {error}");
    ExitCode::FAILURE
}

fn ours() -> String {
    let other = std::env::var("MINI_CONTAINER_RUNTIME").ok();
    other.unwrap_or_else(|| env!("CARGO_BIN_EXE_mini-container").into())
}

fn runtimes() -> [Runtime; 3] {
    [Runtime::new(OURS, &ours()), Runtime::new(CRUN, CRUN), Runtime::new(RUNC, RUNC)]
}

fn measure_and_print(runtimes: &[Runtime], folder: &Folder) -> bool {
    let mut groups = GROUPS.each_ref().map(|group| candidates(group, runtimes, folder));
    measure(groups.iter_mut().flatten().collect());
    let is_v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let mut is_met = true;
    for (group, candidates) in GROUPS.iter().zip(&groups) {
        let (way, targets) = match (group.has_cgroups, is_v2) {
            (true, true) => ("cgroup v2", TARGETS_V2),
            (true, false) => ("cgroup v1", TARGETS_V1),
            (false, _) => ("without cgroups", TARGETS_WITHOUT),
        };
        println!("\n{}, {way}", group.operation.name());
        is_met &= print(candidates, targets);
    }
    is_met
}

fn candidates(group: &Group, runtimes: &[Runtime], folder: &Folder) -> Vec<Candidate> {
    let has_mode = |runtime: &&Runtime| group.has_cgroups || runtime.name != RUNC;
    let candidate =
        |runtime: &Runtime| Candidate::new(runtime, group.operation, group.has_cgroups, folder);
    runtimes.iter().filter(has_mode).filter_map(candidate).collect()
}

fn measure(mut candidates: Vec<&mut Candidate>) {
    let rounds = std::env::var("MINI_CONTAINER_BENCH_ROUNDS").ok();
    let rounds = rounds.map_or(100, |rounds| rounds.parse().expect("a number of rounds"));
    let mut random = 1;
    for round in 0..rounds + WARM_UP_ROUNDS {
        shuffle(&mut candidates, &mut random);
        for candidate in &mut candidates {
            let time = candidate.once().unwrap_or_else(|| panic!("{} works", candidate.name));
            if round >= WARM_UP_ROUNDS {
                candidate.times.push(time);
            }
        }
    }
    for candidate in candidates {
        candidate.times.sort_unstable();
    }
}

/// A table, and whether no target is missed.
fn print(candidates: &[Candidate], targets: &[Target]) -> bool {
    let find = |name: &str| candidates.iter().find(|candidate| candidate.name == name);
    let Some(ours) = find(OURS).map(|candidate| candidate.percentile(50)) else {
        println!("{OURS} does not work: missed");
        return false;
    };
    println!("milliseconds         median     p10     p90   mini-container / this");
    for candidate in candidates {
        let [median, low, high] = [50, 10, 90].map(|percent| candidate.percentile(percent));
        println!("{:<18} {median:>8.3}{low:>8.3}{high:>8.3}{:>8.2}", candidate.name, ours / median);
    }
    let mut is_tolerable = true;
    for target in targets {
        let Some(candidate) = find(target.other) else { continue };
        is_tolerable &= target.judge("", ours / candidate.percentile(50));
    }
    is_tolerable
}
