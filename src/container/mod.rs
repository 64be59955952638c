//! What is to be run, in the user's terms: plain data, checked when it is built.
//!
//! Both the command line and (later) a bundle's `config.json` build a [`Container`]; how it comes
//! about is the plan's business.

pub mod environment;
mod mount;
mod user;

pub use mount::{Mount, MountError};
pub use user::{User, number};

use crate::kernel::mounts::Access;
use alloc::vec::Vec;
use core::ffi::CStr;

/// A program and the surroundings that it is to see.
pub struct Container<'a> {
    /// The directory that becomes `/`.
    pub root: Root<'a>,
    /// What is mounted in it, parents before what lies in them.
    pub mounts: Vec<Mount<'a>>,
    /// What runs in it.
    pub process: Process<'a>,
}

/// The root directory.
pub struct Root<'a> {
    /// Where it is on the host; relative to the caller's working directory.
    pub directory: &'a CStr,
    /// Whether the program can write to it.
    pub access: Access,
}

/// The program and what it inherits.
pub struct Process<'a> {
    /// The program and its arguments.
    pub command: Vec<&'a CStr>,
    /// `NAME=value`, each name once.
    pub environment: Vec<&'a CStr>,
    /// Inside the root; `/` unless asked for.
    pub working_directory: &'a CStr,
    /// As whom it runs, if not as the caller (or, without privilege, as root inside).
    pub user: Option<User>,
    /// Descriptors that it keeps, from 3 on.
    pub preserved_descriptors: u32,
}

/// A copy of `bytes` as a C string that lives until the process ends; None if there is a NUL in it.
///
/// A launch makes few of these and needs them until the program ends, so nobody owns them.
#[must_use]
pub fn keep(mut bytes: Vec<u8>) -> Option<&'static CStr> {
    let length = bytes.len();
    bytes.push(0);
    CStr::from_bytes_until_nul(bytes.leak()).ok().filter(|string| string.count_bytes() == length)
}
