//! Profiles in JSON.

use super::*;
use crate::seccomp::json::parse;

fn read(text: &str) -> Vec<Instruction> {
    program(&parse(text.as_bytes(), &x86_64()).unwrap())
}

/// The message for a profile that cannot be read, without the hint.
fn failure(text: &str) -> String {
    let error = parse(text.as_bytes(), &x86_64()).unwrap_err();
    let message = String::from_utf8(error.render().as_bytes().to_vec()).unwrap();
    let line = message.lines().next().unwrap();
    line.strip_prefix("mini-container: read the seccomp profile, ").unwrap().into()
}

#[test]
fn an_oci_profile() {
    let program = read(
        r#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 13,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "flags": ["SECCOMP_FILTER_FLAG_TSYNC"],
        "syscalls": [
            {"names": ["read", "socketcall", "a_call_to_come"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["write"], "action": "SCMP_ACT_ALLOW", "args": [
                {"index": 0, "value": 2, "op": "SCMP_CMP_LE"},
                {"index": 2, "value": 4096, "op": "SCMP_CMP_LT"}]},
            {"names": ["getpid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [
                {"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["getuid"], "action": "SCMP_ACT_ERRNO"},
            {"names": ["getgid"], "action": "SCMP_ACT_KILL_PROCESS"}]
        }"#,
    );
    let read = answer(&program, "read", &[]);
    assert_eq!([read, answer(&program, "open", &[])], [ALLOW, 0x5_000d]);
    assert_eq!(answer(&program, "write", &[2, 0, 4095]), ALLOW);
    assert_eq!(answer(&program, "write", &[3, 0, 4095]), 0x5_000d);
    assert_eq!(answer(&program, "write", &[2, 0, 4096]), 0x5_000d);
    assert_eq!(answer(&program, "getpid", &[]), 0x5_0005);
    assert_eq!(answer(&program, "getuid", &[]), EPERM);
    assert_eq!(answer(&program, "getgid", &[]), 0x8000_0000);
    assert_eq!(answer(&program, "clone", &[17]), ALLOW);
    assert_eq!(answer(&program, "clone", &[0x1000_0011]), 0x5_000d);
    // 32-bit programs: read, write and socketcall. x32 is not named.
    assert_eq!(run(&program, AUDIT_ARCH_I386, 3, &[]).answer, ALLOW);
    assert_eq!(run(&program, AUDIT_ARCH_I386, 4, &[1, 0, 9]).answer, ALLOW);
    assert_eq!(run(&program, AUDIT_ARCH_I386, 102, &[]).answer, ALLOW);
    assert_eq!(run(&program, AUDIT_ARCH_I386, 5, &[]).answer, 0x5_000d);
    assert_eq!(run(&program, AUDIT_ARCH_X86_64, X32_BIT, &[]).answer, ENOSYS);
}

const DOCKER: &str = r#"{
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
    "archMap": [
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}],
    "syscalls": [
        {"names": ["read", "statx"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["kcmp"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "4.8"}},
        {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
        {"names": ["swapon"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm", "arm64"]}},
        {"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_CHROOT"]}},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["umount2"], "action": "SCMP_ACT_ALLOW",
            "includes": {"caps": ["CAP_SYS_CHROOT", "CAP_OF_THE_FUTURE"]}},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}],
            "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390", "s390x"]}},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38,
            "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["acct"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
        {"name": "dup", "action": "SCMP_ACT_ALLOW", "args": null, "comment": "as it was once"}]
    }"#;

