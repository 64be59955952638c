//! What is to be run, in the user's terms: plain data, checked when it is built.
//!
//! Both the command line and a bundle's `config.json` build a [`Container`]; how it comes
//! about is the plan's business.

mod attributes;
pub mod environment;
mod hooks;
mod isolation;
mod limits;
mod mount;
mod network;
mod resources;
mod root;
mod security;
mod signal;
mod user;

pub use crate::text::keep;
pub use attributes::{Attributes, MemoryPolicy, Scheduler};
pub use hooks::{Hook, Hooks};
pub use isolation::{ALL, Clocks, IdMap, IdRange, Isolation, Join, KINDS, kinds};
pub use limits::{Limit, processors, resource};
pub use mount::{Mount, MountError, Mounted};
pub use network::{Link, Network};
pub use resources::{
    BlockIo, Cpu, DeviceAccess, DeviceKind, DeviceRule, Memory, PacketMarks, Rdma, Resources,
    Throttle, WeightDevice,
};
pub use root::{Defaults, ImageFile, Layers, Programs, Root, Source, Upper};
pub use security::{
    ALL_CAPABILITIES, CAPABILITIES, Capabilities, DEFAULT_CAPABILITIES, Filter, MASKED, READ_ONLY,
    Security, capabilities, capability,
};
pub use signal::signal;
pub use user::{User, number};

use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fs::Mode;
use rustix::process::{Gid, Signal};
use rustix::thread::CpuSet;

/// A program and the surroundings that it is to see.
#[derive(Default)]
pub struct Container<'a> {
    /// The directory that becomes `/`.
    pub root: Root<'a>,
    /// What is mounted in it, parents before what lies in them.
    pub mounts: Vec<Mount<'a>>,
    /// What it has apart from the host.
    pub isolation: Isolation<'a>,
    /// What it may do.
    pub security: Security<'a>,
    /// What runs in it.
    pub process: Process<'a>,
}

/// The program and what it inherits.
#[derive(Default)]
pub struct Process<'a> {
    /// The program and its arguments.
    pub command: Vec<&'a CStr>,
    /// `NAME=value`, each name once.
    pub environment: Vec<&'a CStr>,
    /// Inside the root; `/` unless asked for.
    pub working_directory: &'a CStr,
    /// As whom it runs, if not as the caller (or, without privilege, as root inside).
    pub user: Option<User>,
    /// The supplementary groups; None if nothing was said about them.
    pub groups: Option<Vec<Gid>>,
    /// Descriptors that it keeps, from 3 on.
    pub preserved_descriptors: u32,
    /// Whether it has a terminal of its own.
    pub terminal: bool,
    /// Whether a process of ours reaps what it leaves.
    pub init: bool,
    /// What it gets when the launcher is told to end; `SIGTERM` if nothing is said.
    pub stop_signal: Option<Signal>,
    /// After how many seconds it is killed.
    pub timeout: Option<u32>,
    /// What it may use.
    pub limits: Vec<Limit>,
    /// Which permissions the files that it makes do not have.
    pub umask: Option<Mode>,
    /// How readily the kernel kills it for its memory, -1000 to 1000, as text.
    pub oom_score: Option<&'a CStr>,
    /// How much it gives way to others, -20 to 19.
    pub nice: Option<i32>,
    /// Where it runs.
    pub processors: Option<CpuSet>,
    /// What else it has of its own.
    pub attributes: Attributes<'a>,
}
