//! What is done inside does not show outside, and there is no way back to the host's root.

use crate::util::{Scratch, launcher, run, tests};
use std::process::Command;

tests![
    a_mount_made_inside_never_shows_outside needs Root, Program("unshare");
    the_hosts_table_of_mounts_is_unchanged needs Launch;
    the_old_root_is_gone_from_the_table needs Launch;
    chroot_escape_does_not_work needs Root, Program("cc");
];

fn table() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap()
}

fn a_mount_made_inside_never_shows_outside() {
    let scratch = Scratch::new().with_host_programs();
    // A host whose mounts are shared, as systemd makes them.
    let script = "mount --bind . . ; before=$(cat /proc/self/mountinfo)
        cd \"$PWD\"
        $MC -v /proc:/proc --tmpfs /t /bin/bash -c 'mkdir -p /m && mount -t tmpfs x /m && touch /m/made && ls /m'
        ls rootfs/m; test \"$before\" = \"$(cat /proc/self/mountinfo)\" && echo unchanged";
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "shared", "sh", "-ec", script]);
    command.env("MC", launcher()).current_dir(scratch.path(""));
    assert_eq!(run(&mut command).success(), "made\nunchanged\n");
}

fn the_hosts_table_of_mounts_is_unchanged() {
    let scratch = Scratch::new().with_host_programs();
    scratch.folder("data");
    let before = table();
    scratch.inside(&["-v", "data:/data:ro", "--tmpfs", "/t", "--read-only"], "true");
    run(&mut scratch.launcher(["-v", "data:/data", "--tmpfs", "/t", "/missing"])).fails(127, &[]);
    assert_eq!(before, table());
}

fn the_old_root_is_gone_from_the_table() {
    let scratch = Scratch::new().with_host_programs();
    let seen = scratch.inside(&["-v", "/proc:/proc"], "cat /proc/self/mountinfo");
    let places: Vec<_> = seen.lines().map(|line| line.split(' ').nth(4).unwrap()).collect();
    assert_eq!(places[0], "/");
    assert!(places[1..].iter().all(|place| place.starts_with("/proc")), "{seen}");
}

/// The escape that works on chroot: a new root below, and up from a working directory outside it.
const ESCAPE: &str = r#"
    #include <stdio.h>
    #include <sys/stat.h>
    #include <unistd.h>
    int main(void) {
        mkdir("below", 0700);
        if (chroot("below")) { perror("chroot"); return 2; }
        for (int i = 0; i < 64; i++) chdir("..");
        if (chroot(".")) { perror("chroot"); return 2; }
        puts(access("/etc/passwd", F_OK) ? "held" : "escaped");
        return 0;
    }
"#;

fn chroot_escape_does_not_work() {
    let scratch = Scratch::new().with_host_programs();
    let source = scratch.file("escape.c", ESCAPE);
    let program = scratch.path("rootfs/escape");
    let built =
        run(Command::new("cc").arg("-static").arg("-w").arg("-o").arg(&program).arg(source));
    built.success();
    let chroot = run(Command::new("chroot").arg(scratch.path("rootfs")).arg("/escape"));
    assert_eq!(
        chroot.output, "escaped\n",
        "the program does escape from chroot: {}",
        chroot.errors
    );
    assert_eq!(run(&mut scratch.launcher(["/escape"])).success(), "held\n");
}
