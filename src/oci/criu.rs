//! What `checkpoint` and `restore` have in common: CRIU's words, and what it says when it fails.

use super::Runtime;
use super::config::Config;
use super::home::{FAILED, make_folders};
use super::text::{absolute, joined};
use crate::cli::runtime::{Name, OPTIONS};
use crate::container::{environment, number};
use crate::error::{Error, Why};
use crate::kernel::settings::read_file;
use crate::launch::criu::{Criu, find};
use crate::rare::Rare;
use crate::sys::files::is_open;
use crate::sys::namespaces::Namespaces;
use crate::text::{Text, decimal, parts};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::RawFd;
use rustix::fs::{Access, access};

/// A run of CRIU that is being put together.
pub struct Run {
    /// What it does: `dump`, `pre-dump` or `restore`.
    pub action: &'static CStr,
    /// Where the image is.
    pub images: &'static CStr,
    program: &'static CStr,
    work: &'static CStr,
    words: Vec<&'static CStr>,
    kept: Vec<RawFd>,
    path: &'static CStr,
}

/// Why an option cannot stand.
#[cold]
#[inline(never)]
pub fn refused(option: Name, why: Rare) -> Error<'static> {
    Error::usage(rare!("option"), written(option).to_bytes(), why, b"")
}

impl Run {
    /// What the options say, checked.
    ///
    /// # Errors
    ///
    /// CRIU is not installed; an option that it or we cannot do justice; the image is not there, or its folder
    /// cannot be made.
    pub fn new(
        runtime: &Runtime<'_>,
        action: &'static CStr,
    ) -> Result<&'static mut Self, Error<'static>> {
        let typed = runtime.typed;
        let name = typed.value(Name::Criu).unwrap_or(c"criu");
        let program = find(name, runtime.variables).ok_or_else(|| {
            let hint = rare!(
                "checkpoint and restore are CRIU's work: it is in the package criu of most \
                distributions, and is looked for in PATH"
            )
            .bytes();
            Error::usage(rare!("run"), b"criu", rare!("it is not installed"), hint)
        })?;
        let images = absolute(typed.value(Name::ImagePath).unwrap_or(c"checkpoint"))?;
        let work = typed.value(Name::WorkPath).map_or(Ok(images), absolute)?;
        if action == c"restore" {
            access(images, Access::EXISTS).map_err(|errno| about(images, errno))?;
        }
        for folder in [images, work] {
            make_folders(folder).map_err(|errno| about(folder, errno))?;
        }
        let path = joined(&[b"PATH=", environment::path(runtime.variables)]);
        let (words, kept) = (Vec::new(), Vec::new());
        let run = Self { action, images, program, work, words, kept, path };
        // It is needed until the process ends.
        let run = Box::leak(Box::new(run));
        run.add(&[c"criu", action, c"--images-dir", images, c"--work-dir", work]);
        run.add(&[c"-v4", c"--log-file", run.log(), c"--manage-cgroups=ignore"]);
        run.add_options(runtime)?;
        // What CRIU locks a network with if nothing is said.
        let is_locked = runtime.typed.has(Name::NetworkLock) || action == c"restore";
        if !is_locked && find(c"iptables-restore", runtime.variables).is_none() {
            run.add(&[c"--network-lock", c"nftables"]);
        }
        Ok(run)
    }

