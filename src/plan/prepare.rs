//! What the launcher does before it clones the child, since it takes the host's privilege and the
//! host's ids.

use super::root::is_prepared;
use super::step::Taken;
use super::{Plan, has_users, ids};
use crate::container::{Container, IdMap, Mounted, User};
use crate::kernel::caller::Caller;
use crate::kernel::entry::Entry;
use crate::kernel::volume::Volume;
use crate::sys::mounts::Reach;
use core::ffi::CStr;
use rustix::mount::MountPropagationFlags;

/// One thing that the launcher does before.
pub enum Preparation<'a> {
    /// Give the files of a volume to a user and a group of the host.
    Give {
        /// The volume's source.
        source: &'a CStr,
        /// Who gets them.
        owner: User,
    },
    /// Take the mounts of a volume, with the container's ids.
    MapVolume {
        /// Which one.
        taken: Taken,
        /// Of what.
        volume: Volume<'a>,
        /// Lines for a `uid_map`.
        users: &'a [u8],
        /// Lines for a `gid_map`.
        groups: &'a [u8],
    },
    /// Take the mounts of an entry, with the host's privilege.
    TakeEntry {
        /// Which one.
        taken: Taken,
        /// Of what.
        entry: Entry<'a>,
        /// Lines for a `uid_map` and a `gid_map`, if its ids are mapped.
        ids: Option<(&'a [u8], &'a [u8])>,
    },
}

impl<'a> Plan<'a> {
    /// What there is to prepare for the volumes; `taken` says which are taken, in their order.
    #[inline(never)]
    pub(super) fn prepare(
        &mut self,
        container: &Container<'a>,
        caller: Caller,
        taken: &[Option<Taken>],
    ) {
        let isolation = &container.isolation;
        let inside = container.process.user.unwrap_or(User { user: 0, group: 0 });
        let outside = |map: &IdMap, inside, own| match map {
            IdMap::Ranges(ranges) => ids::outside(ranges, inside).unwrap_or(own),
            IdMap::Own | IdMap::Auto if has_users(container, caller) => own,
            IdMap::Own | IdMap::Auto => inside,
        };
        let users = || ids::ranges(&isolation.users, inside.user, caller.user);
        let groups = || ids::ranges(&isolation.groups, inside.group, caller.group);
        for (mount, taken) in container.mounts.iter().zip(taken) {
            if let (Mounted::Entry(entry), Some(taken)) = (&mount.what, *taken) {
                if !is_prepared(entry, container, caller) {
                    continue;
                }
                let ids = entry.id_map.map(|own| match own.users {
                    [] => (users(), groups()),
                    _ => (own.users, own.groups),
                });
                // Nothing else makes it private.
                let alone = (MountPropagationFlags::PRIVATE, Reach::Tree);
                let entry = Entry { propagation: entry.propagation.or(Some(alone)), ..*entry };
                self.preparations.push(Preparation::TakeEntry { taken, entry, ids });
            }
            let Mounted::Volume(volume) = &mount.what else { continue };
            if volume.chowned {
                let owner = User {
                    user: outside(&isolation.users, inside.user, caller.user),
                    group: outside(&isolation.groups, inside.group, caller.group),
                };
                self.preparations.push(Preparation::Give { source: volume.source, owner });
            }
            if let (true, Some(taken)) = (volume.id_mapped, *taken) {
                self.preparations.push(Preparation::MapVolume {
                    taken,
                    volume: *volume,
                    users: users(),
                    groups: groups(),
                });
            }
        }
    }
}
