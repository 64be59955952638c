//! Making a cgroup, putting a process into it, and removing it.

use super::files::{Path, Patience, failed, open, put, tree, value, write};
use super::{Cgroup, Folder, parent};
use crate::error::{Error, Why};
use crate::rare::Rare;
use crate::text::{Text, decimal, parts};
use rustix::fs::{AtFlags, CWD, Mode, mkdirat, unlinkat};
use rustix::io::Errno;
use rustix::process::Pid;

const MAKE: Rare = rare!("make the cgroup");
const JOIN: Rare = rare!("put a process into the cgroup,");
const REMOVE: Rare = rare!("remove the cgroup");

impl Cgroup {
    /// Makes the folders. Where that is not allowed there is no cgroup, which is an error only for limits.
    ///
    /// # Errors
    ///
    /// mkdir(2); there is one of this name that has processes, or is frozen.
    pub fn make(&mut self) -> Result<(), Error<'static>> {
        let is_unified = self.is_unified;
        let mut failure = None;
        for folder in self.folders.iter_mut().filter(|folder| folder.is_usable) {
            // What was not made is not ours, and stays when the rest is removed.
            folder.is_usable = failure.is_none();
            if failure.is_some() {
                continue;
            }
            let made = match make_folder(folder.path, folder.mount, folder.has(b"cpuset")) {
                Err(Errno::EXIST) => check(folder),
                Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
                    folder.is_usable = false;
                    continue;
                }
                made => made.map_err(|errno| failed(folder.path, b"", MAKE, errno, Rare::NONE)),
            };
            folder.is_usable = made.is_ok();
            failure = made.err();
            if is_unified && folder.is_usable {
                enable(folder);
            }
        }
        self.is_own = failure.is_none();
        failure.map_or(Ok(()), Err)
    }

    /// Puts a process into it, or this one, whose number here may not be that of where the cgroup is from.
    ///
    /// # Errors
    ///
    /// write(2): `EACCES`, `ENOSPC` for a cpuset without processors, `EBUSY` in version 2 where only the cgroups
    /// below it may have processes.
    pub fn join(&self, process: Option<Pid>) -> Result<(), Error<'static>> {
        let process = process.map_or(0, |process| process.as_raw_nonzero().get().unsigned_abs());
        let number = decimal(process.into());
        for folder in self.usable() {
            let joined = match write(folder.path, b"cgroup.procs", number) {
                // The container has divided its cgroup: any of the inner ones counts as well.
                Err(Errno::BUSY | Errno::OPNOTSUPP) if self.is_unified => tree(folder.path)
                    .iter()
                    .skip(1)
                    .find(|inner| write(inner, b"cgroup.procs", number).is_ok())
                    .map(drop)
                    .ok_or(Errno::BUSY),
                answer => answer,
            };
            joined.map_err(|errno| {
                let hint = match errno {
                    Errno::ACCESS | Errno::PERM => {
                        rare!("without privilege, our own cgroup has to be delegated: systemd-run --user --scope -p Delegate=yes")
                    }
                    Errno::BUSY => rare!("cgroups that have controllers for others below them have no processes"),
                    _ => Rare::NONE,
                };
                failed(folder.path, b"cgroup.procs", JOIN, errno, hint)
            })?;
        }
        Ok(())
    }

    /// Removes it, and what was made in it. What is gone already is not missed. Processes that have just died may
    /// keep it for moments, which are waited for. One that was not made is another's unless it is empty.
    ///
    /// # Errors
    ///
    /// rmdir(2): `EBUSY` if there are processes in it.
    pub fn remove(&mut self) -> Result<(), Error<'static>> {
        let mut patience = Patience::new();
        for folder in self.usable() {
            loop {
                match remove_folder(folder.path) {
                    Ok(()) | Err(Errno::NOENT) => break,
                    Err(_) if !self.is_own => break,
                    Err(Errno::BUSY) => {
                        let inner = tree(folder.path);
                        let gone =
                            inner.iter().skip(1).rev().filter(|one| remove_folder(one).is_ok());
                        if gone.count() == 0 && !patience.wait() {
                            let hint = rare!("there are still processes in it");
                            return Err(failed(folder.path, b"", REMOVE, Errno::BUSY, hint));
                        }
                    }
                    Err(errno) => {
                        return Err(failed(folder.path, b"", REMOVE, errno, Rare::NONE));
                    }
                }
            }
        }
        Ok(())
    }
}

