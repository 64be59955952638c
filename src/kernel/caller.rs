//! Who calls, and what the kernel lets them do and does for them.

use super::settings::read_file;
use crate::text::{cut, wide_number};
use rustix::process::{getegid, geteuid};
use rustix::system::uname;
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
    /// The version of Linux, as two numbers; zero if it cannot be told.
    pub kernel: (u16, u16),
}

/// Whether this user namespace is the host's own, in which all ids are themselves.
#[must_use]
pub fn is_initial_namespace() -> bool {
    let map = read_file(c"/proc/self/uid_map").unwrap_or_default();
    let mut words = map.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let all = [&b"0"[..], b"0", b"4294967295"];
    all.iter().all(|number| words.next() == Some(number))
}

impl Caller {
    /// Asks the kernel. Where it does not answer, the caller counts as ordinary.
    #[must_use]
    pub fn current() -> Self {
        let privileged =
            capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
        Self {
            privileged,
            user: geteuid().as_raw(),
            group: getegid().as_raw(),
            kernel: version(uname().release().to_bytes()).unwrap_or_default(),
        }
    }

    /// Whether executing a program enters the time namespace that was made before.
    #[must_use]
    pub fn enters_time_by_exec(&self) -> bool {
        self.kernel >= (6, 2)
    }
}

/// The version in the name of a release, such as `6.1.0-13-amd64`.
fn version(release: &[u8]) -> Option<(u16, u16)> {
    let (major, rest) = cut(release, b'.');
    let rest = rest?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let number = |digits| u16::try_from(wide_number(digits)?).ok();
    Some((number(major)?, number(rest.get(..end)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_two_numbers() {
        assert_eq!(version(b"6.1.0-13-amd64"), Some((6, 1)));
        assert_eq!(version(b"5.10"), Some((5, 10)));
        assert_eq!(version(b"6.2-rc1"), Some((6, 2)));
        assert_eq!(version(b"6"), None);
        assert!(version(b"10.0.1") >= Some((6, 2)));
        assert!(version(b"5.19") < Some((6, 2)));
    }
}
