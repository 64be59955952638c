//! As whom the program runs.

use crate::text::cut;

/// A user and a group, by number.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct User {
    /// User id inside the container.
    pub user: u32,
    /// Group id inside the container.
    pub group: u32,
}

impl User {
    /// Reads `UID[:GID]`; without a group it is 0, as in Docker. Only digits are numbers here, and
    /// the highest number is none, since setresuid(2) reads it as "leave it as it is".
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (user, group) = cut(text, b':');
        Some(Self { user: id(user)?, group: group.map_or(Some(0), id)? })
    }
}

fn id(digits: &[u8]) -> Option<u32> {
    number(digits).filter(|id| *id != u32::MAX)
}

/// Reads a decimal number: digits, nothing else, and no more than fit.
#[must_use]
pub fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_one_or_two_numbers() {
        assert_eq!(User::parse(b"1000"), Some(User { user: 1000, group: 0 }));
        assert_eq!(User::parse(b"1000:100"), Some(User { user: 1000, group: 100 }));
        assert_eq!(User::parse(b"0:0"), Some(User { user: 0, group: 0 }));
        assert_eq!(User::parse(b"4294967294:1").map(|user| user.user), Some(u32::MAX - 1));
    }

    #[test]
    fn anything_else_is_no_user() {
        for text in [
            "",
            ":",
            "1:",
            ":1",
            "root",
            "0x1",
            "-1",
            "+1",
            " 1",
            "1:2:3",
            "4294967295",
            "4294967296",
        ] {
            assert_eq!(User::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
