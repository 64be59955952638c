//! The kernel's settings, as far as the namespaces of a container have their own; sysctl(8),
//! `proc_sys(5)`.

use super::private_proc::{COVERED, open_below, write};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use rustix::fd::BorrowedFd;
use rustix::fs::OFlags;
use rustix::io::Errno;

const OTHERS: Cure =
    Cure::Words(rare!("it is the host's, or of a namespace whose owner the runtime is not"));

static SET: Operation = Operation {
    words: rare!("set the sysctl"),
    on: Object::Target,
    cures: &[
        COVERED,
        (Errno::NOENT, Cure::Words(rare!("this kernel does not have it, or not per namespace"))),
        (Errno::INVAL, Cure::Words(rare!("the kernel does not take this value"))),
        (Errno::ACCESS, OTHERS),
        (Errno::PERM, OTHERS),
    ],
};

/// Writes `value` to the setting at `path`, such as `net/ipv4/ip_forward`, in `proc`, which
/// [`super::private_proc::open`] has opened.
///
/// # Errors
///
/// open(2), write(2): `ENOENT`, `EACCES`, `EINVAL`; `EXDEV` for a path that leads elsewhere.
pub fn set(proc: BorrowedFd<'_>, path: &CStr, value: &[u8]) -> Result<(), Fault> {
    // In two parts: what is beside the settings can do more harm than they.
    let settings = open_below(proc, c"sys", OFlags::PATH | OFlags::DIRECTORY).doing(&SET)?;
    write(settings.as_fd(), path, value).doing(&SET)
}
