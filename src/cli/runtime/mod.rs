//! The command line of an OCI runtime: `[GLOBAL OPTIONS] COMMAND [OPTIONS] [ID] [WORDS]`, with options on
//! either side of the container's name.

mod options;

pub use options::{COMMANDS, Command, Name, OPTIONS};

use super::nearest::suggest;
use super::words::{option_error, tail};
use crate::error::Error;
use crate::rare::Rare;
use crate::text::{Text, cut, parts};
use alloc::vec::Vec;
use core::ffi::CStr;
use options::{Entry, GLOBAL};

/// What was typed.
pub struct Typed<'a> {
    /// The command.
    pub command: Command,
    /// The one that help is asked about.
    pub asked: Option<Command>,
    /// The options and their values, in their order; a flag has none.
    pub options: Vec<(Name, &'a CStr)>,
    /// The other words: the container's name first, where there is one.
    pub words: Vec<&'a CStr>,
}

impl<'a> Typed<'a> {
    /// The value of an option; of several, the last.
    #[must_use]
    pub fn value(&self, name: Name) -> Option<&'a CStr> {
        self.options.iter().rev().find(|option| option.0 == name).map(|option| option.1)
    }

    /// Whether an option was given.
    #[must_use]
    pub fn has(&self, name: Name) -> bool {
        self.value(name).is_some()
    }

    /// The values of an option that may be given more than once.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &'a CStr> {
        self.options.iter().filter(move |option| option.0 == name).map(|option| option.1)
    }
}

/// Whether a word is a command of the runtime's.
fn command(word: &CStr) -> Option<Command> {
    COMMANDS.get(word.to_bytes()).map(|entry| entry.0)
}

/// The option `--long` of a command, or before any.
fn by_long(command: u32, long: &[u8]) -> Option<&'static Entry> {
    OPTIONS.get(long).filter(|entry| entry.is_of(command))
}

/// The option that is a letter behind one dash.
fn by_letter(command: Command, letter: u8) -> Option<&'static Entry> {
    OPTIONS.values().iter().find(|entry| entry.short == letter && entry.is_of(command as u32))
}

/// Reads a command line without the program's own name; None if it is not one of a runtime's.
///
/// # Errors
///
/// What cannot stand as it was typed.
pub fn parse<'a>(words: &[&'a CStr]) -> Result<Option<Typed<'a>>, Error<'a>> {
    let mut typed =
        Typed { command: Command::Help, asked: None, options: Vec::new(), words: Vec::new() };
    let mut rest = words;
    // What does not come to a command is the launcher's to read.
    let Some(found) = globals(&mut rest, &mut typed)? else { return Ok(None) };
    typed.command = found;
    match read(&mut typed, rest) {
        Ok(()) => Ok(Some(typed)),
        Err(error) => Err(error.with_status(found.failed())),
    }
}

/// Reads what stands behind the command.
fn read<'a>(typed: &mut Typed<'a>, mut rest: &[&'a CStr]) -> Result<(), Error<'a>> {
    while let [word, behind @ ..] = rest {
        rest = behind;
        if is_raw(typed)
            && !(typed.command == Command::Ps && word.to_bytes().starts_with(b"--format"))
        {
            typed.words.push(word);
        } else if word.to_bytes() == b"--" {
            typed.words.extend_from_slice(rest);
            break;
        } else if word.to_bytes().len() > 1 && word.to_bytes().starts_with(b"-") {
            typed.take(word, &mut rest)?;
        } else {
            typed.words.push(word);
        }
    }
    if typed.has(Name::Help) {
        typed.asked = Some(typed.command);
        typed.command = Command::Help;
    }
    typed.check()
}

/// Whether all that follows belongs to a program.
fn is_raw(typed: &Typed<'_>) -> bool {
    match typed.command {
        Command::Exec => typed.words.len() >= if typed.has(Name::Process) { 1 } else { 2 },
        Command::Ps => !typed.words.is_empty(),
        _ => false,
    }
}

/// Reads the options before the command, and the command.
fn globals<'a>(
    rest: &mut &[&'a CStr],
    typed: &mut Typed<'a>,
) -> Result<Option<Command>, Error<'a>> {
    while let [word, behind @ ..] = rest {
        *rest = behind;
        if let Some(found) = command(word) {
            return Ok(Some(found));
        }
        let (name, _) = cut(word.to_bytes(), b'=');
        let Some(name) = name.strip_prefix(b"--").filter(|name| name.len() > 1) else {
            // The launcher has none of these options.
            if typed.options.is_empty() || name.starts_with(b"-") {
                return Ok(None);
            }
            let error =
                Error::usage(rare!("command"), name, rare!("there is no such command"), b"");
            return Err(suggest(word, error).with_status(Command::Help.failed()));
        };
        let Some(entry) = by_long(GLOBAL, name) else { return Ok(None) };
        if entry.name == Name::Version {
            return Ok(Some(Command::Version));
        }
        if !entry.has_value || cut(word.to_bytes(), b'=').1.is_some() {
            typed.set(entry, word, None);
        } else {
            let [value, behind @ ..] = rest else { return Ok(None) };
            typed.set(entry, word, Some(value));
            *rest = behind;
        }
    }
    Ok(None)
}

