//! The attacks that worked on others, each in a container that is to hold it. Where it can be shown,
//! the attack does work without the protection, so that a test that passes proves something.
//!
//! Here are those by way of processes and privileges; those by way of files are in `escapes_files`.

use crate::bundle::wait_until;
use crate::util::{Ended, Scratch, as_ordinary_user, copy, launcher, run, tests};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

tests![
    the_launchers_file_by_proc_self_exe needs Root, UserNamespaces, Program("cc");
    a_launcher_that_refuses_is_not_seen needs Root;
    the_launchers_file_by_its_process_1 needs Root, UserNamespaces, Program("cc"), Program("unshare");
    the_launchers_file_by_a_join needs Root, Program("cc"), Program("nsenter");
    tracing_the_launcher needs Root, UserNamespaces, Program("cc");
    typing_into_the_callers_terminal needs Root, UserNamespaces, Program("cc"), Program("script");
    a_new_user_namespace needs Root, UserNamespaces, Program("cc");
    a_setuid_program needs Root, Program("cc");
    the_release_agent_of_a_cgroup needs Root, UserNamespaces, Program("cc");
    the_kernels_keys needs Root, UserNamespaces, Program("cc");
    a_signal_to_the_host needs Root, UserNamespaces, Program("cc");
];

const UNFILTERED: &str = "--all --cap-add ALL --security-opt seccomp=unconfined";

/// A root with busybox and the attacks.
pub fn root() -> Scratch {
    let scratch = Scratch::new().with_busybox();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/launcher/escapes");
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-O1", "-w", "-o"]).arg(scratch.path("rootfs/attack"));
    run(compiler.args([sources.join("attack.c"), sources.join("files.c")])).success();
    scratch
}

/// Runs a line of a shell, with `$MC` for the launcher.
pub fn shell(scratch: &Scratch, line: &str) -> Ended {
    let mut command = Command::new("bash");
    run(command.args(["-c", line]).env("MC", launcher()).current_dir(scratch.path("")))
}

/// The same as the ordinary user, who owns the scratch directory.
pub fn users_shell(scratch: &Scratch, line: &str) -> Ended {
    let mut command = as_ordinary_user("bash", ["-c", line]);
    run(command.env("MC", launcher()).current_dir(scratch.path("")))
}

/// What an attack prints in a container of these options, as root and as the ordinary user.
pub fn both(options: &str, attack: &str) -> String {
    let line = format!("$MC {options} {attack}");
    let callers = shell(&root(), &line);
    let users = users_shell(&root().for_ordinary_user(), &line);
    format!("{}{}{}{}", callers.output, callers.errors, users.output, users.errors)
}

/// Nothing of it worked, and all of it was tried.
#[track_caller]
pub fn holds(seen: &str, times: usize) {
    assert!(!seen.contains("escaped"), "{seen}");
    assert_eq!(seen.matches("held").count(), times, "{seen}");
}

/// All of it worked: so does the attack where nothing is done about it.
#[track_caller]
fn works(seen: &str, attacks: &[&str]) {
    for attack in attacks {
        assert!(seen.contains(&format!("escaped: {attack}")), "no {attack} in: {seen}");
    }
}

/// A file that only the host has under this name.
pub fn marker(scratch: &Scratch) -> String {
    scratch.file("marker", "").to_str().unwrap().into()
}

/// A program that an attack may ruin, and what it is before.
fn victim(scratch: &Scratch, program: &Path) -> (PathBuf, Vec<u8>) {
    let place = scratch.path("own");
    copy(program, &place);
    let content = fs::read(&place).unwrap();
    (place, content)
}

/// As CVE-2019-5736 began: the program is the launcher itself.
/// A launcher that refuses to be a program may take long to say so; nobody looks at it meanwhile, by whom its file
/// could be opened.
fn a_launcher_that_refuses_is_not_seen() {
    let scratch = root();
    // The end of a full pipe that nobody reads from.
    let line = "(head -c 65536 /dev/zero; exec \"$0\" --all --share user --user 1000 /proc/self/exe unseen) 2>&1 | sleep 2";
    let mut command = Command::new("sh");
    command.args(["-c", line]).arg(launcher()).current_dir(scratch.path(""));
    let mut running = command.spawn().unwrap();
    let is_it = |process: &String| {
        let words = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        words == b"/proc/self/exe\0unseen\0"
    };
    let find = || {
        let names = fs::read_dir("/proc").unwrap().flatten();
        names.filter_map(|entry| entry.file_name().into_string().ok()).find(is_it)
    };
    wait_until("it refuses", || find().is_some());
    sleep(Duration::from_millis(300));
    let process = find().expect("it has not said so yet");
    let status = format!("/proc/{process}/status");
    assert!(fs::read_to_string(&status).unwrap().contains("\nUid:\t1000\t"));
    assert_eq!(fs::metadata(status).unwrap().uid(), 0, "what is seen belongs to its user");
    running.wait().unwrap();
}

