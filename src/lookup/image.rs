//! A container whose root is an image's: the file is opened, its layers are unpacked where they have
//! not been, and what it says about the program is put in where the user says nothing.

use super::ids::{auto, has_ranges};
use crate::cli::{Purpose, Wanted};
use crate::container::{Container, IdMap, IdRange, Isolation, Layers, Source, Upper, environment};
use crate::error::{Error, Why, status};
use crate::image::cache::{Cache, Whose, open_base};
use crate::image::digest::Digest;
use crate::image::kept::make_upper;
use crate::image::whole::{self, Tree};
use crate::image::{self, Opened, users};
use crate::kernel::caller::Caller;
use crate::kernel::overlay::{self, LAYERS_MAX};
use crate::launch::assist::has_helpers;
use crate::launch::worker::{self, Ids, Maps};
use crate::plan::ids as maps;
use crate::rare::Rare;
use crate::sys::descriptors::AsFd;
use crate::sys::files::standard_output;
use crate::sys::namespaces::Namespaces;
use crate::text::Text;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};

/// What a container of an image takes as long as it runs.
pub struct Used {
    /// Keeps it from being removed.
    held: Vec<OwnedFd>,
    /// What is removed after it.
    tree: Option<Tree>,
    cache: Cache,
    ids: Ids,
}

/// Makes the container that is wanted.
///
/// # Errors
///
/// What is wrong with the image, or cannot be had.
pub fn prepare<'a>(
    wanted: Wanted<'a>,
    variables: &[&'a CStr],
    caller: Caller,
) -> Result<(&'a mut Container<'a>, Purpose, Box<Used>), Error<'a>> {
    let opened = image::open(&wanted.image)?;
    let (is_quiet, kept) = (wanted.is_quiet(), wanted.keep());
    let user = wanted.user().or(opened.config.user);
    let defaults = core::mem::take(&mut opened.config.defaults);
    let (container, purpose) = wanted.container(defaults)?;
    let Files { cache: whose, ids } = files_of(&mut container.isolation, caller)?;
    let cache = Cache::open(variables, caller, &whose)?;
    let mut taken = Box::new(Used { held: Vec::new(), tree: None, cache, ids });
    let may_be_stacked = opened.layers.len() <= LAYERS_MAX;
    if may_be_stacked {
        taken.held = opened.hold(&taken.cache)?.unwrap_or_default();
    }
    // What was unpacked for overlays before can be stacked; what is only explained is unpacked nowhere.
    let is_stacked = purpose == Purpose::Explain
        || !taken.held.is_empty()
        || may_be_stacked && has_overlays(&container.isolation, caller, ids);
    let layers = if is_stacked {
        taken.stack(&opened, &whose, purpose, kept, is_quiet)?
    } else {
        taken.unpack(&opened, &whose, kept, is_quiet)?
    };
    set_user(container, &layers, user, &whose)?;
    container.root.source = if is_stacked {
        Source::Layers(layers)
    } else {
        Source::Directory(layers.lower.first().copied().unwrap_or_default())
    };
    Ok((container, purpose, taken))
}

impl Drop for Used {
    fn drop(&mut self) {
        // Whoever can say that it failed has called it before.
        let _ = self.clean_up();
    }
}

