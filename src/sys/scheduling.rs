//! How a process is scheduled, where its memory is, and which execution domain it is in:
//! `sched_setattr(2)`, `ioprio_set(2)`, `set_mempolicy(2)`, personality(2).
#![allow(unsafe_code)]

use super::{architecture, checked};
use core::ptr::from_ref;
use linux_raw_sys::general::{
    __NR_ioprio_set, __NR_personality, __NR_sched_setattr, __NR_set_mempolicy,
};
use rustix::io::Errno;

/// The kernel's `sched_attr`, as far as it can be set here.
#[derive(Clone, Copy, Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct Scheduler {
    /// `SCHED_OTHER` and so on, by number.
    pub policy: u32,
    /// Flags `SCHED_FLAG_...`.
    pub flags: u64,
    /// From -20 to 19, for `SCHED_OTHER` and `SCHED_BATCH`.
    pub nice: i32,
    /// From 1 to 99, for `SCHED_FIFO` and `SCHED_RR`.
    pub priority: u32,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub runtime: u64,
    /// Likewise.
    pub deadline: u64,
    /// Likewise.
    pub period: u64,
}

/// How memory is placed on nodes.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct MemoryPolicy {
    /// `MPOL_DEFAULT` and so on with `MPOL_F_...`, by number.
    pub mode: u32,
    /// A bit for each node; the kernel knows at most 1024.
    pub nodes: [u64; 16],
}

/// Sets how this process is scheduled.
///
/// # Errors
///
/// `sched_setattr(2)`: `EPERM`, `EINVAL`, `EBUSY` when the deadlines cannot be kept.
pub fn schedule(scheduler: &Scheduler) -> Result<(), Errno> {
    /// The kernel's `sched_attr` of its first version.
    #[repr(C)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        times: [u64; 3],
    }
    let Scheduler { policy, flags, nice, priority, runtime, deadline, period } = *scheduler;
    let times = [runtime, deadline, period];
    let size = size_of::<Attributes>() as u32;
    let attributes = Attributes { size, policy, flags, nice, priority, times };
    let arguments = [0, from_ref(&attributes).expose_provenance(), 0, 0, 0];
    // SAFETY: a structure that begins with its own size; the kernel reads it before it returns.
    checked(unsafe { architecture::syscall(__NR_sched_setattr, arguments) })?;
    Ok(())
}

/// Sets how the reading and writing of this process is scheduled: a class and a priority in it.
///
/// # Errors
///
/// `ioprio_set(2)`: `EPERM`, `EINVAL`.
pub fn schedule_io(priority: u16) -> Result<(), Errno> {
    const IOPRIO_WHO_PROCESS: usize = 1;
    let arguments = [IOPRIO_WHO_PROCESS, 0, usize::from(priority), 0, 0];
    // SAFETY: takes numbers only.
    checked(unsafe { architecture::syscall(__NR_ioprio_set, arguments) })?;
    Ok(())
}

/// Sets where the memory of this process is.
///
/// # Errors
///
/// `set_mempolicy(2)`: `EINVAL`, `ENOSYS` without NUMA.
pub fn place_memory(policy: &MemoryPolicy) -> Result<(), Errno> {
    // The kernel takes one bit less than it is told.
    let bits = size_of_val(&policy.nodes) * 8 + 1;
    let nodes = policy.nodes.as_ptr().expose_provenance();
    let arguments = [policy.mode as usize, nodes, bits, 0, 0];
    // SAFETY: a mask of as many bits as named, which the kernel copies.
    checked(unsafe { architecture::syscall(__NR_set_mempolicy, arguments) })?;
    Ok(())
}

/// Sets the execution domain of this process.
///
/// # Errors
///
/// personality(2): `EINVAL`.
pub fn personality(domain: u32) -> Result<(), Errno> {
    // SAFETY: takes a number only. What it changes for this process itself is where later mappings
    // go, and that they may be executable.
    checked(unsafe { architecture::syscall(__NR_personality, [domain as usize, 0, 0, 0, 0]) })?;
    Ok(())
}
