//! Limits of the OCI runtime's containers, as the files of cgroups have them, and their update.

use crate::bundle::{Bundle, cgroups, wait_until};
use crate::util::{run, run_with_input, tests};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

tests![
    limits_are_in_the_files needs Root;
    a_limit_of_processes_holds needs Root;
    a_limit_of_memory_holds needs Root;
    a_very_small_container needs Root;
    processors_and_nodes needs Root;
    unlimited_is_minus_one needs Root;
    limits_that_cannot_be_set needs Root;
    update_by_flags needs Root;
    update_by_file_and_standard_input needs Root;
    update_of_what_is_no_limit needs Root;
    update_of_a_share_of_the_cache_takes_a_group needs Root;
    devices_that_are_denied needs Root;
    a_path_that_is_relative needs Root;
    a_path_of_several_levels needs Root;
    without_a_path needs Root;
    a_cgroup_that_was_there needs Root;
    a_cgroup_that_is_anothers_by_now needs Root;
    cgroups_below_go_with_it needs Root;
];

/// A file of the container's cgroup of version 1, or nothing where the hierarchy is not there.
fn file(bundle: &Bundle, controller: &str, name: &str) -> Option<PathBuf> {
    let hierarchy = Path::new("/sys/fs/cgroup").join(controller);
    hierarchy.exists().then(|| hierarchy.join(&bundle.id).join(name))
}

#[track_caller]
fn says(bundle: &Bundle, controller: &str, name: &str, expected: &str) {
    if let Some(path) = file(bundle, controller, name) {
        let seen = fs::read_to_string(&path);
        let seen = seen.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(seen.trim(), expected, "{}", path.display());
    }
}

fn limited(resources: Value) -> Bundle {
    let mut bundle = Bundle::waiting();
    bundle.set("/linux/resources", resources);
    bundle
}

fn limits_are_in_the_files() {
    let bundle = limited(json!({
        "memory": {"limit": 64 << 20, "reservation": 32 << 20, "swappiness": 10},
        "pids": {"limit": 77},
        "cpu": {"shares": 512, "quota": 50_000, "period": 100_000},
    }));
    bundle.create().success();
    let check = || {
        says(&bundle, "memory", "memory.limit_in_bytes", "67108864");
        says(&bundle, "memory", "memory.soft_limit_in_bytes", "33554432");
        says(&bundle, "memory", "memory.swappiness", "10");
        says(&bundle, "pids", "pids.max", "77");
        says(&bundle, "cpu", "cpu.shares", "512");
        says(&bundle, "cpu", "cpu.cfs_quota_us", "50000");
        says(&bundle, "cpu", "cpu.cfs_period_us", "100000");
        says(&bundle, "pids", "cgroup.procs", &bundle.process().to_string());
    };
    check();
    bundle.command(&["start"]).success();
    check();
    // Each hierarchy of version 1 has it.
    let groups = bundle.of_process("cgroup");
    for line in groups.lines().filter(|line| !line.starts_with("0::")) {
        assert!(line.ends_with(&format!("/{}", bundle.id)), "{groups}");
    }
    bundle.command(&["delete", "--force"]).success();
    assert!(cgroups(&bundle.id).is_empty());
}

fn a_limit_of_processes_holds() {
    let mut bundle = limited(json!({"pids": {"limit": 6}}));
    bundle.runs("exec 2>&1; for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; echo end");
    let ended = bundle.run();
    assert!(ended.output.contains("can't fork"), "{}{}", ended.output, ended.errors);
}

fn a_limit_of_memory_holds() {
    let mut bundle = limited(json!({"memory": {"limit": 16 << 20, "swap": 16 << 20}}));
    bundle.runs("head -c 67108864 /dev/zero | tail -c 67108864 | wc -c; echo ${PIPESTATUS:-end}");
    let ended = bundle.run();
    assert!(!ended.output.starts_with("67108864"), "{}", ended.output);
    let mut bundle = limited(json!({"memory": {"limit": 256 << 20}}));
    assert_eq!(
        bundle.inside("head -c 33554432 /dev/zero | tail -c 33554432 | wc -c"),
        "33554432\n"
    );
}

/// 512 KiB and one process are enough.
fn a_very_small_container() {
    let mut bundle = limited(json!({"memory": {"limit": 512 << 10}, "pids": {"limit": 1}}));
    bundle.set("/process/args", json!(["/bin/busybox", "true"]));
    for _ in 0..10 {
        bundle.run().success();
    }
    bundle.is_gone();
}

fn processors_and_nodes() {
    let bundle = limited(json!({"cpu": {"cpus": "0", "mems": "0"}}));
    bundle.create().success();
    says(&bundle, "cpuset", "cpuset.cpus", "0");
    says(&bundle, "cpuset", "cpuset.mems", "0");
    assert!(bundle.of_process("status").contains("Cpus_allowed_list:\t0\n"));
}

