//! What a configuration of the OCI runtime says of the process, and what is seen of it inside.

use crate::bundle::{Bundle, line_of};
use crate::util::tests;
use serde_json::{Value, json};
use std::fs;

tests![
    user_groups_and_umask needs Root;
    environment_and_working_directory needs Root;
    five_sets_of_capabilities needs Root;
    capabilities_without_any needs Root;
    limits_of_resources needs Root;
    the_score_of_memory_shortage needs Root;
    a_scheduler needs Root;
    a_priority_of_io needs Root;
    a_personality needs Root;
    no_new_privileges needs Root;
    names_of_the_host needs Root;
    labels_without_a_security_module needs Root;
    values_that_are_refused_by_their_path needs Root;
    what_is_unknown_is_ignored needs Root;
    a_processor_for_exec needs Root;
];

fn user_groups_and_umask() {
    let mut bundle = Bundle::new();
    bundle.set(
        "/process/user",
        json!({"uid": 1000, "gid": 1001, "umask": 0o77, "additionalGids": [5, 6]}),
    );
    let seen = bundle.inside("id -u; id -g; id -G; umask; grep -E '^(Uid|Gid)' /proc/self/status");
    assert_eq!(
        seen,
        "1000\n1001\n1001 5 6\n0077\nUid:\t1000\t1000\t1000\t1000\nGid:\t1001\t1001\t1001\t1001\n"
    );
    bundle.set("/process/user", json!({"uid": 7, "gid": 8}));
    assert_eq!(bundle.inside("id -G; umask"), "8\n0022\n");
}

fn environment_and_working_directory() {
    let mut bundle = Bundle::new();
    bundle.set("/process/env", json!(["PATH=/bin", "A=b=c", "EMPTY="]));
    bundle.set("/process/cwd", json!("/made/by/runtime"));
    let seen = bundle.inside("pwd; env | grep -vE '^(PWD|OLDPWD|SHLVL|HOME)=' | sort");
    assert_eq!(seen, "/made/by/runtime\nA=b=c\nEMPTY=\nPATH=/bin\n");
    bundle.set("/process/cwd", json!("relative"));
    bundle.create().refused(&["cwd"]);
    bundle.is_gone();
}

fn sets(bundle: &mut Bundle) -> [u64; 5] {
    let status = bundle.inside("cat /proc/self/status");
    ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"]
        .map(|name| u64::from_str_radix(line_of(&status, name), 16).unwrap())
}

fn five_sets_of_capabilities() {
    let (chown, kill, net, time) = (1, 1 << 5, 1 << 10, 1 << 25);
    let mut bundle = Bundle::new();
    bundle.set("/process/user", json!({"uid": 1000, "gid": 1000}));
    bundle.set(
        "/process/capabilities",
        json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SYS_TIME"],
            "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
            "effective": ["CAP_CHOWN", "CAP_KILL"],
            "inheritable": ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
            "ambient": ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
        }),
    );
    // After an execve by an ordinary user, what is ambient is what there is.
    let seen = sets(&mut bundle);
    assert_eq!(seen, [kill | net, kill | net, kill | net, chown | kill | net | time, kill | net]);
    // Before it, all five are as they were asked for.
    bundle.runs("sleep 60");
    bundle.create().success();
    let status = bundle.of_process("status");
    let number = |name| u64::from_str_radix(line_of(&status, name), 16).unwrap();
    assert_eq!(number("CapBnd:"), chown | kill | net | time);
    assert_eq!(number("CapInh:") & !(kill | net), 0);
    bundle.set("/process/capabilities/bounding", json!(["CAP_NOPE"]));
    bundle.command(&["delete", "--force"]).success();
    let ended = bundle.create();
    assert!(ended.errors.contains("CAP_NOPE"), "{}", ended.errors);
}

fn capabilities_without_any() {
    let mut bundle = Bundle::new();
    bundle.remove("/process", "capabilities");
    assert_eq!(sets(&mut bundle)[..3], [0; 3]);
    bundle.set("/process/capabilities", json!({}));
    assert_eq!(sets(&mut bundle), [0; 5]);
}

