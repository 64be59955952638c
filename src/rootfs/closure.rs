//! All that programs of this system need to run, found without running them.
//!
//! What a program asks for while it runs cannot be seen in its file: libraries that it loads by name
//! (dlopen(3)), the modules of Python or Perl, data. What glibc itself loads so is added where its
//! own part of it is there; all else is named by the user.

use super::elf::{self, Object, Source};
use super::script;
use super::search::{Found, Libc, Loaded, Search, System, damaged, open};
use super::tree::{Folder, What, look, names_in, split, terminated};
use crate::error::{Error, Why, status};
use crate::rare::Rare;
use crate::text::{parts, together};
use alloc::vec::Vec;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, FileType, Mode, statat};

/// What a root is to have.
pub struct Closure<'a> {
    /// All of it.
    pub tree: Folder,
    system: System,
    /// Where programs are looked for.
    path: &'a [u8],
}

/// What to do about a library that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Refuse,
    Skip,
}

/// What glibc loads when it is needed: name services, which nsswitch.conf(5) names, and what ends
/// threads.
const OF_GLIBC: &[u8] = b"libnss_files.so.2 libnss_dns.so.2 libnss_compat.so.2 libgcc_s.so.1";

/// A script whose interpreter is a script, and so on; as the kernel has it.
const LEVELS_MAX: u32 = 5;

/// The links that a distribution has where all programs and libraries lie in /usr.
const USUAL_LINKS: &[u8] = b"/bin /sbin /lib /lib64 /lib32 /libx32";

