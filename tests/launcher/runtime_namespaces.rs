//! The namespaces of the OCI runtime's containers: new, of others by path, and none; id mappings,
//! kernel parameters, clocks and network interfaces.

use crate::bundle::{Bundle, line_of};
use crate::util::{run, tests};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command};

tests![
    each_namespace_is_new_or_the_callers needs Root;
    a_namespace_twice_is_refused needs Root;
    namespaces_by_path needs Root, Program("unshare");
    a_namespace_by_path_of_another_kind needs Root, Program("unshare");
    a_user_namespace_by_path needs Root, Program("unshare");
    a_process_namespace_by_path needs Root;
    mapped_ids needs Root;
    mappings_that_are_none needs Root;
    kernel_parameters needs Root;
    kernel_parameters_of_the_host_are_refused needs Root;
    clocks_that_are_ahead needs Root;
    network_interfaces_that_move_in needs Root, Program("ip");
    the_loopback_is_there needs Root;
];

const KINDS: [(&str, &str); 8] = [
    ("pid", "pid"),
    ("network", "net"),
    ("mount", "mnt"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("user", "user"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

fn each_namespace_is_new_or_the_callers() {
    for (kind, name) in KINDS {
        if ["user", "mount"].contains(&kind) {
            continue;
        }
        let own = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
        let own = format!("{}\n", own.display());
        let mut bundle = Bundle::new();
        bundle.take("/linux/namespaces", "type", kind);
        // Without the host's names, and without its network where /sys would show another's.
        bundle.remove("", "hostname");
        bundle.take("/mounts", "destination", "/sys");
        let script = format!("readlink /proc/self/ns/{name}");
        assert_eq!(bundle.inside(&script), own, "{kind}");
        bundle.add("/linux/namespaces", json!({"type": kind}));
        assert_ne!(bundle.inside(&script), own, "{kind}");
    }
}

fn a_namespace_twice_is_refused() {
    for (kind, _) in KINDS {
        let mut bundle = Bundle::new();
        bundle.take("/linux/namespaces", "type", kind);
        for _ in 0..2 {
            bundle.add("/linux/namespaces", json!({"type": kind}));
        }
        bundle.create().refused(&[kind]);
        bundle.is_gone();
    }
}

/// A process in namespaces of its own.
struct Other(Child);

impl Other {
    fn new(options: &[&str]) -> Self {
        let mut command = Command::new("unshare");
        let child = command.args(options).args(["sleep", "60"]).spawn().unwrap();
        let name = format!("/proc/{}/comm", child.id());
        crate::bundle::wait_until("it sleeps", || {
            fs::read_to_string(&name).unwrap_or_default() == "sleep\n"
        });
        Self(child)
    }

    fn namespace(&self, name: &str) -> (String, String) {
        let path = format!("/proc/{}/ns/{name}", self.0.id());
        let link = fs::read_link(&path).unwrap();
        (path, format!("{}\n", link.display()))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn namespaces_by_path() {
    let other = Other::new(&["--net", "--ipc", "--uts", "--cgroup"]);
    for (kind, name) in [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup")] {
        let (path, link) = other.namespace(name);
        let mut bundle = Bundle::new();
        bundle.take("/linux/namespaces", "type", kind);
        bundle.add("/linux/namespaces", json!({"type": kind, "path": path}));
        if kind == "uts" {
            bundle.remove("", "hostname");
        }
        assert_eq!(bundle.inside(&format!("readlink /proc/self/ns/{name}")), link);
    }
}

fn a_namespace_by_path_of_another_kind() {
    let other = Other::new(&["--net", "--ipc"]);
    for path in [other.namespace("ipc").0, "/dev/null".into(), "/nowhere".into(), "ns/net".into()] {
        let mut bundle = Bundle::new();
        bundle.take("/linux/namespaces", "type", "network");
        bundle.add("/linux/namespaces", json!({"type": "network", "path": path}));
        bundle.create().refused(&[]);
        bundle.is_gone();
    }
}

fn a_user_namespace_by_path() {
    let other = Other::new(&["--user"]);
    for name in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{}/{name}", other.0.id()), "0 100000 65536\n").unwrap();
    }
    let (path, link) = other.namespace("user");
    let mut bundle = Bundle::new();
    bundle.add("/linux/namespaces", json!({"type": "user", "path": path}));
    let place = bundle.scratch.path("rootfs");
    run(Command::new("chown").args(["-R", "-h", "100000:100000"]).arg(place)).success();
    let seen = bundle.inside("readlink /proc/self/ns/user; id -u; cat /proc/self/uid_map");
    assert!(seen.starts_with(&format!("{link}0\n")), "{seen}");
    assert!(seen.contains("100000      65536"), "{seen}");
    // Engines say again which ids it has; nothing else may be said.
    let mapping = |size: u32| json!([{"containerID": 0, "hostID": 100_000, "size": size}]);
    bundle.set("/linux/uidMappings", mapping(65536));
    bundle.set("/linux/gidMappings", mapping(65536));
    assert_eq!(bundle.inside("id -u"), "0\n");
    for name in ["gidMappings", "uidMappings"] {
        let place = format!("/linux/{name}");
        bundle.set(&place, mapping(1000));
        bundle.run().refused(&[&format!("linux.{name}"), "has others"]);
        bundle.is_gone();
        bundle.set(&place, json!([]));
        bundle.run().refused(&[&format!("linux.{name}"), "has others"]);
        bundle.set(&place, mapping(65536));
    }
}

/// As the containers of a pod share one.
fn a_process_namespace_by_path() {
    let first = Bundle::waiting().started();
    let path = format!("/proc/{}/ns/pid", first.process());
    let mut second = Bundle::of("sleep 61");
    second.take("/linux/namespaces", "type", "pid");
    second.add("/linux/namespaces", json!({"type": "pid", "path": path}));
    let mut second = second.started();
    let link =
        |bundle: &Bundle| fs::read_link(format!("/proc/{}/ns/pid", bundle.process())).unwrap();
    assert_eq!(link(&first), link(&second));
    assert!(second.exec_shell("ps").contains("sleep 60"));
    second.command(&["delete", "--force"]).success();
    second.is_gone();
    assert_eq!(first.status(), "running");
    // It can be held for longer than its process 1 lives, and nothing begins in it any more.
    let held = second.scratch.file("held", "");
    run(Command::new("mount").arg("--bind").arg(&path).arg(&held)).success();
    first.command(&["delete", "--force"]).success();
    second.take("/linux/namespaces", "type", "pid");
    second.add("/linux/namespaces", json!({"type": "pid", "path": held.to_str()}));
    let ended = second.create();
    run(Command::new("umount").arg(&held)).success();
    ended.refused(&["process 1 of a joined process namespace has ended"]);
    second.is_gone();
}

fn mapped_ids() {
    let mut bundle = Bundle::new();
    bundle.in_user_namespace();
    bundle.set(
        "/linux/gidMappings",
        json!([{"containerID": 0, "hostID": 100_000, "size": 10},
               {"containerID": 10, "hostID": 300_000, "size": 1000}]),
    );
    let seen = bundle.inside(
        "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map; touch /made; stat -c %u:%g /made",
    );
    let words: Vec<&str> = seen.split_whitespace().collect();
    let expected =
        ["0", "0", "0", "100000", "65536", "0", "100000", "10", "10", "300000", "1000", "0:0"];
    assert_eq!(words, expected);
    let made = fs::metadata(bundle.scratch.path("rootfs/made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (100_000, 100_000));
    // What it has in its namespace is nothing outside.
    bundle.set("/process/capabilities/effective", json!(["CAP_SYS_ADMIN", "CAP_MKNOD"]));
    bundle.set("/process/capabilities/permitted", json!(["CAP_SYS_ADMIN", "CAP_MKNOD"]));
    bundle.set("/process/capabilities/bounding", json!(["CAP_SYS_ADMIN", "CAP_MKNOD"]));
    let seen = bundle.inside("mknod /zero c 1 5 || echo held; cat /proc/self/setgroups");
    assert_eq!(seen, "held\nallow\n");
}

fn mappings_that_are_none() {
    let mut bundle = Bundle::new();
    bundle.add("/linux/namespaces", json!({"type": "user"}));
    let mapping = |container: u64, host: u64, size: u64| {
        json!([{"containerID": container, "hostID": host, "size": size},
               {"containerID": 0, "hostID": 100_000, "size": 1}])
    };
    for mapping in [mapping(0, 5, 10), mapping(5, 4_294_967_290, 100), mapping(1, 7, 0)] {
        bundle.set("/linux/uidMappings", mapping.clone());
        bundle.set("/linux/gidMappings", mapping);
        bundle.create().refused(&[]);
        bundle.is_gone();
    }
    let mut bundle = Bundle::new();
    bundle.set("/linux/uidMappings", json!([{"containerID": 0, "hostID": 100_000, "size": 1}]));
    bundle.create().refused(&["user"]);
    bundle.is_gone();
}

fn kernel_parameters() {
    let mut bundle = Bundle::new();
    bundle.set(
        "/linux/sysctl",
        json!({"net.ipv4.ip_forward": "1", "kernel.shmmax": "65536", "kernel.msgmax": "1234",
               "net/ipv4/ip_default_ttl": "33", "fs.mqueue.msg_max": "11"}),
    );
    let seen = bundle.inside(
        "cd /proc/sys; cat net/ipv4/ip_forward kernel/shmmax kernel/msgmax net/ipv4/ip_default_ttl fs/mqueue/msg_max",
    );
    assert_eq!(seen, "1\n65536\n1234\n33\n11\n");
}

fn kernel_parameters_of_the_host_are_refused() {
    let watched =
        ["kernel/core_pattern", "vm/swappiness", "net/ipv4/ip_default_ttl", "kernel/shmmax"];
    let read = || watched.map(|name| fs::read_to_string(format!("/proc/sys/{name}")).unwrap());
    let before = read();
    for (name, value) in
        [("kernel.core_pattern", "|/x"), ("vm.swappiness", "7"), ("kernel.sysrq", "1")]
    {
        let mut bundle = Bundle::new();
        bundle.set("/linux/sysctl", json!({name: value}));
        bundle.create().refused(&[name]);
        bundle.is_gone();
    }
    for (name, kind) in [("net.ipv4.ip_default_ttl", "network"), ("kernel.shmmax", "ipc")] {
        let mut bundle = Bundle::new();
        bundle.take("/linux/namespaces", "type", kind);
        bundle.take("/mounts", "destination", "/sys");
        bundle.set("/linux/sysctl", json!({name: "77"}));
        bundle.create().refused(&[name]);
        bundle.is_gone();
    }
    assert_eq!(read(), before);
}

fn clocks_that_are_ahead() {
    let mut bundle = Bundle::new();
    bundle.add("/linux/namespaces", json!({"type": "time"}));
    bundle.set(
        "/linux/timeOffsets",
        json!({"monotonic": {"secs": 1000, "nanosecs": 5}, "boottime": {"secs": 86_400}}),
    );
    let seen = bundle.inside("cat /proc/self/timens_offsets");
    let words: Vec<&str> = seen.split_whitespace().collect();
    assert_eq!(words, ["monotonic", "1000", "5", "boottime", "86400", "0"]);
    bundle.take("/linux/namespaces", "type", "time");
    bundle.create().refused(&["time"]);
    bundle.is_gone();
}

/// In a network namespace of the test's own, so that nothing of the host's is moved.
fn network_interfaces_that_move_in() {
    let mut bundle = Bundle::of("ip -o link; ip -o -4 addr");
    bundle.set("/linux/netDevices", json!({"mcone": {"name": "inside0"}, "mctwo": {}}));
    bundle.write();
    let line = format!(
        "ip link add mcone type veth peer name mctwo && ip addr add 10.7.0.1/24 dev mcone && \
         ip link set mcone up && $RUNTIME --root state run {} && ip -o link",
        bundle.id
    );
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", &line]).current_dir(bundle.scratch.path(""));
    let seen = run(command.env("RUNTIME", crate::bundle::runtime_file())).success();
    for words in [": inside0@", ": mctwo@", "10.7.0.1/24"] {
        assert!(seen.contains(words), "{words} in {seen}");
    }
    bundle.set("/linux/netDevices", json!({"nosuchdevice": {}}));
    bundle.create().refused(&["nosuchdevice"]);
    bundle.is_gone();
}

fn the_loopback_is_there() {
    let seen = Bundle::new().inside("ip -o link; cat /proc/self/status");
    assert!(seen.contains("1: lo: <"), "{seen}");
    assert_eq!(line_of(&seen, "NSpid:").split_whitespace().count(), 1, "{seen}");
}
