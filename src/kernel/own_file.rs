//! The launcher's own file, which nobody inside a container may get to write to. A program inside
//! that executes `/proc/self/exe` in the moment before it is the program, by itself or by way of a
//! script's first line, gets the launcher, and with it a name for the launcher's file outside.
//!
//! Two things are done about it. A launcher that was started that way notices, and goes no further.
//! And where processes that are there already could look at ours, or one of ours becomes the container's
//! program, ours run from under a cover, through which nobody can do anything about the file:
//!
//! - a mount of the file alone that can be neither written to nor executed. It is made writable for nobody
//!   any more, since it is in no namespace when ours goes on, whatever becomes of the mount that the file lies on;
//! - where that is not to be had, and for a launcher, a sealed copy in memory; `memfd_create(2)`.

use super::process::hide;
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::files::close_number;
use crate::sys::mounts::{Change, Reach, change};
use crate::sys::process::{StringList, execute_file};
use crate::text::{Text, parts, read_start};
use core::ffi::CStr;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{
    CWD, MemfdFlags, Mode, OFlags, PROC_SUPER_MAGIC, SealFlags, StatVfsMountFlags, fcntl_add_seals,
    fcntl_get_seals, fstatfs, fstatvfs, memfd_create, openat, readlinkat_raw, sendfile,
};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};
use rustix::process::{
    DumpableBehavior, Signal, dumpable_behavior, parent_process_death_signal,
    set_dumpable_behavior, set_parent_process_death_signal,
};
use rustix::thread::set_name;

static OPEN: Operation = Operation {
    words: rare!("open the launcher's own file, /proc/self/exe"),
    on: Object::None,
    cures: &[(Errno::NOENT, Cure::Words(rare!("/proc has to be mounted")))],
};
static MARKING: Operation = Operation::new(rare!("mark the container's process"));
static COPY: Operation = Operation::new(rare!("make a sealed copy of the launcher in memory"));
static EXECUTE: Operation = Operation::new(rare!("execute the sealed copy of the launcher"));

/// Whether this process was started from inside a container by the file of the launcher outside.
///
/// Only a child of a launcher that became its program is suspected: it dies with its parent. Unless it
/// is covered, its file is then looked for among the mounts that it sees. What cannot be found out
/// counts as yes.
#[must_use]
pub fn is_from_outside() -> bool {
    // Also engines ask for this, for their runtime.
    let Ok(Some(signal @ (Signal::KILL | MARK))) = parent_process_death_signal() else {
        return false;
    };
    // Who could look at this process while it finds that out, or says it, could open the file, and keep it.
    let before = dumpable_behavior();
    let _ = hide();
    let is_known = || {
        let own = Own::open()?;
        let is_copy = is_sealed(&own.file);
        if signal == Signal::KILL && (is_copy || own.is_mounted_alone()) {
            return Ok(true);
        }
        // Who runs in a container from a file of its own goes on, and perhaps under a cover.
        Ok::<_, Errno>(!is_copy && own.is_among_mounts()?)
    };
    if !is_known().unwrap_or(false) {
        return true;
    }
    if signal == MARK {
        let _ = set_parent_process_death_signal(None);
    }
    if before == Ok(DumpableBehavior::Dumpable) {
        let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
    }
    false
}

/// What a runtime's child asks for in the moment before it is the program, which outlives the runtime: a signal
/// that does nothing, by which a program that is our file is known.
const MARK: Signal = Signal::URG;

/// Marks this process as one that is about to execute a container's program.
///
/// # Errors
///
/// `PR_SET_PDEATHSIG(2const)`: none.
pub fn mark() -> Result<(), Fault> {
    set_parent_process_death_signal(Some(MARK)).doing(&MARKING)
}

/// The file, and where the kernel tells about it.
struct Own {
    /// `/proc/self`, the kernel's.
    proc: OwnedFd,
    file: OwnedFd,
}

