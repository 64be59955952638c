//! The program's environment: the caller's, changed by what the user sets.

use crate::text::cut;
use alloc::vec::Vec;
use core::ffi::CStr;

/// Applies the `settings` (`NAME=value`, or `NAME` for the caller's value) in their order to these
/// variables.
#[must_use]
pub fn apply<'a>(
    callers: &[&'a CStr],
    mut variables: Vec<&'a CStr>,
    settings: &[&'a CStr],
) -> Vec<&'a CStr> {
    for setting in settings {
        if let Some(place) = place_of(&variables, name(setting)) {
            variables.remove(place);
        }
        if cut(setting.to_bytes(), b'=').1.is_some() {
            variables.push(setting);
        } else {
            let callers_own = place_of(callers, name(setting)).and_then(|place| callers.get(place));
            variables.extend(callers_own);
        }
    }
    variables
}

/// The value of a variable.
#[must_use]
pub fn value<'a>(variables: &[&'a CStr], wanted: &[u8]) -> Option<&'a [u8]> {
    cut(variables.get(place_of(variables, wanted)?)?.to_bytes(), b'=').1
}

/// Where a program without a slash is looked for when the environment has no PATH; Docker's.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The folders in which programs are looked for, with colons between them.
#[must_use]
pub fn path<'a>(variables: &[&'a CStr]) -> &'a [u8] {
    value(variables, b"PATH").unwrap_or(DEFAULT_PATH)
}

fn place_of(variables: &[&CStr], wanted: &[u8]) -> Option<usize> {
    variables.iter().position(|variable| name(variable) == wanted)
}

fn name(variable: &CStr) -> &[u8] {
    cut(variable.to_bytes(), b'=').0
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLERS: [&CStr; 2] = [c"HOME=/root", c"TERM=xterm"];

    fn from_callers<'a>(settings: &[&'a CStr]) -> Vec<&'a CStr> {
        apply(&CALLERS, CALLERS.to_vec(), settings)
    }

    #[test]
    fn the_callers_is_passed_on_and_changed() {
        assert_eq!(from_callers(&[]), CALLERS);
        assert_eq!(
            from_callers(&[c"HOME=/", c"A=1", c"A=2=3"]),
            [c"TERM=xterm", c"HOME=/", c"A=2=3"]
        );
    }

    #[test]
    fn a_name_alone_stands_for_the_callers_value() {
        assert_eq!(apply(&CALLERS, Vec::new(), &[c"TERM", c"NONE"]), [c"TERM=xterm"]);
        assert_eq!(from_callers(&[c"HOME=/", c"HOME"]), [c"TERM=xterm", c"HOME=/root"]);
        assert!(apply(&CALLERS, Vec::new(), &[]).is_empty());
    }

    #[test]
    fn a_value_is_what_follows_the_first_equals_sign() {
        assert_eq!(value(&CALLERS, b"TERM"), Some(&b"xterm"[..]));
        assert_eq!(value(&[c"A=b=c", c"A=d"], b"A"), Some(&b"b=c"[..]));
        assert_eq!(value(&CALLERS, b"TER"), None);
    }
}
