//! Paths inside a root directory that somebody else may have filled, and may be changing.
//!
//! A path is resolved once, to a descriptor, as a process inside would resolve it: `/` is the root,
//! `..` stops there, and a symbolic link never leads out. openat2(2) does that in the kernel
//! (Linux 5.6); where it is missing or forbidden, a walk from component to component does the same.

use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{
    FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, openat2, readlinkat_raw,
};
use rustix::io::Errno;
use rustix::process::umask;

/// What is made where a path leads to nothing: the mount point that a mount needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum MountPoint {
    /// A directory, for a directory.
    Directory,
    /// An empty file, for anything else.
    File,
}

/// What a walk does at a name that is not there.
#[derive(Clone, Copy)]
enum Missing {
    Fail,
    Make(MountPoint),
}

/// openat2(2) answers EAGAIN when a directory was moved while it climbed a `..`.
const ATTEMPTS_MAX: u32 = 128;

/// Opens what `path` names inside `root`, to mount on it or to stand in it (`O_PATH`).
///
/// # Errors
///
/// open(2): `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP` and others.
pub fn open(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..ATTEMPTS_MAX {
        match openat2(root, path, flags, Mode::empty(), inside) {
            Err(Errno::AGAIN) => {}
            // An older kernel, or a filter around us that does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => return walk(root, path, 0, Missing::Fail),
            answer => return answer,
        }
    }
    Err(Errno::AGAIN)
}

/// Opens what `path` names inside `root`, and makes what is missing on the way: directories, and at
/// the end what `wanted` says.
///
/// # Errors
///
/// As for [`open`], and those of mkdir(2): `EROFS`, `EACCES`.
pub fn open_or_make(
    root: BorrowedFd<'_>,
    path: &CStr,
    wanted: MountPoint,
) -> Result<OwnedFd, Errno> {
    match open(root, path) {
        Err(Errno::NOENT) => walk(root, path, 0, Missing::Make(wanted)),
        answer => answer,
    }
}

/// As [`open_or_make`] for a directory, with a path that leads over directories only: what is mounted
/// here has to be where its name says.
///
/// # Errors
///
/// As for [`open_or_make`]; `ELOOP` when there is a symbolic link on the way or at the end, `ENOTDIR`.
pub fn open_or_make_plainly(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let plain = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    match openat2(root, path, flags, Mode::empty(), plain) {
        Ok(found) => return Ok(found),
        Err(errno @ (Errno::LOOP | Errno::NOTDIR)) => return Err(errno),
        Err(_) => {}
    }
    let found = walk(root, path, LINKS_MAX, Missing::Make(MountPoint::Directory))?;
    match FileType::from_raw_mode(fstat(found.as_fd())?.st_mode) {
        FileType::Directory => Ok(found),
        _ => Err(Errno::NOTDIR),
    }
}

const PATH_BYTES_MAX: usize = 4096;
const NAME_BYTES_MAX: usize = 255;
const LINKS_MAX: u32 = 40;
const DEPTH_MAX: usize = 64;

/// A resolution of a path by hand, one component at a time, each opened without following it.
///
/// The directories on the way stay open, so that `..` goes back to the one that was passed, and not
/// to where somebody has moved it in the meantime.
struct Walk<'a> {
    root: BorrowedFd<'a>,
    /// From below the root to where the walk stands.
    trail: [Option<OwnedFd>; DEPTH_MAX],
    depth: usize,
    /// What is still to be walked: `pending[rest..]`. A link's target is put in front.
    pending: [u8; PATH_BYTES_MAX],
    rest: usize,
    links: u32,
}

/// Walks along a path on which so many links count as passed already. What that takes of the stack, who opens a path
/// without it does not need.
#[inline(never)]
fn walk(root: BorrowedFd<'_>, path: &CStr, links: u32, missing: Missing) -> Result<OwnedFd, Errno> {
    let mut walk = Walk {
        root,
        trail: [const { None }; DEPTH_MAX],
        depth: 0,
        pending: [0; PATH_BYTES_MAX],
        rest: PATH_BYTES_MAX,
        links,
    };
    walk.put_in_front(path.to_bytes())?;
    walk.run(missing)
}

