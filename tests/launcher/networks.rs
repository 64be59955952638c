//! How a container reaches a network: below a network namespace of the test's own, so that the
//! host's stays as it is.

use crate::util::{Ended, Scratch, run, tests};
use std::process::Command;

tests![
    a_cable_into_a_bridge needs Root, Program("ip"), Program("unshare");
    another_address_at_an_interface needs Root, Program("ip"), Program("unshare");
    nothing_is_left_of_it needs Root, Program("ip"), Program("unshare");
    what_cannot_be_is_said needs Root, Program("ip"), Program("unshare");
    without_privilege_it_is_refused needs UserNamespaces;
    the_hosts_network_can_be_kept needs Launch;
    pasta_connects_without_privilege needs Root, Program("pasta"), Program("unshare");
    pasta_that_is_missing_is_named needs Root, Program("pasta"), Program("unshare");
    names_are_looked_up_as_on_the_host needs Root, Program("ip"), Program("unshare");
];

/// Runs a script on a host that has a bridge `br0` with two addresses.
fn on_host(scratch: &Scratch, script: &str) -> Ended {
    let script = format!(
        "ip link set lo up; ip link add br0 type bridge; ip addr add 10.9.0.1/24 dev br0
        ip -6 addr add fd09::1/64 dev br0 nodad; ip link set br0 up; {script}"
    );
    let mut command = Command::new("unshare");
    command.args(["-nm", "bash", "-ec", &script]).env("MC", crate::util::launcher());
    run(command.current_dir(scratch.path("")))
}

fn root() -> Scratch {
    Scratch::new().with_busybox()
}

const CABLE: &str = "--network veth:br0,ip=10.9.0.2/24,gw=10.9.0.1,ip=fd09::2/64,gw=fd09::1";

fn a_cable_into_a_bridge() {
    let scratch = root();
    let inside = "busybox ip -o addr show eth0; busybox ip route; busybox ip -6 route; busybox ping -c1 -W2 10.9.0.1; busybox ping -6 -c1 -W2 fd09::1";
    for options in ["--all", "", "--isolate user"] {
        let seen =
            on_host(&scratch, &format!("$MC {options} {CABLE} /bin/busybox sh -c '{inside}'"))
                .success();
        assert!(seen.contains("inet 10.9.0.2/24") && seen.contains("inet6 fd09::2/64"), "{seen}");
        assert!(seen.contains("default via 10.9.0.1 dev eth0"), "{seen}");
        assert!(seen.contains("default via fd09::1 dev eth0"), "{seen}");
        assert_eq!(seen.matches("1 packets received").count(), 2, "{seen}");
    }
    // Two containers at one bridge reach each other.
    let script = "$MC --network veth:br0,ip=10.9.0.3/24 /bin/busybox sleep 3 & sleep 0.3
        $MC --network veth:br0,ip=10.9.0.4/24 /bin/busybox ping -c1 -W2 10.9.0.3; kill %1";
    assert!(on_host(&scratch, script).output.contains("1 packets received"));
}

fn another_address_at_an_interface() {
    let scratch = root();
    let script = "ip link add v1 type veth peer name v2; ip link set v1 up; ip link set v2 up; ip addr add 10.8.0.1/24 dev v2
        $MC --all --network macvlan:v1,ip=10.8.0.2/24,gw=10.8.0.1 /bin/busybox sh -c 'busybox ip -o addr show eth0; busybox ping -c1 -W2 10.8.0.1'
        ip link add link v1 name probe type ipvlan 2>/dev/null && ip link del probe && echo has ipvlan
        $MC --all --network ipvlan:v1,ip=10.8.0.3/24 /bin/busybox ip -o addr show eth0 || true";
    let ended = on_host(&scratch, script);
    let seen = &ended.output;
    assert!(
        seen.contains("inet 10.8.0.2/24") && seen.contains("1 packets received"),
        "{seen}{}",
        ended.errors
    );
    if seen.contains("has ipvlan") {
        assert!(seen.contains("inet 10.8.0.3/24"), "{seen}{}", ended.errors);
    } else {
        assert!(
            ended.errors.contains("at v1: Operation not supported\nhint: the kernel has no such"),
            "{}",
            ended.errors
        );
    }
}

fn nothing_is_left_of_it() {
    let scratch = root();
    let script = format!(
        "before=$(ip -o link | wc -l); $MC {CABLE} /bin/busybox true; [ $before = $(ip -o link | wc -l) ] && echo same
        $MC {CABLE} /bin/none || true; [ $before = $(ip -o link | wc -l) ] && echo same
        $MC {CABLE} /bin/busybox sleep 30 & sleep 0.3; [ $before = $(ip -o link | wc -l) ] || echo more
        kill -KILL $!; for i in $(seq 50); do [ $before = $(ip -o link | wc -l) ] && break; sleep 0.1; done; [ $i -lt 50 ] && echo same"
    );
    assert_eq!(on_host(&scratch, &script).output, "same\nsame\nmore\nsame\n");
}

