//! Who a user of an image is: names and numbers looked up in its passwd(5) and group(5), as Docker
//! does.

use crate::container::{User, number};
use crate::error::{Error, Why, status};
use crate::rare::Rare;
use crate::text::{cut, parts, together};
use alloc::vec::Vec;
use rustix::process::Gid;

/// A user, in numbers.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub struct Identity<'a> {
    /// User and group.
    pub user: User,
    /// The groups that the user is a member of besides.
    pub groups: Vec<Gid>,
    /// The user's folder.
    pub home: Option<&'a [u8]>,
}

/// Finds the user `NAME|UID[:GROUP|GID]` in these files' content.
///
/// # Errors
///
/// That the image does not know the name.
pub fn find<'a>(
    typed: &[u8],
    passwd: &'a [u8],
    group: &[u8],
) -> Result<Identity<'a>, Error<'static>> {
    let (name, group_name) = cut(typed, b':');
    let entry = parts(passwd, b'\n').map(Account::of).find(|account| account.is(name));
    let user = entry.as_ref().and_then(|account| account.user).or_else(|| number(name));
    let user = user.ok_or_else(|| {
        unknown(rare!("find the user"), name, rare!("the image has no such user"))
    })?;
    let mut groups = Vec::new();
    let of_user = match group_name {
        None | Some(b"") => {
            if let Some(account) = &entry {
                add_groups(account, group, &mut groups);
            }
            entry.as_ref().and_then(|account| account.group).unwrap_or(0)
        }
        Some(wanted) => {
            let known = parts(group, b'\n').find_map(|line| {
                let (name, number) = name_and_number(line)?;
                (name == wanted).then_some(number)
            });
            let why = rare!("the image has no such group");
            known
                .or_else(|| number(wanted))
                .ok_or_else(|| unknown(rare!("find the group"), wanted, why))?
        }
    };
    if user == u32::MAX || of_user == u32::MAX {
        return Err(unknown(
            rare!("find the user"),
            typed,
            rare!("the highest number is nobody's"),
        ));
    }
    let home = entry.and_then(|account| account.home).filter(|home| !home.is_empty());
    Ok(Identity { user: User { user, group: of_user }, groups, home })
}

/// A line of passwd(5).
struct Account<'a> {
    name: &'a [u8],
    user: Option<u32>,
    group: Option<u32>,
    home: Option<&'a [u8]>,
}

impl<'a> Account<'a> {
    fn of(line: &'a [u8]) -> Self {
        let mut fields = parts(line, b':');
        let name = fields.next().unwrap_or_default();
        let user = fields.nth(1).and_then(number);
        let group = fields.next().and_then(number);
        Self { name, user, group, home: fields.nth(1) }
    }

    /// A name of digits is a number.
    fn is(&self, wanted: &[u8]) -> bool {
        let number = number(wanted);
        self.user.is_some()
            && (self.name == wanted && !wanted.is_empty()
                || number.is_some() && self.user == number)
    }
}

fn name_and_number(line: &[u8]) -> Option<(&[u8], u32)> {
    let mut fields = parts(line, b':');
    let name = fields.next()?;
    Some((name, fields.nth(1).and_then(number)?))
}

/// Adds the groups that list the user.
fn add_groups(account: &Account<'_>, lines: &[u8], groups: &mut Vec<Gid>) {
    for line in parts(lines, b'\n') {
        let Some((_, number)) = name_and_number(line) else { continue };
        let members = parts(line, b':').nth(3).unwrap_or_default();
        let is_member = parts(members, b',').any(|member| member == account.name);
        if is_member && Some(number) != account.group && number != u32::MAX {
            groups.push(Gid::from_raw(number));
        }
    }
}

fn unknown(doing: Rare, name: &[u8], why: Rare) -> Error<'static> {
    let hint = rare!("numbers need no names: --user UID[:GID]").bytes();
    Error::new(doing, together(&[name]), Why::Text(why), hint, status::FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\nme:x:1000:100::/home/me:\n7:x:8:9:::\n";
    const GROUP: &[u8] = b"root:x:0:\nusers:x:100:me\naudio:x:29:you,me\nempty:x:30:\n";

    fn found(typed: &str) -> Option<(u32, u32, Vec<u32>, Option<String>)> {
        let identity = find(typed.as_bytes(), PASSWD, GROUP).ok()?;
        let groups = identity.groups.iter().map(|group| group.as_raw()).collect();
        let home = identity.home.map(|home| String::from_utf8(home.to_vec()).unwrap());
        Some((identity.user.user, identity.user.group, groups, home))
    }

    #[test]
    fn a_user_has_a_name_or_a_number() {
        let home = Some("/home/me".to_string());
        assert_eq!(found("me"), Some((1000, 100, vec![29], home.clone())));
        assert_eq!(found("1000"), Some((1000, 100, vec![29], home.clone())));
        assert_eq!(found("me:audio"), Some((1000, 29, vec![], home.clone())));
        assert_eq!(found("me:5"), Some((1000, 5, vec![], home)));
        assert_eq!(found("4000"), Some((4000, 0, vec![], None)));
        assert_eq!(found("4000:users"), Some((4000, 100, vec![], None)));
        for wrong in ["you", "", ":", "me:none", "4294967295", "-1"] {
            assert_eq!(found(wrong), None, "{wrong}");
        }
    }
}