impl Used {
    /// The layers, each unpacked once, one over the other.
    fn stack<'a>(
        &mut self,
        opened: &Opened,
        whose: &Whose,
        purpose: Purpose,
        kept: Option<&CStr>,
        is_quiet: bool,
    ) -> Result<Layers<'a>, Error<'static>> {
        let cache = &self.cache;
        if self.held.is_empty() && purpose == Purpose::Run {
            worker::run(self.ids, &mut || opened.make(cache, whose.owners(), is_quiet))?;
            self.held = opened.hold(cache)?.unwrap_or_default();
        }
        let lower = opened.paths(cache);
        let Some(name) = kept else { return Ok(Layers { lower, upper: Upper::Memory }) };
        if purpose == Purpose::Run {
            let top = lower.first().copied().unwrap_or_default();
            worker::run(self.ids, &mut || {
                cache.make_kept(name, opened.layers, &mut |entry| make_upper(entry, top))
            })?;
            self.held.push(cache.hold_kept(name)?);
        }
        Ok(Layers { lower, upper: Upper::Kept(cache.path_of_kept(name)) })
    }

    /// One tree of all layers, for this run or under a name.
    fn unpack<'a>(
        &mut self,
        opened: &Opened,
        whose: &Whose,
        kept: Option<&CStr>,
        is_quiet: bool,
    ) -> Result<Layers<'a>, Error<'static>> {
        let (cache, owners) = (&self.cache, whose.owners());
        let path = if let Some(name) = kept {
            worker::run(self.ids, &mut || {
                let mut fill = |entry: BorrowedFd<'_>| whole::fill(entry, opened, owners, is_quiet);
                cache.make_kept(name, opened.layers, &mut fill)
            })?;
            self.held.push(cache.hold_kept(name)?);
            cache.files_of_kept(name)
        } else {
            let tree = Tree::begin(cache)?;
            let filled = worker::run(self.ids, &mut || tree.fill(opened, owners, is_quiet));
            let path = tree.path;
            self.tree = Some(tree);
            if let Err(error) = filled {
                self.clean_up()?;
                return Err(error);
            }
            path
        };
        Ok(Layers { lower: [path].into(), upper: Upper::Memory })
    }

    /// Removes what was made for this run alone.
    ///
    /// # Errors
    ///
    /// unlink(2).
    pub fn clean_up(&mut self) -> Result<(), Error<'static>> {
        match self.tree.take() {
            Some(tree) => worker::run(self.ids, &mut || tree.end(&self.cache)),
            None => Ok(()),
        }
    }
}

/// Whether an overlay can be mounted in the container.
fn has_overlays(isolation: &Isolation<'_>, caller: Caller, ids: Ids) -> bool {
    let has_users = isolation.namespaces.contains(Namespaces::USER) || !caller.privileged;
    overlay::is_there(!has_users || caller.privileged, caller.kernel).unwrap_or_else(|| {
        let missing = || Error::new(Rare::NONE, b"", Why::Said, b"", status::FAILED);
        let mut probe = || if overlay::can_be_made() { Ok(()) } else { Err(missing()) };
        worker::run(ids, &mut probe).is_ok()
    })
}

/// Whose the files of the container are.
pub struct Files {
    /// In the cache.
    pub cache: Whose,
    /// And who works on them.
    pub ids: Ids,
}

