//! Every isolation, alone and together with all others, as root and as an ordinary user: what is seen
//! inside, what is not, and what is not seen outside.

use crate::util::{Scratch, children_of, run, tests};
use std::fs;
use std::process::{Child, Command, Stdio};

tests![
    the_program_is_process_1_of_its_own needs Launch, UserNamespaces;
    users_are_its_own needs Launch, UserNamespaces;
    message_queues_and_shared_memory_are_its_own needs Launch, UserNamespaces, Program("ipcmk"), Program("ipcs");
    the_network_is_its_own_and_loopback_works needs Launch, UserNamespaces;
    the_host_name_is_its_own needs Launch, UserNamespaces;
    cgroups_begin_at_its_own needs Launch, UserNamespaces;
    clocks_are_its_own needs Launch, UserNamespaces;
    what_is_shared_is_the_hosts needs Root;
    kernel_names_and_lists_are_understood needs Launch, UserNamespaces;
    namespaces_can_be_joined needs Root;
    a_joined_user_namespace_gives_no_more_than_it_has needs Root;
];

fn root() -> Scratch {
    Scratch::new().with_busybox()
}

/// The ways to isolate one thing: alone and in --all, as the caller and as an ordinary user.
fn each_way(kind: &str, more: &[&str], script: &str, check: impl Fn(&str, &str)) {
    for options in [vec!["--isolate", kind], vec!["--all"]] {
        for ordinary in [false, true] {
            let scratch = if ordinary { root().for_ordinary_user() } else { root() };
            let program = ["/bin/busybox", "sh", "-c", script];
            let words = options.iter().chain(more).chain(&program);
            let mut command =
                if ordinary { scratch.ordinary_launcher(words) } else { scratch.launcher(words) };
            let way = format!("{options:?}, {}", if ordinary { "ordinary user" } else { "caller" });
            let ended = run(&mut command);
            assert_eq!(ended.status, 0, "{way}: {}{}", ended.output, ended.errors);
            check(&way, &ended.output);
        }
    }
}

/// The namespace of this kind that the tests are in.
fn hosts(kind: &str) -> String {
    fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_str().unwrap().into()
}

fn the_program_is_process_1_of_its_own() {
    let outside = std::process::id();
    let script = format!(
        "echo $$; echo /proc/[0-9]*; readlink /proc/self/ns/pid; kill -0 {outside} 2>&1; ls /proc/{outside}/exe 2>&1; true"
    );
    each_way("process", &[], &script, |way, output| {
        let lines: Vec<_> = output.lines().collect();
        assert_eq!(lines[0], "1", "{way}");
        assert!(
            lines[1].split(' ').count() <= 2 && lines[1].starts_with("/proc/1"),
            "{way}: {output}"
        );
        assert_ne!(lines[2], hosts("pid"), "{way}");
        assert!(output.contains("No such process"), "{way}: {output}");
    });
    // The other way round, the host sees the container's processes, under numbers of its own.
    let scratch = root();
    let mut child = start(&scratch, &["--isolate", "process"], "sleep 30");
    let inside = children_of(child.id());
    assert_eq!(inside.len(), 1);
    let seen = fs::read_to_string(format!("/proc/{}/status", inside[0])).unwrap();
    let numbers = seen.lines().find(|line| line.starts_with("NSpid:")).unwrap();
    assert!(numbers.ends_with("\t1"), "{numbers}");
    end(&mut child);
}

fn users_are_its_own() {
    let script = "readlink /proc/self/ns/user; id -u; cat /proc/self/uid_map; cat /proc/self/setgroups; touch /made";
    let more = ["--proc", "/proc"];
    each_way("user", &more, script, |way, output| {
        let lines: Vec<_> = output.lines().collect();
        assert_ne!(lines[0], hosts("user"), "{way}");
        assert_eq!(lines[1], "0", "{way}");
        let map: Vec<_> = lines[2].split_whitespace().collect();
        assert_eq!(
            (map[0], map[2]),
            ("0", "1"),
            "{way}: root inside is the caller and nobody else"
        );
        assert_eq!(lines[3], "deny", "{way}");
    });
}

