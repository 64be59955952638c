//! The steps that make the root, and what is mounted in it.

use super::step::{Step, Taken};
use super::{Act, Meeting, Plan, Point, has_users, ids, kinds};
use crate::container::{Container, Hooks, Layers, Mount, Mounted, Programs, Source, Upper};
use crate::kernel::caller::Caller;
use crate::kernel::devices::Devices;
use crate::kernel::entry::Entry;
use crate::kernel::filesystem::FileSystem;
use crate::kernel::mounts::Access;
use crate::kernel::terminal::Console;
use crate::kernel::volume::Volume;
use crate::sys::namespaces::Namespaces;
use alloc::vec::Vec;
use rustix::mount::{MountAttrFlags, MountPropagationFlags};

impl<'a> Plan<'a> {
    /// `hooks` are a runtime's, which are told where the container is on its way.
    pub(super) fn build_root(
        &mut self,
        container: &'a Container<'a>,
        caller: Caller,
        hooks: Option<&Hooks<'_>>,
    ) {
        let root = &container.root;
        let mut taken = Vec::new();
        for mount in &container.mounts {
            taken.push(self.take(mount, container, caller));
        }
        self.prepare(container, caller, &taken);
        let follows = root.propagation.is_some_and(|kind| kind.contains(DOWNSTREAM));
        let sees_new_mounts =
            follows || self.steps.iter().any(|step| matches!(step, Step::TakeVolume(..)));
        self.steps.push(Step::MakeMountsPrivate { sees_new_mounts });
        self.steps.push(prepare_root(container, caller));
        let mut unprotected = Vec::new();
        let mut is_member = hooks.is_none();
        for (mount, taken) in container.mounts.iter().zip(taken) {
            if !is_member && mount.shows_cgroups() {
                self.join_cgroup(container, caller);
                is_member = true;
            }
            let step = match (taken, &mount.what) {
                (Some(taken), _) => Step::MountTaken(taken, *mount),
                (None, Mounted::Entry(entry)) if entry.is_protected_later(mount.target) => {
                    let place = self.place();
                    unprotected.push(Step::ProtectMount(place, mount.target));
                    Step::MountUnprotected(place, *mount)
                }
                (None, Mounted::Entry(entry)) => Step::Mount(Mount {
                    what: Mounted::Entry(lone(entry, sees_new_mounts)),
                    ..*mount
                }),
                (None, _) => mount_step(mount, container, caller),
            };
            self.steps.push(step);
        }
        if !is_member {
            self.join_cgroup(container, caller);
        }
        if (root.is_image || hooks.is_some()) && container.process.working_directory != c"/" {
            self.steps.push(Step::MakeDirectory(container.process.working_directory));
        }
        if container.isolation.network.reaches_outside() {
            self.steps.push(Step::ShowResolver);
        }
        if let Some(hooks) = hooks {
            self.fill(container, unprotected, hooks);
        }
        let security = &container.security;
        if !security.masked.is_empty() {
            self.steps.push(Step::Mask(&security.masked));
        }
        if !security.read_only.is_empty() {
            self.steps.push(Step::Protect(&security.read_only));
        }
        if root.access == Access::ReadOnly {
            self.steps.push(Step::ProtectRoot);
        }
        if container.process.terminal && hooks.is_none() {
            self.steps.push(Step::OpenTerminal(None));
        }
        self.steps.push(Step::EnterRoot);
        if let Some(kind) = root.propagation {
            self.steps.push(Step::SetPropagation(kind));
        }
    }

