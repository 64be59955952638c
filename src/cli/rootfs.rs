//! The command `rootfs`: makes a root directory, from programs of this system or from an image.

use super::help;
use super::options::{Entry, Name, ROOTFS_OPTIONS};
use super::parse::Request;
use super::settings::{add_ids, not_empty, option_value_error};
use super::words::{Typed, Words, option_error};
use crate::container::{IdMap, ImageFile};
use crate::error::Error;
use crate::rare::Rare;
use alloc::vec::Vec;
use core::ffi::CStr;

/// What is to be made.
pub enum Rootfs<'a> {
    /// A directory with programs of this system.
    Programs {
        /// Where.
        output: &'a CStr,
        /// Paths, or names to be found in the PATH.
        programs: Vec<&'a CStr>,
        /// What else is to be in it.
        with: Vec<&'a CStr>,
        /// Whether a minimal /etc is.
        etc: bool,
        /// Whether it is only said what would be in it.
        list: bool,
    },
    /// A directory with an image's files.
    Image {
        /// Where.
        output: &'a CStr,
        /// Which image.
        image: ImageFile<'a>,
        /// Which users own them, without root privilege.
        users: IdMap,
        /// Which groups, likewise.
        groups: IdMap,
        /// Whether the progress stays unsaid.
        quiet: bool,
    },
    /// Nothing: what was unpacked before is removed.
    Prune {
        /// And what was kept under this name.
        keep: Option<&'a CStr>,
    },
}

#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(Default)]
struct Settings<'a> {
    output: Option<&'a CStr>,
    with: Vec<&'a CStr>,
    etc: bool,
    list: bool,
    image: Option<&'a CStr>,
    platform: Option<&'a CStr>,
    tag: Option<&'a CStr>,
    users: IdMap,
    groups: IdMap,
    quiet: bool,
    prune: bool,
    keep: Option<&'a CStr>,
}

/// Reads the words behind `rootfs`.
///
/// # Errors
///
/// What cannot stand as it was typed.
pub fn parse<'a>(words: &'a [&'a CStr]) -> Result<Request<'a>, Error<'a>> {
    let mut words = Words::new(&ROOTFS_OPTIONS, words);
    let mut settings = Settings::default();
    let mut programs = Vec::new();
    loop {
        match words.next()? {
            Some(Typed::Option(Entry { name: Name::Help, .. }, _)) => {
                return Ok(Request::Print(help::rootfs()));
            }
            Some(Typed::Option(entry, value)) => {
                let set = settings.set(entry.name, value);
                set.map_err(|why| option_value_error(entry, value, why))?;
            }
            // Options may stand behind programs, too.
            Some(Typed::Word(word)) => programs.push(word),
            Some(Typed::EndOfOptions) => {
                programs.extend_from_slice(words.rest());
                break;
            }
            None => break,
        }
    }
    settings.request(programs).map(Request::Rootfs)
}

impl<'a> Settings<'a> {
    fn set(&mut self, name: Name, value: &'a CStr) -> Result<(), Rare> {
        let text = match name {
            Name::Output => &mut self.output,
            Name::Image => &mut self.image,
            Name::Platform => &mut self.platform,
            Name::Tag => &mut self.tag,
            Name::Keep => &mut self.keep,
            _ => return self.set_other(name, value),
        };
        *text = Some(not_empty(value)?);
        Ok(())
    }

    fn set_other(&mut self, name: Name, value: &'a CStr) -> Result<(), Rare> {
        match name {
            Name::With => self.with.push(not_empty(value)?),
            Name::Etc => self.etc = true,
            Name::List => self.list = true,
            Name::MapUsers => add_ids(&mut self.users, value.to_bytes())?,
            Name::MapGroups => add_ids(&mut self.groups, value.to_bytes())?,
            Name::Quiet => self.quiet = true,
            Name::Prune => self.prune = true,
            _ => {}
        }
        Ok(())
    }

