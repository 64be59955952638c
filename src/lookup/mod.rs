//! What files of the host say about a container, looked up before it is planned: which ids the
//! caller may use, what a profile of system calls says, and what is in an image.

mod ids;
pub mod image;

pub use ids::{auto, subordinate_ids};

use crate::container::{ALL_CAPABILITIES, Filter, Security};
use crate::error::{Doing, Error, Object, Operation};
use crate::kernel::caller::Caller;
use crate::kernel::settings::read_file;
use crate::plan::Program;
use crate::seccomp::{Architecture, Host, KernelVersion, Profile, compile, json};
use crate::sys::seccomp::Flags;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::thread::CapabilitySet;

static READ: Operation = Operation { on: Object::Target, ..Operation::new(rare!("read")) };

/// The programs that the container's system calls go through.
///
/// # Errors
///
/// What is wrong with its profile.
#[inline(never)]
pub fn filters<'a>(security: &Security<'a>, caller: Caller) -> Result<Vec<Program>, Error<'a>> {
    let capabilities = security.capabilities.map_or(ALL_CAPABILITIES, |sets| sets.bounding);
    let mut programs = Vec::new();
    if matches!(security.filter, Filter::None) && !security.no_nested_users {
        return Ok(programs);
    }
    let (major, minor) = caller.kernel;
    let host = Host {
        architecture: Architecture::NATIVE,
        kernel: KernelVersion { major, minor },
        capabilities,
    };
    let mut forbids_users = false;
    match security.filter {
        Filter::None => {}
        Filter::Default => {
            forbids_users = !capabilities.contains(CapabilitySet::SYS_ADMIN);
            programs.push(program(&Profile::builtin(&host))?);
        }
        Filter::Profile(path) => programs.push(program(&json::parse(content(path)?, &host)?)?),
    }
    if security.no_nested_users && !forbids_users {
        programs.push(program(&Profile::no_nested_userns())?);
    }
    Ok(programs)
}

/// The program for a profile.
///
/// # Errors
///
/// It is too long for the kernel.
pub fn program(profile: &Profile) -> Result<Program, Error<'static>> {
    let instructions = compile(profile, Architecture::NATIVE)?;
    Ok(Program { instructions, flags: Flags::NONE.and(profile.flags), listens: false })
}

fn content(path: &CStr) -> Result<&'static [u8], Error<'_>> {
    let content = read_file(path).doing(&READ);
    content.map_err(|fault| fault.into_error(path.to_bytes(), b""))
}
