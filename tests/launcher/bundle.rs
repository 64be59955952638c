//! A bundle of the OCI runtime: a root of busybox, a `config.json` that a test changes by path, and
//! the runtime called as engines call it. `MINI_CONTAINER_RUNTIME` names another runtime, to see
//! what a test says of that.

use crate::util::{Ended, Scratch, launcher, run};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The bundle is the scratch directory; its containers are gone with it.
pub struct Bundle {
    pub scratch: Scratch,
    pub config: Value,
    /// The id of its container, and the name of its cgroup: no other test has it.
    pub id: String,
}

/// The capabilities of the configuration that `spec` writes.
const CAPABILITIES: [&str; 3] = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

fn configuration(id: &str) -> Value {
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/true"],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", format!("MARK={id}")],
            "cwd": "/",
            "capabilities": {
                "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES,
            },
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs"},
        "hostname": "inside",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs",
             "options": ["nosuid", "noexec", "nodev", "ro"]},
        ],
        "linux": {
            "cgroupsPath": format!("/{id}"),
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
                {"type": "mount"},
            ],
            "maskedPaths": ["/proc/kcore", "/proc/timer_list", "/proc/scsi", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}

/// The runtime's file.
pub fn runtime_file() -> PathBuf {
    std::env::var_os("MINI_CONTAINER_RUNTIME").map_or_else(|| launcher().into(), PathBuf::from)
}

impl Bundle {
    /// A container that runs `/bin/true`.
    pub fn new() -> Self {
        let scratch = Scratch::new().with_busybox();
        let applets = "set -e; for name in $(rootfs/bin/busybox --list); do
            [ -e rootfs/bin/$name ] || ln -s busybox rootfs/bin/$name; done
            mkdir -p rootfs/tmp rootfs/etc";
        run(Command::new("sh").args(["-c", applets]).current_dir(scratch.path(""))).success();
        let place = scratch.path("");
        let id: String = place.file_name().unwrap().to_str().unwrap().into();
        Self { config: configuration(&id), scratch, id }
    }

    /// A container that runs this line of a shell.
    pub fn of(script: &str) -> Self {
        let mut bundle = Self::new();
        bundle.runs(script);
        bundle
    }

    /// One that waits to be killed, or a minute.
    pub fn waiting() -> Self {
        Self::of("sleep 60")
    }

    /// With the attacks of the escapes as `/attack`.
    pub fn with_attacks(self) -> Self {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/launcher/escapes");
        let mut compiler = Command::new("cc");
        compiler.args(["-static", "-O1", "-w", "-o"]).arg(self.scratch.path("rootfs/attack"));
        run(compiler.args([sources.join("attack.c"), sources.join("files.c")])).success();
        self
    }

    pub fn runs(&mut self, script: &str) {
        self.set("/process/args", json!(["/bin/sh", "-c", script]));
    }

    /// Sets what is at a place (a JSON pointer), and makes the objects on the way.
    pub fn set(&mut self, place: &str, value: Value) {
        let mut at = &mut self.config;
        for name in place.split('/').skip(1) {
            at = match at {
                Value::Array(items) => &mut items[name.parse::<usize>().unwrap()],
                object => &mut object[name.replace("~1", "/").as_str()],
            };
        }
        *at = value;
    }

    /// Adds to the list at a place.
    pub fn add(&mut self, place: &str, value: Value) {
        if self.config.pointer(place).is_none() {
            self.set(place, json!([]));
        }
        self.config.pointer_mut(place).unwrap().as_array_mut().unwrap().push(value);
    }

    pub fn remove(&mut self, parent: &str, name: &str) {
        let parent = self.config.pointer_mut(parent).unwrap();
        parent.as_object_mut().unwrap().remove(name);
    }

    /// Takes the item out of a list that has this value under this name.
    pub fn take(&mut self, list: &str, name: &str, value: &str) {
        let list = self.config.pointer_mut(list).unwrap().as_array_mut().unwrap();
        list.retain(|item| item[name] != value);
    }

