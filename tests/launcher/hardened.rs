//! `--all`: what a program has and may do in a hardened container, and the options that change it.

use crate::util::{Scratch, run, tests};

tests![
    dev_has_the_usual_devices_and_no_other needs Launch, UserNamespaces;
    devices_made_as_root_are_the_right_ones needs Root;
    what_tells_of_the_host_is_hidden needs Launch, UserNamespaces;
    masks_can_be_added_and_taken_away needs Launch;
    all_masks_can_be_taken_away needs Root, Program("busybox");
    capabilities_are_dockers_and_can_be_changed needs Launch, UserNamespaces;
    dropped_capabilities_do_not_come_back needs Root;
    the_filter_and_no_new_privileges_are_on needs Launch, UserNamespaces;
    a_profile_can_be_given needs Launch;
    a_wrong_profile_is_refused needs Launch;
    no_nested_users_without_all needs Launch;
    landlock_keeps_to_the_root needs Root;
    the_users_own_mounts_come_first needs Launch;
    all_works_with_everything_shared needs Root;
];

fn root() -> Scratch {
    Scratch::new().with_busybox()
}

/// What a script prints in `--all` with these options, as the caller and as the ordinary user.
fn both(options: &[&str], script: &str) -> [String; 2] {
    let words = |all: &[&str]| -> Vec<String> {
        let program = ["/bin/busybox", "sh", "-c", script];
        all.iter().chain(options).chain(&program).map(ToString::to_string).collect()
    };
    let (callers, users) = (root(), root().for_ordinary_user());
    [
        run(&mut callers.launcher(words(&["--all"]))).success(),
        run(&mut users.ordinary_launcher(words(&["--all"]))).success(),
    ]
}

const DEVICES: &str =
    "console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero";

fn dev_has_the_usual_devices_and_no_other() {
    let script = "busybox echo $(busybox ls /dev); busybox stat -c '%n %t,%T %a' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty
        for link in ptmx fd stdin; do busybox readlink /dev/$link; done; busybox head -c 4 /dev/zero | busybox wc -c; echo x > /dev/null && echo written
        busybox ls /dev/pts; echo x > /dev/shm/x && echo made; touch /dev/new && echo also made; busybox mount | busybox grep -c ' /dev '";
    for output in both(&["--env", "PATH=/bin"], script) {
        let lines: Vec<_> = output.lines().collect();
        assert_eq!(lines[0], DEVICES);
        assert_eq!(lines[1], "/dev/null 1,3 666");
        assert_eq!(lines[2], "/dev/zero 1,5 666");
        assert_eq!(lines[3], "/dev/full 1,7 666");
        assert_eq!(lines[4], "/dev/random 1,8 666");
        assert_eq!(lines[5], "/dev/urandom 1,9 666");
        assert_eq!(lines[6], "/dev/tty 5,0 666");
        assert_eq!(lines[7..10], ["pts/ptmx", "/proc/self/fd", "/proc/self/fd/0"]);
        assert_eq!(lines[10..], ["4", "written", "ptmx", "made", "also made", "1"]);
    }
}

fn devices_made_as_root_are_the_right_ones() {
    let scratch = root();
    let script = "busybox stat -c '%n %F %t,%T %a' /dev/null /dev/console; echo x > /dev/null && echo written; busybox head -c 3 /dev/urandom | busybox wc -c";
    let seen = scratch.inside(&["--dev", "/dev"], script);
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[0], "/dev/null character special file 1,3 666");
    assert_eq!(lines[1], "/dev/console character special file 1,3 666");
    assert_eq!(lines[2..], ["written", "3"]);
}

fn what_tells_of_the_host_is_hidden() {
    let script = "for path in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do busybox cat $path 2>/dev/null | busybox wc -c; done
        busybox ls /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | busybox grep -v : | busybox grep -c .
        for path in /proc/sys/kernel/hostname /proc/irq/x /proc/bus/x /sys/x /sys/fs/cgroup/x /proc/sysrq-trigger; do
            (echo 1 > $path) 2>/dev/null && echo wrote $path; done; echo end";
    for output in both(&[], script) {
        assert_eq!(output, "0\n0\n0\n0\n0\nend\n");
    }
}

