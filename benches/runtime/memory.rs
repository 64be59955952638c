//! What a container takes: the runtime's memory at its peak, and the smallest limits that one starts with.

use crate::OURS;
use crate::build::Folder;
use crate::candidate::{Runtime, is_successful};
use std::fs;
use std::process::{Command, Stdio};

const KIB_LIMITS: [usize; 10] = [16384, 8192, 4096, 2048, 1024, 768, 512, 384, 256, 192];
const KIB_LIMIT_WANTED: usize = 512;
const KIB_PEAK_WANTED: usize = 1023;

/// How often each has to start. What the kernel counts for a container is not always the same.
const STARTS: usize = 3;

/// How long one that is short of memory may take, in seconds.
const PATIENCE: &str = "20";

/// Prints a table; whether our runtime reaches what is wanted.
pub fn measure(runtimes: &[Runtime], folder: &Folder) -> bool {
    let peak = folder.peak();
    // Until ours is seen to start.
    let mut is_met = false;
    println!(
        "\nKiB                peak of create   smallest memory limit   starts with one process"
    );
    for runtime in runtimes {
        let Some(most) = peak_of_create(&peak, runtime, folder) else { continue };
        let limit = KIB_LIMITS.iter().copied().take_while(|limit| {
            starts(runtime, &format!("\"memory\": {{ \"limit\": {} }},", limit * 1024), folder)
        });
        let limit = limit.last().unwrap_or(usize::MAX);
        let has_one = starts(runtime, "\"pids\": { \"limit\": 1 },", folder);
        let shown = if limit == usize::MAX { "none".into() } else { limit.to_string() };
        let answer = if has_one { "yes" } else { "no" };
        println!("{:<18} {most:>14}   {shown:>21}   {answer:>23}", runtime.name);
        if runtime.name == OURS {
            is_met = most <= KIB_PEAK_WANTED && limit <= KIB_LIMIT_WANTED && has_one;
        }
    }
    let verdict = if is_met { "met" } else { "missed" };
    println!("below 1024 KiB, a limit of {KIB_LIMIT_WANTED} KiB, and one process: {verdict}");
    is_met
}

/// The most of several times.
fn peak_of_create(peak: &str, runtime: &Runtime, folder: &Folder) -> Option<usize> {
    let name = format!("{}-peak", runtime.name);
    let bundle = folder.bundle(&name, "/bin/true", "");
    let answer = folder.name("peak.answer");
    let mut most = 0;
    for _ in 0..STARTS {
        let mut command = Command::new(peak);
        command.arg(&answer).args(runtime.words(true, folder)).args(["create", "--bundle"]);
        command.args([&bundle, &name]).stdin(Stdio::null()).stdout(Stdio::null());
        let is_created = is_successful(&mut command);
        delete(runtime, &name, folder);
        is_created.then_some(())?;
        most = most.max(fs::read_to_string(&answer).ok()?.parse().ok()?);
    }
    Some(most)
}

/// Whether a container with these limits runs, each of several times.
fn starts(runtime: &Runtime, limits: &str, folder: &Folder) -> bool {
    let name = format!("{}-limits", runtime.name);
    let bundle = folder.bundle(&name, "/bin/true", limits);
    (0..STARTS).all(|_| {
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", PATIENCE]).args(runtime.words(true, folder));
        command.args(["run", "--bundle", &bundle, &name]);
        // Those that do not start say why, and this looks for them.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let has_run = is_successful(&mut command);
        if !has_run {
            delete(runtime, &name, folder);
        }
        has_run
    })
}

fn delete(runtime: &Runtime, name: &str, folder: &Folder) {
    let words = runtime.words(true, folder);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(["delete", "--force", name]);
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}
