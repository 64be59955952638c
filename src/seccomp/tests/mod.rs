//! Profiles compiled and run: on a machine of the tests' own, and one on the kernel's.

mod arguments;
mod builtin;
mod json;
mod machine;

use super::{Action, Architecture, Call, Host, KernelVersion, Profile, Rule, compile};
use crate::sys::seccomp::{Flags, Instruction, install};
use linux_raw_sys::ptrace::{AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386, AUDIT_ARCH_X86_64};
use machine::run;
use rustix::io::Errno;
use rustix::thread::CapabilitySet;

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;

const X32_BIT: u32 = 0x4000_0000;
const AUDIT_ARCH_ARM: u32 = 0x4000_0028;

/// What a container of Docker's keeps when nothing is said.
fn docker_capabilities() -> CapabilitySet {
    CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::FSETID
        | CapabilitySet::FOWNER
        | CapabilitySet::MKNOD
        | CapabilitySet::NET_RAW
        | CapabilitySet::SETGID
        | CapabilitySet::SETUID
        | CapabilitySet::SETFCAP
        | CapabilitySet::SETPCAP
        | CapabilitySet::NET_BIND_SERVICE
        | CapabilitySet::SYS_CHROOT
        | CapabilitySet::KILL
        | CapabilitySet::AUDIT_WRITE
}

fn host(architecture: Architecture, capabilities: CapabilitySet) -> Host {
    Host { architecture, kernel: KernelVersion { major: 6, minor: 1 }, capabilities }
}

fn x86_64() -> Host {
    host(Architecture::X86_64, docker_capabilities())
}

fn program(profile: &Profile) -> Vec<Instruction> {
    compile(profile, Architecture::X86_64).unwrap()
}

/// The answer to a 64-bit call on x86-64, by its name.
fn answer(program: &[Instruction], name: &str, arguments: &[u64]) -> u32 {
    let number = syscalls::x86_64::Sysno::iter().find(|call| call.name() == name).unwrap().id();
    run(program, AUDIT_ARCH_X86_64, number as u32, arguments).answer
}

/// A profile with one rule, for the calls named.
fn one_rule(default: Action, names: &[&str], action: Action) -> Profile {
    let calls = names.iter().map(|name| Call::named(name.as_bytes()).unwrap()).collect();
    let mut profile = Profile::new(default);
    profile.rules.push(Rule { calls, action, conditions: Vec::new() });
    profile
}

#[test]
fn each_action_is_the_kernels() {
    for (action, expected) in [
        (Action::Allow, ALLOW),
        (Action::Errno(38), ENOSYS),
        (Action::KillProcess, 0x8000_0000),
        (Action::KillThread, 0),
        (Action::Trap, 0x0003_0000),
        (Action::Log, 0x7ffc_0000),
        (Action::Trace(7), 0x7ff0_0007),
    ] {
        let program = program(&one_rule(Action::REFUSE, &["getpid"], action));
        assert_eq!(answer(&program, "getpid", &[]), expected);
        assert_eq!(answer(&program, "dup", &[]), EPERM);
    }
}

#[test]
fn newer_calls_do_not_exist_where_the_rest_is_refused() {
    let strict = program(&one_rule(Action::KillProcess, &["fspick"], Action::Allow));
    assert_eq!(answer(&strict, "fsmount", &[]), 0x8000_0000);
    assert_eq!(answer(&strict, "fspick", &[]), ALLOW);
    assert_eq!(answer(&strict, "pidfd_open", &[]), ENOSYS);
    let lax = program(&one_rule(Action::Log, &["fspick"], Action::REFUSE));
    assert_eq!(answer(&lax, "pidfd_open", &[]), 0x7ffc_0000);
    assert_eq!(run(&lax, AUDIT_ARCH_X86_64, X32_BIT - 1, &[]).answer, 0x7ffc_0000);
    assert_eq!(run(&lax, AUDIT_ARCH_X86_64, X32_BIT, &[]).answer, ENOSYS);
}

#[test]
fn other_abis_have_their_own_numbers() {
    let mut profile = one_rule(Action::REFUSE, &["ioctl", "getpid", "umount"], Action::Allow);
    (profile.x86, profile.x32) = (true, true);
    let program = program(&profile);
    let allowed = |abi, number| run(&program, abi, number, &[]).answer == ALLOW;
    let numbers = |abi| (0..1024).filter(move |number| allowed(abi, *number)).collect::<Vec<_>>();
    assert_eq!(numbers(AUDIT_ARCH_X86_64), [16, 39]);
    assert_eq!(numbers(AUDIT_ARCH_I386), [20, 22, 54]);
    let x32 = (0..1024).filter(|number| allowed(AUDIT_ARCH_X86_64, X32_BIT | number));
    assert_eq!(x32.collect::<Vec<_>>(), [39, 514]);
    assert!((0..1024).all(|number| !allowed(AUDIT_ARCH_AARCH64, number)));
}

#[test]
fn names_are_found() {
    for call in Call::all() {
        assert_eq!(Call::named(call.name()), Some(call));
    }
    for unknown in ["", "a", "reax", "zzz", "_llsee"] {
        assert_eq!(Call::named(unknown.as_bytes()), None);
    }
}

#[test]
fn versions_are_compared_by_number() {
    let version = |text: &str| KernelVersion::parse(text.as_bytes());
    assert!(version("4.8") < version("4.19.0-amd64"));
    assert!(version("5.4") < version("6.1"));
    assert_eq!(version("6.18rc1"), Some(KernelVersion { major: 6, minor: 18 }));
    assert_eq!([version("six"), version("6"), version("6.x"), version("")], [None; 4]);
}

/// In a thread of its own: a filter cannot be taken back.
fn with_filter<T: Send + 'static>(profile: &Profile, then: fn() -> T) -> T {
    let program = compile(profile, Architecture::NATIVE).unwrap();
    let thread = std::thread::spawn(move || {
        rustix::thread::set_no_new_privs(true).unwrap();
        install(&program, Flags::NONE).unwrap();
        then()
    });
    thread.join().unwrap()
}

#[test]
fn the_kernel_takes_the_programs() {
    let unmount = || rustix::mount::unmount("/nowhere", rustix::mount::UnmountFlags::empty());
    let profile = one_rule(Action::Allow, &["umount2"], Action::Errno(118));
    assert_eq!(with_filter(&profile, unmount), Err(Errno::from_raw_os_error(118)));
    let host = host(Architecture::NATIVE, docker_capabilities());
    let builtin = Profile::builtin(&host);
    assert_eq!(with_filter(&builtin, unmount), Err(Errno::PERM));
    let files = || std::fs::read_dir("/").unwrap().count();
    assert!(with_filter(&builtin, files) > 0);
    assert!(with_filter(&Profile::no_nested_userns(), files) > 0);
    assert_eq!(install(&[], Flags::NONE), Err(Errno::INVAL));
}