const ETC: [(&str, &str); 4] = [
    ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    ("/etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
];

impl<'a> Closure<'a> {
    /// Nothing yet; programs are looked for in the folders of `path`.
    #[must_use]
    pub fn new(path: &'a [u8]) -> Self {
        Self { tree: Folder::default(), system: System::default(), path }
    }

    /// Adds a program, which is a path or a name, and what it needs.
    ///
    /// # Errors
    ///
    /// What is not there, and who needs it; what cannot be read or understood.
    pub fn add_program(&mut self, name: &[u8]) -> Result<(), Error<'static>> {
        let path = self.find_program(name).ok_or_else(|| no_program(name, b""))?;
        self.add_executable(path, 0)
    }

    /// Adds a file or a folder with all that is in it, and the libraries that files in it need.
    ///
    /// # Errors
    ///
    /// As for a program; but libraries of files in a folder may be missing, as on this system.
    pub fn add_with(&mut self, path: &[u8]) -> Result<(), Error<'static>> {
        let path = add(&mut self.tree, absolute(path))?;
        match self.tree.get(path) {
            Some(What::File(_)) => match read(path)? {
                (_, Some(object)) => self.load(path, object, Missing::Refuse),
                (_, None) => Ok(()),
            },
            _ => self.add_folder(path),
        }
    }

    /// Adds a minimal /etc, where nothing else is.
    pub fn add_etc(&mut self) {
        self.tree.put(b"/etc", What::Folder(Folder::default()));
        for (path, content) in ETC {
            self.tree.put(path.as_bytes(), What::Text(content));
        }
    }

    /// Adds the links by which programs are called, such as /bin.
    ///
    /// # Errors
    ///
    /// Those of following them.
    pub fn add_usual_links(&mut self) -> Result<(), Error<'static>> {
        for link in parts(USUAL_LINKS, b' ') {
            let leads_to = Folder::default().add(link);
            if leads_to.is_ok_and(|folder| self.tree.folder(folder).is_some()) {
                add(&mut self.tree, link)?;
            }
        }
        Ok(())
    }

    fn find_program(&self, name: &[u8]) -> Option<&'static [u8]> {
        if split(name).1.len() < name.len() {
            return Some(absolute(name));
        }
        parts(self.path, b':').find_map(|folder| {
            // An empty one is the working directory.
            let folder = if folder.is_empty() { b"." } else { folder };
            let path = absolute(together(&[folder, b"/", name]));
            let found = statat(CWD, terminated(path).ok()?, AtFlags::empty());
            found.is_ok_and(|found| is_program(found.st_mode)).then_some(path)
        })
    }

    fn add_executable(&mut self, path: &[u8], level: u32) -> Result<(), Error<'static>> {
        let real = add(&mut self.tree, path)?;
        let (file, object) = read(real)?;
        if let Some(object) = object {
            return self.load(real, object, Missing::Refuse);
        }
        let mut head = [0; script::LINE_BYTES];
        let length = file.read_at(&mut head, 0).unwrap_or(0);
        let Some(script) = script::read(head.get(..length).unwrap_or_default()) else {
            let why = Why::Text(rare!("it is neither an ELF program nor a script"));
            return Err(failed(rare!("add the program"), path, why));
        };
        if level >= LEVELS_MAX {
            let why = Why::Text(rare!("there are too many interpreters of interpreters"));
            return Err(failed(rare!("add the program"), path, why));
        }
        let interpreter = absolute(script.interpreter);
        if look(interpreter).is_err() {
            return Err(missing(rare!("its interpreter"), interpreter, path));
        }
        self.add_executable(interpreter, level + 1)?;
        match script.program {
            Some(name) => {
                let found = self.find_program(name).ok_or_else(|| no_program(name, path))?;
                self.add_executable(found, level + 1)
            }
            None => Ok(()),
        }
    }

    /// Adds what is in a folder.
    fn add_folder(&mut self, path: &[u8]) -> Result<(), Error<'static>> {
        if let Some(folder) = self.tree.folder(path) {
            folder.is_kept = true;
        }
        let unreadable = |errno| failed(rare!("read"), path, Why::Errno(errno));
        for name in names_in(path).map_err(unreadable)? {
            let inner = together(&[path, b"/", name]);
            let what =
                look(inner).map_err(|errno| failed(rare!("find"), inner, Why::Errno(errno)))?;
            let may_need = match &what {
                What::Folder(_) => None,
                What::File(mode) => {
                    Some(is_program(*mode) || name.windows(3).any(|part| part == b".so"))
                }
                _ => Some(false),
            };
            self.tree.put(inner, what);
            match may_need {
                None => self.add_folder(inner)?,
                Some(true) => {
                    // What cannot be loaded here will not be there either.
                    if let Ok((_, Some(object))) = read(inner) {
                        let _ = self.load(inner, object, Missing::Skip);
                    }
                }
                Some(false) => {}
            }
        }
        Ok(())
    }

    /// Adds what an ELF file needs, breadth first, as it is loaded.
    fn load(
        &mut self,
        path: &'static [u8],
        object: &'static Object,
        missing: Missing,
    ) -> Result<(), Error<'static>> {
        let mut libc = Libc::Glibc;
        // What has been loaded, under each name that it has.
        let mut names = Vec::new();
        if let Some(interpreter) = object.interpreter {
            if self.tree.add(interpreter).is_err() {
                return Err(self::missing(rare!("its ELF interpreter"), interpreter, path));
            }
            let name = split(interpreter).1;
            if name.starts_with(b"ld-musl-") {
                libc = Libc::Musl;
            }
            names.push(name);
            names.extend(read(interpreter)?.1.and_then(|object| object.name));
        } else if object.needed.iter().any(|name| is_musl(name)) {
            libc = Libc::Musl;
        }
        let Some(search) = Search::new(&self.system, object.machine, libc) else {
            let why = Why::Text(rare!("it is built for another kind of machine"));
            return Err(failed(rare!("add"), path, why));
        };
        let loaded = [Loaded { path, object, loader: None }].into();
        Loading { search, loaded, names, missing }.run(&mut self.tree)
    }
}

/// A program that is being loaded.
struct Loading<'a> {
    search: Search<'a>,
    loaded: Vec<Loaded>,
    /// What has been loaded, under each name that it has.
    names: Vec<&'static [u8]>,
    missing: Missing,
}

