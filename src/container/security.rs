//! What the program may do, however it got to run: capabilities, system calls, new privileges, and
//! the paths that are hidden from it or cannot be written to.

use crate::text::parts;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::thread::CapabilitySet;

/// The protections of a container, besides its isolations.
#[derive(Default)]
pub struct Security<'a> {
    /// What it can have; None leaves it as it is.
    pub capabilities: Option<Capabilities>,
    /// Whether a program that is setuid or has capabilities gives none; `PR_SET_NO_NEW_PRIVS(2const)`.
    pub no_new_privileges: bool,
    /// Which system calls it can make.
    pub filter: Filter<'a>,
    /// Whether it cannot make user namespaces.
    pub no_nested_users: bool,
    /// Whether it can reach files only by names below its root; landlock(7).
    pub landlock: bool,
    /// What is hidden, if it is there.
    pub masked: Vec<&'a CStr>,
    /// What cannot be written to, if it is there.
    pub read_only: Vec<&'a CStr>,
}

/// The five sets of a process; capabilities(7), "Thread capability sets".
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct Capabilities {
    /// The most that any program inside can have.
    pub bounding: CapabilitySet,
    /// What is in force.
    pub effective: CapabilitySet,
    /// What can be.
    pub permitted: CapabilitySet,
    /// What a file's capabilities can add to.
    pub inheritable: CapabilitySet,
    /// What is kept by a program without capabilities that is executed as an ordinary user.
    pub ambient: CapabilitySet,
}

impl Capabilities {
    /// As much of these as the process has, and nothing inherited but what root gets.
    #[must_use]
    pub fn at_most(kept: CapabilitySet) -> Self {
        let none = CapabilitySet::empty();
        Self { bounding: kept, effective: kept, permitted: kept, inheritable: none, ambient: none }
    }
}

/// Which system calls a program can make; seccomp(2).
#[derive(Clone, Copy, Default)]
pub enum Filter<'a> {
    /// All.
    #[default]
    None,
    /// Those that containers are usually given, according to their capabilities.
    Default,
    /// What a profile says, in a file of this name; as of OCI runtimes and Docker.
    Profile(&'a CStr),
}

/// The capabilities in the order of their bits, in lower case and without `CAP_`; capabilities(7).
pub const CAPABILITIES: &str = "chown dac_override dac_read_search fowner fsetid kill setgid setuid \
    setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner \
    sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource \
    sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin \
    syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore";

/// What a container keeps unless told otherwise: Docker's set.
pub const DEFAULT_CAPABILITIES: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// All that this version knows.
pub const ALL_CAPABILITIES: CapabilitySet = CapabilitySet::from_bits_retain((1 << 41) - 1);

/// Reads a list of names, with or without `CAP_`, in any case, or `ALL`; None if one is unknown.
#[must_use]
pub fn capabilities(list: &[u8]) -> Option<CapabilitySet> {
    let mut set = CapabilitySet::empty();
    for name in parts(list, b',') {
        set |= if name.eq_ignore_ascii_case(b"all") { ALL_CAPABILITIES } else { capability(name)? };
    }
    Some(set)
}

/// The capability of this name.
#[must_use]
pub fn capability(name: &[u8]) -> Option<CapabilitySet> {
    let has_prefix = name.len() > 4 && name[..4].eq_ignore_ascii_case(b"cap_");
    let name = if has_prefix { &name[4..] } else { name };
    let mut names = parts(CAPABILITIES.as_bytes(), b' ').filter(|name| !name.is_empty());
    let bit = names.position(|known| known.eq_ignore_ascii_case(name))?;
    Some(CapabilitySet::from_bits_retain(1 << bit))
}

/// What Docker and Podman hide: what tells about the host or reaches its hardware.
pub const MASKED: &str = "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys \
    /proc/latency_stats /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats \
    /sys/dev/block /sys/devices/system/cpu/cpu*/thermal_throttle /sys/devices/virtual/powercap \
    /sys/firmware /sys/fs/selinux";

/// What they make read-only: what sets the host.
pub const READ_ONLY: &str = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_their_names_and_bits() {
        assert_eq!(capabilities(b"CAP_CHOWN"), Some(CapabilitySet::CHOWN));
        let two = CapabilitySet::SYS_ADMIN | CapabilitySet::CHECKPOINT_RESTORE;
        assert_eq!(capabilities(b"sys_admin,cap_checkpoint_restore"), Some(two));
        assert_eq!(capabilities(b"all"), Some(ALL_CAPABILITIES));
        assert_eq!(capability(b"SYSLOG"), Some(CapabilitySet::SYSLOG));
        for wrong in ["", "cap_", "sys_", "sys admin", "chown,"] {
            assert_eq!(capabilities(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(DEFAULT_CAPABILITIES.bits(), 0xa804_25fb, "what Docker's containers show");
    }
}