fn masks_can_be_added_and_taken_away() {
    let scratch = root();
    scratch.file("rootfs/secret/file", "secret\n");
    let script = "busybox cat /secret/file 2>&1; busybox wc -c < /proc/timer_list; busybox wc -c < /proc/interrupts";
    let options = [
        "--all",
        "--security-opt",
        "mask=/secret/file:/nowhere",
        "--security-opt",
        "unmask=/proc/interrupts",
    ];
    let seen = scratch.inside(&options, script);
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[0], "0", "the file is empty, and nothing was printed");
    assert_ne!(lines[1], "0", "{seen}");
}

/// What is there then can be written to by who may do so outside.
fn all_masks_can_be_taken_away() {
    let scratch = root();
    let seen = scratch.inside(&["--all", "--security-opt", "unmask=ALL"], "busybox wc -c < /proc/timer_list; (echo x > /proc/sys/kernel/hostname) 2>&1; busybox hostname");
    assert!(!seen.starts_with("0\n") && seen.ends_with("x\n"), "{seen}");
}

const SETS: &str = "busybox grep Cap /proc/self/status";

fn sets(output: &str) -> Vec<String> {
    output
        .lines()
        .map(|line| line.split('\t').nth(1).unwrap().trim_start_matches('0').into())
        .collect()
}

fn capabilities_are_dockers_and_can_be_changed() {
    for output in both(&[], SETS) {
        assert_eq!(sets(&output), ["", "a80425fb", "a80425fb", "a80425fb", ""]);
    }
    for output in both(&["--cap-drop", "ALL", "--cap-add", "CAP_NET_RAW,kill"], SETS) {
        assert_eq!(sets(&output), ["", "2020", "2020", "2020", ""]);
    }
    for output in both(&["--cap-add", "SYS_PTRACE", "--cap-drop", "chown"], SETS) {
        assert_eq!(sets(&output)[1], "a80c25fa");
    }
    for output in both(&["--cap-add", "ALL", "--cap-drop", "sys_admin"], SETS) {
        assert_eq!(sets(&output)[1], "1ffffdfffff");
    }
    run(&mut root().launcher(["--cap-add", "SYS_ADMINN", "sh"]))
        .fails(125, &["option --cap-add 'SYS_ADMINN': there is no such capability"]);
}

/// Root in the host's user namespace, which would get all of them back by executing any program.
fn dropped_capabilities_do_not_come_back() {
    let scratch = root();
    let options = ["--cap-drop", "ALL", "--cap-add", "CHOWN", "--proc", "/proc"];
    let seen = scratch.inside(&options, "busybox sh -c 'busybox grep Cap /proc/self/status'");
    assert_eq!(sets(&seen), ["", "1", "1", "1", ""]);
    let options = ["--all", "--share", "user", "-u", "1000:1000"];
    let seen = scratch.inside(&options, "busybox id -u; busybox grep Cap /proc/self/status");
    let (user, seen) = seen.split_once('\n').unwrap();
    assert_eq!(user, "1000");
    // Less than Docker's by the making of devices, which only a user namespace makes harmless.
    assert_eq!(sets(seen), ["", "", "", "a00425fb", ""]);
}

fn the_filter_and_no_new_privileges_are_on() {
    let script = "busybox grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; busybox unshare -U true 2>&1; busybox mount -t tmpfs x /mnt 2>&1; busybox dmesg 2>&1; busybox chroot / /bin/busybox echo chroot";
    for output in both(&[], script) {
        assert!(output.starts_with("NoNewPrivs:\t1\nSeccomp:\t2\n"), "{output}");
        assert!(output.contains("unshare(0x10000000): Operation not permitted"), "{output}");
        assert!(
            output.contains("mount:") && output.contains("klogctl: Operation not permitted"),
            "{output}"
        );
        assert!(output.ends_with("chroot\n"), "{output}");
    }
    let options =
        ["--security-opt", "seccomp=unconfined", "--security-opt", "no-new-privileges=false"];
    for output in both(&options, "busybox grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status") {
        // The one filter that is left forbids user namespaces.
        assert_eq!(output, "NoNewPrivs:\t0\nSeccomp:\t2\n");
    }
}

