//! `checkpoint` and `restore` as far as they need no CRIU: what they refuse, and what they ask of a stand-in.
//! What comes of it with CRIU itself, tests/boot/criu shows.

use crate::bundle::{Bundle, cgroups, line_of};
use crate::criu::{asked, checkpoint, lines, restore, restores, stand_in, with_stand_in};
use crate::util::{run, tests};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

tests![
    without_criu_they_say_so needs Root;
    only_what_runs_is_checkpointed needs Root;
    options_that_cannot_be_had_are_refused needs Root;
    what_cannot_be_checkpointed_is_refused needs Root;
    a_checkpoint_asks_for_what_the_options_say needs Root;
    a_checkpoint_names_what_is_outside needs Root;
    a_checkpoint_that_fails_says_why needs Root;
    a_checkpoint_lets_nothing_through needs Root;
    a_restore_is_a_container_again needs Root;
    a_restore_is_waited_for needs Root;
    a_restore_that_fails_leaves_nothing needs Root;
    a_hook_that_fails_ends_the_restore needs Root;
];

fn without_criu_they_say_so() {
    let bundle = Bundle::waiting().started();
    let empty = bundle.scratch.path("none");
    for words in [&["checkpoint"][..], &["restore"], &["restore", "--detach"]] {
        for path in [empty.to_str().unwrap(), "", "."] {
            let mut command = bundle.runtime(bundle.words(words));
            let ended = run(command.env("PATH", path));
            ended.fails(1, &["run criu: it is not installed", "package criu"]);
        }
    }
    let ended = bundle.command(&["--criu", "/none/criu", "checkpoint"]);
    ended.fails(1, &["it is not installed"]);
    assert_eq!(bundle.status(), "running");
    assert!(!bundle.scratch.path("checkpoint").exists());
}

fn only_what_runs_is_checkpointed() {
    let bundle = Bundle::of("true");
    stand_in(&bundle, "");
    checkpoint(&bundle, &[]).fails(1, &["does not exist"]);
    bundle.create().success();
    checkpoint(&bundle, &[]).fails(1, &["was not started", "container not running"]);
    bundle.command(&["start"]).success();
    bundle.awaits("stopped");
    checkpoint(&bundle, &[]).fails(1, &["has stopped", "container not running"]);
    bundle.command(&["delete"]).success();
    let bundle = Bundle::waiting().started();
    stand_in(&bundle, "");
    bundle.command(&["pause"]).success();
    checkpoint(&bundle, &[]).fails(1, &["paused"]);
    bundle.command(&["resume"]).success();
    assert_eq!(lines(&bundle, "words"), [""; 0], "CRIU was not asked");
}

fn options_that_cannot_be_had_are_refused() {
    let bundle = Bundle::waiting().started();
    stand_in(&bundle, "");
    for (words, why) in [
        (&["--manage-cgroups-mode", "full"][..], "--manage-cgroups-mode: cgroups are made"),
        (&["--manage-cgroups-mode", "strict"], "--manage-cgroups-mode: cgroups are made"),
        (&["--empty-ns", "pid"], "--empty-ns: only that of the network"),
        (&["--parent-path", "/before"], "--parent-path: it begins at the folder"),
        (&["--page-server", "host"], "--page-server: it is ADDRESS:PORT"),
        (&["--page-server", "host:x"], "--page-server: it is ADDRESS:PORT"),
        (&["--status-fd", "77"], "--status-fd: it is not open"),
        (&["--pre-dump", "--lazy-pages"], "--pre-dump: it takes all pages"),
        (&["--lsm-profile", "x"], "no such option"),
    ] {
        let ended = checkpoint(&bundle, words);
        assert!(ended.status > 0 && ended.errors.contains(why), "{words:?}: {}", ended.errors);
    }
    bundle.command(&["delete", "--force"]).success();
    fs::create_dir_all(bundle.scratch.path("checkpoint")).unwrap();
    for (words, why) in [
        (&["--console-socket", "x"][..], "--console-socket: what is restored has no terminal"),
        (&["--no-pivot"], "--no-pivot: CRIU exchanges the root"),
        (&["--preserve-fds", "0"], "--preserve-fds: what is restored has what it had"),
        (&["--no-subreaper"], "--no-subreaper: the end"),
        (&["--image-path", "none"], "/none: No such file or directory"),
        (&["--leave-running"], "no such option"),
    ] {
        let ended = restore(&bundle, words);
        assert!(ended.status > 0 && ended.errors.contains(why), "{words:?}: {}", ended.errors);
        bundle.is_gone();
    }
    assert_eq!(lines(&bundle, "words"), [""; 0], "CRIU was not asked");
}

