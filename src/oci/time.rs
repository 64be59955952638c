//! The time of day as engines read it; RFC 3339.

use crate::sys::clock::now;
use crate::text::Text;

/// Now, such as `2026-11-25T11:30:00.123456789Z`.
#[must_use]
pub fn timestamp() -> Text {
    let (seconds, nanoseconds) = now();
    render(seconds.unsigned_abs(), nanoseconds.unsigned_abs())
}

fn render(seconds: u64, nanoseconds: u64) -> Text {
    let (year, month, day) = date(seconds / DAY_SECONDS);
    let time = seconds % DAY_SECONDS;
    let mut text = Text::new();
    for (number, digits, behind) in [
        (year, 4, "-"),
        (month, 2, "-"),
        (day, 2, "T"),
        (time / 3600, 2, ":"),
        (time / 60 % 60, 2, ":"),
        (time % 60, 2, "."),
        (nanoseconds, 9, "Z"),
    ] {
        let mut smallest = 10_u64.pow(digits - 1);
        while smallest > number.max(1) {
            text.push("0");
            smallest /= 10;
        }
        text.push_number(number).push(behind);
    }
    text
}

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
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
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
