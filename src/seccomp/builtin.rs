//! The profiles that need no file. The default one is what Docker has, and stricter: no call of a
//! foreign architecture exists, and nobody types into a terminal for somebody else.

use super::calls::GROUPS;
use super::{Action, Call, Condition, Host, KernelVersion, Profile, Rule, Test};
use crate::sys::seccomp::Flags;
use crate::text::parts;
use alloc::vec::Vec;
use linux_raw_sys::general::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER,
    CLONE_NEWUTS,
};
use linux_raw_sys::ioctl::{TIOCLINUX, TIOCSTI};

const NEW_NAMESPACES: u32 = CLONE_NEWNS
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET
    | CLONE_NEWCGROUP;

/// From this version on, a tracer cannot get a call past the filter; ptrace(2).
const SAFE_PTRACE: KernelVersion = KernelVersion { major: 4, minor: 8 };

/// Families of sockets that the kernel no longer has, and two that it has: the kernel's own
/// cryptography (38), and sockets to virtual machines (40), which no namespace keeps apart.
const REFUSED_FAMILIES: [u64; 9] = [12, 19, 20, 23, 25, 34, 37, 38, 40];
/// The families from here on are not known yet.
const FAMILIES_END: u64 = 46;

/// Linux as it is; with 32-bit `uname`; without randomised addresses; both; and a question for the
/// present one.
const PERSONALITIES: [u64; 5] = [0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];

impl Profile {
    /// The default profile for a container with the `host`'s capabilities.
    #[must_use]
    pub fn builtin(host: &Host) -> Self {
        let mut profile = Self::new(Action::REFUSE);
        for (capability, calls) in GROUPS {
            if host.capabilities.contains(*capability) {
                let (calls, conditions) = (calls.to_vec(), Vec::new());
                profile.rules.push(Rule { calls, action: Action::Allow, conditions });
            }
        }
        if host.kernel >= SAFE_PTRACE {
            profile.add("ptrace process_vm_readv process_vm_writev", Action::Allow, &[]);
        }
        // With CAP_SYS_ADMIN, both are allowed already, in a rule before these. The flags of clone3
        // are in memory, where no filter can see them; told that there is none, C libraries clone.
        profile.add("clone", Action::Allow, &[low_bits(0, NEW_NAMESPACES, 0)]);
        profile.add("clone3", Action::UNKNOWN, &[]);
        for command in [TIOCSTI, TIOCLINUX] {
            profile.add("ioctl", Action::REFUSE, &[low_bits(1, u32::MAX, command)]);
        }
        profile.add("ioctl", Action::Allow, &[]);
        for family in REFUSED_FAMILIES {
            profile.add("socket", Action::REFUSE, &[first(Test::Equal(family))]);
        }
        profile.add("socket", Action::Allow, &[first(Test::Less(FAMILIES_END))]);
        for personality in PERSONALITIES {
            profile.add("personality", Action::Allow, &[first(Test::Equal(personality))]);
        }
        profile
    }

    /// Everything is allowed but a user namespace within the container's: in a new one, every
    /// program has all capabilities, and with them a way to much of the kernel.
    #[must_use]
    pub fn no_nested_userns() -> Self {
        let mut profile = Self::new(Action::Allow);
        let user = |argument| low_bits(argument, CLONE_NEWUSER, CLONE_NEWUSER);
        profile.add("clone unshare", Action::REFUSE, &[user(0)]);
        profile.add("setns", Action::REFUSE, &[user(1)]);
        profile.add("clone3", Action::UNKNOWN, &[]);
        profile
    }

    /// Without rules, and for the machine's own architecture alone.
    pub(super) fn new(default: Action) -> Self {
        Self { default, rules: Vec::new(), x86: false, x32: false, flags: Flags::NONE }
    }

    fn add(&mut self, names: &str, action: Action, conditions: &[Condition]) {
        let calls = parts(names.as_bytes(), b' ').filter_map(Call::named).collect();
        self.rules.push(Rule { calls, action, conditions: conditions.to_vec() });
    }
}

fn first(test: Test) -> Condition {
    Condition { argument: 0, test }
}

/// Of the lower half of the argument only: the kernel ignores the upper one, too.
fn low_bits(argument: u8, mask: u32, value: u32) -> Condition {
    Condition { argument, test: Test::Masked { mask: mask.into(), value: value.into() } }
}