fn what_cannot_be_checkpointed_is_refused() {
    let mut bundle = Bundle::waiting();
    bundle.set("/process/terminal", json!(true));
    bundle.write();
    stand_in(&bundle, "");
    fs::create_dir_all(bundle.scratch.path("checkpoint")).unwrap();
    restore(&bundle, &["--detach"]).fails(1, &["process.terminal", "cannot be checkpointed"]);
    bundle.is_gone();
    bundle.set("/process/terminal", json!(false));
    bundle.add("/linux/namespaces", json!({"type": "time", "path": "/proc/self/ns/time"}));
    bundle.write();
    restore(&bundle, &["--detach"]).fails(1, &["linux.namespaces", "joins a time namespace"]);
    bundle.is_gone();
    let mut bundle = Bundle::waiting();
    bundle.in_user_namespace();
    let bundle = bundle.started();
    stand_in(&bundle, "");
    checkpoint(&bundle, &[]).fails(1, &["linux.namespaces", "users of its own"]);
    assert_eq!(bundle.status(), "running");
    assert_eq!(lines(&bundle, "words"), [""; 0], "CRIU was not asked");
}

fn a_checkpoint_asks_for_what_the_options_say() {
    let bundle = Bundle::waiting().started();
    let process = bundle.process().to_string();
    stand_in(&bundle, "");
    checkpoint(&bundle, &["--leave-running"]).success();
    let here = bundle.scratch.path("").display().to_string();
    let here = here.trim_end_matches('/');
    let images = format!("{here}/checkpoint");
    assert_eq!(lines(&bundle, "words")[0], "dump");
    asked(&bundle, &["--images-dir", &images, "--work-dir", &images]);
    asked(&bundle, &["--log-file", "dump.log", "--manage-cgroups=ignore"]);
    asked(&bundle, &["--tree", &process]);
    asked(&bundle, &["--leave-running"]);
    asked(&bundle, &["--network-lock", "nftables"]);
    assert_eq!(bundle.status(), "running");
    let mode = fs::metadata(&images).unwrap().permissions().mode();
    assert_eq!(mode & 0o77, 0, "memory is nobody else's to read");

    let words = "--leave-running --image-path images --work-path work/there --tcp-established --tcp-close \
        --ext-unix-sk --shell-job --file-locks --auto-dedup --lazy-pages --page-server ::1:27 \
        --manage-cgroups-mode soft --empty-ns network --parent-path ../before --network-lock nftables \
        --link-remap --tcp-skip-in-flight";
    let words: Vec<_> = words.split_whitespace().collect();
    checkpoint(&bundle, &words).success();
    let (images, work) = (format!("{here}/images"), format!("{here}/work/there"));
    asked(&bundle, &["--images-dir", &images, "--work-dir", &work]);
    for flag in "--tcp-established --tcp-close --ext-unix-sk --shell-job --file-locks --auto-dedup \
        --lazy-pages --link-remap --skip-in-flight"
        .split_whitespace()
    {
        asked(&bundle, &[flag]);
    }
    asked(&bundle, &["--address", "::1", "--port", "27"]);
    asked(&bundle, &["--empty-ns", "net"]);
    asked(&bundle, &["--prev-images-dir", "../before"]);
    asked(&bundle, &["--network-lock", "nftables"]);
    assert!(!lines(&bundle, "words").contains(&"--page-server".into()), "pages are fetched");

    let iptables = bundle.scratch.file("bin/iptables-restore", "");
    fs::set_permissions(iptables, fs::Permissions::from_mode(0o755)).unwrap();
    checkpoint(&bundle, &["--pre-dump", "--page-server", "host:27"]).success();
    assert_eq!(lines(&bundle, "words")[0], "pre-dump");
    asked(&bundle, &["--track-mem"]);
    asked(&bundle, &["--page-server", "--address", "host", "--port", "27"]);
    let all = lines(&bundle, "words");
    assert!(!all.contains(&"--network-lock".into()), "CRIU's own way is possible: {all:?}");
    assert_eq!(bundle.status(), "running", "it goes on after pages are taken early");

    checkpoint(&bundle, &[]).success();
    bundle.awaits("stopped");
    bundle.command(&["delete"]).success();
    bundle.is_gone();
}

