//! The life of a container under the OCI runtime: create, start, state, kill, delete and run.

use crate::bundle::{Bundle, wait_until};
use crate::util::{Ended, run, tests};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

tests![
    a_life needs Root;
    state_says_what_the_specification_wants needs Root;
    what_is_out_of_order_is_refused needs Root;
    delete_by_force needs Root;
    a_container_that_nobody_knows needs Root;
    ids_that_are_names_of_files needs Root;
    an_id_that_is_taken needs Root;
    run_ends_as_the_program_does needs Root;
    run_detached needs Root;
    run_deletes_and_keeps needs Root;
    files_with_process_ids needs Root;
    options_stand_before_and_after_the_id needs Root;
    a_bundle_elsewhere needs Root;
    a_changed_configuration_has_no_effect needs Root;
    a_root_that_is_read_only needs Root;
    a_configuration_by_spec needs Root;
    a_list_of_features needs Root;
    the_version_is_one_that_engines_read needs Root;
];

fn a_life() {
    let bundle = Bundle::of("echo started; cat");
    bundle.create().success();
    assert_eq!(bundle.status(), "created");
    let seen = |name| fs::read_to_string(bundle.scratch.path(name)).unwrap();
    assert_eq!(seen("output"), "", "the program does not run before start");
    let process = bundle.process();
    bundle.command(&["start"]).success();
    bundle.awaits("stopped");
    assert_eq!(seen("output"), "started\n");
    wait_until("gone", || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    });
    bundle.command(&["delete"]).success();
    bundle.command(&["state"]).refused(&["does not exist"]);
    bundle.is_gone();
}

fn state_says_what_the_specification_wants() {
    let mut bundle = Bundle::waiting();
    bundle.set("/annotations", json!({"org.example.one": "1", "two": "with \"quotes\" and ü"}));
    bundle.create().success();
    let check = |status: &str| {
        let state = bundle.state();
        assert_eq!(state["id"], bundle.id);
        assert_eq!(state["status"], status);
        assert_eq!(state["annotations"]["org.example.one"], "1");
        assert_eq!(state["annotations"]["two"], "with \"quotes\" and ü");
        let path = bundle.scratch.path("");
        let path = path.to_str().unwrap().trim_end_matches('/');
        assert_eq!(state["bundle"], path);
        let version = state["ociVersion"].as_str().unwrap();
        assert!(version.starts_with("1."), "{version}");
        let process = state["pid"].as_u64().unwrap_or(0);
        assert_eq!(status == "stopped", process == 0, "{state}");
    };
    check("created");
    bundle.command(&["start"]).success();
    check("running");
    bundle.command(&["pause"]).success();
    check("paused");
    bundle.command(&["resume"]).success();
    check("running");
    bundle.command(&["kill", "@", "KILL"]).success();
    bundle.awaits("stopped");
    check("stopped");
}

fn what_is_out_of_order_is_refused() {
    let bundle = Bundle::waiting();
    bundle.create().success();
    bundle.command(&["resume"]).refused(&[]);
    assert_eq!(bundle.status(), "created");
    bundle.command(&["start"]).success();
    bundle.command(&["start"]).refused(&["running"]);
    bundle.command(&["delete"]).refused(&["running"]);
    bundle.command(&["resume"]).refused(&["not paused"]);
    assert_eq!(bundle.status(), "running");
    bundle.command(&["kill", "@", "KILL"]).success();
    bundle.awaits("stopped");
    for words in [&["start"][..], &["pause"], &["kill", "@", "TERM"], &["exec", "@", "/bin/true"]] {
        bundle.command(words).refused(&[]);
    }
    assert_eq!(bundle.status(), "stopped");
    bundle.command(&["delete"]).success();
    bundle.command(&["delete"]).refused(&["does not exist"]);
}

fn delete_by_force() {
    for start in [false, true] {
        let bundle = Bundle::of("trap '' TERM INT; sleep 60 & sleep 60");
        bundle.create().success();
        if start {
            bundle.command(&["start"]).success();
        }
        bundle.command(&["delete", "--force"]).success();
        bundle.is_gone();
        // There is nothing left to be done.
        bundle.command(&["delete", "-f"]).success();
    }
    let bundle = Bundle::waiting().started();
    bundle.command(&["pause"]).success();
    bundle.command(&["delete", "--force"]).success();
    bundle.is_gone();
}

fn a_container_that_nobody_knows() {
    let bundle = Bundle::new();
    for words in [
        &["state"][..],
        &["start"],
        &["kill", "@", "KILL"],
        &["delete"],
        &["pause"],
        &["resume"],
        &["exec", "@", "/bin/true"],
        &["ps"],
        &["update", "--pids-limit", "10"],
        &["events", "--stats"],
    ] {
        bundle.command(words).refused(&["does not exist"]);
    }
    assert_eq!(run(&mut bundle.runtime(["list", "-q"])).success(), "");
}