    /// What an OCI configuration asks for besides its mounts, and gets without asking.
    #[inline(never)]
    fn fill(
        &mut self,
        container: &'a Container<'a>,
        unprotected: Vec<Step<'a>>,
        hooks: &Hooks<'_>,
    ) {
        let nodes = &container.root.nodes;
        let shows_hosts = |mount: &Mount<'_>| {
            let is_bound = matches!(&mount.what, Mounted::Entry(entry) if entry.bind.is_some());
            is_bound && mount.is_at(c"/dev")
        };
        if !container.mounts.iter().any(shows_hosts) {
            self.steps.extend(nodes.iter().map(Step::MakeNode));
            self.steps.push(Step::MakeDefaultNodes(nodes));
        }
        for (path, value) in &container.isolation.sysctls {
            self.act(Act::Sysctl(path, value));
        }
        self.label(container);
        // They find all of it mounted, and nothing hidden or read-only yet.
        if hooks.run_before() || !container.isolation.net_devices.is_empty() {
            self.act(Act::Meet(Meeting::Hooks));
        }
        if !hooks.create_container.is_empty() {
            self.act(Act::Hooks(Point::CreateContainer));
        }
        let process = &container.process;
        let user = process.user.map_or(0, |user| user.user);
        if process.terminal {
            let size = process.attributes.console_size;
            self.steps.push(Step::OpenTerminal(Some(Console { size, user })));
        } else {
            self.steps.push(Step::GiveStreams(user));
        }
        self.steps.extend(unprotected);
    }

    /// A volume that shares mounts with the host is taken before they are made private; one whose ids
    /// are mapped, by the launcher.
    #[inline(never)]
    fn take(
        &mut self,
        mount: &Mount<'a>,
        container: &Container<'_>,
        caller: Caller,
    ) -> Option<Taken> {
        match &mount.what {
            Mounted::Volume(volume) => {
                if volume.propagation.is_none() && !volume.id_mapped {
                    return None;
                }
                let taken = self.place();
                if !volume.id_mapped {
                    self.steps.push(Step::TakeVolume(taken, *volume));
                }
                Some(taken)
            }
            Mounted::Entry(entry) if entry.bind.is_some() => {
                let is_prepared = is_prepared(entry, container, caller);
                let shares = |kind: MountPropagationFlags| {
                    kind.intersects(DOWNSTREAM.union(MountPropagationFlags::SHARED))
                };
                if !is_prepared && !entry.propagation.is_some_and(|(kind, _)| shares(kind)) {
                    return None;
                }
                let taken = self.place();
                if !is_prepared {
                    self.steps.push(Step::TakeEntry(taken, *mount));
                }
                Some(taken)
            }
            _ => None,
        }
    }

    fn place(&mut self) -> Taken {
        self.taken += 1;
        Taken(self.taken - 1)
    }
}

const DOWNSTREAM: MountPropagationFlags = MountPropagationFlags::DOWNSTREAM;

/// Whether the launcher takes what a bind mount shows: its ids are mapped, or the container's root may
/// not go where the host's may.
pub(super) fn is_prepared(entry: &Entry<'_>, container: &Container<'_>, caller: Caller) -> bool {
    entry.id_map.is_some() || caller.privileged && has_users(container, caller)
}

/// Where all mounts are private, one more need not be made so.
#[inline(never)]
fn lone<'a>(entry: &Entry<'a>, sees_new_mounts: bool) -> Entry<'a> {
    let is_private =
        |(kind, _): &(MountPropagationFlags, _)| *kind == MountPropagationFlags::PRIVATE;
    let propagation = entry.propagation.filter(|wanted| sees_new_mounts || !is_private(wanted));
    Entry { propagation, ..*entry }
}

/// How the root comes to be.
#[inline(never)]
fn prepare_root<'a>(container: &'a Container<'a>, caller: Caller) -> Step<'a> {
    let root = &container.root;
    let attributes =
        if root.devices { MountAttrFlags::empty() } else { MountAttrFlags::MOUNT_ATTR_NODEV };
    let privileged = !has_users(container, caller);
    match &root.source {
        Source::Directory(directory) if root.ephemeral => {
            let lower = core::slice::from_ref(directory);
            Step::PrepareOverlay { lower, upper: Upper::Memory, privileged, attributes }
        }
        Source::Directory(directory) => {
            Step::PrepareRoot { directory, access: root.access, attributes }
        }
        // It is in memory, and so forgotten in any case.
        Source::Programs(Programs { pieces, .. }) => Step::PreparePrograms { pieces, attributes },
        Source::Layers(Layers { lower, upper }) => {
            let upper = if root.ephemeral { Upper::Memory } else { *upper };
            Step::PrepareOverlay { lower, upper, privileged, attributes }
        }
    }
}

/// How a mount comes about for this caller: in a user namespace the kernel makes no devices, and new
/// file systems of a kind only together with new namespaces of the kind that they show. Then what
/// the host has is shown, and can be written to no more than there.
#[inline(never)]
fn mount_step<'a>(mount: &Mount<'a>, container: &Container<'a>, caller: Caller) -> Step<'a> {
    let is_user = has_users(container, caller);
    let new = |kind| kinds(container, caller).contains(kind) || container.isolation.joins(kind);
    match &mount.what {
        Mounted::Devices => Step::MountDevices(
            mount.target,
            Devices {
                made: !is_user,
                has_terminal_group: !is_user
                    || ids::has(&container.isolation.groups, TERMINAL_GROUP),
                has_message_queues: !is_user || new(Namespaces::IPC),
            },
        ),
        Mounted::FileSystem(FileSystem { kind, attributes, .. }) if is_user => {
            let shown = match kind.to_bytes() {
                b"proc" if !new(Namespaces::PID) => c"/proc",
                b"sysfs" if !new(Namespaces::NET) => c"/sys",
                _ => return Step::Mount(*mount),
            };
            let volume = Volume { attributes: *attributes, ..Volume::of(shown) };
            Step::Mount(Mount { what: Mounted::Volume(volume), ..*mount })
        }
        _ => Step::Mount(*mount),
    }
}

/// The group that owns terminals in most distributions, and in Docker's containers.
const TERMINAL_GROUP: u32 = 5;
