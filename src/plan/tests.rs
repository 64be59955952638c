//! Plans and their explanation, without a kernel.

use super::*;
use crate::cli::{Request, parse};

/// The plan for a command line, typed by `caller` with PATH=/bin:/opt in the environment.
fn plan<'a>(words: &'a [&'a CStr], caller: Caller) -> Plan<'a> {
    match parse(words, &[c"PATH=/bin:/opt"]) {
        Ok(Request::Container(container, _)) => Plan::new(&container, caller),
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

const ORDINARY: Caller = Caller::Ordinary { user: 1000, group: 100 };

#[test]
fn a_program_alone_is_the_tutorials_program() {
    assert_eq!(
        steps(&[c"/bin/bash"], Caller::Privileged),
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
        steps(&words, Caller::Privileged),
        [
            "make all mounts private: none made here shows on the host",
            "make rootfs a mount of its own, as pivot_root asks; read-only below it",
            "show /src as /a, read-only",
            "an empty directory in memory at /a/b/c",
            "make the root read-only, now that its mount points are there",
            "make it /, and detach the old root: no name leads to the host",
            "close descriptors from 5 on: none leads to the host",
            "start in /work",
            "become user 7, group 8, without supplementary groups",
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
    assert!(!plan(&words, Caller::Privileged).namespaces.contains(Namespaces::USER));
    assert!(plan(&words, Caller::Privileged).namespaces.contains(Namespaces::MOUNT));
}

#[test]
fn a_program_without_a_slash_is_looked_for_in_the_containers_path() {
    let candidates = |words: &[&CStr]| {
        let plan = plan(words, Caller::Privileged);
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
    assert!(text.contains("clone(VM|VFORK|NEWNS|NEWUSER)"));
}
