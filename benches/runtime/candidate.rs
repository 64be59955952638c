//! A runtime, and one thing that it does, again and again.

use crate::build::Folder;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(1);
const POLLS: usize = 5_000;

#[derive(Clone, Copy, PartialEq)]
pub enum Operation {
    Run,
    Cycle,
    Exec,
}

impl Operation {
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Cycle => "create, start and delete, without the wait between them",
            Self::Exec => "exec",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Cycle => "cycle",
            Self::Exec => "exec",
        }
    }
}

pub struct Runtime {
    pub name: &'static str,
    program: String,
}

impl Runtime {
    /// Program: a path, or a name to look for in PATH.
    pub fn new(name: &'static str, program: &str) -> Self {
        let folders = std::env::var("PATH").unwrap_or_default();
        let mut paths = folders.split(':').map(|folder| Path::new(folder).join(program));
        let found = paths.find(|path| path.exists());
        let program = found.map_or(program.into(), |path| path.to_str().unwrap().into());
        Self { name, program }
    }

    /// The program, and the options that all its commands have here.
    pub fn words(&self, has_cgroups: bool, folder: &Folder) -> Vec<String> {
        let mut words = vec![self.program.clone(), "--root".into(), self.state(folder)];
        if !has_cgroups {
            words.extend(["--cgroup-manager".into(), "disabled".into()]);
        }
        words
    }

    fn state(&self, folder: &Folder) -> String {
        folder.state(self.name)
    }

    /// The cgroups and the containers' states that are there after all is done.
    pub fn take_left(&self, folder: &Folder) -> Vec<String> {
        let mut left = folder.take_groups(self.name);
        for entry in fs::read_dir(self.state(folder)).into_iter().flatten().flatten() {
            // What a runtime has there of its own, for all containers, begins with a dot.
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                left.push(entry.path().to_str().unwrap().into());
            }
        }
        left
    }
}

/// What a runtime does, and how long it took each time.
pub struct Candidate {
    pub name: &'static str,
    pub times: Vec<Duration>,
    operation: Operation,
    runtime: Vec<String>,
    container: String,
    bundle: String,
}

impl Candidate {
    /// The candidate, if it is installed and works; one for `exec` has its container running.
    pub fn new(
        runtime: &Runtime,
        operation: Operation,
        has_cgroups: bool,
        folder: &Folder,
    ) -> Option<Self> {
        let way = if has_cgroups { "cgroups" } else { "without" };
        let container = format!("{}-{}-{way}", runtime.name, operation.word());
        let program = if operation == Operation::Exec { "/bin/sleep" } else { "/bin/true" };
        let candidate = Self {
            name: runtime.name,
            times: Vec::new(),
            operation,
            runtime: runtime.words(has_cgroups, folder),
            bundle: folder.bundle(&container, program, ""),
            container,
        };
        let is_ready = operation != Operation::Exec || candidate.stay();
        if is_ready && candidate.once().is_some() {
            return Some(candidate);
        }
        println!(
            "{}, {}: not installed, or does not work here",
            candidate.container, candidate.name
        );
        None
    }

    fn stay(&self) -> bool {
        self.call(&["create", "--bundle", &self.bundle]) && self.call(&["start"])
    }

    /// How long it took, if it worked.
    pub fn once(&self) -> Option<Duration> {
        match self.operation {
            Operation::Run => self.time(&[&["run", "--bundle", &self.bundle]]),
            Operation::Cycle => {
                let first = self.time(&[&["create", "--bundle", &self.bundle], &["start"]])?;
                self.wait_for_end().then_some(())?;
                Some(first + self.time(&[&["delete"]])?)
            }
            Operation::Exec => {
                let start = Instant::now();
                let mut command = self.command(&["exec"]);
                is_successful(command.arg("/bin/true")).then(|| start.elapsed())
            }
        }
    }

    fn time(&self, commands: &[&[&str]]) -> Option<Duration> {
        let start = Instant::now();
        commands.iter().all(|words| self.call(words)).then(|| start.elapsed())
    }

    fn wait_for_end(&self) -> bool {
        (0..POLLS).any(|_| {
            let state = self.command(&["state"]).stdout(Stdio::piped()).output().unwrap();
            let is_over = String::from_utf8_lossy(&state.stdout).contains("\"stopped\"");
            if !is_over {
                sleep(POLL);
            }
            is_over
        })
    }

    fn call(&self, words: &[&str]) -> bool {
        is_successful(&mut self.command(words))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.runtime[0]);
        command.args(&self.runtime[1..]).args(words).arg(&self.container);
        // A container that was created holds them.
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// The time that this part of all runs stayed below, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        self.times[self.times.len() * percent / 100].as_secs_f64() * 1000.0
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        if self.operation == Operation::Exec || std::thread::panicking() {
            let _ = self.command(&["delete", "--force"]).stderr(Stdio::null()).status();
        }
    }
}

pub fn is_successful(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