    /// The name of the file in which it says what it does.
    fn log(&self) -> &'static CStr {
        if self.action == c"restore" { c"restore.log" } else { c"dump.log" }
    }

    /// Adds words.
    pub fn add(&mut self, words: &[&'static CStr]) {
        self.words.extend_from_slice(words);
    }

    /// Names something from outside: `KIND[KEY]:VALUE`.
    pub fn external(&mut self, kind: &[u8], key: &[u8], value: &CStr) {
        let word = joined(&[kind, b"[", key, b"]:", value.to_bytes()]);
        self.add(&[c"--external", word]);
    }

    /// Has it keep a descriptor, which is not closed by execve(2).
    pub fn keep(&mut self, file: RawFd) {
        self.kept.push(file);
    }

    /// Gives it one of its descriptors in the place of what is called so in the image.
    pub fn inherit(&mut self, file: RawFd, name: &[u8]) {
        let number = decimal(file.unsigned_abs().into());
        self.add(&[c"--inherit-fd", joined(&[b"fd[", number, b"]:", name])]);
    }

    fn add_options(&mut self, runtime: &Runtime<'_>) -> Result<(), Error<'static>> {
        for (name, value) in &runtime.typed.options {
            let value = joined(&[value.to_bytes()]);
            match name {
                Name::LazyPages | Name::LeaveRunning | Name::Passed(_) => {
                    self.add(&[written(*name)]);
                }
                // Podman has one with nothing to say.
                Name::Given(_) if value.is_empty() => {}
                Name::NetworkLock | Name::Given(_) => self.add(&[written(*name), value]),
                Name::SkipInFlight => self.add(&[c"--skip-in-flight"]),
                Name::ParentPath if value.to_bytes().starts_with(b"/") => {
                    return Err(refused(*name, rare!("it begins at the folder of the image")));
                }
                Name::ParentPath => self.add(&[c"--prev-images-dir", value]),
                Name::PreDump => self.add(&[c"--track-mem"]),
                Name::EmptyNamespace if value == c"network" => self.add(&[written(*name), c"net"]),
                Name::EmptyNamespace => {
                    return Err(refused(*name, rare!("only that of the network can be empty")));
                }
                Name::ManageCgroups if !matches!(value.to_bytes(), b"soft" | b"ignore") => {
                    let why = rare!("cgroups are made as the configuration says: soft or ignore");
                    return Err(refused(*name, why));
                }
                Name::StatusFd => {
                    let file = number(value.to_bytes()).filter(|file| *file > 2 && is_open(*file));
                    let file = file.ok_or_else(|| refused(*name, rare!("it is not open")))?;
                    self.keep(file as RawFd);
                    self.add(&[written(*name), value]);
                }
                Name::PageServer => self.add_page_server(value, runtime)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Where pages go, or with `--lazy-pages`, where they are fetched.
    fn add_page_server(
        &mut self,
        place: &'static CStr,
        runtime: &Runtime<'_>,
    ) -> Result<(), Error<'static>> {
        let bytes = place.to_bytes();
        let colon = bytes.iter().rposition(|byte| *byte == b':');
        let (address, port) = bytes.split_at(colon.unwrap_or(0));
        let port = port.get(1..).unwrap_or_default();
        if address.is_empty() || number(port).is_none() {
            return Err(refused(Name::PageServer, rare!("it is ADDRESS:PORT")));
        }
        if !runtime.typed.has(Name::LazyPages) {
            self.add(&[c"--page-server"]);
        }
        self.add(&[c"--address", joined(&[address]), c"--port", joined(&[port])]);
        Ok(())
    }

    /// How it is run.
    #[must_use]
    pub fn criu<'s>(
        &'s self,
        runtime: &Runtime<'_>,
        environment: &'s mut Vec<&'s CStr>,
    ) -> Criu<'s> {
        environment.push(self.path);
        let (program, words, kept) = (self.program, &self.words, &self.kept);
        Criu { program, words, environment, kept, signals: runtime.signals }
    }

    /// What it says of its failure: the last error in its log.
    #[must_use]
    pub fn failure(&self) -> Error<'static> {
        let log = joined(&[self.work.to_bytes(), b"/", self.log().to_bytes()]);
        let lines = read_file(log).unwrap_or_default();
        let last = parts(lines, b'\n').filter_map(reason).last();
        let mut hint = Text::new();
        hint.push("all that it says is in ").push_name(log.to_bytes());
        let mut on = Text::new();
        on.push("criu ").push_name(self.action.to_bytes());
        let why = last.map_or(Why::Text(rare!("it failed before it wrote why")), Why::Told);
        Error::new(rare!("run"), on.leak(), why, hint.leak(), FAILED)
    }
}

/// How an option is written.
fn written(name: Name) -> &'static CStr {
    joined(&[b"--", OPTIONS.word(|entry| entry.name == name)])
}

/// What a line of the log says of an error: not that there was one, nor that of a program that it tried.
fn reason(line: &[u8]) -> Option<&[u8]> {
    let place = line.windows(7).position(|word| word == b"Error (")?;
    let error = line.get(place..)?;
    let is_none = error.ends_with(b" FAILED.") || error.starts_with(b"Error (criu/util.c");
    (!is_none).then_some(error)
}

fn about(folder: &'static CStr, errno: rustix::io::Errno) -> Error<'static> {
    Error::new(rare!("use the folder"), folder.to_bytes(), Why::Errno(errno), b"", FAILED)
}

/// What of a configuration CRIU cannot do.
///
/// # Errors
///
/// It asks for that.
pub fn check(config: &Config) -> Result<(), Error<'static>> {
    let (process, isolation) = (&config.container.process, &config.container.isolation);
    let has_users = isolation.namespaces.contains(Namespaces::USER);
    let faults = [
        (
            process.terminal,
            "process.terminal",
            rare!(
                "a container with a terminal cannot be checkpointed: CRIU's command line hands none over"
            ),
        ),
        // In theirs, CRIU could not read its own image.
        (
            has_users || isolation.joins(Namespaces::USER),
            "linux.namespaces",
            rare!("a container with users of its own cannot be checkpointed"),
        ),
        (
            isolation.joins(Namespaces::TIME),
            "linux.namespaces",
            rare!("a container that joins a time namespace cannot be checkpointed"),
        ),
    ];
    match faults.into_iter().find(|fault| fault.0) {
        Some((_, on, why)) => Err(Error::usage(rare!("config.json:"), on.as_bytes(), why, b"")),
        None => Ok(()),
    }
}
