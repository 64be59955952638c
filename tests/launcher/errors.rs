//! Every failure says what was being done, on what, why, and what helps; and its exit status.

use crate::util::{ORDINARY, Scratch, as_ordinary_user, launcher, run, tests};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

tests![
    no_arguments;
    an_unknown_option_and_the_nearest;
    a_mistyped_command needs Launch;
    no_rootfs needs Launch;
    a_rootfs_that_is_a_file needs Launch;
    a_rootfs_without_the_program needs Launch;
    a_program_that_is_not_in_the_path needs Launch;
    a_program_that_is_not_executable needs Launch;
    a_program_that_is_a_directory needs Launch;
    a_program_of_no_known_format needs Launch;
    a_script_without_its_interpreter needs Launch;
    a_dynamic_program_without_its_elf_interpreter needs Launch;
    a_script_whose_interpreter_lacks_its_own needs Launch;
    a_program_of_another_architecture needs Launch;
    a_workdir_that_is_not_there needs Launch;
    a_volume_whose_source_is_not_there needs Launch;
    a_volume_that_does_not_fit_its_place needs Launch;
    user_namespaces_forbidden_by_number needs Launch, Program("unshare"), Program("setpriv");
    user_namespaces_forbidden_by_setting needs Root, Program("unshare"), Program("strace");
    out_of_processes_by_the_users_limit needs UserNamespaces, Program("prlimit");
    out_of_processes_by_a_cgroup needs Root;
    out_of_memory needs Launch, Release;
    standard_error_closed needs Launch;
    setuid_is_refused needs Root;
    file_capabilities_are_refused needs Root, Program("setcap");
    a_launcher_in_a_chroot needs Root;
    a_name_cannot_drive_the_terminal needs Launch;
];

fn refused(scratch: &Scratch, words: &[&str], status: i32, said: &[&str]) {
    run(&mut scratch.launcher(words)).fails(status, said);
}

fn no_arguments() {
    let said = ["mini-container: no program given\n", "hint: mini-container [OPTIONS] PROGRAM"];
    refused(&Scratch::new(), &[], 125, &said);
}

fn an_unknown_option_and_the_nearest() {
    let said = ["option --rotfs: there is no such option", "hint: the nearest is --rootfs"];
    refused(&Scratch::new(), &["--rotfs", "x", "/bin/sh"], 125, &said);
}

/// Only where it fails: it may be a program's name.
fn a_mistyped_command() {
    let said =
        ["open the root directory rootfs", "did you mean the command create?", "--rootfs DIR"];
    refused(&Scratch::new(), &["creat", "x"], 125, &said);
    let scratch = Scratch::new().with_host_programs();
    let said = ["execute creat: not found", "did you mean the command create?"];
    refused(&scratch, &["creat", "x"], 127, &said);
    scratch.link("rootfs/bin/creat", "bash");
    assert_eq!(run(&mut scratch.launcher(["creat", "-c", "echo x"])).success(), "x\n");
    let ended = run(&mut scratch.launcher(["creat/", "x"]));
    assert!(ended.status > 0 && !ended.errors.contains("did you mean"), "{}", ended.errors);
}

fn no_rootfs() {
    let said =
        ["open the root directory rootfs: No such file or directory\nhint: ", "--rootfs DIR"];
    refused(&Scratch::new(), &["/bin/sh"], 125, &said);
}

fn a_rootfs_that_is_a_file() {
    let scratch = Scratch::new();
    scratch.file("rootfs", "");
    refused(
        &scratch,
        &["/bin/sh"],
        125,
        &["open the root directory rootfs: Not a directory\nhint: "],
    );
}

fn a_rootfs_without_the_program() {
    let scratch = Scratch::new();
    scratch.folder("rootfs");
    let said =
        ["execute /bin/foo: No such file or directory\nhint: there is no such file in the root"];
    refused(&scratch, &["/bin/foo"], 127, &said);
}

fn a_program_that_is_not_in_the_path() {
    let scratch = Scratch::new();
    scratch.folder("rootfs");
    let said = ["execute foo: not found in the container's PATH\nhint: "];
    refused(&scratch, &["foo"], 127, &said);
}

fn with_program(content: &[u8], mode: u32) -> Scratch {
    let scratch = Scratch::new();
    let program = scratch.file("rootfs/bin/prog", "");
    fs::write(&program, content).unwrap();
    fs::set_permissions(program, fs::Permissions::from_mode(mode)).unwrap();
    scratch
}

fn a_program_that_is_not_executable() {
    let scratch = with_program(b"#!/bin/sh\n", 0o644);
    let said =
        ["execute /bin/prog: Permission denied\nhint: the file is not marked executable: chmod +x"];
    refused(&scratch, &["/bin/prog"], 126, &said);
    refused(&scratch, &["-e", "PATH=/bin", "prog"], 126, &said);
}