impl<'a> Typed<'a> {
    /// Takes one option in, and its value off the words behind it.
    fn take(&mut self, word: &'a CStr, rest: &mut &[&'a CStr]) -> Result<(), Error<'a>> {
        let bytes = word.to_bytes();
        let (entry, behind) = if let Some(long) = bytes.strip_prefix(b"--") {
            let (name, value) = cut(long, b'=');
            // What may stand before the command may stand behind it, too.
            let entry = by_long(self.command as u32, name).or_else(|| by_long(GLOBAL, name));
            (entry, value.is_some())
        } else {
            let letter = bytes.get(1).copied().unwrap_or_default();
            (by_letter(self.command, letter), bytes.len() > 2)
        };
        let refused = |why| {
            let hint = rare!("mini-container COMMAND --help lists the options").bytes();
            option_error(bytes, why, hint)
        };
        let entry = entry.ok_or_else(|| refused(rare!("this command has no such option")))?;
        if !entry.has_value || behind {
            if !entry.has_value && behind && !bytes.starts_with(b"--") {
                return self.letters(word);
            }
            self.set(entry, word, None);
            return Ok(());
        }
        let [value, others @ ..] = rest else {
            return Err(refused(rare!("needs a value")));
        };
        self.set(entry, word, Some(value));
        *rest = others;
        Ok(())
    }

    /// Several flags in a word, such as `-ti`.
    fn letters(&mut self, word: &'a CStr) -> Result<(), Error<'a>> {
        for letter in word.to_bytes().iter().skip(1) {
            match by_letter(self.command, *letter) {
                Some(entry) if !entry.has_value => self.set(entry, c"", None),
                _ => {
                    return Err(option_error(
                        word.to_bytes(),
                        rare!("this command has no such options"),
                        b"",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Notes an option: its value stands in the next word, or in its own behind `=` or the letter.
    fn set(&mut self, entry: &Entry, word: &'a CStr, next: Option<&'a CStr>) {
        let (head, value) = cut(word.to_bytes(), b'=');
        let own = match value {
            Some(_) if word.to_bytes().starts_with(b"--") => tail(word, head.len() + 1),
            _ if entry.has_value => tail(word, word.to_bytes().len().min(2)),
            _ => c"",
        };
        // A flag may be taken back.
        if entry.has_value || !matches!(own.to_bytes(), b"false" | b"0") {
            self.options.push((entry.name, next.unwrap_or(own)));
        }
    }

    /// Whether there are as many words as the command takes.
    fn check(&self) -> Result<(), Error<'a>> {
        let count = self.words.len();
        let (least, most) = match self.command {
            Command::List
            | Command::Features
            | Command::Spec
            | Command::Help
            | Command::Version => (0, 0),
            Command::Kill => (1, 2),
            Command::Ps => (1, usize::MAX),
            Command::Exec if self.has(Name::Process) => (1, 1),
            Command::Exec => (2, usize::MAX),
            _ => (1, 1),
        };
        if self.command == Command::Help || (least..=most).contains(&count) {
            return Ok(());
        }
        let name = COMMANDS.word(|entry| entry.0 == self.command);
        let words = COMMANDS.get(name).map_or(Rare::NONE, |entry| entry.1);
        let mut hint = Text::new();
        hint.push("mini-container ").push_raw(name).push(" [OPTIONS] ").say(words);
        let why = match count {
            0 => rare!("the name of a container is missing"),
            _ if count < least => rare!("the program is missing"),
            _ => rare!("too many words"),
        };
        Err(Error::usage(rare!("command"), name, why, hint.leak()))
    }
}

/// The version, in the lines that engines read: the first begins with the name of a runtime that they know.
#[must_use]
pub fn version(called: &CStr) -> Text {
    let mut text = Text::new();
    let is_crun = parts(called.to_bytes(), b'/').last() == Some(b"crun");
    text.push(if is_crun { "crun" } else { "runc" })
        .push(" version ")
        .push(env!("CARGO_PKG_VERSION"));
    text.push("+mini-container\ncommit: mini-container-").push(env!("CARGO_PKG_VERSION"));
    text.push("\nspec: 1.3.0\n");
    text
}

/// The commands, or the options of one.
#[must_use]
pub fn help(typed: &Typed<'_>) -> Text {
    let mut text = Text::new();
    text.say(rare!("usage: mini-container [GLOBAL OPTIONS] COMMAND [OPTIONS] [ID]\n\n"));
    for (name, (command, words)) in COMMANDS.iter() {
        if typed.asked.is_some_and(|asked| asked != *command) {
            continue;
        }
        text.push("  mini-container ").push_raw(name).push(" [OPTIONS] ").say(*words).push("\n");
    }
    text.push("\n");
    for (long, entry) in OPTIONS.iter() {
        let is_its = typed.asked.is_some_and(|asked| entry.commands & asked as u32 != 0);
        if !is_its && entry.commands != 0 || entry.name == Name::Ignored {
            continue;
        }
        text.push(if entry.commands == 0 { "  global: " } else { "  " });
        if entry.short != 0 {
            text.push("-").push_name(&[entry.short]).push(", ");
        }
        text.push("--").push_raw(long).push(if entry.has_value { " VALUE\n" } else { "\n" });
    }
    text
}

#[cfg(test)]
mod tests;