fn the_launchers_file_by_proc_self_exe() {
    let scratch = root();
    let (own, before) = victim(&scratch, launcher());
    let prepare = |scratch: &Scratch| {
        fs::remove_file(scratch.path("rootfs/bin/sh")).unwrap();
        scratch.link("rootfs/bin/sh", "/proc/self/exe");
        let script = scratch.file("rootfs/bin/script", "#!/proc/self/exe\n");
        run(Command::new("chmod").arg("755").arg(script)).success();
    };
    prepare(&scratch);
    for options in [
        "--all",
        "--isolate process",
        "--proc /proc",
        "-v /proc:/proc",
        "--all --share user --cap-add ALL",
        "-v /proc:/elsewhere -v /proc:/proc",
    ] {
        for program in ["/bin/sh", "/bin/script", "/proc/self/exe", "sh"] {
            let ended = shell(&scratch, &format!("./own {options} {program} --rootfs / /bin/true"));
            ended.fails(126, &["refusing to be a container's program"]);
            // With a process 1 of ours in between, it is a copy that nobody can write to.
            let line = format!(
                "./own --init {options} --security-opt seccomp=unconfined {program} --version"
            );
            shell(&scratch, &line);
        }
    }
    let users = root();
    prepare(&users);
    let users = users.for_ordinary_user();
    for program in ["/bin/sh", "/bin/script"] {
        users_shell(&users, &format!("$MC --all {program} x")).fails(126, &["refusing"]);
    }
    assert!(fs::read(own).unwrap() == before);
}

fn the_launchers_file_by_its_process_1() {
    let attack = |options: &str, is_users: bool| {
        let scratch = root();
        let (own, before) = victim(&scratch, launcher());
        let line = format!("./own {options} /attack overwrite 1");
        // The user's container is root over the user's own file, and may write to it if it finds it.
        let (ended, _scratch) = if is_users {
            let scratch = scratch.for_ordinary_user();
            (users_shell(&scratch, &line), scratch)
        } else {
            (shell(&scratch, &line), scratch)
        };
        assert!(fs::read(own).unwrap() == before);
        ended.output
    };
    for options in [
        "--all --init",
        "--all --init --cap-add SYS_PTRACE",
        "--all --init --cap-add ALL",
        "--all --init --cap-add ALL --security-opt seccomp=unconfined --security-opt no-new-privileges=false",
        "--init",
    ] {
        for is_users in [false, true] {
            let seen = attack(options, is_users);
            holds(&seen, 1);
            // It may see a copy in memory, but never the file.
            let first = seen.lines().next().unwrap();
            let is_copy = first.contains("/memfd:mini-container");
            assert!(is_copy || first == "process 1 runs hidden", "{options}: {first}");
        }
    }
    let scratch = root();
    scratch.folder("rootfs/proc");
    victim(&scratch, &crate::util::which("bash").unwrap());
    let line =
        "unshare -pfm --mount-proc=rootfs/proc ./own -c 'chroot rootfs /attack overwrite 1; true'";
    let seen = shell(&scratch, line).success();
    assert!(seen.contains("/own\n"), "another process 1 does show its file: {seen}");
}

