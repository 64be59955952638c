//! Plans and their explanation, without a kernel.

use super::*;
use crate::cli::{Request, parse};
use crate::container::{Hooks, Mount, Mounted};
use crate::error::Object;
use crate::kernel::entry::Entry;
use crate::kernel::mounts::Access;
use crate::sys::mounts::Reach;
use core::ffi::CStr;
use rustix::mount::{MountAttrFlags, MountPropagationFlags};

/// The plan for a command line, typed by `caller` with PATH=/bin:/opt in the environment.
fn plan<'a>(words: &'a [&'a CStr], caller: Caller) -> Plan<'a> {
    match parse(words, &[c"PATH=/bin:/opt"]) {
        Ok(Request::Container(container, _)) => {
            Plan::new(Box::leak(Box::new(container)), caller, &[])
        }
        _ => panic!("{words:?} is a container"),
    }
}

/// The explanation without the parts that are the same for all plans.
fn steps(words: &[&CStr], caller: Caller) -> Vec<String> {
    let text = plan(words, caller).explain();
    let text = std::str::from_utf8(text.as_bytes()).unwrap();
    let (_, child) = text.split_once("the child\n").unwrap();
    let (child, _) = child.split_once("the launcher\n").unwrap();
    child.lines().map(|line| line[52..].to_string()).collect()
}

const ROOT: Caller = Caller { privileged: true, user: 0, group: 0, kernel: (6, 2) };
const ORDINARY: Caller = Caller { privileged: false, user: 1000, group: 100, kernel: (6, 2) };

#[test]
fn a_program_alone_is_the_tutorials_program() {
    assert_eq!(
        steps(&[c"/bin/bash"], ROOT),
        [
            "make all mounts private: none made here shows on the host",
            "make rootfs a mount of its own, as pivot_root asks",
            "make it /, and detach the old root: no name leads to the host",
            "close descriptors from 3 on: none leads to the host",
            "be killed when the launcher dies",
            "unblock signals, become /bin/bash",
        ]
    );
}

#[test]
fn the_order_is_the_one_that_is_safe() {
    let words = [
        c"--read-only",
        c"--tmpfs=/a/b/c",
        c"-v/src:/a:ro",
        c"--preserve-fds=2",
        c"-w/work",
        c"-u7:8",
        c"sh",
    ];
    assert_eq!(
        steps(&words, ROOT),
        [
            "make all mounts private: none made here shows on the host",
            "make rootfs a mount of its own, as pivot_root asks; read-only below it",
            "show /src as /a, read-only",
            "an empty directory in memory at /a/b/c",
            "make the root read-only, now that its mount points are there",
            "make it /, and detach the old root: no name leads to the host",
            "close descriptors from 5 on: none leads to the host",
            "start in /work",
            "without supplementary groups",
            "become user 7, group 8",
            "be killed when the launcher dies",
            "unblock signals, become sh from the PATH",
        ]
    );
}

#[test]
fn without_privilege_the_caller_is_mapped_and_not_switched() {
    let first = |words: &[&CStr]| steps(words, ORDINARY)[0].clone();
    let map = "map ids (inside, outside, count): users 0 1000 1, groups 0 100 1";
    assert_eq!(first(&[c"/bin/sh"]), map);
    let map = "map ids (inside, outside, count): users 7 1000 1, groups 8 100 1";
    assert_eq!(first(&[c"-u7:8", c"/bin/sh"]), map);
    assert!(
        !steps(&[c"-u7:8", c"/bin/sh"], ORDINARY).iter().any(|step| step.contains("become user"))
    );
}

#[test]
fn only_an_ordinary_caller_gets_a_user_namespace() {
    let words = [c"/bin/sh"];
    assert!(plan(&words, ORDINARY).namespaces.contains(Namespaces::USER));
    assert!(!plan(&words, ROOT).namespaces.contains(Namespaces::USER));
    assert!(plan(&words, ROOT).namespaces.contains(Namespaces::MOUNT));
}

#[test]
fn a_program_without_a_slash_is_looked_for_in_the_containers_path() {
    let candidates = |words: &[&CStr]| {
        let plan = plan(words, ROOT);
        plan.command
            .candidates
            .iter()
            .map(|path| path.to_str().unwrap().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(candidates(&[c"ls"]), ["/bin/ls", "/opt/ls"]);
    assert_eq!(candidates(&[c"-ePATH=:/x", c"ls"]), ["./ls", "/x/ls"]);
    assert_eq!(candidates(&[c"--clear-env", c"ls"]).len(), 6, "Docker's default");
    assert_eq!(candidates(&[c"./ls"]), ["./ls"]);
}

#[test]
fn all_is_every_isolation_and_every_protection() {
    let steps = steps(&[c"--all", c"-t", c"sh"], ROOT);
    let place = |words: &str| {
        let found = steps.iter().position(|step| step.contains(words));
        found.unwrap_or_else(|| panic!("no {words} in {steps:#?}"))
    };
    let order = [
        "map ids",
        "clocks of its own",
        "nobody may trace",
        "make all mounts private",
        "a proc of its own at /proc",
        "a sysfs of its own at /sys",
        "a small /dev: the host's devices",
        "a cgroup2 of its own at /sys/fs/cgroup",
        "hide, where it is there: /proc/acpi",
        "make read-only: /proc/bus",
        "a terminal in its own /dev/pts",
        "make it /, and detach",
        "close descriptors",
        "more than these capabilities: chown dac_override",
        "give the other capabilities up",
        "no setuid program",
        "be killed when the launcher dies",
    ];
    let places: Vec<_> = order.map(place).into();
    assert!(places.is_sorted(), "{steps:#?}");
    assert!(
        !plan(&[c"--all", c"--share=process", c"sh"], ROOT).namespaces.contains(Namespaces::PID)
    );
}

#[test]
fn what_is_shown_in_a_user_namespace_depends_on_what_is_its_own() {
    let has = |words: &[&CStr], wanted: &str| {
        steps(words, ORDINARY).iter().any(|step| step.contains(wanted))
    };
    assert!(has(&[c"--all", c"sh"], "a sysfs of its own"));
    assert!(has(&[c"--all", c"--share=network", c"sh"], "show /sys as /sys, read-only"));
    assert!(has(&[c"--all", c"--share=process", c"sh"], "show /proc as /proc"));
    assert!(steps(&[c"--dev=/dev", c"sh"], ROOT).iter().any(|step| step.contains("new devices")));
}

#[test]
fn the_fast_way_is_taken_unless_the_launcher_is_needed() {
    let shares = |words: &[&CStr]| plan(words, ROOT).shares_memory();
    assert!(shares(&[c"--all", c"-t", c"sh"]));
    assert!(!shares(&[c"--all", c"--init", c"sh"]));
    assert!(!shares(&[c"--map-users=0:1:2", c"sh"]));
    assert!(!shares(&[c"--join=time=/x", c"sh"]));
    let older = Caller { kernel: (6, 1), ..ROOT };
    assert!(plan(&[c"--isolate=process", c"sh"], older).shares_memory());
    assert!(!plan(&[c"--isolate=time", c"sh"], older).shares_memory());
}

#[test]
fn an_older_kernel_has_to_be_told_to_change_clocks() {
    let older = Caller { kernel: (6, 1), ..ROOT };
    let both = ["clocks of its own", "enter them, as before Linux 6.2 no exec does"];
    assert_eq!(steps(&[c"--isolate=time", c"sh"], older)[..2], both);
    assert_eq!(
        steps(&[c"--isolate=time", c"sh"], ROOT)[1],
        "nobody may trace this process or look into it"
    );
}

#[test]
fn every_line_of_an_explanation_names_its_system_calls() {
    let words = [c"--read-only", c"--tmpfs=/t", c"-v/s:/s", c"-w/w", c"/bin/sh"];
    let text = plan(&words, ORDINARY).explain();
    let text = std::str::from_utf8(text.as_bytes()).unwrap();
    let numbered: Vec<_> = text.lines().filter(|line| !line.starts_with("the ")).collect();
    for (index, line) in numbered.iter().enumerate() {
        assert!(line[..2].trim() == (index + 1).to_string(), "{line}");
        assert!(line[4..5].starts_with(|first: char| first.is_ascii_lowercase()), "{line}");
        assert_eq!(&line[50..52], "  ", "{line}");
    }
    assert!(text.contains("clone(VM|VFORK|NEWNS|NEWUSER)  "));
}

/// An entry as a configuration describes it, of a file system of its own.
fn entry(target: &'static CStr, kind: &'static CStr) -> (Mount<'static>, Entry<'static>) {
    let none = MountAttrFlags::empty();
    let entry = Entry {
        source: kind,
        kind,
        bind: None,
        set: none,
        clear: none,
        set_all: none,
        clear_all: none,
        propagation: None,
        settings: c"",
        copies_up: false,
        id_map: None,
    };
    (Mount { target, what: Mounted::Entry(entry) }, entry)
}

/// The plan for a container of an OCI configuration with these mounts.
fn described(mounts: Vec<Mount<'static>>, words: &'static [&'static CStr]) -> Plan<'static> {
    match parse(words, &[]) {
        Ok(Request::Container(container, _)) => {
            let container = Box::leak(Box::new(container));
            container.mounts = mounts;
            container.root.access = Access::ReadOnly;
            container.security.read_only = vec![c"/proc/sys"];
            Plan::for_runtime(container, ROOT, &[], &Hooks::default())
        }
        _ => panic!("{words:?} is a container"),
    }
}

fn order(plan: &Plan<'_>) -> Vec<String> {
    let name = |step: &Step<'_>| {
        let words = match step {
            Step::TakeEntry(..) => "take",
            Step::MakeMountsPrivate { sees_new_mounts: false } => "private",
            Step::MakeMountsPrivate { sees_new_mounts: true } => "slave",
            Step::PrepareRoot { .. } => "root",
            Step::Mount(_) => "mount",
            Step::MountUnprotected(..) => "mount writable",
            Step::MountTaken(..) => "mount taken",
            Step::MakeNode(_) => "node",
            Step::MakeDefaultNodes(_) => "nodes",
            Step::OpenTerminal(Some(_)) => "console",
            Step::GiveStreams(_) => "streams",
            Step::ProtectMount(..) => "protect mount",
            Step::Protect(_) => "protect",
            Step::ProtectRoot => "protect root",
            Step::EnterRoot => "enter",
            Step::SetPropagation(_) => "propagate",
            _ => return None,
        };
        let target = step.name(Object::Target).to_str().unwrap();
        Some(format!("{words} {target}").trim_end().to_string())
    };
    plan.steps.iter().filter_map(name).collect()
}

#[test]
fn the_mounts_of_a_configuration_come_in_its_order_and_are_filled_before_they_are_read_only() {
    let read_only = |(mount, entry): (Mount<'static>, Entry<'static>)| Mount {
        what: Mounted::Entry(Entry { set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..entry }),
        ..mount
    };
    let mounts = vec![
        entry(c"/z/proc", c"proc").0,
        read_only(entry(c"/dev", c"tmpfs")),
        read_only(entry(c"/sys", c"sysfs")),
        entry(c"/dev/pts", c"devpts").0,
    ];
    assert_eq!(
        order(&described(mounts, &[c"sh"])),
        [
            "private",
            "root rootfs",
            "mount /z/proc",
            "mount writable /dev",
            "mount /sys",
            "mount /dev/pts",
            "nodes /dev",
            "streams",
            "protect mount /dev",
            "protect",
            "protect root",
            "enter",
        ]
    );
}

#[test]
fn what_a_configuration_binds_is_taken_where_it_is_reached_and_shared() {
    let bound = |target, propagation: Option<MountPropagationFlags>| {
        let (mount, entry) = entry(target, c"none");
        let propagation = propagation.map(|kind| (kind, Reach::Tree));
        let bind = Some(Reach::Tree);
        Mount { what: Mounted::Entry(Entry { bind, propagation, ..entry }), ..mount }
    };
    let mounts = || {
        vec![
            bound(c"/dev", None),
            bound(c"/a", Some(MountPropagationFlags::PRIVATE)),
            bound(c"/b", Some(MountPropagationFlags::DOWNSTREAM)),
        ]
    };
    let plan = described(mounts(), &[c"sh"]);
    let host = order(&plan);
    assert_eq!(host[0], "take /b");
    assert!(host.contains(&"mount taken /b".into()) && host.contains(&"mount /a".into()));
    assert!(!host.contains(&"nodes /dev".into()), "the host's /dev stays as it is");
    let alone = plan.steps.iter().any(|step| {
        matches!(step, Step::Mount(Mount { what: Mounted::Entry(entry), target })
            if *target == c"/a" && entry.propagation.is_none())
    });
    assert!(alone, "it is private anyway");
    // The container's root may not go where the host's may.
    let plan = described(mounts(), &[c"--map-users=0:1:2", c"--isolate=user", c"sh"]);
    let taken = order(&plan).iter().filter(|step| step.starts_with("mount taken")).count();
    assert_eq!((taken, plan.preparations.len(), plan.taken), (3, 3, 3));
}