fn ids_that_are_names_of_files() {
    let bundle = Bundle::new();
    bundle.write();
    for name in ["state/kept/file", "output", "errors"] {
        bundle.scratch.file(name, "");
    }
    let before = fs::read_dir(bundle.scratch.path("")).unwrap().count();
    let long = "a".repeat(1025);
    for id in ["../x", "a/b", ".", "..", "", &long, "a b", "a\nb", "/", "ä", "a\\b", "*"] {
        for words in [["create", "--", id], ["run", "--", id], ["state", "--", id]] {
            bundle.to_files(bundle.runtime(words)).refused(&[]);
        }
        // By force there is nothing to complain about, but nothing is deleted.
        run(&mut bundle.runtime(["delete", "--force", "--", id]));
    }
    assert!(bundle.scratch.path("state/kept/file").exists());
    assert_eq!(fs::read_dir(bundle.scratch.path("")).unwrap().count(), before);
    fs::remove_dir_all(bundle.scratch.path("state/kept")).unwrap();
    assert!(bundle.remains().is_empty(), "{:#?}", bundle.remains());
    for id in ["a", "A-b_c.d+1", "0", "a..b"] {
        run(&mut bundle.runtime(["run", id])).success();
    }
}

fn an_id_that_is_taken() {
    let bundle = Bundle::waiting().started();
    for words in [["create", &bundle.id], ["run", &bundle.id]] {
        bundle.to_files(bundle.runtime(words)).refused(&["exist"]);
    }
    assert_eq!(bundle.status(), "running", "the one that was there is unhurt");
    bundle.exec(&["/bin/true"]).success();
}

fn run_ends_as_the_program_does() {
    let mut bundle = Bundle::new();
    for status in [0, 1, 42, 125, 126, 127, 255] {
        bundle.runs(&format!("exit {status}"));
        assert_eq!(bundle.run().status, status);
    }
    for (signal, number) in [("TERM", 15), ("KILL", 9), ("SEGV", 11)] {
        // Process 1 is deaf to its own signals: one below sends itself what 1 answers with.
        bundle.runs(&format!("sh -c 'kill -{signal} $$'; exit $?"));
        assert_eq!(bundle.run().status, 128 + number);
    }
    bundle.runs("echo to 1; echo to 2 >&2; cat");
    bundle.write();
    let ended = crate::util::run_with_input(&mut bundle.runtime(["run", &bundle.id]), "from 0");
    assert_eq!((ended.status, &*ended.output, &*ended.errors), (0, "to 1\nfrom 0", "to 2\n"));
    bundle.is_gone();
}

fn run_detached() {
    for option in ["-d", "--detach"] {
        let bundle = Bundle::of("echo here; sleep 60");
        bundle.write();
        bundle.to_files(bundle.runtime(["run", option, &bundle.id])).success();
        assert_eq!(bundle.status(), "running");
        wait_until("it prints", || {
            fs::read_to_string(bundle.scratch.path("output")).unwrap() == "here\n"
        });
        bundle.command(&["kill", "@", "KILL"]).success();
        bundle.awaits("stopped");
        bundle.command(&["delete"]).success();
        bundle.is_gone();
    }
}

fn run_deletes_and_keeps() {
    let bundle = Bundle::new();
    bundle.run().success();
    bundle.is_gone();
    bundle.command(&["run", "--keep"]).success();
    assert_eq!(bundle.status(), "stopped");
    bundle.command(&["delete"]).success();
    bundle.is_gone();
}

fn files_with_process_ids() {
    let bundle = Bundle::waiting();
    bundle.write();
    let read = |name| fs::read_to_string(bundle.scratch.path(name)).unwrap();
    bundle.to_files(bundle.runtime(["create", "--pid-file", "pid", &bundle.id])).success();
    assert_eq!(read("pid"), bundle.process().to_string());
    bundle.command(&["delete", "--force"]).success();
    let words = ["run", "-d", "--pid-file=other", &bundle.id];
    bundle.to_files(bundle.runtime(words)).success();
    assert_eq!(read("other"), bundle.process().to_string());
    // One that cannot be written is an error, and leaves nothing.
    bundle.command(&["delete", "--force"]).success();
    let words = ["create", "--pid-file", "none/pid", &bundle.id];
    bundle.to_files(bundle.runtime(words)).refused(&["no such file"]);
    bundle.is_gone();
}

fn options_stand_before_and_after_the_id() {
    let bundle = Bundle::waiting();
    bundle.write();
    let place = bundle.scratch.path("");
    let place = place.to_str().unwrap();
    let id = &*bundle.id;
    for words in [
        ["create", "--bundle", place, "--pid-file", "p", id],
        ["create", "--pid-file", "p", id, "--bundle", place],
        ["create", id, "-b", place, "--pid-file", "p"],
    ] {
        bundle.to_files(bundle.runtime(words)).success();
        assert_eq!(bundle.status(), "created");
        run(&mut bundle.runtime(["kill", id, "9"])).success();
        bundle.awaits("stopped");
        run(&mut bundle.runtime(["delete", id, "--force"])).success();
    }
}

