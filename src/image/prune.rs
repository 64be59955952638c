//! Removing from the cache what no container uses.

use super::cache::said;
use super::entry::{exists, hold, list, open_folder};
use super::remove::remove_tree;
use crate::container::keep;
use crate::error::{Error, Object, Operation, Why, status};
use crate::rare::Rare;
use crate::sys::descriptors::AsFd;
use crate::text::{Text, together};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, FlockOperation, renameat, unlinkat};
use rustix::io::Errno;

static REMOVE: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("remove the layer")) };
static REMOVE_KEPT: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("remove what is kept as")) };

/// What was done.
#[derive(Default)]
pub struct Pruned {
    removed: u64,
    used: u64,
}

impl Pruned {
    /// The line for the user.
    #[must_use]
    pub fn render(&self) -> Text {
        let mut text = Text::new();
        text.say(rare!("layers removed: ")).push_number(self.removed);
        if self.used > 0 {
            text.say(rare!(", in use: ")).push_number(self.used);
        }
        text.push("\n");
        text
    }
}

/// Removes all layers in a cache that no container holds, and what is kept under a name.
///
/// # Errors
///
/// That nothing is kept under the name, or that it is in use; unlink(2).
pub fn prune(cache: BorrowedFd<'_>, kept: Option<&CStr>) -> Result<Pruned, Error<'static>> {
    let mut pruned = Pruned::default();
    let mut is_known = kept.is_none();
    for ids in said(names(cache), &REMOVE, c"")? {
        let Ok(ids) = open_folder(cache, ids) else { continue };
        for folder in [c"layers", c"runs"] {
            let Ok(folder) = open_folder(ids.as_fd(), folder) else { continue };
            for name in said(names(folder.as_fd()), &REMOVE, c"")? {
                if said(remove(folder.as_fd(), name), &REMOVE, name)? {
                    pruned.removed += 1;
                } else {
                    pruned.used += 1;
                }
            }
        }
        let Ok(all) = open_folder(ids.as_fd(), c"kept") else { continue };
        if let Some(name) = kept
            && said(exists(all.as_fd(), name), &REMOVE_KEPT, name)?
        {
            if !said(remove(all.as_fd(), name), &REMOVE_KEPT, name)? {
                return Err(refused(name, rare!("a container uses it")));
            }
            is_known = true;
        }
    }
    match kept {
        Some(name) if !is_known => Err(refused(name, rare!("nothing is kept under this name"))),
        _ => Ok(pruned),
    }
}

fn refused(name: &CStr, why: Rare) -> Error<'static> {
    let name = together(&[name.to_bytes()]);
    Error::new(rare!("remove what is kept as"), name, Why::Text(why), b"", status::FAILED)
}

/// What is in a folder, listed before it changes.
fn names(folder: BorrowedFd<'_>) -> Result<Vec<&'static CStr>, Errno> {
    let mut names: Vec<&CStr> = Vec::new();
    list(folder, &mut |name| {
        names.extend(keep(name.to_bytes()).map(|name| name as &CStr));
        Ok(())
    })?;
    Ok(names)
}

/// Removes an entry that nobody holds; false if somebody does. What was not removed to its end is not
/// taken for a whole layer: it has another name by then.
fn remove(folder: BorrowedFd<'_>, name: &CStr) -> Result<bool, Errno> {
    let held = match hold(folder, name, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(false),
        answer => answer?,
    };
    if held.is_none() {
        return Ok(false);
    }
    let mut partial = Text::new();
    partial.push_raw(name.to_bytes());
    if !name.to_bytes().ends_with(PARTIAL) {
        partial.push_raw(PARTIAL);
    }
    let partial = partial.into_c_str();
    match renameat(folder, name, folder, partial) {
        // A run that was killed has left one of this name.
        Err(Errno::NOTEMPTY | Errno::EXIST) => {
            remove_tree(folder, partial)?;
            renameat(folder, name, folder, partial)?;
        }
        answer => answer?,
    }
    remove_tree(folder, partial)?;
    match unlinkat(folder, partial, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(true),
        answer => answer.map(|()| true),
    }
}

/// Behind the name of what is not whole.
const PARTIAL: &[u8] = b".partial";