impl Own {
    fn open() -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = openat(CWD, c"/proc/self", flags, Mode::empty())?;
        // Inside a container that came with files of these names, anything could be read from them.
        if fstatfs(&proc)?.f_type != PROC_SUPER_MAGIC {
            return Err(Errno::NODEV);
        }
        let file = read_only(&proc, c"exe")?;
        Ok(Self { proc, file })
    }

    /// Whether it is executed through a mount that covers it.
    fn is_mounted_alone(&self) -> bool {
        self.is_alone(&self.file).unwrap_or(false)
    }

    /// Whether an open file lies on a read-only mount that has no place anywhere: all of the file's name is the
    /// root of that.
    fn is_alone(&self, file: &OwnedFd) -> Result<bool, Errno> {
        let mut name = [0; 2];
        let entry = entry("fd/", file);
        let length = readlinkat_raw(&self.proc, c_str(&entry)?, &mut name)?;
        Ok(name.get(..length) == Some(b"/")
            && fstatvfs(file)?.f_flag.contains(StatVfsMountFlags::RDONLY))
    }

    /// Whether it lies on a mount that this process sees. The one that the root is in is listed only where it is
    /// mounted there: chroot(2) takes any folder.
    fn is_among_mounts(&self) -> Result<bool, Errno> {
        let (mut buffer, mut of_root) = ([0; 256], [0; 256]);
        let mount = self.mount_id(&self.file, &mut buffer)?;
        let root = openat(CWD, c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        Ok(mount == self.mount_id(&root, &mut of_root)?
            || has_line(&read_only(&self.proc, c"mountinfo")?, mount)?)
    }

    /// The number of the mount that an open file lies on, as text.
    fn mount_id<'b>(&self, file: &OwnedFd, buffer: &'b mut [u8; 256]) -> Result<&'b [u8], Errno> {
        let entry = entry("fdinfo/", file);
        let about = read_start(&read_only(&self.proc, c_str(&entry)?)?, buffer)?;
        let mount = parts(about, b'\n').find_map(|line| line.strip_prefix(b"mnt_id:\t"));
        mount.ok_or(Errno::NOENT)
    }

    /// Makes a mount to go on from. It stays open until [`Self::forbid_execution`]: until then it can be changed.
    fn mount(&self) -> Result<OwnedFd, Errno> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_EMPTY_PATH;
        let mount = open_tree(&self.file, c"", flags)?;
        change(mount.as_fd(), Reach::Mount, Change::READ_ONLY)?;
        // What would not be known again is of no use.
        if self.is_alone(&mount)? { Ok(mount) } else { Err(Errno::NOSYS) }
    }

    /// Once executed, nobody needs to do that again: it would keep the file busy (`ETXTBSY`). `name` is what was
    /// executed: the descriptor of the mount, which is closed, and with it goes all that could change the mount.
    fn forbid_execution(&self, name: &CStr) -> Result<(), Errno> {
        let digits = name.to_bytes().strip_prefix(b"/dev/fd/").ok_or(Errno::BADF)?;
        let number = digits.iter().fold(0, |all, digit| all * 10 + u32::from(*digit & 15));
        let set = MountAttrFlags::MOUNT_ATTR_NOEXEC;
        change(self.file.as_fd(), Reach::Mount, Change { set, ..Change::NONE })?;
        close_number(number);
        Ok(())
    }
}

/// What stands in a folder of `/proc/self` for an open file, with a NUL behind it.
fn entry(folder: &'static str, file: &OwnedFd) -> Text {
    let mut name = Text::new();
    name.push(folder).push_number(file.as_raw_fd().unsigned_abs().into()).push("\0");
    name
}

fn c_str(name: &Text) -> Result<&CStr, Errno> {
    CStr::from_bytes_until_nul(name.as_bytes()).map_err(|_| Errno::INVAL)
}