fn a_bundle_elsewhere() {
    let mut bundle = Bundle::new();
    bundle.set("/root/path", json!("./rootfs"));
    bundle.write();
    let elsewhere = |words: &[&str]| {
        let mut command = bundle.runtime(words);
        run(command.current_dir("/"))
    };
    let place = bundle.scratch.path("");
    elsewhere(&["run", "-b", place.to_str().unwrap(), &bundle.id]).success();
    elsewhere(&["run", &bundle.id]).refused(&["config.json"]);
    elsewhere(&["run", "-b", "/nowhere", &bundle.id]).refused(&["no such file"]);
    bundle.is_gone();
}

fn a_changed_configuration_has_no_effect() {
    let mut bundle = Bundle::of("echo one; hostname; sleep 60");
    bundle.create().success();
    let mut other = bundle.config.clone();
    other["process"]["args"] = json!(["/bin/echo", "two"]);
    other["hostname"] = json!("other");
    other["annotations"] = json!({"changed": "yes"});
    other["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ERRNO"});
    let kept = std::mem::replace(&mut bundle.config, other);
    bundle.write();
    bundle.command(&["start"]).success();
    let output = || fs::read_to_string(bundle.scratch.path("output")).unwrap();
    wait_until("it prints", || output().lines().count() == 2);
    assert_eq!(output(), "one\ninside\n");
    assert!(bundle.state()["annotations"]["changed"].is_null());
    assert_eq!(bundle.exec(&["hostname"]).success(), "inside\n");
    fs::remove_file(bundle.scratch.path("config.json")).unwrap();
    assert_eq!(bundle.status(), "running");
    bundle.command(&["delete", "--force"]).success();
    bundle.is_gone();
    assert_eq!(kept["hostname"], "inside");
}

fn a_root_that_is_read_only() {
    let mut bundle = Bundle::new();
    bundle.set("/root/readonly", json!(true));
    let seen = bundle.inside("touch /file || echo held; touch /dev/shm/file && echo written");
    assert_eq!(seen, "held\nwritten\n");
    bundle.set("/root/readonly", json!(false));
    bundle.inside("touch /file");
    assert!(bundle.scratch.path("rootfs/file").exists());
}

fn a_configuration_by_spec() {
    let bundle = Bundle::new();
    let read = || -> Value {
        let text = fs::read_to_string(bundle.scratch.path("config.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    run(&mut bundle.runtime(["spec"])).success();
    let mut written = read();
    run(&mut bundle.runtime(["spec"])).refused(&["exist"]);
    assert_eq!(written["process"]["args"], json!(["sh"]));
    assert_eq!(written["process"]["terminal"], true);
    written["process"]["terminal"] = json!(false);
    written["process"]["args"] = json!(["id", "-u"]);
    bundle.scratch.file("config.json", &written.to_string());
    assert_eq!(bundle.command(&["run"]).success(), "0\n");
    fs::remove_file(bundle.scratch.path("config.json")).unwrap();
    run(&mut bundle.runtime(["spec", "--rootless"])).success();
    let kinds = read()["linux"]["namespaces"].to_string();
    assert!(kinds.contains("user") && !kinds.contains("network"), "{kinds}");
    let other = bundle.scratch.folder("other");
    run(&mut bundle.runtime(["spec", "--bundle", other.to_str().unwrap()])).success();
    assert!(other.join("config.json").exists());
}

fn a_list_of_features() {
    let bundle = Bundle::new();
    let seen = run(&mut bundle.runtime(["features"])).success();
    let features: Value = serde_json::from_str(&seen).unwrap();
    let has = |place: &str, item: &str| {
        let list = features.pointer(place).and_then(Value::as_array);
        assert!(list.is_some_and(|list| list.iter().any(|one| one == item)), "{place} {item}");
    };
    for hook in
        ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
    {
        has("/hooks", hook);
    }
    for option in ["ro", "rro", "nosuid", "rbind", "tmpcopyup", "rslave", "relatime"] {
        has("/mountOptions", option);
    }
    for kind in ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"] {
        has("/linux/namespaces", kind);
    }
    has("/linux/capabilities", "CAP_SYS_ADMIN");
    has("/linux/seccomp/actions", "SCMP_ACT_ERRNO");
    has("/linux/seccomp/operators", "SCMP_CMP_MASKED_EQ");
    has("/linux/seccomp/archs", "SCMP_ARCH_X86_64");
    assert_eq!(features["linux"]["seccomp"]["enabled"], true);
    assert_eq!(features["linux"]["cgroup"]["v1"], true);
    assert!(features["ociVersionMin"].as_str().unwrap().starts_with("1.0"));
    assert!(features["ociVersionMax"].as_str().unwrap() >= "1.0");
}

/// go-runc reads the first three lines.
fn the_version_is_one_that_engines_read() {
    let bundle = Bundle::new();
    let place = bundle.scratch.path("runc");
    std::os::unix::fs::symlink(crate::bundle::runtime_file(), &place).unwrap();
    let version =
        |file: &Path| -> Ended { run(Command::new(file).arg("--version").stdin(Stdio::null())) };
    let seen = version(&place).success();
    let lines: Vec<&str> = seen.lines().collect();
    assert!(lines[0].starts_with("runc version "), "{seen}");
    assert!(lines.iter().any(|line| line.starts_with("spec: 1.")), "{seen}");
}
