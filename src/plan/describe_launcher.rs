//! The words for what the launcher does before there is a child and while it waits.

use super::describe::describe_maps;
use super::{Assist, Preparation};
use crate::rare::Rare;
use crate::text::Text;

impl Preparation<'_> {
    /// The system calls it makes.
    pub(super) fn calls(&self) -> Rare {
        match self {
            Self::Give { .. } => rare!("fchownat, open, getdents64"),
            Self::MapVolume { .. } | Self::TakeEntry { ids: Some(_), .. } => {
                rare!("clone(NEWUSER), open_tree, mount_setattr")
            }
            Self::TakeEntry { ids: None, .. } => rare!("open, open_tree, mount_setattr"),
        }
    }

    /// What it does, and why.
    pub(super) fn describe<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        match self {
            Self::Give { source, owner } => {
                text.say(rare!("give ")).push_name(source.to_bytes()).say(rare!(" to user "));
                text.push_number(owner.user.into()).say(rare!(", group "));
                text.push_number(owner.group.into())
            }
            Self::MapVolume { volume, .. } => {
                text.say(rare!("take ")).push_name(volume.source.to_bytes());
                text.say(rare!(" with the container's ids"))
            }
            Self::TakeEntry { entry, ids, .. } => {
                text.say(rare!("take ")).push_name(entry.source.to_bytes());
                text.say(if ids.is_some() {
                    rare!(" with other ids")
                } else {
                    rare!(" as the host's root")
                })
            }
        }
    }
}

impl Assist<'_> {
    /// The system calls it makes.
    pub(super) fn calls(&self) -> Rare {
        match self {
            Self::MapIds { directly: true, .. } => rare!("open, write, close"),
            Self::MapIds { directly: false, .. } => rare!("newuidmap, newgidmap"),
            Self::Link(_) => rare!("open, socket, sendto(RTM_NEWLINK)"),
            Self::Pasta => rare!("pasta"),
        }
    }

    /// What it does, and why.
    pub(super) fn describe<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        match self {
            Self::MapIds { users, groups, .. } => describe_maps(text, users, groups),
            Self::Link(link) => {
                text.say(rare!("an interface for the container, connected to "));
                text.push_name(link.parent.to_bytes())
            }
            Self::Pasta => {
                text.say(rare!("connect the container as the host is, without privilege"))
            }
        }
    }
}
