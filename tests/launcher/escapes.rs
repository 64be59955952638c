//! The attacks that worked on others, each in a container that is to hold it. Where it can be shown,
//! the attack does work without the protection, so that a test that passes proves something.

use crate::util::{Ended, Scratch, launcher, run, tests};
use std::fs;
use std::path::Path;
use std::process::Command;

tests![
    climbing_out_of_a_chroot needs Root, Program("cc");
    climbing_from_a_descriptor_that_was_passed_on needs Root, Program("cc");
    a_working_directory_through_a_descriptor needs Root;
    the_launchers_file_by_proc_self_exe needs Root, UserNamespaces, Program("cc");
    the_launchers_file_by_its_processes needs Root, Program("cc");
    a_link_swapped_under_mount_points needs Root, Program("cc");
    proc_is_a_link needs Root, Program("cc");
    writing_to_proc_and_sys needs Root, UserNamespaces;
    making_devices needs Root, UserNamespaces, Program("cc");
    tracing_the_launcher needs Root, Program("cc");
    typing_into_the_callers_terminal needs Root, Program("cc"), Program("script");
    a_new_user_namespace needs Root, UserNamespaces, Program("cc");
    a_setuid_program needs Root;
    the_release_agent_of_a_cgroup needs Root;
    the_kernels_keys needs Root, UserNamespaces, Program("cc");
    a_signal_to_the_host needs Root, UserNamespaces;
];

/// A root with busybox and the attacks.
fn root() -> Scratch {
    let scratch = Scratch::new().with_busybox();
    let program = scratch.path("rootfs/attack");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/launcher/escapes/attack.c");
    run(Command::new("cc").args(["-static", "-O1", "-w", "-o"]).arg(&program).arg(source))
        .success();
    scratch
}

/// Runs a line of a shell, with `$MC` for the launcher.
fn shell(scratch: &Scratch, line: &str) -> Ended {
    let mut command = Command::new("bash");
    command.args(["-c", line]).env("MC", launcher());
    run(command.current_dir(scratch.path("")))
}

/// What an attack prints in a container of these options, as root and as the ordinary user.
fn both(options: &[&str], attack: &[&str]) -> String {
    let words: Vec<_> = options.iter().chain(attack).collect();
    let callers = run(&mut root().launcher(&words));
    let users = run(&mut root().for_ordinary_user().ordinary_launcher(&words));
    format!("{}{}{}{}", callers.output, callers.errors, users.output, users.errors)
}

#[track_caller]
fn holds(seen: &str, at_least: usize) {
    assert!(!seen.contains("escaped"), "{seen}");
    assert!(seen.matches("held").count() >= at_least, "{seen}");
}

/// A file that only the host has under this name.
fn marker(scratch: &Scratch) -> String {
    scratch.file("marker", "").to_str().unwrap().into()
}

fn climbing_out_of_a_chroot() {
    let scratch = root();
    let marker = marker(&scratch);
    let line = format!(
        "chroot rootfs /attack climb {marker}
        for options in '' --all '--all --cap-add ALL --security-opt seccomp=unconfined' '--isolate process,user'; do
            $MC $options /attack climb {marker}; done"
    );
    let seen = shell(&scratch, &line).output;
    let (chroot, ours) = seen.split_once('\n').unwrap();
    assert!(chroot.starts_with("escaped"), "the attack works on chroot: {seen}");
    holds(ours, 4);
}

/// A descriptor that is not to be passed on is closed; one that is, leads where it leads, unless
/// Landlock is asked for.
fn climbing_from_a_descriptor_that_was_passed_on() {
    let scratch = root();
    let marker = marker(&scratch);
    let climb = format!("/attack climb-from 3 {marker}");
    let line = format!("exec 3</ 4</; for options in '' --all; do $MC $options {climb}; done");
    let closed = shell(&scratch, &line);
    assert_eq!(
        closed.errors.matches("fchdir: Bad file descriptor").count(),
        2,
        "{}",
        closed.errors
    );
    let given = shell(&scratch, &format!("exec 3</; $MC --preserve-fds 1 {climb}"));
    assert!(given.output.starts_with("escaped"), "who passes it on means it: {}", given.errors);
    let line = format!(
        "exec 3</; $MC --preserve-fds 1 --all --security-opt landlock /bin/busybox sh -c 'busybox cat /proc/self/fd/3{marker} && echo escaped; busybox ls /proc/self/fd/3/ && echo escaped; echo held'"
    );
    holds(&shell(&scratch, &line).output, 1);
}

