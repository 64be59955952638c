//! The attacks that worked on others by way of files: descriptors, links, mount points, `/proc`,
//! `/sys` and devices.

use crate::escapes::{both, holds, marker, root, shell, users_shell};
use crate::util::{Scratch, run, tests};
use std::fs;
use std::path::Path;
use std::process::{Child, Command};

tests![
    climbing_out_of_a_chroot needs Root, UserNamespaces, Program("cc");
    a_descriptor_that_was_left_open needs Root, UserNamespaces, Program("cc");
    a_descriptor_that_was_passed_on needs Root, UserNamespaces, Program("cc");
    a_working_directory_through_a_descriptor needs Root, UserNamespaces, Program("cc");
    a_link_swapped_under_mount_points needs Root, Program("cc");
    proc_is_a_link needs Root, Program("cc");
    proc_is_swapped needs Root, Program("cc");
    writing_to_proc_and_sys needs Root, UserNamespaces, Program("cc");
    making_devices needs Root, UserNamespaces, Program("cc");
    devices_that_were_there_before needs Root;
    a_proc_of_plain_files needs Root;
];

fn climbing_out_of_a_chroot() {
    let scratch = root();
    let marker = marker(&scratch);
    let seen = shell(&scratch, &format!("chroot rootfs /attack climb {marker}")).output;
    assert!(seen.starts_with("escaped"), "the attack works on chroot: {seen}");
    for options in [
        "",
        "--all",
        "--all --cap-add ALL",
        "--all --cap-add ALL --security-opt seccomp=unconfined",
        "--all --share user --cap-add ALL --security-opt seccomp=unconfined",
        "--isolate process,user",
        "--ephemeral",
        "--read-only --tmpfs /below",
    ] {
        let seen = both(options, &format!("/attack climb {marker}"));
        assert!(!seen.contains("chroot:"), "{options}: it can be tried: {seen}");
        holds(&seen, 2);
    }
}

/// Opens the host's root as each of these before the launcher runs.
fn open(first: u32, last: u32) -> String {
    format!("for fd in {{{first}..{last}}}; do eval \"exec $fd</\"; done")
}

fn a_descriptor_that_was_left_open() {
    let opened = open(3, 40);
    let scratch = root();
    let line = format!("{opened}; $MC --preserve-fds 38 /attack descriptors");
    let seen = shell(&scratch, &line).output;
    assert_eq!(seen.matches("escaped").count(), 38, "they are there to be closed: {seen}");
    for options in ["", "--all", "--all --init", "--isolate process,user", "--all --tty"] {
        let line = format!("{opened}; exec $MC {options} /attack descriptors");
        holds(&shell(&scratch, &line).output, 1);
        let users = root().for_ordinary_user();
        holds(&users_shell(&users, &line).output, 1);
    }
    let line = format!(
        "{opened}; for options in '' --all; do $MC $options /attack climb-from 3 /etc; done"
    );
    let ended = shell(&scratch, &line);
    let refused = ended.errors.matches("fchdir: Bad file descriptor").count();
    assert_eq!(refused, 2, "{}{}", ended.output, ended.errors);
}

/// One that is passed on leads where it leads, unless Landlock is asked for.
fn a_descriptor_that_was_passed_on() {
    let marked = |scratch: Scratch, options: &str, attack: &str, is_users: bool| {
        let marker = marker(&scratch);
        let scratch = if is_users { scratch.for_ordinary_user() } else { scratch };
        let line =
            format!("exec 3</; exec $MC --preserve-fds 1 {options} /attack {attack} 3 {marker}");
        let run = if is_users { users_shell } else { shell };
        let seen = run(&scratch, &line).output;
        (seen, Path::new(&marker).exists())
    };
    for is_users in [false, true] {
        let (seen, _) = marked(root(), "", "climb-from", is_users);
        assert!(seen.starts_with("escaped"), "who passes it on means it: {seen}");
        let (seen, is_there) = marked(root(), "--all", "leak", is_users);
        assert!(seen.matches("escaped").count() == 7 && !is_there, "{seen}");
        for options in [
            "--all --security-opt landlock",
            "--all --cap-add ALL --security-opt landlock",
            "--proc /proc --security-opt landlock",
            "--isolate process,user --security-opt landlock",
        ] {
            let (seen, is_there) = marked(root(), options, "leak", is_users);
            holds(&seen, 7);
            assert_eq!(seen.matches("Permission denied").count(), 7, "{options}: {seen}");
            assert!(is_there);
        }
    }
}

fn a_working_directory_through_a_descriptor() {
    let opened = open(3, 22);
    for options in ["--all", "--all --preserve-fds 3", "--isolate process"] {
        let line = format!(
            "{opened}; for n in {{0..40}}; do $MC {options} -w /proc/self/fd/$n /bin/busybox ls etc && echo escaped $n; done"
        );
        // With three of them passed on, those three are meant; otherwise there is no way.
        let meant = if options.contains("preserve") { 3 } else { 0 };
        let users = users_shell(&root().for_ordinary_user(), &line);
        for ended in [shell(&root(), &line), users] {
            assert_eq!(ended.output.matches("escaped").count(), meant, "{}", ended.output);
            let refused = ended.errors.matches("change to the working directory").count();
            assert_eq!(refused, 41 - meant, "{}", ended.errors);
        }
    }
}