fn message_queues_and_shared_memory_are_its_own() {
    let queue = run(Command::new("ipcmk").args(["-Q", "-p", "0666"])).success();
    let id = queue.rsplit(' ').next().unwrap().trim().to_string();
    let name = format!("mini-container-test-{}", std::process::id());
    fs::write(format!("/dev/shm/{name}"), "").unwrap();
    let script = "readlink /proc/self/ns/ipc; cat /proc/sysvipc/msg | wc -l; ls /dev/shm /dev/mqueue; touch /dev/mqueue/a-queue /dev/shm/a-file && ls /dev/mqueue /dev/shm";
    each_way("ipc", &["--proc", "/proc"], script, |way, output| {
        let lines: Vec<_> = output.lines().collect();
        assert_ne!(lines[0], hosts("ipc"), "{way}");
        assert_eq!(lines[1], "1", "{way}: only the heading; {output}");
        assert!(!output.contains(&name), "{way}: {output}");
        assert!(output.contains("a-queue") && output.contains("a-file"), "{way}: {output}");
        assert!(!std::path::Path::new("/dev/shm/a-file").exists(), "{way}");
    });
    let listed = run(Command::new("ipcs").arg("-q")).success();
    assert!(listed.contains(&id), "the host's own is still there: {listed}");
    run(Command::new("ipcrm").args(["-q", &id])).success();
    fs::remove_file(format!("/dev/shm/{name}")).unwrap();
}

fn the_network_is_its_own_and_loopback_works() {
    let script = "readlink /proc/self/ns/net; busybox ip -o link | wc -l; busybox ip addr show lo; busybox ip route | wc -l
        busybox ping -c 1 -W 2 127.0.0.1
        busybox ip -6 addr show lo";
    each_way("network", &["--proc", "/proc", "--env", "PATH=/bin"], script, |way, output| {
        let lines: Vec<_> = output.lines().collect();
        assert_ne!(lines[0], hosts("net"), "{way}");
        assert_eq!(lines[1], "1", "{way}: loopback alone; {output}");
        assert!(
            output.contains("LOOPBACK,UP") && output.contains("127.0.0.1/8"),
            "{way}: {output}"
        );
        assert!(output.contains("1 packets received"), "{way}: {output}");
        assert!(output.contains("::1/128"), "{way}: {output}");
    });
    assert!(fs::read_to_string("/proc/net/dev").unwrap().contains("lo:"));
}

fn the_host_name_is_its_own() {
    let before = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let more = ["--hostname", "inside", "--domainname", "example", "--proc", "/proc"];
    let script = "busybox hostname; cat /proc/sys/kernel/domainname; readlink /proc/self/ns/uts";
    each_way("hostname", &more, script, |way, output| {
        let lines: Vec<_> = output.lines().collect();
        assert_eq!(lines[..2], ["inside", "example"], "{way}");
        assert_ne!(lines[2], hosts("uts"), "{way}");
    });
    assert_eq!(before, fs::read_to_string("/proc/sys/kernel/hostname").unwrap());
}

fn cgroups_begin_at_its_own() {
    let script = "readlink /proc/self/ns/cgroup; cat /proc/self/cgroup; ls /sys/fs/cgroup/cgroup.procs; cat /proc/self/mountinfo";
    each_way("cgroup", &["--proc", "/proc"], script, |way, output| {
        assert_ne!(output.lines().next().unwrap(), hosts("cgroup"), "{way}");
        for line in output.lines().filter(|line| line.contains("::") || line.contains(":/")) {
            if line.split(':').count() == 3 && !line.contains(' ') {
                assert!(line.ends_with(":/"), "{way}: {line}");
            }
        }
        assert!(output.contains("/sys/fs/cgroup/cgroup.procs"), "{way}: {output}");
        let mount = output.lines().find(|line| line.contains(" /sys/fs/cgroup ")).unwrap();
        assert_eq!(mount.split(' ').nth(3), Some("/"), "{way}: {mount}");
    });
}

fn clocks_are_its_own() {
    let uptime = |text: &str| text.split(['.', ' ']).next().unwrap().parse::<i64>().unwrap();
    let more = ["--time-offset", "boottime=1000000,monotonic=-1.5", "--proc", "/proc"];
    let script = "cat /proc/uptime; cat /proc/self/timens_offsets; readlink /proc/self/ns/time";
    each_way("time", &more, script, |way, output| {
        let lines: Vec<_> = output.lines().collect();
        let outside = uptime(&fs::read_to_string("/proc/uptime").unwrap());
        assert!((uptime(lines[0]) - outside - 1_000_000).abs() < 5, "{way}: {output}");
        let words: Vec<_> = lines[1].split_whitespace().collect();
        assert_eq!(words, ["monotonic", "-2", "500000000"], "{way}");
        assert_ne!(lines[3], hosts("time"), "{way}");
    });
}

fn what_is_shared_is_the_hosts() {
    let scratch = root();
    for (name, kind) in [
        ("process", "pid"),
        ("user", "user"),
        ("ipc", "ipc"),
        ("network", "net"),
        ("hostname", "uts"),
        ("cgroup", "cgroup"),
        ("time", "time"),
    ] {
        for kind_as_typed in [name, kind] {
            let seen = scratch.inside(
                &["--all", "--share", kind_as_typed],
                &format!("busybox readlink /proc/self/ns/{kind}"),
            );
            assert_eq!(seen.trim(), hosts(kind), "{name}");
        }
    }
    let refused =
        run(&mut scratch.launcher(["--all", "--share", "hostname", "--hostname", "x", "sh"]));
    refused.fails(125, &["option --hostname: needs what is shared", "take it out of --share"]);
}

