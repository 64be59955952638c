//! Entries as files, in a directory that is opened and never left.

use super::attributes::{self, Target};
use super::entry::{Entry, Kind};
use super::failure::Failure;
use super::folders::{Folders, Missing, c_str};
use super::made::Made;
use super::names::{Meaning, Path, meaning};
use super::reader::Reader;
use super::whiteouts;
use super::{Destination, Form, Owners};
use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, Dev, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chmodat, chownat, fchmod,
    fchown, fstat, ftruncate, futimens, linkat, makedev, mkdirat, mknodat, openat, symlinkat,
    utimensat,
};
use rustix::io::{Errno, pwrite, retry_on_intr, write};
use rustix::process::{getegid, geteuid};

/// What could not be made as it is in the archive.
#[derive(Default)]
pub struct LeftOut {
    /// Devices.
    pub devices: u64,
    /// Extended attributes.
    pub attributes: u64,
}

/// Makes files of entries.
pub struct Files {
    pub(super) folders: Folders,
    pub(super) form: Form,
    owners: Owners,
    /// Whom files belong to that this process makes.
    own: (u32, u32),
    path: Path,
    target: Path,
    /// What this layer has made, if there was anything before.
    pub(super) made: Option<Made>,
    /// What was left out.
    pub left_out: LeftOut,
}

/// Bits of a mode that a file is not made with.
const SPECIAL: u32 = 0o7000;

impl Files {
    /// In this directory.
    ///
    /// # Errors
    ///
    /// open(2), stat(2), getdents(2).
    pub fn new(into: &Destination<'_>) -> Result<Self, Failure> {
        let has_lower = matches!(into.form, Form::Tree) && !whiteouts::is_empty(into.folder)?;
        // Where the stack lies is random.
        let seed = (&raw const has_lower).addr() as u64 ^ crate::sys::clock::milliseconds() as u64;
        Ok(Self {
            folders: Folders::new(into.folder)?,
            form: into.form,
            owners: into.owners,
            own: (geteuid().as_raw(), getegid().as_raw()),
            path: Path::default(),
            target: Path::default(),
            made: has_lower.then(|| Made::new(seed)),
            left_out: LeftOut::default(),
        })
    }

    /// Makes the file of an entry, with the content that `reader` has next.
    ///
    /// # Errors
    ///
    /// What the entry says cannot be, or would be outside; any system call that makes files.
    pub fn put(&mut self, entry: &Entry, reader: &mut Reader<'_>) -> Result<(), Failure> {
        let mut path = core::mem::take(&mut self.path);
        let put = path.set(&entry.name).and_then(|()| self.put_at(&path, entry, reader));
        self.path = path;
        put
    }

    fn put_at(
        &mut self,
        path: &Path,
        entry: &Entry,
        reader: &mut Reader<'_>,
    ) -> Result<(), Failure> {
        let Some(last) = path.depth().checked_sub(1) else {
            if entry.kind != Kind::Folder {
                return Err(Failure::Archive(rare!("it would replace the root")));
            }
            self.folders.leave_to(0)?;
            return self.describe_folder(entry);
        };
        if path.is_absolute(&entry.name) {
            return Err(Failure::Archive(rare!("its name is absolute")));
        }
        let is_mark = |index| path.part(index).starts_with(b".wh.");
        if (0..last).any(is_mark) {
            return Ok(());
        }
        let name = path.part(last);
        match meaning(name)? {
            Meaning::File => {}
            Meaning::Deleted(name) => return self.delete(path, last, c_str(name)),
            Meaning::Emptied => return self.empty(path, last),
            Meaning::Nothing => return Ok(()),
        }
        self.folders.enter(path, last, Missing::Make)?;
        let id = self.folders.last().id;
        match entry.kind {
            Kind::File => self.file(c_str(name), entry, reader)?,
            Kind::Folder => self.folder(c_str(name), entry)?,
            Kind::HardLink => self.hard_link(path, c_str(name), entry)?,
            Kind::Link => self.link(c_str(name), entry)?,
            Kind::Characters | Kind::Blocks | Kind::Pipe => self.device(c_str(name), entry)?,
        }
        if let Some(made) = &mut self.made {
            made.insert(id, name);
            // What it lies in is of this layer, too, as far as it goes.
            self.folders.each(|above, name| made.insert(above, name));
        }
        Ok(())
    }

