//! What the first line of a script asks for: execve(2), "Interpreter scripts", and env(1), which most
//! scripts leave the search to.

use crate::kernel::program::first_word;
use crate::text::cut;

/// The words behind `#!`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Script<'a> {
    /// The interpreter.
    pub interpreter: &'a [u8],
    /// The program that env(1) is to find.
    pub program: Option<&'a [u8]>,
}

/// As much of the first line as the kernel reads.
pub const LINE_BYTES: usize = 256;

/// Reads the start of a file; None if it is no script.
#[must_use]
pub fn read(head: &[u8]) -> Option<Script<'_>> {
    let (line, _) = cut(head.strip_prefix(b"#!")?, b'\n');
    let (interpreter, rest) = first_word(line)?;
    let is_env = super::tree::split(interpreter).1 == b"env";
    Some(Script { interpreter, program: is_env.then(|| program_of_env(rest)).flatten() })
}

/// The first word that is neither an option nor sets a variable.
fn program_of_env(mut words: &[u8]) -> Option<&[u8]> {
    loop {
        let (mut word, mut rest) = first_word(words)?;
        for split in [&b"-S"[..], b"--split-string=", b"-vS"] {
            word = word.strip_prefix(split).unwrap_or(word);
        }
        if matches!(word, b"-u" | b"-C") {
            rest = first_word(rest)?.1;
        } else if !word.is_empty() && word.first() != Some(&b'-') && cut(word, b'=').1.is_none() {
            return Some(word);
        }
        words = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(head: &str) -> Option<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        read(head.as_bytes()).map(|script| (text(script.interpreter), script.program.map(text)))
    }

    #[test]
    fn the_interpreter_is_the_first_word() {
        assert_eq!(words("#!/bin/sh\nx"), Some(("/bin/sh".into(), None)));
        assert_eq!(words("#! /bin/sh\0x\n"), Some(("/bin/sh".into(), None)));
        assert_eq!(words("#!/bin/sh\r\n"), Some(("/bin/sh\r".into(), None)));
        assert_eq!(words("#! /bin/sh -e"), Some(("/bin/sh".into(), None)));
        for none in ["", "#!", "#! \n/bin/sh", "\n#!/bin/sh", "/bin/sh"] {
            assert_eq!(words(none), None, "{none:?}");
        }
    }

    #[test]
    fn env_finds_a_program() {
        for line in [
            "python3",
            " python3 -u",
            "-S python3 -u",
            "-Spython3",
            "-i A=b python3",
            "--split-string=A=b python3",
            "-S -u HOME python3",
        ] {
            let expected = Some(("/usr/bin/env".into(), Some("python3".into())));
            assert_eq!(words(&format!("#!/usr/bin/env {line}\n")), expected, "{line}");
        }
        assert_eq!(words("#!/bin/env\n"), Some(("/bin/env".into(), None)));
        assert_eq!(words("#!/bin/env -S A=b"), Some(("/bin/env".into(), None)));
        assert_eq!(words("#!/bin/env A=b\0sh"), Some(("/bin/env".into(), None)), "it ends there");
    }
}