fn remove_folder(path: &[u8]) -> Result<(), Errno> {
    unlinkat(CWD, Path::new(path, b"").as_c_str(), AtFlags::REMOVEDIR)
}

/// Makes a folder, and those above it that are missing.
fn make_folder(path: &[u8], mount: usize, is_cpuset: bool) -> Result<(), Errno> {
    let make = || mkdirat(CWD, Path::new(path, b"").as_c_str(), Mode::from_raw_mode(0o755));
    match make() {
        Err(Errno::NOENT) if parent(path) > mount => {
            let above = path.get(..parent(path)).unwrap_or_default();
            match make_folder(above, mount, is_cpuset) {
                // Somebody else may be making the same.
                Ok(()) | Err(Errno::EXIST) => make()?,
                failed => return failed,
            }
        }
        answer => answer?,
    }
    let filled = if is_cpuset { fill(path, mount) } else { Ok(()) };
    if filled.is_err() {
        let _ = remove_folder(path);
    }
    filled
}

/// Gives a new cpuset all processors and memory nodes of the one above, which in version 1 it does not have by
/// itself; cpuset(7). Somebody may have left that one without any, too.
fn fill(path: &[u8], mount: usize) -> Result<(), Errno> {
    let above = path.get(..parent(path)).unwrap_or_default();
    for file in [&b"cpuset.cpus"[..], b"cpuset.mems"] {
        let mut set = value(above, file);
        if set.is_empty() && above.len() > mount {
            fill(above, mount)?;
            set = value(above, file);
        }
        write(path, file, set)?;
    }
    Ok(())
}

/// One that was there before must not be anybody else's.
#[cold]
fn check(folder: &Folder) -> Result<(), Error<'static>> {
    let refused =
        |why| Err(Path::new(folder.path, b"").error(MAKE, Why::Text(why), b"delete what has it"));
    if !value(folder.path, b"cgroup.procs").is_empty() {
        return refused(rare!("container's cgroup is not empty: it has processes"));
    }
    let is_frozen = value(folder.path, b"cgroup.freeze") == b"1"
        || matches!(value(folder.path, b"freezer.state"), b"FROZEN" | b"FREEZING");
    if is_frozen { refused(rare!("container's cgroup unexpectedly frozen")) } else { Ok(()) }
}

/// Has all controllers that there are count for this cgroup of version 2, by switching them on in those above it,
/// from the top. What cannot be switched on is missed only by a limit that needs it.
fn enable(folder: &Folder) {
    let path = &folder.path;
    let top = path.get(..folder.mount).unwrap_or_default();
    let available = value(top, b"cgroup.controllers");
    if value(path, b"cgroup.controllers") == available {
        return;
    }
    for end in folder.mount..path.len() {
        if path.get(end) != Some(&b'/') {
            continue;
        }
        let above = path.get(..end).unwrap_or_default();
        // Some can be switched on beside processes, all but the root's: what is below could then have threads only.
        if !value(above, b"cgroup.type").is_empty() && !value(above, b"cgroup.procs").is_empty() {
            return;
        }
        let Ok(file) = open(above, b"cgroup.subtree_control") else { continue };
        let mut all = Text::new();
        for controller in parts(available, b' ') {
            all.push(if all.is_empty() { "+" } else { " +" }).push_raw(controller);
        }
        if put(&file, all.as_bytes()).is_err() {
            for controller in parts(all.as_bytes(), b' ') {
                let _ = put(&file, controller);
            }
        }
    }
}

/// What hinders a controller of version 2 that is not there for a cgroup.
#[cold]
pub fn why_missing(folder: &Folder, controller: &[u8]) -> &'static [u8] {
    let path = &folder.path;
    let above = path.get(..parent(path)).unwrap_or_default();
    let mut hint = Text::new();
    hint.say(rare!("the controller ")).push_name(controller);
    let there = value(above, b"cgroup.controllers");
    if parts(there, b' ').any(|one| one == controller) {
        hint.say(rare!(" is not switched on in ")).push_name(above).push("/cgroup.subtree_control");
        if !value(above, b"cgroup.procs").is_empty() {
            hint.say(rare!(": while that cgroup has processes of its own, it cannot be"));
        }
    } else {
        hint.say(rare!(" is not in ")).push_name(above);
        hint.say(rare!(
            "/cgroup.controllers: no cgroup above it hands it down, or version 1 has it"
        ));
    }
    hint.leak()
}
