//! What the tests share: needs, scratch directories, roots, and runs of the launcher.

use libtest_mimic::{Completion, Trial};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// One test: its name, what it needs of the machine, and what it does.
pub struct Test {
    pub name: &'static str,
    pub needs: &'static [Need],
    pub run: fn(),
}

/// Something that a machine may lack.
#[derive(Clone, Copy)]
pub enum Need {
    /// The tests run as root.
    Root,
    /// Whoever runs the tests can launch: as root, or by a user namespace.
    Launch,
    /// An ordinary user may make user namespaces here.
    UserNamespaces,
    /// A program of the host.
    Program(&'static str),
    /// The tests were built with `--release`.
    Release,
}

/// Lists tests: `tests![name needs Root, Program("strace"); other]`.
macro_rules! tests {
    ($($name:ident $(needs $($need:expr),+)?;)*) => {
        #[allow(unused_imports)]
        use crate::util::Need::*;
        pub const TESTS: &[crate::util::Test] = &[$(crate::util::Test {
            name: stringify!($name),
            needs: &[$($($need),+)?],
            run: $name,
        }),*];
    };
}
pub(crate) use tests;

impl Test {
    /// The test as the harness takes it.
    pub fn trial(&'static self, module: &str) -> Trial {
        Trial::ignorable_test(format!("{module}::{}", self.name), || {
            if let Some(missing) = self.needs.iter().find_map(|need| need.missing()) {
                if std::env::var_os("MINI_CONTAINER_MUST").is_some_and(|must| must == "all") {
                    return Err(format!("needs {missing}, and MINI_CONTAINER_MUST=all").into());
                }
                println!("{}: skipped, needs {missing}", self.name);
                return Ok(Completion::ignored_with(format!("needs {missing}")));
            }
            (self.run)();
            Ok(Completion::Completed)
        })
    }
}

impl Need {
    /// What is missing, in words.
    fn missing(self) -> Option<String> {
        match self {
            Self::Root => (!is_root()).then(|| "root".into()),
            Self::Launch if is_root() => None,
            Self::Launch | Self::UserNamespaces => {
                let works = as_ordinary_user("unshare", ["-Ur", "true"]).status();
                (!works.is_ok_and(|status| status.success()))
                    .then(|| "user namespaces for ordinary users".into())
            }
            Self::Program(name) => which(name).is_none().then(|| format!("the program {name}")),
            Self::Release => cfg!(debug_assertions).then(|| "cargo test --release".into()),
        }
    }
}

pub fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0\t")
}

pub fn which(name: &str) -> Option<PathBuf> {
    let folders = ["/bin", "/usr/bin", "/sbin", "/usr/sbin"];
    folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}

/// An id that is nobody's on a fresh machine, and not root's.
pub const ORDINARY: u32 = 12345;

