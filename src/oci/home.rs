//! Where the runtime keeps what it knows: a folder, and in it one for each container.
//!
//! A container's folder has `config.json` as it was when the container was created, `state` (`planned` as long as
//! its cgroup is not made), and a socket at which its process waits: `pending` as long as it is being created,
//! `start` when it can be started, and none from then on. Who changes a container holds the folder's lock; flock(2).

use super::text::{absolute, joined};
use crate::container::environment;
use crate::error::{Doing, Error, Fault, Object, On, Operation, Why};
use crate::kernel::caller::{Caller, is_initial_namespace};
use crate::kernel::settings::read_file;
use crate::launch::criu;
use crate::rare::Rare;
use crate::text::{Text, parts};
use alloc::vec::Vec;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FlockOperation, Mode, OFlags, RawDir, flock, mkdirat, openat, renameat, unlinkat,
};
use rustix::io::Errno;

static MAKE: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("make the folder")) };
static LOCK: Operation = Operation::new(rare!("lock the container"));
static WRITE: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("write the container's")) };
static REMOVE: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("remove the container's")) };

/// The folder of all containers.
pub struct Home {
    path: &'static CStr,
}

/// The folder of one.
pub struct Folder {
    /// Its name, and the container's.
    pub id: &'static CStr,
    file: OwnedFd,
    /// Where it is, from `/` on.
    pub path: &'static CStr,
}

/// What may stand in a name, besides letters and digits.
const PUNCTUATION: &[u8] = b"_+-.";
const ID_BYTES_MAX: usize = 1024;

impl Home {
    /// The one that `--root` names, or the caller's own.
    ///
    /// # Errors
    ///
    /// An ordinary user has no place for it.
    pub fn new(
        root: Option<&CStr>,
        variables: &[&CStr],
        caller: Caller,
    ) -> Result<Self, Error<'static>> {
        if let Some(root) = root {
            return Ok(Self { path: absolute(root)? });
        }
        let own = environment::value(variables, b"XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
        match own {
            // Root in a user namespace of an ordinary user's is that user.
            Some(path) if caller.user != 0 || !is_initial_namespace() => {
                Ok(Self { path: joined(&[path, b"/mini-container"]) })
            }
            None if caller.user != 0 => {
                let hint = rare!("set it, as the login does, or name a folder: --root DIR").bytes();
                Err(Error::usage(
                    rare!("find the state of containers"),
                    b"",
                    rare!("XDG_RUNTIME_DIR is not set"),
                    hint,
                ))
            }
            _ => Ok(Self { path: c"/run/mini-container" }),
        }
    }

    /// Makes the folder of a new container, and locks it.
    ///
    /// # Errors
    ///
    /// There is one of that name, or the name cannot be one; mkdir(2).
    pub fn add(&self, id: &CStr) -> Result<Folder, Error<'static>> {
        let id = checked(id)?;
        let failed = |fault: Fault| fault.into_error(self.path.to_bytes(), b"");
        make_folders(self.path).doing(&MAKE).map_err(failed)?;
        let path = joined(&[self.path.to_bytes(), b"/", id.to_bytes()]);
        match mkdirat(CWD, path, Mode::RWXU) {
            Err(Errno::EXIST) => {
                return Err(about(id, rare!("a container with this name already exists")));
            }
            made => made.doing(&MAKE).on(path)?,
        }
        let folder = self.open(id)?;
        folder.lock()?;
        Ok(folder)
    }

    /// Whether this can be a container's name.
    #[must_use]
    pub fn is_name(id: &CStr) -> bool {
        is_name(id.to_bytes())
    }

    /// The folder of a container that is there.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn open(&self, id: &CStr) -> Result<Folder, Error<'static>> {
        let id = checked(id)?;
        let path = joined(&[self.path.to_bytes(), b"/", id.to_bytes()]);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(CWD, path, flags, Mode::empty()) {
            Ok(file) => Ok(Folder { id, file, path }),
            Err(Errno::NOENT | Errno::NAMETOOLONG) => {
                Err(about(id, rare!("container does not exist")))
            }
            Err(errno) => {
                Err(Error::new(rare!("open"), path.to_bytes(), Why::Errno(errno), b"", FAILED))
            }
        }
    }

    /// The names of all containers, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static CStr> {
        let mut names = Vec::new();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(file) = openat(CWD, self.path, flags, Mode::empty()) else { return names };
        let mut space = [MaybeUninit::uninit(); 2048];
        let mut entries = RawDir::new(&file, &mut space);
        while let Some(Ok(entry)) = entries.next() {
            let name = entry.file_name().to_bytes();
            names.extend(is_name(name).then(|| joined(&[name])));
        }
        crate::text::sort(&mut names);
        names
    }
}

