//! The attacks that worked on OCI runtimes by way of privileges, users, processes and cgroups, by
//! their numbers. Those by way of files are in `runtime_attacks_files`.

use crate::bundle::{Bundle, cgroups, line_of, runtime_file, wait_until};
use crate::runtime_attacks_races::Settings;
use crate::util::{run, tests};
use serde_json::json;
use std::fs;
use std::process::Command;

tests![
    cve_2014_8989_groups_are_not_dropped needs Root, UserNamespaces;
    cve_2016_3697_a_user_whose_name_is_a_number needs Root;
    cve_2016_9962_files_of_the_runtime_during_exec needs Root, Program("cc");
    cve_2019_5736_the_runtimes_own_file needs Root, Program("cc");
    cve_2019_5736_a_program_that_is_the_runtime needs Root;
    cve_2021_43784_very_many_mappings needs Root;
    cve_2022_0492_the_release_agent needs Root;
    cve_2022_0811_parameters_of_the_host needs Root;
    cve_2022_27650_and_29162_and_24769_inheritable_capabilities needs Root;
    cve_2023_25809_cgroups_of_a_user needs Root, UserNamespaces;
    cve_2025_27612_capabilities_of_exec needs Root;
    cve_2026_30892_a_user_that_is_hardly_one needs Root;
    cgroup_paths_that_lead_up needs Root;
    shocker_files_by_their_handles needs Root, Program("cc");
    names_of_containers_that_lead_up needs Root;
];