fn a_working_directory_through_a_descriptor() {
    let scratch = root();
    let open = "for fd in {3..22}; do eval \"exec $fd</\"; done";
    for options in ["--all", "--all --preserve-fds 3", "--isolate process"] {
        let line = format!(
            "{open}; for n in {{0..40}}; do $MC {options} -w /proc/self/fd/$n /bin/busybox ls etc && echo escaped $n; done"
        );
        let ended = shell(&scratch, &line);
        let meant = if options.contains("preserve") { 3 } else { 0 };
        assert_eq!(ended.output.matches("escaped").count(), meant, "{}", ended.output);
    }
}

/// A launcher of the test's own, which an attack may ruin.
fn own_launcher(scratch: &Scratch) -> Vec<u8> {
    crate::util::copy(launcher(), &scratch.path("own"));
    fs::read(scratch.path("own")).unwrap()
}

fn the_launchers_file_by_proc_self_exe() {
    let scratch = root();
    let before = own_launcher(&scratch);
    scratch.link("rootfs/bin/link", "/proc/self/exe");
    let script = scratch.file("rootfs/bin/script", "#!/proc/self/exe\n");
    run(Command::new("chmod").arg("755").arg(script)).success();
    for options in [
        "--all",
        "--isolate process",
        "--proc /proc",
        "-v /proc:/proc",
        "--all --share user --cap-add ALL",
        "-v /proc:/elsewhere -v /proc:/proc",
    ] {
        for program in ["/bin/link", "/bin/script", "/proc/self/exe", "link"] {
            let ended = shell(&scratch, &format!("./own {options} {program} --rootfs / /bin/true"));
            ended.fails(126, &["refusing to be a container's program"]);
            // With process 1 of ours in between, it is a copy that nobody can write to.
            let line = format!(
                "./own --init {options} --security-opt seccomp=unconfined {program} --version"
            );
            shell(&scratch, &line);
        }
    }
    // A /proc of files that say what the launcher would like to read, and a real one elsewhere.
    scratch.file("rootfs/proc/self/exe", "");
    scratch.file("rootfs/proc/self/mountinfo", "1 0 0:1 / / rw - x x rw\n");
    for number in 3..20 {
        scratch.file(&format!("rootfs/proc/self/fdinfo/{number}"), "mnt_id:\t1\n");
    }
    scratch.link("rootfs/bin/away", "/elsewhere/self/exe");
    let ended = shell(&scratch, "./own -v /proc:/elsewhere /bin/away --version");
    ended.fails(126, &["refusing to be a container's program"]);
    let users = root().for_ordinary_user();
    users.link("rootfs/bin/link", "/proc/self/exe");
    run(&mut users.ordinary_launcher(["--all", "/bin/link", "x"])).fails(126, &["refusing"]);
    assert!(fs::read(scratch.path("own")).unwrap() == before);
}

fn the_launchers_file_by_its_processes() {
    let scratch = root();
    let before = own_launcher(&scratch);
    for options in [
        "--all --init",
        "--all --init --cap-add SYS_PTRACE",
        "--all --init --cap-add ALL --security-opt seccomp=unconfined --security-opt no-new-privileges=false",
        "--init",
        "--isolate process",
    ] {
        let seen = shell(&scratch, &format!("./own {options} /attack overwrite 1")).output;
        holds(&seen, 1);
    }
    // A process that waits for the next launcher to come into its container.
    let line = "./own --isolate process /attack overwrite 4 > waiting & sleep 0.3
        inside=$(cat /proc/$!/task/$!/children | tr -d ' ')
        for i in $(seq 40); do ./own --join pid=/proc/$inside/ns/pid --join mnt=/proc/$inside/ns/mnt /bin/busybox true; done
        wait; cat waiting";
    let seen = shell(&scratch, line);
    holds(&seen.output, 1);
    assert!(fs::read(scratch.path("own")).unwrap() == before);
}

fn table() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

fn a_link_swapped_under_mount_points() {
    let scratch = root();
    scratch.folder("canary");
    scratch.folder("rootfs/place/below");
    scratch.link("rootfs/other", "../../../../../../../../canary");
    let canary = format!("{}/canary", scratch.path("").display());
    scratch.link("rootfs/absolute", &canary);
    scratch.file("data/file", "");
    let before = table();
    for link in ["other", "absolute"] {
        let mut swapper = Command::new(scratch.path("rootfs/attack"));
        let mut swapper = swapper
            .args(["swap", "place", link])
            .current_dir(scratch.path("rootfs"))
            .spawn()
            .unwrap();
        let line = "for i in $(seq 120); do
            $MC -v ./data:/place/made/$i --tmpfs /place/below/$i --isolate process --proc /place/proc /bin/busybox true; done 2>errors; true";
        shell(&scratch, line).success();
        swapper.kill().unwrap();
        swapper.wait().unwrap();
        assert_eq!(fs::read_dir(scratch.path("canary")).unwrap().count(), 0, "{link}");
    }
    assert!(!Path::new("/canary").exists());
    assert_eq!(before, table());
}

