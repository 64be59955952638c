//! Removing a tree of files, however deep it is and whatever is in it.

use crate::sys::descriptors::AsFd;
use crate::text::Text;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, Mode, OFlags, RawDir, SeekFrom, chmodat, openat, renameat, seek, unlinkat,
};
use rustix::io::Errno;

/// Removes the directory `name` of `folder`, and all that is in it; nothing is followed, and nothing
/// that is mounted there is touched. A directory that is not empty is moved up before it is emptied,
/// so that two of them are open at a time, and none is too deep.
///
/// # Errors
///
/// Those of open(2), unlink(2) and rename(2): `EACCES`, `EBUSY`. One that is not there is removed.
pub fn remove_tree(folder: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match remove_empty(folder, name) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        Err(Errno::NOENT) => return Ok(()),
        answer => return answer,
    }
    let top = open_to_empty(folder, name)?;
    let mut moved = 0;
    while empty(top.as_fd(), top.as_fd(), &mut moved)? {}
    drop(top);
    remove_empty(folder, name)
}

fn remove_empty(folder: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    unlinkat(folder, name, AtFlags::REMOVEDIR)
}

/// Opens a directory, whose mode may forbid even its owner what is to come.
fn open_to_empty(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let _ = chmodat(folder, name, Mode::RWXU, AtFlags::empty());
    openat(folder, name, flags, Mode::empty())
}

/// Removes what is in `folder`, and moves the directories in it that are not empty to `top`, under
/// numbers; whether there was anything. Reading a directory that changes may miss something, so it is
/// read until there is nothing.
fn empty(folder: BorrowedFd<'_>, top: BorrowedFd<'_>, moved: &mut u64) -> Result<bool, Errno> {
    let is_top = folder.as_raw_fd() == top.as_raw_fd();
    let mut was_there = false;
    seek(folder, SeekFrom::Start(0))?;
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(folder, &mut space);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        was_there = true;
        match unlinkat(folder, name, AtFlags::empty()) {
            // It is a directory.
            Err(Errno::ISDIR | Errno::PERM) => {}
            answer => {
                answer?;
                continue;
            }
        }
        match remove_empty(folder, name) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            answer => {
                answer?;
                continue;
            }
        }
        if is_top {
            let inner = open_to_empty(folder, name)?;
            while empty(inner.as_fd(), top, moved)? {}
            drop(inner);
            remove_empty(folder, name)?;
        } else {
            move_up(folder, name, top, moved)?;
        }
    }
    Ok(was_there)
}

fn move_up(
    folder: BorrowedFd<'_>,
    name: &CStr,
    top: BorrowedFd<'_>,
    moved: &mut u64,
) -> Result<(), Errno> {
    // Another parent is written into it.
    let _ = chmodat(folder, name, Mode::RWXU, AtFlags::empty());
    loop {
        *moved += 1;
        let mut number = Text::new();
        number.push("removed-").push_number(*moved);
        let free = number.into_c_str();
        // A name that is taken by a directory with something in it, or by a file.
        match renameat(folder, name, top, free) {
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_tree_is_gone_and_what_its_links_lead_to_is_not() {
        let scratch = std::env::temp_dir().join(format!("remove-{}", std::process::id()));
        let tree = scratch.join("tree");
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        fs::create_dir_all(tree.join("removed-1/x")).unwrap();
        fs::write(tree.join("removed-2"), "a file of that name").unwrap();
        fs::write(scratch.join("kept"), "").unwrap();
        symlink(&scratch, tree.join("a/b/link")).unwrap();
        fs::set_permissions(tree.join("a/b"), fs::Permissions::from_mode(0o0)).unwrap();
        let mut deep = tree.clone();
        for _ in 0..60 {
            deep = deep.join("deep").join("x".repeat(50));
        }
        std::process::Command::new("sh")
            .arg("-c")
            .arg("cd \"$1\" && for i in $(seq 300); do mkdir -p d/e && cd d || exit 1; done")
            .args(["sh", tree.to_str().unwrap()])
            .status()
            .unwrap();
        fs::create_dir_all(&deep).unwrap();
        let folder = openat(
            CWD,
            scratch.to_str().unwrap(),
            OFlags::RDONLY | OFlags::DIRECTORY,
            Mode::empty(),
        )
        .unwrap();
        remove_tree(folder.as_fd(), c"tree").unwrap();
        remove_tree(folder.as_fd(), c"tree").expect("it is gone already");
        assert!(!tree.exists() && scratch.join("kept").exists());
        fs::remove_dir_all(&scratch).unwrap();
    }
}