fn unlimited_is_minus_one() {
    let bundle =
        limited(json!({"memory": {"limit": -1}, "pids": {"limit": -1}, "cpu": {"quota": -1}}));
    bundle.create().success();
    says(&bundle, "pids", "pids.max", "max");
    says(&bundle, "cpu", "cpu.cfs_quota_us", "-1");
    says(&bundle, "memory", "memory.limit_in_bytes", "9223372036854771712");
}

fn limits_that_cannot_be_set() {
    for resources in [
        json!({"cpu": {"cpus": "4000-4001"}}),
        json!({"cpu": {"cpus": "nope"}}),
        json!({"cpu": {"period": 1}}),
        json!({"hugepageLimits": [{"pageSize": "3KB", "limit": 1}]}),
        json!({"unified": {"../memory.max": "1"}}),
        json!({"unified": {"nope.nope": "1"}}),
        json!({"memory": {"limit": 1 << 20, "swap": 1 << 10}}),
    ] {
        let bundle = limited(resources.clone());
        let ended = bundle.create();
        assert!(ended.status > 0, "{resources}");
        bundle.is_gone();
    }
}

fn update_by_flags() {
    let bundle = limited(json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 50}})).started();
    let update = |words: &[&str]| bundle.command(&[&["update"], words, &["@"]].concat()).success();
    update(&["--memory", "33554432"]);
    says(&bundle, "memory", "memory.limit_in_bytes", "33554432");
    says(&bundle, "pids", "pids.max", "50");
    update(&["--pids-limit", "20", "--cpu-share", "200"]);
    says(&bundle, "pids", "pids.max", "20");
    says(&bundle, "cpu", "cpu.shares", "200");
    update(&["--cpu-period=50000", "--cpu-quota=25000"]);
    says(&bundle, "cpu", "cpu.cfs_period_us", "50000");
    says(&bundle, "cpu", "cpu.cfs_quota_us", "25000");
    update(&["--cpuset-cpus", "1"]);
    says(&bundle, "cpuset", "cpuset.cpus", "1");
    update(&["--memory-reservation", "16M"]);
    says(&bundle, "memory", "memory.soft_limit_in_bytes", "16777216");
    update(&["--memory", "128M"]);
    says(&bundle, "memory", "memory.limit_in_bytes", "134217728");
    update(&["--pids-limit", "-1"]);
    says(&bundle, "pids", "pids.max", "max");
    // Of no use any more, and still said by engines.
    update(&["--kernel-memory", "1000000", "--kernel-memory-tcp", "1000000"]);
    assert_eq!(bundle.status(), "running");
}

fn update_by_file_and_standard_input() {
    let bundle = Bundle::waiting().started();
    let resources = |limit: u32| json!({"memory": {"limit": 64 << 20}, "pids": {"limit": limit}, "cpu": {"shares": 300}});
    bundle.scratch.file("resources.json", &resources(30).to_string());
    for words in [["update", "-r", "resources.json"], ["update", "--resources", "resources.json"]] {
        bundle.command(&words).success();
        says(&bundle, "pids", "pids.max", "30");
        says(&bundle, "cpu", "cpu.shares", "300");
        says(&bundle, "memory", "memory.limit_in_bytes", "67108864");
    }
    let words = ["update", "--resources=-", &bundle.id];
    run_with_input(&mut bundle.runtime(words), &resources(40).to_string()).success();
    says(&bundle, "pids", "pids.max", "40");
    let words = ["update", "-r", "-", &bundle.id];
    run_with_input(&mut bundle.runtime(words), &resources(41).to_string()).success();
    says(&bundle, "pids", "pids.max", "41");
    run_with_input(&mut bundle.runtime(words), "{\"pids\": ").refused(&[]);
    run_with_input(&mut bundle.runtime(words), "{\"pids\": {\"limit\": \"x\"}}").refused(&[]);
    bundle.command(&["update", "-r", "none.json"]).refused(&["no such file"]);
    says(&bundle, "pids", "pids.max", "41");
}

fn update_of_what_is_no_limit() {
    let bundle = limited(json!({"pids": {"limit": 50}})).started();
    for words in [
        ["--memory", "much"],
        ["--cpuset-cpus", "4000"],
        ["--pids-limit", "x"],
        ["--cpu-share", "-x"],
        ["--cpuset-mems", "nope"],
    ] {
        bundle.command(&[&["update"], &words[..]].concat()).refused(&[]);
    }
    says(&bundle, "pids", "pids.max", "50");
    assert_eq!(bundle.status(), "running");
}

