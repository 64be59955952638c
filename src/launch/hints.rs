//! From a failure to the message: the words of the operation, the name it worked on, and, where there
//! is a likely cure, what to do.

use crate::error::{Cure, Error, Fault};
use crate::kernel::program::Refusal;
use crate::kernel::settings;
use crate::plan::Plan;
use crate::sys::namespaces::Namespaces;

/// The message for a call to the kernel that failed, on the object `on`.
pub fn explain<'a>(fault: Fault, on: &'a [u8], plan: &Plan<'_>) -> Error<'a> {
    fault.into_error(on, hint(fault, plan))
}

fn hint(fault: Fault, plan: &Plan<'_>) -> &'static [u8] {
    match fault.cure() {
        None => b"",
        Some(Cure::Words(words)) => words.bytes(),
        Some(Cure::AllowProcesses) => settings::processes(),
        Some(Cure::AllowUserNamespaces) if plan.namespaces.contains(Namespaces::USER) => {
            settings::user_namespaces()
        }
        Some(Cure::AllowUserNamespaces) => {
            rare!("a seccomp filter or a security policy forbids it, even to a privileged caller")
                .bytes()
        }
    }
}

/// The message for a program that could not be executed.
pub fn refusal<'a>(refusal: &Refusal<'a>) -> Error<'a> {
    let Refusal { program, why, hint, status } = *refusal;
    Error::new(rare!("execute"), program.to_bytes(), why, hint.bytes(), status)
}
