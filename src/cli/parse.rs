//! The second stage: what the options mean together.

use super::help::{help, version};
use super::options::{Entry, Name};
use super::words::{Typed, Words, option_error, usage};
use crate::container::{Container, Mount, MountError, Process, Root, User, environment, number};
use crate::error::Error;
use crate::kernel::mounts::Access;
use crate::text::{Text, parts};
use alloc::vec::Vec;
use core::ffi::CStr;

/// What the user wants.
pub enum Request<'a> {
    /// Do something with a container.
    Container(Container<'a>, Purpose),
    /// Print this.
    Print(Text),
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
pub fn parse<'a>(words: &'a [&'a CStr], callers: &[&'a CStr]) -> Result<Request<'a>, Error<'a>> {
    let mut words = Words::new(words);
    let mut options = Options::default();
    let program = loop {
        match words.next()? {
            Some(Typed::Option(Entry { name: Name::Help, .. }, _)) => {
                return Ok(Request::Print(help()));
            }
            Some(Typed::Option(Entry { name: Name::Version, .. }, _)) => {
                return Ok(Request::Print(version()));
            }
            Some(Typed::Option(entry, value)) => options.set(entry, value)?,
            Some(Typed::Word(word)) => break refuse_command(word)?,
            Some(Typed::EndOfOptions) => {
                let Some((program, rest)) = words.rest().split_first() else {
                    return Err(no_program());
                };
                return Ok(options.request(program, rest, callers));
            }
            None => return Err(no_program()),
        }
    };
    Ok(options.request(program, words.rest(), callers))
}

fn no_program() -> Error<'static> {
    let usage = b"mini-container [OPTIONS] PROGRAM [ARG...]; --help lists the options";
    Error::usage("", b"", "no program given", usage)
}

/// Words that are commands and not programs, now or in a later version: the OCI runtime's, and our
/// own. Were they free until then, a script that runs a program of that name would break.
const COMMANDS: &[u8] = b"check checkpoint create delete events exec features kill list pause ps \
    restore resume rootfs run spec start state update";

fn refuse_command(word: &CStr) -> Result<&CStr, Error<'_>> {
    if !parts(COMMANDS, b' ').any(|command| command == word.to_bytes()) {
        return Ok(word);
    }
    let hint = b"to run a program of that name, write -- before it, or its path";
    Err(Error::usage("command", word.to_bytes(), "this version does not have it yet", hint))
}

/// The options so far.
#[derive(Default)]
struct Options<'a> {
    rootfs: Option<&'a CStr>,
    read_only: bool,
    mounts: Vec<Mount<'a>>,
    workdir: Option<&'a CStr>,
    settings: Vec<&'a CStr>,
    clear_environment: bool,
    user: Option<User>,
    preserved_descriptors: u32,
    purpose: Purpose,
}

impl<'a> Options<'a> {
    fn set(&mut self, entry: &Entry, value: &'a CStr) -> Result<(), Error<'a>> {
        let refused = |why| option_value_error(entry, value, why);
        match entry.name {
            Name::Rootfs => self.rootfs = Some(not_empty(entry, value)?),
            Name::ReadOnly => self.read_only = true,
            Name::Volume => {
                let mount = Mount::volume(value).map_err(|error| refused(mount_refusal(error)))?;
                self.add_mount(entry, value, mount)?;
            }
            Name::Tmpfs => {
                let mount = Mount::tmpfs(value).map_err(|error| refused(mount_refusal(error)))?;
                self.add_mount(entry, value, mount)?;
            }
            Name::Workdir => self.workdir = Some(not_empty(entry, value)?),
            Name::Env => match value.to_bytes() {
                [] | [b'=', ..] => return Err(refused(OTHER_FORM)),
                _ => self.settings.push(value),
            },
            Name::ClearEnv => self.clear_environment = true,
            Name::User => {
                let user = User::parse(value.to_bytes());
                self.user = Some(user.ok_or_else(|| refused(OTHER_FORM))?);
            }
            Name::PreserveFds => {
                let count = number(value.to_bytes()).filter(|count| *count <= DESCRIPTORS_MAX);
                self.preserved_descriptors = count.ok_or_else(|| refused(OTHER_FORM))?;
            }
            Name::Explain => self.purpose = Purpose::Explain,
            // Answered before they get here.
            Name::Help | Name::Version => {}
        }
        Ok(())
    }

    fn add_mount(
        &mut self,
        entry: &Entry,
        value: &'a CStr,
        mount: Mount<'a>,
    ) -> Result<(), Error<'a>> {
        if self.mounts.iter().any(|other| other.is_at_the_place_of(&mount)) {
            return Err(option_value_error(entry, value, "something is mounted there already"));
        }
        self.mounts.push(mount);
        // Before those that are deeper; those that are as deep stay in the user's order.
        let mut rest = &mut *self.mounts;
        while let [.., before, last] = rest
            && before.depth() > last.depth()
        {
            core::mem::swap(before, last);
            let length = rest.len() - 1;
            rest = rest.split_at_mut(length).0;
        }
        Ok(())
    }

