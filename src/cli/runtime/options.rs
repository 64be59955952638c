//! The commands of an OCI runtime and their options: the names of runc's, crun's and what engines call.

#![allow(missing_docs, reason = "the names are those that are typed")]

use crate::rare::Rare;

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
pub static COMMANDS: [(&str, Command, Rare); 17] = [
    ("create", Command::Create, rare!("ID")),
    ("start", Command::Start, rare!("ID")),
    ("run", Command::Run, rare!("ID")),
    ("state", Command::State, rare!("ID")),
    ("kill", Command::Kill, rare!("ID [SIGNAL]")),
    ("delete", Command::Delete, rare!("ID")),
    ("exec", Command::Exec, rare!("ID PROGRAM [ARG...]")),
    ("list", Command::List, Rare::NONE),
    ("ps", Command::Ps, rare!("ID [OPTIONS OF PS]")),
    ("pause", Command::Pause, rare!("ID")),
    ("resume", Command::Resume, rare!("ID")),
    ("update", Command::Update, rare!("ID")),
    ("events", Command::Events, rare!("ID")),
    ("features", Command::Features, Rare::NONE),
    ("spec", Command::Spec, Rare::NONE),
    ("checkpoint", Command::Checkpoint, rare!("ID")),
    ("restore", Command::Restore, rare!("ID")),
];

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
    /// Without its dashes.
    pub long: &'static str,
    pub has_value: bool,
    /// Bits of [`Command`]; 0 stands for those before the command.
    pub commands: u32,
}

const GLOBAL: u32 = 0;
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

const fn flag(name: Name, short: u8, long: &'static str, commands: u32) -> Entry {
    Entry { name, short, long, has_value: false, commands }
}

const fn value(name: Name, short: u8, long: &'static str, commands: u32) -> Entry {
    Entry { name, short, long, has_value: true, commands }
}

/// No letter.
const NONE: u8 = 0;