/// Chooses the ids of the container's user namespace where nothing was said about them, since most
/// images have files of several users: an ordinary user's ranges, if there are any; as root all ids,
/// each as itself.
fn files_of(isolation: &mut Isolation<'_>, caller: Caller) -> Result<Files, Error<'static>> {
    let has_users = isolation.namespaces.contains(Namespaces::USER) || !caller.privileged;
    let is_unsaid = matches!((&isolation.users, &isolation.groups), (IdMap::Own, IdMap::Own));
    if is_unsaid && has_users && caller.privileged {
        isolation.users = IdMap::Ranges(&[IdRange { inside: 0, outside: 0, count: u32::MAX }]);
        isolation.groups = isolation.users;
        return Ok(Files { cache: Whose::All { isolated: true }, ids: Ids::NONE });
    }
    if is_unsaid && has_users && has_helpers() && has_ranges(caller) {
        isolation.users = IdMap::Auto;
        isolation.groups = IdMap::Auto;
    }
    auto(&mut isolation.users, &mut isolation.groups, caller)?;
    if has_users {
        Ok(mapped(&isolation.users, &isolation.groups, caller))
    } else {
        Ok(Files { cache: Whose::All { isolated: false }, ids: Ids::NONE })
    }
}

/// Whose the files of a directory are for which nothing but these maps were asked.
#[must_use]
pub fn files(users: &IdMap, groups: &IdMap, caller: Caller) -> Files {
    let is_unsaid = matches!((users, groups), (IdMap::Own, IdMap::Own));
    if is_unsaid && caller.privileged {
        return Files { cache: Whose::All { isolated: false }, ids: Ids::NONE };
    }
    mapped(users, groups, caller)
}

/// Whose files are in a user namespace with these maps.
fn mapped(users: &IdMap, groups: &IdMap, caller: Caller) -> Files {
    let is_own = matches!((users, groups), (IdMap::Own, IdMap::Own));
    let outside = |map: &IdMap, own| match map {
        IdMap::Ranges(ranges) => maps::outside(ranges, 0).unwrap_or(own),
        _ => own,
    };
    let root = (outside(users, caller.user), outside(groups, caller.group));
    let users = maps::ranges(users, 0, caller.user);
    let groups = maps::ranges(groups, 0, caller.group);
    if is_own {
        let ids = Ids { users, groups, maps: Maps::Own };
        return Files { cache: Whose::Caller, ids };
    }
    let mut both = Text::new();
    both.push_raw(users).push("\n").push_raw(groups);
    let maps = if caller.privileged { Maps::Written } else { Maps::ByHelpers };
    let cache = Whose::Mapped { digest: Digest::of(both.as_bytes()), root };
    Files { cache, ids: Ids { users, groups, maps } }
}

/// Finds out who the user is, and what comes with that: a group, more groups, a home.
fn set_user<'a>(
    container: &mut Container<'a>,
    layers: &Layers<'_>,
    typed: Option<&CStr>,
    whose: &Whose,
) -> Result<(), Error<'a>> {
    let has_home = environment::value(&container.process.environment, b"HOME").is_some();
    if typed.is_none() && has_home {
        return Ok(());
    }
    let read = |name| image::etc::read(layers, name).unwrap_or_default();
    let passwd = read(c"passwd");
    let group = if typed.is_some() { read(c"group") } else { b"" };
    let name = typed.map_or(&b"0"[..], CStr::to_bytes);
    let found = users::find(name, passwd, group)?;
    let process = &mut container.process;
    if typed.is_some() {
        process.user = Some(found.user);
        // In a user namespace of one user, nobody may change groups.
        if !matches!(whose, Whose::Caller) && !found.groups.is_empty() {
            process.groups.get_or_insert_default().extend_from_slice(&found.groups);
        }
    }
    if !has_home {
        let mut home = Text::new();
        home.push("HOME=").push_raw(found.home.unwrap_or(b"/"));
        process.environment.push(home.into_c_str());
    }
    Ok(())
}

/// Makes a directory with an image's files.
///
/// # Errors
///
/// What is wrong with the image, or cannot be had.
pub fn rootfs<'a>(
    output: &'a CStr,
    opened: &Opened,
    files: &Files,
    is_quiet: bool,
) -> Result<(), Error<'a>> {
    let owners = files.cache.owners();
    let output = image::tree::Output::new(output)?;
    worker::run(files.ids, &mut || {
        output.make(&mut |folder| opened.unpack_all(folder, owners, is_quiet))
    })
}

/// Removes what was unpacked and is not used, and what is kept under a name.
///
/// # Errors
///
/// Those of [`prune`].
pub fn prune(
    kept: Option<&CStr>,
    variables: &[&CStr],
    caller: Caller,
) -> Result<(), Error<'static>> {
    let base = open_base(variables, caller.privileged)?;
    // Whoever unpacked it was root in a namespace of the widest maps that the caller can have.
    let mut map = IdMap::Own;
    if !caller.privileged && has_helpers() && has_ranges(caller) {
        map = IdMap::Auto;
    }
    let (mut users, mut groups) = (map, map);
    let files = if caller.privileged {
        Files { cache: Whose::All { isolated: false }, ids: Ids::NONE }
    } else {
        auto(&mut users, &mut groups, caller)?;
        mapped(&users, &groups, caller)
    };
    worker::run(files.ids, &mut || {
        let pruned = match &base {
            Some(base) => image::prune(base.as_fd(), kept)?,
            None => image::Pruned::default(),
        };
        // Where standard output is closed, it is done all the same.
        let _ = pruned.render().write_to(standard_output());
        Ok(())
    })
}
