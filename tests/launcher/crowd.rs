//! Very many containers at once: each is whole, waits in little memory, and leaves nothing behind.

use crate::util::{Scratch, tests};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

tests![
    a_thousand_at_once_are_whole_small_and_gone_afterwards needs Root, Release, Program("busybox");
];

const CONTAINERS: usize = 1000;
const ALLOWED_KIB: usize = 64;
const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];
const LONG: Duration = Duration::from_secs(20);

fn a_thousand_at_once_are_whole_small_and_gone_afterwards() {
    let scratch = Scratch::new().with_busybox();
    let files = paths_below(&scratch.path(""));
    let before = HOST.map(|list| list());
    let start = Instant::now();
    let mut crowd = Crowd::default();
    for _ in 0..CONTAINERS {
        let mut launcher = scratch.launcher(["--all", "/bin/sleep", "1000"]);
        // The caller's environment lies in the launcher's memory too, and is not ours to judge.
        crowd.0.push(launcher.env_clear().spawn().unwrap());
    }
    let programs = crowd.programs();
    println!("{CONTAINERS} containers started in {:.1} s", start.elapsed().as_secs_f64());
    each_has_its_own_namespaces(&programs);
    crowd.waits_in_little_memory();

    // Of one half the launchers are killed, of the other the programs.
    let (of_launchers, of_programs) = crowd.0.split_at_mut(CONTAINERS / 2);
    for launcher in &mut *of_launchers {
        launcher.kill().unwrap();
        assert_eq!(launcher.wait().unwrap().signal(), Some(9));
    }
    for launcher in &*of_programs {
        kill_process(programs[&launcher.id()], Signal::KILL).unwrap();
    }
    for launcher in &mut *of_programs {
        assert_eq!(launcher.wait().unwrap().code(), Some(128 + 9));
    }
    let pids = || programs.values().map(|program| program.as_raw_pid().to_string());
    comes_true("the programs end", || !pids().any(|pid| is_alive(&pid)));
    nothing_new_stays(before);
    let made = ["rootfs/dev", "rootfs/proc", "rootfs/sys"].map(|name| scratch.path(name));
    let left = paths_below(&scratch.path(""));
    assert_eq!(left.difference(&files).collect::<Vec<_>>(), made.iter().collect::<Vec<_>>());
    println!("all over after {:.1} s", start.elapsed().as_secs_f64());
}

/// Launchers; none outlives a test that fails.
#[derive(Default)]
struct Crowd(Vec<Child>);

impl Drop for Crowd {
    fn drop(&mut self) {
        for launcher in &mut self.0 {
            let _ = launcher.kill();
            let _ = launcher.wait();
        }
    }
}

impl Crowd {
    /// The program of each launcher, once all of them run: as process 1 of their namespaces.
    fn programs(&self) -> HashMap<u32, Pid> {
        let launchers: BTreeSet<u32> = self.0.iter().map(Child::id).collect();
        let mut programs = HashMap::new();
        comes_true("all programs run", || {
            let found = processes().into_iter().filter(|process| process.name == "sleep");
            let found = found.filter(|process| launchers.contains(&process.parent));
            programs = found.map(|process| (process.parent, process)).collect();
            programs.len() == CONTAINERS
        });
        for Process { ids, .. } in programs.values() {
            assert_eq!((ids.len(), ids.last()), (2, Some(&1)), "{ids:?}");
        }
        let pid = |process: Process| Pid::from_raw(process.ids[0]).unwrap();
        programs.into_iter().map(|(launcher, process)| (launcher, pid(process))).collect()
    }

    /// Once it has waited for a while, each launcher has made itself small.
    fn waits_in_little_memory(&self) {
        std::thread::sleep(Duration::from_millis(100));
        let sizes: Vec<usize> = self.0.iter().map(|launcher| private_kib(launcher.id())).collect();
        let (mean, most) =
            (sizes.iter().sum::<usize>() / sizes.len(), *sizes.iter().max().unwrap());
        println!("private memory of a waiting launcher: mean {mean} KiB, at most {most} KiB");
        assert!(most <= ALLOWED_KIB, "{most}");
    }
}

fn private_kib(process: u32) -> usize {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let private = rollup
        .lines()
        .filter(|line| line.starts_with("Private_Clean:") || line.starts_with("Private_Dirty:"));
    private.map(|line| line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap()).sum()
}

/// No two are in the same, and none is in the host's.
fn each_has_its_own_namespaces(programs: &HashMap<u32, Pid>) {
    for kind in NAMESPACES {
        let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/{kind}")).unwrap();
        let mut all: BTreeSet<_> =
            programs.values().map(|program| of(&program.as_raw_pid().to_string())).collect();
        all.insert(of("self"));
        assert_eq!(all.len(), CONTAINERS + 1, "{kind}");
    }
}

struct Process {
    name: String,
    parent: u32,
    /// The host's for it, and those of the namespaces below.
    ids: Vec<i32>,
}

/// All that run; proc(5).
fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let status = |path: &Path| fs::read_to_string(path.join("status")).ok();
    let process = |status: String| {
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        Some(Process {
            name: field("Name:")?.to_string(),
            parent: field("PPid:")?.parse().ok()?,
            ids: field("NSpid:")?.split_whitespace().map(|id| id.parse().unwrap()).collect(),
        })
    };
    entries.filter_map(|path| process(status(&path)?)).collect()
}

/// A zombie waits for whoever inherited it; it does nothing any more.
fn is_alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn comes_true(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_true() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

type List = BTreeSet<std::path::PathBuf>;

/// What a container could leave on the host: mounts, groups of processes, links of the network.
const HOST: [fn() -> List; 3] = [
    || {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        mounts.lines().map(Into::into).collect()
    },
    || {
        let all = paths_below(Path::new("/sys/fs/cgroup"));
        all.into_iter().filter(|path| path.ends_with("cgroup.procs")).collect()
    },
    || fs::read_dir("/sys/class/net").unwrap().map(|entry| entry.unwrap().path()).collect(),
];

/// Other tests make such things for a while, too: what stays all the time is left behind.
fn nothing_new_stays(before: [List; 3]) {
    for (list, before) in HOST.into_iter().zip(before) {
        let mut stayed: List = list().difference(&before).cloned().collect();
        comes_true(&format!("these are gone: {stayed:?}"), || {
            stayed = stayed.intersection(&list()).cloned().collect();
            stayed.is_empty()
        });
    }
}

fn paths_below(folder: &Path) -> List {
    let mut found = List::new();
    // What another test just made may be gone again.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(paths_below(&entry.path()));
        }
        found.insert(entry.path());
    }
    found
}