fn a_profile_can_be_given() {
    let scratch = root();
    scratch.file("profile.json", r#"{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [],
        "syscalls": [{"names": ["mkdir", "mkdirat", "not_a_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}"#);
    for options in [
        &["--security-opt", "seccomp=profile.json"][..],
        &["--all", "--security-opt", "seccomp=profile.json"],
    ] {
        let seen = scratch
            .inside(options, "busybox mkdir /made 2>&1; busybox touch /file && echo touched");
        assert_eq!(
            seen,
            "mkdir: can't create directory '/made': No space left on device\ntouched\n"
        );
    }
}

fn a_wrong_profile_is_refused() {
    let scratch = root();
    let refused = |content: &str, words: &[&str]| {
        scratch.file("profile.json", content);
        run(&mut scratch.launcher(["--security-opt", "seccomp=profile.json", "sh"]))
            .fails(125, words);
    };
    refused("{", &["read the seccomp profile, line 1, column 2: this is not JSON"]);
    refused(
        r#"{"defaultAction": "SCMP_ACT_ALOW"}"#,
        &["defaultAction SCMP_ACT_ALOW: no such action", "hint: SCMP_ACT_"],
    );
    refused(r#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#, &["not supported"]);
    run(&mut scratch.launcher(["--security-opt", "seccomp=none.json", "sh"]))
        .fails(125, &["read none.json: No such file or directory"]);
    run(&mut scratch.launcher(["--security-opt", "secomp=x", "sh"]))
        .fails(125, &["option --security-opt 'secomp=x': the value is of another form"]);
}

fn no_nested_users_without_all() {
    let scratch = root();
    let script = "busybox unshare -U busybox true 2>&1 && echo made";
    assert!(scratch.inside(&["--isolate", "user"], script).contains("made"));
    let seen =
        scratch.inside(&["--isolate", "user", "--no-nested-userns"], &format!("{script}; true"));
    assert_eq!(seen, "unshare: unshare(0x10000000): Operation not permitted\n");
}

/// A descriptor of a directory outside is passed on, and is of no use.
fn landlock_keeps_to_the_root() {
    let scratch = root();
    scratch.file("outside/file", "outside\n");
    scratch.file("data/file", "data\n");
    let line = |more: &str| {
        format!(
            "exec 3<outside; exec \"$MC\" --preserve-fds 1 --proc /proc -v ./data:/data {more} /bin/busybox sh -c 'busybox cat /data/file /proc/self/fd/3/file'"
        )
    };
    let started = |more: &str| {
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &line(more)]).env("MC", crate::util::launcher());
        run(command.current_dir(scratch.path("")))
    };
    assert_eq!(started("").success(), "data\noutside\n", "the way is there without it");
    let held = started("--security-opt landlock");
    assert_eq!(held.output, "data\n");
    assert!(held.errors.contains("Permission denied"), "{}", held.errors);
}

fn the_users_own_mounts_come_first() {
    let scratch = root();
    scratch.file("own/file", "");
    let seen = scratch.inside(
        &["--all", "-v", "./own:/dev", "-v", "./own:/sys"],
        "busybox ls /dev /sys; busybox ls -d /proc/1",
    );
    assert_eq!(seen, "/dev:\nfile\n\n/sys:\nfile\n/proc/1\n");
}

fn all_works_with_everything_shared() {
    let scratch = root();
    let list = "process,user,ipc,network,hostname,cgroup,time";
    let seen = scratch.inside(
        &["--all", "--share", list],
        "busybox ls -d /proc/self /sys/class /dev/null /dev/mqueue",
    );
    assert_eq!(seen.lines().count(), 4);
    for kind in list.split(',') {
        assert_eq!(scratch.inside(&["--all", "--share", kind], "echo fine"), "fine\n", "{kind}");
        let users = root().for_ordinary_user();
        let words = ["--all", "--share", kind, "/bin/busybox", "echo", "fine"];
        assert_eq!(
            run(&mut users.ordinary_launcher(words)).success(),
            "fine\n",
            "{kind}, ordinary user"
        );
    }
}