/// As CVE-2019-5736 went on: a process in the container waits for the next one to enter it.
fn the_launchers_file_by_a_join() {
    // It goes in until it was seen, since that is a matter of luck, and sixty times at least.
    let enter = |program: &Path, options: &str, entry: &str| {
        let scratch = root();
        let (own, before) = victim(&scratch, program);
        let line = format!(
            "$MC {options} /attack overwrite 120 > waiting &
            until grep -q ready waiting; do sleep 0.02; done
            read inside < /proc/$!/task/$!/children
            for round in $(seq 60); do
                for i in $(seq 60); do {entry} || echo refused; done
                ! grep -q -e seen -e escaped waiting || break
            done
            touch rootfs/stop; wait; cat waiting"
        );
        let ended = shell(&scratch, &line.replace("INSIDE", "/proc/${inside% }/ns"));
        let entered = ended.output.matches("entered").count();
        let always = entered >= 60 && !ended.output.contains("refused");
        (ended.output, always, fs::read(own).unwrap() == before)
    };
    let nsenter = crate::util::which("nsenter").unwrap();
    let entry = "./own --pid=INSIDE/pid --mount=INSIDE/mnt /bin/busybox true";
    let (seen, _, is_unchanged) = enter(&nsenter, "--isolate process", entry);
    assert!(seen.contains("escaped") && !is_unchanged, "the attack works on nsenter: {seen}");
    for (options, joined) in [
        ("--isolate process", "--join process=INSIDE/pid"),
        ("--isolate process", "--join process=INSIDE/pid --join mnt=INSIDE/mnt"),
        ("--isolate process", "--join process=INSIDE/pid --init"),
        ("--all --cap-add ALL", "--join process=INSIDE/pid --join user=INSIDE/user"),
        (UNFILTERED, "--join process=INSIDE/pid --join user=INSIDE/user --join mnt=INSIDE/mnt"),
    ] {
        let entry = format!("./own {joined} /bin/busybox echo entered");
        let (seen, entered, is_unchanged) = enter(launcher(), options, &entry);
        holds(&seen, 1);
        assert!(!seen.contains("of 0 files"), "it sees the launchers come in: {seen}");
        assert!(entered && is_unchanged, "{options} {joined}: {seen}");
    }
}

fn tracing_the_launcher() {
    let scratch = root();
    let marker = marker(&scratch);
    let mut victim = sleeper();
    let line = format!("$MC --proc /proc /attack trace {} {marker}", victim.id());
    let seen = shell(&scratch, &line).output;
    end(&mut victim);
    assert_eq!(seen.matches("escaped").count(), 10, "it works on another process: {seen}");
    for options in [
        "--all --share process",
        "--all --share process,user",
        "--all --share process --cap-add SYS_PTRACE",
        "--all --share process --cap-add ALL --security-opt seccomp=unconfined",
    ] {
        let attack = format!("/bin/busybox sh -c '/attack trace $PPID {marker}; true'");
        let seen = both(options, &attack);
        holds(&seen, 20);
    }
    // The launcher has to do something for this one, and so does not share the child's memory.
    let line = format!(
        "$MC --all --share process --map-users 0:0:1 --map-groups 0:0:1 --cap-add ALL --security-opt seccomp=unconfined \
            /bin/busybox sh -c '/attack trace $PPID {marker}; true'"
    );
    holds(&shell(&scratch, &line).output, 10);
}

fn typing_into_the_callers_terminal() {
    let attacks = if cfg!(target_arch = "x86_64") { 8 } else { 5 };
    let below = |line: &str, is_users: bool| {
        let scratch = root();
        let typed = "read -t 0.3 -n 1 letter; [ \"$letter\" = x ] && echo escaped: typed";
        scratch.file("below", &format!("$MC {line}\n{typed}\n"));
        let line = "sleep 2 | script -qec 'bash below' /dev/null";
        if is_users {
            users_shell(&scratch.for_ordinary_user(), line).output
        } else {
            shell(&scratch, line).output
        }
    };
    works(&below("/attack type", false), &["TIOCSTI", "typed"]);
    for options in [
        "--all",
        "--all -t",
        "--all --cap-add ALL",
        "--all --share user --cap-add ALL",
        "--security-opt seccomp=default --security-opt no-new-privileges",
    ] {
        for is_users in [false, true] {
            let seen = below(&format!("{options} /attack type"), is_users);
            holds(&seen, attacks);
            // On this terminal it would be another error if the kernel had been asked.
            assert_eq!(seen.matches("TIOCLINUX").count(), 2);
            assert!(!seen.contains("Inappropriate ioctl"), "{options}: {seen}");
        }
    }
    // With a terminal of its own, it types into that one at the most.
    let seen = below("-t --proc /proc /attack type > /dev/null", false);
    assert!(!seen.contains("escaped"), "{seen}");
}

fn a_new_user_namespace() {
    let attacks = if cfg!(target_arch = "x86_64") { 10 } else { 7 };
    let usual = ["unshare", "unshare of more", "clone", "clone with NEWPID", "clone3"];
    let seen = both("--isolate process", "/attack nest");
    works(&seen, &usual);
    for attack in usual {
        assert_eq!(seen.matches(&format!("escaped: {attack}\n")).count(), 2, "{seen}");
    }
    for options in [
        "--all",
        "--all --cap-add SYS_ADMIN",
        UNFILTERED,
        "--no-nested-userns --isolate process",
        "--all --share user --cap-add ALL",
    ] {
        let seen = both(options, "/attack nest");
        holds(&seen, 2 * attacks);
        // Not because there is nothing to enter, but because nothing may be entered.
        assert!(seen.contains("held: setns: Operation not permitted"), "{options}: {seen}");
    }
}

