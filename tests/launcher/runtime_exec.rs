//! More programs in a container that runs: the OCI runtime's exec.

use crate::bundle::{Bundle, line_of, wait_until};
use crate::util::{run, tests};
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

tests![
    arguments_environment_and_directory needs Root;
    a_process_by_its_description needs Root;
    exec_ends_as_the_program_does needs Root;
    exec_by_user_and_groups needs Root;
    exec_detached needs Root;
    a_descriptor_of_the_process needs Root, Program("python3");
    exec_in_the_same_namespaces needs Root;
    exec_in_a_user_namespace needs Root;
    exec_in_the_same_cgroups needs Root;
    exec_has_the_containers_restrictions needs Root;
    exec_with_capabilities needs Root;
    exec_only_where_something_runs needs Root;
    exec_only_in_what_is_made needs Root;
    exec_of_what_is_missing needs Root;
    exec_with_descriptors needs Root;
    exec_with_a_terminal needs Root, Program("python3");
    exec_with_a_terminal_that_is_passed_on needs Root, Program("script");
    exec_with_rlimits_and_more needs Root;
    a_terminal_of_a_given_size needs Root, Program("python3");
    a_terminal_needs_a_place needs Root;
];

fn arguments_environment_and_directory() {
    let mut bundle = Bundle::waiting();
    bundle.add("/process/env", json!("OWN=container"));
    let bundle = bundle.started();
    let exec = |words: &[&str]| bundle.exec(words).success();
    assert_eq!(exec(&["echo", "-n", "a  b", "", "c"]), "a  b  c");
    assert_eq!(exec(&["pwd"]), "/\n");
    let options = |options: &[&str], words: &[&str]| {
        bundle.command(&[&["exec"], options, &["@"], words].concat()).success()
    };
    assert_eq!(options(&["--cwd", "/tmp"], &["pwd"]), "/tmp\n");
    let environment = options(&["-e", "ONE=1", "-e", "TWO=a b"], &["env"]);
    for line in ["ONE=1", "TWO=a b", "OWN=container"] {
        assert!(environment.lines().any(|seen| seen == line), "{line} in {environment}");
    }
    assert_eq!(options(&["--env", "OWN=exec"], &["sh", "-c", "echo $OWN"]), "exec\n");
    let words = ["exec", &bundle.id, "cat"];
    let ended = crate::util::run_with_input(&mut bundle.runtime(words), "input");
    assert_eq!(ended.success(), "input");
    // What looks like an option after the program is the program's.
    assert_eq!(exec(&["echo", "--cwd", "-e", "--help"]), "--cwd -e --help\n");
    bundle.command(&["exec", "--cwd", "/nowhere", "@", "pwd"]).refused(&["no such file"]);
    bundle.command(&["exec"]).refused(&[]);
}

/// What a process prints that a file describes.
fn described(bundle: &Bundle, process: &Value) -> crate::util::Ended {
    bundle.scratch.file("process.json", &process.to_string());
    bundle.command(&["exec", "--process", "process.json"])
}

fn a_process_by_its_description() {
    let bundle = Bundle::waiting().started();
    let process = json!({
        "args": ["sh", "-c", "pwd; id -u; id -g; umask; echo $A; grep Cap /proc/self/status"],
        "cwd": "/tmp", "env": ["PATH=/bin", "A=1"],
        "user": {"uid": 5, "gid": 6, "umask": 0o27, "additionalGids": [7]},
        "capabilities": {"bounding": ["CAP_KILL"], "effective": [], "permitted": []},
    });
    let seen = described(&bundle, &process).success();
    assert!(seen.starts_with("/tmp\n5\n6\n0027\n1\n"), "{seen}");
    assert_eq!(line_of(&seen, "CapBnd:"), "0000000000000020");
    assert_eq!(line_of(&seen, "CapEff:"), "0000000000000000");
    described(&bundle, &json!({"args": [], "cwd": "/"})).refused(&["args"]);
    described(&bundle, &json!({"args": ["id"], "cwd": "tmp"})).refused(&["cwd"]);
    bundle.command(&["exec", "-p", "none.json"]).refused(&["no such file"]);
    bundle.scratch.file("process.json", "{");
    bundle.command(&["exec", "-p", "process.json"]).refused(&[]);
}

