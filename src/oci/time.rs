//! The time of day as engines read it; RFC 3339.

use crate::sys::clock::now;
use crate::text::{Text, decimal};

/// Now, such as `2026-11-25T11:30:00.123456789Z`.
#[must_use]
pub fn timestamp() -> Text {
    let (seconds, nanoseconds) = now();
    render(seconds.unsigned_abs(), nanoseconds.unsigned_abs())
}

fn render(seconds: u64, nanoseconds: u64) -> Text {
    let (year, month, day) = date(seconds / DAY_SECONDS);
    let time = seconds % DAY_SECONDS;
    let numbers = [year, month, day, time / 3600, time / 60 % 60, time % 60, nanoseconds];
    let mut text = Text::new();
    for (number, (digits, behind)) in numbers.iter().zip(&PLACES) {
        // With a one before them, there are as many digits as there should be.
        let whole = decimal(10_u64.pow(*digits) + number);
        text.push_raw(whole.get(1..).unwrap_or_default()).push_raw(&[*behind]);
    }
    text
}

/// How many digits each number has, and what is behind them.
static PLACES: [(u32, u8); 7] =
    [(4, b'-'), (2, b'-'), (2, b'T'), (2, b':'), (2, b':'), (2, b'.'), (9, b'Z')];

const DAY_SECONDS: u64 = 86_400;

/// The date so many days after the beginning of 1970, in the Gregorian calendar.
fn date(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30_u8] {
        let length = u64::from(length) + u64::from(month == 2 && is_leap(year));
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_dates() {
        let text = |seconds, nanoseconds| {
            String::from_utf8(render(seconds, nanoseconds).as_bytes().to_vec()).unwrap()
        };
        assert_eq!(text(0, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(text(951_827_696, 7), "2000-02-29T12:34:56.000000007Z");
        assert_eq!(text(1_709_251_199, 999_999_999), "2024-02-29T23:59:59.999999999Z");
        assert_eq!(text(1_709_251_200, 120), "2024-03-01T00:00:00.000000120Z");
        assert_eq!(text(1_767_225_599, 1), "2025-12-31T23:59:59.000000001Z");
    }
}
