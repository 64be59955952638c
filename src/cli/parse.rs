//! The second stage: from the words of a command line to what the user wants.

use super::assemble::assemble;
use super::help::{help, version};
use super::options::{Entry, Name, OPTIONS};
use super::rootfs::{self, Rootfs};
use super::runtime::COMMANDS;
use super::settings::Settings;
use super::words::{Typed, Words, refused};
use crate::container::{Container, Defaults, ImageFile};
use crate::error::Error;
use crate::rare::Rare;
use crate::text::Text;
use alloc::boxed::Box;
use core::ffi::CStr;

/// What the user wants.
pub enum Request<'a> {
    /// Do something with a container, which is kept until the process ends.
    Container(&'a mut Container<'a>, Purpose),
    /// Do something with a container whose root is an image's.
    Image(Wanted<'a>),
    /// Make a root directory.
    Rootfs(Rootfs<'a>),
    /// Print this.
    Print(Text),
    /// Find out what the host can do; whether the result is for programs.
    Check(bool),
}

/// What to do with a container.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Run it.
    #[default]
    Run,
    /// Print how it would be run.
    Explain,
}

/// Reads a command line, without the launcher's own name, and the caller's environment.
///
/// # Errors
///
/// What cannot stand as it was typed.
pub fn parse<'a>(words: &'a [&'a CStr], callers: &'a [&'a CStr]) -> Result<Request<'a>, Error<'a>> {
    let mut words = Words::new(&OPTIONS, words);
    let settings = Box::leak(Box::new(Settings::default()));
    let command = loop {
        let rest = words.rest();
        match words.next()? {
            Some(Typed::Option(Entry { name: Name::Help, .. }, _)) => {
                return Ok(Request::Print(help()));
            }
            Some(Typed::Option(Entry { name: Name::Version, .. }, _)) => {
                return Ok(Request::Print(version()));
            }
            Some(Typed::Option(entry, value)) => settings.set(entry, value)?,
            Some(Typed::Word(word)) if word == c"check" => return check(words.rest()),
            Some(Typed::Word(word)) if word == c"rootfs" => return rootfs::parse(words.rest()),
            Some(Typed::Word(word)) => {
                refuse_command(word)?;
                break rest;
            }
            Some(Typed::EndOfOptions) | None => break words.rest(),
        }
    };
    let Some(image) = settings.image() else {
        settings.refuse_image_options()?;
        if command.is_empty() {
            return Err(no_program());
        }
        let purpose = settings.purpose;
        let defaults = Box::new(Defaults::callers(command.to_vec(), callers));
        let container = assemble(settings, Box::leak(defaults), callers)?;
        return Ok(Request::Container(container, purpose));
    };
    Ok(Request::Image(Wanted { image, settings, command, callers }))
}

/// A container that waits for what its image says.
pub struct Wanted<'a> {
    /// Which image.
    pub image: ImageFile<'a>,
    settings: &'a mut Settings<'a>,
    command: &'a [&'a CStr],
    callers: &'a [&'a CStr],
}

impl<'a> Wanted<'a> {
    /// Whether the progress of unpacking stays unsaid.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.settings.quiet
    }

    /// The name under which what is written is kept.
    #[must_use]
    pub fn keep(&self) -> Option<&'a CStr> {
        self.settings.keep
    }

    /// As whom the program runs, as it was typed.
    #[must_use]
    pub fn user(&self) -> Option<&'a CStr> {
        self.settings.user
    }

    /// The container, with the image's defaults where the command line says nothing; who the user is
    /// and where the layers are is still to be found out. As in Docker, what was typed stands behind
    /// the entrypoint, and another entrypoint does not get the image's own words.
    ///
    /// # Errors
    ///
    /// What cannot stand as it was typed; that neither names a program.
    #[inline(never)]
    pub fn container(
        self,
        defaults: Defaults<'a>,
    ) -> Result<(&'a mut Container<'a>, Purpose), Error<'a>> {
        let Self { settings, command, callers, .. } = self;
        let defaults = Box::leak(Box::new(defaults));
        if let Some(entrypoint) = settings.entrypoint {
            defaults.entrypoint.clear();
            defaults.entrypoint.extend(Some(entrypoint).filter(|word| !word.is_empty()));
            defaults.command.clear();
        }
        if !command.is_empty() {
            defaults.command.clear();
            defaults.command.extend_from_slice(command);
        }
        if defaults.entrypoint.is_empty() && defaults.command.is_empty() {
            let hint =
                rare!("write one behind the options: mini-container --image FILE PROGRAM").bytes();
            return Err(Error::usage(Rare::NONE, b"", rare!("the image names no program"), hint));
        }
        settings.user = None;
        let purpose = settings.purpose;
        Ok((assemble(settings, defaults, callers)?, purpose))
    }
}

impl<'a> Settings<'a> {
    fn image(&self) -> Option<ImageFile<'a>> {
        let file = self.image?;
        Some(ImageFile { file, platform: self.platform, tag: self.tag })
    }

    /// Options that say nothing without an image.
    fn refuse_image_options(&self) -> Result<(), Error<'a>> {
        let given = [
            (self.platform.is_some(), "--platform"),
            (self.tag.is_some(), "--tag"),
            (self.keep.is_some(), "--keep"),
            (self.entrypoint.is_some(), "--entrypoint"),
        ];
        match given.iter().find(|(is_given, _)| *is_given) {
            None => Ok(()),
            Some((_, name)) => {
                Err(refused(name, rare!("is about an image"), rare!("--image FILE names it")))
            }
        }
    }
}

