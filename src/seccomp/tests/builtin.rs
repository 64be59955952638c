//! The built-in profiles, number by number: what is refused is listed here, by what it is good for,
//! and everything else that Linux has had until the profile was written is allowed.

use super::*;

const REFUSED: &str = "
    acct settimeofday clock_settime reboot swapon swapoff syslog sethostname setdomainname vhangup
    quotactl quotactl_fd nfsservctl sysfs ustat _sysctl uselib lookup_dcookie
    create_module get_kernel_syms query_module init_module finit_module delete_module
    kexec_load kexec_file_load iopl ioperm
    mount umount2 pivot_root fsopen fsconfig fsmount fspick open_tree move_mount mount_setattr
    setns unshare open_by_handle_at fanotify_init
    add_key request_key keyctl bpf perf_event_open userfaultfd uprobe
    io_uring_setup io_uring_enter io_uring_register
    kcmp pidfd_getfd process_madvise
    get_mempolicy set_mempolicy set_mempolicy_home_node mbind migrate_pages move_pages
    lsm_get_self_attr lsm_set_self_attr lsm_list_modules
    getpmsg putpmsg afs_syscall tuxcall security vserver";

/// Decided by arguments; with the arguments 0, all of them are allowed.
const DECIDED: [&str; 4] = ["clone", "socket", "ioctl", "personality"];

/// The last call that the profile knows: the next ones do not exist.
const LAST: &str = "removexattrat";

fn is_refused(name: &str) -> bool {
    REFUSED.split_whitespace().any(|refused| refused == name)
}

fn expected(name: Option<&str>, is_newer: bool) -> u32 {
    match name {
        None | Some("clone3") => ENOSYS,
        Some(_) if is_newer => ENOSYS,
        Some(name) if is_refused(name) => EPERM,
        Some(_) => ALLOW,
    }
}

#[test]
fn every_number_of_x86_64() {
    use syscalls::x86_64::Sysno;
    let program = program(&Profile::builtin(&x86_64()));
    let last = Sysno::iter().find(|call| call.name() == LAST).unwrap();
    let mut refused = 0;
    for number in 0..1024 {
        let name = Sysno::new(number as usize).map(|call| call.name());
        let outcome = run(&program, AUDIT_ARCH_X86_64, number, &[]);
        let expected = expected(name, number as i32 > last.id());
        assert_eq!(outcome.answer, expected, "{number} {name:?}");
        refused += usize::from(expected == EPERM);
        let is_decided = name.is_some_and(|name| DECIDED.contains(&name));
        assert!(is_decided || outcome.steps <= 12, "{name:?} takes {}", outcome.steps);
        let x32 = run(&program, AUDIT_ARCH_X86_64, X32_BIT | number, &[]);
        assert_eq!(x32.answer, ENOSYS);
        assert_eq!(run(&program, AUDIT_ARCH_I386, number, &[]).answer, ENOSYS);
    }
    assert_eq!(refused, REFUSED.split_whitespace().count());
    assert_eq!(run(&program, AUDIT_ARCH_X86_64, u32::MAX, &[]).answer, ENOSYS);
    assert!(program.len() < 300, "{}", program.len());
}

#[test]
fn every_number_of_aarch64() {
    use syscalls::aarch64::Sysno;
    let host = host(Architecture::Aarch64, docker_capabilities());
    let program = compile(&Profile::builtin(&host), host.architecture).unwrap();
    let last = Sysno::iter().find(|call| call.name() == LAST).unwrap();
    for number in 0..1024 {
        // The crate has what only 32-bit architectures have there: the calls for 64-bit time.
        let is_there = !(403..424).contains(&number);
        let call = Sysno::new(number as usize).filter(|_| is_there);
        let name = call.map(|call| call.name());
        let outcome = run(&program, AUDIT_ARCH_AARCH64, number, &[]);
        let expected = expected(name, number as i32 > last.id());
        assert_eq!(outcome.answer, expected, "{number} {name:?}");
        let is_decided = name.is_some_and(|name| DECIDED.contains(&name));
        assert!(is_decided || outcome.steps <= 12, "{name:?} takes {}", outcome.steps);
        assert_eq!(run(&program, AUDIT_ARCH_ARM, number, &[]).answer, ENOSYS);
        assert_eq!(run(&program, AUDIT_ARCH_X86_64, number, &[]).answer, ENOSYS);
    }
}

