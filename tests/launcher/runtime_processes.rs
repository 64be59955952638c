//! What the OCI runtime says of containers and processes, and signals to them; what a container
//! holds of the host before it starts.

use crate::bundle::{Bundle, line_of, wait_until};
use crate::util::{children_of, run, tests};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Command;

tests![
    list_as_table_json_and_ids needs Root;
    ps_as_table_and_json needs Root;
    signals_by_name_and_number needs Root;
    signals_that_are_none needs Root;
    a_signal_to_a_created_container needs Root;
    kill_all_reaches_each_process needs Root;
    kill_all_without_a_process_namespace needs Root;
    only_asked_for_descriptors_are_open needs Root;
    a_created_container_holds_nothing_of_the_host needs Root;
    run_passes_signals_on needs Root, Program("kill");
    pause_and_resume needs Root;
    events_say_what_is_used needs Root;
    events_take_no_more_memory_with_time needs Root;
    events_say_that_memory_has_run_out needs Root;
];

fn list_as_table_json_and_ids() {
    let bundle = Bundle::waiting().started();
    let list = |words: &[&str]| run(&mut bundle.runtime([&["list"], words].concat())).success();
    assert_eq!(list(&["-q"]), format!("{}\n", bundle.id));
    assert_eq!(list(&["--quiet"]), format!("{}\n", bundle.id));
    for words in [&["--format", "json"][..], &["--format=json"], &["-f", "json"]] {
        let all: Value = serde_json::from_str(&list(words)).unwrap();
        let one = &all[0];
        assert_eq!(all.as_array().unwrap().len(), 1);
        assert_eq!(one["id"], bundle.id);
        assert_eq!(one["status"], "running");
        assert_eq!(one["pid"], bundle.process());
        assert_eq!(one["owner"], "root");
        let created = one["created"].as_str().unwrap();
        let has_form = created.len() >= 20 && created.contains('T') && created.ends_with('Z');
        assert!(has_form && created.starts_with("20"), "{created}");
        assert!(bundle.scratch.path("").ends_with(one["bundle"].as_str().unwrap()));
    }
    for words in [&[][..], &["--format", "table"]] {
        let table = list(words);
        let mut lines = table.lines();
        let head = lines.next().unwrap();
        for name in ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"] {
            assert!(head.contains(name), "{head}");
        }
        let line = lines.next().unwrap();
        assert!(line.starts_with(&bundle.id) && line.contains(" running "), "{line}");
        assert_eq!(lines.next(), None);
    }
    run(&mut bundle.runtime(["list", "--format", "yaml"])).refused(&["format"]);
    bundle.command(&["delete", "--force"]).success();
    let empty = list(&["--format", "json"]);
    assert!(["null", "[]"].contains(&empty.trim()), "{empty}");
}

fn ps_as_table_and_json() {
    let bundle = Bundle::of("sleep 61 & sleep 62; true").started();
    let process = bundle.process();
    wait_until("two below it", || children_of(process).len() == 2);
    let mut expected = children_of(process);
    expected.push(process);
    expected.sort_unstable();
    for words in [&["ps", "--format", "json"][..], &["ps", "-f", "json"]] {
        let mut seen: Vec<u32> = serde_json::from_str::<Value>(&bundle.command(words).success())
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|number| u32::try_from(number.as_u64().unwrap()).unwrap())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, expected);
    }
    let table = bundle.command(&["ps"]).success();
    assert!(table.lines().next().unwrap().contains("PID"), "{table}");
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.contains("sleep 61") && table.contains("sleep 62"), "{table}");
    let chosen = bundle.command(&["ps", "@", "-o", "pid,args"]).success();
    assert!(chosen.contains(&format!("{process} /bin/sh")), "{chosen}");
    assert_eq!(chosen.lines().count(), 4, "{chosen}");
}

/// Starts a container that prints which of these signals it gets.
fn trapping(names: &[&str]) -> Bundle {
    let traps: Vec<String> =
        names.iter().map(|name| format!("trap 'echo got {name}' {name};")).collect();
    let script = format!("{} echo ready; while :; do sleep 0.01; done", traps.concat());
    let bundle = Bundle::of(&script).started();
    wait_until("it is ready", || output(&bundle).contains("ready"));
    bundle
}

fn output(bundle: &Bundle) -> String {
    fs::read_to_string(bundle.scratch.path("output")).unwrap()
}

fn signals_by_name_and_number() {
    let bundle = trapping(&["TERM", "HUP", "USR1", "INT", "CONT", "37", "64", "63"]);
    for (word, name) in [
        ("TERM", "TERM"),
        ("SIGTERM", "TERM"),
        ("15", "TERM"),
        ("SIGHUP", "HUP"),
        ("hup", "HUP"),
        ("sigusr1", "USR1"),
        ("10", "USR1"),
        ("2", "INT"),
        ("CONT", "CONT"),
        ("37", "37"),
        ("RTMIN+3", "37"),
        ("SIGRTMIN+3", "37"),
        ("RTMAX", "64"),
        ("SIGRTMAX-1", "63"),
    ] {
        let count = || output(&bundle).matches(&format!("got {name}\n")).count();
        let before = count();
        bundle.command(&["kill", "@", word]).success();
        wait_until(word, || count() == before + 1);
    }
    // The one that is meant when none is named.
    let before = output(&bundle).matches("got TERM").count();
    bundle.command(&["kill"]).success();
    wait_until("TERM by itself", || output(&bundle).matches("got TERM").count() == before + 1);
    assert_eq!(bundle.status(), "running");
}

