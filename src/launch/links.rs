//! The interfaces that the host gives to a container.

use crate::error::{Doing, Fault, Operation};
use crate::kernel::moved_link;
use crate::sys::descriptors::AsFd;
use crate::sys::namespaces::{Namespaces, enter};
use crate::sys::process::{Memory, Stack, clone};
use core::ffi::CStr;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{WaitOptions, waitpid};

static ENTER: Operation = Operation::new(rare!("enter the container's network namespace"));

/// Moves the interface `name` to `namespace`, where it is called `new_name`, has the addresses that it
/// had, and is up.
///
/// # Errors
///
/// Those of [`moved_link`]: `ENODEV`, `EPERM`, `EEXIST`; setns(2), clone(2).
pub fn give(name: &CStr, new_name: &CStr, namespace: &OwnedFd) -> Result<(), Fault> {
    const STACK_BYTES: usize = 64 * 1024;
    let mut link = moved_link::find(name)?;
    let mut moved = Ok(());
    // A process of its own, so that this one stays in its namespace whatever happens.
    let mut child = || {
        moved = enter(namespace.as_fd(), Namespaces::NET)
            .doing(&ENTER)
            .and_then(|()| moved_link::take(&mut link, namespace, new_name));
        0
    };
    let mut stack = Stack::map(STACK_BYTES).doing(&ENTER)?;
    let cloned = clone(Memory::Shared(&mut stack), Namespaces::NONE, &mut child);
    let process = cloned.doing(&ENTER)?;
    while let Err(Errno::INTR) = waitpid(Some(process), WaitOptions::empty()) {}
    moved
}
