//! Hooks, the log, and what is said about a program that cannot be run.

use crate::bundle::Bundle;
use crate::util::{run, tests};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

tests![
    all_six_kinds_run_in_order_where_they_belong needs Root;
    hooks_get_the_state_and_only_their_environment needs Root;
    a_hook_that_fails_ends_the_container needs Root;
    a_hook_that_takes_too_long_is_killed needs Root;
    poststop_that_fails_is_a_warning needs Root;
    hooks_of_one_kind_run_in_their_order needs Root;
    the_log_has_an_object_a_line needs Root;
    the_log_as_text needs Root;
    programs_that_are_missing needs Root;
    programs_that_may_not_be_executed needs Root;
];

const KINDS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// Adds a hook, a line of a shell; `$LOG` is a file of the root, as seen from where it runs.
fn hook(bundle: &mut Bundle, kind: &str, script: &str) {
    let log = bundle.scratch.path("rootfs/log");
    let log = if kind == "startContainer" { "/log".into() } else { log.display().to_string() };
    let environment = json!([format!("LOG={log}"), "OWN=1"]);
    let hook = json!({
        "path": "/bin/sh", "args": ["sh", "-c", script, kind], "env": environment
    });
    bundle.add(&format!("/hooks/{kind}"), hook);
}

fn logged(bundle: &Bundle) -> Vec<String> {
    let log = fs::read_to_string(bundle.scratch.path("rootfs/log")).unwrap_or_default();
    log.lines().map(String::from).collect()
}

fn all_six_kinds_run_in_order_where_they_belong() {
    let mut bundle = Bundle::of("echo program >> /log; sleep 60");
    for kind in KINDS {
        let script = "echo $0 $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/net) >> $LOG";
        hook(&mut bundle, kind, script);
    }
    bundle.create().success();
    let link = |process: &str, name: &str| {
        fs::read_link(format!("/proc/{process}/ns/{name}")).unwrap().display().to_string()
    };
    let process = bundle.process().to_string();
    let inside = format!("{} {}", link(&process, "mnt"), link(&process, "net"));
    let outside = format!("{} {}", link("self", "mnt"), link("self", "net"));
    let mut expected = vec![
        format!("prestart {outside}"),
        format!("createRuntime {outside}"),
        format!("createContainer {inside}"),
    ];
    assert_eq!(logged(&bundle), expected);
    bundle.command(&["start"]).success();
    crate::bundle::wait_until("the program runs", || logged(&bundle).len() == 6);
    let seen = logged(&bundle);
    assert_eq!(seen[3], format!("startContainer {inside}"));
    let mut last = seen[4..].to_vec();
    last.sort();
    assert_eq!(last, [format!("poststart {outside}"), "program".into()]);
    expected = seen;
    bundle.command(&["delete", "--force"]).success();
    expected.push(format!("poststop {outside}"));
    assert_eq!(logged(&bundle), expected);
    bundle.is_gone();
}

fn hooks_get_the_state_and_only_their_environment() {
    let mut bundle = Bundle::of("true");
    bundle.set("/annotations", json!({"note": "here"}));
    for kind in KINDS {
        hook(
            &mut bundle,
            kind,
            "cat > $LOG.$0; env > $LOG.$0.env; ls -l /proc/self/fd > $LOG.$0.fd",
        );
    }
    bundle.write();
    run(bundle.runtime(["run", &bundle.id]).env("SECRET", "1")).success();
    for (kind, status) in [
        ("prestart", &["creating", "created"][..]),
        ("createRuntime", &["creating", "created"]),
        ("createContainer", &["creating", "created"]),
        ("startContainer", &["creating", "created"]),
        ("poststart", &["running"]),
        ("poststop", &["stopped"]),
    ] {
        let read = |end: &str| {
            fs::read_to_string(bundle.scratch.path(&format!("rootfs/log.{kind}{end}"))).unwrap()
        };
        let state: Value = serde_json::from_str(&read("")).unwrap();
        assert_eq!(state["id"], bundle.id, "{kind}");
        assert!(status.contains(&state["status"].as_str().unwrap()), "{kind}: {state}");
        assert_eq!(state["annotations"]["note"], "here", "{kind}");
        assert!(bundle.scratch.path("").ends_with(state["bundle"].as_str().unwrap()), "{kind}");
        if kind != "poststop" {
            assert!(state["pid"].as_u64().unwrap() > 0, "{kind}: {state}");
        }
        let environment = read(".env");
        assert!(environment.contains("OWN=1"), "{environment}");
        assert!(!environment.contains("SECRET") && !environment.contains("MARK"), "{environment}");
    }
}

fn a_hook_that_fails_ends_the_container() {
    for kind in &KINDS[..5] {
        for script in ["exit 3", "kill -KILL $$"] {
            let mut bundle = Bundle::waiting();
            hook(&mut bundle, kind, script);
            bundle.write();
            let command = bundle.runtime(["run", "--detach", &bundle.id]);
            bundle.to_files(command).refused(&["hook"]);
            bundle.is_gone();
        }
        let mut bundle = Bundle::waiting();
        bundle.add(&format!("/hooks/{kind}"), json!({"path": "/nowhere/hook"}));
        bundle.write();
        let command = bundle.runtime(["run", "--detach", &bundle.id]);
        bundle.to_files(command).refused(&["hook", "no such file"]);
        bundle.is_gone();
    }
    // Before start, it is create that fails.
    for kind in &KINDS[..3] {
        let mut bundle = Bundle::waiting();
        hook(&mut bundle, kind, "exit 1");
        bundle.create().refused(&["hook"]);
        bundle.is_gone();
    }
}

