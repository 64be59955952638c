//! The commands of an OCI runtime and their options: the names of runc's, crun's and what engines call.

#![allow(missing_docs, reason = "the names are those that are typed")]

use crate::rare::Rare;
use crate::text::{Table, table};

/// A command of the runtime's. Each is a bit, for the table of options.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
#[repr(u32)]
pub enum Command {
    Create = 1,
    Start = 1 << 1,
    Run = 1 << 2,
    State = 1 << 3,
    Kill = 1 << 4,
    Delete = 1 << 5,
    Exec = 1 << 6,
    List = 1 << 7,
    Ps = 1 << 8,
    Pause = 1 << 9,
    Resume = 1 << 10,
    Update = 1 << 11,
    Events = 1 << 12,
    Features = 1 << 13,
    Spec = 1 << 14,
    Checkpoint = 1 << 15,
    Restore = 1 << 16,
    Version = 1 << 17,
    Help = 1 << 18,
}

impl Command {
    /// The exit status of one that fails itself, as runc's.
    #[must_use]
    pub fn failed(self) -> u8 {
        if self == Self::Exec { u8::MAX } else { 1 }
    }
}

/// The commands that are typed, and the words behind them.
pub static COMMANDS: Table<(Command, Rare)> = table! {
    "create" => (Command::Create, rare!("ID")),
    "start" => (Command::Start, rare!("ID")),
    "run" => (Command::Run, rare!("ID")),
    "state" => (Command::State, rare!("ID")),
    "kill" => (Command::Kill, rare!("ID [SIGNAL]")),
    "delete" => (Command::Delete, rare!("ID")),
    "exec" => (Command::Exec, rare!("ID PROGRAM [ARG...]")),
    "list" => (Command::List, Rare::NONE),
    "ps" => (Command::Ps, rare!("ID [OPTIONS OF PS]")),
    "pause" => (Command::Pause, rare!("ID")),
    "resume" => (Command::Resume, rare!("ID")),
    "update" => (Command::Update, rare!("ID")),
    "events" => (Command::Events, rare!("ID")),
    "features" => (Command::Features, Rare::NONE),
    "spec" => (Command::Spec, Rare::NONE),
    "checkpoint" => (Command::Checkpoint, rare!("ID")),
    "restore" => (Command::Restore, rare!("ID")),
};

/// An option, by its name in the code.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Name {
    Root,
    Log,
    LogFormat,
    CgroupManager,
    SystemdCgroup,
    Rootless,
    Version,
    Help,
    Bundle,
    Config,
    ConsoleSocket,
    PidfdSocket,
    PidFile,
    NoNewKeyring,
    PreserveFds,
    Detach,
    Keep,
    Process,
    Cwd,
    Env,
    Tty,
    User,
    AdditionalGids,
    ProcessLabel,
    AppArmor,
    NoNewPrivileges,
    Capability,
    IgnorePaused,
    Cgroup,
    All,
    Force,
    Format,
    Quiet,
    Resources,
    /// An option of `update`: its place among those that `oci::limits` knows.
    Limit(u8),
    Interval,
    Stats,
    Criu,
    NoPivot,
    NoSubreaper,
    ImagePath,
    WorkPath,
    ParentPath,
    LeaveRunning,
    PreDump,
    PageServer,
    StatusFd,
    ManageCgroups,
    EmptyNamespace,
    LazyPages,
    NetworkLock,
    SkipInFlight,
    /// A flag that CRIU has by the same name, with a number of its own.
    Passed(u8),
    /// An option of CRIU's with a value, likewise.
    Given(u8),
    /// Accepted, and of no effect here.
    Ignored,
}

/// How an option is written, and whose it is.
pub struct Entry {
    pub name: Name,
    pub short: u8,
    pub has_value: bool,
    /// Bits of [`Command`]; 0 stands for those before the command.
    pub commands: u32,
}

impl Entry {
    /// Whether it is an option of this command.
    pub fn is_of(&self, command: u32) -> bool {
        self.commands & command != 0 || self.commands == command
    }
}

/// The options before the command.
pub const GLOBAL: u32 = 0;
const NEW: u32 = Command::Create as u32 | Command::Run as u32 | Command::Restore as u32;
const RUN: u32 = Command::Run as u32 | Command::Restore as u32;
const EXEC: u32 = Command::Exec as u32;
const STARTING: u32 = NEW | EXEC;
const LISTING: u32 = Command::List as u32 | Command::Ps as u32;
const KILL: u32 = Command::Kill as u32;
const DELETE: u32 = Command::Delete as u32;
const UPDATE: u32 = Command::Update as u32;
const EVENTS: u32 = Command::Events as u32;
const CHECKPOINT: u32 = Command::Checkpoint as u32;
const RESTORE: u32 = Command::Restore as u32;
const SAVING: u32 = CHECKPOINT | RESTORE;

const fn flag(name: Name, short: u8, commands: u32) -> Entry {
    Entry { name, short, has_value: false, commands }
}

const fn value(name: Name, short: u8, commands: u32) -> Entry {
    Entry { name, short, has_value: true, commands }
}

/// No letter.
const NONE: u8 = 0;

