//! The texts of errors, and the link arguments of the binary, and of the binary alone: a static,
//! position-independent program with its own `_start`, for this machine's architecture or for the
//! other one.

use std::env;
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
    write_errno_texts();
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
    }
    if lld.is_some() || is_cross {
        // In a cross build without a toolchain's lld, cc looks for ld.lld in PATH.
        arguments.push("-fuse-ld=lld".into());
    }
    if is_cross {
        arguments.push(format!("-Wl,-m,{}", emulation(architecture(&target))));
    }
    for argument in arguments {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}

/// The texts of the kernel's errors, a line each, from number 0 on. Those that only sockets, STREAMS
/// and sound know are left empty; what a file system on the network passes on is there.
fn write_errno_texts() {
    const ERRNO_MAX: i32 = 131;
    let can_come = |number| matches!(number, 1..=40 | 61 | 71 | 75 | 80 | 87 | 95 | 107 | 110..=113 | 116 | 117 | 121 | 122 | 126..=131);
    let text = |number| match number {
        // As strerror(3) has them, where the kernel's header says something that nobody knows.
        9 => "Bad file descriptor",
        11 => "Resource temporarily unavailable",
        38 => "Function not implemented",
        _ if !can_come(number) => "",
        _ => syscalls::Errno::new(number).description().unwrap_or_default(),
    };
    let texts: Vec<&str> = (0..=ERRNO_MAX).map(text).collect();
    let path = Path::new(&variable("OUT_DIR")).join("errno_texts");
    std::fs::write(path, texts.join("\n")).expect("OUT_DIR can be written to");
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
