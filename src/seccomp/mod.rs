//! Which system calls a container may make: profiles, and how one becomes the filter that the
//! kernel runs before each call; seccomp(2).
//!
//! A [`Profile`] is plain data. It is built in ([`Profile::builtin`],
//! [`Profile::no_nested_userns`]) or read from a file ([`json::parse`]); [`compile`] makes the
//! program from it that [`install`](crate::sys::seccomp::install) takes.

mod assembler;
mod builtin;
mod calls;
mod compile;
pub mod json;
mod place;
#[cfg(test)]
mod tests;

pub use calls::{Abi, Call};
pub use compile::compile;

use crate::sys::seccomp::Flags;
use crate::text::cut;
use alloc::vec::Vec;
use rustix::io::Errno;
use rustix::thread::CapabilitySet;

/// What is answered to which system calls.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub struct Profile {
    /// The answer to calls that no rule is for. Where it is a refusal, calls that are newer than
    /// all that the rules name are said not to exist, so that programs do without them.
    pub default: Action,
    /// The first that holds for a call counts.
    pub rules: Vec<Rule>,
    /// Whether 32-bit programs get answers on x86-64; without it, no call of theirs exists.
    pub x86: bool,
    /// The same of x32 programs.
    pub x32: bool,
    /// How the filter is to be installed.
    pub flags: Flags,
}

impl Profile {
    /// Whether somebody is asked about some calls.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.rules.iter().any(|rule| rule.action == Action::Notify)
    }
}

/// An answer to some calls.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub struct Rule {
    /// To which.
    pub calls: Vec<Call>,
    /// What is answered.
    pub action: Action,
    /// What has to be true of the arguments; all of it.
    pub conditions: Vec<Condition>,
}

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Action {
    /// It is made.
    Allow,
    /// It fails with this error.
    Errno(u16),
    /// The process is killed.
    KillProcess,
    /// The thread is killed.
    KillThread,
    /// The thread gets `SIGSYS`.
    Trap,
    /// It is made, and logged.
    Log,
    /// Whoever listens at the filter's descriptor decides; `seccomp_unotify(2)`.
    Notify,
    /// A tracer decides, and is told this; without one, the call fails with `ENOSYS`.
    Trace(u16),
}

impl Action {
    /// The call is not permitted.
    pub const REFUSE: Self = Self::of(Errno::PERM);
    /// There is no such call.
    pub const UNKNOWN: Self = Self::of(Errno::NOSYS);

    const fn of(errno: Errno) -> Self {
        Self::Errno(errno.raw_os_error() as u16)
    }

    /// Whether calls are made after it, or may be.
    const fn is_permissive(self) -> bool {
        matches!(self, Self::Allow | Self::Log | Self::Notify | Self::Trace(_))
    }
}

/// Something that may be true of an argument of a call.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub struct Condition {
    /// Which argument, from 0 to 5.
    pub argument: u8,
    /// What is true of it.
    pub test: Test,
}

/// A comparison of all 64 bits of an argument with a value.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub enum Test {
    /// It is this.
    Equal(u64),
    /// It is not this.
    NotEqual(u64),
    /// It is less than this.
    Less(u64),
    /// It is this or less.
    LessOrEqual(u64),
    /// It is this or more.
    GreaterOrEqual(u64),
    /// It is more than this.
    Greater(u64),
    /// The bits in the mask are those of the value.
    Masked {
        /// Which bits are looked at.
        mask: u64,
        /// What they are.
        value: u64,
    },
}

/// What the machine is, and what the container may do: profiles depend on it.
#[derive(Clone, Copy)]
pub struct Host {
    /// The machine.
    pub architecture: Architecture,
    /// Its kernel.
    pub kernel: KernelVersion,
    /// The capabilities that the container keeps.
    pub capabilities: CapabilitySet,
}

/// A machine, which may know more than one [`Abi`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// x86-64.
    X86_64,
    /// aarch64.
    Aarch64,
}

impl Architecture {
    /// The one that this is compiled for.
    pub const NATIVE: Self =
        if cfg!(target_arch = "x86_64") { Self::X86_64 } else { Self::Aarch64 };
}

/// A version of Linux, as far as it counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(Debug))]
pub struct KernelVersion {
    /// The first number.
    pub major: u16,
    /// The second.
    pub minor: u16,
}

impl KernelVersion {
    /// The version in a text such as `6.1.0-13-amd64`: that is uname(2)'s release.
    #[must_use]
    pub fn parse(release: &[u8]) -> Option<Self> {
        let (major, rest) = cut(release, b'.');
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let minor = rest.unwrap_or_default();
        let minor = minor.get(..digits(minor))?;
        Some(Self { major: number(major)?, minor: number(minor)? })
    }
}

fn number(digits: &[u8]) -> Option<u16> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}