fn a_setuid_program() {
    const ALLOWED: &str = "--security-opt no-new-privileges=false";
    let scratch = root();
    run(Command::new("chmod").arg("4755").arg(scratch.path("rootfs/attack"))).success();
    let who = |options: &str, program: &str| {
        let line = format!("$MC --all --share user -u 1000:1000 {options} {program} who");
        shell(&scratch, &line).success()
    };
    assert_eq!(who("", "/attack"), "1000\n");
    assert_eq!(who(ALLOWED, "/attack"), "0\n", "it would be root otherwise");
    assert_eq!(who(&format!("{ALLOWED} -v ./rootfs:/v:nosuid"), "/v/attack"), "1000\n");
}

fn the_release_agent_of_a_cgroup() {
    let before = fs::read_to_string("/proc/self/cgroup").unwrap();
    let seen = shell(&root(), "$MC --isolate process,cgroup /attack release").output;
    works(&seen, &["a cgroup of version 2", "namespaces for one"]);
    if fs::read_to_string("/proc/filesystems").unwrap().contains("\tcgroup\n") {
        works(&seen, &["a cgroup of version 1"]);
    }
    for options in ["--all", "--all --share user", "--all --share cgroup"] {
        holds(&both(options, "/attack release"), 6);
        let seen = both(options, "/attack walk /sys/fs/cgroup");
        holds(&seen, 2);
        let script = "/bin/busybox sh -c 'busybox mkdir /sys/fs/cgroup/x && echo escaped; true'";
        let seen = both(options, script);
        assert_eq!(seen.matches("can't create directory").count(), 2, "{seen}");
        assert!(!seen.contains("escaped"), "{seen}");
    }
    // With every capability it may mount in its own namespaces, but none of version 1 anew.
    let seen = both(UNFILTERED, "/attack release");
    assert_eq!(seen.matches("held: namespaces for one").count(), 2, "{seen}");
    assert_eq!(before, fs::read_to_string("/proc/self/cgroup").unwrap());
}

fn the_kernels_keys() {
    let attack = |options: &str, is_users: bool| {
        let line = format!(
            "exec rootfs/attack with-key mini-container-key $MC {options} /attack keys mini-container-key"
        );
        if is_users {
            users_shell(&root().for_ordinary_user(), &line).output
        } else {
            shell(&root(), &line).output
        }
    };
    for is_users in [false, true] {
        works(&attack("", is_users), &["request_key", "keyctl(read)", "the secret was read"]);
        for options in [
            "--all",
            "--all --share user,process",
            "--security-opt seccomp=default --security-opt no-new-privileges",
        ] {
            let seen = attack(options, is_users);
            holds(&seen, 4);
            assert_eq!(seen.matches("Operation not permitted").count(), 4, "{seen}");
        }
    }
    let count = "/bin/busybox wc -c /proc/keys";
    assert_eq!(both("--all", count), "0 /proc/keys\n".repeat(2));
    assert!(
        !shell(&root(), &format!("$MC --proc /proc {count}")).output.starts_with("0 "),
        "there are some otherwise"
    );
}

fn sleeper() -> Child {
    Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap()
}

fn end(victim: &mut Child) {
    victim.kill().unwrap();
    victim.wait().unwrap();
}

fn a_signal_to_the_host() {
    let host = fs::read_link("/proc/self/ns/pid").unwrap();
    let host = host.to_str().unwrap();
    let attack = |victim: &Child| format!("/attack signals {} {host}", victim.id());
    let mut victim = sleeper();
    let seen = shell(&root(), &format!("$MC --proc /proc {}", attack(&victim))).output;
    works(&seen, &["kill", "tgkill"]);
    assert!(!seen.contains("killed all"));
    assert!(victim.wait().unwrap().code().is_none(), "the signal does arrive otherwise");
    let mut victim = sleeper();
    for options in [
        "--all",
        UNFILTERED,
        "--isolate process",
        "--all --init",
        "--all --share user --cap-add ALL",
    ] {
        let seen = both(options, &attack(&victim));
        holds(&seen, 10);
        assert_eq!(seen.matches("killed all").count(), 2, "{seen}");
    }
    assert!(victim.try_wait().unwrap().is_none(), "it lives");
    end(&mut victim);
}