fn exec_ends_as_the_program_does() {
    let bundle = Bundle::waiting().started();
    for status in [0, 1, 42, 126, 127, 255] {
        assert_eq!(bundle.exec(&["sh", "-c", &format!("exit {status}")]).status, status);
    }
    for (name, number) in [("TERM", 15), ("KILL", 9)] {
        assert_eq!(bundle.exec(&["sh", "-c", &format!("kill -{name} $$")]).status, 128 + number);
    }
    let ended = bundle.exec(&["sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((&*ended.output, &*ended.errors), ("out\n", "err\n"));
}

fn exec_by_user_and_groups() {
    let bundle = Bundle::waiting().started();
    let id = |options: &[&str]| {
        let script = "echo $(id -u):$(id -g):$(id -G)";
        bundle.command(&[&["exec"], options, &["@", "sh", "-c", script]].concat()).success()
    };
    assert_eq!(id(&[]), "0:0:0\n");
    assert_eq!(id(&["--user", "1000:1001"]), "1000:1001:1001\n");
    assert!(id(&["-u", "1000"]).starts_with("1000:"));
    assert_eq!(id(&["-u", "7:8", "-g", "9", "-g", "10"]), "7:8:8 9 10\n");
}

fn exec_detached() {
    let bundle = Bundle::waiting().started();
    let words = ["exec", "--detach", "--pid-file", "pid", &bundle.id, "sleep", "61"];
    bundle.to_files(bundle.runtime(words)).success();
    let process = fs::read_to_string(bundle.scratch.path("pid")).unwrap();
    let name = fs::read(format!("/proc/{process}/cmdline")).unwrap();
    assert_eq!(name, b"sleep\x0061\0");
    let listed = bundle.command(&["ps", "--format", "json"]).success();
    assert!(listed.contains(&process), "{listed}");
    bundle.command(&["kill", "@", "KILL"]).success();
    wait_until("it is gone with process 1", || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    });
}

fn a_descriptor_of_the_process() {
    let bundle = Bundle::waiting();
    let received = |bundle: &Bundle, words: &[&str]| {
        let at = bundle.scratch.path("pidfd");
        let receiver = bundle.helper("pidfd.py", &["pidfd"]);
        wait_until("somebody listens", || at.exists());
        let words = [&words[..1], &["--pidfd-socket", "pidfd", "--pid-file", "pid"], &words[1..]];
        bundle.to_files(bundle.runtime(words.concat())).success();
        fs::remove_file(&at).unwrap();
        let printed = receiver.wait_with_output().unwrap().stdout;
        let process = fs::read_to_string(bundle.scratch.path("pid")).unwrap();
        assert_eq!(String::from_utf8(printed).unwrap(), format!("pidfd {process}\n"));
    };
    bundle.write();
    received(&bundle, &["create", &bundle.id]);
    bundle.command(&["start"]).success();
    received(&bundle, &["exec", "--detach", &bundle.id, "sleep", "61"]);
    let words = ["exec", "--pidfd-socket", "nowhere", &bundle.id, "true"];
    bundle.to_files(bundle.runtime(words)).refused(&["connect to", "nowhere", "no such file"]);
}

const NAMESPACES: &str =
    "for n in mnt pid net ipc uts user cgroup time; do readlink /proc/self/ns/$n; done";

fn namespaces_of(bundle: &Bundle) -> String {
    let names = ["mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time"];
    let link = |name| fs::read_link(format!("/proc/{}/ns/{name}", bundle.process())).unwrap();
    names.map(|name| format!("{}\n", link(name).display())).concat()
}

fn exec_in_the_same_namespaces() {
    let mut bundle = Bundle::waiting();
    bundle.add("/linux/namespaces", json!({"type": "cgroup"}));
    let bundle = bundle.started();
    assert_eq!(bundle.exec_shell(NAMESPACES), namespaces_of(&bundle));
    assert_eq!(bundle.exec_shell("echo $(($$ > 1))"), "1\n");
    let mut bundle = Bundle::waiting();
    bundle.add("/linux/namespaces", json!({"type": "time"}));
    bundle.set("/linux/timeOffsets", json!({"boottime": {"secs": 86_400, "nanosecs": 0}}));
    let bundle = bundle.started();
    assert_eq!(bundle.exec_shell(NAMESPACES), namespaces_of(&bundle));
    let uptime = |text: &str| text.split('.').next().unwrap().parse::<u64>().unwrap();
    let host = uptime(&fs::read_to_string("/proc/uptime").unwrap());
    assert!(uptime(&bundle.exec_shell("cat /proc/uptime")) >= host + 86_400);
}

fn exec_in_a_user_namespace() {
    let mut bundle = Bundle::waiting();
    bundle.in_user_namespace();
    let bundle = bundle.started();
    assert_eq!(bundle.exec_shell(NAMESPACES), namespaces_of(&bundle));
    assert_eq!(bundle.exec_shell("id -u; cat /proc/self/setgroups"), "0\nallow\n");
    let seen = bundle.exec_shell("cat /proc/self/uid_map");
    assert_eq!(seen.split_whitespace().collect::<Vec<_>>(), ["0", "100000", "65536"]);
    let words = ["exec", "-u", "5:6", "@", "sh", "-c", "id -u; id -g"];
    assert_eq!(bundle.command(&words).success(), "5\n6\n");
    bundle.command(&["exec", "-u", "70000", "@", "id"]).refused(&[]);
}

fn exec_in_the_same_cgroups() {
    let bundle = Bundle::waiting().started();
    let seen = bundle.exec_shell("cat /proc/self/cgroup");
    assert_eq!(seen, bundle.of_process("cgroup"));
    assert!(seen.contains(&bundle.id), "{seen}");
}

fn exec_has_the_containers_restrictions() {
    let mut bundle = Bundle::waiting();
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 16});
    bundle.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}));
    bundle.set("/process/oomScoreAdj", json!(333));
    let bundle = bundle.started();
    let seen = bundle.exec(&["mkdir", "/made"]);
    seen.refused(&["busy"]);
    let status = bundle.exec(&["cat", "/proc/self/status"]).success();
    let first = bundle.of_process("status");
    for name in ["NoNewPrivs:", "Seccomp:", "CapBnd:", "CapPrm:", "CapEff:", "CapInh:", "CapAmb:"] {
        assert_eq!(line_of(&status, name), line_of(&first, name), "{name}");
    }
    assert_eq!(line_of(&status, "Seccomp:"), "2");
    assert_eq!(bundle.exec(&["cat", "/proc/self/oom_score_adj"]).success(), "333\n");
    assert_eq!(bundle.exec(&["cat", "/proc/timer_list"]).success(), "");
    // Without the property it is the option that sets it.
    let mut bundle = Bundle::waiting();
    bundle.set("/process/noNewPrivileges", json!(false));
    let bundle = bundle.started();
    for (options, expected) in [(&[][..], "0"), (&["--no-new-privs"], "1")] {
        let words = [&["exec"], options, &["@", "cat", "/proc/self/status"]].concat();
        let status = bundle.command(&words).success();
        assert_eq!(line_of(&status, "NoNewPrivs:"), expected);
    }
}