#[test]
fn capabilities_open_what_is_useless_without_them() {
    for (capability, names) in [
        (CapabilitySet::SYS_ADMIN, "mount umount2 setns unshare clone3 bpf fsopen syslog"),
        (CapabilitySet::SYS_PTRACE, "kcmp pidfd_getfd process_madvise"),
        (CapabilitySet::SYS_TIME, "settimeofday clock_settime"),
        (CapabilitySet::SYS_MODULE, "init_module finit_module delete_module"),
        (CapabilitySet::SYS_BOOT, "reboot"),
        (CapabilitySet::SYSLOG, "syslog"),
        (CapabilitySet::SYS_NICE, "mbind get_mempolicy set_mempolicy set_mempolicy_home_node"),
        (CapabilitySet::BPF, "bpf"),
        (CapabilitySet::PERFMON, "perf_event_open"),
        (CapabilitySet::DAC_READ_SEARCH, "open_by_handle_at"),
        (CapabilitySet::SYS_TTY_CONFIG, "vhangup"),
        (CapabilitySet::SYS_PACCT, "acct"),
        (CapabilitySet::SYS_RAWIO, "iopl ioperm"),
        (CapabilitySet::SYS_CHROOT, "chroot"),
    ] {
        let without = docker_capabilities().difference(capability);
        let profile =
            |capabilities| program(&Profile::builtin(&host(Architecture::X86_64, capabilities)));
        let (with, without) = (profile(without | capability), profile(without));
        for name in names.split(' ') {
            assert_eq!(answer(&with, name, &[]), ALLOW, "{name}");
            assert_ne!(answer(&without, name, &[]), ALLOW, "{name}");
        }
    }
    let all = host(Architecture::X86_64, CapabilitySet::all());
    let all = program(&Profile::builtin(&all));
    for name in ["kexec_load", "keyctl", "userfaultfd", "io_uring_setup", "swapon"] {
        assert_eq!(answer(&all, name, &[]), EPERM, "{name}");
    }
}

#[test]
fn tracing_is_allowed_where_it_cannot_get_past_the_filter() {
    let on = |major, minor, capabilities| {
        let host = host(Architecture::X86_64, capabilities);
        let host = Host { kernel: KernelVersion { major, minor }, ..host };
        answer(&program(&Profile::builtin(&host)), "ptrace", &[])
    };
    assert_eq!(on(4, 8, CapabilitySet::empty()), ALLOW);
    assert_eq!(on(4, 7, CapabilitySet::empty()), EPERM);
    assert_eq!(on(4, 7, CapabilitySet::SYS_PTRACE), ALLOW);
}

#[test]
fn no_user_namespace_within() {
    const NEWUSER: u64 = 0x1000_0000;
    for architecture in [Architecture::X86_64, Architecture::Aarch64] {
        let program = compile(&Profile::no_nested_userns(), architecture).unwrap();
        let is_x86 = architecture == Architecture::X86_64;
        let (abi, foreign, clone, unshare, setns) = if is_x86 {
            (AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, 56, 272, 308)
        } else {
            (AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, 220, 97, 268)
        };
        let answer = |number, arguments: &[u64]| run(&program, abi, number, arguments).answer;
        for upper in [0, 0xffff_ffff_0000_0000] {
            for (number, lead) in [(clone, &[][..]), (unshare, &[]), (setns, &[3])] {
                let with = |flags: u64| [lead, &[flags | upper]].concat();
                assert_eq!(answer(number, &with(NEWUSER)), EPERM);
                assert_eq!(answer(number, &with(NEWUSER | 0x2000_0011)), EPERM);
                assert_eq!(answer(number, &with(0x2000_0011)), ALLOW);
            }
        }
        assert_eq!(answer(435, &[]), ENOSYS);
        for number in (0..1024).filter(|number| *number != 435) {
            assert_eq!(answer(number, &[]), ALLOW);
            assert_eq!(run(&program, foreign, number, &[]).answer, ENOSYS);
            let x32 = answer(X32_BIT | number, &[]);
            assert_eq!(x32, if is_x86 { ENOSYS } else { ALLOW });
        }
    }
}
