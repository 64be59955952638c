//! Rules for what a process can reach; landlock(7), Linux 5.13.
#![allow(unsafe_code)]

use super::{architecture, checked};
use core::ptr::from_ref;
use linux_raw_sys::general::{
    __NR_landlock_add_rule, __NR_landlock_create_ruleset, __NR_landlock_restrict_self,
};
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;

/// The version of the interface that the kernel has.
///
/// # Errors
///
/// `landlock_create_ruleset(2)`: `ENOSYS`, `EOPNOTSUPP`.
pub fn abi() -> Result<u32, Errno> {
    const VERSION: usize = 1;
    // SAFETY: asks for a number; no structure is passed.
    let version = checked(unsafe {
        architecture::syscall(__NR_landlock_create_ruleset, [0, 0, VERSION, 0, 0])
    });
    version.map(|version| version as u32)
}

/// What files can be used for, by version: `EXECUTE` to `MAKE_SYM` in 1, then `REFER`, `TRUNCATE`,
/// and from 5 on `IOCTL_DEV`.
const fn file_rights(abi: u32) -> u64 {
    let rights = match abi {
        0 | 1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    (1 << rights) - 1
}

/// From version 6 on: connecting to abstract sockets, and signals, across the border.
const SCOPES: u64 = 3;

/// Rules that are being put together.
pub struct Ruleset {
    file: OwnedFd,
    rights: u64,
}

/// `struct landlock_ruleset_attr`.
#[repr(C)]
struct Attributes {
    files: u64,
    networks: u64,
    scopes: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    parent: i32,
}

impl Ruleset {
    /// Rules that know all ways to use files of this version, and allow none.
    ///
    /// # Errors
    ///
    /// `landlock_create_ruleset(2)`.
    pub fn new(abi: u32) -> Result<Self, Errno> {
        let rights = file_rights(abi);
        let scopes = if abi >= 6 { SCOPES } else { 0 };
        let attributes = Attributes { files: rights, networks: 0, scopes };
        // Older versions know a shorter structure; what they do not know has to be zero.
        let bytes = if abi >= 6 { size_of::<Attributes>() } else { size_of::<u64>() };
        let arguments = [from_ref(&attributes).expose_provenance(), bytes, 0, 0, 0];
        // SAFETY: a structure of at least the size named.
        let number =
            checked(unsafe { architecture::syscall(__NR_landlock_create_ruleset, arguments) })?;
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(Self { file: unsafe { OwnedFd::from_raw_fd(number as i32) }, rights })
    }

    /// Allows all uses of what lies below the directory.
    ///
    /// # Errors
    ///
    /// `landlock_add_rule(2)`.
    pub fn allow_below(&self, directory: BorrowedFd<'_>) -> Result<(), Errno> {
        const PATH_BENEATH: usize = 1;
        let rule = Beneath { allowed: self.rights, parent: directory.as_raw_fd() };
        let rule = from_ref(&rule).expose_provenance();
        let arguments = [self.file.as_raw_fd() as usize, PATH_BENEATH, rule, 0, 0];
        // SAFETY: an open descriptor and the structure for this kind of rule.
        checked(unsafe { architecture::syscall(__NR_landlock_add_rule, arguments) })?;
        Ok(())
    }

    /// Puts this process under the rules, for good.
    ///
    /// # Errors
    ///
    /// `landlock_restrict_self(2)`: `EPERM`, `E2BIG`.
    pub fn restrict_self(self) -> Result<(), Errno> {
        let arguments = [self.file.as_raw_fd() as usize, 0, 0, 0, 0];
        // SAFETY: an open descriptor.
        checked(unsafe { architecture::syscall(__NR_landlock_restrict_self, arguments) })?;
        Ok(())
    }
}
