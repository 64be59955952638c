//! Whole launches, timed side by side: how much each way of running a program in a root of its own
//! adds to running it directly.
//!
//! All candidates take turns in one process, so that whatever the machine does besides hits them
//! alike. `MINI_CONTAINER_BENCH_ROUNDS` sets how often; with `MINI_CONTAINER_BENCH_STRICT=1` a
//! missed target is a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A way to run the program, and how long it took each time.
struct Candidate {
    name: &'static str,
    command: Command,
    times: Vec<Duration>,
}

/// At most this many times the added time of another candidate.
const TARGETS: [(&str, f64); 4] =
    [("floor", 1.15), ("C static", 0.45), ("unshare", 0.22), ("bwrap", 0.20)];

const OURS: &str = "mini-container";
const WARM_UP_ROUNDS: usize = 20;

fn main() {
    if !Path::new("/proc/self/ns/mnt").exists() || !is_root() {
        println!("needs root: the other candidates make mount namespaces without a user namespace");
        return;
    }
    let folder = PathBuf::from(format!("/tmp/mini-container-bench-{}", std::process::id()));
    let root = folder.join("rootfs");
    fs::create_dir_all(&root).unwrap();
    let mut candidates = candidates(&folder, &root);
    measure(&mut candidates);
    fs::remove_dir_all(&folder).unwrap();
    print_table(&candidates);
    let all_met = print_targets(&candidates);
    if !all_met && std::env::var_os("MINI_CONTAINER_BENCH_STRICT").is_some_and(|value| value == "1")
    {
        std::process::exit(1);
    }
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("\nUid:\t0\t0\t"))
}

fn candidates(folder: &Path, root: &Path) -> Vec<Candidate> {
    let program = root.join("true");
    fs::write(folder.join("true.c"), "int main(void) { return 0; }\n").unwrap();
    compile(&folder.join("true.c"), &program, &["-static"]);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/launch");
    let build = |source: &str, name: &str, options: &[&str]| {
        let output = folder.join(name);
        compile(&sources.join(source), &output, options);
        output.to_str().unwrap().to_string()
    };
    let freestanding = ["-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector"];
    let floor = build("floor.c", "floor", &freestanding);
    let fixed = build("tutorial.c", "static", &["-static"]);
    let dynamic = build("tutorial.c", "dynamic", &[]);
    let root = root.to_str().unwrap();
    let list: [(&'static str, Vec<&str>); 7] = [
        ("directly", vec![program.to_str().unwrap()]),
        (OURS, vec![env!("CARGO_BIN_EXE_mini-container"), "--rootfs", root, "/true"]),
        ("floor", vec![&floor, root, "/true"]),
        ("C static", vec![&fixed, "/true"]),
        ("C dynamic", vec![&dynamic, "/true"]),
        ("unshare", vec!["unshare", "-m", "chroot", root, "/true"]),
        ("bwrap", vec!["bwrap", "--bind", root, "/", "/true"]),
    ];
    list.into_iter().filter_map(|(name, words)| candidate(name, &words, folder)).collect()
}

fn compile(source: &Path, output: &Path, options: &[&str]) {
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-o"]).arg(output).args(options).arg(source);
    assert!(compiler.status().expect("cc").success(), "cc {}", source.display());
}

/// The candidate, if it is installed and works.
fn candidate(name: &'static str, words: &[&str], folder: &Path) -> Option<Candidate> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(folder).stdin(Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        return Some(Candidate { name, command, times: Vec::new() });
    }
    println!("{name}: not installed, or does not work here");
    None
}

fn measure(candidates: &mut [Candidate]) {
    let rounds = std::env::var("MINI_CONTAINER_BENCH_ROUNDS").ok();
    let rounds = rounds.map_or(300, |rounds| rounds.parse().expect("a number of rounds"));
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    let mut random = 1;
    for round in 0..rounds + WARM_UP_ROUNDS {
        shuffle(&mut order, &mut random);
        for index in &order {
            let candidate = &mut candidates[*index];
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

/// Another order each round: who runs behind a kindred candidate finds the kernel's caches warm.
fn shuffle(order: &mut [usize], random: &mut u64) {
    for last in (1..order.len()).rev() {
        // Marsaglia's xorshift.
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        order.swap(last, usize::try_from(*random % (last as u64 + 1)).unwrap());
    }
}

impl Candidate {
    /// The time that this part of all runs stayed below, in milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        self.times[self.times.len() * percent / 100].as_secs_f64() * 1000.0
    }
}

/// What a launch takes more than running the program directly, in milliseconds.
fn added(candidates: &[Candidate], name: &str) -> Option<f64> {
    let median = |name: &str| {
        candidates.iter().find(|candidate| candidate.name == name).map(|found| found.percentile(50))
    };
    Some(median(name)? - median("directly")?)
}

fn print_table(candidates: &[Candidate]) {
    let ours = added(candidates, OURS).unwrap();
    println!("milliseconds         median     p10     p90   added   mini-container's added / this");
    for candidate in candidates {
        let added = added(candidates, candidate.name).unwrap();
        let [median, low, high] = [50, 10, 90].map(|percent| candidate.percentile(percent));
        print!("{:<18} {median:>8.3}{low:>8.3}{high:>8.3}{added:>8.3}", candidate.name);
        if added > 0.0 { println!("{:>8.2}", ours / added) } else { println!() }
    }
}

fn print_targets(candidates: &[Candidate]) -> bool {
    let ours = added(candidates, OURS).unwrap();
    let mut all_met = true;
    for (name, allowed) in TARGETS {
        let Some(added) = added(candidates, name) else { continue };
        let ratio = ours / added;
        let verdict = if ratio <= allowed { "met" } else { "missed" };
        all_met &= ratio <= allowed;
        println!("added time at most {allowed:.2} x {name}: {ratio:.2}, {verdict}");
    }
    all_met
}