    #[inline(never)]
    fn request(self, programs: Vec<&'a CStr>) -> Result<Rootfs<'a>, Error<'a>> {
        let purpose = match (self.prune, self.image) {
            (true, _) => Purpose::Prune,
            (false, Some(_)) => Purpose::Image,
            (false, None) => Purpose::Programs,
        };
        self.check(purpose)?;
        let output = self.output.unwrap_or(c"rootfs");
        if let (true, Some(program)) = (purpose != Purpose::Programs, programs.first()) {
            let hint =
                rare!("programs are copied from this system, and then without --image and --prune")
                    .bytes();
            return Err(Error::usage(
                rare!("program"),
                program.to_bytes(),
                rare!("is not needed here"),
                hint,
            ));
        }
        match (purpose, self.image) {
            (Purpose::Image, Some(file)) => Ok(Rootfs::Image {
                output,
                image: ImageFile { file, platform: self.platform, tag: self.tag },
                users: self.users,
                groups: self.groups,
                quiet: self.quiet,
            }),
            (Purpose::Prune, _) => Ok(Rootfs::Prune { keep: self.keep }),
            _ if programs.is_empty() && self.with.is_empty() && !self.etc => {
                let hint =
                    rare!("mini-container rootfs [-o DIR] PROGRAM..., or --image FILE").bytes();
                Err(Error::usage(Rare::NONE, b"", rare!("no program given"), hint))
            }
            _ => Ok(Rootfs::Programs {
                output,
                programs,
                with: self.with,
                etc: self.etc,
                list: self.list,
            }),
        }
    }

    /// Options that say nothing here.
    fn check(&self, purpose: Purpose) -> Result<(), Error<'a>> {
        let given = [
            (!self.with.is_empty(), Name::With, Purpose::Programs),
            (self.etc, Name::Etc, Purpose::Programs),
            (self.list, Name::List, Purpose::Programs),
            (self.platform.is_some(), Name::Platform, Purpose::Image),
            (self.tag.is_some(), Name::Tag, Purpose::Image),
            (self.users.is_said(), Name::MapUsers, Purpose::Image),
            (self.groups.is_said(), Name::MapGroups, Purpose::Image),
            (self.quiet, Name::Quiet, Purpose::Image),
            (self.keep.is_some(), Name::Keep, Purpose::Prune),
            (self.output.is_some() && purpose == Purpose::Prune, Name::Output, Purpose::Image),
            (self.image.is_some() && purpose == Purpose::Prune, Name::Image, Purpose::Image),
        ];
        for (is_given, name, with) in given {
            if !is_given || with == purpose {
                continue;
            }
            let long = ROOTFS_OPTIONS.word(|entry| entry.name == name);
            let (why, hint) = match with {
                Purpose::Programs => {
                    (rare!("is about programs of this system"), rare!("not about an image"))
                }
                Purpose::Image => {
                    (rare!("is about an image"), rare!("--image FILE names it, without --prune"))
                }
                Purpose::Prune => (rare!("is about what was kept"), rare!("--prune removes it")),
            };
            return Err(option_error(long, why, hint.bytes()));
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Programs,
    Image,
    Prune,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(words: &'a [&'a CStr]) -> Result<Rootfs<'a>, String> {
        match parse(words) {
            Ok(Request::Rootfs(rootfs)) => Ok(rootfs),
            Ok(_) => panic!("{words:?} prints"),
            Err(error) => Err(String::from_utf8_lossy(error.render().as_bytes()).into_owned()),
        }
    }

    #[test]
    fn programs_and_options_stand_in_any_order() {
        let words = [c"bash", c"-o", c"dir", c"ls", c"--with=/etc", c"--etc", c"--", c"-x"];
        let Ok(Rootfs::Programs { output, programs, with, etc: true, list: false }) = read(&words)
        else {
            panic!("programs are asked for");
        };
        assert_eq!((output, with), (c"dir", vec![c"/etc"]));
        assert_eq!(programs, [c"bash", c"ls", c"-x"]);
    }

    #[test]
    fn an_image_has_options_of_its_own() {
        let words = [c"--image=a.tar", c"--tag", c"b:c", c"--map-users=auto", c"-q"];
        let Ok(Rootfs::Image { output, image, users, quiet: true, .. }) = read(&words) else {
            panic!("an image is asked for");
        };
        assert_eq!((output, image.file, image.tag), (c"rootfs", c"a.tar", Some(c"b:c")));
        assert!(matches!(users, IdMap::Auto));
        assert!(matches!(read(&[c"--prune", c"--keep=x"]), Ok(Rootfs::Prune { keep: Some(_) })));
    }

    #[test]
    fn what_says_nothing_is_refused() {
        let cases: [(&[&CStr], &str); 6] = [
            (&[], "no program given\nhint: mini-container rootfs"),
            (&[c"--image=x", c"sh"], "program sh: is not needed here"),
            (&[c"--image=x", c"--etc"], "option --etc: is about programs of this system"),
            (&[c"--tag=x", c"sh"], "option --tag: is about an image"),
            (&[c"--prune", c"-o", c"x"], "option --output: is about an image"),
            (&[c"--outpt=x"], "hint: the nearest is --output"),
        ];
        for (words, expected) in cases {
            let refusal = read(words).err().expect("it is refused");
            assert!(refusal.contains(expected), "{refusal}");
        }
    }
}
