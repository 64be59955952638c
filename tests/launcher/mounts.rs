//! What a container sees of files: volumes and their options, devices, memory, a throwaway root, ids.

use crate::util::{ORDINARY, Scratch, run, tests};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;

tests![
    a_throwaway_root_takes_changes_and_loses_them needs Launch, UserNamespaces;
    a_throwaway_root_can_be_read_only needs Launch;
    volume_options_hold needs Launch, UserNamespaces;
    a_volume_shows_what_the_host_mounts_later_if_asked needs Root, Program("unshare");
    ids_of_a_volume_are_mapped needs Root;
    a_volume_is_given_to_the_containers_user needs Root;
    idmap_without_users_is_refused needs Root;
    devices_are_shown needs Launch;
    memory_has_a_size_and_a_mode needs Launch;
    ranges_of_ids_are_mapped_as_root needs Root;
    ranges_of_ids_are_mapped_without_root needs Root, Program("newuidmap"), Program("unshare");
    ranges_that_are_not_the_callers_are_refused needs Root, Program("newuidmap");
    automatic_ranges_need_an_entry needs UserNamespaces;
];

fn root() -> Scratch {
    Scratch::new().with_busybox()
}

fn a_throwaway_root_takes_changes_and_loses_them() {
    for ordinary in [false, true] {
        for all in [&["--ephemeral"][..], &["--all", "--ephemeral"]] {
            let scratch = if ordinary { root().for_ordinary_user() } else { root() };
            scratch.file("rootfs/etc/file", "old\n");
            let scratch = if ordinary { scratch.for_ordinary_user() } else { scratch };
            let before = listing(&scratch);
            let script = "echo new > /etc/file; busybox cat /etc/file; busybox rm /bin/echo; busybox mkdir /made; busybox ls -d /made /bin/echo 2>&1";
            let program = ["/bin/busybox", "sh", "-c", script];
            let words = all.iter().chain(&program);
            let mut command =
                if ordinary { scratch.ordinary_launcher(words) } else { scratch.launcher(words) };
            let ended = run(&mut command);
            assert!(
                ended.output.starts_with("new\n/made\n")
                    || ended.output.contains("/bin/echo: No such"),
                "{}{}",
                ended.output,
                ended.errors
            );
            assert!(ended.output.contains("/made"), "{}{}", ended.output, ended.errors);
            assert_eq!(before, listing(&scratch));
            assert_eq!(fs::read_to_string(scratch.path("rootfs/etc/file")).unwrap(), "old\n");
        }
    }
}

fn listing(scratch: &Scratch) -> String {
    run(Command::new("find").arg(scratch.path("rootfs"))).success()
}

fn a_throwaway_root_can_be_read_only() {
    let seen = root().inside(
        &["--ephemeral", "--read-only", "--tmpfs", "/t"],
        "busybox touch /t/x; busybox touch /x 2>&1; busybox ls /t",
    );
    assert_eq!(seen, "touch: /x: Read-only file system\nx\n");
}

fn volume_options_hold() {
    for ordinary in [false, true] {
        let scratch = root();
        scratch.copy_in(std::path::Path::new("/bin/busybox"));
        fs::create_dir(scratch.path("data")).unwrap();
        crate::util::copy(std::path::Path::new("/bin/busybox"), &scratch.path("data/busybox"));
        let scratch = if ordinary { scratch.for_ordinary_user() } else { scratch };
        let script = "/x/busybox true 2>&1; /n/busybox echo runs; busybox touch /r/x 2>&1; busybox grep -E ' /(x|r|s) ' /proc/self/mountinfo";
        let words = [
            "-v",
            "./data:/x:noexec",
            "-v",
            "./data:/n",
            "-v",
            "./data:/r:ro",
            "-v",
            "./data:/s:nosuid,nodev,bind",
            "--isolate",
            "process",
            "/bin/busybox",
            "sh",
            "-c",
            script,
        ];
        let mut command =
            if ordinary { scratch.ordinary_launcher(words) } else { scratch.launcher(words) };
        let seen = run(&mut command).success();
        assert!(seen.contains("/x/busybox: Permission denied"), "{seen}");
        assert!(seen.contains("runs\n") && seen.contains("/r/x: Read-only file system"), "{seen}");
        let options = |place: &str| {
            seen.lines()
                .find(|line| line.contains(place))
                .unwrap()
                .split(' ')
                .nth(5)
                .unwrap()
                .to_string()
        };
        assert!(options(" /s ").starts_with("rw,nosuid,nodev"), "{seen}");
        assert!(options(" /x ").contains("noexec"), "{seen}");
    }
    run(&mut root().launcher(["-v", "./data:/d:sync", "sh"]))
        .fails(125, &["a volume has no such option (ro, rw"]);
}

