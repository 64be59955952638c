//! What went wrong, in the words that the user reads: what was being done, on what, why, and where
//! there is a likely cure, what to do.
//!
//! Two types, for two places. A [`Fault`] is two words: which operation failed, and what the kernel
//! said; the child between clone and exec can make it without a heap. An [`Error`] is the whole
//! message; the launcher makes it, and `main` prints it, once.

use crate::rare::Rare;
use crate::sys::files;
use crate::text::{Text, parts};
use alloc::boxed::Box;
use core::ffi::CStr;
use rustix::io::Errno;

/// The exit statuses of the launcher's own, as in Docker and Podman.
pub mod status {
    /// mini-container itself failed, before the program ran.
    pub const FAILED: u8 = 125;
    /// The program was found and could not be executed.
    pub const NOT_EXECUTABLE: u8 = 126;
    /// The program, or what it takes to execute it, was not found.
    pub const NOT_FOUND: u8 = 127;
    /// Added to the number of the signal that ended the program.
    pub const SIGNALED: u8 = 128;
}

/// An act on the kernel that can fail: how it is called, and what helps.
pub struct Operation {
    /// What is done.
    pub words: Rare,
    /// What it is done on.
    pub on: Object,
    /// What to do, by the kernel's reason.
    pub cures: &'static [(Errno, Cure)],
}

/// Which of a step's names an operation works on.
#[derive(Clone, Copy)]
pub enum Object {
    /// None of them.
    None,
    /// The one on the host.
    Source,
    /// The one in the container, or the only one.
    Target,
}

/// What to do about a failure.
#[derive(Clone, Copy)]
pub enum Cure {
    /// This.
    Words(Rare),
    /// What the limits on the number of processes say.
    AllowProcesses,
    /// Where user namespaces are needed, what the settings for them say.
    AllowUserNamespaces,
}

impl Operation {
    /// An operation on nothing that has a name, without known cures.
    #[must_use]
    pub const fn new(words: Rare) -> Self {
        Self { words, on: Object::None, cures: &[] }
    }
}

/// An operation that failed, and the kernel's reason.
#[derive(Clone, Copy)]
pub struct Fault {
    /// What was being done.
    pub operation: &'static Operation,
    /// Why it failed.
    pub errno: Errno,
}

impl Fault {
    /// What is known to help against it.
    #[must_use]
    pub fn cure(self) -> Option<Cure> {
        let known = self.operation.cures.iter().find(|(reason, _)| *reason == self.errno);
        known.map(|(_, cure)| *cure)
    }

    #[cold]
    #[inline(never)]
    fn on(self, name: &CStr) -> Error<'_> {
        self.into_error(name.to_bytes(), b"")
    }

    /// The message; `on` and `hint` may be empty.
    #[must_use]
    pub fn into_error<'a>(self, on: &'a [u8], hint: &'a [u8]) -> Error<'a> {
        Error::new(self.operation.words, on, Why::Errno(self.errno), hint, status::FAILED)
    }
}

impl From<Fault> for Error<'_> {
    /// The message of a fault on nothing that has a name.
    #[cold]
    #[inline(never)]
    fn from(fault: Fault) -> Self {
        fault.into_error(b"", b"")
    }
}

/// Says on what an operation failed.
pub trait On<'a, T> {
    /// The error names it.
    ///
    /// # Errors
    ///
    /// The one that this is called on.
    fn on(self, name: &'a CStr) -> Result<T, Error<'a>>;
}