fn no_program() -> Error<'static> {
    let usage =
        rare!("mini-container [OPTIONS] PROGRAM [ARG...]; --help lists the options").bytes();
    Error::usage(Rare::NONE, b"", rare!("no program given"), usage)
}

/// The command `check`.
fn check<'a>(rest: &[&'a CStr]) -> Result<Request<'a>, Error<'a>> {
    match rest {
        [] => Ok(Request::Check(false)),
        [word] if *word == c"--json" => Ok(Request::Check(true)),
        [first, second, ..] if *first == c"--json" => Err(check_error(second)),
        [word, ..] => Err(check_error(word)),
    }
}

fn check_error(word: &CStr) -> Error<'_> {
    let hint = rare!("mini-container check [--json]").bytes();
    Error::usage(
        rare!("option"),
        word.to_bytes(),
        rare!("the command check does not take it"),
        hint,
    )
}

fn refuse_command(word: &CStr) -> Result<(), Error<'_>> {
    if COMMANDS.get(word.to_bytes()).is_none() {
        return Ok(());
    }
    let hint = rare!("its options stand behind it; to run a program of that name, write -- before it, or its path").bytes();
    let why = rare!("it does not go with the launcher's options");
    Err(Error::usage(rare!("command"), word.to_bytes(), why, hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Mount, Source};

    fn container<'a>(words: &'a [&'a CStr]) -> &'a mut Container<'a> {
        match parse(words, &[c"PATH=/bin"]) {
            Ok(Request::Container(container, _)) => container,
            Ok(_) => panic!("{words:?} prints"),
            Err(error) => panic!("{}", String::from_utf8_lossy(error.render().as_bytes())),
        }
    }

    fn directory<'a>(words: &'a [&'a CStr]) -> &'a CStr {
        match container(words).root.source {
            Source::Directory(directory) => directory,
            _ => panic!("{words:?} is about a directory"),
        }
    }

    fn refusal(words: &[&CStr]) -> String {
        match parse(words, &[]) {
            Ok(_) => panic!("{words:?} is accepted"),
            Err(error) => String::from_utf8_lossy(error.render().as_bytes()).into_owned(),
        }
    }

    #[test]
    fn the_first_word_that_is_no_option_is_the_program() {
        let words = [c"-r", c"dir", c"prog", c"-r", c"--help"];
        assert_eq!(container(&words).process.command, [c"prog", c"-r", c"--help"]);
        assert_eq!(directory(&words), c"dir");
        assert_eq!(directory(&[c"/bin/sh"]), c"rootfs");
    }

    #[test]
    fn a_command_is_no_program_but_behind_dashes_or_with_a_slash() {
        assert!(
            refusal(&[c"run"]).contains("command run: it does not go with the launcher's options")
        );
        assert!(refusal(&[c"-rdir", c"create", c"-x"]).contains("to run a program of that name"));
        assert_eq!(container(&[c"--", c"run"]).process.command, [c"run"]);
        assert_eq!(container(&[c"./run"]).process.command, [c"./run"]);
        assert_eq!(container(&[c"--", c"--help"]).process.command, [c"--help"]);
    }

    #[test]
    fn without_a_program_the_usage_is_named() {
        for words in [&[][..], &[c"-rdir"], &[c"--"]] {
            assert!(
                refusal(words).contains("no program given\nhint: mini-container [OPTIONS] PROGRAM")
            );
        }
    }

    #[test]
    fn parents_are_mounted_before_what_lies_in_them() {
        let words = [c"-v/1:/a/b", c"-v/2:/c", c"--tmpfs=/a", c"-v/3:/c/d/e", c"-v/4:/d", c"sh"];
        let container = container(&words);
        let targets: Vec<_> =
            container.mounts.iter().map(|mount: &Mount<'_>| mount.target).collect();
        assert_eq!(targets, [c"/c", c"/a", c"/d", c"/a/b", c"/c/d/e"]);
    }

    #[test]
    fn wrong_values_are_refused_with_the_option_and_the_value() {
        let cases: [(&[&CStr], &str); 10] = [
            (
                &[c"-v/usr"],
                "option --volume '/usr': the value is of another form\nhint: --volume SRC:DST[:OPTS]: ",
            ),
            (&[c"-v/usr:/usr:rx"], "option --volume '/usr:/usr:rx': a volume has no such option"),
            (&[c"-v/usr:usr"], "begins with a slash"),
            (&[c"--tmpfs=/"], "option --tmpfs '/': that place is the root itself"),
            (&[c"--tmpfs=/a:size=x"], "hint: --tmpfs DST[:OPTS]: "),
            (&[c"--tmpfs=/a", c"-v/x:/a/"], "something is mounted there already"),
            (
                &[c"-u", c"root"],
                "option --user 'root': the value is of another form\nhint: --user UID[:GID]: ",
            ),
            (&[c"--preserve-fds=-1"], "hint: --preserve-fds N: "),
            (&[c"-e=x"], "hint: --env K[=V]: "),
            (&[c"--rootfs="], "option --rootfs '': the value is of another form"),
        ];
        for (words, expected) in cases {
            let words: Vec<_> = words.iter().copied().chain([c"sh"]).collect();
            let refusal = refusal(&words);
            assert!(refusal.contains(expected), "{refusal}");
        }
    }

    #[test]
    fn help_and_version_need_no_program() {
        for (word, expected) in [(c"--help", "OPTIONS"), (c"-V", "mini-container ")] {
            match parse(&[word], &[]) {
                Ok(Request::Print(text)) => {
                    assert!(String::from_utf8_lossy(text.as_bytes()).contains(expected));
                }
                _ => panic!("{word:?} prints"),
            }
        }
    }
}
