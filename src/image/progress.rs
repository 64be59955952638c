//! How far the unpacking is: one line a layer on standard error, if that is a terminal.

use crate::sys::clock::milliseconds;
use crate::sys::files::standard_error;
use crate::text::Text;
use rustix::termios::isatty;

/// The line of one layer.
pub struct Progress {
    name: Option<Text>,
    all: u64,
    start: i64,
    last: i64,
}

/// Between two writings of the line.
const INTERVAL_MS: i64 = 100;
/// As much of a name as is shown: of a digest, more than enough to tell it.
const NAME_BYTES: usize = 19;

impl Progress {
    /// Of a layer of so many bytes; nothing is written if it is not wanted, or nobody looks.
    #[must_use]
    pub fn new(name: &[u8], all: u64, is_quiet: bool) -> Self {
        let is_seen = !is_quiet && isatty(standard_error());
        let last = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let mut shown = Text::new();
        shown.push_name(last.get(..NAME_BYTES).unwrap_or(last));
        let now = if is_seen { milliseconds() } else { 0 };
        Self { name: is_seen.then_some(shown), all, start: now, last: now }
    }

    /// Says that so many bytes have been read by now.
    pub fn reached(&mut self, bytes: u64) {
        if self.name.is_none() {
            return;
        }
        let now = milliseconds();
        if now - self.last >= INTERVAL_MS {
            self.last = now;
            self.write(bytes, now, "");
        }
    }

    /// Ends the line.
    pub fn finish(&self) {
        if self.name.is_some() {
            self.write(self.all, milliseconds(), "\n");
        }
    }

    fn write(&self, bytes: u64, now: i64, end: &str) {
        let line = self.line(bytes, now, end);
        // Nobody is told how far it is, then.
        let _ = line.write_to(standard_error());
    }

    fn line(&self, bytes: u64, now: i64, end: &str) -> Text {
        let mut line = Text::new();
        let name = self.name.as_ref().map_or(&b""[..], Text::as_bytes);
        let percent = bytes.saturating_mul(100).checked_div(self.all).unwrap_or(100).min(100);
        let elapsed = now.saturating_sub(self.start).max(1).unsigned_abs();
        let rate = bytes.saturating_mul(1000) / elapsed;
        line.push("\r").push_raw(name).push(": ");
        push_bytes(&mut line, bytes).push(" of ");
        push_bytes(&mut line, self.all).push(", ").push_number(percent).push(" %, ");
        // What stood there before may have been longer.
        push_bytes(&mut line, rate).push("/s\x1b[K").push(end);
        line
    }
}

/// A size in the largest unit of which it has ten.
fn push_bytes(text: &mut Text, bytes: u64) -> &mut Text {
    let (divisor, unit) = match bytes {
        0..10_000 => (1, " B"),
        10_000..10_000_000 => (1000, " kB"),
        _ => (1_000_000, " MB"),
    };
    text.push_number(bytes / divisor).push(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_of_what_and_how_fast() {
        let mut name = Text::new();
        name.push("0123456789ab");
        let progress = Progress { name: Some(name), all: 40_000_000, start: 1000, last: 0 };
        let line = progress.line(10_000_000, 3000, "");
        let line = std::str::from_utf8(line.as_bytes()).unwrap();
        assert_eq!(line, "\r0123456789ab: 10 MB of 40 MB, 25 %, 5000 kB/s\x1b[K");
    }

    #[test]
    fn an_empty_layer_is_done() {
        let progress = Progress { name: Some(Text::new()), all: 0, start: 0, last: 0 };
        assert!(progress.line(0, 0, "\n").as_bytes().ends_with(b"100 %, 0 B/s\x1b[K\n"));
    }
}
