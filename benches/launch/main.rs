//! Whole launches, timed side by side: how much each way of running a program in a container adds
//! to running it directly.
//!
//! There are three groups, from a root directory of its own to every isolation. All candidates of
//! all groups take turns in one process, so that whatever the machine does besides hits them alike.
//! `MINI_CONTAINER_BENCH_ROUNDS` sets how often; with `MINI_CONTAINER_BENCH_STRICT=1` a missed
//! target is a failure. Before that, strace shows that the floors make the launcher's calls.

mod build;
mod calls;
#[path = "../shared/mod.rs"]
mod shared;

use build::{Folder, LAUNCHER};
use shared::{Target, shuffle, target};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Ways to the same container, and how the launcher should compare.
struct Group {
    /// The launcher's options, behind the root.
    options: &'static [&'static str],
    /// The C program that makes the same calls.
    floor: &'static str,
    /// bubblewrap's options, before and behind the root.
    bwrap: [&'static [&'static str]; 2],
    targets: &'static [Target],
}

const BWRAP_MOUNTS: &[&str] = &["/", "--proc", "/proc", "--dev", "/dev"];

const GROUPS: [Group; 3] = [
    Group {
        options: &[],
        floor: "plain",
        bwrap: [&[], &["/"]],
        targets: &[
            target(FLOOR, 1.15),
            target("C static", 0.45),
            target("unshare", 0.22),
            target(BWRAP, 0.20),
        ],
    },
    Group {
        options: &["--isolate", "process,ipc,hostname", "--proc", "/proc", "--dev", "/dev"],
        floor: "isolate",
        bwrap: [&["--unshare-pid", "--unshare-ipc", "--unshare-uts"], BWRAP_MOUNTS],
        targets: &[target(FLOOR, 1.15), Target { other: BWRAP, wanted: 0.20, tolerated: 0.30 }],
    },
    Group {
        options: &["--all"],
        floor: "all",
        bwrap: [&["--unshare-all"], BWRAP_MOUNTS],
        targets: &[target(FLOOR, 1.15), Target { other: BWRAP, wanted: 0.25, tolerated: 0.50 }],
    },
];

const OURS: &str = "mini-container";
const FLOOR: &str = "floor";
const BWRAP: &str = "bwrap";
const WARM_UP_ROUNDS: usize = 20;

/// A way to run the program, and how long it took each time.
struct Candidate {
    name: &'static str,
    command: Command,
    times: Vec<Duration>,
}

fn main() -> ExitCode {
    if !Path::new("/proc/self/ns/mnt").exists() || !is_root() {
        println!("needs root: the other candidates make mount namespaces without a user namespace");
        return ExitCode::SUCCESS;
    }
    let folder = Folder::new();
    let mut is_met = true;
    for group in &GROUPS {
        let [launch, floor] = [ours(group, &folder), floor(group, &folder)];
        is_met &= calls::are_the_same(group.floor, &launch, &floor, &folder);
    }
    let mut directly = [candidate("directly", &[folder.program()], &folder).expect("it works")];
    let mut groups = GROUPS.each_ref().map(|group| candidates(group, &folder));
    measure(directly.iter_mut().chain(groups.iter_mut().flatten()).collect());
    let [directly] = directly;
    for (group, candidates) in GROUPS.iter().zip(&groups) {
        println!("\n{}", [&["mini-container"], group.options].concat().join(" "));
        print_table(&directly, candidates);
        is_met &= print_targets(&directly, candidates, group.targets);
    }
    let is_strict =
        std::env::var_os("MINI_CONTAINER_BENCH_STRICT").is_some_and(|value| value == "1");
    if is_strict && !is_met { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("\nUid:\t0\t0\t"))
}

fn ours(group: &Group, folder: &Folder) -> Vec<String> {
    words(&[&[LAUNCHER, "--rootfs", &folder.root()], group.options, &["/true"]])
}

