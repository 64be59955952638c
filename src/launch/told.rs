//! What a runtime's child tells of a failure, in the words that engines look for: to the runtime as long as it is
//! there, and then to whoever starts the container.

use crate::error::{Error, Why, status};
use crate::kernel::program::{Refusal, is_directory, why_not};
use crate::plan::Plan;
use crate::rare::Rare;
use crate::text::{Text, cut};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

/// Bytes of the longest message: a failure's.
pub(super) const MESSAGE_BYTES: usize = 2048;

/// A failure as it is told: the exit status, the words, a NUL, and the hint.
pub(super) fn write_failure(error: Error<'_>) -> Text {
    let mut text = Text::new();
    text.push_raw(&[b'e', error.status()]).push_raw(error.words().as_bytes());
    text.push_raw(b"\0").push_raw(error.hint());
    text
}

/// Reads what `write_failure` wrote.
#[must_use]
pub fn read_failure(told: &[u8]) -> Error<'static> {
    let (status, words) = match told {
        [_, status, words @ ..] => (*status, words),
        _ => (status::FAILED, &b""[..]),
    };
    let (words, hint) = cut(words, 0);
    let (words, hint) = (words.to_vec().leak(), hint.unwrap_or_default().to_vec().leak());
    Error::new(Rare::NONE, b"", Why::Told(words), hint, status)
}

/// What is to say if the program is not there, before anybody starts it.
pub(super) fn missing<'s>(plan: &'s Plan<'_>) -> Option<Error<'s>> {
    let mut errno = Errno::NOENT;
    for path in &plan.command.candidates {
        match accessat(CWD, *path, Access::EXEC_OK, AtFlags::EACCESS) {
            Ok(()) if !is_directory(path) => return None,
            Ok(()) | Err(Errno::ACCESS) => errno = Errno::ACCESS,
            // The kernel may not know the question; then the answer comes when the program is started.
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(_) => return None,
        }
    }
    let path = plan.command.candidates.first().copied().unwrap_or_default();
    let is_named = path == plan.command.name;
    let refusal = if is_named || errno == Errno::ACCESS {
        why_not(path, errno, &mut [])
    } else {
        let why = Why::Text(rare!("executable file not found in $PATH"));
        Refusal { program: plan.command.name, why, hint: Rare::NONE, status: status::NOT_FOUND }
    };
    Some(refused(plan, &refusal))
}

/// The message for a program that could not be executed, in the words that engines look for.
pub(super) fn refused<'s>(plan: &Plan<'_>, refusal: &Refusal<'_>) -> Error<'s> {
    let mut on = Text::new();
    on.push("\"").push_name(plan.command.name.to_bytes()).push("\"");
    let mut told = Text::new();
    match refusal.why {
        Why::Errno(Errno::NOENT) => {
            told.push("stat ")
                .push_name(refusal.program.to_bytes())
                .say(rare!(": no such file or directory"));
        }
        Why::Errno(Errno::ACCESS) => {
            told.say(rare!("permission denied"));
        }
        Why::Text(rare!("not found in the container's PATH")) => {
            told.say(rare!("executable file not found in $PATH"));
        }
        Why::Missing(what, name) => {
            told.say(rare!("no such file or directory: ")).say(what).push(" ").push_name(name);
            told.say(rare!(" is missing in the root"));
        }
        Why::Text(rare!("it is a directory")) => {
            told.say(rare!("permission denied: it is a directory"));
        }
        why => {
            told.push_raw(Error::new(Rare::NONE, b"", why, b"", 0).words().as_bytes());
        }
    }
    Error::new(
        rare!("exec:"),
        on.leak(),
        Why::Told(told.leak()),
        refusal.hint.bytes(),
        refusal.status,
    )
}