/// On most machines there is no resctrl at all; on none has this container a group in it.
fn update_of_a_share_of_the_cache_takes_a_group() {
    let bundle = limited(json!({"pids": {"limit": 50}})).started();
    for share in [["--l3-cache-schema", "L3:0=1"], ["--mem-bw-schema", "MB:0=20"]] {
        let words = [&["update", "--pids-limit", "20"], &share[..]].concat();
        bundle.command(&words).refused(&["resctrl"]);
    }
    bundle.command(&["update", "--mem-bw-schema", "L3:0=1"]).refused(&["L3:0=1", "MB:"]);
    says(&bundle, "pids", "pids.max", "50");
}

fn devices_that_are_denied() {
    let mut bundle = Bundle::new();
    bundle.set("/process/capabilities/bounding", json!(["CAP_MKNOD"]));
    bundle.set("/process/capabilities/permitted", json!(["CAP_MKNOD"]));
    bundle.set("/process/capabilities/effective", json!(["CAP_MKNOD"]));
    let script = "mknod /dev/x c 1 1; (head -c 1 /dev/x > /dev/null) && echo read; head -c 1 /dev/zero | wc -c; mknod /dev/y c 1 3 && echo x > /dev/y && echo written; true";
    bundle.set(
        "/linux/resources/devices",
        json!([{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]),
    );
    let seen = bundle.inside(script);
    assert!(!seen.contains("read"), "{seen}");
    assert!(seen.contains('1') && seen.contains("written"), "{seen}");
}

fn a_path_that_is_relative() {
    let mut bundle = Bundle::waiting();
    bundle.set("/linux/cgroupsPath", json!(format!("{}-below", bundle.id)));
    bundle.create().success();
    assert!(bundle.of_process("cgroup").contains(&format!("{}-below", bundle.id)));
    bundle.command(&["delete", "--force"]).success();
    bundle.is_gone();
}

fn a_path_of_several_levels() {
    let mut bundle = Bundle::waiting();
    bundle.set("/linux/cgroupsPath", json!(format!("/{}-a/b/c", bundle.id)));
    bundle.create().success();
    assert!(bundle.of_process("cgroup").contains(&format!("/{}-a/b/c\n", bundle.id)));
    bundle.command(&["delete", "--force"]).success();
    // What lies above is other containers' as well, and may stay: what is left is empty.
    for path in cgroups(&format!("{}-a", bundle.id)) {
        assert!(!path.join("b/c").exists(), "{}", path.display());
        assert_eq!(fs::read_to_string(path.join("cgroup.procs")).unwrap(), "");
        let _ = fs::remove_dir(path.join("b"));
        fs::remove_dir(path).unwrap();
    }
}

fn without_a_path() {
    let mut bundle = Bundle::waiting();
    bundle.remove("/linux", "cgroupsPath");
    bundle.set("/linux/resources", json!({"pids": {"limit": 33}}));
    bundle.create().success();
    let groups = bundle.of_process("cgroup");
    assert!(groups.contains(&bundle.id), "it has one of its own: {groups}");
    bundle.command(&["start"]).success();
    bundle.command(&["delete", "--force"]).success();
    bundle.is_gone();
}

/// A cgroup with somebody else's processes is not killed with the container.
fn a_cgroup_that_was_there() {
    let first = Bundle::waiting().started();
    let mut second = Bundle::waiting();
    second.set("/linux/cgroupsPath", json!(format!("/{}", first.id)));
    second.create();
    second.command(&["delete", "--force"]);
    assert_eq!(first.status(), "running");
    first.exec(&["true"]).success();
    first.command(&["delete", "--force"]).success();
    first.is_gone();
}

/// Nor is that of a container which was made there after the first one had ended.
fn a_cgroup_that_is_anothers_by_now() {
    let first = Bundle::waiting().started();
    first.command(&["kill", "@", "KILL"]).success();
    first.awaits("stopped");
    let mut second = Bundle::waiting();
    second.set("/linux/cgroupsPath", json!(format!("/{}", first.id)));
    let second = second.started();
    first.command(&["delete", "--force"]).refused(&["there are still processes in it"]);
    assert_eq!(second.status(), "running");
    second.exec(&["true"]).success();
    second.command(&["delete", "--force"]).success();
    first.command(&["delete"]).success();
    first.is_gone();
}

fn cgroups_below_go_with_it() {
    let bundle = Bundle::waiting().started();
    for path in cgroups(&bundle.id) {
        fs::create_dir_all(path.join("own/below")).unwrap();
    }
    wait_until("they are there", || !cgroups(&bundle.id).is_empty());
    run(&mut bundle.runtime(["delete", "--force", &bundle.id])).success();
    bundle.is_gone();
}
