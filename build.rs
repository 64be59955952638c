//! The texts that are seldom read, the numbers of system calls, and the link arguments of the binary, and of
//! the binary alone: a static, position-independent program with its own `_start`, for this
//! machine's architecture or for the other one.

#[path = "build/rare.rs"]
mod rare;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// No C start files, no C library, no interpreter; relocations packed to a bit each; no pages apart
/// for what could be made read-only after relocation, since nobody does that before `main`.
const STATIC_PROGRAM: [&str; 7] = [
    "-nostartfiles",
    "-nostdlib",
    "-static-pie",
    "-Wl,-z,pack-relative-relocs",
    "-Wl,-z,noexecstack",
    "-Wl,-z,norelro",
    "-Wl,--build-id=none",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    rare::write(Path::new(&variable("OUT_DIR")), &[("errno texts", errno_texts())]);
    write_system_calls();
    let host = variable("HOST");
    let target = variable("TARGET");
    let is_cross = architecture(&host) != architecture(&target);
    let mut arguments: Vec<String> = STATIC_PROGRAM.map(String::from).to_vec();
    if variable("PROFILE") == "release" {
        arguments.extend(without_unwinding());
    }
    let lld = lld_folder(&host);
    if let Some(folder) = &lld {
        arguments.push(format!("-B{}", folder.display()));
        // Constants and code in one segment: one page less in memory.
        arguments.push("-Wl,--no-rosegment".into());
        // Functions that are alike, and strings that are the end of another one, once.
        arguments.extend(["-Wl,--icf=all".into(), "-Wl,-O2".into()]);
    }
    if lld.is_some() || is_cross {
        // In a cross build without a toolchain's lld, cc looks for ld.lld in PATH.
        arguments.push("-fuse-ld=lld".into());
    }
    if is_cross {
        arguments.push(format!("-Wl,-m,{}", emulation(architecture(&target))));
    }
    arguments.push(format!("-L{}", write_empty_libraries().display()));
    for argument in arguments {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}

/// On aarch64, a crate that asks which instructions the processor has brings the names of the C library's
/// parts along for the linker. What it calls of them is in `src/start`; the libraries are empty.
fn write_empty_libraries() -> PathBuf {
    let folder = Path::new(&variable("OUT_DIR")).join("empty");
    std::fs::create_dir_all(&folder).expect("OUT_DIR can be written to");
    for name in ["c", "m", "rt", "pthread", "dl", "util"] {
        let path = folder.join(format!("lib{name}.a"));
        std::fs::write(path, "!<arch>\n").expect("OUT_DIR can be written to");
    }
    folder
}

/// The texts of the kernel's errors, a line each, from number 0 on. Those that only sockets, STREAMS
/// and sound know are left empty; what a file system on the network passes on is there.
fn errno_texts() -> String {
    const ERRNO_MAX: i32 = 131;
    let can_come = |number| matches!(number, 1..=40 | 61 | 71 | 75 | 80 | 87 | 93 | 95 | 97..=101 | 105 | 107 | 110..=113 | 116 | 117 | 121 | 122 | 126..=131);
    let text = |number| match number {
        // As strerror(3) has them, where the kernel's header says something that nobody knows.
        9 => "Bad file descriptor",
        11 => "Resource temporarily unavailable",
        38 => "Function not implemented",
        95 => "Operation not supported",
        _ if !can_come(number) => "",
        _ => syscalls::Errno::new(number).description().unwrap_or_default(),
    };
    let texts: Vec<&str> = (0..=ERRNO_MAX).map(text).collect();
    texts.join("\n")
}

/// In which order the numbers of a call stand.
const ABIS: usize = 3;
const X86_64: usize = 0;
const X86: usize = 1;
const AARCH64: usize = 2;

/// Stands where an architecture does not have the call.
const ABSENT: u16 = u16::MAX;

/// Calls that x32 has a number of its own for, from 512 on; the others are those of x86-64.
const X32_CALLS: &str = "rt_sigaction rt_sigreturn ioctl readv writev recvfrom sendmsg recvmsg \
    execve ptrace rt_sigpending rt_sigtimedwait rt_sigqueueinfo sigaltstack timer_create mq_notify \
    kexec_load waitid set_robust_list get_robust_list vmsplice move_pages preadv pwritev \
    rt_tgsigqueueinfo recvmmsg sendmmsg process_vm_readv process_vm_writev setsockopt getsockopt \
    io_setup io_submit execveat preadv2 pwritev2";

/// Calls that are younger than the tables of the crate; from 470 on, everywhere.
const NEW_CALLS: &str = "listns rseq_slice_yield";

/// A call's number in each ABI.
type Calls = BTreeMap<&'static str, [u16; ABIS]>;

fn system_calls() -> Calls {
    let mut calls = Calls::new();
    let mut add = |name, abi: usize, number: i32| {
        let number = u16::try_from(number).expect("numbers of system calls are small");
        calls.entry(name).or_insert([ABSENT; ABIS])[abi] = number;
    };
    for number in 0..470 {
        if let Some(call) = syscalls::x86_64::Sysno::new(number) {
            add(call.name(), X86_64, call.id());
        }
        if let Some(call) = syscalls::x86::Sysno::new(number) {
            add(call.name().trim_start_matches("r#"), X86, call.id());
        }
        // Where time always had 64 bits, there are no second calls for it: the crate has them.
        let call = syscalls::aarch64::Sysno::new(number);
        if let Some(call) = call.filter(|_| !(403..424).contains(&number)) {
            // Profiles have the name of x86-64 for it.
            let name = if call.name() == "fstatat" { "newfstatat" } else { call.name() };
            add(name, AARCH64, call.id());
        }
    }
    for (number, name) in (470..).zip(NEW_CALLS.split_whitespace()) {
        (0..ABIS).for_each(|abi| add(name, abi, number));
    }
    calls
}

/// The names of system calls, sorted, in one text; where each ends in it; their numbers; and the
/// default seccomp profile's calls by the capability that they ask for.
fn write_system_calls() {
    const ALLOWED: &str = "src/seccomp/allowed.txt";
    println!("cargo:rerun-if-changed={ALLOWED}");
    let calls = system_calls();
    let names: Vec<&str> = calls.keys().copied().collect();
    let (count, text) = (names.len(), names.concat());
    let end = |place| names[..=place].concat().len();
    let ends: Vec<usize> = (0..count).map(end).collect();
    let numbers = |abi: usize| calls.values().map(|of| of[abi]).collect::<Vec<u16>>();
    let numbers: Vec<Vec<u16>> = (0..ABIS).map(numbers).collect();
    let place = |name: &str| names.binary_search(&name).expect("x86-64 has those of x32");
    let x32_own: Vec<usize> = X32_CALLS.split_whitespace().map(place).collect();
    let known = numbers.iter().flatten().filter(|number| **number != ABSENT);
    let beyond = known.max().map_or(0, |most| usize::from(*most)).max(511 + x32_own.len()) + 1;

    let allowed = std::fs::read_to_string(ALLOWED).expect("the default profile is there");
    let mut groups = String::new();
    for paragraph in allowed.split("\n\n").filter(|text| !text.starts_with('#')) {
        let mut words = paragraph.split_whitespace();
        let capability = match words.next() {
            Some("always") => "empty()",
            Some(name) => name,
            None => continue,
        };
        let call = |name: &str| {
            let place = names.binary_search(&name).ok();
            let place = place.unwrap_or_else(|| panic!("{ALLOWED}: {name} is no system call"));
            format!("Call({place}),")
        };
        let members: String = words.map(call).collect();
        writeln!(groups, "(CapabilitySet::{capability}, &[{members}]),").expect("it is a String");
    }
    // A machine needs no numbers of another one, but the tests do.
    let machines = ["x86_64", "x86_64", "aarch64"];
    let mut tables = String::new();
    for ((name, machine), numbers) in
        ["X86_64", "X86", "AARCH64"].iter().zip(machines).zip(&numbers)
    {
        let has = format!("#[cfg(any(test, target_arch = \"{machine}\"))]");
        let has_not = format!("#[cfg(not(any(test, target_arch = \"{machine}\")))]");
        writeln!(tables, "{has} static {name}: &[u16] = &{numbers:?};").expect("it is a String");
        writeln!(tables, "{has_not} static {name}: &[u16] = &[];").expect("it is a String");
    }
    let code = format!(
        "pub const NAMES: &str = {text:?};\n\
         pub static ENDS: [u16; {count}] = {ends:?};\n\
         {tables}\
         /// Calls that x32 has numbers of its own for, from 512 on.\n\
         static X32_OWN: [u16; {}] = {x32_own:?};\n\
         pub const NUMBERS_END: usize = {beyond};\n\
         pub static GROUPS: &[(CapabilitySet, &[Call])] = &[{groups}];\n",
        x32_own.len()
    );
    let path = Path::new(&variable("OUT_DIR")).join("system_calls.rs");
    std::fs::write(path, code).expect("OUT_DIR can be written to");
}

/// Leaves the tables for unwinding out, which only a debugger would read.
fn without_unwinding() -> [String; 2] {
    let script = Path::new(&variable("CARGO_MANIFEST_DIR")).join("src/start/sections.ld");
    println!("cargo:rerun-if-changed={}", script.display());
    [format!("-Wl,-T,{}", script.display()), "-Wl,--no-eh-frame-hdr".into()]
}

/// What lld calls an architecture. The host's `cc` only passes the link on, and it says the host's;
/// the last word counts.
fn emulation(architecture: &str) -> &'static str {
    match architecture {
        "aarch64" => "aarch64linux",
        "x86_64" => "elf_x86_64",
        other => panic!("mini-container has no program start for {other}"),
    }
}

/// The folder with `ld.lld` that rustup's toolchains bring: beside the compiler, or, when RUSTC
/// names a compiler from elsewhere, beside cargo.
fn lld_folder(host: &str) -> Option<PathBuf> {
    ["RUSTC", "CARGO"]
        .iter()
        .filter_map(|tool| sysroot(&variable(tool)))
        .map(|sysroot| sysroot.join("lib/rustlib").join(host).join("bin/gcc-ld"))
        .find(|folder| folder.join("ld.lld").exists())
}

/// The toolchain that a program belongs to: the folder above its `bin`, asked of the compiler
/// itself where it is one, since `rustc` may be rustup's proxy.
fn sysroot(tool: &str) -> Option<PathBuf> {
    let answer = std::process::Command::new(tool).args(["--print", "sysroot"]).output();
    match answer {
        Ok(output) if output.status.success() => {
            Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
        }
        _ => Some(Path::new(tool).parent()?.parent()?.to_path_buf()),
    }
}

fn architecture(triple: &str) -> &str {
    triple.split('-').next().unwrap_or(triple)
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}