fn a_checkpoint_names_what_is_outside() {
    let mut bundle = Bundle::waiting();
    bundle.scratch.file("data/file", "");
    bundle.scratch.link("rootfs/link", "/place");
    bundle.bind("data", "/link/data", &["rbind"]);
    bundle.mount("/memory", "tmpfs", "tmpfs", &[]);
    run(Command::new("mount").args(["-t", "tmpfs", "below"]).arg({
        let below = bundle.scratch.path("data/below");
        fs::create_dir_all(&below).unwrap();
        below
    }))
    .success();
    let bundle = bundle.started();
    stand_in(&bundle, "");
    let ended = checkpoint(&bundle, &["--leave-running"]);
    run(Command::new("umount").arg(bundle.scratch.path("data/below"))).success();
    ended.success();
    // Where it is, and what it is called.
    asked(&bundle, &["--external", "mnt[/place/data]:/link/data"]);
    asked(&bundle, &["--external", "mnt[/place/data/below]:/link/data/below"]);
    asked(&bundle, &["--external", "mnt[/proc/timer_list]:/proc/timer_list"]);
    let all = lines(&bundle, "words").join("\n");
    for own in ["mnt[/memory]", "mnt[/proc]", "mnt[/sys/firmware]", "mnt[/dev]", "net["] {
        assert!(!all.contains(own), "{own} in {all}");
    }
    // Its streams are files of the host's, which only that sees.
    let streams = fs::read_to_string(bundle.scratch.path("checkpoint/descriptors.json")).unwrap();
    let streams: Vec<String> = serde_json::from_str(&streams).unwrap();
    assert_eq!(streams.len(), 3);
    for name in streams {
        assert!(name.starts_with("file["), "{name}");
        asked(&bundle, &["--external", &name]);
    }
}

fn a_checkpoint_that_fails_says_why() {
    let bundle = Bundle::waiting().started();
    stand_in(
        &bundle,
        "cat >$work/dump.log <<'LOG'
(00.1) Error (criu/early.c:1): Early trouble
(00.2) Error (criu/sk.c:2): Can't dump this socket
(00.3) Error (criu/util.c:3): exited, status=1
(00.4) Error (criu/cr-dump.c:4): Dumping FAILED.
LOG
exit 1",
    );
    let ended = checkpoint(&bundle, &[]);
    ended.fails(1, &["run criu dump: Error (criu/sk.c:2): Can't dump this socket", "/dump.log"]);
    assert_eq!(bundle.status(), "running");
    stand_in(&bundle, "exit 1");
    checkpoint(&bundle, &["--image-path", "x"]).fails(1, &["failed before it wrote why"]);
    stand_in(&bundle, "kill -KILL $$");
    checkpoint(&bundle, &["--image-path", "x"]).fails(1, &["failed before it wrote why"]);
    assert_eq!(bundle.status(), "running");
}

fn a_checkpoint_lets_nothing_through() {
    let bundle = Bundle::waiting().started();
    stand_in(&bundle, "echo ready >&5");
    let mut command =
        with_stand_in(&bundle, &["checkpoint", "--leave-running", "--status-fd", "5"]);
    let program = command.get_program().to_owned();
    let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    // The shell opens two files, one of which is asked for.
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec 5>status 6<config.json; exec \"$@\"", "sh"]).arg(program).args(words);
    for (name, value) in command.current_dir("/").get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    run(shell.current_dir(bundle.scratch.path("")).env("SECRET", "x")).success();
    assert_eq!(lines(&bundle, "status"), ["ready"]);
    let open = lines(&bundle, "open");
    // From 10 on they are the shell's own.
    let other = open.iter().filter(|line| {
        let link = line.split_once(" -> ").map(|(name, _)| name.rsplit(' ').next().unwrap());
        link.is_some_and(|number| matches!(number, "3" | "4" | "6" | "7" | "8" | "9"))
    });
    assert_eq!(other.collect::<Vec<_>>(), [""; 0]);
    assert!(open.len() > 4, "{open:?}");
    let variables = lines(&bundle, "variables").join("\n");
    assert!(!variables.contains("SECRET") && !variables.contains("MARK"), "{variables}");
}