/// A container that an ordinary user can make.
fn ordinary(script: &str) -> Bundle {
    let mut bundle = Bundle::of(script);
    bundle.add("/linux/namespaces", json!({"type": "user"}));
    let id = crate::util::ORDINARY;
    let mapping = json!([{"containerID": 0, "hostID": id, "size": 1}]);
    bundle.set("/linux/uidMappings", mapping.clone());
    bundle.set("/linux/gidMappings", mapping);
    bundle.remove("/linux", "cgroupsPath");
    let devpts = json!(["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]);
    bundle.set("/mounts/2/options", devpts);
    bundle
}

fn run_as_ordinary(bundle: &Bundle) -> crate::util::Ended {
    bundle.write();
    let place = bundle.scratch.path("");
    let owner = format!("{0}:{0}", crate::util::ORDINARY);
    run(Command::new("chown").args(["-R", "-h", &owner]).arg(&place)).success();
    let mut command = crate::util::as_ordinary_user(runtime_file(), ["--root", "state", "run"]);
    let command = command.arg(&bundle.id).current_dir(&place).env("XDG_RUNTIME_DIR", &place);
    run(command.stdin(std::process::Stdio::null()))
}

fn cve_2014_8989_groups_are_not_dropped() {
    let bundle = ordinary("cat /proc/self/setgroups");
    assert_eq!(run_as_ordinary(&bundle).success(), "deny\n");
}

fn cve_2016_3697_a_user_whose_name_is_a_number() {
    let bundle = Bundle::waiting();
    bundle.scratch.file("rootfs/etc/passwd", "1000:x:0:0::/:/bin/sh\nroot:x:0:0::/:/bin/sh\n");
    bundle.scratch.file("rootfs/etc/group", "1000:x:0:\n");
    let bundle = bundle.started();
    for user in ["1000", "1000:1000"] {
        let seen = bundle.command(&["exec", "-u", user, "@", "cat", "/proc/self/status"]).success();
        let ids: Vec<&str> = line_of(&seen, "Uid:").split_whitespace().collect();
        assert_eq!(ids, ["1000"; 4], "{user}");
    }
}

fn compile(bundle: &Bundle, source: &str, name: &str) {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/launcher/runtime")
        .join(source);
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-O1", "-w", "-o"]).arg(bundle.scratch.path("rootfs").join(name));
    run(compiler.arg(source)).success();
}

/// Executes something again and again while the container's process 1 looks at what appears.
fn snooped(mut bundle: Bundle) -> String {
    compile(&bundle, "snoop.c", "snoop");
    bundle.runs("/snoop 20");
    let bundle = bundle.started();
    let output = || fs::read_to_string(bundle.scratch.path("output")).unwrap();
    wait_until("it looks", || output().contains("ready"));
    for _ in 0..60 {
        bundle.exec(&["/bin/true"]);
    }
    bundle.scratch.file("rootfs/stop", "");
    wait_until("it has looked", || output().contains("held"));
    output()
}

fn cve_2016_9962_files_of_the_runtime_during_exec() {
    let check = |seen: &str| {
        assert!(!seen.contains("escaped"), "{seen}");
        let count = seen.rsplit("looked ").next().unwrap().split(' ').next().unwrap();
        assert!(count.parse::<u32>().unwrap() > 0, "{seen}");
    };
    check(&snooped(Bundle::new()));
    let mut bundle = Bundle::new();
    bundle.in_user_namespace();
    let all = json!(["CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_KILL"]);
    for set in ["bounding", "permitted", "effective"] {
        bundle.set(&format!("/process/capabilities/{set}"), all.clone());
    }
    check(&snooped(bundle));
}

fn digest() -> String {
    run(Command::new("sha256sum").arg(runtime_file())).success()
}

fn cve_2019_5736_the_runtimes_own_file() {
    let before = digest();
    let mut bundle = Bundle::new().with_attacks();
    bundle.runs("/attack overwrite 20");
    let bundle = bundle.started();
    let output = || fs::read_to_string(bundle.scratch.path("output")).unwrap();
    wait_until("it is ready", || output().contains("ready"));
    // What is executed is the runtime itself, if it can be had by that name.
    for link in ["/proc/self/exe", "/proc/self/exe/../exe", "/proc/1/exe"] {
        let _ = fs::remove_file(bundle.scratch.path("rootfs/bin/linked"));
        bundle.scratch.link("rootfs/bin/linked", link);
        for _ in 0..20 {
            bundle.exec(&["/bin/linked"]);
            bundle.exec(&["/bin/true"]);
        }
    }
    bundle.scratch.file("rootfs/stop", "");
    wait_until("it has tried", || output().contains("held") || output().contains("escaped"));
    assert!(output().contains("held"), "{}", output());
    assert_eq!(digest(), before);
}

/// A script whose interpreter is the runtime must not run it with what the container has.
fn cve_2019_5736_a_program_that_is_the_runtime() {
    let before = digest();
    for name in ["/proc/self/exe", "/script", "/bin/linked"] {
        let mut bundle = Bundle::new();
        let script = bundle.scratch.file("rootfs/script", "#!/proc/self/exe\n");
        run(Command::new("chmod").arg("755").arg(script)).success();
        bundle.scratch.link("rootfs/bin/linked", "/proc/self/exe");
        bundle.set("/process/args", json!([name, "--version"]));
        let ended = bundle.run();
        assert!(!ended.output.contains("version"), "{name}: {}", ended.output);
        let _ = bundle.command(&["delete", "--force"]);
        bundle.is_gone();
    }
    assert_eq!(digest(), before);
}

/// The kernel takes 340; more were once cut off at a length of 16 bits.
fn cve_2021_43784_very_many_mappings() {
    for count in [341_u32, 5000] {
        let mut bundle = Bundle::new();
        bundle.add("/linux/namespaces", json!({"type": "user"}));
        let mappings: Vec<_> = (0..count)
            .map(|id| json!({"containerID": id, "hostID": 100_000 + 2 * id, "size": 1}))
            .collect();
        bundle.set("/linux/uidMappings", json!(mappings));
        bundle.set("/linux/gidMappings", json!(mappings));
        bundle.create().refused(&[]);
        bundle.is_gone();
    }
}

fn cve_2022_0492_the_release_agent() {
    let mut bundle = Bundle::new();
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "ro"]);
    let seen = bundle.inside(
        "mkdir /tmp/c; for c in memory pids rdma devices; do mount -t cgroup -o $c c /tmp/c && echo escaped; done; \
         unshare -Urm sh -c 'mount -t cgroup -o pids c /tmp/c && echo x > /tmp/c/release_agent && echo escaped'; \
         for f in $(find /sys/fs/cgroup -name release_agent); do (echo /x > $f) && echo escaped; done; echo tried",
    );
    assert_eq!(seen, "tried\n");
}

