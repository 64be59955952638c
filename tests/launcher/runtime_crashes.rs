//! A runtime that is killed, that fails, or that is called twice at once leaves nothing that the
//! other commands cannot deal with.

use crate::bundle::{Bundle, cgroups, wait_until};
use crate::util::{run, tests};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

tests![
    a_killed_create_is_dealt_with needs Root;
    a_killed_run_is_dealt_with needs Root;
    a_killed_start_and_delete_are_dealt_with needs Root;
    the_cgroup_of_another_is_not_that_of_a_killed_create needs Root, Program("strace");
    a_process_killed_from_outside needs Root, Program("kill");
    a_reused_process_number_gets_no_signal needs Root, Program("kill");
    of_two_creates_at_once_one_wins needs Root;
    a_create_that_fails_leaves_nothing needs Root;
    a_state_that_was_cut_off needs Root;
    many_at_once needs Root;
];

const ROUNDS: u32 = 60;

/// Kills a command after ever longer times; whatever it left, the other commands deal with.
fn killed(bundle: &Bundle, words: &[&str], prepare: impl Fn()) {
    let command = || {
        let mut command = bundle.runtime(bundle.words(words));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    prepare();
    let start = Instant::now();
    command().status().unwrap();
    // A run goes on for as long as its program; what is of interest is before.
    let whole = start.elapsed().min(Duration::from_millis(100));
    bundle.command(&["delete", "--force"]).success();
    bundle.is_gone();
    for round in 0..ROUNDS {
        prepare();
        let mut child = command().spawn().unwrap();
        std::thread::sleep(whole * round / (ROUNDS * 9 / 10));
        child.kill().unwrap();
        child.wait().unwrap();
        let state = bundle.command(&["state"]);
        if state.status == 0 {
            let state: serde_json::Value = serde_json::from_str(&state.output).unwrap();
            let status = state["status"].as_str().unwrap();
            assert!(["creating", "created", "running", "stopped"].contains(&status), "{state}");
        } else {
            state.refused(&["does not exist"]);
        }
        run(&mut bundle.runtime(["list"])).success();
        run(&mut bundle.runtime(["list", "--format", "json"])).success();
        let ended = bundle.command(&["kill", "@", "KILL"]);
        assert!((0..=125).contains(&ended.status), "{} {}", ended.status, ended.errors);
        bundle.command(&["delete", "--force"]).success();
        assert_eq!(run(&mut bundle.runtime(["list", "-q"])).success(), "");
        bundle.is_gone();
    }
}

fn a_killed_create_is_dealt_with() {
    let bundle = Bundle::waiting();
    bundle.write();
    killed(&bundle, &["create"], || ());
}

fn a_killed_run_is_dealt_with() {
    let bundle = Bundle::of("sleep 0.02");
    bundle.write();
    killed(&bundle, &["run"], || ());
}

fn a_killed_start_and_delete_are_dealt_with() {
    let bundle = Bundle::waiting();
    killed(&bundle, &["start"], || drop(bundle.create().success()));
    killed(&bundle, &["delete", "--force"], || drop(bundle.create().success()));
}

/// Kills a create at each of its calls of some kinds, as they make folders and give files their names.
fn killed_at_each_call(bundle: &Bundle, check: impl Fn()) {
    for call in ["mkdirat", "renameat"] {
        // The last ones are not reached.
        for place in 1..=12 {
            let mut command = Command::new("strace");
            let inject = format!("inject={call}:signal=KILL:when={place}");
            command.args(["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
            let inner = bundle.runtime(["create", &bundle.id]);
            command.arg(inner.get_program()).args(inner.get_args());
            command.current_dir(bundle.scratch.path("")).env("MARK", &bundle.id);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().unwrap();
            bundle.command(&["kill", "@", "KILL"]);
            bundle.command(&["delete", "--force"]).success();
            bundle.is_gone();
            check();
        }
    }
}

fn the_cgroup_of_another_is_not_that_of_a_killed_create() {
    let first = Bundle::waiting().started();
    let mut second = Bundle::waiting();
    second.write();
    killed_at_each_call(&second, || ());
    second.set("/linux/cgroupsPath", json!(format!("/{}", first.id)));
    second.write();
    killed_at_each_call(&second, || assert_eq!(first.status(), "running"));
    second.create().refused(&["cgroup is not empty"]);
    assert_eq!(first.status(), "running");
    first.command(&["delete", "--force"]).success();
    first.is_gone();
}

fn a_process_killed_from_outside() {
    for start in [false, true] {
        let bundle = Bundle::waiting();
        bundle.create().success();
        if start {
            bundle.command(&["start"]).success();
        }
        let process = bundle.process().to_string();
        run(Command::new("kill").args(["-KILL", &process])).success();
        bundle.awaits("stopped");
        bundle.command(&["kill", "@", "TERM"]).refused(&[]);
        bundle.command(&["delete"]).success();
        bundle.is_gone();
    }
}

/// Rewrites a number in each file of the container's state; how often it was there.
fn replace_in_state(folder: &Path, number: &str, other: &str) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            count += replace_in_state(&entry.path(), number, other);
        } else if entry.file_type().unwrap().is_file() {
            let content = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
            count += content.matches(number).count();
            fs::write(entry.path(), content.replace(number, other)).unwrap();
        }
    }
    count
}

