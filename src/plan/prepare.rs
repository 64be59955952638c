//! What the launcher does before it clones the child, since it takes the host's privilege and the
//! host's ids.

use super::step::Taken;
use super::{Plan, has_users, ids};
use crate::container::{Container, IdMap, Mounted, User};
use crate::kernel::caller::Caller;
use crate::kernel::volume::Volume;
use core::ffi::CStr;

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
}

impl<'a> Plan<'a> {
    /// What there is to prepare for the volumes; `taken` says which are taken, in their order.
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
        for (mount, taken) in container.mounts.iter().zip(taken) {
            let Mounted::Volume(volume) = mount.what else { continue };
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
                    volume,
                    users: ids::ranges(&isolation.users, inside.user, caller.user),
                    groups: ids::ranges(&isolation.groups, inside.group, caller.group),
                });
            }
        }
    }
}
