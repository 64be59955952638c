//! What the runtime executes itself through, so that nobody gets to write to its file: a read-only mount
//! that has no place anywhere, or a copy; wherever the file lies, and however the engine calls it.

use crate::bundle::{Bundle, runtime_file};
use crate::util::{run, tests};
use serde_json::json;
use std::fs;
use std::process::{Command, Stdio};

tests![
    a_container_is_made_through_a_mount needs Root;
    nobody_makes_the_mount_writable needs Root, Program("/usr/bin/python3");
    an_engine_calls_it_from_everywhere needs Root, Program("setpriv");
    an_engine_in_a_folder_that_is_its_root needs Root, Program("setpriv");
    without_such_mounts_there_is_a_copy needs Root, Program("setpriv"), Program("strace");
    where_others_may_look_the_runtimes_memory_is_its_own needs Root, Program("strace");
    a_file_of_the_containers_own_that_is_read_only needs Root;
    a_launcher_on_what_is_read_only_is_no_program needs Root;
];

/// What the waiting process of a container executes.
fn executed(bundle: &Bundle) -> String {
    let link = fs::read_link(format!("/proc/{}/exe", bundle.process())).unwrap();
    link.to_str().unwrap().into()
}

fn a_container_is_made_through_a_mount() {
    let bundle = Bundle::waiting();
    bundle.create().success();
    assert_eq!(executed(&bundle), "/");
    assert_eq!(bundle.of_process("comm"), "mini-container\n");
    // Nothing of ours is held when the program runs, by which the file could be kept busy.
    bundle.command(&["start"]).success();
    assert!(executed(&bundle).ends_with("/bin/busybox"), "{}", executed(&bundle));
    let listed = bundle.exec_shell("ls /proc/self/fd");
    assert_eq!(listed, "0\n1\n2\n3\n", "the last is what it lists");
}

/// Not even root on the host, in its own mount namespace or in that of the container; nor is it executed.
fn nobody_makes_the_mount_writable() {
    let bundle = Bundle::waiting();
    bundle.create().success();
    let tried = bundle.helper("writable.py", &[&bundle.process().to_string()]);
    let tried = tried.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&tried.stdout), "entered 0\ntried\n");
}

/// What engines do, which have the runtime killed with themselves: where it lies for that, what it is called by,
/// and its file. `$B` is that of the tests, `$D` a folder to work in; all is in a mount namespace of its own.
const CALLS: [(&str, &str, &str); 12] = [
    ("", "", "$B"),
    ("ln $B $D/crun", "", "$D/crun"),
    ("mount -t tmpfs t $D; cp $B $D/crun", "", "$D/crun"),
    ("mount -t tmpfs t $D; cp $B $D/crun; mount -o remount,ro $D", "", "$D/crun"),
    (
        "mount -t tmpfs t $D; mkdir $D/l $D/u $D/w $D/m; cp $B $D/l/crun; \
        mount -t overlay -o lowerdir=$D/l,upperdir=$D/u,workdir=$D/w o $D/m",
        "",
        "$D/m/crun",
    ),
    ("touch $D/crun; mount --bind $B $D/crun", "", "$D/crun"),
    ("touch $D/crun; mount --bind $B $D/crun; mount -o remount,bind,ro $D/crun", "", "$D/crun"),
    ("cp $B $D/crun; exec 9<$D/crun; rm $D/crun", "", "/proc/self/fd/9"),
    ("", "unshare -m unshare -m", "$B"),
    ("mount --rbind / $D; cd $D; pivot_root . .; umount -l .; cd /", "", "$B"),
    ("mount --rbind / $D", "chroot $D", "$B"),
    ("mount -t proc p /proc", "", "$B"),
];

fn an_engine_calls_it_from_everywhere() {
    for (prepare, prefix, file) in CALLS {
        let bundle = Bundle::of("echo launched");
        bundle.write();
        let line =
            format!("set -e; {prepare}\nexec {prefix} setpriv --pdeathsig KILL {file} \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &line, "sh", "--root"]).arg(bundle.scratch.path("state"));
        command.args(["run", "--bundle"]).arg(bundle.scratch.path("")).arg(&bundle.id);
        command.env("B", runtime_file()).env("D", bundle.scratch.folder("work"));
        let ended = run(command.stdin(Stdio::null()));
        assert_eq!(ended.output, "launched\n", "{line}: {}", ended.errors);
        bundle.is_gone();
    }
}

/// The mount that a root is in is listed only where it is mounted there; it is known all the same.
fn an_engine_in_a_folder_that_is_its_root() {
    for (prepare, file) in [("", "/crun"), ("exec 9<$D/r/crun; rm $D/r/crun", "/proc/self/fd/9")] {
        let bundle = Bundle::of("true");
        let script = format!(
            "set -e; mount -t tmpfs t $D; mkdir $D/r; cp $B $D/r/crun; ln -s usr/bin usr/lib usr/lib64 $D/r
            for name in proc usr; do mkdir $D/r/$name; mount --rbind /$name $D/r/$name; done
            {prepare}
            exec chroot $D/r setpriv --pdeathsig KILL {file} --root /state state none"
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script]);
        command.env("B", runtime_file()).env("D", bundle.scratch.folder("work"));
        run(command.stdin(Stdio::null())).fails(1, &["does not exist"]);
    }
}