#[test]
fn a_docker_profile() {
    let program = read(DOCKER);
    for name in ["read", "statx", "ptrace", "arch_prctl", "chroot", "clone", "dup"] {
        assert_eq!(answer(&program, name, &[]), ALLOW, "{name}");
    }
    for name in ["kcmp", "swapon", "mount", "umount2", "acct", "open"] {
        assert_eq!(answer(&program, name, &[]), EPERM, "{name}");
    }
    assert_eq!(answer(&program, "clone", &[0x1000_0000]), EPERM);
    assert_eq!(answer(&program, "clone3", &[]), ENOSYS);
    assert_eq!(answer(&program, "close_range", &[]), ENOSYS);
    assert_eq!(run(&program, AUDIT_ARCH_I386, 3, &[]).answer, ALLOW);
    assert_eq!(run(&program, AUDIT_ARCH_X86_64, X32_BIT, &[]).answer, ALLOW);
    assert_eq!(run(&program, AUDIT_ARCH_X86_64, X32_BIT + 521, &[]).answer, ALLOW);
    assert_eq!(run(&program, AUDIT_ARCH_X86_64, X32_BIT | 1, &[]).answer, EPERM);

    let admin = host(Architecture::X86_64, CapabilitySet::SYS_ADMIN);
    let program = super::program(&parse(DOCKER.as_bytes(), &admin).unwrap());
    assert_eq!([answer(&program, "mount", &[]), answer(&program, "chroot", &[])], [ALLOW, EPERM]);
    assert_eq!(answer(&program, "clone", &[]), EPERM);

    let arm = host(Architecture::Aarch64, CapabilitySet::empty());
    let program = compile(&parse(DOCKER.as_bytes(), &arm).unwrap(), arm.architecture).unwrap();
    let answer = |abi, number| run(&program, abi, number, &[]).answer;
    let (read, swapon) = (63, 224);
    assert_eq!([answer(AUDIT_ARCH_AARCH64, read), answer(AUDIT_ARCH_AARCH64, swapon)], [ALLOW; 2]);
    assert_eq!(answer(AUDIT_ARCH_ARM, 3), ENOSYS);
}

#[test]
fn two_conditions_on_one_argument_are_two_rules() {
    let program = read(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["personality"],
        "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"},
        {"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]}"#,
    );
    let answers = [0, 8, 4].map(|value| answer(&program, "personality", &[value]));
    assert_eq!(answers, [ALLOW, ALLOW, EPERM]);
}

#[test]
fn flags_are_kept() {
    let flags = |names: &str| {
        let text = format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "flags": [{names}]}}"#);
        parse(text.as_bytes(), &x86_64()).unwrap().flags
    };
    let both = r#""SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW""#;
    assert_eq!(flags(both), Flags::LOG.and(Flags::SPEC_ALLOW));
    assert_eq!(flags(r#""SECCOMP_FILTER_FLAG_TSYNC""#), Flags::NONE);
}

#[test]
fn failures_name_what_is_wrong() {
    assert_eq!(failure("{\n  nonsense}"), "line 2, column 3: this is not JSON");
    assert_eq!(failure("{}"), "defaultAction: missing");
    assert_eq!(failure(r#"{"defaultAction": 3}"#), "defaultAction 3: not a string");
    for (rule, message) in [
        (r#""action": "SCMP_ACT_DENY""#, "action SCMP_ACT_DENY: no such action"),
        (r#""action": "SCMP_ACT_NOTIFY""#, "action SCMP_ACT_NOTIFY: not supported"),
        (r#""names": ["read"]"#, "action: missing"),
        (r#""names": "read""#, "names read: not a list"),
        (r#""names": [7]"#, "names[0] 7: not a string"),
        (
            r#""action": "SCMP_ACT_ALLOW", "errnoRet": 3"#,
            "action SCMP_ACT_ALLOW: this action takes no errnoRet",
        ),
        (
            r#""action": "SCMP_ACT_ERRNO", "errnoRet": 4096"#,
            "action SCMP_ACT_ERRNO: there is no error of this number",
        ),
        (
            r#""action": "SCMP_ACT_ERRNO", "errnoRet": -1"#,
            "errnoRet -1: not a whole number from 0 on",
        ),
        (r#""includes": {"minKernel": "new"}"#, "minKernel new: not a version of Linux"),
    ] {
        let text =
            format!(r#"{{"defaultAction": "SCMP_ACT_TRAP", "syscalls": [{{}}, {{{rule}}}]}}"#)
                .replace("{},", r#"{"action": "SCMP_ACT_LOG"},"#);
        assert_eq!(failure(&text), format!("syscalls[1].{message}"));
    }
    for (argument, message) in [
        (r#""index": 0, "op": "SCMP_CMP_LIKE""#, "op SCMP_CMP_LIKE: no such operator"),
        (r#""index": 6, "op": "SCMP_CMP_EQ""#, "index 6: too large"),
        (r#""op": "SCMP_CMP_EQ""#, "index: missing"),
        (r#""index": 0"#, "op: missing"),
        (r#""index": 0, "value": 1.5"#, "value 1.5: not a whole number from 0 on"),
    ] {
        let text = format!(
            r#"{{"defaultAction": "SCMP_ACT_TRAP", "syscalls": [{{"names": ["read"],
            "action": "SCMP_ACT_ALLOW", "args": [{{{argument}}}]}}]}}"#
        );
        assert_eq!(failure(&text), format!("syscalls[0].args[0].{message}"));
    }
}
