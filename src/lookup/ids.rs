//! Which ids of the host the caller may use in a user namespace; subuid(5), subgid(5).

use crate::container::{IdMap, IdRange, number};
use crate::error::{Error, Why, status};
use crate::kernel::caller::Caller;
use crate::kernel::settings::read_file;
use crate::text::{Text, cut, parts};
use alloc::vec::Vec;
use core::ffi::CStr;

/// Puts ranges in the place of `auto`; subuid(5), subgid(5).
///
/// # Errors
///
/// That the caller has none.
#[inline(never)]
pub fn auto(users: &mut IdMap, groups: &mut IdMap, caller: Caller) -> Result<(), Error<'static>> {
    if matches!(users, IdMap::Auto) {
        *users = ranges(c"/etc/subuid", caller.user, caller)?;
    }
    if matches!(groups, IdMap::Auto) {
        *groups = ranges(c"/etc/subgid", caller.group, caller)?;
    }
    Ok(())
}

/// The caller's ranges one after the other; without privilege behind the caller's own id, which is
/// then root inside.
fn ranges(path: &'static CStr, own: u32, caller: Caller) -> Result<IdMap, Error<'static>> {
    let users = read_file(c"/etc/passwd").unwrap_or_default();
    let name = name_of(users, caller.user);
    let mut ranges = Vec::new();
    if !caller.privileged {
        ranges.push(IdRange { inside: 0, outside: own, count: 1 });
    }
    let first = ranges.len();
    let lines = read_file(path).unwrap_or_default();
    add_ranges(&mut ranges, lines, name, caller.user);
    if ranges.len() == first {
        let mut hint = Text::new();
        hint.say(rare!("as root, add a line such as ")).push_name(name.unwrap_or(b"USER"));
        hint.say(rare!(":100000:65536 to it"));
        let mut why = Text::new();
        why.push_number(caller.user.into());
        let why = Why::Missing(rare!("a range for user"), why.leak());
        let doing = rare!("map the ids of");
        return Err(Error::new(doing, path.to_bytes(), why, hint.leak(), status::FAILED));
    }
    Ok(IdMap::Ranges(ranges.leak()))
}

/// Whether the caller has ranges of both kinds.
#[must_use]
pub fn has_ranges(caller: Caller) -> bool {
    [c"/etc/subuid", c"/etc/subgid"].iter().all(|path| subordinate_ids(path, caller) > 0)
}

/// How many ids the file gives to the caller.
#[must_use]
pub fn subordinate_ids(path: &CStr, caller: Caller) -> u64 {
    let users = read_file(c"/etc/passwd").unwrap_or_default();
    let lines = read_file(path).unwrap_or_default();
    let mut ranges = Vec::new();
    add_ranges(&mut ranges, lines, name_of(users, caller.user), caller.user);
    ranges.iter().map(|range| u64::from(range.count)).sum()
}

/// Adds the ranges of a user, who is called by name or by number.
fn add_ranges(ranges: &mut Vec<IdRange>, lines: &[u8], name: Option<&[u8]>, user: u32) {
    for line in parts(lines, b'\n') {
        let (whose, rest) = cut(line, b':');
        if Some(whose) != name && number(whose) != Some(user) {
            continue;
        }
        let (start, count) = cut(rest.unwrap_or_default(), b':');
        let inside = ranges.last().map_or(Some(0), |last| last.inside.checked_add(last.count));
        let numbers = (inside, number(start), count.and_then(number));
        if let (Some(inside), Some(outside), Some(count @ 1..)) = numbers {
            ranges.push(IdRange { inside, outside, count });
        }
    }
}

/// The name of a user; passwd(5).
fn name_of(users: &[u8], wanted: u32) -> Option<&[u8]> {
    parts(users, b'\n').find_map(|line| {
        let mut fields = parts(line, b':');
        let name = fields.next()?;
        let user = fields.nth(1).and_then(number);
        (user == Some(wanted)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_each_other_inside() {
        let lines = b"alice:100000:65536\nbob:1:1\n1000:300000:10\nalice:x:1\nalice:5\nalice:7:0\n";
        let mut ranges = [IdRange { inside: 0, outside: 1000, count: 1 }].to_vec();
        add_ranges(&mut ranges, lines, Some(b"alice"), 1000);
        let range = |inside, outside, count| IdRange { inside, outside, count };
        assert_eq!(ranges[1..], [range(1, 100_000, 65536), range(65537, 300_000, 10)]);
        let mut none = Vec::new();
        add_ranges(&mut none, lines, None, 1001);
        assert!(none.is_empty());
    }

    #[test]
    fn a_user_has_a_name() {
        let users = b"root:x:0:0::/:/bin/sh\nalice:x:1000:100::/:/bin/sh\n";
        assert_eq!(name_of(users, 1000), Some(&b"alice"[..]));
        assert_eq!(name_of(users, 100), None);
    }
}