    /// Makes something new of a name; what is there is removed.
    fn replace<T>(
        &mut self,
        name: &CStr,
        create: &dyn Fn(BorrowedFd<'_>) -> Result<T, Errno>,
    ) -> Result<T, Failure> {
        let folder = self.folders.last();
        folder.is_changed = true;
        match create(folder.as_fd()) {
            Err(Errno::EXIST) => {
                whiteouts::remove(folder.as_fd(), name)?;
                Ok(create(folder.as_fd())?)
            }
            made => Ok(made?),
        }
    }

    fn file(&mut self, name: &CStr, entry: &Entry, reader: &mut Reader<'_>) -> Result<(), Failure> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Attributes are set by those who may write it.
        let writable = if entry.attributes.is_empty() { 0 } else { 0o200 };
        let mode = entry.mode & !SPECIAL | writable;
        let create =
            |folder: BorrowedFd<'_>| openat(folder, name, flags, Mode::from_raw_mode(mode));
        let file = self.replace(name, &create)?;
        match &entry.sparse {
            None => write_all(file.as_fd(), reader)?,
            Some(sparse) => {
                for (place, bytes) in sparse.parts() {
                    write_part(file.as_fd(), *place, *bytes, reader)?;
                }
                ftruncate(file.as_fd(), sparse.bytes)?;
            }
        }
        if let Some((user, group)) = self.other_owner(entry)? {
            fchown(file.as_fd(), Some(user), Some(group)).map_err(unknown_owner)?;
        }
        if !entry.attributes.is_empty() {
            let target = Target::File(file.as_fd());
            self.left_out.attributes += attributes::set(target, &entry.attributes, self.form)?;
        }
        if mode != entry.mode {
            fchmod(file.as_fd(), Mode::from_raw_mode(entry.mode))?;
        }
        Ok(futimens(file.as_fd(), &times(entry))?)
    }

    fn folder(&mut self, name: &CStr, entry: &Entry) -> Result<(), Failure> {
        let folder = self.folders.last();
        let bits = entry.mode & !SPECIAL | 0o700;
        let made = mkdirat(folder.as_fd(), name, Mode::from_raw_mode(bits));
        folder.is_changed = true;
        let stepped = match made {
            Err(Errno::EXIST) => self.folders.step(name).and_then(|()| {
                Ok(attributes::clear(self.open_last()?.as_fd(), &entry.attributes)?)
            }),
            made => made.map_err(Failure::from).and_then(|()| self.folders.step(name)),
        };
        match stepped {
            // What is there is no directory.
            Err(Failure::System(Errno::LOOP | Errno::NOTDIR)) => {
                let create =
                    |folder: BorrowedFd<'_>| mkdirat(folder, name, Mode::from_raw_mode(bits));
                self.replace(name, &create)?;
                self.folders.step(name)?;
                // What it replaces has hidden what is below.
                self.make_opaque()?;
            }
            stepped => stepped?,
        }
        self.describe_folder(entry)
    }

    /// Makes the last directory what an entry says.
    fn describe_folder(&mut self, entry: &Entry) -> Result<(), Failure> {
        let folder = self.folders.last();
        folder.set(entry.mode, time(entry));
        if let Owners::Kept = self.owners {
            let found = fstat(folder.as_fd())?;
            let (user, group) = ids(entry)?;
            if (found.st_uid, found.st_gid) != (user.as_raw(), group.as_raw()) {
                chownat(folder.as_fd(), c".", Some(user), Some(group), AtFlags::empty())
                    .map_err(unknown_owner)?;
            }
        }
        if !entry.attributes.is_empty() {
            let file = self.open_last()?;
            let target = Target::File(file.as_fd());
            self.left_out.attributes += attributes::set(target, &entry.attributes, self.form)?;
        }
        Ok(())
    }

    /// Opens the last directory as itself.
    fn open_last(&mut self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(self.folders.last().as_fd(), c".", flags, Mode::empty())
    }

    /// Hides what lower layers have in the last directory.
    pub(super) fn make_opaque(&mut self) -> Result<(), Failure> {
        if let Form::Overlay { privileged } = self.form {
            attributes::set_opaque(self.open_last()?.as_fd(), privileged)?;
        }
        Ok(())
    }

    fn hard_link(&mut self, path: &Path, name: &CStr, entry: &Entry) -> Result<(), Failure> {
        const OUTSIDE: Failure =
            Failure::Archive(rare!("it is a link to what cannot be in the root"));
        const MISSING: Failure =
            Failure::Archive(rare!("the file that it is another name of is not in the layer"));
        self.target.set(&entry.target).map_err(|_| OUTSIDE)?;
        let last = self.target.depth().checked_sub(1).ok_or(OUTSIDE)?;
        let count = path.depth();
        if self.target.joined(last + 1) == path.joined(count) {
            return Err(Failure::Archive(rare!("it is a link to itself")));
        }
        let from = match self.folders.find(&self.target, last) {
            Err(Failure::System(Errno::NOENT | Errno::NOTDIR)) => return Err(MISSING),
            from => from?,
        };
        let target = self.target.part(last).to_vec();
        let create = |folder: BorrowedFd<'_>| {
            linkat(from.as_fd(), c_str(&target), folder, name, AtFlags::empty())
        };
        match self.replace(name, &create) {
            Err(Failure::System(Errno::NOENT)) => Err(MISSING),
            made => made,
        }
    }

