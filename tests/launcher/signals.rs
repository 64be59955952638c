//! How the program's end and signals go through the launcher.

use crate::util::{Scratch, launcher, run, tests};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

tests![
    the_exit_status_is_the_programs needs Launch;
    a_signal_that_ends_the_program_is_128_and_its_number needs Launch;
    signals_sent_to_the_launcher_reach_the_program needs Launch, Program("kill");
    a_caller_that_ignores_sigchld_gets_the_status_too needs Launch;
    blocked_and_ignored_signals_are_the_programs_as_before needs Launch;
    ctrl_c_reaches_the_program_once needs Launch, Program("script");
    ctrl_z_stops_and_fg_goes_on needs Launch, Program("script");
    the_program_dies_with_the_launcher needs Launch, Program("kill");
    waiting_takes_little_memory needs Launch, Release;
];

fn the_exit_status_is_the_programs() {
    let scratch = Scratch::new().with_host_programs();
    for status in [0, 1, 42, 125, 126, 127, 255] {
        let ended = run(&mut scratch.launcher(["/bin/sh", "-c", &format!("exit {status}")]));
        assert_eq!((ended.status, &*ended.errors), (status, ""));
    }
}

fn a_signal_that_ends_the_program_is_128_and_its_number() {
    let scratch = Scratch::new().with_host_programs();
    for (name, number) in [("TERM", 15), ("KILL", 9), ("SEGV", 11), ("RTMAX", 64)] {
        let ended = run(&mut scratch.launcher(["/bin/sh", "-c", &format!("kill -{name} $$")]));
        assert_eq!(ended.status, 128 + number, "{}", ended.errors);
    }
}

/// A launcher with a bash script inside, which has said `ready`.
fn started(scratch: &Scratch, script: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = scratch.launcher(["/bin/bash", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, output)
}

fn signal(name: &str, process: u32) {
    run(Command::new("kill").args([&format!("-{name}"), &process.to_string()])).success();
}

fn signals_sent_to_the_launcher_reach_the_program() {
    let scratch = Scratch::new().with_host_programs();
    for name in ["TERM", "HUP", "INT", "QUIT", "USR1", "USR2"] {
        let script = format!(
            "trap 'echo got {name}; exit 3' {name}; echo ready; while :; do sleep 0.02; done"
        );
        let (mut child, mut output) = started(&scratch, &script);
        signal(name, child.id());
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, format!("got {name}\n"));
        assert_eq!(child.wait().unwrap().code(), Some(3));
    }
}

fn a_caller_that_ignores_sigchld_gets_the_status_too() {
    let scratch = Scratch::new().with_host_programs();
    let ignoring = |words: &[&str]| {
        let mut command = Command::new("env");
        command.arg("--ignore-signal=CHLD").arg(launcher()).args(words);
        run(command.current_dir(scratch.path("")))
    };
    assert_eq!(ignoring(&["/bin/sh", "-c", "exit 9"]).status, 9);
    let seen = ignoring(&["-v", "/proc:/proc", "/bin/cat", "/proc/self/status"]).success();
    let line = seen.lines().find(|line| line.starts_with("SigIgn:")).unwrap();
    let mask = u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
    // Bit 16 stands for signal 17.
    assert_ne!(mask & 1 << 16, 0, "the program inherits what its caller chose: {line}");
}

fn blocked_and_ignored_signals_are_the_programs_as_before() {
    let scratch = Scratch::new().with_host_programs();
    let script =
        "while read l; do case $l in SigBlk*|SigIgn*) echo $l;; esac; done < /proc/self/status";
    let inside = scratch.inside(&["-v", "/proc:/proc"], script);
    let outside = run(Command::new("bash").args(["-c", script])).success();
    assert_eq!(inside, outside);
}

/// Types into a terminal in which a shell line runs, and returns all that is shown.
fn type_into(scratch: &Scratch, line: &str, typed: &[(&str, &str)]) -> String {
    let mut command = Command::new("timeout");
    command.args(["20", "script", "-qec", line, "/dev/null"]).env("MC", launcher());
    command.current_dir(scratch.path("")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut terminal = command.spawn().unwrap();
    let mut keys = terminal.stdin.take().unwrap();
    let mut screen = terminal.stdout.take().unwrap();
    let mut shown = String::new();
    let mut buffer = [0; 4096];
    for (awaited, answer) in typed {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !shown.contains(awaited) {
            assert!(Instant::now() < deadline, "no {awaited:?} in {shown}");
            let count = screen.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "the terminal ended: {shown}");
            shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        keys.write_all(answer.as_bytes()).unwrap();
    }
    screen.read_to_string(&mut shown).unwrap();
    terminal.wait().unwrap();
    shown
}

fn ctrl_c_reaches_the_program_once() {
    let scratch = Scratch::new().with_host_programs();
    scratch.file(
        "rootfs/count",
        "trap 'n=$((n+1))' INT; echo ready
        for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 0.05; done
        echo \"counted $n\"",
    );
    let shown = type_into(&scratch, "exec $MC /bin/bash /count", &[("ready", "\x03")]);
    assert!(shown.contains("counted 1"), "{shown}");
}

fn ctrl_z_stops_and_fg_goes_on() {
    let scratch = Scratch::new().with_host_programs();
    let inside = "$MC /bin/bash -c 'echo rea\"dy\"; sleep 1; sleep 1; echo fin\"ished\"'\n";
    let shown = type_into(
        &scratch,
        "bash --norc --noprofile -i",
        &[
            ("bash-", inside),
            ("ready", "\x1a"),
            ("Stopped", "echo status $?; fg; echo the end is $?; exit\n"),
        ],
    );
    assert!(shown.contains("status 147"), "{shown}");
    assert!(shown.contains("finished") && shown.contains("the end is 0"), "{shown}");
}

fn the_program_dies_with_the_launcher() {
    let scratch = Scratch::new().with_host_programs();
    let script = "echo ready; echo $$; while :; do sleep 0.1; done";
    let (mut child, mut output) = started(&scratch, script);
    let mut process = String::new();
    output.read_line(&mut process).unwrap();
    signal("KILL", child.id());
    child.wait().unwrap();
    let place = format!("/proc/{}/stat", process.trim());
    let deadline = Instant::now() + Duration::from_secs(5);
    // A zombie waits for whoever inherited it; it does nothing any more.
    while std::fs::read_to_string(&place).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "the program goes on without the launcher");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn waiting_takes_little_memory() {
    const ALLOWED_KIB: u32 = 64;
    let scratch = Scratch::new().with_host_programs();
    let mut command = scratch.launcher(["/bin/sleep", "60"]);
    // The caller's environment lies in the process's memory too, and is not ours to judge.
    let mut child = command.env_clear().spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    signal("KILL", child.id());
    child.wait().unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: u32 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("resident while waiting: {kib} KiB");
    assert!(kib < ALLOWED_KIB, "{line}");
}
