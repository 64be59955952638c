//! The first stage: the words of the command line as options with their values, and the word where
//! they end. Checked for form only.

use super::nearest;
use super::options::{Entry, Options, by_short};
use crate::error::Error;
use crate::rare::Rare;
use crate::text::{Text, cut};
use core::ffi::CStr;

/// One thing that was typed.
pub enum Typed<'a> {
    /// An option, and its value if it takes one.
    Option(&'static Entry, &'a CStr),
    /// The first word that is no option: the program, or a command. What follows is not read here.
    Word(&'a CStr),
    /// `--`: the next word is the program, whatever it looks like.
    EndOfOptions,
}

/// The words that are still to be read.
pub struct Words<'a> {
    table: &'static Options,
    rest: &'a [&'a CStr],
    /// A word of short options, and what is left of it, behind its `-`.
    current: &'a CStr,
    cluster: &'a CStr,
}

impl<'a> Words<'a> {
    /// Reads `words`, the command line without the launcher's own name, with the options of `table`.
    pub fn new(table: &'static Options, words: &'a [&'a CStr]) -> Self {
        Self { table, rest: words, current: c"", cluster: c"" }
    }

    /// The words that have not been read.
    pub fn rest(&self) -> &'a [&'a CStr] {
        self.rest
    }

    /// The next thing that was typed; None at the end.
    pub fn next(&mut self) -> Result<Option<Typed<'a>>, Error<'a>> {
        if !self.cluster.is_empty() {
            return self.short().map(Some);
        }
        let Some(word) = self.take() else { return Ok(None) };
        match word.to_bytes() {
            b"--" => Ok(Some(Typed::EndOfOptions)),
            [b'-', b'-', ..] => self.long(word).map(Some),
            [b'-', _, ..] => {
                self.current = word;
                self.cluster = tail(word, 1);
                self.short().map(Some)
            }
            _ => Ok(Some(Typed::Word(word))),
        }
    }

    fn take(&mut self) -> Option<&'a CStr> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// `--name`, `--name=value` or `--name value`.
    fn long(&mut self, word: &'a CStr) -> Result<Typed<'a>, Error<'a>> {
        let (typed, value) = cut(word.to_bytes(), b'=');
        let entry = self.table.get(typed).ok_or_else(|| unknown_long(self.table, typed))?;
        match (entry.takes_value, value) {
            (false, None) => Ok(Typed::Option(entry, c"")),
            (false, Some(_)) => Err(option_error(typed, rare!("takes no value"), b"")),
            (true, Some(_)) => Ok(Typed::Option(entry, tail(word, typed.len() + 1))),
            (true, None) => self.value(entry, typed),
        }
    }

    /// `-n`, `-nvalue` or `-n value`; options without a value can share a word.
    fn short(&mut self) -> Result<Typed<'a>, Error<'a>> {
        let cluster = core::mem::take(&mut self.cluster);
        let typed = self.current.to_bytes();
        let letter = cluster.to_bytes().first().copied();
        let letter = letter.and_then(|letter| by_short(self.table, letter));
        let entry = letter.ok_or_else(|| option_error(typed, UNKNOWN, HELP.bytes()))?;
        let behind = tail(cluster, 1);
        if !entry.takes_value {
            self.cluster = behind;
            return Ok(Typed::Option(entry, c""));
        }
        if behind.is_empty() { self.value(entry, typed) } else { Ok(Typed::Option(entry, behind)) }
    }

    fn value(&mut self, entry: &'static Entry, typed: &'a [u8]) -> Result<Typed<'a>, Error<'a>> {
        let value = self.take();
        let missing = || option_error(typed, rare!("needs a value"), usage(entry));
        value.map(|value| Typed::Option(entry, value)).ok_or_else(missing)
    }
}

/// How the option is written and what it is for, as a hint.
pub fn usage(entry: &Entry) -> &'static [u8] {
    let mut hint = Text::new();
    let (written, meaning) = entry.help();
    hint.push_name(written).push(": ").push_name(meaning);
    hint.leak()
}

const UNKNOWN: Rare = rare!("there is no such option");
const HELP: Rare = rare!("mini-container --help lists the options");

fn unknown_long<'a>(table: &'static Options, typed: &'a [u8]) -> Error<'a> {
    let hint = match nearest::option(table, typed) {
        Some(long) => {
            let mut hint = Text::new();
            hint.say(rare!("the nearest is ")).push_raw(long);
            hint.leak()
        }
        None => HELP.bytes(),
    };
    option_error(typed, UNKNOWN, hint)
}

/// An option that cannot stand as it was typed.
pub fn option_error<'a>(typed: &'a [u8], why: Rare, hint: &'a [u8]) -> Error<'a> {
    Error::usage(rare!("option"), typed, why, hint)
}

/// An option that does not go with the others.
#[cold]
#[inline(never)]
pub fn refused(option: &'static str, why: Rare, hint: Rare) -> Error<'static> {
    option_error(option.as_bytes(), why, hint.bytes())
}

/// The string behind its first `start` bytes, which it has.
pub fn tail(string: &CStr, start: usize) -> &CStr {
    let bytes = string.to_bytes_with_nul().get(start..).unwrap_or_default();
    CStr::from_bytes_until_nul(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::options::{Name, OPTIONS};
    use super::*;

    type Options<'a> = Vec<(Name, &'a CStr)>;

    /// What is read from `words`, up to the first word that is no option.
    fn read<'a>(words: &'a [&'a CStr]) -> Result<(Options<'a>, &'a [&'a CStr]), Error<'a>> {
        let mut words = Words::new(&OPTIONS, words);
        let mut options = Vec::new();
        while let Some(Typed::Option(entry, value)) = words.next()? {
            options.push((entry.name, value));
        }
        Ok((options, words.rest()))
    }

    #[test]
    fn a_value_stands_behind_its_option_in_any_of_the_usual_ways() {
        for words in [&[c"--rootfs", c"dir"][..], &[c"--rootfs=dir"], &[c"-r", c"dir"], &[c"-rdir"]]
        {
            assert_eq!(read(words).unwrap().0, [(Name::Rootfs, c"dir")]);
        }
        assert_eq!(read(&[c"--env=A=b=c"]).unwrap().0, [(Name::Env, c"A=b=c")]);
        assert_eq!(read(&[c"--rootfs="]).unwrap().0, [(Name::Rootfs, c"")]);
    }

    #[test]
    fn short_options_share_a_word() {
        let read = read(&[c"-hVrdir", c"prog", c"-x"]).unwrap();
        assert_eq!(read.0, [(Name::Help, c""), (Name::Version, c""), (Name::Rootfs, c"dir")]);
        assert_eq!(read.1, [c"-x"], "the program's own options are left alone");
    }

    #[test]
    fn wrong_options_are_named() {
        let refusal = |words| read(words).unwrap_err();
        let lines =
            |error: Error<'_>| String::from_utf8(error.render().as_bytes().to_vec()).unwrap();
        assert_eq!(
            lines(refusal(&[c"--rotfs=x"])),
            "mini-container: option --rotfs: there is no such option\nhint: the nearest is --rootfs\n"
        );
        assert!(lines(refusal(&[c"--wibble"])).contains("hint: mini-container --help lists"));
        assert!(lines(refusal(&[c"-x"])).contains("option -x: there is no such option"));
        assert!(lines(refusal(&[c"--read-only=yes"])).contains("--read-only: takes no value"));
        assert!(lines(refusal(&[c"--user"])).contains("hint: --user UID[:GID]: run as"));
        assert!(lines(refusal(&[c"-u"])).contains("option -u: needs a value"));
    }
}
