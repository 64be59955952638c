//! What is a configuration, but none of a container that can be made here; and what takes no longer for being long.

use super::{message, read};
use rustix::thread::CpuSet;

/// A whole configuration with these members in place of its own.
fn with(members: &str, linux: &str) -> String {
    format!(
        r#"{{"ociVersion": "1.3.0", "root": {{"path": "r"}}, {members}
        "linux": {{"namespaces": [{{"type": "mount"}}], {linux} "cgroupsPath": "c"}}}}"#
    )
}

fn failure(text: &str) -> String {
    read(text).err().unwrap_or_default()
}

#[test]
fn a_configuration_for_elsewhere_is_read_and_not_run() {
    let unfit = |text: &str| read(text).unwrap().unfit.map(message).unwrap_or_default();
    assert_eq!(unfit(&with("", "")), "");
    for (text, why) in [
        (r#"{"ociVersion": "1.0.0"}"#, "linux: it is missing"),
        (r#"{"ociVersion": "1.0.0", "linux": {}}"#, "root: it is missing"),
        (
            r#"{"ociVersion": "0.5.0-dev", "linux": {}}"#,
            "ociVersion '0.5.0-dev': only versions 1.x.y are known",
        ),
        (r#"{"ociVersion": "2.0.0"}"#, "ociVersion '2.0.0': only versions 1.x.y are known"),
        (
            r#"{"ociVersion": "1.0.0", "root": {"path": "r"}, "hostname": "h", "freebsd": {}}"#,
            "freebsd: it is for another system than Linux",
        ),
        (
            r#"{"ociVersion": "1.0.0", "root": {"path": "r"}, "linux": {"netDevices": {"a": {}}}}"#,
            "linux.namespaces: one is to be new and of type mount: \
            a container has mounts of its own",
        ),
    ] {
        assert_eq!(unfit(text), why, "{text}");
    }
    let wrong = r#"{"ociVersion": "1.0.0", "zos": 3}"#;
    assert_eq!(failure(wrong), "zos 3: it is to be an object");
    assert_eq!(failure("[]"), "mini-container: read config.json: it is to be an object");
}

#[test]
fn what_a_container_has_takes_namespaces() {
    for (members, linux, place) in [
        (r#""hostname": "h","#, "", "hostname 'h'"),
        (r#""domainname": "d","#, "", "domainname 'd'"),
        ("", r#""netDevices": {"a": {}},"#, "linux.netDevices"),
        ("", r#""timeOffsets": {},"#, "linux.timeOffsets"),
        ("", r#""sysctl": {"net.a": "1"},"#, "linux.sysctl.net.a '1'"),
    ] {
        let failure = failure(&with(members, linux));
        assert!(failure.starts_with(&format!("{place}: ")), "{failure}");
    }
}

#[test]
fn a_long_environment_is_soon_read() {
    let environment = |variables: &str| {
        let process = format!(r#""process": {{"cwd": "/", "env": [{variables}]}},"#);
        read(&with(&process, "")).map(|config| &config.container.process.environment)
    };
    let names: Vec<String> = (0..50_000).map(|number| format!("\"A{number}=\"")).collect();
    let started = std::time::Instant::now();
    assert_eq!(environment(&names.join(",")).unwrap().len(), 50_000);
    assert!(started.elapsed().as_secs() < 20, "this took {:?}", started.elapsed());
    let last = environment(r#""A=1", "AB=", "A=2=3", "B=", "A=4""#).unwrap();
    assert_eq!(*last, [c"AB=", c"B=", c"A=4"]);
    for wrong in ["A", "=1", ""] {
        let failure = environment(&format!(r#""A=1", "{wrong}""#)).unwrap_err();
        assert_eq!(failure, format!("process.env[1] '{wrong}': it is to be NAME=value"));
    }
}

#[test]
fn processors_of_an_exec_may_stand_apart() {
    let last = |list: &str| {
        let process =
            format!(r#""process": {{"cwd": "/", "execCPUAffinity": {{"final": "{list}"}}}},"#);
        let set = read(&with(&process, ""))?.container.process.attributes.exec_processors[1];
        let of = |set: CpuSet| (0..CpuSet::MAX_CPU).filter(|place| set.is_set(*place)).collect();
        Ok::<Option<Vec<usize>>, String>(set.map(of))
    };
    assert_eq!(last(" 0-2, 5,,"), Ok(Some(vec![0, 1, 2, 5])));
    assert_eq!([last(""), last(" , ")], [Ok(None), Ok(None)]);
    assert!(last("0 - 2").unwrap_err().starts_with("process.execCPUAffinity.final '0 - 2': "));
}

#[test]
fn what_would_become_something_else_is_refused() {
    for (linux, place) in [
        (
            r#""devices": [{"type": "c", "path": "/a", "major": 4096, "minor": 0}]"#,
            "linux.devices[0].major 4096",
        ),
        (
            r#""devices": [{"type": "b", "path": "/a", "major": 1, "minor": 1048576}]"#,
            "linux.devices[0].minor 1048576",
        ),
        (r#""devices": [{"type": "p", "path": "/a", "major": "1"}]"#, "linux.devices[0].major '1'"),
        (r#""resources": {"unified": {"..": "1"}}"#, "linux.resources.unified... '1'"),
        (
            r#""resources": {"network": {"priorities": [{"name": "a b", "priority": 1}]}}"#,
            "linux.resources.network.priorities[0].name 'a b'",
        ),
        (r#""resources": {"rdma": {"a\n": {}}}"#, "linux.resources.rdma.a\\x0a"),
        (
            r#""seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": [], "action": "SCMP_ACT_LOG"}]}"#,
            "linux.seccomp.syscalls[0].names",
        ),
        (
            r#""seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "flags": [
            "SECCOMP_FILTER_FLAG_LOG", "X"]}"#,
            "linux.seccomp.flags[1] X",
        ),
        (
            r#""seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"],
            "action": "SCMP_ACT_LOG", "args": [{"index": 0, "op": "SCMP_CMP_EQ"}]}]}"#,
            "linux.seccomp.syscalls[0].args[0].value",
        ),
        (r#""namespaces2": {"a": 1, "b": 2, "a": 3}"#, "linux.namespaces2.a 1"),
    ] {
        let failure = failure(&with("", &format!("{linux},")));
        assert!(failure.starts_with(&format!("{place}: ")), "{failure}");
    }
    let fifo = r#""devices": [{"type": "p", "path": "/a", "major": -1, "minor": 0}],"#;
    assert_eq!(failure(&with("", fifo)), "");
    let mapped = r#""mounts": [{"destination": "/a", "type": "tmpfs", "options": ["idmap"]}],"#;
    assert_eq!(failure(&with(mapped, "")), "mounts[0]: ids are mapped of bind mounts only");
}