fn floor(group: &Group, folder: &Folder) -> Vec<String> {
    vec![folder.floor(group.floor), folder.root(), "/true".into()]
}

fn words(parts: &[&[&str]]) -> Vec<String> {
    parts.concat().into_iter().map(String::from).collect()
}

fn candidates(group: &Group, folder: &Folder) -> Vec<Candidate> {
    let root = &*folder.root();
    let words =
        |list: &[&[&str]]| -> Vec<String> { list.concat().into_iter().map(String::from).collect() };
    let [before, behind] = group.bwrap;
    let mut list = vec![(OURS, ours(group, folder)), (FLOOR, floor(group, folder))];
    if group.options.is_empty() {
        list.push(("C static", words(&[&[&folder.tutorial(&["-static"]), "/true"]])));
        list.push(("C dynamic", words(&[&[&folder.tutorial(&[]), "/true"]])));
        list.push(("unshare", words(&[&["unshare", "-m", "chroot", root, "/true"]])));
    }
    list.push((BWRAP, words(&[&["bwrap"], before, &["--bind", root], behind, &["/true"]])));
    list.into_iter().filter_map(|(name, words)| candidate(name, &words, folder)).collect()
}

/// The candidate, if it is installed and works.
fn candidate(name: &'static str, words: &[String], folder: &Folder) -> Option<Candidate> {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(folder.path()).stdin(Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        return Some(Candidate { name, command, times: Vec::new() });
    }
    println!("{}: not installed, or does not work here", words.join(" "));
    None
}

fn measure(mut candidates: Vec<&mut Candidate>) {
    let rounds = std::env::var("MINI_CONTAINER_BENCH_ROUNDS").ok();
    let rounds = rounds.map_or(300, |rounds| rounds.parse().expect("a number of rounds"));
    let mut random = 1;
    for round in 0..rounds + WARM_UP_ROUNDS {
        shuffle(&mut candidates, &mut random);
        for candidate in &mut candidates {
            let start = Instant::now();
            let status = candidate.command.status().unwrap();
            let time = start.elapsed();
            assert!(status.success(), "{}", candidate.name);
            if round >= WARM_UP_ROUNDS {
                candidate.times.push(time);
            }
        }
    }
    for candidate in candidates {
        candidate.times.sort_unstable();
    }
}

impl Candidate {
    /// The time that this part of all runs stayed below, in milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        self.times[self.times.len() * percent / 100].as_secs_f64() * 1000.0
    }

    /// What a launch takes more than running the program directly, in milliseconds.
    fn added(&self, directly: &Candidate) -> f64 {
        self.percentile(50) - directly.percentile(50)
    }
}

fn find<'a>(candidates: &'a [Candidate], name: &str) -> Option<&'a Candidate> {
    candidates.iter().find(|candidate| candidate.name == name)
}

fn print_table(directly: &Candidate, candidates: &[Candidate]) {
    let ours = find(candidates, OURS).expect("it works").added(directly);
    println!("milliseconds         median     p10     p90   added   mini-container's added / this");
    for candidate in std::iter::once(directly).chain(candidates) {
        let added = candidate.added(directly);
        let [median, low, high] = [50, 10, 90].map(|percent| candidate.percentile(percent));
        print!("{:<18} {median:>8.3}{low:>8.3}{high:>8.3}{added:>8.3}", candidate.name);
        if added > 0.0 { println!("{:>8.2}", ours / added) } else { println!() }
    }
}

/// Whether there is no failure.
fn print_targets(directly: &Candidate, candidates: &[Candidate], targets: &[Target]) -> bool {
    let ours = find(candidates, OURS).expect("it works").added(directly);
    let mut is_tolerable = true;
    for target in targets {
        let Some(candidate) = find(candidates, target.other) else { continue };
        is_tolerable &= target.judge("added time ", ours / candidate.added(directly));
    }
    is_tolerable
}