fn proc_is_a_link() {
    for target in ["/etc", "../../../../canary", "/proc/self/cwd", "loop"] {
        let scratch = root();
        scratch.folder("canary");
        scratch.folder("rootfs/etc");
        let _ = fs::remove_dir(scratch.path("rootfs/proc"));
        scratch.link("rootfs/proc", target);
        let script = "busybox cat /proc/1/comm; busybox wc -c < /proc/timer_list; (echo x > /proc/sys/kernel/hostname) && echo escaped";
        let ended = run(&mut scratch.launcher(["--all", "/bin/busybox", "sh", "-c", script]));
        assert!(!ended.output.contains("escaped"), "{target}: {}", ended.output);
        if ended.status != 125 {
            assert!(
                ended.output.starts_with("busybox\n0\n"),
                "{target}: {}{}",
                ended.output,
                ended.errors
            );
        }
        assert_eq!(fs::read_dir(scratch.path("canary")).unwrap().count(), 0);
    }
    // Swapped while the mounts are made, what is /proc in the end is hidden all the same.
    let scratch = root();
    scratch.folder("rootfs/proc/sys/kernel");
    scratch.folder("rootfs/fake/sys/kernel");
    scratch.link("rootfs/link", "fake");
    let mut swapper = Command::new(scratch.path("rootfs/attack"));
    let mut swapper =
        swapper.args(["swap", "proc", "link"]).current_dir(scratch.path("rootfs")).spawn().unwrap();
    let line = "for i in $(seq 200); do $MC --all --hostname held /bin/busybox sh -c 'for p in /proc /fake /link; do
        [ -e $p/sys/kernel/ostype ] && echo x > $p/sys/kernel/hostname; [ -s $p/timer_list ] && busybox head -c 1 $p/timer_list | busybox grep -q . && echo escaped; done; busybox hostname | busybox grep -v held && echo escaped; true'; done 2>/dev/null";
    let seen = shell(&scratch, line);
    swapper.kill().unwrap();
    swapper.wait().unwrap();
    assert_eq!(seen.output, "");
}

fn writing_to_proc_and_sys() {
    let before = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let script = "for path in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/vm/drop_caches /sys/power/state /sys/kernel/uevent_helper /sys/kernel/mm/ksm/run /proc/self/timens_offsets /proc/irq/default_smp_affinity; do
        (echo '|/x' > $path) 2>/dev/null && echo escaped $path; done; echo held";
    for options in [&["--all"][..], &["--all", "--share", "user"], &["--all", "--cap-add", "ALL"]] {
        let words: Vec<_> =
            options.iter().chain(&["/bin/busybox", "sh", "-c", script]).copied().collect();
        holds(&both(&words, &[]), 2);
    }
    assert_eq!(before, fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap());
}

fn making_devices() {
    holds(&both(&["--all"], &["/attack", "disk"]), 10);
    holds(&both(&["--all", "--cap-add", "ALL"], &["/attack", "disk"]), 10);
    let scratch = root();
    let disk = |options: &[&str]| {
        let words: Vec<_> = options.iter().chain(&["/attack", "disk"]).collect();
        run(&mut scratch.launcher(words)).output
    };
    holds(&disk(&["--all", "--share", "user"]), 5);
    // Devices that came with the root, or lie in a volume, are none inside.
    for name in ["rootfs/zero", "data/zero"] {
        fs::create_dir_all(scratch.path("data")).unwrap();
        run(Command::new("mknod").arg(scratch.path(name)).args(["c", "1", "5"])).success();
    }
    let read = |options: &[&str]| {
        let volume = ["-v", "./data:/data", "-v", "./data:/allowed:dev"];
        let script = "for place in / /data/ /allowed/; do (busybox head -c 1 ${place}zero | busybox wc -c) 2>/dev/null; done";
        let program = ["/bin/busybox", "sh", "-c", script];
        let words: Vec<_> = options.iter().chain(&volume).chain(&program).collect();
        run(&mut scratch.launcher(words)).success()
    };
    assert_eq!(read(&[]), "1\n1\n1\n");
    for options in [
        &["--all"][..],
        &["--all", "--share", "user"],
        &["--all", "--ephemeral"],
        &["--all", "--read-only"],
    ] {
        assert_eq!(read(options), "0\n0\n1\n", "{options:?}");
    }
    let asked_for = disk(&["--all", "--share", "user", "--cap-add", "MKNOD"]);
    assert!(asked_for.starts_with("escaped: mknod"), "root can make them: {asked_for}");
}

