//! Making what an archive says in a folder, and nothing outside of it.
//!
//! Everything is made where nothing is, and never through a symbolic link. What is there already, of an
//! earlier layer or of an earlier entry, goes first, but for folders, which are added to.

use super::attributes::{make_opaque, set_on_file, set_on_name};
use super::entry::{Entry, Kind, Place, Whiteout};
use super::names::{LINK_NOWHERE, LINK_OUT, as_c_str, failed, hash, path_of, terminated};
use super::parents::{Parent, Parents, open};
use super::walk::{Content, Sink};
use super::write::{write_all, write_at};
use super::{Destination, Form, Owners, refused};
use crate::error::Error;
use crate::image::remove::remove_tree;
use crate::sys::files::standard_error;
use crate::text::Text;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chmodat, chownat, fchmod,
    fchown, ftruncate, futimens, linkat, makedev, mkdirat, mknodat, openat, statat, symlinkat,
    unlinkat, utimensat,
};
use rustix::io::Errno;
use rustix::process::umask;

/// A folder that is being filled.
pub struct Folder<'a> {
    pub(super) into: Destination<'a>,
    pub(super) parents: Parents<'a>,
    /// The times of folders, which change as long as they are filled.
    times: Vec<(Vec<u8>, Timestamps)>,
    /// What this layer has made, as hashes of paths: its own deletions leave it alone.
    pub(super) made: BTreeSet<u64>,
    left_out: LeftOut,
    callers_umask: Mode,
}

/// How much of what could not be had here.
#[derive(Default)]
struct LeftOut {
    devices: u64,
    attributes: u64,
}

/// Bits of a mode that a change of owner takes away.
const SPECIAL: u32 = 0o7000;

impl<'a> Folder<'a> {
    /// Begins to fill it; where no entry says how it is itself, it is as roots are.
    ///
    /// # Errors
    ///
    /// chmod(2).
    pub fn new(into: Destination<'a>) -> Result<Self, Errno> {
        chmodat(into.folder, c".", Mode::from_raw_mode(0o755), AtFlags::empty())?;
        Ok(Self {
            into,
            parents: Parents::new(into.folder),
            times: Vec::new(),
            made: BTreeSet::new(),
            left_out: LeftOut::default(),
            // Modes are meant as they stand.
            callers_umask: umask(Mode::empty()),
        })
    }

