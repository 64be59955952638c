//! Who calls, and what the kernel lets them do.

use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, capabilities};

/// Who calls.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug))]
pub struct Caller {
    /// Whether it may make namespaces and mounts as it is: it is root, or has `CAP_SYS_ADMIN`;
    /// capabilities(7).
    pub privileged: bool,
    /// Effective user id.
    pub user: u32,
    /// Effective group id.
    pub group: u32,
}

impl Caller {
    /// Asks the kernel. Where it does not answer, the caller counts as ordinary.
    #[must_use]
    pub fn current() -> Self {
        let privileged =
            capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
        Self { privileged, user: geteuid().as_raw(), group: getegid().as_raw() }
    }
}
