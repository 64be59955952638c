//! A directory that is made whole or not at all: under another name beside it, and then renamed.

use super::cache::said;
use super::remove::remove_tree;
use crate::container::keep;
use crate::error::{Cure, Error, Object, Operation};
use crate::sys::descriptors::AsFd;
use crate::text::Text;
use core::ffi::CStr;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::getpid;

static MAKE: Operation = Operation {
    words: rare!("make the directory"),
    on: Object::Target,
    cures: &[
        (
            Errno::NOTEMPTY,
            Cure::Words(rare!("it is there, with something in it: remove it, or name another")),
        ),
        (Errno::EXIST, Cure::Words(rare!("it is there, and no empty directory: name another"))),
        (Errno::NOTDIR, Cure::Words(rare!("it is there, and no directory: name another"))),
        (Errno::NOENT, Cure::Words(rare!("the folder that it is to lie in has to be there"))),
    ],
};

/// Where it is to be.
pub struct Output<'a> {
    name: &'a CStr,
    folder: OwnedFd,
    last: &'static CStr,
    partial: &'static CStr,
}

impl<'a> Output<'a> {
    /// A directory that is not there, or empty.
    ///
    /// # Errors
    ///
    /// That it is not; open(2) on the folder that it is to lie in.
    pub fn new(name: &'a CStr) -> Result<Self, Error<'a>> {
        let output = split(name).and_then(|(folder, last)| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = openat(CWD, folder, flags, Mode::empty())?;
            let mut partial = Text::new();
            partial.push(".").push_raw(last.to_bytes()).push(".partial-");
            partial.push_number(getpid().as_raw_nonzero().get().unsigned_abs().into());
            let partial = partial.into_c_str();
            let output = Self { name, folder, last, partial };
            output.check()?;
            Ok(output)
        });
        said(output, &MAKE, name)
    }

    /// That nothing would be replaced; better known before the work than after it.
    fn check(&self) -> Result<(), Errno> {
        let folder = self.folder.as_fd();
        match statat(folder, self.last, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno),
            // It is made again in the end.
            Ok(_) => match unlinkat(folder, self.last, AtFlags::REMOVEDIR) {
                Ok(()) => mkdirat(folder, self.last, Mode::from_raw_mode(0o755)),
                Err(errno) => Err(errno),
            },
        }
    }

    /// Has it filled, and gives it its name.
    ///
    /// # Errors
    ///
    /// Those of `fill`; mkdir(2), rename(2).
    pub fn make(
        &self,
        fill: &mut dyn FnMut(BorrowedFd<'_>) -> Result<(), Error<'static>>,
    ) -> Result<(), Error<'static>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = self.folder.as_fd();
        let made = mkdirat(folder, self.partial, Mode::RWXU)
            .and_then(|()| openat(folder, self.partial, flags, Mode::empty()));
        let made = said(made, &MAKE, self.name)?;
        let done = fill(made.as_fd()).and_then(|()| {
            // Over an empty directory.
            let renamed = renameat(folder, self.partial, folder, self.last);
            said(renamed, &MAKE, self.name)
        });
        if done.is_err() {
            // The first failure is the one to tell of.
            let _ = remove_tree(folder, self.partial);
        }
        done
    }
}

/// The folder and the name in it.
fn split(path: &CStr) -> Result<(&'static CStr, &'static CStr), Errno> {
    let mut bytes = path.to_bytes();
    while let Some(rest) = bytes.strip_suffix(b"/") {
        bytes = rest;
    }
    let start = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (folder, last) = bytes.split_at(start);
    if matches!(last, b"" | b"." | b"..") {
        return Err(Errno::EXIST);
    }
    let folder = if folder.is_empty() { b"." } else { folder };
    let both = keep(folder).zip(keep(last));
    both.map(|(folder, last)| (folder as &CStr, last as &CStr)).ok_or(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_folder_and_a_name() {
        assert_eq!(split(c"rootfs"), Ok((c".", c"rootfs")));
        assert_eq!(split(c"/a/b/c//"), Ok((c"/a/b/", c"c")));
        assert_eq!(split(c"/a"), Ok((c"/", c"a")));
        for wrong in [c"/", c".", c"..", c"a/.."] {
            assert!(split(wrong).is_err(), "{wrong:?}");
        }
    }
}