/// A directory of a test's own that every user can search; gone with it.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = format!("/tmp/mini-container-test-{}-{count}", std::process::id());
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path.into())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a file with this content, and the folders that it lies in.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    pub fn link(&self, name: &str, target: &str) {
        symlink(target, self.path(name)).unwrap();
    }

    /// A root with the host's bash, ls and more, and the libraries that ldd names: `rootfs`.
    pub fn with_host_programs(self) -> Self {
        for program in
            ["bash", "ls", "cat", "id", "env", "touch", "mkdir", "sleep", "mount", "stat"]
        {
            self.copy_in(&which(program).expect("a usual program"));
        }
        self.link("rootfs/bin/sh", "bash");
        self
    }

    /// A root with a static busybox and nothing else: `rootfs`.
    pub fn with_busybox(self) -> Self {
        let bin = self.folder("rootfs/bin");
        copy(Path::new("/bin/busybox"), &bin.join("busybox"));
        for applet in ["sh", "ls", "cat", "echo", "mount", "sleep", "id", "touch"] {
            self.link(&format!("rootfs/bin/{applet}"), "busybox");
        }
        self
    }

    /// Copies a program to `rootfs/bin`, and its libraries to where they are, as the tutorial does.
    pub fn copy_in(&self, program: &Path) {
        let bin = self.folder("rootfs/bin");
        copy(program, &bin.join(program.file_name().unwrap()));
        let ldd = Command::new("ldd").arg(program).output().unwrap();
        let listed = String::from_utf8(ldd.stdout).unwrap();
        for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
            let place = self.path("rootfs").join(library.trim_start_matches('/'));
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::copy(library, place).unwrap();
        }
    }

    /// Gives everything in it to the ordinary user.
    pub fn for_ordinary_user(self) -> Self {
        fn give(path: &Path) {
            std::os::unix::fs::lchown(path, Some(ORDINARY), Some(ORDINARY)).unwrap();
            if path.is_dir() && !path.is_symlink() {
                for entry in fs::read_dir(path).unwrap() {
                    give(&entry.unwrap().path());
                }
            }
        }
        if is_root() {
            give(&self.0);
        }
        self
    }

    /// The launcher, to be run in this directory.
    pub fn launcher<Words: IntoIterator<Item: AsRef<OsStr>>>(&self, words: Words) -> Command {
        let mut command = Command::new(launcher());
        command.args(words).current_dir(&self.0).stdin(Stdio::null());
        command
    }

    /// The launcher as the ordinary user.
    pub fn ordinary_launcher<Words: IntoIterator<Item: AsRef<OsStr>>>(
        &self,
        words: Words,
    ) -> Command {
        let mut command = as_ordinary_user(launcher(), words);
        command.current_dir(&self.0).stdin(Stdio::null());
        command
    }

    /// Runs a shell script inside with these options; it has to succeed, and what it prints is
    /// returned.
    pub fn inside(&self, options: &[&str], script: &str) -> String {
        run(&mut self.launcher(options.iter().chain(&["/bin/sh", "-c", script]))).success()
    }
}

/// Copies a program, in a process of its own: a child of another test's that is just being started
/// would otherwise hold the new file open for writing, and nobody could execute it.
pub fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The binary, where every user can execute it.
pub fn launcher() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let copy = PathBuf::from(format!("/tmp/mini-container-test-{}", std::process::id()));
        self::copy(Path::new(env!("CARGO_BIN_EXE_mini-container")), &copy);
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        copy
    })
}

/// A command as the ordinary user without groups; as the caller, when the caller is one already.
pub fn as_ordinary_user<Words: IntoIterator<Item: AsRef<OsStr>>>(
    program: impl AsRef<OsStr>,
    words: Words,
) -> Command {
    let mut command = Command::new(program);
    command.args(words);
    if is_root() {
        command.uid(ORDINARY).gid(ORDINARY);
    }
    command
}

/// The processes that a process has started and not waited for.
pub fn children_of(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let listed = fs::read_to_string(path).unwrap_or_default();
    listed.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// How a command ended, and what it printed.
pub struct Ended {
    pub status: i32,
    pub output: String,
    pub errors: String,
}

impl Ended {
    /// What it printed, after it succeeded.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.status, 0, "output: {}\nerrors: {}", self.output, self.errors);
        self.output
    }

    /// Fails with this status and says this.
    #[track_caller]
    pub fn fails(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, status, "output: {}\nerrors: {}", self.output, self.errors);
        for word in words {
            assert!(self.errors.contains(word), "no {word:?} in: {}", self.errors);
        }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let signaled = || -output.status.signal().unwrap_or(0);
        Self {
            status: output.status.code().unwrap_or_else(signaled),
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub fn run(command: &mut Command) -> Ended {
    command.output().expect("the command can be started").into()
}

/// Runs a command with this on its standard input.
pub fn run_with_input(command: &mut Command, input: &str) -> Ended {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command can be started");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

/// Gives one file to the ordinary user.
pub fn give_to_ordinary_user(path: &Path) {
    if is_root() {
        chown(path, Some(ORDINARY), Some(ORDINARY)).unwrap();
    }
}