fn kernel_names_and_lists_are_understood() {
    let scratch = root();
    let seen = scratch.inside(
        &["--isolate", "pid,uts", "--isolate", "ipc", "--proc", "/proc"],
        "for kind in pid uts ipc net; do busybox readlink /proc/self/ns/$kind; done",
    );
    let lines: Vec<_> = seen.lines().collect();
    for (line, kind) in lines.iter().zip(["pid", "uts", "ipc"]) {
        assert_ne!(*line, hosts(kind));
    }
    assert_eq!(lines[3], hosts("net"));
    run(&mut scratch.launcher(["--isolate", "pid,ucts", "sh"])).fails(
        125,
        &["option --isolate 'pid,ucts': there is no such isolation", "hint: --isolate LIST"],
    );
}

fn start(scratch: &Scratch, options: &[&str], script: &str) -> Child {
    let program = ["/bin/busybox", "sh", "-c", script];
    let words = options.iter().chain(&program);
    let mut command = scratch.launcher(words);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    for _ in 0..200 {
        let inside = children_of(child.id());
        let is_there = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name.contains("busybox") || name.contains("sleep"))
        };
        if inside.iter().any(is_there) {
            return child;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    end(&mut child);
    panic!("the program did not start");
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn namespaces_can_be_joined() {
    let scratch = root();
    let all = ["--isolate", "process,ipc,network,hostname,cgroup,time", "--hostname", "joined"];
    let mut child = start(&scratch, &all, "sleep 30");
    let inside = children_of(child.id())[0];
    let file = |kind: &str| format!("/proc/{inside}/ns/{kind}");
    for (name, kind) in [
        ("process", "pid"),
        ("ipc", "ipc"),
        ("network", "net"),
        ("hostname", "uts"),
        ("cgroup", "cgroup"),
        ("time", "time"),
    ] {
        let wanted = fs::read_link(file(kind)).unwrap();
        let join = format!("{name}={}", file(kind));
        let script = format!("busybox readlink /proc/self/ns/{kind}");
        let seen =
            scratch.inside(&["--join", &join, "-v", "/proc:/host", "--proc", "/proc"], &script);
        assert_eq!(seen.trim(), wanted.to_str().unwrap(), "{name}");
    }
    // The mounts too: then the root is the other's, and nothing is mounted.
    let join = format!("mnt={}", file("mnt"));
    let pid = format!("pid={}", file("pid"));
    let uts = format!("uts={}", file("uts"));
    let options = ["-r", "/nowhere", "--join", &join, "--join", &pid, "--join", &uts];
    let seen = scratch
        .inside(&options, "busybox hostname; busybox ls -d /proc/1; busybox cat /proc/1/comm");
    assert!(seen.starts_with("joined\n/proc/1\n"), "{seen}");
    let netns = format!("ns:{}", file("net"));
    let seen = scratch
        .inside(&["--network", &netns, "-v", "/proc:/proc"], "busybox readlink /proc/self/ns/net");
    assert_eq!(seen.trim(), fs::read_link(file("net")).unwrap().to_str().unwrap());
    end(&mut child);
    run(&mut scratch.launcher(["--join", "net=/proc/self/ns/uts", "sh"])).fails(
        125,
        &["enter the namespace /proc/self/ns/uts: Invalid argument", "of another kind"],
    );
    run(&mut scratch.launcher(["--join", "net=/nowhere", "sh"]))
        .fails(125, &["open the namespace /nowhere: No such file"]);
}

fn a_joined_user_namespace_gives_no_more_than_it_has() {
    let scratch = root();
    let mut child =
        start(&scratch, &["--isolate", "user,hostname", "--hostname", "owned"], "sleep 30");
    let inside = children_of(child.id())[0];
    let user = format!("user=/proc/{inside}/ns/user");
    let uts = format!("uts=/proc/{inside}/ns/uts");
    let seen = scratch.inside(
        &["--join", &user, "--join", &uts, "-v", "/proc:/proc"],
        "busybox hostname; busybox cat /proc/self/uid_map; busybox readlink /proc/self/ns/user",
    );
    assert!(seen.starts_with("owned\n         0          0          1\n"), "{seen}");
    assert!(!seen.contains(&hosts("user")));
    end(&mut child);
    let words = ["--join", &user, "--isolate", "process", "sh"];
    run(&mut scratch.launcher(words)).fails(125, &["a new process namespace cannot be had"]);
}