fn exec_with_capabilities() {
    let bundle = Bundle::waiting().started();
    let status = |options: &[&str]| {
        let words = [&["exec"], options, &["@", "cat", "/proc/self/status"]].concat();
        bundle.command(&words).success()
    };
    let number = |status: &str, name: &str| u64::from_str_radix(line_of(status, name), 16).unwrap();
    let before = status(&[]);
    let seen = status(&["--cap", "CAP_SYS_TIME"]);
    for name in ["CapBnd:", "CapPrm:", "CapEff:"] {
        assert_eq!(number(&seen, name), number(&before, name) | 1 << 25, "{name}");
    }
    assert_eq!(number(&seen, "CapInh:"), 0);
    let unknown = bundle.command(&["exec", "--cap", "CAP_NOPE", "@", "id"]);
    assert!(unknown.errors.contains("CAP_NOPE"), "{}", unknown.errors);
}

fn exec_only_where_something_runs() {
    let bundle = Bundle::waiting();
    bundle.create().success();
    bundle.command(&["kill", "@", "KILL"]).success();
    bundle.awaits("stopped");
    bundle.exec(&["id"]).refused(&[]);
    let bundle = Bundle::waiting().started();
    bundle.command(&["pause"]).success();
    bundle.exec(&["id"]).refused(&["paused"]);
    bundle.command(&["resume"]).success();
    bundle.exec(&["id"]).success();
}

/// Nobody gets into a container whose process 1 is the runtime's still, and may have the host's root.
fn exec_only_in_what_is_made() {
    let mut bundle = Bundle::waiting();
    bundle.add("/hooks/createRuntime", json!({"path": "/bin/sleep", "args": ["sleep", "0.7"]}));
    bundle.write();
    let begun = |command: &str| {
        let mut command = bundle.runtime([command, &bundle.id]);
        let made = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("it is begun", || bundle.command(&["state"]).status == 0);
        // Until the hook runs.
        sleep(Duration::from_millis(200));
        made
    };
    let mut running = begun("run");
    let executed = bundle.exec(&["readlink", "/proc/1/exe"]).success();
    assert!(executed.ends_with("/busybox\n"), "{executed}");
    bundle.command(&["kill", "@", "KILL"]).success();
    running.wait().unwrap();
    bundle.is_gone();
    let mut created = begun("create");
    bundle.exec(&["true"]).refused(&["is being made"]);
    assert!(created.wait().unwrap().success());
    bundle.exec(&["true"]).success();
    bundle.command(&["delete", "--force"]).success();
    bundle.is_gone();
}

fn exec_of_what_is_missing() {
    let bundle = Bundle::waiting().started();
    bundle.scratch.file("rootfs/etc/x", "");
    for (name, words) in [
        ("nope", "exec: \"nope\": executable file not found in $PATH"),
        ("/nope", "exec: \"/nope\": stat /nope: no such file or directory"),
        ("/etc/x", "exec: \"/etc/x\": permission denied"),
    ] {
        let ended = bundle.exec(&[name]);
        ended.refused(&[words]);
        assert!([126, 127, 255].contains(&ended.status), "{name}: {}", ended.status);
    }
    assert_eq!(bundle.status(), "running");
}

