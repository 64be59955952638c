//! What the process has: an init, a terminal, limits, groups, time.

use crate::util::{Scratch, children_of, is_root, run, run_with_input, tests};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

tests![
    init_reaps_and_ends_with_the_program needs Launch;
    init_passes_signals_on needs Launch;
    init_is_small needs Root, Release;
    init_says_what_kept_the_program_from_running needs Launch;
    nothing_outlives_the_launcher needs Launch;
    a_terminal_is_the_containers_own needs Launch, UserNamespaces, Program("script");
    the_terminals_size_follows needs Launch, Program("script"), Program("python3");
    the_end_of_the_callers_terminal_reaches_the_program needs Launch, Program("python3");
    the_callers_terminal_is_restored needs Launch, Program("script");
    a_terminal_without_a_terminal_outside needs Launch;
    limits_are_set needs Launch;
    a_limit_that_cannot_be_had_is_refused needs UserNamespaces;
    niceness_processors_and_the_rest_are_set needs Launch;
    groups_are_set needs Root;
    a_timeout_ends_the_program needs Launch;
    a_waiting_launcher_is_small needs Root, Release;
];

fn root() -> Scratch {
    Scratch::new().with_busybox()
}

fn init_reaps_and_ends_with_the_program() {
    let scratch = root();
    // Orphans, of which none may be left as a zombie.
    let script = "for i in 1 2 3 4 5; do (busybox sleep 0.05 &) ; done; busybox sleep 0.3
        echo $$; busybox ps -o pid,stat,comm | busybox grep -c Z; busybox cat /proc/1/comm; exit 7";
    let ended =
        run(&mut scratch.launcher(["--init", "--dev", "/dev", "/bin/busybox", "sh", "-c", script]));
    assert_eq!((ended.status, &*ended.output), (7, "2\n0\nmini-container\n"), "{}", ended.errors);
    let ended = run(&mut scratch.launcher(["--init", "/bin/busybox", "sh", "-c", "kill -9 $$"]));
    assert_eq!(ended.status, 137);
}

fn init_passes_signals_on() {
    let scratch = root();
    for options in [&["--init"][..], &["--all", "--init"]] {
        let script =
            "trap 'echo got; exit 5' TERM; echo ready; while :; do busybox sleep 0.05; done";
        let program = ["/bin/busybox", "sh", "-c", script];
        let words = options.iter().chain(&program);
        let mut child = scratch.launcher(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut seen = [0; 6];
        std::io::Read::read_exact(&mut output, &mut seen).unwrap();
        signal(child.id(), "TERM");
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut output, &mut rest).unwrap();
        assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("got\n", Some(5)));
    }
}

fn signal(process: u32, name: &str) {
    run(Command::new("kill").arg(format!("-{name}")).arg(process.to_string())).success();
}

fn resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Waits until this is so.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(10), "it does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn init_is_small() {
    let scratch = root();
    let mut child = scratch
        .launcher(["--all", "--init", "/bin/busybox", "sleep", "30"])
        .env_clear()
        .spawn()
        .unwrap();
    wait_until(|| {
        children_of(child.id()).first().is_some_and(|init| !children_of(*init).is_empty())
    });
    std::thread::sleep(Duration::from_millis(100));
    let kib = resident_kib(children_of(child.id())[0]);
    println!("process 1 has {kib} KiB resident");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(kib < 64, "{kib}");
}

