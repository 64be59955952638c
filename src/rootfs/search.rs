//! Where a library is, as its loader looks for it: ld.so(8) of glibc, and that of musl
//! (`ldso/dynlink.c`).
//!
//! `LD_LIBRARY_PATH` and `LD_PRELOAD` are ignored: they are the caller's, and not the container's.
//! `/etc/ld.so.conf` is read by ldconfig(8), and by no loader: without a cache, its folders do not count.

use super::elf::{self, Object};
use super::ld_so_cache::Cache;
use super::meaning::{expand, has};
use super::tree::{split, terminated};
use crate::error::{Error, Why, status};
use crate::kernel::settings::read_file;
use crate::sys::processor;
use crate::text::{cut, parts, together};
use ::elf::abi::{EM_AARCH64, EM_X86_64};
use alloc::boxed::Box;
use core::cell::OnceCell;
use core::ffi::CStr;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use rustix::io::Errno;

/// Which loader looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Libc {
    /// `ld-linux-*.so.*`.
    Glibc,
    /// `ld-musl-*.so.1`.
    Musl,
}

/// A program or library that is loaded.
pub struct Loaded {
    /// Its path, as the loader found it.
    pub path: &'static [u8],
    /// What it asks for.
    pub object: &'static Object,
    /// Which one it was loaded for; none for a program.
    pub loader: Option<usize>,
}

/// A library that is there.
pub struct Found {
    /// Where.
    pub path: &'static [u8],
    /// What it asks for itself.
    pub object: &'static Object,
    /// The file without which the loader would not find it.
    pub noted_in: Option<&'static [u8]>,
}

/// What the loader of a kind of programs knows.
struct Abi {
    machine: u16,
    /// In `/etc/ld.so.cache`.
    flag: u32,
    /// Folders that are looked into last, whatever the distribution: for each name that it can have
    /// in `$LIB`, that in `/` and that in `/usr`.
    folders: &'static str,
    /// Its name in `$PLATFORM`, and musl's.
    platform: &'static str,
}

static ABIS: [Abi; 2] = [
    Abi {
        machine: EM_X86_64,
        flag: 0x303,
        folders: "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib",
        platform: "x86_64",
    },
    Abi {
        machine: EM_AARCH64,
        flag: 0xa03,
        folders: "/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib",
        platform: "aarch64",
    },
];

const CACHE: &CStr = c"/etc/ld.so.cache";
const MUSL_FOLDERS: &[u8] = b"/lib:/usr/local/lib:/usr/lib";
/// Where a folder has libraries for processors of a higher level, and what these are called.
const LEVELS: &[u8] = b"/glibc-hwcaps/";
const LEVEL: &[u8] = b"x86-64-v";

/// What is known of this system's libraries; read when it is asked for.
#[derive(Default)]
pub struct System {
    cache: OnceCell<&'static [u8]>,
    level: OnceCell<u8>,
}

type Answer = Result<Option<&'static mut Found>, Error<'static>>;

/// A search for the libraries of one program.
pub struct Search<'a> {
    system: &'a System,
    abi: &'static Abi,
    libc: Libc,
}

impl<'a> Search<'a> {
    /// For a program for this machine; None if nothing is known of it.
    pub fn new(system: &'a System, machine: u16, libc: Libc) -> Option<Self> {
        let abi = ABIS.iter().find(|abi| abi.machine == machine)?;
        Some(Self { system, abi, libc })
    }

    /// Whether a library is the loader itself, as with musl, whatever it is called.
    pub fn is_loader(&self, name: &[u8]) -> bool {
        const OWN: &[u8] = b"libc. libpthread. librt. libm. libdl. libutil. libxnet.";
        self.libc == Libc::Musl && parts(OWN, b' ').any(|own| name.starts_with(own))
    }