pub static OPTIONS: &[Entry] = &[
    value(Name::Root, NONE, "root", GLOBAL),
    value(Name::Log, NONE, "log", GLOBAL),
    value(Name::LogFormat, NONE, "log-format", GLOBAL),
    value(Name::Ignored, NONE, "log-level", GLOBAL),
    flag(Name::Ignored, NONE, "debug", GLOBAL),
    flag(Name::SystemdCgroup, NONE, "systemd-cgroup", GLOBAL),
    value(Name::CgroupManager, NONE, "cgroup-manager", GLOBAL),
    flag(Name::Rootless, NONE, "rootless", GLOBAL),
    value(Name::Criu, NONE, "criu", GLOBAL),
    flag(Name::Version, b'v', "version", GLOBAL),
    flag(Name::Help, b'h', "help", u32::MAX),
    value(Name::Bundle, b'b', "bundle", NEW | Command::Spec as u32),
    value(Name::Config, b'f', "config", Command::Create as u32 | Command::Run as u32),
    value(Name::ConsoleSocket, NONE, "console-socket", STARTING),
    value(Name::PidfdSocket, NONE, "pidfd-socket", STARTING),
    value(Name::PidFile, NONE, "pid-file", STARTING),
    flag(Name::NoPivot, NONE, "no-pivot", NEW),
    flag(Name::NoNewKeyring, NONE, "no-new-keyring", NEW),
    value(Name::PreserveFds, NONE, "preserve-fds", STARTING),
    flag(Name::Detach, b'd', "detach", RUN | EXEC | Command::Create as u32),
    flag(Name::Keep, NONE, "keep", Command::Run as u32),
    flag(Name::NoSubreaper, NONE, "no-subreaper", RUN | EXEC),
    value(Name::Process, b'p', "process", EXEC),
    value(Name::Cwd, NONE, "cwd", EXEC),
    value(Name::Env, b'e', "env", EXEC),
    flag(Name::Tty, b't', "tty", EXEC),
    value(Name::User, b'u', "user", EXEC),
    value(Name::AdditionalGids, b'g', "additional-gids", EXEC),
    value(Name::ProcessLabel, NONE, "process-label", EXEC),
    value(Name::AppArmor, NONE, "apparmor", EXEC),
    flag(Name::NoNewPrivileges, NONE, "no-new-privs", EXEC),
    value(Name::Capability, b'c', "cap", EXEC),
    flag(Name::IgnorePaused, NONE, "ignore-paused", EXEC),
    value(Name::Cgroup, NONE, "cgroup", EXEC),
    flag(Name::All, b'a', "all", KILL),
    flag(Name::Force, b'f', "force", DELETE),
    value(Name::Format, b'f', "format", LISTING),
    flag(Name::Quiet, b'q', "quiet", Command::List as u32),
    value(Name::Resources, b'r', "resources", UPDATE),
    value(Name::Limit(0), NONE, "blkio-weight", UPDATE),
    value(Name::Limit(1), NONE, "cpu-period", UPDATE),
    value(Name::Limit(2), NONE, "cpu-quota", UPDATE),
    value(Name::Limit(3), NONE, "cpu-burst", UPDATE),
    value(Name::Limit(4), NONE, "cpu-share", UPDATE),
    value(Name::Limit(5), NONE, "cpu-rt-period", UPDATE),
    value(Name::Limit(6), NONE, "cpu-rt-runtime", UPDATE),
    value(Name::Limit(7), NONE, "cpu-idle", UPDATE),
    value(Name::Limit(8), NONE, "cpuset-cpus", UPDATE),
    value(Name::Limit(9), NONE, "cpuset-mems", UPDATE),
    value(Name::Limit(10), NONE, "memory", UPDATE),
    value(Name::Limit(11), NONE, "memory-reservation", UPDATE),
    value(Name::Limit(12), NONE, "memory-swap", UPDATE),
    value(Name::Limit(13), NONE, "pids-limit", UPDATE),
    value(Name::Ignored, NONE, "kernel-memory", UPDATE),
    value(Name::Ignored, NONE, "kernel-memory-tcp", UPDATE),
    value(Name::Limit(14), NONE, "l3-cache-schema", UPDATE),
    value(Name::Limit(15), NONE, "mem-bw-schema", UPDATE),
    value(Name::Interval, NONE, "interval", EVENTS),
    flag(Name::Stats, NONE, "stats", EVENTS),
    value(Name::ImagePath, NONE, "image-path", SAVING),
    value(Name::WorkPath, NONE, "work-path", SAVING),
    value(Name::ParentPath, NONE, "parent-path", CHECKPOINT),
    flag(Name::LeaveRunning, NONE, "leave-running", CHECKPOINT),
    flag(Name::PreDump, NONE, "pre-dump", CHECKPOINT),
    value(Name::PageServer, NONE, "page-server", CHECKPOINT),
    value(Name::StatusFd, NONE, "status-fd", CHECKPOINT),
    value(Name::ManageCgroups, NONE, "manage-cgroups-mode", SAVING),
    value(Name::EmptyNamespace, NONE, "empty-ns", SAVING),
    flag(Name::Passed(0), NONE, "tcp-established", SAVING),
    flag(Name::Passed(1), NONE, "tcp-close", SAVING),
    flag(Name::SkipInFlight, NONE, "tcp-skip-in-flight", CHECKPOINT),
    flag(Name::Passed(2), NONE, "link-remap", SAVING),
    flag(Name::Passed(3), NONE, "ext-unix-sk", SAVING),
    flag(Name::Passed(4), NONE, "shell-job", SAVING),
    flag(Name::Passed(5), NONE, "file-locks", SAVING),
    flag(Name::LazyPages, NONE, "lazy-pages", SAVING),
    flag(Name::Passed(6), NONE, "auto-dedup", SAVING),
    value(Name::NetworkLock, NONE, "network-lock", SAVING),
    value(Name::Given(1), NONE, "lsm-profile", RESTORE),
    value(Name::Given(2), NONE, "lsm-mount-context", RESTORE),
];