    pub fn mount(&mut self, destination: &str, kind: &str, source: &str, options: &[&str]) {
        let mount = json!({
            "destination": destination, "type": kind, "source": source, "options": options
        });
        self.add("/mounts", mount);
    }

    /// Binds a folder or file of the scratch directory.
    pub fn bind(&mut self, name: &str, destination: &str, options: &[&str]) {
        let source = self.scratch.path(name);
        self.mount(destination, "bind", source.to_str().unwrap(), options);
    }

    /// The container's root is another one's, by a mapping of ids; its root belongs to that.
    pub fn in_user_namespace(&mut self) {
        self.add("/linux/namespaces", json!({"type": "user"}));
        let mapping = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        self.set("/linux/uidMappings", mapping.clone());
        self.set("/linux/gidMappings", mapping);
        let place = self.scratch.path("rootfs");
        run(Command::new("chown").args(["-R", "-h", "100000:100000"]).arg(place)).success();
    }

    pub fn write(&self) {
        self.scratch.file("config.json", &self.config.to_string());
    }

    /// The runtime with these words, in the bundle, and with a directory for state in it.
    pub fn runtime<Words: IntoIterator<Item: AsRef<OsStr>>>(&self, words: Words) -> Command {
        let mut command = Command::new(runtime_file());
        command.arg("--root").arg(self.scratch.path("state")).args(words);
        command.current_dir(self.scratch.path("")).stdin(Stdio::null()).env("MARK", &self.id);
        command
    }

    /// Runs a command of the runtime on its container, whose id stands for `@`, or at the end.
    pub fn command(&self, words: &[&str]) -> Ended {
        run(&mut self.runtime(self.words(words)))
    }

