//! The session keyring; keyrings(7), keyctl(2).
#![allow(unsafe_code)]

use super::{architecture, checked};
use core::ffi::CStr;
use linux_raw_sys::general::__NR_keyctl;
use rustix::io::Errno;

/// Moves this process to the session keyring of this name, which is made if there is none.
///
/// # Errors
///
/// `KEYCTL_JOIN_SESSION_KEYRING(2const)`, `KEYCTL_SETPERM(2const)`: `ENOSYS`, `EDQUOT`, `EACCES`.
pub fn join_session(name: &CStr) -> Result<(), Errno> {
    const JOIN_SESSION_KEYRING: usize = 1;
    const SETPERM: usize = 5;
    /// All for who has it; for its user, all but to write and to change it. Without the right to
    /// search, a process of the same user that joins later would not find it.
    const PERMISSIONS: usize = 0x3f1b_0000;
    let arguments = [JOIN_SESSION_KEYRING, name.as_ptr().expose_provenance(), 0, 0, 0];
    // SAFETY: a number and a string.
    let keyring = checked(unsafe { architecture::syscall(__NR_keyctl, arguments) })?;
    let arguments = [SETPERM, keyring, PERMISSIONS, 0, 0];
    // SAFETY: takes numbers only.
    checked(unsafe { architecture::syscall(__NR_keyctl, arguments) })?;
    Ok(())
}