/// Whether a line of the file begins with this word.
fn has_line(file: &OwnedFd, word: &[u8]) -> Result<bool, Errno> {
    let mut buffer = [0; 1024];
    // How much of the word the line at hand has shown; None once it is another one.
    let mut matched = Some(0);
    loop {
        let length = retry_on_intr(|| read(file, &mut buffer))?;
        if length == 0 {
            return Ok(false);
        }
        for byte in buffer.iter().take(length) {
            matched = match (*byte, matched) {
                (b'\n', _) => Some(0),
                (b' ', Some(count)) if count == word.len() => return Ok(true),
                (byte, Some(count)) if word.get(count) == Some(&byte) => Some(count + 1),
                _ => None,
            };
        }
    }
}

/// How this process was started, and goes on in another file.
pub struct Started<'a> {
    /// The name that was executed: `AT_EXECFN`, getauxval(3).
    pub name: &'a CStr,
    /// The words of its command line, its own name first.
    pub arguments: &'a [&'a CStr],
    /// Its environment.
    pub environment: &'a [&'a CStr],
}

impl Started<'_> {
    /// Goes on from under a cover; returns when this process is there.
    ///
    /// # Errors
    ///
    /// As for [`Self::seal`].
    pub fn cover(&self) -> Result<(), Fault> {
        let own = Own::open().doing(&OPEN)?;
        if own.is_mounted_alone() {
            if own.forbid_execution(self.name).is_ok() {
                return set_name(NAME).doing(&COPY);
            }
        } else if !is_sealed(&own.file)
            && let Ok(mount) = own.mount()
        {
            // What keeps it from being executed there, need not be in the way of a copy.
            let _ = self.execute(&mount);
        }
        self.seal()
    }

    /// Goes on in a sealed copy of the file; returns when this is one.
    ///
    /// # Errors
    ///
    /// `memfd_create(2)`, sendfile(2), fcntl(2), execveat(2).
    pub fn seal(&self) -> Result<(), Fault> {
        let file = open()?;
        if is_sealed(&file) {
            // Or else it would be called after the file in memory.
            return set_name(NAME).doing(&COPY);
        }
        let copy = sealed_copy(&file).doing(&COPY)?;
        Err(self.execute(&copy)).doing(&EXECUTE)
    }

    fn execute(&self, file: &OwnedFd) -> Errno {
        let words = StringList::new(self.arguments);
        execute_file(file.as_fd(), &words, &StringList::new(self.environment))
    }
}

/// What the process is called.
const NAME: &CStr = c"mini-container";

fn sealed_copy(file: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let copy = match memfd_create(NAME, flags | MemfdFlags::EXEC) {
        // Before Linux 6.3 all are executable.
        Err(Errno::INVAL) => memfd_create(NAME, flags),
        answer => answer,
    }?;
    while sendfile(&copy, file, None, 1 << 20)? > 0 {}
    fcntl_add_seals(&copy, SEALS)?;
    Ok(copy)
}

const SEALS: SealFlags =
    SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

fn is_sealed(file: &OwnedFd) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS))
}

/// Opens it.
///
/// # Errors
///
/// open(2): `ENOENT` without /proc.
pub fn open() -> Result<OwnedFd, Fault> {
    read_only(CWD, c"/proc/self/exe").doing(&OPEN)
}

fn read_only(folder: impl AsFd, path: &CStr) -> Result<OwnedFd, Errno> {
    openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_first_word_alone() {
        let found = |content: &str, word: &str| {
            let file = memfd_create(c"test", MemfdFlags::CLOEXEC).unwrap();
            rustix::io::pwrite(&file, content.as_bytes(), 0).unwrap();
            has_line(&file, word.as_bytes()).unwrap()
        };
        assert!(found("12 1 0:1\n25 1 0:2\n", "25"));
        assert!(found("25 1\n", "25"));
        for other in ["125 1\n", "251 1\n", "1 25 \n", "2\n5 1\n", "25", ""] {
            assert!(!found(other, "25"), "{other}");
        }
        assert!(found(&format!("{} x\n25 x\n", "1".repeat(1022)), "25"), "across pieces");
    }

    #[test]
    fn the_tests_run_from_a_mount_that_they_see() {
        let own = Own::open().unwrap();
        assert_eq!(own.is_among_mounts(), Ok(true));
        assert!(!own.is_mounted_alone());
    }
}