fn cve_2022_0811_parameters_of_the_host() {
    let settings = Settings::now();
    for (name, value) in [
        ("kernel.core_pattern", "|/x"),
        ("kernel/core_pattern", "|/x"),
        ("kernel.shm_rmid_forced", "1+kernel.core_pattern=|/x"),
        ("kernel.shm_rmid_forced", "1\nkernel.core_pattern=|/x"),
        ("kernel.shm_rmid_forced", "1\0"),
        ("net.ipv4/../../kernel/core_pattern", "|/x"),
        ("net/../kernel/core_pattern", "|/x"),
        ("net...kernel.core_pattern", "|/x"),
        ("net.ipv4.ip_forward\0", "1"),
        ("/kernel/core_pattern", "|/x"),
        ("", "1"),
        ("net", "1"),
        ("kernel.modprobe", "/x"),
        ("fs.mqueue.../../kernel/core_pattern", "|/x"),
    ] {
        let mut bundle = Bundle::new();
        bundle.set("/linux/sysctl", json!({name: value}));
        let ended = bundle.create();
        assert!(ended.status > 0, "{name}={value:?}");
        bundle.is_gone();
        settings.are_as_before();
    }
}

fn set_of(status: &str, name: &str) -> u64 {
    u64::from_str_radix(line_of(status, name), 16).unwrap()
}

fn cve_2022_27650_and_29162_and_24769_inheritable_capabilities() {
    let bundle = Bundle::waiting().started();
    for options in [&[][..], &["--cap", "CAP_NET_RAW"], &["-u", "1000"]] {
        let words = [&["exec"], options, &["@", "cat", "/proc/self/status"]].concat();
        let seen = bundle.command(&words).success();
        assert_eq!(set_of(&seen, "CapInh:"), 0, "{options:?}");
        assert_eq!(set_of(&seen, "CapAmb:"), 0, "{options:?}");
    }
    let first = bundle.of_process("status");
    assert_eq!((set_of(&first, "CapInh:"), set_of(&first, "CapAmb:")), (0, 0));
}

/// An ordinary user's container without a cgroup namespace has the user's cgroups to read.
fn cve_2023_25809_cgroups_of_a_user() {
    let mut bundle = ordinary(
        "mkdir /sys/fs/cgroup/x /sys/fs/cgroup/*/x && echo escaped; (echo 1 > /sys/fs/cgroup/cgroup.procs) && echo escaped; echo tried",
    );
    bundle.mount(
        "/sys/fs/cgroup",
        "cgroup",
        "cgroup",
        &["nosuid", "noexec", "nodev", "relatime", "ro"],
    );
    let ended = run_as_ordinary(&bundle);
    assert!(!ended.output.contains("escaped"), "{}", ended.output);
    assert!(ended.output == "tried\n" || ended.errors.contains("cgroup"), "{}", ended.errors);
}

fn cve_2025_27612_capabilities_of_exec() {
    let mut bundle = Bundle::waiting();
    let own = json!(["CAP_KILL"]);
    bundle
        .set("/process/capabilities", json!({"bounding": own, "permitted": own, "effective": own}));
    let bundle = bundle.started();
    let process = json!({
        "args": ["cat", "/proc/self/status"], "cwd": "/", "env": ["PATH=/bin"],
        "user": {"uid": 0, "gid": 0},
        "capabilities": {"bounding": own, "permitted": own, "effective": own, "inheritable": []},
    });
    bundle.scratch.file("process.json", &process.to_string());
    let seen = bundle.command(&["exec", "--process", "process.json"]).success();
    for (name, expected) in [
        ("CapInh:", 0),
        ("CapAmb:", 0),
        ("CapBnd:", 1 << 5),
        ("CapEff:", 1 << 5),
        ("CapPrm:", 1 << 5),
    ] {
        assert_eq!(set_of(&seen, name), expected, "{name}");
    }
}