fn a_volume_shows_what_the_host_mounts_later_if_asked() {
    let scratch = root();
    scratch.folder("data/below");
    let script = r"mount --bind data data; mount --make-shared data
        for option in slave shared private; do
            $MC -v ./data:/d:$option /bin/busybox sh -c 'while [ ! -e /d/go ]; do busybox sleep 0.05; done; busybox ls /d/below' > out-$option &
            sleep 0.2
            mount -t tmpfs x data/below; touch data/below/later data/go
            wait; umount data/below; rm data/go
        done; cat out-slave; echo; cat out-shared; echo; cat out-private";
    let mut command = Command::new("unshare");
    command.args(["-m", "bash", "-ec", script]).env("MC", crate::util::launcher());
    let seen = run(command.current_dir(scratch.path(""))).success();
    assert_eq!(seen, "later\n\nlater\n\n");
}

const RANGES: [&str; 4] = ["--map-users", "0:100000:65536", "--map-groups", "0:100000:65536"];

/// A root that such a container may look into and has mount points.
fn ready_root() -> Scratch {
    let scratch = root();
    for place in ["v", "w", "proc", "sys", "dev", "tmp"] {
        scratch.folder(&format!("rootfs/{place}"));
    }
    scratch
}

fn ids_of_a_volume_are_mapped() {
    let scratch = ready_root();
    scratch.file("data/file", "");
    chown(scratch.path("data/file"), Some(7), Some(8)).unwrap();
    chown(scratch.path("data"), Some(0), Some(0)).unwrap();
    let options = [&RANGES[..], &["-v", "./data:/v:idmap", "-v", "./data:/w"]].concat();
    let seen = scratch.inside(&options, "busybox stat -c %u:%g /v/file /w/file; busybox touch /v/made; busybox touch /w/no 2>&1; true");
    assert_eq!(seen, "7:8\n65534:65534\ntouch: /w/no: Permission denied\n");
    let made = fs::metadata(scratch.path("data/made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (0, 0), "what root inside makes there is root's outside");
}

fn idmap_without_users_is_refused() {
    run(&mut root().launcher(["-v", "./x:/y:idmap", "sh"]))
        .fails(125, &["idmap is of use with users", "--map-users"]);
}

fn a_volume_is_given_to_the_containers_user() {
    let scratch = ready_root();
    scratch.file("data/below/file", "");
    scratch.link("data/link", "/etc/passwd");
    let before = fs::metadata("/etc/passwd").unwrap().uid();
    let owner = |name: &str| {
        let found = fs::symlink_metadata(scratch.path(name)).unwrap();
        (found.uid(), found.gid())
    };
    let options = [&RANGES[..], &["-u", "5:6", "-v", "./data:/v:U"]].concat();
    let seen = scratch
        .inside(&options, "busybox stat -c %u:%g /v/below/file; busybox touch /v/below/made");
    assert_eq!(seen, "5:6\n");
    for name in ["data", "data/below", "data/below/file", "data/below/made", "data/link"] {
        assert_eq!(owner(name), (100_005, 100_006), "{name}");
    }
    assert_eq!(fs::metadata("/etc/passwd").unwrap().uid(), before, "links are not followed");
    scratch.inside(&["-u", "9:9", "-v", "./data:/v:U"], "busybox true");
    assert_eq!(owner("data/below/file"), (9, 9));
}

fn devices_are_shown() {
    let scratch = root();
    for options in [&["--device", "/dev/full"][..], &["--all", "--device", "/dev/zero:/dev/again"]]
    {
        let seen = scratch.inside(options, "busybox stat -c %t,%T /dev/again /dev/full 2>&1; true");
        assert!(seen.contains(if options.len() > 2 { "1,5" } else { "1,7" }), "{seen}");
    }
    run(&mut scratch.launcher(["--device", "/etc/passwd:/dev/x", "sh"]))
        .fails(125, &["use as a device /etc/passwd: No such device", "neither a character nor"]);
    run(&mut scratch.launcher(["--device", "/dev/zero:/dev/z:r", "sh"])).fails(125, &["rwm only"]);
    run(&mut scratch.launcher(["--device", "/dev/none", "sh"]))
        .fails(125, &["/dev/none: No such file"]);
}

fn memory_has_a_size_and_a_mode() {
    let scratch = root();
    let script = "busybox stat -f -c '%b %S' /t; busybox stat -c %a /t /u; busybox cp /bin/busybox /u/; /u/busybox echo runs";
    let seen = scratch.inside(&["--tmpfs", "/t:size=1m,mode=700", "--tmpfs", "/u:exec"], script);
    assert_eq!(seen, "256 4096\n700\n1777\nruns\n");
    run(&mut scratch.launcher(["--tmpfs", "/t:size=lots", "sh"]))
        .fails(125, &["a tmpfs has no such option (size="]);
}

fn ranges_of_ids_are_mapped_as_root() {
    let scratch = ready_root();
    let script = "busybox cat /proc/self/uid_map; busybox id -u; busybox stat -c %u /proc/1; busybox setuidgid 7 busybox id 2>&1; echo x > /tmp/made";
    for all in [&["--proc", "/proc", "--tmpfs", "/tmp"][..], &["--all", "--tmpfs", "/tmp"]] {
        let options = [&RANGES[..], all].concat();
        let seen = scratch.inside(&options, script);
        assert!(seen.starts_with("         0     100000      65536\n0\n"), "{seen}");
    }
    let two = [
        "--map-users",
        "0:1000:1",
        "--map-users",
        "1:200000:10",
        "--map-groups",
        "0:0:1",
        "-u",
        "5:0",
        "--proc",
        "/proc",
    ];
    let seen = scratch.inside(&two, "busybox cat /proc/self/uid_map; busybox id -u");
    assert_eq!(seen, "         0       1000          1\n         1     200000         10\n5\n");
    run(&mut scratch.launcher([
        "--map-users",
        "0:1:2",
        "--map-users",
        "1:5:1",
        "--map-groups",
        "0:0:1",
        "/bin/busybox",
        "true",
    ]))
    .fails(125, &["uid_map: Invalid argument", "may not overlap"]);
    run(&mut scratch.launcher(["--map-users", "0:1", "sh"]))
        .fails(125, &["option --map-users '0:1'", "INSIDE:OUTSIDE:COUNT"]);
}

/// The commands in a mount namespace in which the ordinary user has these ranges and a name.
fn with_ranges(scratch: &Scratch, line: &str) -> crate::util::Ended {
    scratch.file(
        "passwd",
        &format!("root:x:0:0::/:/bin/sh\nordinary:x:{ORDINARY}:{ORDINARY}::/:/bin/sh\n"),
    );
    scratch.file("subid", "other:1:2\nordinary:300000:1000\nordinary:500000:10\n");
    let script = format!(
        "mount --bind passwd /etc/passwd; touch /etc/subuid /etc/subgid
        mount --bind subid /etc/subuid; mount --bind subid /etc/subgid
        exec setpriv --reuid {ORDINARY} --regid {ORDINARY} --clear-groups bash -c '{line}'"
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "bash", "-ec", &script]).env("MC", crate::util::launcher());
    run(command.current_dir(scratch.path("")))
}

fn ranges_of_ids_are_mapped_without_root() {
    let scratch = ready_root().for_ordinary_user();
    let show = "busybox cat /proc/self/uid_map /proc/self/gid_map; busybox id -u";
    let line = format!(
        "$MC --map-users auto --map-groups auto --proc /proc --isolate process /bin/busybox sh -c \"{show}\""
    );
    let seen = with_ranges(&scratch, &line).success();
    let map = format!(
        "         0      {ORDINARY}          1\n         1     300000       1000\n      1001     500000         10\n"
    );
    assert_eq!(seen, format!("{map}{map}0\n"));
    let line = "$MC --all --map-users auto --map-groups auto -u 5:6 --group-add 7 /bin/busybox id";
    assert_eq!(with_ranges(&scratch, line).success(), "uid=5 gid=6 groups=7\n");
    let line = "$MC --map-users 0:300000:10 --map-groups 0:300000:10 --tmpfs /tmp /bin/busybox id";
    assert_eq!(with_ranges(&scratch, line).success(), "uid=0 gid=0\n");
}

fn ranges_that_are_not_the_callers_are_refused() {
    let scratch = ready_root().for_ordinary_user();
    let line = "$MC --map-users 0:600000:10 --map-groups 0:300000:10 /bin/busybox id";
    with_ranges(&scratch, line).fails(
        125,
        &[
            "map ids with /usr/bin/newuidmap: it refused the ranges",
            "/etc/subuid",
            "asked for: 0 600000 10",
        ],
    );
    let line = "$MC --map-users 0:300000:10 --map-groups 0:600000:10 /bin/busybox id";
    with_ranges(&scratch, line).fails(125, &["newgidmap", "/etc/subgid", "0 600000 10"]);
}

fn automatic_ranges_need_an_entry() {
    let scratch = root().for_ordinary_user();
    let words = ["--map-users", "auto", "/bin/busybox", "true"];
    run(&mut scratch.ordinary_launcher(words)).fails(125, &["/etc/subuid", ":100000:65536"]);
}
