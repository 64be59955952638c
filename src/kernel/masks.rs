//! Paths that are there and not for the program: hidden, or not to be written to.

use super::devices::null_device;
use super::filesystem::{self, FileSystem};
use super::inside;
use super::mounts::{
    Name, attach, bind_by_names, bind_one, clone_tree, mount_point_for, remount_read_only,
};
use crate::error::{Doing, Fault, Object, Operation};
use crate::kernel::inside::MountPoint;
use crate::sys::descriptors::AsFd;
use crate::sys::mounts::{Change, Reach, change};
use crate::text::cut;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;

static HIDE: Operation = Operation { on: Object::Target, ..Operation::new(rare!("hide")) };
static PROTECT: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("make read-only")) };

/// Where paths are looked up: in the mounts that were made for the container, wherever their names
/// lead by now, and otherwise in its root.
pub struct Places<'a> {
    /// The root.
    pub root: BorrowedFd<'a>,
    /// What was mounted as /proc.
    pub proc: Option<&'a OwnedFd>,
    /// What was mounted as /sys.
    pub sys: Option<&'a OwnedFd>,
}

impl Places<'_> {
    /// Opens what is at `path`; None if there is nothing.
    fn open(&self, path: &CStr) -> Result<Option<OwnedFd>, Errno> {
        let below = |folder: &[u8], mount| Some((mount?, tail(path, folder)?));
        let found = match below(b"/proc/", self.proc).or_else(|| below(b"/sys/", self.sys)) {
            Some((mount, rest)) => inside::open(mount.as_fd(), rest),
            None => inside::open(self.root, path),
        };
        match found {
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            found => found.map(Some),
        }
    }
}

/// What stands behind `start`.
fn tail<'a>(path: &'a CStr, start: &[u8]) -> Option<&'a CStr> {
    let rest = path.to_bytes_with_nul().strip_prefix(start)?;
    CStr::from_bytes_until_nul(rest).ok()
}

/// An empty directory that nothing can be put into.
const NOTHING: FileSystem<'static> = FileSystem {
    kind: c"tmpfs",
    settings: c"mode=555,size=4k,nr_inodes=1",
    attributes: FileSystem::READ_ONLY,
};

/// What is shown in the place of something; once it is there, for all places.
#[derive(Default)]
struct Covers {
    empty: Option<OwnedFd>,
    null: Option<OwnedFd>,
}

/// Hides what is at the `paths`: a directory shows as an empty one, a file as an empty device. A `*`
/// stands for the numbers from 0 on, up to the first of which there is nothing.
///
/// # Errors
///
/// Those of open(2) and of mounting. That there is nothing to hide is none.
pub fn hide(places: &Places<'_>, paths: &[&CStr]) -> Result<(), Fault> {
    let mut covers = Covers::default();
    for path in paths {
        let (before, Some(behind)) = cut(path.to_bytes(), b'*') else {
            hide_one(places, path, &mut covers).doing(&HIDE)?;
            continue;
        };
        for number in 0_u8.. {
            let mut name: Name = Name::new();
            name.push(before).push_number(number.into()).push(behind);
            let name = name.as_c_str().doing(&HIDE)?;
            if !hide_one(places, name, &mut covers).doing(&HIDE)? {
                break;
            }
        }
    }
    Ok(())
}

/// Whether there was something.
fn hide_one(places: &Places<'_>, path: &CStr, covers: &mut Covers) -> Result<bool, Errno> {
    let Some(place) = places.open(path)? else { return Ok(false) };
    let is_folder = mount_point_for(place.as_fd()) == MountPoint::Directory;
    let cover = if is_folder { &mut covers.empty } else { &mut covers.null };
    match cover {
        Some(cover) => bind_one(cover, &place)?,
        None if is_folder => {
            let mounted = || places.open(path)?.ok_or(Errno::NOENT);
            *cover = Some(filesystem::mount_on(&place, &NOTHING, &mounted)?);
        }
        None => bind_one(cover.insert(null_device()?), &place)?,
    }
    Ok(true)
}

/// Keeps what is at `path` from being written to.
///
/// # Errors
///
/// Those of open(2) and of mounting. That there is nothing to protect is none.
pub fn protect(places: &Places<'_>, path: &CStr) -> Result<(), Fault> {
    let Some(place) = places.open(path).doing(&PROTECT)? else { return Ok(()) };
    let made = clone_tree(place.as_fd(), Reach::Tree).and_then(|tree| {
        change(tree.as_fd(), Reach::Tree, Change::READ_ONLY)?;
        attach(&tree, &place)
    });
    match made {
        Err(Errno::NOSYS) => bind_by_names(&place, &place)
            .and_then(|()| remount_read_only(places.open(path)?.ok_or(Errno::NOENT)?.as_fd())),
        answer => answer,
    }
    .doing(&PROTECT)
}
