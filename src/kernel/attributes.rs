//! What else a process has of its own: how it and its reading and writing are scheduled, where its
//! memory is, its execution domain, its session keyring.

use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::keyring;
use crate::sys::scheduling::{self, MemoryPolicy, Scheduler};
use core::ffi::CStr;
use rustix::io::Errno;

static SCHEDULE: Operation = Operation {
    words: rare!("set the scheduler"),
    on: Object::None,
    cures: &[
        (
            Errno::PERM,
            Cure::Words(rare!(
                "this takes CAP_SYS_NICE on the host, and, in version 1, cpu.realtimeRuntime"
            )),
        ),
        (
            Errno::INVAL,
            Cure::Words(rare!(
                "the kernel has no such policy, or not with this priority and these times"
            )),
        ),
        (Errno::BUSY, Cure::Words(rare!("the processors have no time left for such a deadline"))),
    ],
};
static SCHEDULE_IO: Operation = Operation {
    words: rare!("set the I/O priority"),
    on: Object::None,
    cures: &[
        (
            Errno::PERM,
            Cure::Words(rare!("the real-time class takes CAP_SYS_ADMIN or CAP_SYS_NICE")),
        ),
        (Errno::INVAL, Cure::Words(rare!("a class has the priorities 0 to 7"))),
        (Errno::NOSYS, Cure::Words(rare!("the kernel has no block devices (CONFIG_BLOCK)"))),
    ],
};
static PLACE: Operation = Operation {
    words: rare!("set the memory policy"),
    on: Object::None,
    cures: &[
        (
            Errno::INVAL,
            Cure::Words(rare!("the mode does not go with these nodes, or none of them is there")),
        ),
        (Errno::PERM, Cure::Words(rare!("a seccomp filter around the runtime forbids it"))),
        (Errno::NOSYS, Cure::Words(rare!("the kernel does not know memory nodes (CONFIG_NUMA)"))),
    ],
};
static PERSONALITY: Operation = Operation {
    words: rare!("set the personality"),
    on: Object::None,
    cures: &[
        (Errno::INVAL, Cure::Words(rare!("the kernel has no such execution domain"))),
        (Errno::PERM, Cure::Words(rare!("a seccomp filter around the runtime forbids it"))),
    ],
};
static KEYRING: Operation = Operation {
    words: rare!("make a session keyring"),
    on: Object::None,
    cures: &[
        (
            Errno::DQUOT,
            Cure::Words(rare!(
                "the user has too many keys (kernel.keys.maxkeys): --no-new-keyring does without"
            )),
        ),
        (Errno::ACCESS, Cure::Words(rare!("another user has one of this name: --no-new-keyring"))),
    ],
};

/// Sets how the process is scheduled.
///
/// # Errors
///
/// `sched_setattr(2)`: `EPERM`, `EINVAL`, `EBUSY`.
pub fn schedule(scheduler: &Scheduler) -> Result<(), Fault> {
    scheduling::schedule(scheduler).doing(&SCHEDULE)
}

/// Sets how its reading and writing is scheduled: the class from bit 13 on, and the priority.
///
/// # Errors
///
/// `ioprio_set(2)`: `EPERM`, `EINVAL`.
pub fn schedule_io(priority: u16) -> Result<(), Fault> {
    scheduling::schedule_io(priority).doing(&SCHEDULE_IO)
}

/// Sets where its memory is.
///
/// # Errors
///
/// `set_mempolicy(2)`: `EINVAL`, `ENOSYS`.
pub fn place_memory(policy: &MemoryPolicy) -> Result<(), Fault> {
    scheduling::place_memory(policy).doing(&PLACE)
}

/// Sets its execution domain.
///
/// # Errors
///
/// personality(2): `EINVAL`.
pub fn personality(domain: u32) -> Result<(), Fault> {
    scheduling::personality(domain).doing(&PERSONALITY)
}

/// Moves it from the caller's session keyring to the one called `name`.
///
/// # Errors
///
/// keyctl(2): `EDQUOT`, `EACCES`.
pub fn join_session_keyring(name: &CStr) -> Result<(), Fault> {
    match keyring::join_session(name) {
        // The kernel has no keys, or a filter around the runtime forbids the call, as those of
        // container engines do. The program is under that filter, too: it cannot reach the
        // caller's keys either.
        Err(Errno::NOSYS | Errno::PERM) => Ok(()),
        answer => answer.doing(&KEYRING),
    }
}
