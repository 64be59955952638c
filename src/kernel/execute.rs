//! The last step: the program takes the process over.

use super::program::{self, Refusal};
use crate::error::{Why, status};
use crate::sys::process::{StringList, execve};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::io::Errno;

/// What execve(2) is called with.
pub struct Command<'a> {
    /// The program as the user named it.
    pub name: &'a CStr,
    /// Where it may be: the name itself if it has a slash, otherwise its place in each folder of
    /// the container's PATH.
    pub candidates: Vec<&'a CStr>,
    /// The program's arguments, from its name on.
    pub arguments: StringList<'a>,
    /// Its environment.
    pub environment: StringList<'a>,
}

/// Executes the first candidate that there is; returns only when none could be, with the reason.
/// As in execvp(3), one that is not executable is passed over and remembered. `scratch` takes the
/// names that the reason may need.
#[must_use]
pub fn execute<'a>(command: &Command<'a>, scratch: &'a mut [u8]) -> Refusal<'a> {
    let mut refused = None;
    for path in &command.candidates {
        match execve(path, &command.arguments, &command.environment) {
            Errno::NOENT | Errno::NOTDIR if !program::exists(path) => {}
            Errno::ACCESS => refused = refused.or(Some(*path)),
            errno => return program::why_not(path, errno, scratch),
        }
    }
    let name = command.name;
    match (refused, &*command.candidates) {
        (Some(path), _) => program::why_not(path, Errno::ACCESS, scratch),
        (None, [path]) if *path == name => program::why_not(path, Errno::NOENT, scratch),
        _ => Refusal {
            program: name,
            why: Why::Text(rare!("not found in the container's PATH")),
            hint: rare!(
                "name it with its path in the root, or give it another PATH: --env PATH=..."
            ),
            status: status::NOT_FOUND,
        },
    }
}
