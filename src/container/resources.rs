//! What a container may use of the machine, all its processes together: the limits of its cgroup, in the
//! terms of the OCI specification (`config-linux.md`, "Control groups"). What is None was not asked for.

use alloc::vec::Vec;
use core::ffi::CStr;

/// All limits.
#[derive(Default)]
pub struct Resources<'a> {
    /// Memory and swap.
    pub memory: Memory,
    /// Processor time, and which processors.
    pub cpu: Cpu<'a>,
    /// How many processes there may be; below zero: as many as one likes.
    pub pids: Option<i64>,
    /// Which devices may be used. The last rule that names a device counts.
    pub devices: Vec<DeviceRule>,
    /// Reading and writing of block devices.
    pub block: BlockIo,
    /// For pages of a size, such as `2MB`: how many bytes.
    pub huge_pages: Vec<(&'a CStr, u64)>,
    /// Priorities of packets; version 1 only.
    pub network: PacketMarks<'a>,
    /// Remote direct memory access.
    pub rdma: Vec<Rdma<'a>>,
    /// Files of a cgroup of version 2, and what is written to them.
    pub unified: Vec<(&'a CStr, &'a CStr)>,
}

/// Memory, in bytes; -1 is no limit.
#[derive(Default)]
pub struct Memory {
    /// At most.
    pub limit: Option<i64>,
    /// What is left to it when memory is short.
    pub reservation: Option<i64>,
    /// Memory and swap together, at most.
    pub swap: Option<i64>,
    /// Kernel memory, which kernels no longer limit by itself: accepted and without effect.
    pub kernel: Option<i64>,
    /// The same of buffers of TCP; version 1 only.
    pub kernel_tcp: Option<i64>,
    /// From 0 to 100.
    pub swappiness: Option<u64>,
    /// Whether processes wait instead of being killed when there is no memory; version 1 only.
    pub disable_oom_killer: Option<bool>,
    /// Whether a limit below what is in use is refused.
    pub check_before_update: bool,
}

/// Processor time; times are in microseconds.
#[derive(Default)]
pub struct Cpu<'a> {
    /// The share among those that compete, from 2 to 262144; 1024 is usual.
    pub shares: Option<u64>,
    /// How much time in a period; below zero: as much as there is.
    pub quota: Option<i64>,
    /// How much of unused quota may be saved up.
    pub burst: Option<u64>,
    /// How long a period is.
    pub period: Option<u64>,
    /// The same for real-time scheduling.
    pub realtime_runtime: Option<i64>,
    /// How long a period of it is.
    pub realtime_period: Option<u64>,
    /// Which processors; `cpuset(7)`, "List format".
    pub cpus: Option<&'a CStr>,
    /// Which memory nodes.
    pub mems: Option<&'a CStr>,
    /// 1: only when nobody else wants the processor.
    pub idle: Option<i64>,
}

/// Whether a device may be used.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct DeviceRule {
    /// Whether it is allowed.
    pub allow: bool,
    /// Which kind.
    pub kind: DeviceKind,
    /// None: all.
    pub major: Option<u32>,
    /// None: all.
    pub minor: Option<u32>,
    /// What is meant: reading, writing, making it (`rwm`).
    pub access: DeviceAccess,
}

/// Kinds of devices.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum DeviceKind {
    /// Both kinds.
    All,
    /// Character devices.
    Character,
    /// Block devices.
    Block,
}

/// What can be done with a device: bits.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct DeviceAccess(pub u8);

impl DeviceAccess {
    /// Reading; `r`.
    pub const READ: u8 = 1;
    /// Writing; `w`.
    pub const WRITE: u8 = 2;
    /// Making a file for it; `m`.
    pub const MAKE: u8 = 4;
    /// All.
    pub const ALL: Self = Self(7);
}

/// Reading and writing of block devices. Weights are from 10 to 1000.
#[derive(Default)]
pub struct BlockIo {
    /// The share among those that compete.
    pub weight: Option<u16>,
    /// The same beside those in cgroups below; kernels no longer have it.
    pub leaf_weight: Option<u16>,
    /// The same for single devices.
    pub weight_devices: Vec<WeightDevice>,
    /// Bytes read in a second.
    pub read_bps: Vec<Throttle>,
    /// Bytes written in a second.
    pub write_bps: Vec<Throttle>,
    /// Reads in a second.
    pub read_iops: Vec<Throttle>,
    /// Writes in a second.
    pub write_iops: Vec<Throttle>,
}

/// A device's share.
pub struct WeightDevice {
    /// Its number.
    pub major: u32,
    /// Its number.
    pub minor: u32,
    /// The share.
    pub weight: Option<u16>,
    /// As in [`BlockIo`].
    pub leaf_weight: Option<u16>,
}

/// A device's limit.
pub struct Throttle {
    /// Its number.
    pub major: u32,
    /// Its number.
    pub minor: u32,
    /// How much in a second.
    pub rate: u64,
}

/// How packets are marked; the hierarchies `net_cls` and `net_prio` of version 1.
#[derive(Default)]
pub struct PacketMarks<'a> {
    /// Their class.
    pub class_id: Option<u32>,
    /// Their priority by interface.
    pub priorities: Vec<(&'a CStr, u32)>,
}

/// A device of remote memory access.
pub struct Rdma<'a> {
    /// Its name.
    pub device: &'a CStr,
    /// Handles at most.
    pub handles: Option<u32>,
    /// Objects at most.
    pub objects: Option<u32>,
}
