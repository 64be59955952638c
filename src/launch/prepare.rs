//! What the launcher does before there is a child.

use super::{hints, id_map};
use crate::error::{Error, Fault};
use crate::kernel::entry::Entry;
use crate::kernel::{bind, owner, volume};
use crate::plan::{Plan, Preparation};
use crate::sys::descriptors::AsFd;
use alloc::vec::Vec;
use rustix::fd::OwnedFd;

/// Does all of it; the volumes that were taken are put into their places.
///
/// # Errors
///
/// What could not be done.
pub fn all<'a>(plan: &'a Plan<'a>, taken: &mut Vec<Option<OwnedFd>>) -> Result<(), Error<'a>> {
    taken.resize_with(plan.taken, || None);
    for preparation in &plan.preparations {
        let (source, done) = match preparation {
            Preparation::Give { source, owner } => {
                (source, owner::give(source, owner.user, owner.group))
            }
            Preparation::MapVolume { taken: place, volume, users, groups } => {
                let made = map_volume(volume, users, groups);
                let put = made.map(|made| taken.get_mut(place.0).map(|free| *free = Some(made)));
                (&volume.source, put.map(|_| ()))
            }
            Preparation::TakeEntry { taken: place, entry, ids } => {
                let made = take_entry(entry, *ids);
                let put = made.map(|made| taken.get_mut(place.0).map(|free| *free = Some(made)));
                (&entry.source, put.map(|_| ()))
            }
        };
        done.map_err(|fault| hints::explain(fault, source.to_bytes(), plan))?;
    }
    Ok(())
}

fn take_entry(wanted: &Entry<'_>, ids: Option<(&[u8], &[u8])>) -> Result<OwnedFd, Fault> {
    match ids {
        None => bind::take(wanted, None),
        Some((users, groups)) => {
            let ids = id_map::namespace(users, groups)?;
            bind::take(wanted, Some(ids.as_fd()))
        }
    }
}

fn map_volume(wanted: &volume::Volume<'_>, users: &[u8], groups: &[u8]) -> Result<OwnedFd, Fault> {
    let ids = id_map::namespace(users, groups)?;
    volume::take(wanted, Some(ids.as_fd()))
}