fn a_program_that_is_a_directory() {
    let scratch = Scratch::new();
    scratch.folder("rootfs/bin/prog");
    refused(&scratch, &["/bin/prog"], 126, &["execute /bin/prog: it is a directory\n"]);
}

fn a_program_of_no_known_format() {
    let said = ["execute /bin/prog: neither an ELF program nor a script\nhint: ", "#!/bin/sh"];
    refused(&with_program(b"echo hi\n", 0o755), &["/bin/prog"], 126, &said);
    refused(&with_program(b"", 0o755), &["/bin/prog"], 126, &said);
}

fn a_script_without_its_interpreter() {
    let scratch = with_program(b"#! /usr/bin/python3 -u\n", 0o755);
    let said =
        ["execute /bin/prog: its interpreter /usr/bin/python3 is missing in the root\nhint: "];
    refused(&scratch, &["/bin/prog"], 127, &said);
}

fn a_dynamic_program_without_its_elf_interpreter() {
    let scratch = with_program(&fs::read("/bin/ls").unwrap(), 0o755);
    let said = [
        "execute /bin/prog: its ELF interpreter /lib",
        "/ld-linux-",
        " is missing in the root\nhint: ",
        "ldd",
    ];
    refused(&scratch, &["/bin/prog"], 127, &said);
}

fn a_script_whose_interpreter_lacks_its_own() {
    let scratch = with_program(b"#!/bin/ls\n", 0o755);
    fs::copy("/bin/ls", scratch.path("rootfs/bin/ls")).unwrap();
    let said = [
        "execute /bin/prog: the ELF interpreter of its interpreter /lib",
        " is missing in the root",
    ];
    refused(&scratch, &["/bin/prog"], 127, &said);
}

fn a_program_of_another_architecture() {
    let mut program = fs::read(launcher()).unwrap();
    let (machine, name) =
        if cfg!(target_arch = "x86_64") { (183_u16, "aarch64") } else { (62, "x86-64") };
    program[18..20].copy_from_slice(&machine.to_le_bytes());
    let said = [&*format!("execute /bin/prog: it is built for {name}\nhint: this machine is ")];
    refused(&with_program(&program, 0o755), &["/bin/prog"], 126, &said);
}

fn a_workdir_that_is_not_there() {
    let scratch = Scratch::new().with_host_programs();
    let said = ["change to the working directory /nowhere: No such file or directory\nhint: "];
    refused(&scratch, &["-w", "/nowhere", "/bin/sh"], 125, &said);
}

fn a_volume_whose_source_is_not_there() {
    let scratch = Scratch::new().with_host_programs();
    let said = ["open the volume's source /nowhere: No such file or directory\nhint: ", "host"];
    refused(&scratch, &["-v", "/nowhere:/x", "/bin/sh"], 125, &said);
    assert!(!scratch.path("rootfs/x").exists());
}

fn a_volume_that_does_not_fit_its_place() {
    let scratch = Scratch::new().with_host_programs();
    scratch.folder("data");
    scratch.file("rootfs/file", "");
    let said = ["mount on /file: Not a directory\nhint: a directory goes on a directory"];
    refused(&scratch, &["-v", "data:/file", "/bin/sh"], 125, &said);
    let said = ["open or make the mount point /file/x: Not a directory\nhint: "];
    refused(&scratch, &["-v", "data:/file/x", "/bin/sh"], 125, &said);
}

/// In a user namespace, where the setting can be changed without changing the host's, by a root that
/// lacks the capability.
fn user_namespaces_forbidden_by_number() {
    let scratch = Scratch::new().with_host_programs();
    let script = "echo 0 > /proc/sys/user/max_user_namespaces
        exec setpriv --bounding-set -sys_admin $MC /bin/sh";
    let mut command = Command::new("unshare");
    command.args(["-Ur", "sh", "-ec", script]);
    run(command.env("MC", launcher()).current_dir(scratch.path(""))).fails(
        125,
        &[
            "make a process in new namespaces: No space left on device\nhint: ",
            "user.max_user_namespaces = 0 forbids",
        ],
    );
}