/// Each is an error, or exactly this user.
fn cve_2026_30892_a_user_that_is_hardly_one() {
    let bundle = Bundle::waiting().started();
    for (user, exact) in [
        ("1:", "1:"),
        (":1", "0:1\n"),
        ("4294967296", "-"),
        ("4294967295", "-"),
        ("0x1", "-"),
        ("root", "0:0\n"),
        ("-1", "-"),
        ("1 ", "-"),
        (" 1", "-"),
        ("+1", "1:"),
        ("01", "1:"),
        ("1:2:3", "-"),
        ("1:x", "-"),
        ("1,2", "-"),
        ("1.0", "-"),
        ("18446744073709551617", "-"),
        ("nobody-here", "-"),
    ] {
        let option = format!("--user={user}");
        let words = ["exec", &option, "@", "sh", "-c", "echo $(id -u):$(id -g)"];
        let ended = bundle.command(&words);
        let is_exact = ended.status == 0 && ended.output.starts_with(exact);
        assert!(ended.status > 0 || is_exact, "{user:?} is {}", ended.output);
        assert!(ended.status == 0 || ended.output.is_empty(), "{user:?}: {}", ended.output);
    }
}

fn cgroup_paths_that_lead_up() {
    let before = fs::read_to_string("/proc/self/cgroup").unwrap();
    for path in
        ["../..", "/../..", "../../{}", "/a/../../{}", "/./../{}/..", ".", "/", "{}/../../.."]
    {
        let mut bundle = Bundle::waiting();
        let path = path.replace("{}", &bundle.id);
        bundle.set("/linux/cgroupsPath", json!(path));
        let ended = bundle.create();
        if ended.status == 0 {
            for line in bundle.of_process("cgroup").lines() {
                assert!(!line.contains(".."), "{path}: {line}");
            }
            bundle.command(&["delete", "--force"]).success();
        }
        bundle.is_gone();
    }
    // Nothing was killed or moved with it.
    assert_eq!(fs::read_to_string("/proc/self/cgroup").unwrap(), before);
    let bundle = Bundle::waiting().started();
    for path in ["../..", "pids:../..", "/../..", "x/../../.."] {
        bundle.command(&["exec", "--cgroup", path, "@", "true"]).refused(&[]);
    }
}

fn shocker_files_by_their_handles() {
    let mut bundle = Bundle::new();
    let source = bundle.scratch.file(
        "handle.c",
        "#define _GNU_SOURCE\n#include <errno.h>\n#include <fcntl.h>\n#include <stdio.h>\n#include <string.h>\n\
         int main(void) { union { struct file_handle h; char b[64]; } u = {0};\
         u.h.handle_bytes = 8; u.h.handle_type = 1; u.b[8] = 2; int fd = open(\"/\", O_RDONLY);\
         int got = open_by_handle_at(fd, &u.h, O_RDONLY);\
         puts(got < 0 ? strerror(errno) : \"escaped\"); }",
    );
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-o"]).arg(bundle.scratch.path("rootfs/handle")).arg(source);
    run(&mut compiler).success();
    assert_eq!(bundle.inside("/handle"), "Operation not permitted\n");
    // What `spec` gives a container does not make it possible either.
    let spec = Bundle::new();
    run(&mut spec.runtime(["spec"])).success();
    let written = fs::read_to_string(spec.scratch.path("config.json")).unwrap();
    assert!(!written.contains("DAC_READ_SEARCH") && !written.contains("SYS_ADMIN"));
}

fn names_of_containers_that_lead_up() {
    let bundle = Bundle::new();
    bundle.scratch.file("victim/state.json", "{}");
    bundle.scratch.folder("state");
    for name in ["../victim", "../../", "x/../../victim", "..", "."] {
        for words in [["delete", "--force", "--", name], ["kill", "--", name, "KILL"]] {
            run(&mut bundle.runtime(words));
        }
        run(&mut bundle.runtime(["start", "--", name])).refused(&[]);
        run(&mut bundle.runtime(["state", "--", name])).refused(&[]);
    }
    assert!(bundle.scratch.path("victim/state.json").exists());
    assert!(bundle.scratch.path("state").exists());
    assert!(cgroups(&bundle.id).is_empty());
}