fn a_waiting_launcher_is_small() {
    const ALLOWED_KIB: u64 = 64;
    let scratch = root();
    let mut child =
        scratch.launcher(["--all", "/bin/busybox", "sleep", "30"]).env_clear().spawn().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // The pages of the file are the same for all launchers.
    let of = |name: &str| -> u64 {
        let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let own = of("Anonymous:") + of("Pss_Shmem:");
    println!("the launcher has {own} KiB of its own");
    assert!(own <= ALLOWED_KIB, "{rollup}");
}

fn init_says_what_kept_the_program_from_running() {
    let scratch = root();
    run(&mut scratch.launcher(["--init", "/bin/none"]))
        .fails(127, &["execute /bin/none: No such file"]);
    run(&mut scratch.launcher(["--init", "-w", "/none", "/bin/sh"]))
        .fails(125, &["change to the working directory /none: No such file"]);
}

fn nothing_outlives_the_launcher() {
    let scratch = root();
    let mut all = vec![&["--isolate", "process"][..], &["--init"], &["--all", "--init"]];
    if is_root() {
        // Ids that are not the caller's.
        let ranges = ["--map-users", "0:0:65536", "--map-groups", "0:0:65536"];
        all.push([&ranges[..], &["--isolate", "process"]].concat().leak());
    }
    for options in all {
        let words = options.iter().chain(&["/bin/busybox", "sh", "-c", "busybox sleep 32; true"]);
        let mut child = scratch.launcher(words).spawn().unwrap();
        let mut inside = Vec::new();
        wait_until(|| {
            inside = descendants_of(child.id());
            inside.iter().any(|process| is_called(*process, "busybox sleep"))
        });
        child.kill().unwrap();
        child.wait().unwrap();
        // What is dead and was not waited for yet by the host's first process is gone all the same.
        let is_gone = |process: &u32| {
            fs::read_to_string(format!("/proc/{process}/stat"))
                .map_or(true, |stat| stat.contains(") Z "))
        };
        wait_until(|| inside.iter().all(is_gone));
    }
}

fn descendants_of(process: u32) -> Vec<u32> {
    let children = children_of(process);
    children.iter().flat_map(|child| descendants_of(*child)).chain(children.clone()).collect()
}

fn is_called(process: u32, words: &str) -> bool {
    let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ").starts_with(words)
}

/// Runs a command line below a terminal of script(1), with this typed.
fn below_terminal(scratch: &Scratch, line: &str, typed: &str) -> crate::util::Ended {
    let mut command = Command::new("script");
    command.args(["-qec", line, "/dev/null"]).env("MC", crate::util::launcher());
    run_with_input(command.current_dir(scratch.path("")), typed)
}

fn a_terminal_is_the_containers_own() {
    let scratch = root();
    let inside = "busybox tty; busybox ls -1 /dev/pts; busybox stat -c %t,%T /dev/console; echo $0 >/dev/tty; busybox readlink /proc/self/fd/1";
    for options in ["--all", "--proc /proc"] {
        let ended = below_terminal(
            &scratch,
            &format!("$MC {options} -t /bin/busybox sh -c '{inside}'"),
            "",
        );
        // The end of script's input is echoed, before the first line or between others.
        let output = ended.output.replace("^@", "").replace("^D\u{8}\u{8}", "");
        let lines: Vec<_> = output.lines().map(str::trim_end).collect();
        assert_eq!(lines[..3], ["/dev/pts/0", "0", "ptmx"], "{}", ended.output);
        assert!(ended.output.contains("/dev/pts/0"), "{}", ended.output);
        if options == "--all" {
            assert_eq!(lines[3], "88,0", "the console is the terminal: {}", ended.output);
        }
        assert_eq!(ended.status, 0);
    }
    // What is typed arrives, with keys that make signals, and the status comes back.
    let line = "$MC --all -t /bin/busybox sh -c 'read word; echo got $word; exit 9'";
    let ended = below_terminal(&scratch, line, "typed\n");
    assert!(ended.output.contains("got typed"), "{}", ended.output);
    assert_eq!(ended.status, 9);
    let line = "(sleep 0.5; printf '\\003'; sleep 0.5) | script -qec \"$MC --all -t /bin/busybox sh -c \
        'trap \\\"echo interrupted\\\" INT; busybox sleep 5 & wait'\" /dev/null";
    // What is ignored by whoever runs the tests could not be caught inside.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", "bash", "-c", line]).env("MC", crate::util::launcher());
    let ended = run(command.current_dir(scratch.path("")));
    assert!(ended.output.contains("interrupted"), "{} {}", ended.output, ended.errors);
}

fn the_terminals_size_follows() {
    let scratch = root();
    let program = r#"
import fcntl, os, pty, struct, sys, termios, time
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
seen = b""
changed = False
while True:
    try:
        piece = os.read(master, 1000)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if b"ready" in seen and not changed:
        changed = True
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 111, 0, 0))
print(seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;
    scratch.file("size.py", program);
    let script = "busybox sleep 0.1; busybox stty size; trap 'busybox stty size; exit 0' WINCH; echo ready; while :; do busybox sleep 0.05; done";
    let mut command = Command::new("python3");
    command.arg("size.py").arg(crate::util::launcher());
    command.args(["--all", "-t", "/bin/busybox", "sh", "-c", script]);
    let seen = run(command.current_dir(scratch.path(""))).success();
    assert!(seen.contains("33 99") && seen.contains("44 111"), "{seen}");
}

fn the_end_of_the_callers_terminal_reaches_the_program() {
    let scratch = root();
    scratch.folder("data");
    let program = r#"
import os, pty, sys, time
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
while b"ready" not in os.read(master, 1000):
    pass
os.close(master)
os.waitpid(pid, 0)
"#;
    scratch.file("close.py", program);
    let script =
        "trap 'echo gone > /data/seen; exit' HUP; echo ready; while :; do busybox sleep 0.05; done";
    let mut command = Command::new("timeout");
    command.args(["20", "python3", "close.py"]).arg(crate::util::launcher());
    command.args(["--all", "-t", "-v", "./data:/data", "/bin/busybox", "sh", "-c", script]);
    run(command.current_dir(scratch.path(""))).success();
    assert_eq!(fs::read_to_string(scratch.path("data/seen")).unwrap(), "gone\n");
}