/// A process that exchanges two names of a root all the time, until it is dropped.
struct Swapper(Child);

impl Swapper {
    fn new(scratch: &Scratch, one: &str, other: &str) -> Self {
        let mut command = Command::new(scratch.path("rootfs/attack"));
        command.args(["swap", one, other]).current_dir(scratch.path("rootfs"));
        Self(command.spawn().unwrap())
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the host's table of mounts says of the scratch directory: nothing.
fn mounted(scratch: &Scratch) -> usize {
    let place = scratch.path("");
    let place = place.to_str().unwrap().trim_end_matches('/');
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().filter(|line| line.contains(place)).count()
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn a_link_swapped_under_mount_points() {
    let scratch = root();
    let canary = scratch.folder("canary");
    scratch.folder("rootfs/place/below");
    scratch.link("rootfs/relative", "../canary");
    scratch.link("rootfs/absolute", canary.to_str().unwrap());
    scratch.file("data/file", "");
    for link in ["relative", "absolute"] {
        let swapper = Swapper::new(&scratch, "place", link);
        let naive = "for i in $(seq 100); do mkdir -p rootfs/place/made/$i; done; rm -r canary/*";
        shell(&scratch, naive).success();
        let line = "for i in $(seq 150); do
            $MC -v ./data:/place/made/$i --tmpfs /place/below/$i --isolate process --proc /place/proc \
                -v ./data/file:/place/files/$i /bin/busybox echo launched; done 2>errors; true";
        let seen = shell(&scratch, line).success();
        drop(swapper);
        assert!(seen.matches("launched").count() > 50, "{seen}");
        assert_eq!(entries(&canary), 0, "{link}");
        assert_eq!(entries(&scratch.path("data")), 1);
        assert_eq!(mounted(&scratch), 0);
    }
}

fn proc_is_a_link() {
    // The last two lead to themselves, and are refused.
    for (target, is_possible) in [
        ("/etc", true),
        ("../canary", true),
        ("loop", true),
        ("/proc/self/cwd", false),
        ("proc", false),
    ] {
        let scratch = root();
        let canary = scratch.folder("canary");
        scratch.folder("rootfs/etc");
        scratch.link("rootfs/proc", target);
        for options in ["--all", "--all --share user", "--all --share user --cap-add ALL"] {
            let line = format!(
                "$MC {options} /bin/busybox sh -c 'busybox cat /proc/1/comm; busybox wc -c < /proc/timer_list; (echo x > /proc/sys/kernel/hostname) && echo escaped; true'"
            );
            let ended = shell(&scratch, &line);
            assert_eq!(entries(&canary), 0, "{target}");
            assert_eq!(mounted(&scratch), 0, "{target}");
            if is_possible {
                assert_eq!(ended.success(), "busybox\n0\n", "{options}, {target}");
            } else {
                ended.fails(125, &["/proc", "Too many"]);
            }
        }
    }
}

/// Swapped while the mounts are made, what is /proc in the end is hidden all the same.
fn proc_is_swapped() {
    const SCRIPT: &str = "for p in /proc /fake /link /canary; do
        [ -e $p/sys/kernel/ostype ] && (echo x > $p/sys/kernel/hostname);
        [ -e $p/timer_list ] && busybox head -c 1 $p/timer_list | busybox grep -q . && echo escaped: read;
        done; echo launched by $(busybox hostname)";
    let scratch = root();
    let canary = scratch.folder("canary");
    scratch.folder("rootfs/proc/sys/kernel");
    scratch.folder("rootfs/fake/sys/kernel");
    scratch.file("script", SCRIPT);
    let launch = |options: &str| {
        let line = format!(
            "for i in $(seq 100); do $MC {options} --hostname held /bin/busybox sh -c \"$(cat script)\"; done 2>errors; true"
        );
        shell(&scratch, &line).success()
    };
    let seen = launch("--proc /proc --isolate process");
    assert!(seen.contains("escaped: read") && seen.contains("launched by x"), "{seen}");
    for target in ["fake", "../canary"] {
        let _ = fs::remove_file(scratch.path("rootfs/link"));
        scratch.link("rootfs/link", target);
        let swapper = Swapper::new(&scratch, "proc", "link");
        for options in ["--all --share user", "--all"] {
            let seen = launch(options);
            let held = seen.matches("launched by held").count();
            assert!(!seen.contains("escaped") && !seen.contains("by x"), "{target}: {seen}");
            assert!(held > 20, "{target}: {held}");
        }
        drop(swapper);
        // It is a matter of chance which of the two is the link in the end.
        let link = ["rootfs/proc", "rootfs/link"].map(|name| scratch.path(name));
        if link[0].is_symlink() {
            fs::remove_file(&link[0]).unwrap();
            fs::rename(&link[1], &link[0]).unwrap();
        }
        assert_eq!(entries(&canary), 0);
        assert_eq!(mounted(&scratch), 0);
    }
}

/// Settings of the host's that others have been made to run programs by, or that stay as they are.
fn settings() -> Vec<Option<String>> {
    let names = ["core_pattern", "modprobe", "sysrq", "panic", "randomize_va_space", "hostname"];
    names.iter().map(|name| fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()).collect()
}

fn writing_to_proc_and_sys() {
    let before = settings();
    let walk = "/attack walk /proc/sys /proc/irq /proc/bus /proc/fs /proc/sysrq-trigger /sys";
    let seen = shell(&root(), "$MC --proc /proc /attack walk /proc/sys/kernel").output;
    assert!(seen.contains("escaped: /proc/sys/kernel/core_pattern"), "otherwise it can: {seen}");
    for options in [
        "--all",
        "--all --cap-add ALL",
        "--all --share user",
        "--all --share user --cap-add ALL",
        "--all --share process,network",
    ] {
        let seen = both(options, walk);
        holds(&seen, 2);
        let counts = seen
            .lines()
            .filter_map(|line| line.strip_prefix("held: all of ")?.split(' ').next()?.parse().ok());
        assert!(counts.filter(|count: &u32| *count > 1000).count() == 2, "{options}: {seen}");
        let script = "/bin/busybox sh -c 'echo h > /proc/sysrq-trigger; echo escaped > /proc/sys/kernel/core_pattern; echo escaped > /sys/kernel/uevent_helper; echo tried'";
        let seen = both(options, script);
        assert_eq!(seen.matches("can't create").count(), 6, "{seen}");
        assert_eq!(seen.matches("tried").count(), 2, "{seen}");
    }
    assert_eq!(before, settings());
}

/// A disk of the host's that can be read here: its numbers. Without one, those of the first SCSI disk.
fn disk() -> (String, bool) {
    let disks = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    for disk in disks.map(|entry| entry.path()) {
        let name = disk.file_name().unwrap();
        let size = fs::read_to_string(disk.join("size")).unwrap_or_default();
        if size.trim() != "0" && fs::File::open(Path::new("/dev").join(name)).is_ok() {
            return (fs::read_to_string(disk.join("dev")).unwrap().trim().replace(':', " "), true);
        }
    }
    ("8 0".into(), false)
}

fn making_devices() {
    let (disk, is_there) = disk();
    let attack = format!("/attack disk {disk}");
    for options in [
        "--all",
        "--all --cap-add MKNOD",
        "--all --cap-add ALL",
        "--all --cap-add ALL --security-opt seccomp=unconfined --security-opt no-new-privileges=false",
        "--isolate user",
        "--all --share ipc,network",
    ] {
        holds(&both(options, &attack), 14);
    }
    let callers = |options: &str| shell(&root(), &format!("$MC {options} {attack}")).output;
    holds(&callers("--all --share user"), 7);
    for options in ["--all --share user --cap-add MKNOD", ""] {
        let seen = callers(options);
        let was_read = seen.contains("escaped: reading the disk");
        assert!(seen.starts_with("escaped: mknod") && was_read == is_there, "{options}: {seen}");
    }
}

/// Devices that came with the root, or lie in a volume, are none inside.
fn devices_that_were_there_before() {
    let scratch = Scratch::new().with_busybox();
    scratch.folder("data");
    for name in ["rootfs/zero", "data/zero"] {
        run(Command::new("mknod").arg(scratch.path(name)).args(["c", "1", "5"])).success();
    }
    let read = |options: &str| {
        let script = "for place in / /data/ /allowed/; do busybox head -c 1 ${place}zero | busybox wc -c; done";
        let volumes = "-v ./data:/data -v ./data:/allowed:dev";
        shell(&scratch, &format!("$MC {options} {volumes} /bin/busybox sh -c '{script}'")).success()
    };
    assert_eq!(read(""), "1\n1\n1\n");
    for options in ["--all", "--all --share user", "--all --ephemeral", "--all --read-only"] {
        assert_eq!(read(options), "0\n0\n1\n", "{options}");
    }
}

/// A /proc that is none says what a launcher that was started by its own file would like to read.
fn a_proc_of_plain_files() {
    let scratch = Scratch::new().with_busybox();
    scratch.file("rootfs/proc/self/exe", "");
    scratch.file("rootfs/proc/self/mountinfo", "1 0 0:1 / / rw - x x rw\n");
    for number in 3..20 {
        scratch.file(&format!("rootfs/proc/self/fdinfo/{number}"), "mnt_id:\t1\n");
    }
    scratch.link("rootfs/bin/away", "/elsewhere/self/exe");
    shell(&scratch, "$MC -v /proc:/elsewhere /bin/away --version")
        .fails(126, &["refusing to be a container's program"]);
}