fn limits_of_resources() {
    let mut bundle = Bundle::new();
    let limit =
        |kind: &str, soft: u64, hard: u64| json!({"type": kind, "soft": soft, "hard": hard});
    bundle.set(
        "/process/rlimits",
        json!([
            limit("RLIMIT_NOFILE", 100, 200),
            limit("RLIMIT_CORE", 0, 0),
            limit("RLIMIT_STACK", 1 << 20, u64::MAX),
            limit("RLIMIT_NPROC", 500, 600),
        ]),
    );
    let seen = bundle.inside("cat /proc/self/limits");
    let words = |name: &str| {
        let line = line_of(&seen, name);
        line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(words("Max open files"), "100 200");
    assert_eq!(words("Max core file size"), "0 0");
    assert_eq!(words("Max stack size"), "1048576 unlimited");
    assert_eq!(words("Max processes"), "500 600");
    bundle.add("/process/rlimits", limit("RLIMIT_NOFILE", 1, 1));
    bundle.create().refused(&["rlimit"]);
    bundle.is_gone();
    bundle.set("/process/rlimits", json!([limit("RLIMIT_NOPE", 1, 1)]));
    bundle.create().refused(&["RLIMIT_NOPE"]);
    bundle.is_gone();
}

fn the_score_of_memory_shortage() {
    let mut bundle = Bundle::new();
    for score in [0, 500, 1000] {
        bundle.set("/process/oomScoreAdj", json!(score));
        assert_eq!(bundle.inside("cat /proc/self/oom_score_adj"), format!("{score}\n"));
    }
    bundle.set("/process/oomScoreAdj", json!(1001));
    bundle.create().refused(&[]);
    bundle.is_gone();
}

/// The fields of `/proc/PID/stat` after the name, from 3 on.
fn stat(bundle: &mut Bundle) -> Vec<String> {
    fields(&bundle.inside("cat /proc/self/stat"))
}

fn fields(seen: &str) -> Vec<String> {
    let rest = seen.rsplit(')').next().unwrap();
    rest.split_whitespace().map(String::from).collect()
}

fn a_scheduler() {
    let mut bundle = Bundle::new();
    // Of the policy for idle time, the kernel does not take a nice value: that of the tests stays.
    let own = &*fields(&fs::read_to_string("/proc/self/stat").unwrap())[16];
    for (policy, number, nice) in
        [("SCHED_BATCH", "3", "7"), ("SCHED_OTHER", "0", "7"), ("SCHED_IDLE", "5", own)]
    {
        bundle.set("/process/scheduler", json!({"policy": policy, "nice": 7}));
        let seen = stat(&mut bundle);
        assert_eq!(seen[38], number, "{policy}");
        assert_eq!(seen[16], nice, "{policy}: nice");
    }
    // A cgroup of version 1 has no time for it unless it is given some.
    let time = json!({"realtimeRuntime": 20_000, "realtimePeriod": 1_000_000});
    bundle.set("/linux/resources/cpu", time);
    bundle.set("/process/scheduler", json!({"policy": "SCHED_FIFO", "priority": 10}));
    let seen = stat(&mut bundle);
    assert_eq!((&*seen[38], &*seen[37]), ("1", "10"));
    bundle.set("/process/scheduler", json!({"policy": "SCHED_NOPE"}));
    bundle.create().refused(&["process.scheduler.policy"]);
    bundle.is_gone();
}

fn a_priority_of_io() {
    let mut bundle = Bundle::new();
    for (class, priority, words) in [
        ("IOPRIO_CLASS_BE", 5, "best-effort: prio 5"),
        ("IOPRIO_CLASS_IDLE", 0, "idle"),
        ("IOPRIO_CLASS_RT", 2, "realtime: prio 2"),
    ] {
        bundle.set("/process/ioPriority", json!({"class": class, "priority": priority}));
        let seen = bundle.inside("ionice -p $$");
        assert!(seen.contains(words), "{class}: {seen}");
    }
    bundle.set("/process/ioPriority", json!({"class": "IOPRIO_CLASS_NOPE", "priority": 1}));
    bundle.create().refused(&["process.ioPriority.class"]);
    bundle.is_gone();
}

fn a_personality() {
    let mut bundle = Bundle::new();
    bundle.set("/linux/personality", json!({"domain": "LINUX32"}));
    assert_ne!(bundle.inside("uname -m"), "x86_64\n");
    assert_eq!(bundle.inside("cat /proc/self/personality"), "00000008\n");
    bundle.set("/linux/personality", json!({"domain": "LINUX"}));
    assert_eq!(bundle.inside("cat /proc/self/personality"), "00000000\n");
    bundle.set("/linux/personality", json!({"domain": "BSD"}));
    bundle.create().refused(&["persona"]);
    bundle.is_gone();
}

fn no_new_privileges() {
    let mut bundle = Bundle::new();
    for (value, number) in [(true, "1"), (false, "0")] {
        bundle.set("/process/noNewPrivileges", json!(value));
        let status = bundle.inside("cat /proc/self/status");
        assert_eq!(line_of(&status, "NoNewPrivs:"), number);
    }
}

fn names_of_the_host() {
    let mut bundle = Bundle::new();
    bundle.set("/hostname", json!("a-name"));
    bundle.set("/domainname", json!("a.domain"));
    let seen = bundle.inside("hostname; cat /proc/sys/kernel/domainname");
    assert_eq!(seen, "a-name\na.domain\n");
    bundle.take("/linux/namespaces", "type", "uts");
    bundle.create().refused(&["hostname"]);
    bundle.is_gone();
    bundle.remove("", "hostname");
    bundle.create().refused(&["domainname"]);
    bundle.is_gone();
}

fn labels_without_a_security_module() {
    let has = |name: &str| std::path::Path::new("/sys/kernel/security").join(name).exists();
    for (place, value, word, is_there) in [
        ("/process/apparmorProfile", "docker-default", "apparmor", has("apparmor")),
        ("/process/selinuxLabel", "system_u:system_r:x_t:s0", "selinux", false),
        ("/linux/mountLabel", "system_u:object_r:x_t:s0", "mountLabel", false),
    ] {
        if !is_there {
            let mut bundle = Bundle::new();
            bundle.set(place, json!(value));
            bundle.create().refused(&[word]);
            bundle.is_gone();
        }
    }
}

fn values_that_are_refused_by_their_path() {
    let cases: [(&str, Value, &str); 12] = [
        ("/linux/resources/pids/limit", json!("many"), "linux.resources.pids.limit"),
        ("/linux/resources/memory/limit", json!(1.5), "linux.resources.memory.limit"),
        ("/process/user/uid", json!(-1), "process.user.uid"),
        ("/process/user/uid", json!(4_294_967_296_u64), "process.user.uid"),
        ("/process/args", json!("sh"), "process.args"),
        ("/process/env", json!([1]), "process.env"),
        ("/process/terminal", json!("no"), "process.terminal"),
        ("/mounts", json!([{"type": "tmpfs"}]), "mounts[0].destination"),
        ("/linux/namespaces/0/type", json!("nope"), "linux.namespaces[0].type"),
        ("/linux/uidMappings", json!([{"containerID": 0}]), "linux.uidMappings[0]"),
        ("/root/path", json!(7), "root.path"),
        (
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_NOPE"}),
            "linux.seccomp.defaultAction",
        ),
    ];
    for (place, value, words) in cases {
        let mut bundle = Bundle::new();
        bundle.set(place, value);
        bundle.create().refused(&[words]);
        bundle.is_gone();
    }
}

fn what_is_unknown_is_ignored() {
    let mut bundle = Bundle::new();
    for place in ["/unknown", "/process/unknown", "/linux/unknown", "/root/unknown"] {
        bundle.set(place, json!({"a": [1, {"b": null}]}));
    }
    bundle.set("/mounts/0/unknown", json!(true));
    assert_eq!(bundle.inside("echo here"), "here\n");
}

fn a_processor_for_exec() {
    let mut bundle = Bundle::waiting();
    bundle.set("/process/execCPUAffinity", json!({"initial": "0", "final": "1"}));
    let bundle = bundle.started();
    let status = bundle.exec(&["cat", "/proc/self/status"]).success();
    assert_eq!(line_of(&status, "Cpus_allowed_list:"), "1");
    let first = bundle.of_process("status");
    assert_ne!(line_of(&first, "Cpus_allowed_list:"), "1", "it is exec's alone");
}