fn a_reused_process_number_gets_no_signal() {
    let bundle = Bundle::waiting().started();
    let process = bundle.process().to_string();
    let stat = bundle.of_process("stat");
    let started = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap();
    let earlier = (started.parse::<u64>().unwrap() - 1).to_string();
    let folder = bundle.scratch.path("state").join(&bundle.id);
    assert!(replace_in_state(&folder, started, &earlier) > 0, "the state says when it started");
    assert_eq!(bundle.status(), "stopped");
    for words in [&["kill", "@", "KILL"][..], &["exec", "@", "/bin/true"], &["start"]] {
        bundle.command(words).refused(&[]);
    }
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    assert!(stat.is_ok_and(|stat| !stat.contains(") Z ")), "it lives");
    // With the right time, it is the container's again.
    replace_in_state(&folder, &earlier, started);
    assert_eq!(bundle.status(), "running");
    bundle.command(&["delete", "--force"]).success();
    bundle.is_gone();
}

fn of_two_creates_at_once_one_wins() {
    let bundle = Bundle::waiting();
    bundle.write();
    for _ in 0..10 {
        let mut children = Vec::new();
        for _ in 0..4 {
            let mut command = bundle.runtime(["create", &bundle.id]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            children.push(command.spawn().unwrap());
        }
        let ends = children.iter_mut().map(|child| child.wait().unwrap().success());
        assert_eq!(ends.filter(|won| *won).count(), 1);
        assert_eq!(bundle.status(), "created");
        let inits = bundle.remains().iter().filter(|line| line.starts_with("process")).count();
        assert_eq!(inits, 1, "{:#?}", bundle.remains());
        bundle.command(&["start"]).success();
        bundle.command(&["delete", "--force"]).success();
        bundle.is_gone();
    }
}

fn a_create_that_fails_leaves_nothing() {
    type Change = fn(&mut Bundle);
    let changes: [(Change, &[&str]); 10] = [
        (|bundle| bundle.mount("/data", "bind", "/nowhere", &["bind"]), &["no such file"]),
        (|bundle| bundle.mount("/data", "nofs", "none", &[]), &["/data"]),
        (|bundle| bundle.set("/root/path", json!("nowhere")), &["no such file"]),
        (|bundle| bundle.set("/process/cwd", json!("relative")), &["cwd"]),
        (|bundle| bundle.set("/process/args", json!([])), &["args"]),
        (|bundle| bundle.set("/ociVersion", json!("2.0.0")), &["version"]),
        (|bundle| bundle.set("/linux/sysctl", json!({"net.ipv4.nope": "1"})), &["no such file"]),
        (
            |bundle| {
                let namespace = json!({"type": "uts", "path": "/proc/self/ns/nope"});
                bundle.take("/linux/namespaces", "type", "uts");
                bundle.add("/linux/namespaces", namespace);
            },
            &["no such file"],
        ),
        (|bundle| bundle.set("/linux/resources/memory/limit", json!(-5)), &[]),
        (|bundle| bundle.set("/process/args", json!(["/nope"])), &["/nope", "no such file"]),
    ];
    for (change, words) in changes {
        let mut bundle = Bundle::new();
        change(&mut bundle);
        bundle.create().refused(words);
        bundle.is_gone();
        bundle.command(&["state"]).refused(&["does not exist"]);
        bundle.run().refused(words);
        bundle.is_gone();
    }
}

/// Whatever lies in a container's directory, its state can be told or it can be deleted.
fn a_state_that_was_cut_off() {
    let bundle = Bundle::waiting();
    bundle.create().success();
    let folder = bundle.scratch.path("state").join(&bundle.id);
    let files: Vec<_> =
        fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path()).collect();
    let process = bundle.process();
    for file in files.iter().filter(|file| file.is_file()) {
        let content = fs::read(file).unwrap();
        fs::write(file, &content[..content.len() / 2]).unwrap();
    }
    run(&mut bundle.runtime(["list"]));
    assert!((0..=125).contains(&bundle.command(&["state"]).status));
    assert!((0..=125).contains(&bundle.command(&["kill", "@", "KILL"]).status));
    let ended = bundle.command(&["delete", "--force"]);
    assert!((0..=125).contains(&ended.status), "{}", ended.errors);
    // Here nothing says any more what is the container's: it is the test that clears up.
    run(Command::new("kill").args(["-KILL", &process.to_string()]));
    wait_until("its process is gone", || {
        !bundle.remains().iter().any(|line| line.starts_with("process"))
    });
    for cgroup in cgroups(&bundle.id) {
        // It is busy for a moment after its last process has gone from /proc.
        wait_until("its cgroup is removed", || fs::remove_dir(&cgroup).is_ok());
    }
    fs::remove_dir_all(folder).unwrap();
}

fn many_at_once() {
    let bundles: Vec<Bundle> = (0..12).map(|_| Bundle::waiting()).collect();
    std::thread::scope(|scope| {
        for bundle in &bundles {
            scope.spawn(|| {
                bundle.create().success();
                bundle.command(&["start"]).success();
                assert_eq!(bundle.exec(&["hostname"]).success(), "inside\n");
                bundle.command(&["delete", "--force"]).success();
                bundle.is_gone();
            });
        }
    });
}