    fn request(
        self,
        program: &'a CStr,
        arguments: &[&'a CStr],
        callers: &[&'a CStr],
    ) -> Request<'a> {
        let mut command = Vec::with_capacity(arguments.len() + 1);
        command.push(program);
        command.extend_from_slice(arguments);
        let purpose = self.purpose;
        let container = Container {
            root: Root {
                directory: self.rootfs.unwrap_or(c"rootfs"),
                access: if self.read_only { Access::ReadOnly } else { Access::ReadWrite },
            },
            mounts: self.mounts,
            process: Process {
                command,
                environment: environment::apply(callers, self.clear_environment, &self.settings),
                working_directory: self.workdir.unwrap_or(c"/"),
                user: self.user,
                preserved_descriptors: self.preserved_descriptors,
            },
        };
        Request::Container(container, purpose)
    }
}

/// More than any process can have; the kernel's `fs.nr_open` cannot be set higher.
const DESCRIPTORS_MAX: u32 = 1 << 30;

fn not_empty<'a>(entry: &Entry, value: &'a CStr) -> Result<&'a CStr, Error<'a>> {
    if value.is_empty() {
        return Err(option_value_error(entry, value, OTHER_FORM));
    }
    Ok(value)
}

/// What is wrong with a value, with the option's own name in front of it.
fn option_value_error<'a>(entry: &Entry, value: &'a CStr, why: &'static str) -> Error<'a> {
    let mut typed = Text::new();
    typed.push(entry.long).push(" '").push_name(value.to_bytes()).push("'");
    option_error(typed.leak(), why, usage(entry))
}

const OTHER_FORM: &str = "the value is of another form";

fn mount_refusal(error: MountError) -> &'static str {
    match error {
        MountError::Form => OTHER_FORM,
        MountError::Option => "the options of a volume are ro and rw",
        MountError::Relative => "the place inside the container begins with a slash",
        MountError::Root => "that place is the root itself, which --rootfs names",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container<'a>(words: &'a [&'a CStr]) -> Container<'a> {
        match parse(words, &[c"PATH=/bin"]) {
            Ok(Request::Container(container, _)) => container,
            Ok(Request::Print(_)) => panic!("{words:?} prints"),
            Err(error) => panic!("{}", String::from_utf8_lossy(error.render().as_bytes())),
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
        assert_eq!(container(&words).root.directory, c"dir");
        assert_eq!(container(&[c"/bin/sh"]).root.directory, c"rootfs");
    }

    #[test]
    fn a_command_is_no_program_but_behind_dashes_or_with_a_slash() {
        assert!(refusal(&[c"run"]).contains("command run: this version does not have it yet"));
        assert!(refusal(&[c"-rdir", c"rootfs", c"-x"]).contains("hint: to run a program"));
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
        let targets: Vec<_> = container.mounts.iter().map(Mount::target).collect();
        assert_eq!(targets, [c"/c", c"/a", c"/d", c"/a/b", c"/c/d/e"]);
    }

    #[test]
    fn wrong_values_are_refused_with_the_option_and_the_value() {
        let cases: [(&[&CStr], &str); 10] = [
            (
                &[c"-v/usr"],
                "option --volume '/usr': the value is of another form\nhint: --volume SRC:DST[:ro]: ",
            ),
            (&[c"-v/usr:/usr:rx"], "option --volume '/usr:/usr:rx': the options of a volume"),
            (&[c"-v/usr:usr"], "begins with a slash"),
            (&[c"--tmpfs=/"], "option --tmpfs '/': that place is the root itself"),
            (&[c"--tmpfs=/a:size=1m"], "hint: --tmpfs DST: "),
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
