//! What the program has apart from the host, besides its root: the kinds of namespaces by the names
//! that a user gives them, and what is set up in each.

use super::keep;
use super::network::Network;
use super::user::number;
use crate::sys::namespaces::Namespaces;
use crate::text::{Text, cut, parts};
use alloc::vec::Vec;
use core::ffi::CStr;

/// The isolations of a container, besides that of its file system.
#[derive(Default)]
pub struct Isolation<'a> {
    /// What it has of its own.
    pub namespaces: Namespaces,
    /// What it shares with something that runs already.
    pub joined: Vec<Join<'a>>,
    /// Its host name; of use with a UTS namespace.
    pub hostname: Option<&'a CStr>,
    /// Its NIS domain name; likewise.
    pub domainname: Option<&'a CStr>,
    /// What its clocks are ahead; of use with a time namespace.
    pub clocks: Clocks<'a>,
    /// Which users of the host it knows; of use with a user namespace.
    pub users: IdMap,
    /// Which groups of the host it knows; likewise.
    pub groups: IdMap,
    /// How it reaches a network; of use with a network namespace.
    pub network: Network<'a>,
    /// Interfaces of the host that become its own: the host's name, and its.
    pub net_devices: Vec<(&'a CStr, &'a CStr)>,
    /// Settings of the kernel's that belong to its namespaces: the file below `/proc/sys`, and the value.
    pub sysctls: Vec<(&'a CStr, &'a CStr)>,
}

impl Isolation<'_> {
    /// Whether an existing namespace of this kind is entered.
    #[must_use]
    #[inline(never)]
    pub fn joins(&self, kind: Namespaces) -> bool {
        self.joined.iter().any(|join| join.kind == kind)
    }
}

/// The kinds of namespaces: the user's name, the kernel's, and the kind.
pub const KINDS: [(&str, &str, Namespaces); 8] = [
    ("filesystem", "mnt", Namespaces::MOUNT),
    ("process", "pid", Namespaces::PID),
    ("user", "user", Namespaces::USER),
    ("ipc", "ipc", Namespaces::IPC),
    ("network", "net", Namespaces::NET),
    ("hostname", "uts", Namespaces::UTS),
    ("cgroup", "cgroup", Namespaces::CGROUP),
    ("time", "time", Namespaces::TIME),
];

/// All kinds but the mounts, which are always the container's own.
pub const ALL: Namespaces = Namespaces::PID
    .and(Namespaces::USER)
    .and(Namespaces::IPC)
    .and(Namespaces::NET)
    .and(Namespaces::UTS)
    .and(Namespaces::CGROUP)
    .and(Namespaces::TIME);

fn kind(name: &[u8]) -> Option<Namespaces> {
    let is_named =
        |entry: &&(&str, &str, _)| [entry.0.as_bytes(), entry.1.as_bytes()].contains(&name);
    KINDS.iter().find(is_named).map(|entry| entry.2)
}

/// Reads a list of kinds, such as `process,ipc`, or `all`; None if one is unknown.
#[must_use]
pub fn kinds(list: &[u8]) -> Option<Namespaces> {
    let mut kinds = Namespaces::NONE;
    for name in parts(list, b',') {
        kinds = kinds.and(if name == b"all" { ALL } else { kind(name)? });
    }
    Some(kinds.without(Namespaces::MOUNT))
}

/// A namespace that exists, to be entered.
#[derive(Clone, Copy)]
pub struct Join<'a> {
    /// Of which kind it is.
    pub kind: Namespaces,
    /// A file that stands for it, such as `/proc/PID/ns/net`.
    pub path: &'a CStr,
}

impl Join<'_> {
    /// Reads `NAME=PATH`.
    #[must_use]
    pub fn parse(text: &CStr) -> Option<Join<'static>> {
        let (name, path) = cut(text.to_bytes(), b'=');
        let path = path.filter(|path| !path.is_empty())?;
        Some(Join { kind: kind(name)?, path: keep(path)? })
    }
}

/// What the clocks of a time namespace are ahead of the host's; `time_namespaces(7)`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Clocks<'a> {
    /// `CLOCK_MONOTONIC`: seconds and nanoseconds, as the kernel reads them.
    pub monotonic: Option<&'a [u8]>,
    /// `CLOCK_BOOTTIME`, likewise.
    pub boottime: Option<&'a [u8]>,
}