impl<'a, T> On<'a, T> for Result<T, Fault> {
    fn on(self, name: &'a CStr) -> Result<T, Error<'a>> {
        self.map_err(|fault| fault.on(name))
    }
}

/// Says what was being done when a system call failed.
pub trait Doing<T> {
    /// The fault names the operation.
    ///
    /// # Errors
    ///
    /// The one that this is called on.
    fn doing(self, operation: &'static Operation) -> Result<T, Fault>;
}

impl<T> Doing<T> for Result<T, Errno> {
    fn doing(self, operation: &'static Operation) -> Result<T, Fault> {
        self.map_err(|errno| Fault { operation, errno })
    }
}

/// A failure of a run, on its way to standard error and the exit status. It ends the run, so it is
/// kept where it was put.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug))]
pub struct Error<'a>(&'a Message<'a>);

#[cfg_attr(test, derive(Debug))]
struct Message<'a> {
    doing: Rare,
    on: &'a [u8],
    why: Why<'a>,
    hint: &'a [u8],
    status: u8,
}

/// The reason of an [`Error`].
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug))]
pub enum Why<'a> {
    /// What a system call said.
    Errno(Errno),
    /// What we say ourselves.
    Text(Rare),
    /// A process of ours has printed it already.
    Said,
    /// A process of ours has told it.
    Told(&'a [u8]),
    /// A file that the program needs is not there: what it is to it, and its name.
    Missing(Rare, &'a [u8]),
}

impl<'a> Error<'a> {
    /// The `doing` on `on` failed because of `why`; all but the reason may be empty.
    #[must_use]
    #[cold]
    #[inline(never)]
    pub fn new(doing: Rare, on: &'a [u8], why: Why<'a>, hint: &'a [u8], status: u8) -> Self {
        Self(Box::leak(Box::new(Message { doing, on, why, hint, status })))
    }

    /// What was typed cannot stand as it is.
    #[must_use]
    #[cold]
    #[inline(never)]
    pub fn usage(doing: Rare, typed: &'a [u8], why: Rare, hint: &'a [u8]) -> Self {
        Self::new(doing, typed, Why::Text(why), hint, status::FAILED)
    }

    /// What the launcher exits with.
    #[must_use]
    pub fn status(&self) -> u8 {
        self.0.status
    }

    /// Prints it on standard error. Where that is closed or full, the exit status has to do.
    pub fn print(&self) {
        let _ = self.render().write_to(files::standard_error());
    }

    /// What to do about it; empty if nothing is known.
    #[must_use]
    pub fn hint(&self) -> &'a [u8] {
        self.0.hint
    }

    /// The same, for a command whose exit status says something else.
    #[must_use]
    pub fn with_status(self, status: u8) -> Self {
        let Message { doing, on, why, hint, .. } = *self.0;
        Self::new(doing, on, why, hint, status)
    }

    /// The same, with something else to do about it.
    #[must_use]
    pub fn with_hint(self, hint: &'a [u8]) -> Self {
        let Message { doing, on, why, status, .. } = *self.0;
        Self::new(doing, on, why, hint, status)
    }

    /// What went wrong, in one line without its end.
    #[must_use]
    pub fn words(&self) -> Text {
        let Self(Message { doing, on, why, .. }) = self;
        let mut text = Text::new();
        text.say(*doing);
        if !doing.is_empty() {
            if !on.is_empty() {
                text.push(" ").push_name(on);
            }
            text.push(": ");
        }
        match *why {
            Why::Errno(errno) => push_errno(&mut text, errno),
            Why::Text(words) => text.say(words),
            Why::Said => &mut text,
            Why::Told(words) => text.push_name(words),
            Why::Missing(what, name) => {
                text.say(what).push(" ").push_name(name).say(rare!(" is missing in the root"))
            }
        };
        text
    }

    /// The lines for the user.
    #[must_use]
    pub fn render(&self) -> Text {
        let Self(Message { why, hint, .. }) = self;
        let mut text = Text::new();
        if matches!(why, Why::Said) {
            return text;
        }
        text.push("mini-container: ").push_raw(self.words().as_bytes()).push("\n");
        if !hint.is_empty() {
            text.push("hint: ").push_name(hint).push("\n");
        }
        text
    }
}

/// The text for an error of the kernel's, empty if there is none.
#[must_use]
pub fn errno_text(errno: Errno) -> &'static [u8] {
    let number = usize::from(errno.raw_os_error().unsigned_abs() as u16);
    parts(rare!(made "errno texts").bytes(), b'\n').nth(number).unwrap_or_default()
}

fn push_errno(text: &mut Text, errno: Errno) -> &mut Text {
    match errno_text(errno) {
        [] => text.push("error ").push_number(errno.raw_os_error().unsigned_abs().into()),
        words => text.push_name(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(error: Error<'_>) -> String {
        String::from_utf8(error.render().as_bytes().to_vec()).unwrap()
    }

    fn mount(on: &'static [u8], errno: Errno, hint: &'static [u8]) -> String {
        static MOUNT: Operation = Operation::new(rare!("mount"));
        rendered(Fault { operation: &MOUNT, errno }.into_error(on, hint))
    }

    #[test]
    fn says_operation_object_reason_and_cure() {
        assert_eq!(
            mount(b"/proc", Errno::PERM, b"run as root"),
            "mini-container: mount /proc: Operation not permitted\nhint: run as root\n"
        );
    }

    #[test]
    fn leaves_out_what_there_is_not() {
        let nothing = Error::usage(Rare::NONE, b"", rare!("no program given"), b"");
        assert_eq!(rendered(nothing), "mini-container: no program given\n");
        assert_eq!(
            mount(b"", Errno::AGAIN, b""),
            "mini-container: mount: Resource temporarily unavailable\n"
        );
    }

    #[test]
    fn names_the_missing_file() {
        let why = Why::Missing(rare!("its ELF interpreter"), b"/lib/ld.so");
        let error = Error::new(rare!("execute"), b"/x", why, b"", status::NOT_FOUND);
        assert_eq!(error.status(), 127);
        assert_eq!(
            rendered(error),
            "mini-container: execute /x: its ELF interpreter /lib/ld.so is missing in the root\n"
        );
    }

    #[test]
    fn an_errno_of_the_future_keeps_its_number() {
        let errno = Errno::from_raw_os_error(3999);
        assert_eq!(mount(b"/", errno, b""), "mini-container: mount /: error 3999\n");
    }
}