fn signals_that_are_none() {
    let bundle = Bundle::waiting().started();
    for word in ["NOPE", "SIG", "65", "-1", "1000", "RTMIN+99", "9x", "SIGSIGTERM"] {
        let ended = run(&mut bundle.runtime(["kill", "--", &bundle.id, word]));
        assert!(ended.status > 0, "{word}");
    }
    // As in kill(2), 0 asks whether there is a process that could get one.
    bundle.command(&["kill", "@", "0"]).success();
    assert_eq!(bundle.status(), "running");
    bundle.command(&["kill", "@", "KILL"]).success();
    bundle.awaits("stopped");
    bundle.command(&["kill", "@", "0"]).refused(&["container not running"]);
}

fn a_signal_to_a_created_container() {
    let bundle = Bundle::waiting();
    bundle.create().success();
    bundle.command(&["kill", "@", "KILL"]).success();
    bundle.awaits("stopped");
    bundle.command(&["start"]).refused(&[]);
    bundle.command(&["delete"]).success();
    bundle.is_gone();
}

fn kill_all_reaches_each_process() {
    for option in ["--all", "-a"] {
        let script =
            "sh -c 'trap \"echo first; exit\" USR1; echo ready; while :; do sleep 0.01; done' &
            sh -c 'trap \"echo second; exit\" USR1; echo ready; while :; do sleep 0.01; done' &
            trap 'echo third' USR1; echo ready; while :; do sleep 0.01; done";
        let bundle = Bundle::of(script).started();
        wait_until("all are ready", || output(&bundle).matches("ready").count() == 3);
        bundle.command(&["kill", option, "@", "USR1"]).success();
        wait_until("all of them got it", || {
            ["first", "second", "third"].iter().all(|name| output(&bundle).contains(name))
        });
    }
}

/// Without a process namespace, the processes outlive their first one.
fn kill_all_without_a_process_namespace() {
    let mut bundle = Bundle::of("sleep 60 & sleep 60 & exit");
    bundle.take("/linux/namespaces", "type", "pid");
    bundle.create().success();
    bundle.command(&["start"]).success();
    bundle.awaits("stopped");
    wait_until("two are left", || {
        bundle.remains().iter().filter(|line| line.contains("sleep")).count() == 2
    });
    bundle.command(&["kill", "--all", "@", "KILL"]).success();
    wait_until("none is left", || !bundle.remains().iter().any(|line| line.contains("sleep")));
    bundle.command(&["delete"]).success();
    bundle.is_gone();
    // And so does delete.
    let mut bundle = Bundle::of("sleep 60 & sleep 60 & exit");
    bundle.take("/linux/namespaces", "type", "pid");
    bundle.create().success();
    bundle.command(&["start"]).success();
    bundle.awaits("stopped");
    bundle.command(&["delete", "--force"]).success();
    bundle.is_gone();
}

fn only_asked_for_descriptors_are_open() {
    let mut bundle = Bundle::new();
    // The shell of the root lists its own; 3 would be the one that ls reads by.
    bundle.set("/process/args", json!(["/bin/ls", "-l", "/proc/1/fd"]));
    bundle.write();
    let open = |words: &str| {
        let line =
            "for n in $(seq 3 20); do eval \"exec $n</\"; done; exec $RUNTIME --root state $WORDS";
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(bundle.scratch.path(""));
        command.env("RUNTIME", crate::bundle::runtime_file()).env("WORDS", words);
        let seen = run(&mut command).success();
        seen.lines().filter(|line| line.ends_with("-> /")).count()
    };
    assert_eq!(open(&format!("run {}", bundle.id)), 0);
    assert_eq!(open(&format!("run --preserve-fds 2 {}", bundle.id)), 2);
    assert_eq!(open(&format!("run --preserve-fds=18 {}", bundle.id)), 18);
    bundle.command(&["run", "--preserve-fds", "4"]).refused(&[]);
    bundle.command(&["run", "--preserve-fds", "x"]).refused(&[]);
}

