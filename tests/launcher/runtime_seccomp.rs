//! The system call filters of the OCI runtime's containers.

use crate::bundle::{Bundle, line_of, wait_until};
use crate::util::tests;
use serde_json::{Value, json};
use std::os::unix::net::UnixListener;

tests![
    a_call_answers_with_this_error needs Root;
    a_default_that_kills needs Root;
    arguments_are_compared needs Root;
    several_arguments_and_several_rules needs Root;
    a_default_error_lets_new_calls_not_exist needs Root;
    each_action_is_known needs Root;
    a_filter_without_and_with_no_new_privileges needs Root;
    other_architectures_do_not_go_around_it needs Root, Program("cc");
    flags_of_the_filter needs Root;
    a_filter_that_cannot_be_is_refused needs Root;
    an_agent_is_not_asked_about_the_call_that_tells_it needs Root;
    an_agent_answers_calls needs Root, Program("python3");
    an_agent_that_is_not_there needs Root;
];

fn filter(default: &str, rules: &Value) -> Value {
    let architectures = if cfg!(target_arch = "x86_64") {
        json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"])
    } else {
        json!(["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"])
    };
    json!({"defaultAction": default, "architectures": architectures, "syscalls": rules})
}

fn with(rules: &Value) -> Bundle {
    let mut bundle = Bundle::new();
    bundle.set("/linux/seccomp", filter("SCMP_ACT_ALLOW", rules));
    bundle
}

fn a_call_answers_with_this_error() {
    for (number, words) in [(1, "not permitted"), (16, "busy"), (38, "not implemented")] {
        let mut bundle = with(&json!([
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": number},
        ]));
        let seen = bundle.inside(
            "mkdir /made 2>&1; touch /file && echo written; grep Seccomp: /proc/self/status",
        );
        assert!(seen.contains(words), "{number}: {seen}");
        assert!(seen.contains("written") && seen.contains("Seccomp:\t2"), "{seen}");
    }
    // Without a number, it is EPERM.
    let mut bundle = with(&json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]));
    assert!(bundle.inside("mkdir /made 2>&1 || true").contains("not permitted"));
    // As the specification has it, an action that answers with no error takes none.
    bundle.set("/linux/seccomp/defaultErrnoRet", json!(5));
    bundle.create().refused(&["linux.seccomp.defaultAction"]);
}

fn a_default_that_kills() {
    for (action, rest) in [("SCMP_ACT_KILL", 128 + 31), ("SCMP_ACT_KILL_PROCESS", 128 + 31)] {
        let mut bundle = with(&json!([{"names": ["mkdir", "mkdirat"], "action": action}]));
        bundle.runs("sh -c 'mkdir /made'; echo $?");
        assert_eq!(bundle.run().success(), format!("{rest}\n"));
        bundle.set("/linux/seccomp", filter(action, &json!([])));
        let ended = bundle.run();
        assert_ne!(ended.status, 0, "nothing is allowed: {}", ended.output);
        bundle.is_gone();
    }
}

/// Which signal numbers kill(2) refuses for the sake of its second argument.
fn arguments_are_compared() {
    for (operator, value, second, refused) in [
        ("SCMP_CMP_EQ", 10, 0, &[10][..]),
        ("SCMP_CMP_NE", 10, 0, &[0, 1, 9, 12, 15]),
        ("SCMP_CMP_LT", 10, 0, &[0, 1, 9]),
        ("SCMP_CMP_LE", 10, 0, &[0, 1, 9, 10]),
        ("SCMP_CMP_GT", 10, 0, &[12, 15]),
        ("SCMP_CMP_GE", 10, 0, &[10, 12, 15]),
        ("SCMP_CMP_MASKED_EQ", 8, 8, &[9, 10, 12, 15]),
    ] {
        let mut bundle = with(&json!([{
            "names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 16,
            "args": [{"index": 1, "value": value, "valueTwo": second, "op": operator}],
        }]));
        let seen = bundle.inside(
            "for n in 0 1 9 10 12 15; do kill -$n 9999 2>&1 | grep -qi busy && echo $n; done; true",
        );
        let numbers: Vec<i32> = seen.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers, refused, "{operator}");
    }
}

fn several_arguments_and_several_rules() {
    let compared =
        |index: u32, value: u64| json!({"index": index, "value": value, "op": "SCMP_CMP_EQ"});
    // All comparisons of one rule have to hold; of several rules, one.
    let mut bundle = with(&json!([
        {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 16,
         "args": [compared(0, 9999), compared(1, 10)]},
        {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 16, "args": [compared(1, 12)]},
    ]));
    let seen = bundle.inside(
        "for p in 9998 9999; do for n in 9 10 12; do kill -$n $p 2>&1 | grep -qi busy && echo $p $n; done; done; true",
    );
    assert_eq!(seen, "9998 12\n9999 10\n9999 12\n");
}

