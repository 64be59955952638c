//! The steps that make the root, and what is mounted in it.

use super::step::{Step, Taken};
use super::{Plan, has_users, ids, kinds};
use crate::container::{Container, Layers, Mount, Mounted, Programs, Source, Upper};
use crate::kernel::caller::Caller;
use crate::kernel::devices::Devices;
use crate::kernel::filesystem::FileSystem;
use crate::kernel::mounts::Access;
use crate::kernel::volume::Volume;
use crate::sys::namespaces::Namespaces;
use alloc::vec::Vec;
use rustix::mount::MountAttrFlags;

impl<'a> Plan<'a> {
    pub(super) fn build_root(&mut self, container: &'a Container<'a>, caller: Caller) {
        let root = &container.root;
        let mut taken = Vec::new();
        for mount in &container.mounts {
            taken.push(self.take(mount));
        }
        self.prepare(container, caller, &taken);
        let sees_new_mounts = self.steps.iter().any(|step| matches!(step, Step::TakeVolume(..)));
        self.steps.push(Step::MakeMountsPrivate { sees_new_mounts });
        self.steps.push(prepare_root(container, caller));
        for (mount, taken) in container.mounts.iter().zip(taken) {
            self.steps.push(match taken {
                Some(taken) => Step::MountTaken(taken, *mount),
                None => mount_step(mount, container, caller),
            });
        }
        if root.is_image && container.process.working_directory != c"/" {
            self.steps.push(Step::MakeDirectory(container.process.working_directory));
        }
        if container.isolation.network.reaches_outside() {
            self.steps.push(Step::ShowResolver);
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
        if container.process.terminal {
            self.steps.push(Step::OpenTerminal);
        }
        self.steps.push(Step::EnterRoot);
    }

    /// A volume that shares mounts with the host is taken before they are made private; one whose ids
    /// are mapped, by the launcher.
    fn take(&mut self, mount: &Mount<'a>) -> Option<Taken> {
        let Mounted::Volume(volume) = mount.what else { return None };
        let is_shared = volume.propagation.is_some();
        if !is_shared && !volume.id_mapped {
            return None;
        }
        let taken = Taken(self.taken);
        self.taken += 1;
        if !volume.id_mapped {
            self.steps.push(Step::TakeVolume(taken, volume));
        }
        Some(taken)
    }
}

/// How the root comes to be.
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
fn mount_step<'a>(mount: &Mount<'a>, container: &Container<'a>, caller: Caller) -> Step<'a> {
    let is_user = has_users(container, caller);
    let new = |kind| kinds(container, caller).contains(kind) || container.isolation.joins(kind);
    match mount.what {
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
            let volume = Volume { attributes, ..Volume::of(shown) };
            Step::Mount(Mount { what: Mounted::Volume(volume), ..*mount })
        }
        _ => Step::Mount(*mount),
    }
}

/// The group that owns terminals in most distributions, and in Docker's containers.
const TERMINAL_GROUP: u32 = 5;