impl Walk<'_> {
    fn run(&mut self, missing: Missing) -> Result<OwnedFd, Errno> {
        let mut name = [0; NAME_BYTES_MAX + 1];
        while let Some(name) = self.next_name(&mut name)? {
            match name.to_bytes() {
                b"." => {}
                b".." => self.step_back(),
                _ => self.step_into(name, missing)?,
            }
        }
        match self.depth {
            // A descriptor of its own, since the caller's root is only borrowed.
            0 => openat(self.root, c".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()),
            depth => self.trail[depth - 1].take().ok_or(Errno::BADF),
        }
    }

    fn here(&self) -> BorrowedFd<'_> {
        match self.depth {
            0 => self.root,
            depth => self.trail[depth - 1].as_ref().map_or(self.root, AsFd::as_fd),
        }
    }

    fn step_back(&mut self) {
        if self.depth > 0 {
            self.depth -= 1;
            self.trail[self.depth] = None;
        }
    }

    fn step_into(&mut self, name: &CStr, missing: Missing) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = match (openat(self.here(), name, flags, Mode::empty()), missing) {
            (Err(Errno::NOENT), Missing::Make(wanted)) => {
                self.make(name, wanted)?;
                openat(self.here(), name, flags, Mode::empty())
            }
            (answer, _) => answer,
        }?;
        if FileType::from_raw_mode(fstat(found.as_fd())?.st_mode) == FileType::Symlink {
            return self.follow(found.as_fd());
        }
        let place = self.trail.get_mut(self.depth).ok_or(Errno::NAMETOOLONG)?;
        *place = Some(found);
        self.depth += 1;
        Ok(())
    }

    /// Makes the directory or, at the end of the path, the file that is missing. One that somebody
    /// else has just made is as good.
    fn make(&self, name: &CStr, wanted: MountPoint) -> Result<(), Errno> {
        // The modes are meant as they stand; the caller's umask is the program's.
        let callers = umask(Mode::empty());
        let made = if wanted == MountPoint::Directory || !self.is_at_end() {
            mkdirat(self.here(), name, Mode::from_raw_mode(0o755))
        } else {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat(self.here(), name, flags, Mode::from_raw_mode(0o644)).map(drop)
        };
        umask(callers);
        match made {
            Err(Errno::EXIST) => Ok(()),
            answer => answer,
        }
    }

    /// Goes on with the text of a symbolic link. Those of /proc that lead elsewhere than their text
    /// says are only text here.
    fn follow(&mut self, link: BorrowedFd<'_>) -> Result<(), Errno> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(Errno::LOOP);
        }
        let mut target = [0; PATH_BYTES_MAX];
        let length = readlinkat_raw(link, c"", &mut target[..])?;
        let target = target.get(..length).ok_or(Errno::NAMETOOLONG)?;
        if target.first() == Some(&b'/') {
            while self.depth > 0 {
                self.step_back();
            }
        }
        self.put_in_front(target)
    }

    fn put_in_front(&mut self, path: &[u8]) -> Result<(), Errno> {
        let start = self.rest.checked_sub(path.len() + 1).ok_or(Errno::NAMETOOLONG)?;
        self.pending[start..][..path.len()].copy_from_slice(path);
        self.pending[self.rest - 1] = b'/';
        self.rest = start;
        Ok(())
    }

    /// Whether nothing but slashes is left.
    fn is_at_end(&self) -> bool {
        self.pending[self.rest..].iter().all(|byte| *byte == b'/')
    }

    /// Takes the next component off the path.
    fn next_name<'b>(
        &mut self,
        buffer: &'b mut [u8; NAME_BYTES_MAX + 1],
    ) -> Result<Option<&'b CStr>, Errno> {
        if self.is_at_end() {
            return Ok(None);
        }
        let rest = &self.pending[self.rest..];
        let start = rest.iter().position(|byte| *byte != b'/').unwrap_or(rest.len());
        let length = rest[start..].iter().position(|byte| *byte == b'/').unwrap_or(0);
        if length > NAME_BYTES_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        buffer[..length].copy_from_slice(&rest[start..][..length]);
        buffer[length] = 0;
        self.rest += start + length;
        CStr::from_bytes_until_nul(buffer).map(Some).map_err(|_| Errno::INVAL)
    }
}
