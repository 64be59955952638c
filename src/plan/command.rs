//! The program that a plan ends with, and where it is looked for.

use crate::container::{Process, environment, keep};
use crate::kernel::execute::Command;
use crate::sys::process::StringList;
use crate::text::{cut, parts};
use alloc::vec::Vec;
use core::ffi::CStr;

pub(super) fn command<'a>(process: &Process<'a>) -> Command<'a> {
    let name = process.command.first().copied().unwrap_or_default();
    Command {
        name,
        candidates: candidates(name, &process.environment),
        arguments: StringList::new(&process.command),
        environment: StringList::new(&process.environment),
    }
}

/// The paths to try for a program; an empty folder in PATH is the working directory, as in
/// execvp(3).
fn candidates<'a>(name: &'a CStr, environment: &[&'a CStr]) -> Vec<&'a CStr> {
    if cut(name.to_bytes(), b'/').1.is_some() {
        return [name].to_vec();
    }
    let mut candidates = Vec::new();
    for folder in parts(environment::path(environment), b':') {
        let mut candidate = if folder.is_empty() { b".".to_vec() } else { folder.to_vec() };
        candidate.push(b'/');
        candidate.extend_from_slice(name.to_bytes());
        candidates.extend(keep(candidate));
    }
    candidates
}