    /// The library `name` that the object at `place` of `loaded` needs; None if there is none.
    ///
    /// # Errors
    ///
    /// That the file of that name is damaged.
    pub fn find(&self, name: &[u8], loaded: &[Loaded], place: usize) -> Answer {
        let Some(needer) = loaded.get(place) else { return Ok(None) };
        if cut(name, b'/').1.is_some() {
            return self.each_meaning(name, needer.path, &mut |path| self.take(path));
        }
        let has_own = needer.object.runpath.is_some();
        let mut next = Some(needer);
        while let Some(Loaded { path, object, loader }) = next {
            next = loader.and_then(|loader| loaded.get(loader));
            let folders = match (self.libc, object.runpath) {
                (Libc::Musl, Some(folders)) => folders,
                (Libc::Glibc, Some(_)) => continue,
                (Libc::Glibc, None) if has_own => break,
                (_, None) => object.rpath.unwrap_or_default(),
            };
            let found = self.in_list(folders, path, name)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        if self.libc == Libc::Musl {
            return self.in_musl_folders(name);
        }
        let folders = needer.object.runpath.unwrap_or_default();
        let found = self.in_list(folders, needer.path, name)?;
        if found.is_some() || needer.object.no_default_folders {
            return Ok(found);
        }
        match self.in_cache(name)? {
            None => self.in_list(self.abi.folders.as_bytes(), b"", name),
            found => Ok(found),
        }
    }

    /// In the folders of a list, of the object at `path`.
    fn in_list(&self, list: &[u8], path: &[u8], name: &[u8]) -> Answer {
        for folder in parts(list, b':').filter(|folder| !folder.is_empty()) {
            let found =
                self.each_meaning(folder, path, &mut |folder| self.in_folder(folder, name))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn in_cache(&self, name: &[u8]) -> Answer {
        let bytes = self.system.cache.get_or_init(|| read_file(CACHE).unwrap_or_default());
        let rank = |level: &[u8]| {
            let [level] = level.strip_prefix(LEVEL)? else { return None };
            self.levels().contains(level).then_some(*level)
        };
        let cached = Cache::parse(bytes).and_then(|cache| cache.find(name, self.abi.flag, &rank));
        let Some(path) = cached else { return Ok(None) };
        let mut found = self.take(together(&[path]))?;
        if let Some(found) = found.as_mut().filter(|found| !self.is_default(split(found.path).0)) {
            found.noted_in = Some(CACHE.to_bytes());
        }
        Ok(found)
    }

    /// Whether the loader looks into a folder anyway.
    fn is_default(&self, folder: &[u8]) -> bool {
        parts(self.abi.folders.as_bytes(), b':').any(|known| {
            let rest = folder.strip_prefix(known);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(LEVELS))
        })
    }

    /// In the folders of `/etc/ld-musl-ARCHITECTURE.path`, or those that musl is built with.
    fn in_musl_folders(&self, name: &[u8]) -> Answer {
        let file = together(&[b"/etc/ld-musl-", self.abi.platform.as_bytes(), b".path"]);
        let Ok(list) = terminated(file).and_then(read_file) else {
            return self.in_list(MUSL_FOLDERS, b"", name);
        };
        for line in parts(list, b'\n') {
            if let Some(found) = self.in_list(line, b"", name)? {
                found.noted_in = Some(file);
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// In a folder, or what it has for processors of a higher level.
    fn in_folder(&self, folder: &[u8], name: &[u8]) -> Answer {
        if self.libc == Libc::Glibc && self.abi.machine == EM_X86_64 {
            let levels = together(&[folder, LEVELS]);
            if terminated(levels).and_then(|path| statat(CWD, path, AtFlags::empty())).is_ok() {
                for level in self.levels().rev() {
                    let found = self.take(together(&[levels, LEVEL, &[level], b"/", name]))?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
            }
        }
        self.take(together(&[folder, b"/", name]))
    }

    /// The levels above the first that the processor has, as digits.
    fn levels(&self) -> core::ops::Range<u8> {
        b'2'..b'1' + *self.system.level.get_or_init(processor::level)
    }

    /// The library at this path, if there is one for this kind of program.
    fn take(&self, path: &'static [u8]) -> Answer {
        if !path.starts_with(b"/") {
            // It depends on where the program runs.
            return Ok(None);
        }
        let Ok(file) = open(path) else { return Ok(None) };
        match elf::read(&file) {
            Ok(Some(object)) if object.machine == self.abi.machine => {
                Ok(Some(Box::leak(Box::new(Found { path, object, noted_in: None }))))
            }
            Ok(_) | Err(Why::Errno(_)) => Ok(None),
            Err(why) => Err(damaged(path, why)),
        }
    }

    /// What glibc calls the processor.
    fn platform(&self) -> &'static [u8] {
        if self.abi.machine == EM_X86_64 && self.levels().end > b'3' && processor::is_intel() {
            b"haswell"
        } else {
            self.abi.platform.as_bytes()
        }
    }

    /// Calls `act` with what a path in the object at `origin` can mean, until it finds something. What
    /// `$LIB` is, is known to the loader alone, so all of it is tried.
    fn each_meaning(
        &self,
        path: &[u8],
        origin: &[u8],
        act: &mut dyn FnMut(&'static [u8]) -> Answer,
    ) -> Answer {
        let platform = if has(path, b"PLATFORM") { self.platform() } else { b"" };
        for folder in parts(self.abi.folders.as_bytes(), b':').step_by(2) {
            let meaning = expand(
                path,
                &[
                    (b"ORIGIN", split(origin).0),
                    (b"LIB", folder.get(1..).unwrap_or_default()),
                    (b"PLATFORM", platform),
                ],
            );
            let found = act(meaning)?;
            if found.is_some() || !has(path, b"LIB") {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// Opens a file to read it; what blocks is none.
///
/// # Errors
///
/// open(2).
pub fn open(path: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    openat(CWD, terminated(path)?, flags, Mode::empty())
}

/// That an ELF file cannot be understood.
pub fn damaged(path: &'static [u8], why: Why<'static>) -> Error<'static> {
    Error::new(rare!("read"), path, why, b"", status::FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_folders_need_no_cache() {
        let system = System::default();
        let search = Search::new(&system, EM_X86_64, Libc::Glibc).unwrap();
        for usual in ["/lib", "/usr/lib64", "/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3"] {
            assert!(search.is_default(usual.as_bytes()), "{usual}");
        }
        for other in ["/usr/local/lib", "/lib/other", "/libx", "/lib/aarch64-linux-gnu"] {
            assert!(!search.is_default(other.as_bytes()), "{other}");
        }
        assert!(Search::new(&system, 1, Libc::Glibc).is_none());
    }
}