/// What is the matter with a container.
#[must_use]
pub fn about(id: &CStr, why: Rare) -> Error<'static> {
    Error::usage(rare!("container"), joined(&[id.to_bytes()]).to_bytes(), why, b"")
}

/// The exit status of commands of the runtime's that fail, as runc's.
pub const FAILED: u8 = 1;

/// A name that can be a container's.
fn checked(id: &CStr) -> Result<&'static CStr, Error<'static>> {
    let bytes = id.to_bytes();
    if !is_name(bytes) {
        let hint = rare!("letters, digits, and _ + - . are, at most 1024").bytes();
        let on = joined(&[bytes]).to_bytes();
        return Err(Error::usage(rare!("container"), on, rare!("this is no name for one"), hint));
    }
    Ok(joined(&[bytes]))
}

fn is_name(id: &[u8]) -> bool {
    id.iter().all(|byte| byte.is_ascii_alphanumeric() || PUNCTUATION.contains(byte))
        && !matches!(id, b"" | b"." | b"..")
        && id.len() <= ID_BYTES_MAX
}

/// Makes a folder, which nobody else sees into, and those above it.
///
/// # Errors
///
/// mkdir(2).
pub fn make_folders(path: &CStr) -> Result<(), Errno> {
    // It is there nearly always.
    match mkdirat(CWD, path, Mode::RWXU) {
        Err(Errno::NOENT) => {}
        Err(Errno::EXIST) => return Ok(()),
        answer => return answer,
    }
    let mut above = Text::new();
    for part in parts(path.to_bytes(), b'/').filter(|part| !part.is_empty()) {
        above.push("/").push_raw(part);
        match mkdirat(CWD, joined(&[above.as_bytes()]), Mode::from_raw_mode(0o711)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

impl Folder {
    /// Waits until nobody else changes the container.
    ///
    /// # Errors
    ///
    /// flock(2).
    pub fn lock(&self) -> Result<(), Error<'static>> {
        loop {
            match flock(&self.file, FlockOperation::LockExclusive) {
                Err(Errno::INTR) => {}
                answer => return answer.doing(&LOCK).map_err(Error::from),
            }
        }
    }

    /// Lets others change it again.
    pub fn unlock(&self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }

    /// Whether somebody changes the container at this moment.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let _ = flock(&self.file, FlockOperation::Unlock);
                false
            }
            Err(_) => true,
        }
    }

    /// The folder itself.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Writes a file of it, so that others see all of it or what was there before.
    ///
    /// # Errors
    ///
    /// open(2), write(2), rename(2).
    pub fn write(&self, name: &CStr, content: &Text) -> Result<(), Error<'static>> {
        self.write_new(c".new", content)?;
        let known = self.rename(c".new", Some(name)).doing(&WRITE);
        known.on(joined(&[name.to_bytes()]))
    }

    /// Writes a file that nobody looks for yet.
    ///
    /// # Errors
    ///
    /// open(2), write(2).
    pub fn write_new(&self, name: &CStr, content: &Text) -> Result<(), Error<'static>> {
        let written = || {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
            content.write_to(openat(&self.file, name, flags, Mode::RUSR | Mode::WUSR)?)
        };
        written().doing(&WRITE).on(joined(&[name.to_bytes()]))
    }

    /// Reads a file of it whole.
    ///
    /// # Errors
    ///
    /// open(2), read(2).
    pub fn read(&self, name: &CStr) -> Result<&'static [u8], Errno> {
        read_file(joined(&[self.path.to_bytes(), b"/", name.to_bytes()]))
    }

    /// Whether it has a file of this name.
    #[must_use]
    pub fn has(&self, name: &CStr) -> bool {
        rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Gives a file of it another name, or with none takes it away.
    ///
    /// # Errors
    ///
    /// rename(2), unlink(2).
    pub fn rename(&self, name: &CStr, new: Option<&CStr>) -> Result<(), Errno> {
        match new {
            Some(new) => renameat(&self.file, name, &self.file, new),
            None => unlinkat(&self.file, name, AtFlags::empty()),
        }
    }

    /// Removes it, with all that is in it.
    ///
    /// # Errors
    ///
    /// unlink(2), rmdir(2).
    pub fn remove(&self) -> Result<(), Error<'static>> {
        // The usual ones first.
        const FILES: [&[&CStr]; 2] = [
            &[c"config.json", c"state"],
            &[c"planned", c"pending", c"start", c".new", criu::SCRIPT],
        ];
        let mut removed = Ok(());
        for files in FILES {
            for name in files {
                let _ = self.rename(name, None);
            }
            removed = unlinkat(CWD, self.path, AtFlags::REMOVEDIR);
            if let Ok(()) | Err(Errno::NOENT) = removed {
                return Ok(());
            }
        }
        removed.doing(&REMOVE).on(self.path)
    }
}