/// The options, by their long names without the dashes.
pub static OPTIONS: Table<Entry> = table! {
    "root" => value(Name::Root, NONE, GLOBAL),
    "log" => value(Name::Log, NONE, GLOBAL),
    "log-format" => value(Name::LogFormat, NONE, GLOBAL),
    "log-level" => value(Name::Ignored, NONE, GLOBAL),
    "debug" => flag(Name::Ignored, NONE, GLOBAL),
    "systemd-cgroup" => flag(Name::SystemdCgroup, NONE, GLOBAL),
    "cgroup-manager" => value(Name::CgroupManager, NONE, GLOBAL),
    "rootless" => flag(Name::Rootless, NONE, GLOBAL),
    "criu" => value(Name::Criu, NONE, GLOBAL),
    "version" => flag(Name::Version, b'v', GLOBAL),
    "help" => flag(Name::Help, b'h', u32::MAX),
    "bundle" => value(Name::Bundle, b'b', NEW | Command::Spec as u32),
    "config" => value(Name::Config, b'f', Command::Create as u32 | Command::Run as u32),
    "console-socket" => value(Name::ConsoleSocket, NONE, STARTING),
    "pidfd-socket" => value(Name::PidfdSocket, NONE, STARTING),
    "pid-file" => value(Name::PidFile, NONE, STARTING),
    "no-pivot" => flag(Name::NoPivot, NONE, NEW),
    "no-new-keyring" => flag(Name::NoNewKeyring, NONE, NEW),
    "preserve-fds" => value(Name::PreserveFds, NONE, STARTING),
    "detach" => flag(Name::Detach, b'd', RUN | EXEC | Command::Create as u32),
    "keep" => flag(Name::Keep, NONE, Command::Run as u32),
    "no-subreaper" => flag(Name::NoSubreaper, NONE, RUN | EXEC),
    "process" => value(Name::Process, b'p', EXEC),
    "cwd" => value(Name::Cwd, NONE, EXEC),
    "env" => value(Name::Env, b'e', EXEC),
    "tty" => flag(Name::Tty, b't', EXEC),
    "user" => value(Name::User, b'u', EXEC),
    "additional-gids" => value(Name::AdditionalGids, b'g', EXEC),
    "process-label" => value(Name::ProcessLabel, NONE, EXEC),
    "apparmor" => value(Name::AppArmor, NONE, EXEC),
    "no-new-privs" => flag(Name::NoNewPrivileges, NONE, EXEC),
    "cap" => value(Name::Capability, b'c', EXEC),
    "ignore-paused" => flag(Name::IgnorePaused, NONE, EXEC),
    "cgroup" => value(Name::Cgroup, NONE, EXEC),
    "all" => flag(Name::All, b'a', KILL),
    "force" => flag(Name::Force, b'f', DELETE),
    "format" => value(Name::Format, b'f', LISTING),
    "quiet" => flag(Name::Quiet, b'q', Command::List as u32),
    "resources" => value(Name::Resources, b'r', UPDATE),
    "blkio-weight" => value(Name::Limit(0), NONE, UPDATE),
    "cpu-period" => value(Name::Limit(1), NONE, UPDATE),
    "cpu-quota" => value(Name::Limit(2), NONE, UPDATE),
    "cpu-burst" => value(Name::Limit(3), NONE, UPDATE),
    "cpu-share" => value(Name::Limit(4), NONE, UPDATE),
    "cpu-rt-period" => value(Name::Limit(5), NONE, UPDATE),
    "cpu-rt-runtime" => value(Name::Limit(6), NONE, UPDATE),
    "cpu-idle" => value(Name::Limit(7), NONE, UPDATE),
    "cpuset-cpus" => value(Name::Limit(8), NONE, UPDATE),
    "cpuset-mems" => value(Name::Limit(9), NONE, UPDATE),
    "memory" => value(Name::Limit(10), NONE, UPDATE),
    "memory-reservation" => value(Name::Limit(11), NONE, UPDATE),
    "memory-swap" => value(Name::Limit(12), NONE, UPDATE),
    "pids-limit" => value(Name::Limit(13), NONE, UPDATE),
    "kernel-memory" => value(Name::Ignored, NONE, UPDATE),
    "kernel-memory-tcp" => value(Name::Ignored, NONE, UPDATE),
    "l3-cache-schema" => value(Name::Limit(14), NONE, UPDATE),
    "mem-bw-schema" => value(Name::Limit(15), NONE, UPDATE),
    "interval" => value(Name::Interval, NONE, EVENTS),
    "stats" => flag(Name::Stats, NONE, EVENTS),
    "image-path" => value(Name::ImagePath, NONE, SAVING),
    "work-path" => value(Name::WorkPath, NONE, SAVING),
    "parent-path" => value(Name::ParentPath, NONE, CHECKPOINT),
    "leave-running" => flag(Name::LeaveRunning, NONE, CHECKPOINT),
    "pre-dump" => flag(Name::PreDump, NONE, CHECKPOINT),
    "page-server" => value(Name::PageServer, NONE, CHECKPOINT),
    "status-fd" => value(Name::StatusFd, NONE, CHECKPOINT),
    "manage-cgroups-mode" => value(Name::ManageCgroups, NONE, SAVING),
    "empty-ns" => value(Name::EmptyNamespace, NONE, SAVING),
    "tcp-established" => flag(Name::Passed(0), NONE, SAVING),
    "tcp-close" => flag(Name::Passed(1), NONE, SAVING),
    "tcp-skip-in-flight" => flag(Name::SkipInFlight, NONE, CHECKPOINT),
    "link-remap" => flag(Name::Passed(2), NONE, SAVING),
    "ext-unix-sk" => flag(Name::Passed(3), NONE, SAVING),
    "shell-job" => flag(Name::Passed(4), NONE, SAVING),
    "file-locks" => flag(Name::Passed(5), NONE, SAVING),
    "lazy-pages" => flag(Name::LazyPages, NONE, SAVING),
    "auto-dedup" => flag(Name::Passed(6), NONE, SAVING),
    "network-lock" => value(Name::NetworkLock, NONE, SAVING),
    "lsm-profile" => value(Name::Given(1), NONE, RESTORE),
    "lsm-mount-context" => value(Name::Given(2), NONE, RESTORE),
};
