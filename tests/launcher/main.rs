//! The real binary on real root filesystems, seen from outside and from inside.
//!
//! What a test needs of the machine it says with `need`; where that is missing, the test is counted
//! as ignored, with the reason. `MINI_CONTAINER_MUST=all` says that nothing may be missing: then it
//! fails instead, so that no skip can hide where everything is there.

mod archives;
mod bundle;
mod check;
mod criu;
mod crowd;
mod descriptors;
mod errors;
mod escapes;
mod escapes_files;
mod fallbacks;
mod hardened;
mod host;
mod image;
mod image_cache;
mod image_descriptions;
mod image_hostile;
mod isolation;
mod layers;
mod layouts;
mod mounts;
mod namespaces;
mod networks;
mod options;
mod process;
mod programs;
mod rootfs;
mod rootfs_search;
mod rootfs_system;
mod runtime_attacks;
mod runtime_attacks_files;
mod runtime_attacks_races;
mod runtime_cgroups;
mod runtime_checkpoint;
mod runtime_cover;
mod runtime_crashes;
mod runtime_exec;
mod runtime_hooks;
mod runtime_lifecycle;
mod runtime_mounts;
mod runtime_namespaces;
mod runtime_process;
mod runtime_processes;
mod runtime_seccomp;
mod signals;
mod trees;
mod tutorial;
mod unpackers;
mod unprivileged;
mod util;
mod watched;

use libtest_mimic::{Arguments, Trial};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Begins anew without ignored signals: whoever starts the tests may ignore some (nohup(1), a shell for what it
/// starts with `&`), and so would all programs that they start. Rust itself ignores 13, `SIGPIPE`, until then.
fn heed_signals() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = bundle::line_of(&status, "SigIgn:");
    let ignored = u64::from_str_radix(ignored, 16).unwrap() & 0x7fff_ffff & !(1 << 12);
    if ignored != 0 {
        let mut again = Command::new("env");
        again.arg("--default-signal").arg(std::env::current_exe().unwrap());
        panic!("{}", again.args(std::env::args_os().skip(1)).exec());
    }
}

fn main() {
    heed_signals();
    let arguments = Arguments::from_args();
    // Before there are threads, whose children could hold the copy open for writing.
    util::launcher();
    let tests: Vec<Trial> = [
        ("tutorial", tutorial::TESTS),
        ("options", options::TESTS),
        ("descriptors", descriptors::TESTS),
        ("isolation", isolation::TESTS),
        ("namespaces", namespaces::TESTS),
        ("hardened", hardened::TESTS),
        ("mounts", mounts::TESTS),
        ("networks", networks::TESTS),
        ("process", process::TESTS),
        ("programs", programs::TESTS),
        ("rootfs", rootfs::TESTS),
        ("rootfs_search", rootfs_search::TESTS),
        ("rootfs_system", rootfs_system::TESTS),
        ("signals", signals::TESTS),
        ("unprivileged", unprivileged::TESTS),
        ("errors", errors::TESTS),
        ("escapes", escapes::TESTS),
        ("escapes_files", escapes_files::TESTS),
        ("fallbacks", fallbacks::TESTS),
        ("host", host::TESTS),
        ("crowd", crowd::TESTS),
        ("check", check::TESTS),
        ("layers", layers::TESTS),
        ("image", image::TESTS),
        ("image_cache", image_cache::TESTS),
        ("image_descriptions", image_descriptions::TESTS),
        ("image_hostile", image_hostile::TESTS),
        ("runtime_attacks", runtime_attacks::TESTS),
        ("runtime_attacks_files", runtime_attacks_files::TESTS),
        ("runtime_attacks_races", runtime_attacks_races::TESTS),
        ("runtime_cgroups", runtime_cgroups::TESTS),
        ("runtime_checkpoint", runtime_checkpoint::TESTS),
        ("runtime_cover", runtime_cover::TESTS),
        ("runtime_crashes", runtime_crashes::TESTS),
        ("runtime_exec", runtime_exec::TESTS),
        ("runtime_hooks", runtime_hooks::TESTS),
        ("runtime_lifecycle", runtime_lifecycle::TESTS),
        ("runtime_mounts", runtime_mounts::TESTS),
        ("runtime_namespaces", runtime_namespaces::TESTS),
        ("runtime_process", runtime_process::TESTS),
        ("runtime_processes", runtime_processes::TESTS),
        ("runtime_seccomp", runtime_seccomp::TESTS),
    ]
    .into_iter()
    .flat_map(|(module, tests)| tests.iter().map(move |test| test.trial(module)))
    .collect();
    let conclusion = libtest_mimic::run(&arguments, tests);
    let _ = std::fs::remove_file(util::launcher());
    conclusion.exit();
}
