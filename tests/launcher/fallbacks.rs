//! Older kernels: the same launches with the newer system calls taken away, one after the other and
//! all together.

use crate::util::{Scratch, launcher, run, tests};
use std::process::Command;

tests![
    each_call_can_be_missing needs Launch, Program("strace");
    the_hardened_container_holds_on_older_kernels needs Launch, UserNamespaces, Program("strace");
    a_link_leads_nowhere_without_openat2_either needs Launch, Program("strace");
    read_only_holds_without_mount_setattr needs Root, Program("strace"), Program("unshare");
];

/// The launcher on a kernel that does not know these calls.
pub fn without(scratch: &Scratch, calls: &str, words: &[&str]) -> crate::util::Ended {
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "--seccomp-bpf",
        "-o",
        "/dev/null",
        "-e",
        &format!("trace={calls}"),
        "-e",
        &format!("inject={calls}:error=ENOSYS"),
    ]);
    run(command.arg(launcher()).args(words).current_dir(scratch.path("")))
}

const ALL: &str = "open_tree,move_mount,fsopen,mount_setattr,openat2,close_range";

fn each_call_can_be_missing() {
    for calls in ALL.split(',').chain([ALL, "mount_setattr,openat2", "fsopen,open_tree,move_mount"])
    {
        let scratch = Scratch::new().with_host_programs();
        scratch.file("data/x", "");
        let words = [
            "--read-only",
            "-v",
            "data:/a/b",
            "-v",
            "data:/r:ro",
            "--tmpfs",
            "/t",
            "-v",
            "/proc:/proc",
            "/bin/sh",
            "-c",
            "echo /a/b/* /r/*; touch /a/b/new /t/new; ! touch /r/x2; ! touch /no; ls /proc/self/fd/5/etc || echo closed",
        ];
        let words: Vec<_> = words.into();
        let ended = without(&scratch, calls, &words);
        assert_eq!(ended.output, "/a/b/x /r/x\nclosed\n", "without {calls}: {}", ended.errors);
        assert!(
            ended.errors.contains("/r/x2': Read-only") && ended.errors.contains("/no': Read-only")
        );
    }
}

fn the_hardened_container_holds_on_older_kernels() {
    const EVERY: &str = "open_tree,move_mount,fsopen,mount_setattr,openat2,close_range,pidfd_open";
    let script = "busybox ls /dev; busybox stat -c %t,%T /dev/null /dev/console; busybox wc -c < /proc/timer_list
        for path in /proc/sys/kernel/hostname /sys/x /sys/fs/cgroup/x; do (echo x > $path) 2>/dev/null && echo wrote $path; done
        busybox readlink /proc/self/ns/pid; busybox tty";
    let newest = hardened("acct", script);
    for calls in EVERY.split(',').chain([EVERY, "mount_setattr,openat2"]) {
        assert_eq!(newest, hardened(calls, script), "without {calls}");
    }
}

/// What a script prints in `--all` without these calls, but for the number of its namespace.
fn hardened(calls: &str, script: &str) -> String {
    let scratch = Scratch::new().with_busybox();
    let words = ["--all", "-t", "--env", "PATH=/bin", "/bin/busybox", "sh", "-c", script];
    let seen = without(&scratch, calls, &words).success();
    let (before, behind) = seen.split_once("pid:[").unwrap();
    format!("{before}{}", behind.split_once(']').unwrap().1)
}

fn a_link_leads_nowhere_without_openat2_either() {
    for target in ["../../../../canary", "/canary", "/proc/self/cwd/canary", "loop"] {
        let scratch = Scratch::new().with_host_programs();
        scratch.folder("canary");
        scratch.file("one", "");
        scratch.link("rootfs/etc", target);
        scratch.link("rootfs/loop", "loop");
        let words = ["-v", "one:/etc/sub/../sub/one", "/bin/ls", "/etc/sub"];
        let ended = without(&scratch, "openat2", &words);
        if target == "loop" {
            ended.fails(125, &["Too many symbolic links"]);
        } else {
            assert_eq!(ended.output, "one\n", "{target}: {}", ended.errors);
        }
        assert_eq!(std::fs::read_dir(scratch.path("canary")).unwrap().count(), 0);
        assert!(!std::path::Path::new("/canary").exists());
    }
}

/// What could not be made read-only is not shown at all.
fn read_only_holds_without_mount_setattr() {
    let scratch = Scratch::new().with_host_programs();
    scratch.folder("data/below");
    let script = "mount -t tmpfs x data/below; touch data/below/secret
        strace -f -o /dev/null -e inject=mount_setattr:error=ENOSYS \
        $MC -v data:/data:ro /bin/sh -c 'ls /data/below; ! touch /data/below/new'; ls data/below";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-ec", script]).env("MC", launcher());
    let ended = run(command.current_dir(scratch.path("")));
    assert_eq!(ended.success(), "secret\n");
}
