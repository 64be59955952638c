//! `checkpoint`: the processes of a container that runs are written into a folder, from which `restore` brings
//! them back.

use super::criu::{self, Run, refused};
use super::home::{Folder, about};
use super::outside;
use super::state::{self, State, Status};
use super::text::joined;
use super::{Runtime, bundle, cgroup_of, delete, kept};
use crate::cgroups::Cgroup;
use crate::cli::runtime::Name;
use crate::error::Error;
use crate::launch::criu::attend;
use crate::text::decimal;
use alloc::vec::Vec;

/// Checkpoints it.
///
/// # Errors
///
/// It does not run, or what CRIU said; it goes on then.
pub fn checkpoint(runtime: &Runtime<'_>) -> Result<(), Error<'static>> {
    let typed = runtime.typed;
    let folder = runtime.folder()?;
    folder.lock()?;
    let state = state::of(folder)?;
    let cgroup = cgroup_of(state);
    check(folder, state, cgroup.as_deref())?;
    let is_early = typed.has(Name::PreDump);
    if is_early && typed.has(Name::LazyPages) {
        return Err(refused(Name::PreDump, rare!("it takes all pages, and --lazy-pages none")));
    }
    let config = &*bundle::kept(runtime, folder, state)?;
    criu::check(config)?;
    let run = Run::new(runtime, if is_early { c"pre-dump" } else { c"dump" })?;
    let number = state.member.number;
    run.add(&[c"--tree", joined(&[decimal(number.into())])]);
    outside::name(run, config, &runtime.cgroup(config, folder.id)?, number)?;
    let prepare = || outside::enter_others(config);
    let process = run.criu(runtime, kept(Vec::new())).start(&mut |_| Ok(()), &prepare)?;
    if !attend(process, None, &mut |_, _| Ok(()))? {
        return Err(run.failure());
    }
    if !is_early && !typed.has(Name::LeaveRunning) {
        // It is killed already; its end is waited for.
        delete::end(state, cgroup)?;
    }
    Ok(())
}

fn check(folder: &Folder, state: &State, cgroup: Option<&Cgroup>) -> Result<(), Error<'static>> {
    let why = match state.status(folder, cgroup.is_some_and(Cgroup::is_frozen)) {
        Status::Running => return Ok(()),
        Status::Paused => rare!("cannot checkpoint a paused container: resume it first"),
        Status::Stopped => {
            rare!("cannot checkpoint a container that has stopped: container not running")
        }
        _ => rare!("cannot checkpoint a container that was not started: container not running"),
    };
    Err(about(folder.id, why))
}
