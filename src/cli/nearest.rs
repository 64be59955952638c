//! The option that was probably meant, or the command.

use super::options::Options;
use super::runtime::COMMANDS;
use crate::error::Error;
use crate::text::Text;
use core::ffi::CStr;

/// The failure on a word that is perhaps a mistyped command: says so before what else helps.
#[must_use]
pub fn suggest<'a>(typed: &CStr, error: Error<'a>) -> Error<'a> {
    let Some(name) = command(typed.to_bytes()) else { return error };
    let mut hint = Text::new();
    hint.say(rare!("did you mean the command ")).push_raw(name).push("?");
    if !error.hint().is_empty() {
        hint.push(" If not: ").push_raw(error.hint());
    }
    error.with_hint(hint.leak())
}

/// The command that a word is one slip away from. Short words are too near to others.
fn command(typed: &[u8]) -> Option<&'static [u8]> {
    let names = || COMMANDS.words().chain([&b"check"[..], b"rootfs"]);
    // With a slash it is always a program.
    if typed.contains(&b'/') || names().any(|name| name == typed) {
        return None;
    }
    names().find(|name| {
        let is_swapped = || {
            let pairs = name.iter().zip(typed);
            name.len() == typed.len()
                && pairs.filter(|(letter, other)| letter != other).count() == 2
                && name
                    .windows(2)
                    .zip(typed.windows(2))
                    .any(|(pair, other)| pair.iter().rev().eq(other) && !pair.iter().eq(other))
        };
        name.len() > 3 && (distance(typed, name) == 1 || is_swapped())
    })
}

/// The option whose name takes the fewest changes to get to from what was typed, if they are few.
pub fn option(table: &Options, typed: &[u8]) -> Option<&'static [u8]> {
    let mut nearest = (usize::MAX, &b""[..]);
    for long in table.words() {
        let changes = distance(typed, long);
        if changes < nearest.0 {
            nearest = (changes, long);
        }
    }
    let (changes, long) = nearest;
    // More than a third wrong is another word, not a slip.
    let is_a_slip = changes < long.len() / 3;
    (is_a_slip || is_start(typed, long)).then_some(long)
}

fn is_start(typed: &[u8], long: &[u8]) -> bool {
    typed.len() > DASHES_AND_TWO && long.starts_with(typed)
}

const DASHES_AND_TWO: usize = 4;
const NAME_BYTES_MAX: usize = 24;

/// Levenshtein's distance: how many letters are added, left out or replaced. A name that is longer
/// than any option is far from all.
fn distance(from: &[u8], to: &[u8]) -> usize {
    if from.len() >= NAME_BYTES_MAX || to.len() >= NAME_BYTES_MAX {
        return usize::MAX;
    }
    let mut row: [usize; NAME_BYTES_MAX] = core::array::from_fn(|column| column);
    for (line, letter) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::super::options::OPTIONS;
    use super::*;

    #[test]
    fn the_distance_counts_single_letters() {
        assert_eq!(distance(b"rootfs", b"rootfs"), 0);
        assert_eq!(distance(b"rotfs", b"rootfs"), 1);
        assert_eq!(distance(b"", b"env"), 3);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
    }

    #[test]
    fn a_command_is_one_slip_away() {
        for (typed, meant) in [
            ("creat", "create"),
            ("strat", "start"),
            ("lists", "list"),
            ("kll", "kill"),
            ("chekc", "check"),
            ("rotfs", "rootfs"),
            ("delite", "delete"),
        ] {
            assert_eq!(command(typed.as_bytes()), Some(meant.as_bytes()), "{typed}");
        }
        for typed in ["create", "state", "ls", "sh", "rn", "ceraet", "true", "creat/", "--list", ""]
        {
            assert_eq!(command(typed.as_bytes()), None, "{typed}");
        }
    }

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let nearest =
            |typed: &str| option(&OPTIONS, format!("--{typed}").as_bytes()).map(|long| &long[2..]);
        assert_eq!(nearest("rotfs"), Some(&b"rootfs"[..]));
        assert_eq!(nearest("volumes"), Some(&b"volume"[..]));
        assert_eq!(nearest("readonly"), Some(&b"read-only"[..]));
        assert_eq!(nearest("preserve-fd"), Some(&b"preserve-fds"[..]));
        assert_eq!(nearest("work"), Some(&b"workdir"[..]));
        assert_eq!(nearest("wibble"), None);
        assert_eq!(nearest("an-option-that-is-far-too-long"), None);
    }
}
