//! What is set up in new namespaces, and entering those that exist.

use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::kernel::identity::write_file;
use crate::sys::descriptors::AsFd;
use crate::sys::namespaces::{Namespaces, enter, unshare};
use core::ffi::CStr;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::system::{setdomainname, sethostname};

static OPEN: Operation = Operation {
    words: rare!("open the namespace"),
    on: Object::Source,
    cures: &[
        (
            Errno::NOENT,
            Cure::Words(rare!("name the file of a namespace, such as /proc/PID/ns/net")),
        ),
        (Errno::ACCESS, Cure::Words(rare!("only who could trace that process may look into it"))),
    ],
};
static ENTER: Operation = Operation {
    words: rare!("enter the namespace"),
    on: Object::Source,
    cures: &[
        (
            Errno::INVAL,
            Cure::Words(rare!("the file stands for no namespace, or for one of another kind")),
        ),
        (
            Errno::PERM,
            Cure::Words(rare!(
                "this takes root privilege over that namespace: join its user namespace, too"
            )),
        ),
    ],
};
static MAKE_TIME: Operation = Operation {
    words: rare!("make a time namespace"),
    on: Object::None,
    cures: &[
        (Errno::INVAL, Cure::Words(rare!("the kernel has none (CONFIG_TIME_NS, Linux 5.6)"))),
        (Errno::PERM, Cure::AllowUserNamespaces),
    ],
};
static SET_CLOCKS: Operation = Operation {
    words: rare!("write /proc/self/timens_offsets"),
    on: Object::None,
    cures: &[
        (
            Errno::RANGE,
            Cure::Words(rare!("no clock may go back to before the start of the machine")),
        ),
        (Errno::NOENT, Cure::Words(rare!("/proc has to be mounted"))),
    ],
};
static ENTER_TIME: Operation = Operation {
    words: rare!("enter the time namespace"),
    on: Object::None,
    cures: &[(
        Errno::NOENT,
        Cure::Words(rare!("before Linux 6.2, /proc has to be mounted for that")),
    )],
};
static MAKE: Operation = Operation {
    words: rare!("make new namespaces"),
    on: Object::None,
    cures: &[(Errno::PERM, Cure::AllowUserNamespaces), (Errno::NOSPC, Cure::AllowUserNamespaces)],
};
static NAME_HOST: Operation =
    Operation { words: rare!("set the host name"), on: Object::None, cures: TOO_LONG };
static NAME_DOMAIN: Operation =
    Operation { words: rare!("set the domain name"), on: Object::None, cures: TOO_LONG };
const TOO_LONG: &[(Errno, Cure)] =
    &[(Errno::INVAL, Cure::Words(rare!("a name has at most 64 letters")))];

/// Enters the namespace of this kind that the file at `path` on the host stands for; one of process
/// ids takes hold for children.
///
/// # Errors
///
/// open(2), setns(2).
pub fn join(path: &CStr, kind: Namespaces) -> Result<(), Fault> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Mode::empty()).doing(&OPEN)?;
    enter(file.as_fd(), kind).doing(&ENTER)
}

/// Makes new namespaces of these kinds for this process.
///
/// # Errors
///
/// unshare(2).
pub fn make(kinds: Namespaces) -> Result<(), Fault> {
    unshare(kinds).doing(&MAKE)
}

/// Makes a time namespace whose clocks are `offsets` ahead, in the form of
/// `/proc/self/timens_offsets`; `time_namespaces(7)`. On Linux 6.2
/// and newer the program enters it when it is executed.
///
/// # Errors
///
/// unshare(2); open(2) and write(2) on the file: `ERANGE`.
pub fn make_time(offsets: &[u8]) -> Result<(), Fault> {
    unshare(Namespaces::TIME).doing(&MAKE_TIME)?;
    if offsets.is_empty() {
        return Ok(());
    }
    write_file(c"/proc/self/timens_offsets", offsets).doing(&SET_CLOCKS)
}

/// Enters the time namespace that this process has made, which otherwise only its children would;
/// it has to be alone in its memory.
///
/// # Errors
///
/// open(2); setns(2): `EUSERS`.
pub fn enter_time() -> Result<(), Fault> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let made = openat(CWD, c"/proc/self/ns/time_for_children", flags, Mode::empty());
    enter(made.doing(&ENTER_TIME)?.as_fd(), Namespaces::TIME).doing(&ENTER_TIME)
}

/// Sets the names of the host in this UTS namespace; sethostname(2).
///
/// # Errors
///
/// `EINVAL` for one that is too long, `EPERM`.
pub fn set_names(host: Option<&CStr>, domain: Option<&CStr>) -> Result<(), Fault> {
    if let Some(name) = host {
        sethostname(name.to_bytes()).doing(&NAME_HOST)?;
    }
    if let Some(name) = domain {
        setdomainname(name.to_bytes()).doing(&NAME_DOMAIN)?;
    }
    Ok(())
}