impl Clocks<'_> {
    /// Whether one of them differs.
    #[must_use]
    pub fn differ(&self) -> bool {
        self.monotonic.or(self.boottime).is_some()
    }

    /// The lines for `/proc/self/timens_offsets`; empty if nothing is set.
    #[must_use]
    pub fn lines(&self) -> &'static [u8] {
        let mut text = Text::new();
        for (name, offset) in [("monotonic ", self.monotonic), ("boottime ", self.boottime)] {
            if let Some(offset) = offset {
                text.push(name).push_name(offset).push("\n");
            }
        }
        text.leak()
    }

    /// Reads `monotonic=SECONDS,boottime=SECONDS`, either or both; the seconds may be negative and
    /// have a fraction.
    #[must_use]
    pub fn parse(text: &CStr) -> Option<Clocks<'static>> {
        let mut clocks = Clocks::default();
        for part in parts(text.to_bytes(), b',') {
            let (name, seconds) = cut(part, b'=');
            let offset = Some(&*offset(seconds?)?.leak());
            match name {
                b"monotonic" => clocks.monotonic = offset,
                b"boottime" => clocks.boottime = offset,
                _ => return None,
            }
        }
        Some(clocks)
    }
}

/// `SECONDS[.FRACTION]` as `SECONDS NANOSECONDS`, of which the kernel wants the second from 0 up.
fn offset(text: &[u8]) -> Option<Vec<u8>> {
    const DIGITS: usize = 9;
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let (whole, fraction) = cut(digits, b'.');
    let mut seconds = number(whole)?;
    let mut nanoseconds = 0;
    if let Some(fraction) = fraction {
        let scale = DIGITS.checked_sub(fraction.len())?;
        nanoseconds = number(fraction)? * 10_u32.pow(scale as u32);
    }
    if is_negative && nanoseconds > 0 {
        seconds = seconds.checked_add(1)?;
        nanoseconds = 1_000_000_000 - nanoseconds;
    }
    let mut text = Text::new();
    text.push(if is_negative { "-" } else { "" }).push_number(seconds.into()).push(" ");
    text.push_number(nanoseconds.into());
    Some(text.as_bytes().to_vec())
}

/// Which ids of the host are known in a user namespace, and as what.
#[derive(Clone, Copy, Default)]
pub enum IdMap {
    /// The caller's own, as the user that runs.
    #[default]
    Own,
    /// All that `/etc/subuid` or `/etc/subgid` gives to the caller, behind the caller's own as 0.
    Auto,
    /// These.
    Ranges(&'static [IdRange]),
}

impl IdMap {
    /// Whether it was asked for.
    #[must_use]
    pub fn is_said(&self) -> bool {
        !matches!(self, Self::Own)
    }
}

/// Ids that follow each other.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct IdRange {
    /// The first of them in the container.
    pub inside: u32,
    /// The first of them on the host.
    pub outside: u32,
    /// How many there are.
    pub count: u32,
}

impl IdRange {
    /// Reads `INSIDE:OUTSIDE:COUNT`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = parts(text, b':').map(number);
        let mut next = || fields.next().flatten();
        let range = Self { inside: next()?, outside: next()?, count: next()? };
        let fits = |first: u32| first.checked_add(range.count).is_some();
        let is_one = range.count > 0 && fits(range.inside) && fits(range.outside);
        (is_one && fields.next().is_none()).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_users_names_and_the_kernels() {
        assert_eq!(kinds(b"process,net"), Some(Namespaces::PID.and(Namespaces::NET)));
        assert_eq!(kinds(b"all"), Some(ALL));
        assert_eq!(kinds(b"filesystem"), Some(Namespaces::NONE), "it always is");
        assert_eq!(kinds(b"process,"), None);
        assert_eq!(kinds(b"Process"), None);
    }

    #[test]
    fn a_join_is_a_kind_and_a_path() {
        let join = Join::parse(c"net=/run/netns/a=b").unwrap();
        assert_eq!((join.kind, join.path), (Namespaces::NET, c"/run/netns/a=b"));
        for text in [c"net", c"net=", c"=x", c"nets=/x"] {
            assert!(Join::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn offsets_are_seconds_and_nanoseconds_from_zero_up() {
        let text =
            |text: &str| offset(text.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        assert_eq!(text("86400").as_deref(), Some("86400 0"));
        assert_eq!(text("-1.25").as_deref(), Some("-2 750000000"));
        assert_eq!(text("+0.000000001").as_deref(), Some("0 1"));
        for wrong in ["", "-", "1.", "1.0000000001", "x", "1.x", "99999999999"] {
            assert_eq!(text(wrong), None, "{wrong}");
        }
        let clocks = Clocks::parse(c"boottime=7,monotonic=1").unwrap();
        assert_eq!(clocks.boottime, Some(&b"7 0"[..]));
        assert_eq!(Clocks::parse(c"realtime=7"), None);
        assert_eq!(Clocks::parse(c"boottime"), None);
    }

    #[test]
    fn a_range_is_three_numbers_that_fit() {
        let range = IdRange { inside: 0, outside: 100_000, count: 65536 };
        assert_eq!(IdRange::parse(b"0:100000:65536"), Some(range));
        for wrong in ["", "0:1", "0:1:0", "0:1:2:3", "0:4294967295:1", "a:1:1", "-1:1:1"] {
            assert_eq!(IdRange::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
