//! What else a process has of its own: how it is scheduled, how its memory is placed, how it is labelled.

use core::ffi::CStr;
use rustix::thread::CpuSet;

pub use crate::sys::scheduling::{MemoryPolicy, Scheduler};

/// What is None stays as it is.
#[derive(Default)]
pub struct Attributes<'a> {
    /// How it is scheduled; `sched_setattr(2)`.
    pub scheduler: Option<Scheduler>,
    /// How its reading and writing is scheduled, as `ioprio_set(2)` takes it.
    pub io_priority: Option<u16>,
    /// Where its memory is; `set_mempolicy(2)`.
    pub memory_policy: Option<MemoryPolicy>,
    /// Its execution domain; personality(2).
    pub personality: Option<u32>,
    /// The profile of `AppArmor` that it is executed under.
    pub apparmor: Option<&'a CStr>,
    /// The label of `SELinux` that it is executed with.
    pub selinux: Option<&'a CStr>,
    /// The name of its own session keyring, if it gets one; keyrings(7).
    pub keyring: Option<&'a CStr>,
    /// Rows and columns of its terminal.
    pub console_size: Option<(u16, u16)>,
    /// Where a process runs that joins the container, before it has, and then.
    pub exec_processors: [Option<CpuSet>; 2],
}

impl Attributes<'_> {
    /// Whether there is anything to set at once.
    #[must_use]
    pub fn are_asked_for(&self) -> bool {
        self.scheduler.is_some()
            || self.io_priority.is_some()
            || self.memory_policy.is_some()
            || self.personality.is_some()
            || self.keyring.is_some()
    }
}