fn tracing_the_launcher() {
    let scratch = root();
    for options in [
        "--all --share process",
        "--all --share process --cap-add SYS_PTRACE",
        "--all --share process --cap-add ALL --security-opt seccomp=unconfined",
    ] {
        let marker = marker(&scratch);
        let line = format!(
            "$MC {options} /bin/busybox sh -c 'busybox sleep 0.2; /attack trace $PPID {marker}'"
        );
        let ended = shell(&scratch, &line);
        holds(&ended.output, 6);
    }
}

fn typing_into_the_callers_terminal() {
    let scratch = root();
    let below = |line: &str| {
        let line = format!("sleep 1.5 | script -qec \"{line}\" /dev/null");
        shell(&scratch, &line).output
    };
    let typed = r#"; read -t 0.3 -n 1 letter; [ "$letter" = x ] && echo escaped"#;
    for options in [
        "--all",
        "--all -t",
        "--all --share user --cap-add ALL",
        "--security-opt seccomp=default --security-opt no-new-privileges",
    ] {
        holds(&below(&format!("bash -c '$MC {options} /attack type{typed}'")), 4);
    }
    // With a terminal of its own, it types into that one at the most.
    let seen = below(&format!("bash -c '$MC -t --proc /proc /attack type >/dev/null{typed}'"));
    assert!(!seen.contains("escaped"), "{seen}");
}

fn a_new_user_namespace() {
    let count = if cfg!(target_arch = "x86_64") { 7 } else { 5 };
    holds(&both(&["--all"], &["/attack", "nest"]), 2 * count);
    holds(
        &both(
            &["--no-nested-userns", "--proc", "/proc", "--isolate", "process"],
            &["/attack", "nest"],
        ),
        2 * count,
    );
    let seen = both(&["--isolate", "process"], &["/attack", "nest"]);
    assert!(seen.contains("escaped: unshare(NEWUSER)"), "nothing forbids it otherwise: {seen}");
}

fn a_setuid_program() {
    const ALLOWED: [&str; 2] = ["--security-opt", "no-new-privileges=false"];
    let scratch = root();
    run(Command::new("chmod").arg("4755").arg(scratch.path("rootfs/attack"))).success();
    let who = |options: &[&str], program: &str| {
        let user = ["--all", "--share", "user", "-u", "1000:1000"];
        let words: Vec<_> = user.iter().chain(options).chain(&[program, "who"]).copied().collect();
        run(&mut scratch.launcher(words)).success()
    };
    assert_eq!(who(&[], "/attack"), "1000\n");
    assert_eq!(who(&ALLOWED, "/attack"), "0\n", "it would be root otherwise");
    let nosuid = [&ALLOWED[..], &["-v", "./rootfs:/v:nosuid"]].concat();
    assert_eq!(who(&nosuid, "/v/attack"), "1000\n");
}

fn the_release_agent_of_a_cgroup() {
    let scratch = root();
    let script = "busybox mkdir -p /tmp/c; for kind in 'cgroup -o rdma' 'cgroup -o memory' 'cgroup -o none,name=x' cgroup2; do busybox mount -t $kind x /tmp/c 2>/dev/null && echo escaped; done
        busybox unshare -Um busybox true 2>/dev/null && echo escaped
        for file in /sys/fs/cgroup/release_agent /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/x/cgroup.procs; do (echo 1 > $file) 2>/dev/null && echo escaped; done
        busybox mkdir /sys/fs/cgroup/x 2>/dev/null && echo escaped; echo held";
    for options in [&["--all"][..], &["--all", "--share", "user"], &["--all", "--share", "cgroup"]]
    {
        holds(&scratch.inside(options, script), 1);
    }
}

fn the_kernels_keys() {
    let line = "add=$(rootfs/attack keys); echo \"$add\"";
    let outside = shell(&root(), line).output;
    assert!(outside.contains("escaped: add_key"), "outside keys can be had: {outside}");
    holds(&both(&["--all"], &["/attack", "keys"]), 6);
    let seen = both(&["--all"], &["/bin/busybox", "wc", "-c", "/proc/keys"]);
    assert_eq!(seen, "0 /proc/keys\n".repeat(2));
}

fn a_signal_to_the_host() {
    let mut victim = Command::new("sleep").arg("30").spawn().unwrap();
    let number = victim.id();
    let script =
        format!("kill -9 {number} 2>/dev/null && echo escaped; kill -9 -1 2>/dev/null; echo held");
    let words = ["--all", "/bin/busybox", "sh", "-c", &script];
    let seen = both(&words, &[]);
    assert!(!seen.contains("escaped"), "{seen}");
    assert!(victim.try_wait().unwrap().is_none(), "it lives");
    victim.kill().unwrap();
    victim.wait().unwrap();
}