fn exec_with_descriptors() {
    let bundle = Bundle::waiting().started();
    let open = |options: &str| {
        let line = format!(
            "for n in 3 4 5 6; do eval \"exec $n</\"; done; exec $RUNTIME --root state exec {options} {} sh -c 'ls -l /proc/$$/fd'",
            bundle.id
        );
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &line]).current_dir(bundle.scratch.path(""));
        let seen = run(command.env("RUNTIME", crate::bundle::runtime_file())).success();
        seen.lines().filter(|line| line.ends_with("-> /")).count()
    };
    assert_eq!(open(""), 0);
    assert_eq!(open("--preserve-fds 2"), 2);
}

fn exec_with_a_terminal() {
    let bundle = Bundle::waiting().started();
    let socket = "terminal";
    let helper = bundle.helper("terminal.py", &[socket, "typed"]);
    wait_until("it listens", || bundle.scratch.path(socket).exists());
    let script = "tty; stty size; read line; echo got $line; ls -l /proc/self/fd";
    let words =
        ["exec", "--tty", "--detach", "--console-socket", socket, &bundle.id, "sh", "-c", script];
    bundle.to_files(bundle.runtime(words)).success();
    let seen = String::from_utf8(helper.wait_with_output().unwrap().stdout).unwrap();
    assert!(seen.starts_with("descriptors 1\n"), "{seen}");
    assert!(seen.contains("/dev/pts/") && seen.contains("got typed"), "{seen}");
    bundle.command(&["exec", "--console-socket", socket, "@", "id"]).refused(&[]);
}

/// Without a socket it is the caller's own terminal that the other one is connected with.
fn exec_with_a_terminal_that_is_passed_on() {
    let bundle = Bundle::waiting().started();
    let line = format!(
        "stty rows 31 cols 97; exec $RUNTIME --root state exec -t {} sh -c 'tty; stty size; exit 4'",
        bundle.id
    );
    let mut command = std::process::Command::new("timeout");
    command.args(["20", "script", "-qec", &line, "/dev/null"]);
    command.current_dir(bundle.scratch.path(""));
    let ended = run(command.env("RUNTIME", crate::bundle::runtime_file()));
    assert!(ended.output.contains("/dev/pts/"), "{}", ended.output);
    assert!(ended.output.contains("31 97"), "{}", ended.output);
    assert_eq!(ended.status, 4);
}

fn exec_with_rlimits_and_more() {
    let bundle = Bundle::waiting().started();
    let process = json!({
        "args": ["sh", "-c", "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; grep NoNew /proc/self/status"],
        "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}],
        "oomScoreAdj": 44, "noNewPrivileges": true,
    });
    let seen = described(&bundle, &process).success();
    assert_eq!(seen, "100\n200\n44\nNoNewPrivs:\t1\n");
}

fn a_terminal_of_a_given_size() {
    let mut bundle = Bundle::of("tty; stty size; stat -c %t:%T /dev/console; read x; echo got $x");
    bundle.set("/process/terminal", json!(true));
    bundle.set("/process/consoleSize", json!({"height": 33, "width": 111}));
    bundle.write();
    let helper = bundle.helper("terminal.py", &["socket", "typed"]);
    wait_until("it listens", || bundle.scratch.path("socket").exists());
    let words = ["create", "--console-socket", "socket", &bundle.id];
    bundle.to_files(bundle.runtime(words)).success();
    bundle.command(&["start"]).success();
    let seen = String::from_utf8(helper.wait_with_output().unwrap().stdout).unwrap();
    assert!(seen.starts_with("descriptors 1\nsize 33 111\n"), "{seen}");
    assert!(seen.contains("33 111\r\n") && seen.contains("got typed"), "{seen}");
    assert!(seen.contains("/dev/pts/0") || seen.contains("/dev/console"), "{seen}");
    assert!(seen.contains("88:0"), "the console is the terminal: {seen}");
}

fn a_terminal_needs_a_place() {
    let mut bundle = Bundle::waiting();
    bundle.create().success();
    bundle.command(&["delete", "--force"]).success();
    bundle.set("/process/terminal", json!(true));
    bundle.create().refused(&["console"]);
    bundle.is_gone();
    let id = bundle.id.clone();
    let words = ["create", "--console-socket", "nowhere", &id];
    bundle.to_files(bundle.runtime(words)).refused(&["no such file"]);
    bundle.is_gone();
    bundle.set("/process/terminal", json!(false));
    bundle.write();
    bundle.to_files(bundle.runtime(words)).refused(&["console"]);
    bundle.is_gone();
}