/// A libc that finds ENOSYS goes another way; one that finds EPERM gives up.
fn a_default_error_lets_new_calls_not_exist() {
    let mut bundle = Bundle::new();
    let source = bundle.scratch.file(
        "call.c",
        "#include <errno.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n\
         int main(int n, char **w) { for (int i = 1; i < n; i++) { errno = 0;\
         long r = syscall(atol(w[i]), -1, 0, 0); printf(\"%d\\n\", r < 0 ? errno : 0); } }",
    );
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-static", "-o"]).arg(bundle.scratch.path("rootfs/call")).arg(source);
    crate::util::run(&mut compiler).success();
    let names = "access arch_prctl brk clone close execve exit exit_group faccessat fcntl fstat futex getcwd getdents64 getegid geteuid getgid getpid getppid getrandom getuid ioctl lseek mmap mprotect munmap newfstatat open openat pipe2 poll prctl prlimit64 read readlink readlinkat rseq rt_sigaction rt_sigprocmask rt_sigreturn set_robust_list set_tid_address setgid setgroups setuid stat statx uname wait4 write writev fchdir chdir capset capget fstatfs openat2 close_range sched_yield sigaltstack tgkill nanosleep madvise epoll_ctl epoll_create1 epoll_pwait gettid sched_getaffinity";
    let names: Vec<&str> = names.split(' ').collect();
    bundle.set(
        "/linux/seccomp",
        filter("SCMP_ACT_ERRNO", &json!([{"names": names, "action": "SCMP_ACT_ALLOW"}])),
    );
    bundle.set("/linux/seccomp/defaultErrnoRet", json!(1));
    // 9999 will not be a call for long; 155 is pivot_root, or getpgid on others.
    bundle.set("/process/args", json!(["/call", "9999", "155"]));
    assert_eq!(bundle.run().success(), "38\n1\n");
}

fn each_action_is_known() {
    for action in [
        "SCMP_ACT_KILL",
        "SCMP_ACT_KILL_PROCESS",
        "SCMP_ACT_KILL_THREAD",
        "SCMP_ACT_TRAP",
        "SCMP_ACT_ERRNO",
        "SCMP_ACT_TRACE",
        "SCMP_ACT_LOG",
        "SCMP_ACT_ALLOW",
    ] {
        // With a default of the same, a rule says nothing: that is no error.
        let mut bundle = with(&json!([{"names": ["swapon"], "action": action}]));
        assert_eq!(bundle.inside("echo here"), "here\n", "{action}");
    }
    let mut bundle = with(&json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_TRAP"}]));
    assert_eq!(bundle.inside("sh -c 'mkdir /made'; echo $?"), "159\n");
    // Nobody traces: the call is not made.
    let mut bundle = with(&json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_TRACE"}]));
    assert!(bundle.inside("mkdir /made 2>&1 || true").contains("not implemented"));
    // A name that this kernel or architecture has no call for is skipped, as with all others.
    let mut bundle = with(&json!([{"names": ["no_such_call"], "action": "SCMP_ACT_ERRNO"}]));
    assert_eq!(bundle.inside("echo here"), "here\n");
}

fn a_filter_without_and_with_no_new_privileges() {
    for is_set in [false, true] {
        for user in [0, 1000] {
            let mut bundle = with(&json!([
                {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO",
                 "errnoRet": 16},
            ]));
            bundle.set("/process/noNewPrivileges", json!(is_set));
            bundle.set("/process/user", json!({"uid": user, "gid": user}));
            let seen = bundle.inside("mkdir /tmp/made 2>&1; cat /proc/self/status");
            assert!(seen.contains("busy"), "{is_set} {user}: {seen}");
            assert_eq!(line_of(&seen, "NoNewPrivs:"), if is_set { "1" } else { "0" });
            assert_eq!(line_of(&seen, "Uid:").split_whitespace().next().unwrap(), user.to_string());
        }
    }
}

/// A program for 32 bits, where the kernel runs such, is held by the same rules.
fn other_architectures_do_not_go_around_it() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    // getpid: 39, and 20 for 32 bits by int 0x80.
    let source = "#include <stdio.h>\nint main(void) { long r; \
        __asm__ volatile(\"int $0x80\" : \"=a\"(r) : \"a\"(39), \"b\"(\"/x\"), \"c\"(0) : \"memory\", \"r8\", \"r9\", \"r10\", \"r11\"); \
        printf(\"%ld\\n\", r); }";
    for (architectures, expected) in
        // There is no such call, where a profile does not name the architecture.
        [
            (json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]), "-16\n"),
            (json!(["SCMP_ARCH_X86_64"]), "-38\n"),
        ]
    {
        let mut bundle = with(&json!([
            {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 16},
        ]));
        bundle.set("/linux/seccomp/architectures", architectures);
        let file = bundle.scratch.file("call.c", source);
        let mut compiler = std::process::Command::new("cc");
        compiler.args(["-static", "-o"]).arg(bundle.scratch.path("rootfs/call")).arg(file);
        crate::util::run(&mut compiler).success();
        bundle.set("/process/args", json!(["/call"]));
        let ended = bundle.run();
        assert_eq!(ended.output, expected, "{}", ended.status);
    }
}