    pub fn words<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        let mut words = words.to_vec();
        match words.iter_mut().find(|word| **word == "@") {
            Some(place) => *place = &self.id,
            None => words.push(&self.id),
        }
        words
    }

    /// Writes the configuration, and runs it to its end.
    pub fn run(&self) -> Ended {
        self.write();
        self.command(&["run"])
    }

    /// What a line of a shell prints in it, which has to succeed.
    #[track_caller]
    pub fn inside(&mut self, script: &str) -> String {
        self.runs(script);
        self.run().success()
    }

    /// Writes the configuration, and creates the container, which prints to the files `output` and
    /// `errors`: it lives longer than the command, and would hold a pipe open.
    pub fn create(&self) -> Ended {
        self.write();
        self.to_files(self.runtime(["create", &self.id]))
    }

    /// Runs a command whose descendants keep its descriptors.
    pub fn to_files(&self, mut command: Command) -> Ended {
        let file = |name| File::create(self.scratch.path(name)).unwrap();
        let status = command.stdout(file("output")).stderr(file("errors")).status().unwrap();
        let read = |name: &str| fs::read(self.scratch.path(name)).unwrap();
        std::process::Output { status, stdout: read("output"), stderr: read("errors") }.into()
    }

    /// Creates and starts it.
    #[track_caller]
    pub fn started(self) -> Self {
        self.create().success();
        self.command(&["start"]).success();
        self
    }

    /// What `state` says.
    #[track_caller]
    pub fn state(&self) -> Value {
        serde_json::from_str(&self.command(&["state"]).success()).unwrap()
    }

    pub fn status(&self) -> String {
        self.state()["status"].as_str().unwrap().into()
    }

    /// Process 1 of the container, as the host numbers it.
    pub fn process(&self) -> u32 {
        u32::try_from(self.state()["pid"].as_u64().unwrap()).unwrap()
    }

    /// Waits until it has this status.
    #[track_caller]
    pub fn awaits(&self, status: &str) {
        wait_until(&format!("{} {status}", self.id), || self.status() == status);
    }

    /// Runs a program in it.
    pub fn exec(&self, words: &[&str]) -> Ended {
        self.command(&[&["exec", "@"], words].concat())
    }

    /// What a line of a shell prints that is run in it.
    #[track_caller]
    pub fn exec_shell(&self, script: &str) -> String {
        self.exec(&["/bin/sh", "-c", script]).success()
    }

    /// What a file of the host says of a process of the container.
    pub fn of_process(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.process())).unwrap()
    }

    /// The start of a call of Python's, whose file lies beside the tests.
    pub fn helper(&self, name: &str, words: &[&str]) -> Child {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/launcher/runtime").join(name);
        let mut command = Command::new("/usr/bin/python3");
        // Nothing of what it is compiled to is left beside the tests.
        command.arg("-B").arg(place).args(words).current_dir(self.scratch.path(""));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// What there is of its container on the host: processes, cgroups, mounts, state.
    pub fn remains(&self) -> Vec<String> {
        let mut found = Vec::new();
        let own = std::process::id().to_string();
        let mark = format!("MARK={}", self.id);
        let place = self.scratch.path("");
        let place = place.to_str().unwrap();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let number = entry.file_name().into_string().unwrap();
            if number == own || number.parse::<u32>().is_err() {
                continue;
            }
            let read = |name| fs::read(entry.path().join(name)).unwrap_or_default();
            let texts = [read("environ"), read("mountinfo"), read("cgroup")];
            let has = |text: &Vec<u8>, words: &str| {
                text.windows(words.len()).any(|part| part == words.as_bytes())
            };
            if has(&texts[0], &mark) || has(&texts[1], place) || has(&texts[2], &self.id) {
                let called = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
                found.push(format!("process {number}: {called}"));
            }
        }
        found.extend(cgroups(&self.id).into_iter().map(|path| path.display().to_string()));
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        found.extend(table.lines().filter(|line| line.contains(place)).map(String::from));
        let states = fs::read_dir(self.scratch.path("state")).into_iter().flatten().flatten();
        found.extend(states.map(|entry| format!("state: {}", entry.path().display())));
        found
    }

    /// That nothing is left of it.
    #[track_caller]
    pub fn is_gone(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.remains().is_empty() {
            assert!(Instant::now() < deadline, "{}: {:#?}", self.id, self.remains());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let states = fs::read_dir(self.scratch.path("state")).into_iter().flatten().flatten();
        for name in states.map(|entry| entry.file_name()) {
            let mut resume = self.runtime(["resume"]);
            let _ = resume.arg(&name).stdout(Stdio::null()).stderr(Stdio::null()).status();
            let deleted = self.runtime(["delete", "--force"]).arg(&name).output().unwrap();
            // A test that has failed already says why.
            assert!(deleted.status.success() || std::thread::panicking(), "{deleted:?}");
        }
    }
}

impl Ended {
    /// It failed, and says each of these, in whatever case.
    #[track_caller]
    pub fn refused(&self, words: &[&str]) {
        assert!(self.status > 0, "{}: {}\n{}", self.status, self.output, self.errors);
        assert!(!self.errors.contains("panic"), "{}", self.errors);
        // Some runtimes print quotes as in a string.
        let errors = self.errors.to_lowercase().replace("\\\"", "\"");
        for word in words {
            assert!(errors.contains(&word.to_lowercase()), "no {word:?} in: {}", self.errors);
        }
    }
}

/// The cgroups of version 1 and 2 that have this in their path.
pub fn cgroups(name: &str) -> Vec<PathBuf> {
    let mut command = Command::new("find");
    command.args(["/sys/fs/cgroup", "-type", "d", "-name", &format!("*{name}*")]);
    run(&mut command).output.lines().map(PathBuf::from).collect()
}

#[track_caller]
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "it is not so: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The line of a text that begins with this, without its name.
#[track_caller]
pub fn line_of<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim()
}