fn what_cannot_be_is_said() {
    let scratch = root();
    let fails = |network: &str, words: &[&str]| {
        on_host(&scratch, &format!("$MC --network {network} /bin/busybox true")).fails(125, words);
    };
    fails("macvlan:none0", &["find the host's interface none0: No such device", "ip link lists"]);
    fails("veth:lo,ip=10.0.0.1/8", &["make an interface for the container at lo"]);
    fails(
        "veth:br0,ip=10.9.0.2/24,gw=10.7.0.1",
        &["set the gateway: Network is unreachable", "in the network of an address"],
    );
    fails("veth:br0,gw=10.9.0.1", &["option --network 'veth:br0,gw=10.9.0.1'", "another form"]);
    fails("bridge", &["option --network 'bridge'", "hint: --network MODE"]);
    fails("ns:/none", &["open the namespace /none: No such file"]);
}

fn without_privilege_it_is_refused() {
    let scratch = root().for_ordinary_user();
    run(&mut scratch.ordinary_launcher(["--network", "macvlan:lo", "/bin/busybox", "true"])).fails(
        125,
        &["make an interface for the container at lo: Operation not permitted", "--network pasta"],
    );
}

fn the_hosts_network_can_be_kept() {
    let scratch = root();
    let hosts = std::fs::read_link("/proc/self/ns/net").unwrap();
    let seen =
        scratch.inside(&["--all", "--network", "host"], "busybox readlink /proc/self/ns/net");
    assert_eq!(seen.trim(), hosts.to_str().unwrap());
    let seen = scratch
        .inside(&["--network", "none", "--proc", "/proc"], "busybox readlink /proc/self/ns/net");
    assert_ne!(seen.trim(), hosts.to_str().unwrap());
}

/// On a host with an interface and a route, which pasta copies.
fn pasta_connects_without_privilege() {
    let scratch = root().for_ordinary_user();
    // Root's own, in which root may make mount points as root inside.
    run(Command::new("cp").args(["-r", "rootfs", "rootfs2"]).current_dir(scratch.path("")))
        .success();
    // On a usual host everybody can open /dev/net/tun.
    let script = format!(
        "mknod tun c 10 200; chmod 666 tun; mount --bind tun /dev/net/tun
        ip link add eth7 type veth peer name other; ip addr add 10.6.0.2/24 dev eth7; ip link set eth7 up; ip link set other up; ip route add default via 10.6.0.1
        setpriv --reuid {} --regid {} --clear-groups $MC --all --network pasta /bin/busybox sh -c 'busybox ip -o addr; busybox ip route'
        for options in --all \"--isolate process\"; do $MC -r rootfs2 $options --network pasta /bin/busybox sh -c 'busybox ip -o addr; busybox ip route'; done
        $MC -r rootfs2 --all --network pasta /bin/busybox sleep 1 & sleep 0.6; pasta=$(pgrep -P $! pas); wait; [ ! -e /proc/$pasta ] && echo ended
        $MC -r rootfs2 --all --network pasta /bin/busybox sleep 30 & sleep 0.6; pasta=$(pgrep -P $! pas); kill -KILL $!
        for i in $(seq 40); do grep -q State:.S /proc/$pasta/status || break; sleep 0.1; done; [ $i -lt 40 ] && echo killed $pasta",
        crate::util::ORDINARY, crate::util::ORDINARY
    );
    let ended = on_host(&scratch, &script);
    let seen = &ended.output;
    assert_eq!(seen.matches("inet 10.6.0.2/24").count(), 3, "{seen}{}", ended.errors);
    assert_eq!(seen.matches("default via 10.6.0.1").count(), 3, "{seen}{}", ended.errors);
    let (_, last) = seen.split_once("ended\nkilled ").expect("none is left");
    assert!(last.trim().parse::<u32>().is_ok(), "{seen}{}", ended.errors);
}

/// Without the program, the error names it and the package.
fn pasta_that_is_missing_is_named() {
    let scratch = root();
    let line = "mount -t tmpfs x /usr/local; for f in /usr/bin/pasta*; do mount --bind /dev/null $f; done; $MC --network pasta /bin/busybox true";
    on_host(&scratch, line)
        .fails(125, &["run /usr/bin/pasta: Permission denied", "the package passt"]);
}

fn names_are_looked_up_as_on_the_host() {
    let scratch = root();
    scratch.folder("rootfs/etc");
    let hosts = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let line = format!(
        "$MC --all {CABLE} /bin/busybox sh -c 'busybox cat /etc/resolv.conf; echo x >> /etc/resolv.conf' 2>&1 || true"
    );
    let seen = on_host(&scratch, &line).success();
    if !hosts.is_empty() {
        assert!(seen.starts_with(&hosts) && seen.contains("Read-only file system"), "{seen}");
    }
    // Where there is no place for it, and it cannot be made, there is none.
    scratch.file("other/dev/x", "");
    for name in ["other/proc", "other/sys", "other/bin"] {
        scratch.folder(name);
    }
    crate::util::copy(std::path::Path::new("/bin/busybox"), &scratch.path("other/bin/busybox"));
    crate::util::give_to_ordinary_user(&scratch.path("other"));
    let line = format!("$MC -r other --all {CABLE} /bin/busybox ls /");
    assert_eq!(on_host(&scratch, &line).success(), "bin\ndev\nproc\nsys\n");
    scratch.file("rootfs/etc/resolv.conf", "its own\n");
    let line = format!("$MC --all {CABLE} /bin/busybox cat /etc/resolv.conf");
    assert_eq!(on_host(&scratch, &line).success(), "its own\n");
}