fn a_created_container_holds_nothing_of_the_host() {
    let bundle = Bundle::waiting();
    bundle.create().success();
    let process = bundle.process();
    let link = |name: &str| fs::read_link(format!("/proc/{process}/{name}")).unwrap();
    for entry in fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten() {
        let target = fs::read_link(entry.path()).unwrap();
        let number: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
        let name = target.to_str().unwrap();
        // Besides the streams, there may be one that start is waited for on.
        let is_own = number < 3
            || ["pipe:", "socket:", "anon_inode:", "/memfd:"]
                .iter()
                .any(|own| name.starts_with(own))
            || name.ends_with("exec.fifo");
        assert!(is_own, "{number} is {name}");
    }
    assert_eq!(link("cwd").to_str(), Some("/"));
    assert_eq!(link("root").to_str(), Some("/"));
    let own = |name: &str| fs::read_link(format!("/proc/self/{name}")).unwrap();
    for name in ["ns/mnt", "ns/pid", "ns/net", "ns/ipc", "ns/uts"] {
        assert_ne!(link(name), own(name), "{name}");
    }
    let mounts = bundle.of_process("mountinfo");
    for line in mounts.lines() {
        let place = line.split(' ').nth(4).unwrap();
        assert!(
            ["/", "/proc", "/dev", "/sys"].iter().any(|known| {
                place == *known || (*known != "/" && place.starts_with(&format!("{known}/")))
            }),
            "{line}"
        );
    }
    let status = bundle.of_process("status");
    assert_eq!(line_of(&status, "NoNewPrivs:"), "1");
    let capabilities = u64::from_str_radix(line_of(&status, "CapBnd:"), 16).unwrap();
    assert_eq!(capabilities, 1 << 5 | 1 << 10 | 1 << 29);
}

fn run_passes_signals_on() {
    let bundle =
        Bundle::of("trap 'echo got; exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    bundle.write();
    let mut command = bundle.runtime(["run", &bundle.id]);
    let file = fs::File::create(bundle.scratch.path("output")).unwrap();
    let mut child = command.stdout(file).spawn().unwrap();
    wait_until("it is ready", || output(&bundle).contains("ready"));
    run(Command::new("kill").args(["-TERM", &child.id().to_string()])).success();
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert_eq!(output(&bundle), "ready\ngot\n");
    bundle.is_gone();
}

fn pause_and_resume() {
    let bundle = Bundle::of("while :; do echo x; sleep 0.01; done").started();
    wait_until("it prints", || !output(&bundle).is_empty());
    bundle.command(&["pause"]).success();
    assert_eq!(bundle.status(), "paused");
    let before = output(&bundle);
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(output(&bundle), before);
    bundle.command(&["pause"]).refused(&[]);
    bundle.exec(&["/bin/true"]).refused(&["paused"]);
    bundle.command(&["resume"]).success();
    wait_until("it goes on", || output(&bundle) != before);
    // A signal reaches it when it goes on.
    bundle.command(&["pause"]).success();
    bundle.command(&["kill", "@", "KILL"]).success();
    let _ = bundle.command(&["resume"]);
    bundle.awaits("stopped");
}

fn events_say_what_is_used() {
    let bundle = Bundle::of("sleep 61 & sleep 62; true").started();
    let seen = bundle.command(&["events", "--stats"]).success();
    let event: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!(bundle.id)));
    let number = |place: &str| event["data"].pointer(place).and_then(Value::as_u64);
    assert!(number("/cpu/usage/total").is_some_and(|time| time > 1000), "{seen}");
    assert!(number("/memory/usage/usage").is_some_and(|bytes| bytes >= 4096), "{seen}");
    assert!(number("/pids/current").is_some_and(|count| count >= 1), "{seen}");
    assert!(event["data"]["blkio"].is_object(), "{seen}");
    // Every second one, until the container ends.
    let mut command = bundle.runtime(["events", "--interval", "1s", &bundle.id]);
    let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2500));
    bundle.command(&["kill", "@", "KILL"]).success();
    let mut child = child;
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let _ = child.kill();
    let output = child.wait_with_output().unwrap().stdout;
    let count = String::from_utf8(output).unwrap().lines().count();
    assert!((2..=4).contains(&count), "{count}");
}

/// It may go on for months.
fn events_take_no_more_memory_with_time() {
    let bundle = Bundle::of("sleep 60").started();
    let mut command = bundle.runtime(["events", "--interval", "1s", &bundle.id]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut after = |count: usize| {
        (0..count).for_each(|_| drop(lines.next().unwrap().unwrap()));
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let taken = line_of(&status, "RssAnon:");
        taken.trim_end_matches(" kB").trim().parse::<u64>().unwrap()
    };
    let (begin, end) = (after(2), after(4));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(end <= begin + 4, "{begin} KiB, and then {end} KiB");
}

fn events_say_that_memory_has_run_out() {
    let mut bundle = Bundle::waiting();
    bundle.set("/linux/resources", json!({"memory": {"limit": 16 << 20, "swap": 16 << 20}}));
    let bundle = bundle.started();
    let mut command = bundle.runtime(["events", "--interval", "60s", &bundle.id]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next()?.unwrap()).ok();
    // What comes first is watched from before on.
    assert_eq!(next().unwrap()["type"], "stats");
    for _ in 0..2 {
        let hog = bundle.exec(&["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
        assert_eq!(hog.status, 137, "{}", hog.errors);
        assert_eq!(next().unwrap(), json!({"type": "oom", "id": bundle.id}));
    }
    bundle.command(&["kill", "@", "KILL"]).success();
    assert_eq!(next(), None, "it ends with the container");
    assert!(child.wait().unwrap().success());
}
