//! What a program is executed under: a profile of `AppArmor`, or a label of `SELinux`;
//! `proc_pid_attr(5)`.

use super::mounts::Name;
use super::private_proc::{COVERED, write};
use super::settings::read_file;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::text::parts;
use core::ffi::CStr;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;

static APPARMOR: Operation = Operation {
    words: rare!("set the AppArmor profile"),
    on: Object::Target,
    cures: &[
        COVERED,
        (Errno::NOENT, Cure::Words(rare!("aa-status lists the profiles that are loaded"))),
        (
            Errno::ACCESS,
            Cure::Words(rare!("the profile around the runtime does not allow the change")),
        ),
        (Errno::INVAL, Cure::Words(rare!("the kernel does not use AppArmor"))),
    ],
};
static SELINUX: Operation = Operation {
    words: rare!("set the SELinux label"),
    on: Object::Target,
    cures: &[
        COVERED,
        (
            Errno::INVAL,
            Cure::Words(rare!("the policy does not know the label, or there is no SELinux")),
        ),
        (Errno::ACCESS, Cure::Words(rare!("the policy does not let the runtime set it"))),
    ],
};

/// What the kernel takes is a page at most.
const PROFILE_BYTES_MAX: usize = 4096;

/// Has the next program executed under `profile`; `proc` is one that
/// [`super::private_proc::open`] has opened.
///
/// # Errors
///
/// open(2), write(2): `ENOENT` for a profile that is not loaded, `EACCES`.
pub fn apparmor(proc: BorrowedFd<'_>, profile: &CStr) -> Result<(), Fault> {
    let mut command = Name::<PROFILE_BYTES_MAX>::new();
    command.push(b"exec ").push(profile.to_bytes());
    let command = command.as_c_str().doing(&APPARMOR)?.to_bytes();
    // The first is AppArmor's own, Linux 5.8; the second that of the only such module.
    match write(proc, c"self/attr/apparmor/exec", command) {
        Err(Errno::NOENT) => write(proc, c"self/attr/exec", command),
        answer => answer,
    }
    .doing(&APPARMOR)
}

/// Has the next program executed with `label`; `proc` as for [`apparmor`].
///
/// # Errors
///
/// open(2), write(2): `EINVAL`, `EACCES`.
pub fn selinux(proc: BorrowedFd<'_>, label: &CStr) -> Result<(), Fault> {
    write(proc, c"self/attr/exec", label.to_bytes()).doing(&SELINUX)
}

/// Whether the kernel uses `AppArmor`.
#[must_use]
pub fn has_apparmor() -> bool {
    read_file(c"/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with(b"Y"))
}

/// Whether the kernel uses `SELinux`: only then it has the file system `selinuxfs`.
#[must_use]
pub fn has_selinux() -> bool {
    let known = read_file(c"/proc/filesystems").unwrap_or_default();
    parts(known, b'\n').any(|line| line == b"nodev\tselinuxfs")
}