    /// Sets the times of folders, now that nothing is added to them any more.
    ///
    /// # Errors
    ///
    /// utimensat(2).
    pub fn finish(&mut self) -> Result<(), Error<'static>> {
        for (path, times) in &self.times {
            match open(self.into.folder, path) {
                Ok(folder) => utimensat(&folder, c".", times, AtFlags::empty())
                    .map_err(|errno| failed(path, errno))?,
                // Something else has taken its place.
                Err(Errno::NOTDIR | Errno::NOENT) => {}
                Err(errno) => return Err(failed(path, errno)),
            }
        }
        Ok(())
    }

    /// Says what was left out.
    pub fn report(&self, layer: &[u8]) {
        let LeftOut { devices, attributes } = self.left_out;
        if devices == 0 && attributes == 0 {
            return;
        }
        let mut line = Text::new();
        line.push("mini-container: ")
            .push_name(layer)
            .push(": left out, since they cannot be had here: ");
        if devices > 0 {
            line.push("devices: ").push_number(devices);
        }
        if attributes > 0 {
            line.push(if devices > 0 { ", " } else { "" });
            line.push("extended attributes: ").push_number(attributes);
        }
        line.push("\n");
        // It is of use only to somebody who reads it.
        let _ = line.write_to(standard_error());
    }

    /// Notes what was made.
    fn note(&mut self, path: &[u8]) {
        self.made.insert(hash(path));
    }

    /// Makes something with `make`, in the place of what is there.
    fn put<T>(
        &mut self,
        place: Place<'_>,
        name: &CStr,
        make: impl Fn(&Parent) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let parent = self.parents.of(place.folder)?;
        match make(parent) {
            Err(Errno::EXIST) => {}
            answer => return answer,
        }
        clear(&parent.folder, name)?;
        // It may have been a folder that is open, or on the way to it.
        self.parents.forget();
        make(self.parents.of(place.folder)?)
    }

    fn make_folder(&mut self, entry: &Entry, place: Place<'_>, name: &CStr) -> Result<(), Errno> {
        let mode = Mode::from_raw_mode(entry.mode);
        let mut opaque = false;
        if !place.name.is_empty() {
            let parent = self.parents.of(place.folder)?;
            match mkdirat(&parent.folder, name, mode) {
                Err(Errno::EXIST) => {
                    let found = statat(&parent.folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
                        // A deletion by this layer, which makes the folder anew.
                        opaque = is_whiteout(&found);
                        clear(&parent.folder, name)?;
                        mkdirat(&parent.folder, name, mode)?;
                        self.parents.forget();
                    }
                }
                answer => answer?,
            }
        }
        let parent = self.parents.of(place.folder)?;
        set_owner(self.into.owners, entry, parent, name)?;
        chmodat(&parent.folder, name, mode, AtFlags::empty())?;
        self.left_out.attributes += set_on_name(entry, &parent.folder, name, self.into.form)?;
        if let (true, Form::Overlay { privileged }) = (opaque, self.into.form) {
            make_opaque(&self.parents.of(&path_of(place))?.folder, privileged)?;
        }
        self.times.push((path_of(place), times(entry)));
        Ok(())
    }

    fn make_other(&mut self, entry: &Entry, place: Place<'_>, name: &CStr) -> Result<(), Errno> {
        let (kind, device) = match entry.kind {
            Kind::Symlink => {
                let mut target = entry.target.clone();
                target.push(0);
                let target = CStr::from_bytes_until_nul(&target).map_err(|_| Errno::INVAL)?;
                if target.to_bytes().len() < entry.target.len() {
                    return Err(Errno::INVAL);
                }
                self.put(place, name, |parent| symlinkat(target, &parent.folder, name))?;
                return self.finish_name(entry, place, name);
            }
            Kind::Characters(major, minor) => (FileType::CharacterDevice, (major, minor)),
            Kind::Blocks(major, minor) => (FileType::BlockDevice, (major, minor)),
            _ => (FileType::Fifo, (0, 0)),
        };
        // To an overlay, this device is a deletion.
        if kind == FileType::CharacterDevice && device == (0, 0) && self.into.form != Form::Tree {
            self.left_out.devices += 1;
            return Ok(());
        }
        let (mode, device) = (Mode::from_raw_mode(entry.mode), makedev(device.0, device.1));
        match self.put(place, name, |parent| mknodat(&parent.folder, name, kind, mode, device)) {
            Err(Errno::PERM) if kind != FileType::Fifo => {
                self.left_out.devices += 1;
                Ok(())
            }
            answer => answer.and_then(|()| self.finish_name(entry, place, name)),
        }
    }

    /// Sets all that is said about what is no file and no folder.
    fn finish_name(&mut self, entry: &Entry, place: Place<'_>, name: &CStr) -> Result<(), Errno> {
        let (owners, form) = (self.into.owners, self.into.form);
        let parent = self.parents.of(place.folder)?;
        let is_changed = set_owner(owners, entry, parent, name)?;
        if is_changed && entry.kind != Kind::Symlink {
            let mode = Mode::from_raw_mode(entry.mode);
            chmodat(&parent.folder, name, mode, AtFlags::empty())?;
        }
        self.left_out.attributes += set_on_name(entry, &parent.folder, name, form)?;
        utimensat(&parent.folder, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW)
    }

    fn link(&mut self, entry: &Entry, place: Place<'_>, name: &CStr) -> Result<(), Error<'static>> {
        let target = Place::of(&entry.target).map_err(|_| refused(&entry.name, LINK_OUT))?;
        let target_name = terminated(target.name).map_err(|errno| failed(&entry.name, errno))?;
        let target_name = as_c_str(&target_name);
        if path_of(target) == path_of(place) {
            return Err(refused(&entry.name, "it is a link to itself"));
        }
        let folder = match open(self.into.folder, target.folder) {
            Err(Errno::XDEV | Errno::LOOP) => return Err(refused(&entry.name, LINK_OUT)),
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(refused(&entry.name, LINK_NOWHERE)),
            answer => answer.map_err(|errno| failed(&entry.name, errno))?,
        };
        let found = statat(&folder, target_name, AtFlags::SYMLINK_NOFOLLOW);
        if !found.is_ok_and(|found| !is_whiteout(&found)) {
            return Err(refused(&entry.name, LINK_NOWHERE));
        }
        let linked = self.put(place, name, |parent| {
            linkat(&folder, target_name, &parent.folder, name, AtFlags::empty())
        });
        linked.map_err(|errno| failed(&entry.name, errno))
    }

    fn place(entry: &Entry) -> Result<Place<'_>, Error<'static>> {
        Place::of(&entry.name).map_err(|why| refused(&entry.name, why))
    }
}

