//! Landlock: what is not below the container's root cannot be reached, whatever descriptor leads
//! there; landlock(7).

use crate::error::{Doing, Fault, Operation};
use crate::sys::descriptors::AsFd;
use crate::sys::landlock::{Ruleset, abi};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

static RESTRICT: Operation = Operation::new(rare!("restrict the program to its root (landlock)"));

/// Lets this process and its children reach files only below `/`, and signal and connect by abstract
/// sockets only among themselves; as far as this kernel can, down to nothing.
///
/// # Errors
///
/// `landlock_create_ruleset(2)`, `landlock_restrict_self(2)`: `EPERM` without `CAP_SYS_ADMIN` when
/// new privileges are not forbidden.
pub fn restrict() -> Result<(), Fault> {
    // Linux before 5.13, or one in which it is switched off.
    let Ok(abi) = abi() else { return Ok(()) };
    apply(abi).doing(&RESTRICT)
}

fn apply(abi: u32) -> Result<(), Errno> {
    let rules = Ruleset::new(abi)?;
    let root = openat(CWD, c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    rules.allow_below(root.as_fd())?;
    rules.restrict_self()
}