/// As on an older kernel, and where something forbids it.
fn without_such_mounts_there_is_a_copy() {
    for fault in ["open_tree:error=EPERM", "mount_setattr:error=ENOSYS", "execveat:error=EACCES"] {
        let bundle = Bundle::waiting();
        bundle.write();
        let mut command = Command::new("strace");
        command.args(["-o", "/dev/null", "-e", &format!("inject={fault}:when=1")]);
        command.args(["setpriv", "--pdeathsig", "KILL"]).arg(runtime_file()).arg("--root");
        command.arg(bundle.scratch.path("state")).args(["create", &bundle.id]);
        command.current_dir(bundle.scratch.path("")).stdin(Stdio::null());
        bundle.to_files(command).success();
        assert!(executed(&bundle).starts_with("/memfd:"), "{fault}: {}", executed(&bundle));
    }
}

/// Runs it, and says how its runtime cloned, and what was executed by a descriptor.
fn calls(bundle: &Bundle) -> String {
    bundle.write();
    let calls = bundle.scratch.path("calls");
    let mut command = Command::new("strace");
    command.args(["-f", "-e", "trace=clone,execveat", "-o"]).arg(&calls).arg(runtime_file());
    command.arg("--root").arg(bundle.scratch.path("state")).args(["run", &bundle.id]);
    let ended = run(command.current_dir(bundle.scratch.path("")));
    assert_eq!(ended.output, "launched\n", "{}", ended.errors);
    bundle.is_gone();
    fs::read_to_string(calls).unwrap()
}

/// Others are in its process namespace, see its mounts, or run in it before its program does.
fn where_others_may_look_the_runtimes_memory_is_its_own() {
    let new = || Bundle::of("echo launched");
    let shares = |bundle: &Bundle| {
        let calls = calls(bundle);
        assert!(calls.contains("execveat("), "all are covered: {calls}");
        let first = calls.lines().find(|line| line.contains("clone(")).unwrap();
        first.contains("CLONE_VM")
    };
    assert!(shares(&new()), "nobody else is there");
    let mut with_hosts_processes = new();
    with_hosts_processes.take("/linux/namespaces", "type", "pid");
    let mut passed_on = new();
    passed_on.set("/linux/rootfsPropagation", json!("rslave"));
    let mut with_shared_mount = new();
    with_shared_mount.scratch.folder("shared");
    with_shared_mount.bind("shared", "/mnt", &["rbind", "rshared"]);
    // Whose limit kills both.
    let mut limited = new();
    limited.set("/linux/resources", json!({"memory": {"limit": 32 << 20}}));
    let mut seen = vec![with_hosts_processes, passed_on, with_shared_mount, limited];
    for kind in ["createRuntime", "createContainer", "startContainer"] {
        let mut hooked = new();
        hooked.add(&format!("/hooks/{kind}"), json!({"path": "/bin/true"}));
        seen.push(hooked);
    }
    for (index, bundle) in seen.iter().enumerate() {
        assert!(!shares(bundle), "{index}");
    }
    let mut alone = new();
    alone.scratch.folder("private");
    alone.bind("private", "/mnt", &["rbind", "rprivate"]);
    assert!(shares(&alone));
}

fn a_file_of_the_containers_own_that_is_read_only() {
    let mut bundle = Bundle::new();
    let file = runtime_file();
    bundle.mount("/own", "bind", file.to_str().unwrap(), &["bind", "ro"]);
    bundle.set("/process/args", json!(["/own", "--version"]));
    assert!(bundle.run().success().contains("version"));
}

fn a_launcher_on_what_is_read_only_is_no_program() {
    for place in [
        "mount -t tmpfs t $D; cp $B $D/own; mount -o remount,ro $D",
        "touch $D/own; mount --bind $B $D/own; mount -o remount,bind,ro $D/own",
    ] {
        let bundle = Bundle::new();
        let script = format!("set -e; {place}; $D/own --all /proc/self/exe --version");
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script]).current_dir(bundle.scratch.path(""));
        command.env("B", crate::util::launcher()).env("D", bundle.scratch.folder("work"));
        run(&mut command).fails(126, &["refusing to be a container's program"]);
    }
}
