//! What each option changes, as the program sees it.

use crate::util::{Scratch, run, tests};
use std::fs;

tests![
    rootfs_names_the_root needs Launch;
    volumes_are_seen_and_written_to needs Launch;
    a_read_only_volume_cannot_be_written_to needs Launch;
    a_read_only_volume_is_so_below_its_mounts_too needs Root, Program("unshare");
    a_file_is_a_volume_too needs Launch;
    volumes_lie_in_volumes_whatever_the_order needs Launch;
    a_tmpfs_is_empty_open_to_all_and_runs_nothing needs Launch;
    read_only_covers_the_root_and_its_mounts_but_no_volume needs Root, Program("unshare");
    workdir_is_where_the_program_starts needs Launch;
    the_environment_is_passed_on_set_and_cleared needs Launch;
    user_gives_up_every_privilege needs Root;
    user_numbers_are_taken_as_they_are needs Launch;
    a_link_in_the_root_never_leads_a_mount_out_of_it needs Launch;
    ordinary_links_in_the_root_work needs Launch;
    explain_prints_the_plan_and_does_nothing;
    help_and_version_are_printed;
];

fn rootfs_names_the_root() {
    let scratch = Scratch::new().with_host_programs();
    fs::rename(scratch.path("rootfs"), scratch.path("other")).unwrap();
    for option in [&["--rootfs", "other"][..], &["-rother"], &["--rootfs=other/"]] {
        assert_eq!(scratch.inside(option, "echo here"), "here\n");
    }
}

fn volumes_are_seen_and_written_to() {
    let scratch = Scratch::new().with_host_programs();
    scratch.file("data/in", "from outside\n");
    let seen = scratch.inside(
        &["-v", "data:/mnt/deep/data"],
        "cat /mnt/deep/data/in; echo back > /mnt/deep/data/out",
    );
    assert_eq!(seen, "from outside\n");
    assert_eq!(fs::read_to_string(scratch.path("data/out")).unwrap(), "back\n");
    assert_eq!(fs::read_dir(scratch.path("rootfs/mnt/deep/data")).unwrap().count(), 0);
}

fn a_read_only_volume_cannot_be_written_to() {
    let scratch = Scratch::new().with_host_programs();
    scratch.folder("data");
    scratch.inside(&["-v", "data:/data:ro"], "! touch /data/x");
    assert!(!scratch.path("data/x").exists());
}

/// Runs a script of the host's in mounts of its own, with the launcher as `$MC`.
fn in_own_mounts(scratch: &Scratch, script: &str) -> String {
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-ec", script]).current_dir(scratch.path(""));
    run(command.env("MC", crate::util::launcher())).success()
}

fn a_read_only_volume_is_so_below_its_mounts_too() {
    let scratch = Scratch::new().with_host_programs();
    scratch.folder("data/below");
    let script = "mount -t tmpfs x data/below; touch data/below/seen
        $MC -v data:/data:ro /bin/sh -c 'ls /data/below; ! touch /data/below/new'; ls data/below";
    assert_eq!(in_own_mounts(&scratch, script), "seen\nseen\n");
}

fn a_file_is_a_volume_too() {
    let scratch = Scratch::new().with_host_programs();
    scratch.file("one", "content\n");
    assert_eq!(
        scratch.inside(&["-v", "one:/etc/one:ro"], "cat /etc/one; ! echo > /etc/one"),
        "content\n"
    );
}

fn volumes_lie_in_volumes_whatever_the_order() {
    let scratch = Scratch::new().with_host_programs();
    scratch.file("outer/a", "");
    scratch.file("inner/b", "");
    let seen = scratch.inside(&["-v", "inner:/o/i", "-v", "outer:/o"], "ls /o /o/i");
    assert_eq!(seen, "/o:\na\ni\n\n/o/i:\nb\n");
}

fn a_tmpfs_is_empty_open_to_all_and_runs_nothing() {
    let scratch = Scratch::new().with_host_programs();
    scratch.file("rootfs/tmp/old", "");
    let script = "ls /tmp; stat -c %a /tmp; while read line; do case $line in *' /tmp '*) echo \"$line\";; esac; done < /proc/self/mounts; touch /tmp/new";
    let seen = scratch.inside(&["--tmpfs", "/tmp", "-v", "/proc:/proc"], script);
    assert!(seen.starts_with("1777\n"), "{seen}");
    assert!(seen.contains("nosuid,nodev,noexec"), "{seen}");
    assert!(!scratch.path("rootfs/tmp/new").exists());
}

fn read_only_covers_the_root_and_its_mounts_but_no_volume() {
    let scratch = Scratch::new().with_host_programs();
    scratch.folder("rootfs/below");
    scratch.folder("data");
    let script = "mount -t tmpfs x rootfs/below
        $MC --read-only -v data:/made/data --tmpfs /t /bin/sh -c '
            ! touch /new; ! touch /below/new; touch /made/data/new; touch /t/new'";
    in_own_mounts(&scratch, script);
    assert!(scratch.path("data/new").exists());
    assert!(!scratch.path("rootfs/new").exists());
}

