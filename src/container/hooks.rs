//! Programs that are run at points of a container's life; the OCI specification, `config.md`, "POSIX-platform
//! Hooks".

use alloc::vec::Vec;
use core::ffi::CStr;

/// All hooks, by the point at which they run.
#[derive(Default)]
pub struct Hooks<'a> {
    /// In the runtime's namespaces, before the root is entered; the old name of the next.
    pub prestart: Vec<Hook<'a>>,
    /// In the runtime's namespaces, before the root is entered.
    pub create_runtime: Vec<Hook<'a>>,
    /// In the container's namespaces, before the root is entered.
    pub create_container: Vec<Hook<'a>>,
    /// In the container's namespaces, before the program is executed.
    pub start_container: Vec<Hook<'a>>,
    /// In the runtime's namespaces, when the program runs.
    pub poststart: Vec<Hook<'a>>,
    /// In the runtime's namespaces, when the container is deleted.
    pub poststop: Vec<Hook<'a>>,
}

impl Hooks<'_> {
    /// Whether any run in the runtime's namespaces while the container is made.
    #[must_use]
    pub fn run_before(&self) -> bool {
        !self.prestart.is_empty() || !self.create_runtime.is_empty()
    }
}

/// One program.
pub struct Hook<'a> {
    /// Where it is; absolute.
    pub path: &'a CStr,
    /// Its arguments, from its name on; none: its path alone.
    pub arguments: Vec<&'a CStr>,
    /// Its environment.
    pub environment: Vec<&'a CStr>,
    /// After how many seconds it is killed, and has failed.
    pub timeout: Option<u32>,
}
