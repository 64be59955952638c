//! Who calls, and what the kernel lets them do.

use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, capabilities};

/// Whether the caller may make namespaces and mounts as it is.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug))]
pub enum Caller {
    /// Root, or a process with `CAP_SYS_ADMIN`; capabilities(7).
    Privileged,
    /// Anybody else, with the ids that a user namespace can map.
    Ordinary {
        /// Effective user id.
        user: u32,
        /// Effective group id.
        group: u32,
    },
}

impl Caller {
    /// Asks the kernel. Where it does not answer, the caller counts as ordinary.
    #[must_use]
    pub fn current() -> Self {
        let privileged =
            capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
        if privileged {
            return Self::Privileged;
        }
        Self::Ordinary { user: geteuid().as_raw(), group: getegid().as_raw() }
    }
}