fn flags_of_the_filter() {
    let mut bundle = with(&json!([{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]));
    for flags in
        [json!([]), json!(["SECCOMP_FILTER_FLAG_LOG"]), json!(["SECCOMP_FILTER_FLAG_SPEC_ALLOW"])]
    {
        bundle.set("/linux/seccomp/flags", flags);
        assert_eq!(bundle.inside("echo here"), "here\n");
    }
    bundle.set("/linux/seccomp/flags", json!(["SECCOMP_FILTER_FLAG_NOPE"]));
    bundle.create().refused(&["SECCOMP_FILTER_FLAG_NOPE"]);
    bundle.is_gone();
}

fn a_filter_that_cannot_be_is_refused() {
    for (place, value) in [
        ("/linux/seccomp/defaultAction", json!("SCMP_ACT_NOPE")),
        ("/linux/seccomp/architectures", json!(["SCMP_ARCH_NOPE"])),
        ("/linux/seccomp/syscalls/0/action", json!("nope")),
        ("/linux/seccomp/syscalls/0/names", json!("mkdir")),
        ("/linux/seccomp/syscalls/0/args", json!([{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}])),
        ("/linux/seccomp/syscalls/0/args", json!([{"index": 0, "value": 1, "op": "NOPE"}])),
    ] {
        let mut bundle = with(&json!([{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]));
        bundle.set(place, value);
        bundle.create().refused(&[]);
        bundle.is_gone();
    }
}

/// It would wait for an answer by somebody who was not told yet.
fn an_agent_is_not_asked_about_the_call_that_tells_it() {
    let mut bundle = with(&json!([{"names": ["mkdir", "sendmsg"], "action": "SCMP_ACT_NOTIFY"}]));
    bundle.set("/linux/seccomp/listenerPath", json!(bundle.scratch.path("agent").to_str()));
    let _listener = UnixListener::bind(bundle.scratch.path("agent")).unwrap();
    bundle.create().refused(&["linux.seccomp.syscalls[0].names[1] sendmsg"]);
    bundle.is_gone();
    bundle.set("/linux/seccomp/syscalls/0/action", json!("SCMP_ACT_ALLOW"));
    bundle.set("/linux/seccomp/defaultAction", json!("SCMP_ACT_NOTIFY"));
    bundle.create().refused(&["linux.seccomp.defaultAction SCMP_ACT_NOTIFY"]);
    bundle.is_gone();
}

fn an_agent_answers_calls() {
    let mut bundle = with(&json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]));
    bundle.set("/linux/seccomp/listenerPath", json!(bundle.scratch.path("agent").to_str()));
    bundle.set("/linux/seccomp/listenerMetadata", json!("of \"mine\""));
    let mut helper = bundle.helper("listener.py", &["agent", "18"]);
    wait_until("it listens", || bundle.scratch.path("agent").exists());
    let seen = bundle.inside("mkdir /one 2>&1; mkdir /two && echo made; ls -d /two");
    assert!(seen.to_lowercase().contains("cross-device") && seen.contains("made\n/two"), "{seen}");
    let _ = helper.kill();
    let told = String::from_utf8(helper.wait_with_output().unwrap().stdout).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["descriptors"], 1, "{told}");
    let state = &told["state"];
    assert_eq!(state["fds"], json!(["seccompFd"]));
    assert_eq!(state["metadata"], "of \"mine\"");
    assert_eq!(state["state"]["id"], bundle.id);
    assert!(state["pid"].as_u64().unwrap() > 0 && state["ociVersion"].is_string(), "{state}");
}

fn an_agent_that_is_not_there() {
    let mut bundle = with(&json!([{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]));
    bundle.create().refused(&["listenerPath"]);
    bundle.is_gone();
    bundle.set("/linux/seccomp/listenerPath", json!("/nowhere/agent"));
    let ended = bundle.run();
    ended.refused(&["no such file"]);
    bundle.is_gone();
}