impl Loading<'_> {
    /// Adds the libraries, breadth first, as they are loaded.
    fn run(mut self, tree: &mut Folder) -> Result<(), Error<'static>> {
        let mut place = 0;
        while let Some(Loaded { object, .. }) = self.loaded.get(place) {
            let is_glibc = object.name == Some(b"libc.so.6");
            // Beside these it needs nothing but its loader.
            let missing = if is_glibc { Missing::Skip } else { self.missing };
            let further = if is_glibc { OF_GLIBC } else { b"" };
            let further = parts(further, b' ').filter(|name| !name.is_empty());
            for name in object.needed.iter().copied().chain(further) {
                self.add_library(tree, name, place, missing)?;
            }
            place += 1;
        }
        Ok(())
    }

    /// Adds the library `name` that the object at `place` needs.
    fn add_library(
        &mut self,
        tree: &mut Folder,
        name: &'static [u8],
        place: usize,
        missing: Missing,
    ) -> Result<(), Error<'static>> {
        if self.names.contains(&name) || self.search.is_loader(name) {
            return Ok(());
        }
        let Some(found) = self.search.find(name, &self.loaded, place)? else {
            return match (missing, self.loaded.get(place)) {
                (Missing::Refuse, Some(needer)) => {
                    Err(self::missing(rare!("the library"), name, needer.path))
                }
                _ => Ok(()),
            };
        };
        let Found { path, object, noted_in } = *found;
        add(tree, path)?;
        if let Some(noted_in) = noted_in {
            add(tree, noted_in)?;
        }
        self.names.push(name);
        self.names.extend(object.name);
        self.loaded.push(Loaded { path, object, loader: Some(place) });
        Ok(())
    }
}

fn add(tree: &mut Folder, path: &[u8]) -> Result<&'static [u8], Error<'static>> {
    tree.add(path).map_err(|errno| failed(rare!("find"), path, Why::Errno(errno)))
}

/// A library that is musl's own.
fn is_musl(name: &[u8]) -> bool {
    name == b"libc.so" || name.starts_with(b"libc.musl-")
}

fn is_program(mode: u32) -> bool {
    let can_execute = Mode::from_raw_mode(mode).intersects(Mode::XUSR | Mode::XGRP | Mode::XOTH);
    can_execute && FileType::from_raw_mode(mode) == FileType::RegularFile
}

/// A path from the root on; what is none is the caller's.
fn absolute(path: &[u8]) -> &'static [u8] {
    if path.starts_with(b"/") {
        return together(&[path]);
    }
    match look(b"/proc/self/cwd") {
        Ok(What::Link(folder)) => together(&[folder, b"/", path]),
        _ => together(&[b"/", path]),
    }
}

fn read(path: &[u8]) -> Result<(OwnedFd, Option<&'static Object>), Error<'static>> {
    let file = open(path).map_err(|errno| failed(rare!("open"), path, Why::Errno(errno)))?;
    match elf::read(&file) {
        Ok(object) => Ok((file, object)),
        Err(why) => Err(damaged(together(&[path]), why)),
    }
}

fn failed(doing: Rare, path: &[u8], why: Why<'static>) -> Error<'static> {
    Error::new(doing, together(&[path]), why, b"", status::FAILED)
}

fn no_program(name: &[u8], script: &[u8]) -> Error<'static> {
    let why = rare!("there is no such program in the folders of PATH");
    Error::usage(rare!("find the program"), together(&[name]), why, needed_by(script))
}

fn missing(what: Rare, name: &[u8], needer: &[u8]) -> Error<'static> {
    let why = rare!("it is not on this system, or not where it would be looked for");
    Error::usage(what, together(&[name]), why, needed_by(needer))
}

fn needed_by(needer: &[u8]) -> &'static [u8] {
    if needer.is_empty() { b"" } else { together(&[needer, b" needs it"]) }
}