/// Settings that only some kernels have, put into /proc/sys of mounts of the test's own; the answer
/// of a kernel with that setting is put in for the system call.
fn user_namespaces_forbidden_by_setting() {
    for (setting, value, refused) in [
        ("unprivileged_userns_clone", "0", "-e inject=clone:error=EPERM"),
        (
            "apparmor_restrict_unprivileged_userns",
            "1",
            "-P /proc/self/setgroups -e inject=openat:error=EPERM",
        ),
    ] {
        let scratch = Scratch::new().with_host_programs();
        let script = format!(
            "mount -t tmpfs x /proc/sys/kernel; echo {value} > /proc/sys/kernel/{setting}
            exec setpriv --reuid {ORDINARY} --regid {ORDINARY} --clear-groups \
                strace -f -o /dev/null {refused} $MC /bin/sh"
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-ec", &script]);
        let ended = run(command.env("MC", launcher()).current_dir(scratch.path("")));
        let said = format!("kernel.{setting} = {value} forbids");
        ended.fails(125, &["Operation not permitted\nhint: ", &said]);
    }
}

fn out_of_processes_by_the_users_limit() {
    let scratch = Scratch::new().with_host_programs().for_ordinary_user();
    let mut command =
        as_ordinary_user("prlimit", ["--nproc=0", launcher().to_str().unwrap(), "/bin/sh"]);
    run(command.current_dir(scratch.path(""))).fails(
        125,
        &[
            "make a process in new namespaces: Resource temporarily unavailable\nhint: ",
            "RLIMIT_NPROC (ulimit -u) is 0",
        ],
    );
}

/// A cgroup of the test's own that allows no more processes, in whichever version is mounted.
fn out_of_processes_by_a_cgroup() {
    let scratch = Scratch::new().with_host_programs();
    let name = format!("mini-container-test-{}", std::process::id());
    let v1 = std::path::Path::new("/sys/fs/cgroup/pids");
    let parent = if v1.exists() { v1 } else { std::path::Path::new("/sys/fs/cgroup") };
    let group = parent.join(&name);
    fs::create_dir(&group).unwrap();
    fs::write(group.join("pids.max"), "1").unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "echo $$ > $GROUP/cgroup.procs; exec $MC /bin/sh"]);
    command.env("GROUP", &group).env("MC", launcher()).current_dir(scratch.path(""));
    let ended = run(&mut command);
    fs::remove_dir(&group).unwrap();
    ended.fails(
        125,
        &["Resource temporarily unavailable\nhint: ", &format!("/{name}/pids.max is 1")],
    );
}

fn out_of_memory() {
    let scratch = Scratch::new();
    // Enough for the file and its stack, and not for its heap.
    let kib = fs::metadata(launcher()).unwrap().len() / 1024 + 144;
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {kib}; exec $MC /bin/sh");
    command.args(["-c", &script]).env("MC", launcher());
    run(command.current_dir(scratch.path(""))).fails(125, &["mini-container: out of memory"]);
}

fn standard_error_closed() {
    let scratch = Scratch::new();
    scratch.folder("rootfs");
    let mut command = Command::new("sh");
    command.args(["-c", "exec $MC /bin/foo 2>&-"]).env("MC", launcher());
    let ended = run(command.current_dir(scratch.path("")));
    assert_eq!((ended.status, &*ended.output, &*ended.errors), (127, "", ""));
}

fn setuid_is_refused() {
    let scratch = Scratch::new();
    let copy = scratch.path("mini-container");
    fs::copy(launcher(), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o4755)).unwrap();
    let mut command = as_ordinary_user(&copy, ["--help"]);
    let said = "refusing to run setuid or with file capabilities\nhint: ";
    run(&mut command).fails(125, &[said]);
}

fn file_capabilities_are_refused() {
    let scratch = Scratch::new();
    let copy = scratch.path("mini-container");
    fs::copy(launcher(), &copy).unwrap();
    run(Command::new("setcap").arg("cap_sys_admin+ep").arg(&copy)).success();
    let mut command = as_ordinary_user(&copy, ["--help"]);
    run(&mut command).fails(125, &["refusing to run setuid or with file capabilities"]);
}

/// The kernel swaps no roots below a chroot, and a chroot inside one could be left.
fn a_launcher_in_a_chroot() {
    let scratch = Scratch::new().with_host_programs();
    fs::copy(launcher(), scratch.path("rootfs/mini-container")).unwrap();
    let mut command = Command::new("chroot");
    command.arg(scratch.path("rootfs")).args(["/mini-container", "-r", "/", "/bin/sh"]);
    let said = "make the mounts private: Invalid argument\nhint: the launcher runs in a chroot";
    run(&mut command).fails(125, &[said]);
}

fn a_name_cannot_drive_the_terminal() {
    let scratch = with_program(b"#!/bin/\x1b[2Jevil\n", 0o755);
    refused(&scratch, &["/bin/prog"], 127, &["its interpreter /bin/\\x1b[2Jevil is missing"]);
    let mut command = scratch.launcher(["/bin/\x1b]0;x\x07"]);
    run(command.stderr(Stdio::piped())).fails(127, &["execute /bin/\\x1b]0;x\\x07: "]);
}