fn workdir_is_where_the_program_starts() {
    let scratch = Scratch::new().with_host_programs();
    scratch.folder("rootfs/a/b");
    assert_eq!(scratch.inside(&["-w", "/a/b"], "pwd -P"), "/a/b\n");
    assert_eq!(scratch.inside(&[], "pwd -P"), "/\n");
}

fn the_environment_is_passed_on_set_and_cleared() {
    let scratch = Scratch::new().with_host_programs();
    let env = |options: &[&str]| {
        let words = options.iter().chain(&["/bin/env"]);
        let mut command = scratch.launcher(words);
        run(command.env_clear().env("A", "1").env("B", "2")).success()
    };
    assert_eq!(env(&[]), "A=1\nB=2\n");
    assert_eq!(env(&["-e", "A=x=y"]), "B=2\nA=x=y\n");
    assert_eq!(env(&["--clear-env", "-e", "B", "-e", "C=", "-e", "D"]), "B=2\nC=\n");
    assert_eq!(env(&["--clear-env"]), "");
}

fn user_gives_up_every_privilege() {
    let scratch = Scratch::new().with_host_programs();
    let script = "id; while read line; do echo $line; done < /proc/self/status";
    let seen = scratch.inside(&["-u", "77:88", "-v", "/proc:/proc"], script);
    assert!(seen.starts_with("uid=77 gid=88 groups=88\n"), "{seen}");
    assert!(seen.contains("Uid: 77 77 77 77\n") && seen.contains("Gid: 88 88 88 88\n"), "{seen}");
    assert!(
        seen.contains("CapEff: 0000000000000000") && seen.contains("CapPrm: 0000000000000000"),
        "{seen}"
    );
    assert!(seen.contains("Groups:\n") || seen.contains("Groups: \n"), "{seen}");
}

fn user_numbers_are_taken_as_they_are() {
    let scratch = Scratch::new().with_host_programs();
    scratch.file("rootfs/etc/passwd", "77:x:0:0::/:/bin/sh\n");
    assert_eq!(scratch.inside(&["-u", "77"], "id -u; id -g"), "77\n0\n");
    for wrong in ["1:", ":1", "4294967295", "4294967296", "0x1", "root", "-1"] {
        let ended = run(&mut scratch.launcher(["-u", wrong, "/bin/id"]));
        ended.fails(125, &["the value is of another form\nhint: --user UID[:GID]: "]);
    }
}

fn a_link_in_the_root_never_leads_a_mount_out_of_it() {
    for target in
        ["../../../../../../tmp/canary", "/tmp/canary", "CANARY", "/proc/self/root/tmp/canary"]
    {
        let scratch = Scratch::new().with_host_programs();
        let canary = scratch.folder("canary");
        scratch.file("one", "");
        scratch.link("rootfs/etc", &target.replace("CANARY", canary.to_str().unwrap()));
        let words = ["-v", "one:/etc/sub/hosts", "--tmpfs", "/etc/t", "/bin/ls", "/etc/sub/hosts"];
        let ended = run(&mut scratch.launcher(words));
        assert_eq!(ended.output, "/etc/sub/hosts\n", "{}", ended.errors);
        assert_eq!(fs::read_dir(&canary).unwrap().count(), 0, "nothing is made outside");
        assert!(!std::path::Path::new("/tmp/canary").exists());
    }
}

fn ordinary_links_in_the_root_work() {
    let scratch = Scratch::new().with_host_programs();
    scratch.folder("rootfs/run");
    scratch.folder("rootfs/var");
    scratch.link("rootfs/var/run", "../run");
    scratch.link("rootfs/var/lock", "/run/lock");
    scratch.file("data/x", "");
    let seen = scratch
        .inside(&["-v", "data:/var/run/d", "-v", "data:/var/lock/d"], "ls /run/d /run/lock/d");
    assert_eq!(seen, "/run/d:\nx\n\n/run/lock/d:\nx\n");
}

fn explain_prints_the_plan_and_does_nothing() {
    let scratch = Scratch::new();
    scratch.folder("rootfs");
    let plan =
        run(&mut scratch.launcher(["--explain", "-v", "/:/made", "-w", "/w", "prog"])).success();
    for words in
        ["clone(VM|VFORK|NEWNS", "pivot_root", "show / as /made", "start in /w", "become prog"]
    {
        assert!(plan.contains(words), "no {words} in {plan}");
    }
    assert!(!scratch.path("rootfs/made").exists());
}

fn help_and_version_are_printed() {
    let scratch = Scratch::new();
    assert!(run(&mut scratch.launcher(["--help"])).success().contains("--rootfs DIR"));
    let version = run(&mut scratch.launcher(["-V"])).success();
    assert_eq!(version, format!("mini-container {}\n", env!("CARGO_PKG_VERSION")));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = run(scratch.launcher(["--help"]).stdout(full));
    ended.fails(125, &["write to standard output: No space left on device"]);
}
