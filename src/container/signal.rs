//! Signals by their names and numbers; signal(7).

use super::number;
use crate::sys::signals::numbered;
use crate::text::place;
use rustix::process::Signal;

/// From number 1 on, as on x86-64 and aarch64.
const NAMES: &str = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT \
    CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/// The first real-time signal that programs use; the C library keeps two to itself.
const RTMIN: u32 = 34;
const RTMAX: u32 = 64;

/// Reads `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3` or `RTMAX-1`.
#[must_use]
pub fn signal(text: &[u8]) -> Option<Signal> {
    let name = text.strip_prefix(b"SIG").unwrap_or(text);
    let raw = if let Some(number) = number(name) {
        number
    } else if let Some(above) = name.strip_prefix(b"RTMIN") {
        RTMIN.checked_add(distance(above, b'+')?)?
    } else if let Some(below) = name.strip_prefix(b"RTMAX") {
        RTMAX.checked_sub(distance(below, b'-')?)?
    } else {
        place(NAMES, name)? as u32 + 1
    };
    numbered(raw)
}

/// The number behind a sign; 0 if there is nothing.
fn distance(text: &[u8], sign: u8) -> Option<u32> {
    match text {
        [] => Some(0),
        [first, digits @ ..] if *first == sign => number(digits),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_a_name_and_a_number() {
        let raw = |text: &str| signal(text.as_bytes()).map(Signal::as_raw);
        assert_eq!(raw("SIGTERM"), Some(15));
        assert_eq!(raw("INT"), Some(2));
        assert_eq!(raw("28"), Some(28));
        assert_eq!(raw("SIGSYS"), Some(31));
        assert_eq!(raw("SIGRTMIN+3"), Some(37));
        assert_eq!(raw("RTMAX"), Some(64));
        assert_eq!(raw("SIGRTMAX-1"), Some(63));
        for wrong in ["", "0", "65", "SIG", "SIGTERMS", "RTMIN-1", "RTMIN+31", "33", "term"] {
            assert_eq!(raw(wrong), None, "{wrong}");
        }
    }
}
