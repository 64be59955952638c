//! The words for what the launcher does before there is a child and while it waits.

use super::describe::describe_maps;
use super::{Assist, Preparation};
use crate::text::Text;

impl Preparation<'_> {
    /// The system calls it makes.
    pub(super) fn calls(&self) -> &'static str {
        match self {
            Self::Give { .. } => "fchownat, open, getdents64",
            Self::MapVolume { .. } | Self::TakeEntry { ids: Some(_), .. } => {
                "clone(NEWUSER), open_tree, mount_setattr"
            }
            Self::TakeEntry { ids: None, .. } => "open, open_tree, mount_setattr",
        }
    }

    /// What it does, and why.
    pub(super) fn describe<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        match self {
            Self::Give { source, owner } => {
                text.push("give ").push_name(source.to_bytes()).push(" to user ");
                text.push_number(owner.user.into()).push(", group ");
                text.push_number(owner.group.into())
            }
            Self::MapVolume { volume, .. } => {
                text.push("take ").push_name(volume.source.to_bytes());
                text.push(" with the container's ids")
            }
            Self::TakeEntry { entry, ids, .. } => {
                text.push("take ").push_name(entry.source.to_bytes());
                text.push(if ids.is_some() { " with other ids" } else { " as the host's root" })
            }
        }
    }
}

impl Assist<'_> {
    /// The system calls it makes.
    pub(super) fn calls(&self) -> &'static str {
        match self {
            Self::MapIds { directly: true, .. } => "open, write, close",
            Self::MapIds { directly: false, .. } => "newuidmap, newgidmap",
            Self::Link(_) => "open, socket, sendto(RTM_NEWLINK)",
            Self::Pasta => "pasta",
        }
    }

    /// What it does, and why.
    pub(super) fn describe<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        match self {
            Self::MapIds { users, groups, .. } => describe_maps(text, users, groups),
            Self::Link(link) => {
                text.push("an interface for the container, connected to ");
                text.push_name(link.parent.to_bytes())
            }
            Self::Pasta => text.push("connect the container as the host is, without privilege"),
        }
    }
}
