//! What is timed, built anew in a folder of its own.

use mini_container::container::DEFAULT_CAPABILITIES;
use mini_container::seccomp::{Architecture, Host, KernelVersion, Profile, compile};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const LAUNCHER: &str = env!("CARGO_BIN_EXE_mini-container");

/// A folder with a root that has one program; gone with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let folder =
            Self(PathBuf::from(format!("/tmp/mini-container-bench-{}", std::process::id())));
        for place in ["proc", "sys", "dev"] {
            fs::create_dir_all(folder.0.join("rootfs").join(place)).unwrap();
        }
        fs::write(folder.0.join("true.c"), "int main(void) { return 0; }\n").unwrap();
        folder.compile(&folder.0.join("true.c"), "rootfs/true", &["-static"]);
        fs::write(folder.0.join("filter.h"), filter()).unwrap();
        folder
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn root(&self) -> String {
        self.name("rootfs")
    }

    pub fn program(&self) -> String {
        self.name("rootfs/true")
    }

    /// The program that makes the launcher's calls and nothing else.
    pub fn floor(&self, name: &str) -> String {
        let options = [
            "-static",
            "-nostdlib",
            "-ffreestanding",
            "-fno-stack-protector",
            "-I",
            self.0.to_str().unwrap(),
        ];
        self.compile(&source(&format!("{name}.c")), name, &options)
    }

    /// The tutorial's program.
    pub fn tutorial(&self, options: &[&str]) -> String {
        self.compile(&source("tutorial.c"), &format!("tutorial{}", options.concat()), options)
    }

    fn compile(&self, source: &Path, name: &str, options: &[&str]) -> String {
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-o"]).arg(self.0.join(name)).args(options).arg(source);
        assert!(compiler.status().expect("cc").success(), "cc {}", source.display());
        self.name(name)
    }

    fn name(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/launch").join(name)
}

/// The filter of `--all` as C initialisers.
fn filter() -> String {
    let release = fs::read("/proc/sys/kernel/osrelease").unwrap();
    let profile = Profile::builtin(&Host {
        architecture: Architecture::NATIVE,
        kernel: KernelVersion::parse(release.trim_ascii()).unwrap_or_default(),
        capabilities: DEFAULT_CAPABILITIES,
    });
    let program = compile(&profile, Architecture::NATIVE).ok().expect("it compiles");
    program.iter().fold(String::new(), |mut text, step| {
        writeln!(text, "{{{}, {}, {}, {}}},", step.code, step.jt, step.jf, step.k).unwrap();
        text
    })
}
