//! What a process has of the machine and shows of itself: limits, priority, processors, and whether
//! others may look into it.

use super::identity::write_file;
use super::private_proc;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setpriority_process, setrlimit,
};
use rustix::thread::{CpuSet, sched_setaffinity};

static HIDE: Operation = Operation::new(rare!("hide the launcher from other processes"));
static LIMIT: Operation = Operation {
    words: rare!("set a resource limit"),
    on: Object::None,
    cures: &[
        (
            Errno::PERM,
            Cure::Words(rare!("raising a hard limit takes CAP_SYS_RESOURCE on the host")),
        ),
        (Errno::INVAL, Cure::Words(rare!("the soft limit is above the hard one"))),
    ],
};
static NICE: Operation = Operation {
    words: rare!("set the nice value"),
    on: Object::None,
    cures: &[
        (
            Errno::ACCESS,
            Cure::Words(rare!("below the present one it takes CAP_SYS_NICE on the host")),
        ),
        (
            Errno::PERM,
            Cure::Words(rare!("below the present one it takes CAP_SYS_NICE on the host")),
        ),
    ],
};
static AFFINITY: Operation = Operation {
    words: rare!("set the processors"),
    on: Object::None,
    cures: &[(Errno::INVAL, Cure::Words(rare!("none of them is there, or allowed by the cpuset")))],
};
static OOM: Operation = Operation {
    words: rare!("write /proc/self/oom_score_adj"),
    on: Object::None,
    cures: &[
        (
            Errno::ACCESS,
            Cure::Words(rare!("below the present value it takes CAP_SYS_RESOURCE on the host")),
        ),
        (Errno::NOENT, Cure::Words(rare!("/proc has to be mounted"))),
    ],
};

/// Keeps other processes from tracing this one, and from looking at what it has open or executes,
/// until it executes a program; `PR_SET_DUMPABLE(2const)`. It also hides what shares its memory.
///
/// # Errors
///
/// None with a valid value.
pub fn hide() -> Result<(), Fault> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).doing(&HIDE)
}

/// Sets a resource limit; setrlimit(2).
///
/// # Errors
///
/// `EPERM`, `EINVAL`.
pub fn limit(resource: Resource, values: Rlimit) -> Result<(), Fault> {
    setrlimit(resource, values).doing(&LIMIT)
}

/// Sets how much the process gives way to others, from -20 to 19; setpriority(2).
///
/// # Errors
///
/// `EACCES`, `EPERM`.
pub fn nice(value: i32) -> Result<(), Fault> {
    setpriority_process(None, value).doing(&NICE)
}

/// Sets which processors the process runs on; `sched_setaffinity(2)`.
///
/// # Errors
///
/// `EINVAL`.
pub fn processors(set: &CpuSet) -> Result<(), Fault> {
    sched_setaffinity(None, set).doing(&AFFINITY)
}

/// Sets how readily the kernel kills the process when memory runs out, as text from -1000 to 1000;
/// `proc_pid_oom_score_adj(5)`.
///
/// # Errors
///
/// open(2), write(2): `EACCES`.
pub fn oom_score(text: &[u8]) -> Result<(), Fault> {
    write_file(c"/proc/self/oom_score_adj", text).doing(&OOM)
}

/// As [`oom_score`], through a /proc that [`private_proc::open`] has opened.
///
/// # Errors
///
/// As there.
pub fn oom_score_through(proc: BorrowedFd<'_>, text: &[u8]) -> Result<(), Fault> {
    private_proc::write(proc, c"self/oom_score_adj", text).doing(&OOM)
}
