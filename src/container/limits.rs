//! What a process may use of the machine, and where: resource limits and processors.

use super::user::number;
use crate::text::{Table, cut, parts, table, wide_number};
use rustix::process::{Resource, Rlimit};
use rustix::thread::CpuSet;

/// A resource limit.
pub struct Limit {
    /// Of what.
    pub resource: Resource,
    /// How much.
    pub values: Rlimit,
}

/// The names of `ulimit`s as in Docker; getrlimit(2).
const RESOURCES: Table<Resource> = table! {
    "as" => Resource::As,
    "core" => Resource::Core,
    "cpu" => Resource::Cpu,
    "data" => Resource::Data,
    "fsize" => Resource::Fsize,
    "locks" => Resource::Locks,
    "memlock" => Resource::Memlock,
    "msgqueue" => Resource::Msgqueue,
    "nice" => Resource::Nice,
    "nofile" => Resource::Nofile,
    "nproc" => Resource::Nproc,
    "rss" => Resource::Rss,
    "rtprio" => Resource::Rtprio,
    "rttime" => Resource::Rttime,
    "sigpending" => Resource::Sigpending,
    "stack" => Resource::Stack,
};

impl Limit {
    /// Reads `NAME=SOFT[:HARD]`, in the kernel's units; `unlimited` or -1 is no limit.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (name, values) = cut(text, b'=');
        let resource = resource(name)?;
        let (soft, hard) = cut(values?, b':');
        let current = value(soft)?;
        let maximum = hard.map_or(Some(current), value)?;
        let is_above = match (current, maximum) {
            (Some(current), Some(maximum)) => current > maximum,
            (None, Some(_)) => true,
            _ => false,
        };
        (!is_above).then_some(Self { resource, values: Rlimit { current, maximum } })
    }
}

/// The resource of this name.
#[must_use]
pub fn resource(name: &[u8]) -> Option<Resource> {
    RESOURCES.get(name).copied()
}

#[allow(clippy::option_option, reason = "not a number, or no limit")]
fn value(text: &[u8]) -> Option<Option<u64>> {
    match text {
        b"unlimited" | b"-1" => Some(None),
        digits => wide_number(digits).map(Some),
    }
}

/// Reads a list of processors, such as `0-3,5`; `cpuset(7)`, "List format".
#[must_use]
pub fn processors(list: &[u8]) -> Option<CpuSet> {
    let mut set = CpuSet::new();
    for part in parts(list, b',') {
        let (start, end) = cut(part, b'-');
        let start = number(start)? as usize;
        let end = end.map_or(Some(start as u32), number)? as usize;
        if start > end || end >= CpuSet::MAX_CPU {
            return None;
        }
        for processor in start..=end {
            set.set(processor);
        }
    }
    Some(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> Option<(Option<u64>, Option<u64>)> {
        Limit::parse(text.as_bytes()).map(|limit| (limit.values.current, limit.values.maximum))
    }

    #[test]
    fn a_limit_is_a_soft_and_perhaps_a_hard_value() {
        assert_eq!(limit("nofile=10:20"), Some((Some(10), Some(20))));
        assert_eq!(limit("nofile=10"), Some((Some(10), Some(10))));
        assert_eq!(limit("core=0:unlimited"), Some((Some(0), None)));
        assert_eq!(limit("core=-1"), Some((None, None)));
        for wrong in ["nofile", "nofile=", "files=1", "nofile=2:1", "nofile=-1:1", "nofile=1:2:3"] {
            assert_eq!(limit(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn processors_are_numbers_and_ranges() {
        let list = |text: &str| {
            let set = processors(text.as_bytes())?;
            Some((0..CpuSet::MAX_CPU).filter(|place| set.is_set(*place)).collect::<Vec<_>>())
        };
        assert_eq!(list("0-2,5"), Some(vec![0, 1, 2, 5]));
        for wrong in ["", "2-1", "1-", "-1", "a", "0,", "99999"] {
            assert_eq!(list(wrong), None, "{wrong}");
        }
    }
}