impl Drop for Folder<'_> {
    fn drop(&mut self) {
        umask(self.callers_umask);
    }
}

impl Sink for Folder<'_> {
    fn take(&mut self, entry: &Entry) -> Result<(), Error<'static>> {
        let place = Self::place(entry)?;
        if place.name.is_empty() && entry.kind != Kind::Folder {
            return Err(refused(&entry.name, "the root itself is no folder"));
        }
        let name = terminated(place.name).map_err(|errno| failed(&entry.name, errno))?;
        let name = as_c_str(&name);
        match entry.kind {
            Kind::HardLink => self.link(entry, place, name)?,
            Kind::Folder => {
                self.make_folder(entry, place, name).map_err(|errno| failed(&entry.name, errno))?;
            }
            _ => self.make_other(entry, place, name).map_err(|errno| failed(&entry.name, errno))?,
        }
        self.note(&path_of(place));
        Ok(())
    }

    fn take_file(
        &mut self,
        entry: &Entry,
        content: &mut Content<'_, '_>,
    ) -> Result<(), Error<'static>> {
        let place = Self::place(entry)?;
        let errors = |errno| failed(&entry.name, errno);
        if let Some(whiteout) = Whiteout::of(place.name) {
            if whiteout == Whiteout::None {
                return Err(refused(&entry.name, "it deletes what nothing can be called"));
            }
            self.delete(&whiteout, place).map_err(errors)?;
            return content.pour(&mut |_, _| Ok(()));
        }
        if place.name.is_empty() {
            return Err(refused(&entry.name, "the root itself is no folder"));
        }
        let name = terminated(place.name).map_err(errors)?;
        let name = as_c_str(&name);
        let mode = Mode::from_raw_mode(entry.mode);
        let file = self.put(place, name, |parent| create(parent, name, mode)).map_err(errors)?;
        if content.has_holes {
            content.pour(&mut |start, bytes| write_at(&file, start, bytes).map_err(errors))?;
            if let Kind::File(bytes) = entry.kind {
                ftruncate(&file, bytes).map_err(errors)?;
            }
        } else {
            content.pour(&mut |_, bytes| write_all(&file, bytes).map_err(errors))?;
        }
        self.finish_file(entry, place, &file).map_err(errors)?;
        self.note(&path_of(place));
        Ok(())
    }
}

impl Folder<'_> {
    fn finish_file(
        &mut self,
        entry: &Entry,
        place: Place<'_>,
        file: &OwnedFd,
    ) -> Result<(), Errno> {
        let gives_group = self.parents.of(place.folder)?.gives_group;
        let mut is_changed = false;
        if self.into.owners == Owners::Kept && ((entry.user, entry.group) != (0, 0) || gives_group)
        {
            let owner = (Uid::from_raw(entry.user), Gid::from_raw(entry.group));
            fchown(file, Some(owner.0), Some(owner.1))?;
            is_changed = true;
        }
        if is_changed || entry.mode & SPECIAL != 0 {
            fchmod(file, Mode::from_raw_mode(entry.mode))?;
        }
        if !entry.attributes.is_empty() {
            self.left_out.attributes += set_on_file(entry, file, self.into.form)?;
        }
        futimens(file, &times(entry))
    }
}

fn create(parent: &Parent, name: &CStr, mode: Mode) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(&parent.folder, name, flags, mode)
}

/// Gives it to its owner, if that is not who makes it; whether it was given.
fn set_owner(owners: Owners, entry: &Entry, parent: &Parent, name: &CStr) -> Result<bool, Errno> {
    let is_own = (entry.user, entry.group) == (0, 0) && !parent.gives_group;
    // A folder may have been there before, of another owner.
    if owners == Owners::Caller || is_own && entry.kind != Kind::Folder {
        return Ok(false);
    }
    let owner = (Uid::from_raw(entry.user), Gid::from_raw(entry.group));
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    chownat(&parent.folder, name, Some(owner.0), Some(owner.1), flags).map(|()| true)
}

/// Removes what has this name, whatever it is.
pub(super) fn clear(folder: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = openat(folder, c".", flags, Mode::empty())?;
            remove_tree(folder.as_fd(), name)
        }
        Err(Errno::NOENT) => Ok(()),
        answer => answer,
    }
}

fn is_whiteout(found: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice && found.st_rdev == 0
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec { tv_sec: entry.modified.0, tv_nsec: entry.modified.1 };
    Timestamps { last_access: time, last_modification: time }
}
