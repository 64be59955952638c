//! A root made of programs of this system: with mini-container, and with the shell's loop of ldd and
//! cp that does the same; and a launch with `--programs` beside one in a root that was made before.
//!
//! Those that are compared take turns. `MINI_CONTAINER_BENCH_ROUNDS` sets how often; with
//! `MINI_CONTAINER_BENCH_STRICT=1` a missed target is a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const LAUNCHER: &str = env!("CARGO_BIN_EXE_mini-container");

const PROGRAMS: [&str; 3] = ["/usr/bin/bash", "/usr/bin/ls", "/usr/bin/python3"];

/// What the tutorial's reader does by hand, for each program and library once.
const LOOP: &str = r#"
for file in "$@" $(ldd "$@" | grep -o ' /[^ ]*\|	/[^ ]*' | sort -u); do
    mkdir -p "rootfs$(dirname "$file")"
    cp "$file" "rootfs$file"
done
"#;

/// At most this part of the loop's time.
const TARGET: f64 = 0.10;

const WARM_UP_ROUNDS: usize = 3;

struct Candidate {
    name: &'static str,
    command: Command,
    times: Vec<Duration>,
}

impl Candidate {
    fn new(name: &'static str, words: &[&str], folder: &Path) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(folder).stdin(Stdio::null());
        Self { name, command, times: Vec::new() }
    }

    /// The time that this part of all runs stayed below, in milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        self.times[self.times.len() * percent / 100].as_secs_f64() * 1000.0
    }
}

fn main() -> ExitCode {
    let folder = PathBuf::from(format!("/tmp/mini-container-rootfs-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let programs = PROGRAMS.into_iter().filter(|program| Path::new(program).exists());
    let programs: Vec<&str> = programs.collect();
    let words = |before: &[&'static str]| [before, &programs].concat();
    let mut made = [
        Candidate::new("mini-container", &words(&[LAUNCHER, "rootfs"]), &folder),
        Candidate::new("ldd and cp", &words(&["bash", "-ec", LOOP, "bash"]), &folder),
    ];
    println!("a root with {}", programs.join(", "));
    measure(&mut made, &folder.join("rootfs"));
    print_table(&made);
    let ratio = made[0].percentile(50) / made[1].percentile(50);
    let is_met = ratio <= TARGET;
    let verdict = if is_met { "met" } else { "missed" };
    println!("at most {TARGET:.2} x ldd and cp: {ratio:.3}, {verdict}");

    assert!(made[0].command.status().unwrap().success());
    let run = ["/bin/bash", "-c", ":"];
    let launch = |words: &[&'static str]| [words, &run].concat();
    let mut launched = [
        Candidate::new("--programs", &launch(&[LAUNCHER, "--programs", "bash,ls"]), &folder),
        Candidate::new("--rootfs", &launch(&[LAUNCHER]), &folder),
    ];
    println!("\na launch of {}", run.join(" "));
    measure(&mut launched, Path::new("/nothing/to/remove"));
    print_table(&launched);
    fs::remove_dir_all(&folder).unwrap();
    let is_strict =
        std::env::var_os("MINI_CONTAINER_BENCH_STRICT").is_some_and(|value| value == "1");
    if is_strict && !is_met { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Times each in turn; what it made is removed before the next.
fn measure(candidates: &mut [Candidate], made: &Path) {
    let rounds = std::env::var("MINI_CONTAINER_BENCH_ROUNDS").ok();
    let rounds: usize = rounds.map_or(50, |rounds| rounds.parse().expect("a number of rounds"));
    for round in 0..rounds + WARM_UP_ROUNDS {
        for turn in 0..candidates.len() {
            let place = (turn + round) % candidates.len();
            let candidate = &mut candidates[place];
            let start = Instant::now();
            let status = candidate.command.status().unwrap();
            let time = start.elapsed();
            assert!(status.success(), "{}", candidate.name);
            if round >= WARM_UP_ROUNDS {
                candidate.times.push(time);
            }
            let _ = fs::remove_dir_all(made);
        }
    }
    for candidate in candidates {
        candidate.times.sort_unstable();
    }
}

fn print_table(candidates: &[Candidate]) {
    println!("milliseconds         median     p10     p90");
    for candidate in candidates {
        let [median, low, high] = [50, 10, 90].map(|percent| candidate.percentile(percent));
        println!("{:<18} {median:>8.3}{low:>8.3}{high:>8.3}", candidate.name);
    }
}