fn the_callers_terminal_is_restored() {
    let scratch = root();
    for program in ["true", "sh -c 'kill -9 $$'", "sh -c 'busybox stty raw -echo'", "none"] {
        let line =
            format!("stty -a > before; $MC --all -t /bin/busybox {program}; stty -a > after");
        below_terminal(&scratch, &line, "");
        let read = |name| fs::read_to_string(scratch.path(name)).unwrap();
        assert_eq!(read("before"), read("after"), "{program}");
    }
    // Also when nobody is left to do it.
    let line = "stty -a > before; (sleep 0.5; pkill -o -KILL -f \"$MC --all -t\") & $MC --all -t /bin/busybox sleep 30; sleep 0.3; stty -a > after";
    below_terminal(&scratch, line, "");
    let read = |name| fs::read_to_string(scratch.path(name)).unwrap();
    assert_eq!(read("before"), read("after"));
}

fn a_terminal_without_a_terminal_outside() {
    let scratch = root();
    let words = ["--all", "-t", "/bin/busybox", "sh", "-c", "busybox tty; busybox cat"];
    let ended = run_with_input(&mut scratch.launcher(words), "line\n");
    assert!(ended.output.contains("/dev/pts/0\r\n"), "{:?}", ended.output);
    assert!(ended.output.contains("line\r\n"), "{:?}", ended.output);
    assert_eq!(ended.status, 0, "the end of the input is passed on: {}", ended.errors);
}

fn limits_are_set() {
    let scratch = root();
    let options = [
        "--ulimit",
        "nofile=77:88",
        "--ulimit",
        "core=0",
        "--ulimit",
        "cpu=5:unlimited",
        "--proc",
        "/proc",
    ];
    let seen = scratch
        .inside(&options, "busybox grep -E 'open files|core file|cpu time' /proc/self/limits");
    let words: Vec<Vec<_>> = seen.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0][3..5], ["5", "unlimited"], "{seen}");
    assert_eq!(words[1][4..6], ["0", "0"], "{seen}");
    assert_eq!(words[2][3..5], ["77", "88"], "{seen}");
    run(&mut scratch.launcher(["--ulimit", "files=1", "sh"]))
        .fails(125, &["option --ulimit 'files=1'", "hint: --ulimit NAME=SOFT[:HARD]"]);
}

fn a_limit_that_cannot_be_had_is_refused() {
    let scratch = root().for_ordinary_user();
    let words = ["--ulimit", "nofile=1073741816", "/bin/busybox", "true"];
    run(&mut scratch.ordinary_launcher(words))
        .fails(125, &["set a resource limit: Operation not permitted", "CAP_SYS_RESOURCE"]);
    let words = ["--nice", "-5", "/bin/busybox", "true"];
    run(&mut scratch.ordinary_launcher(words))
        .fails(125, &["set the nice value: Permission denied", "CAP_SYS_NICE"]);
}

fn niceness_processors_and_the_rest_are_set() {
    let scratch = root();
    let options = [
        "--nice",
        "7",
        "--cpuset",
        "0",
        "--umask",
        "027",
        "--oom-score-adj",
        "500",
        "--proc",
        "/proc",
    ];
    let script = "busybox cut -d ' ' -f 19 /proc/self/stat; busybox grep Cpus_allowed_list /proc/self/status; umask; busybox cat /proc/self/oom_score_adj";
    assert_eq!(scratch.inside(&options, script), "7\nCpus_allowed_list:\t0\n0027\n500\n");
    run(&mut scratch.launcher(["--cpuset", "1000", "/bin/busybox", "true"]))
        .fails(125, &["set the processors: Invalid argument", "none of them is there"]);
    for (option, value) in [
        ("--nice", "20"),
        ("--umask", "8"),
        ("--oom-score-adj", "1001"),
        ("--timeout", "0"),
        ("--cpuset", "3-1"),
    ] {
        run(&mut scratch.launcher([option, value, "sh"]))
            .fails(125, &[option, value, "another form"]);
    }
}

fn groups_are_set() {
    let scratch = root();
    let options = ["-u", "1000:1001", "--group-add", "7", "--group-add", "8"];
    assert_eq!(scratch.inside(&options, "busybox id -u; busybox id -G"), "1000\n1001 7 8\n");
    run(&mut scratch.launcher(["--isolate", "user", "--group-add", "7", "/bin/busybox", "true"]))
        .fails(
            125,
            &["set the supplementary groups: Operation not permitted", "--map-groups auto"],
        );
}

fn a_timeout_ends_the_program() {
    let scratch = root();
    for options in [&["--isolate", "process"][..], &["--all", "-t"], &["--init"]] {
        let start = Instant::now();
        let words = options.iter().chain(&["--timeout", "1", "/bin/busybox", "sleep", "20"]);
        let status = scratch.launcher(words).stdout(Stdio::null()).status().unwrap();
        let time = start.elapsed();
        assert_eq!((status.code(), status.signal()), (Some(137), None), "{options:?}");
        assert!(time >= Duration::from_secs(1) && time < Duration::from_secs(5), "{time:?}");
    }
    assert_eq!(scratch.inside(&["--timeout", "5"], "echo in time"), "in time\n");
}