fn a_hook_that_takes_too_long_is_killed() {
    for kind in &KINDS[..5] {
        let mut bundle = Bundle::waiting();
        hook(&mut bundle, kind, "exec sleep 60");
        bundle.set(&format!("/hooks/{kind}/0/timeout"), json!(1));
        bundle.write();
        let start = Instant::now();
        let command = bundle.runtime(["run", "--detach", &bundle.id]);
        bundle.to_files(command).refused(&["hook"]);
        let took = start.elapsed();
        let bounds = Duration::from_millis(900)..Duration::from_secs(10);
        assert!(bounds.contains(&took), "{kind}: {took:?}");
        bundle.is_gone();
    }
    let mut bundle = Bundle::waiting();
    hook(&mut bundle, "createRuntime", "sleep 0.2");
    bundle.set("/hooks/createRuntime/0/timeout", json!(20));
    bundle.create().success();
}

fn poststop_that_fails_is_a_warning() {
    let mut bundle = Bundle::of("exit 5");
    hook(&mut bundle, "poststop", "exit 1");
    hook(&mut bundle, "poststop", "echo second >> $LOG");
    assert_eq!(bundle.run().status, 5);
    assert_eq!(logged(&bundle), ["second"]);
    bundle.is_gone();
    let mut bundle = Bundle::waiting();
    hook(&mut bundle, "poststop", "exit 1");
    let bundle = bundle.started();
    bundle.command(&["delete", "--force"]).success();
    bundle.is_gone();
}

fn hooks_of_one_kind_run_in_their_order() {
    let mut bundle = Bundle::new();
    for kind in KINDS {
        for number in 0..3 {
            hook(
                &mut bundle,
                kind,
                &format!("sleep 0.0$((3 - {number})); echo $0 {number} >> $LOG"),
            );
        }
    }
    bundle.run().success();
    let seen = logged(&bundle);
    let expected: Vec<String> = KINDS
        .iter()
        .flat_map(|kind| (0..3).map(move |number| format!("{kind} {number}")))
        .collect();
    assert_eq!(seen, expected);
}

/// Engines read the last error of it.
fn the_log_has_an_object_a_line() {
    let mut bundle = Bundle::new();
    bundle.mount("/data", "bind", "/nowhere/\"quoted\"\n", &["bind"]);
    bundle.write();
    for _ in 0..2 {
        let mut command = bundle.runtime(["--log", "log", "--log-format", "json"]);
        command.args(["create", &bundle.id]);
        let ended = bundle.to_files(command);
        ended.refused(&["no such file", "nowhere"]);
    }
    let log = fs::read_to_string(bundle.scratch.path("log")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert!(line["level"].is_string() && line["msg"].is_string(), "{line}");
        let time = line["time"].as_str().unwrap();
        let has_form = time.len() >= 20 && time.contains('T') && time.starts_with("20");
        assert!(has_form, "{time}");
    }
    let errors: Vec<&Value> = lines.iter().filter(|line| line["level"] == "error").collect();
    assert!(errors.len() >= 2, "the second is added to the first: {log}");
    let last = errors.last().unwrap()["msg"].as_str().unwrap();
    assert!(last.to_lowercase().contains("no such file") && last.contains("nowhere"), "{last}");
}

fn the_log_as_text() {
    let bundle = Bundle::new();
    let log = bundle.scratch.path("log");
    for words in [&["--log-format=text"][..], &[]] {
        let mut command = bundle.runtime(["--log", log.to_str().unwrap()]);
        run(command.args(words).args(["state", &bundle.id])).refused(&["does not exist"]);
    }
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(text.matches("does not exist").count(), 2, "{text}");
    // --debug says more, and is understood.
    run(bundle.runtime(["--debug", "--log=more"]).args(["list"])).success();
    run(bundle.runtime(["--log-format", "xml"]).args(["list"])).refused(&["xml"]);
}

/// Docker and Podman know these by their words.
fn programs_that_are_missing() {
    let mut bundle = Bundle::new();
    for (name, words) in [
        ("nope", "exec: \"nope\": executable file not found in $PATH"),
        ("/nope", "exec: \"/nope\": stat /nope: no such file or directory"),
        ("/bin/nope/x", "exec: \"/bin/nope/x\": stat /bin/nope/x: no such file or directory"),
    ] {
        bundle.set("/process/args", json!([name]));
        let created = bundle.create();
        created.refused(&[words]);
        bundle.is_gone();
        let ended = bundle.run();
        ended.refused(&[words]);
        bundle.is_gone();
    }
}

fn programs_that_may_not_be_executed() {
    let mut bundle = Bundle::new();
    bundle.scratch.file("rootfs/etc/x", "#!/bin/sh\n");
    for name in ["/etc/x", "/etc"] {
        bundle.set("/process/args", json!([name]));
        let words = format!("exec: \"{name}\": ");
        bundle.create().refused(&[&words]);
        bundle.is_gone();
    }
    bundle.set("/process/args", json!(["/etc/x"]));
    bundle.run().refused(&["exec: \"/etc/x\": permission denied"]);
    // The first in PATH that may be executed is the one that is meant.
    bundle.set("/process/env", json!(["PATH=/etc:/bin"]));
    bundle.scratch.file("rootfs/etc/echo", "not to be executed");
    bundle.set("/process/args", json!(["echo", "found"]));
    assert_eq!(bundle.run().success(), "found\n");
}