fn a_restore_is_a_container_again() {
    let mut bundle = Bundle::waiting();
    bundle.set("/annotations", json!({"note": "here"}));
    bundle.set("/linux/resources", json!({"pids": {"limit": 33}}));
    bundle.bind("data", "/data", &["bind"]);
    let log = bundle.scratch.path("log").display().to_string();
    for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        let script = format!("cat >/dev/null; echo {kind} >>{log}");
        let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", script]});
        bundle.add(&format!("/hooks/{kind}"), hook);
    }
    bundle.write();
    stand_in(&bundle, &restores(0));
    let key = "file[1f:2b]";
    let streams = json!(["pipe:[12]", key, "/dev/pts/0"]).to_string();
    bundle.scratch.file("image/descriptors.json", &streams);
    let words = ["--detach", "--image-path", "image", "--pid-file", "pid", "--shell-job"];
    let given =
        ["--lsm-mount-context=", "--lsm-profile", "selinux:x", "--manage-cgroups-mode=ignore"];
    restore(&bundle, &[&words[..], &given].concat()).success();
    assert_eq!(bundle.status(), "running");
    assert_eq!(bundle.state()["annotations"]["note"], "here");
    let process = bundle.process();
    assert_eq!(fs::read_to_string(bundle.scratch.path("pid")).unwrap(), process.to_string());
    assert!(fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap().contains("lives"));
    assert!(cgroups(&bundle.id).iter().any(|folder| {
        let is_limited = |limit: String| limit.trim() == "33";
        fs::read_to_string(folder.join("pids.max")).is_ok_and(is_limited)
    }));
    assert!(bundle.of_process("cgroup").contains(&bundle.id));
    assert!(line_of(&bundle.of_process("status"), "PPid") != "0");
    assert_eq!(lines(&bundle, "log"), ["prestart", "createRuntime", "poststart"]);
    assert_eq!(lines(&bundle, "words")[0], "restore");
    let root = bundle.scratch.path("rootfs").display().to_string();
    asked(&bundle, &["--root", &root, "--restore-detached"]);
    asked(&bundle, &["--inherit-fd", "fd[0]:pipe:[12]"]);
    asked(&bundle, &["--inherit-fd", &format!("fd[1]:{key}")]);
    asked(&bundle, &["--lsm-profile", "selinux:x"]);
    asked(&bundle, &["--shell-job"]);
    let data = bundle.scratch.path("data").display().to_string();
    asked(&bundle, &["--external", &format!("mnt[/data]:{data}")]);
    asked(&bundle, &["--external", "mnt[/proc/kcore]:/dev/null"]);
    let all = lines(&bundle, "words").join(" ");
    assert!(!all.contains("--lsm-mount-context") && !all.contains("/dev/pts/0"), "{all}");
    assert!(bundle.scratch.path("rootfs/data").is_dir(), "its mount points are made");
    fs::remove_file(bundle.scratch.path("lives")).unwrap();
    bundle.awaits("stopped");
    bundle.command(&["delete"]).success();
    assert_eq!(lines(&bundle, "log").last().unwrap(), "poststop");
    bundle.is_gone();
}

fn a_restore_is_waited_for() {
    let bundle = Bundle::waiting();
    bundle.write();
    stand_in(&bundle, &restores(7));
    fs::create_dir_all(bundle.scratch.path("checkpoint")).unwrap();
    let mut restoring = with_stand_in(&bundle, &["restore"]).spawn().unwrap();
    crate::bundle::wait_until("it runs", || {
        bundle.command(&["state"]).output.contains("\"running\"")
    });
    fs::remove_file(bundle.scratch.path("lives")).unwrap();
    assert_eq!(restoring.wait().unwrap().code(), Some(7));
    bundle.is_gone();
}

fn a_restore_that_fails_leaves_nothing() {
    let bundle = Bundle::waiting();
    bundle.write();
    fs::create_dir_all(bundle.scratch.path("checkpoint")).unwrap();
    let says = "echo '(00.1) Error (criu/x.c:1): It cannot be' >$work/restore.log; exit 1";
    let half = "sleep 60 & process=$!; act setup-namespaces; exit 1";
    let late = format!("{}; exit 1", restores(0));
    for (script, why) in [
        (says, "run criu restore: Error (criu/x.c:1): It cannot be"),
        (half, "run criu restore: Error"),
        (&late, "run criu restore: Error"),
        ("exit 0", "run criu restore: Error"),
        ("process=1; act setup-namespaces; exit 0", "run criu restore: Error"),
    ] {
        stand_in(&bundle, script);
        restore(&bundle, &["--detach"]).fails(1, &[why, "restore.log"]);
        bundle.is_gone();
        restore(&bundle, &[]).fails(1, &[why]);
        bundle.is_gone();
    }
}

fn a_hook_that_fails_ends_the_restore() {
    for kind in ["prestart", "createRuntime", "poststart"] {
        let mut bundle = Bundle::waiting();
        bundle.add(&format!("/hooks/{kind}"), json!({"path": "/bin/false"}));
        bundle.write();
        fs::create_dir_all(bundle.scratch.path("checkpoint")).unwrap();
        stand_in(&bundle, &restores(0));
        restore(&bundle, &["--detach"]).fails(1, &[kind, "/bin/false"]);
        bundle.is_gone();
    }
}
