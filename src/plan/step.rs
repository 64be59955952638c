//! One step of the child's: a thing that a person would name. It runs itself in [`super::run`], and
//! prints itself in [`super::explain`].

use super::{Act, Ties};
use crate::container::{Capabilities, Join, Limit, Link, Mount, Mounted, Upper, User};
use crate::error::Object;
use crate::kernel::cgroup_mounts::Cgroups;
use crate::kernel::devices::Devices;
use crate::kernel::entry::Node;
use crate::kernel::identity::Parent;
use crate::kernel::mounts::Access;
use crate::kernel::pieces::Piece;
use crate::kernel::terminal::Console;
use crate::kernel::volume::Volume;
use crate::sys::namespaces::Namespaces;
use crate::sys::seccomp::{Flags, Instruction};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::Mode;
use rustix::mount::{MountAttrFlags, MountPropagationFlags};
use rustix::process::Gid;
use rustix::thread::{CapabilitySet, CpuSet};

/// What the child does, one after the other.
pub enum Step<'a> {
    /// Give the ids of the new user namespace a meaning: the content of the two map files.
    MapCaller {
        /// For `/proc/self/uid_map`.
        users: &'a [u8],
        /// For `/proc/self/gid_map`.
        groups: &'a [u8],
    },
    /// Wait until the launcher has done its part.
    AwaitLauncher,
    /// Enter a namespace that exists.
    Join(Join<'a>),
    /// Make the namespaces that could not be made by clone(2).
    MakeNamespaces(Namespaces),
    /// Make a time namespace, with these offsets.
    MakeTime(&'a [u8]),
    /// Enter it, where executing the program does not.
    EnterTime,
    /// Set how readily the kernel kills the program for its memory.
    SetOomScore(&'a [u8]),
    /// Keep others from looking at this process.
    Hide,
    /// Set the host name, the domain name, or both.
    SetNames(Option<&'a CStr>, Option<&'a CStr>),
    /// Bring the loopback interface up.
    BringLoopbackUp,
    /// Give the interface that the launcher has made its addresses.
    ConfigureLink(&'a Link<'a>),
    /// Take the mounts of a volume as long as the host's are seen as the host sees them.
    TakeVolume(Taken, Volume<'a>),
    /// Take the mounts of an entry, likewise.
    TakeEntry(Taken, Mount<'a>),
    /// Keep mounts from showing outside.
    MakeMountsPrivate {
        /// Whether a volume shows what the host mounts later.
        sees_new_mounts: bool,
    },
    /// Make the root directory a mount of its own.
    PrepareRoot {
        /// On the host.
        directory: &'a CStr,
        /// Whether the program can write to it.
        access: Access,
        /// What else it does not allow.
        attributes: MountAttrFlags,
    },
    /// Make a root of which changes are thrown away.
    PrepareOverlay {
        /// On the host, the topmost first.
        lower: &'a [&'a CStr],
        /// Where what is written goes.
        upper: Upper<'a>,
        /// Whether this is done with root privilege on the host.
        privileged: bool,
        /// What it does not allow.
        attributes: MountAttrFlags,
    },
    /// Make a root in memory that shows programs of the host.
    PreparePrograms {
        /// They and what they need.
        pieces: &'a [Piece<'a>],
        /// What it does not allow.
        attributes: MountAttrFlags,
    },
    /// Mount something in the root.
    Mount(Mount<'a>),
    /// Mount a /dev at this place.
    MountDevices(&'a CStr, Devices),
    /// Mount something that is filled before it is read-only.
    MountUnprotected(Taken, Mount<'a>),
    /// Make it read-only; where it is.
    ProtectMount(Taken, &'a CStr),
    /// Mount a volume that has been taken.
    MountTaken(Taken, Mount<'a>),
    /// Make a directory in the root, if it is not there.
    MakeDirectory(&'a CStr),
    /// Make a device in the root.
    MakeNode(&'a Node<'a>),
    /// Make the devices that every program expects, but for these, and the links in /dev.
    MakeDefaultNodes(&'a [Node<'a>]),
    /// Show the host's /etc/resolv.conf where the root has none.
    ShowResolver,
    /// Hide paths.
    Mask(&'a [&'a CStr]),
    /// Make paths read-only.
    Protect(&'a [&'a CStr]),
    /// Make the root read-only.
    ProtectRoot,
    /// Open a terminal, and hand its other end to the launcher.
    OpenTerminal(Option<Console>),
    /// Give the standard streams to the user.
    GiveStreams(u32),
    /// Make the root `/`, and let go of the old one.
    EnterRoot,
    /// Set how mounts in the root are passed on.
    SetPropagation(MountPropagationFlags),
    /// Close what the program is not to have.
    CloseDescriptors {
        /// The lowest of them.
        first: u32,
    },
    /// Set a resource limit.
    Limit(&'a Limit),
    /// Set the nice value.
    Nice(i32),
    /// Set the processors.
    Processors(&'a CpuSet),
    /// Go to the working directory.
    ChangeDirectory(&'a CStr),
    /// Keep programs that are executed from having any but these capabilities.
    BoundCapabilities(CapabilitySet),
    /// Set the supplementary groups.
    SetGroups(&'a [Gid]),
    /// Become another user.
    SwitchUser(User),
    /// Keep no capabilities but these.
    KeepCapabilities(Capabilities),
    /// Forbid new privileges.
    NoNewPrivileges,
    /// Reach no files but those below the root.
    RestrictFiles,
    /// Set the umask.
    SetUmask(Mode),
    /// Die when the launcher dies; whether that takes a descriptor of it to be seen.
    DieWithLauncher(bool),
    /// Have the system calls filtered.
    Filter(&'a Program),
    /// What only a runtime's child does.
    Act(Act<'a>),
}

/// What decides about system calls.
pub struct Program {
    /// What the kernel runs for each.
    pub instructions: Vec<Instruction>,
    /// How it is installed.
    pub flags: Flags,
    /// Whether somebody is asked about some calls.
    pub listens: bool,
}

/// Which of the taken volumes: its place in [`Stage::taken`].
#[derive(Clone, Copy)]
pub struct Taken(pub usize);

/// What the steps work on, handed from one to the next.
pub struct Stage<'a> {
    /// The launcher.
    pub launcher: &'a Parent,
    /// The launcher's file, for a process that executes it again.
    pub own_file: Option<BorrowedFd<'a>>,
    /// Where a byte comes from when the launcher has done its part, or the end of it when the
    /// launcher is gone.
    pub go_ahead: Option<(BorrowedFd<'a>, BorrowedFd<'a>)>,
    /// Where the terminal goes.
    pub terminal: Option<BorrowedFd<'a>>,
    /// The volumes that have been taken.
    pub taken: Vec<Option<OwnedFd>>,
    /// The root directory's mount, from when it is prepared until it is entered.
    pub root: Option<OwnedFd>,
    /// What was mounted as /proc.
    pub proc: Option<OwnedFd>,
    /// What was mounted as /sys.
    pub sys: Option<OwnedFd>,
    /// The devpts that the terminal is opened in.
    pub terminals: Option<OwnedFd>,
    /// What ties a runtime's child to others.
    pub ties: Ties<'a>,
    /// What a mount of the kind `cgroup` shows.
    pub cgroups: Option<Cgroups<'a>>,
}

impl Stage<'_> {
    /// Puts away a mount for a later step.
    pub(super) fn put(&mut self, place: Taken, mount: OwnedFd) {
        if let Some(free) = self.taken.get_mut(place.0) {
            *free = Some(mount);
        }
    }
}

impl<'a> Step<'a> {
    /// The name that an operation of this step works on.
    #[must_use]
    pub fn name(&self, object: Object) -> &'a CStr {
        match (object, self) {
            (
                Object::Source,
                Self::Mount(mount)
                | Self::MountTaken(_, mount)
                | Self::MountUnprotected(_, mount)
                | Self::TakeEntry(_, mount),
            ) => match &mount.what {
                Mounted::Volume(volume) => volume.source,
                Mounted::Device(source) => source,
                Mounted::Entry(entry) => entry.source,
                _ => c"",
            },
            (Object::Source, Self::TakeVolume(_, volume)) => volume.source,
            (Object::Source, Self::Join(join)) => join.path,
            (Object::Source | Object::Target, Self::ShowResolver) => RESOLVER,
            (
                Object::Target,
                Self::Mount(mount)
                | Self::MountTaken(_, mount)
                | Self::MountUnprotected(_, mount)
                | Self::TakeEntry(_, mount),
            ) => mount.target,
            (Object::Target, Self::MountDevices(target, _) | Self::ProtectMount(_, target)) => {
                target
            }
            (Object::Target, Self::MakeNode(node)) => node.path,
            (Object::Target, Self::MakeDefaultNodes(_)) => c"/dev",
            (
                Object::Target,
                Self::PrepareRoot { directory, .. }
                | Self::MakeDirectory(directory)
                | Self::ChangeDirectory(directory),
            ) => directory,
            (Object::Target, Self::PrepareOverlay { lower, .. }) => {
                lower.first().copied().unwrap_or_default()
            }
            _ => c"",
        }
    }
}

/// Where programs find the servers that know names; resolv.conf(5).
pub(super) const RESOLVER: &CStr = c"/etc/resolv.conf";
