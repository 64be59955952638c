//! The system calls that rustix does not offer, each as a safe, typed function.
//!
//! # Safety
//!
//! Every file here hands the kernel pointers to live Rust values of the layout that the call's man
//! page names, for no longer than the call lasts. What a caller could get wrong (a stack that is
//! too short-lived, a list without its end) is made impossible by the types.

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod architecture;

pub mod bpf;
pub mod clock;
pub mod descriptors;
pub mod files;
pub mod keyring;
pub mod landlock;
pub mod memory;
pub mod mounts;
pub mod namespaces;
pub mod once;
pub mod probe;
pub mod process;
pub mod processor;
pub mod ring;
pub mod scheduling;
pub mod seccomp;
pub mod signals;

use core::ffi::c_void;
use rustix::io::Errno;

/// What the child of a clone runs; it ends the process itself.
type Entry = unsafe extern "C" fn(*mut c_void) -> !;

/// The kernel's answer: a value, or an errno as a negative number from -4095 to -1.
fn checked(answer: isize) -> Result<usize, Errno> {
    match answer {
        -4095..=-1 => Err(Errno::from_raw_os_error(-answer as i32)),
        value => Ok(value.cast_unsigned()),
    }
}