    fn link(&mut self, name: &CStr, entry: &Entry) -> Result<(), Failure> {
        let mut target = entry.target.clone();
        if target.is_empty() || target.contains(&0) {
            return Err(Failure::Archive(rare!("it is a link to what has no name")));
        }
        target.push(0);
        self.replace(name, &|folder| symlinkat(c_str(&target), folder, name))?;
        self.describe(name, entry)
    }

    fn device(&mut self, name: &CStr, entry: &Entry) -> Result<(), Failure> {
        let (kind, number): (_, Dev) = match entry.kind {
            Kind::Characters => {
                (FileType::CharacterDevice, makedev(entry.device.0, entry.device.1))
            }
            Kind::Blocks => (FileType::BlockDevice, makedev(entry.device.0, entry.device.1)),
            _ => (FileType::Fifo, 0),
        };
        // In an overlay, it would stand for a deletion.
        let is_mark = kind == FileType::CharacterDevice
            && number == 0
            && matches!(self.form, Form::Overlay { .. });
        let bits = Mode::from_raw_mode(entry.mode & !SPECIAL);
        let made = if is_mark {
            Err(Failure::System(Errno::PERM))
        } else {
            self.replace(name, &|folder| mknodat(folder, name, kind, bits, number))
        };
        match made {
            Err(Failure::System(Errno::PERM)) if kind != FileType::Fifo => {
                self.left_out.devices += 1;
                return Ok(());
            }
            made => made?,
        }
        self.describe(name, entry)?;
        if entry.mode & SPECIAL != 0 {
            let whole = Mode::from_raw_mode(entry.mode);
            chmodat(self.folders.last().as_fd(), name, whole, AtFlags::empty())?;
        }
        Ok(())
    }

    /// Gives something that is not opened its owner, its attributes and its time.
    fn describe(&mut self, name: &CStr, entry: &Entry) -> Result<(), Failure> {
        let owner = self.other_owner(entry)?;
        let folder = self.folders.last();
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        if let Some((user, group)) = owner {
            chownat(folder.as_fd(), name, Some(user), Some(group), nofollow)
                .map_err(unknown_owner)?;
        }
        if !entry.attributes.is_empty() {
            let target = Target::Name(folder.as_fd(), name);
            self.left_out.attributes += attributes::set(target, &entry.attributes, self.form)?;
        }
        Ok(utimensat(folder.as_fd(), name, &times(entry), nofollow)?)
    }

    /// Who is to own what was just made, if not who does.
    fn other_owner(&mut self, entry: &Entry) -> Result<Option<(Uid, Gid)>, Failure> {
        if let Owners::Caller = self.owners {
            return Ok(None);
        }
        let owner = ids(entry)?;
        let is_own = (owner.0.as_raw(), owner.1.as_raw()) == self.own;
        Ok((!is_own || self.folders.last().gives_group()).then_some(owner))
    }
}

fn ids(entry: &Entry) -> Result<(Uid, Gid), Failure> {
    // -1 says that it is to stay as it is.
    let id = |id: u64| u32::try_from(id).ok().filter(|id| *id != u32::MAX);
    match (id(entry.owner.0), id(entry.owner.1)) {
        (Some(user), Some(group)) => Ok((Uid::from_raw(user), Gid::from_raw(group))),
        _ => Err(Failure::Archive(rare!("its owner is no id that there can be"))),
    }
}

fn unknown_owner(errno: Errno) -> Failure {
    match errno {
        Errno::INVAL => {
            Failure::Archive(rare!("its owner is none of the ids of the user namespace"))
        }
        errno => Failure::System(errno),
    }
}

fn time(entry: &Entry) -> Timespec {
    Timespec { tv_sec: entry.time.0, tv_nsec: i64::from(entry.time.1) }
}

fn times(entry: &Entry) -> Timestamps {
    Timestamps { last_access: time(entry), last_modification: time(entry) }
}

fn write_all(file: BorrowedFd<'_>, reader: &mut Reader<'_>) -> Result<(), Failure> {
    loop {
        let content = reader.content()?;
        if content.is_empty() {
            return Ok(());
        }
        let written = retry_on_intr(|| write(file, content))?;
        reader.consume(written);
    }
}

/// Writes so much of the content to this place.
fn write_part(
    file: BorrowedFd<'_>,
    mut place: u64,
    mut bytes: u64,
    reader: &mut Reader<'_>,
) -> Result<(), Failure> {
    while bytes > 0 {
        let content = reader.content()?;
        let length = content.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
        let content = content.get(..length).unwrap_or_default();
        if content.is_empty() {
            return Ok(());
        }
        let written = retry_on_intr(|| pwrite(file, content, place))?;
        reader.consume(written);
        place += written as u64;
        bytes -= written as u64;
    }
    Ok(())
}
