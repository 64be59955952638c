//! Whether a floor is one: that it makes the launcher's calls, in order, with the same arguments.

use crate::build::Folder;
use std::fs;
use std::process::{Command, Stdio};

/// Compares what strace shows of both; says what differs. Without strace, it says so.
pub fn are_the_same(name: &str, launch: &[String], floor: &[String], folder: &Folder) -> bool {
    // On a busy machine, the launcher may find that the program takes long, and make itself small.
    (0..3).any(|_| were_the_same(name, launch, floor, folder))
}

fn were_the_same(name: &str, launch: &[String], floor: &[String], folder: &Folder) -> bool {
    let (Some(launch), Some(floor)) = (calls(launch, folder), calls(floor, folder)) else {
        println!("floor {name}: not compared, strace is not installed or does not work here");
        return true;
    };
    // Beside the last of the shorter stands the end of the list.
    let length = launch.len().max(floor.len());
    let differs = |place: &usize| call(&launch, *place) != call(&floor, *place);
    let Some(place) = (0..length).find(differs) else {
        println!("floor {name}: the launcher's {length} calls");
        return true;
    };
    println!("floor {name}: at call {place}, the launcher makes {}", call(&launch, place));
    println!("floor {name}: and the floor {}", call(&floor, place));
    false
}

fn call(calls: &[String], place: usize) -> &str {
    calls.get(place).map_or("(end)", String::as_str)
}

/// The launcher's calls between its start and its end, then its child's until it is the program.
fn calls(words: &[String], folder: &Folder) -> Option<Vec<String>> {
    let place = folder.path().join("calls");
    fs::create_dir(&place).unwrap();
    let mut tracer = Command::new("strace");
    // In full, but for what a file is and what is in the environment.
    tracer.args(["-ff", "-e", "abbrev=fstat,newfstatat,execve", "-s", "4096", "-o"]);
    tracer.arg(place.join("of")).args(words).stdin(Stdio::null()).stderr(Stdio::null());
    let is_traced = tracer.status().is_ok_and(|status| status.success());
    let mut all: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    let mut processes = Vec::new();
    for entry in fs::read_dir(&place).unwrap() {
        let path = entry.unwrap().path();
        processes.push(path.extension().unwrap().to_str().unwrap().to_string());
        let text = String::from_utf8(fs::read(&path).unwrap()).unwrap();
        let lines = || text.lines().map(String::from);
        if text.starts_with("execve(") {
            all[0] = lines().skip(1).collect();
        } else if let Some(last) = lines().position(|line| line.starts_with("execve(")) {
            all[1] = lines().take(last + 1).collect();
        }
    }
    fs::remove_dir_all(&place).unwrap();
    let made = all.concat().into_iter().map(|call| without_chance(&call, &processes));
    is_traced.then(|| made.collect())
}

/// Without what is another number each time: addresses, processes, and the time that they took.
fn without_chance(call: &str, processes: &[String]) -> String {
    const END: [char; 8] = [' ', ',', '(', ')', '=', '}', '[', ']'];
    const OF_PROCESSES: [&str; 6] =
        ["getpid(", "getppid(", "pidfd_open(", "clone(", "rt_sigtimedwait(", "wait4("];
    let names_processes = OF_PROCESSES.iter().any(|name| call.starts_with(name));
    let is_chance = |word: &str| {
        let is_process = processes.iter().any(|process| process == word);
        is_process && names_processes || word.starts_with("0x") && word.len() > "0x12345678".len()
    };
    let mut words: Vec<&str> = call.split_inclusive(END).collect();
    for word in &mut words {
        let bare = word.trim_end_matches(END);
        if is_chance(bare) {
            *word = &word[bare.len()..];
        }
    }
    let call = words.concat();
    match (call.find(", si_utime"), call.find(", {tv_sec")) {
        (Some(start), Some(end)) => [&call[..start], &call[end..]].concat(),
        _ => call,
    }
}
