//! What is known of a container that was made: written when its process is there, and read by every later
//! command; and how it is told to others (the OCI specification, `runtime.md`, "State").

use super::home::{FAILED, Folder, about};
use super::kept;
use super::member::Member;
use crate::container::keep;
use crate::error::{Doing, Error, Operation, Why};
use crate::json::{self, as_number, as_str, get};
use crate::text::{Text, cut, decimal, parts};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::io::Errno;

/// What is known. Its lists are kept until the process ends, so that nobody has to give them back.
#[derive(Default)]
pub struct State {
    /// Its process 1.
    pub member: Member,
    /// The version that its configuration is written for.
    pub version: &'static str,
    /// The bundle, from `/` on.
    pub bundle: &'static CStr,
    /// Its root directory on the host.
    pub rootfs: &'static CStr,
    /// When it was created.
    pub created: &'static str,
    /// Whose it is.
    pub owner: u32,
    /// Its cgroup's folders, as the room of cgroups writes them.
    pub cgroup: &'static [&'static CStr],
    /// Whether that was made, or there is to be none. Until it is, there may be another container's.
    pub has_cgroup: bool,
    /// Whether processes of its own may outlive its process 1, since its process namespace is another's.
    pub shares_processes: bool,
    /// Its group of cache and memory bandwidth, if it was made for it.
    pub cache_group: &'static CStr,
    /// What others note about it.
    pub annotations: &'static [(&'static str, &'static str)],
}

/// How far a container is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Status {
    /// It is being made.
    Creating,
    /// It waits to be started.
    Created,
    /// Its program runs.
    Running,
    /// Its program would run, but is frozen.
    Paused,
    /// It has ended.
    Stopped,
}

impl Status {
    /// As engines read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

static NOTE: Operation = Operation::new(rare!("write down the container's cgroup"));

const FILE: &CStr = c"state";
/// What it is called before there is a cgroup.
const PLANNED: &CStr = c"planned";

impl State {
    /// Writes down that its cgroup was made.
    ///
    /// # Errors
    ///
    /// rename(2).
    pub fn note_cgroup(&mut self, folder: &Folder) -> Result<(), Error<'static>> {
        if !self.has_cgroup {
            let noted = folder.rename(PLANNED, Some(FILE)).doing(&NOTE);
            noted?;
        }
        self.has_cgroup = true;
        Ok(())
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// Those of [`Folder::write`].
    pub fn save(&self, folder: &Folder) -> Result<(), Error<'static>> {
        let mut text = Text::new();
        text.push("{\"pid\":").push_number(self.member.number.into());
        text.push(",\"started\":").push_number(self.member.started);
        text.push(",\"owner\":").push_number(self.owner.into());
        for (name, value) in [
            (",\"ociVersion\":", self.version.as_bytes()),
            (",\"bundle\":", self.bundle.to_bytes()),
            (",\"rootfs\":", self.rootfs.to_bytes()),
            (",\"created\":", self.created.as_bytes()),
            (",\"cacheGroup\":", self.cache_group.to_bytes()),
        ] {
            text.push(name).push_json(value);
        }
        text.push(",\"cgroup\":[");
        for path in self.cgroup {
            text.comma().push_json(path.to_bytes());
        }
        text.push(if self.shares_processes { "]" } else { "],\"ownProcesses\":1" });
        push_annotations(&mut text, self.annotations);
        folder.write(if self.has_cgroup { FILE } else { PLANNED }, text.push("}\n"))
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// It is not there yet (`None`), or not what was written.
    pub fn load(folder: &Folder) -> Result<Option<&'static mut Self>, Error<'static>> {
        let mut has_cgroup = true;
        let read = folder.read(FILE).or_else(|errno| {
            if errno != Errno::NOENT {
                return Err(errno);
            }
            has_cgroup = false;
            folder.read(PLANNED)
        });
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => {
                return Err(Error::new(
                    rare!("read the container's state"),
                    b"",
                    Why::Errno(errno),
                    b"",
                    FAILED,
                ));
            }
        };
        let value = json::parse(bytes, rare!("read the container's state,"))?;
        let value = &*kept(value);
        let object = json::as_object(Some(value));
        let number = |name| get(object, name).and_then(as_number).unwrap_or_default();
        let path = |name| keep(json::text(object, name)).unwrap_or_default();
        let mut cgroup = Vec::new();
        for path in json::texts(object, "cgroup") {
            cgroup.extend(keep(path));
        }
        let mut annotations = Vec::new();
        for (name, value) in json::object(object, "annotations") {
            annotations.push((&**name, as_str(value).unwrap_or_default()));
        }
        Ok(Some(kept(Self {
            member: Member { number: number("pid") as u32, started: number("started") },
            version: json::text(object, "ociVersion"),
            bundle: path("bundle"),
            rootfs: path("rootfs"),
            created: json::text(object, "created"),
            owner: number("owner") as u32,
            cgroup: cgroup.leak(),
            has_cgroup,
            shares_processes: number("ownProcesses") == 0,
            cache_group: path("cacheGroup"),
            annotations: annotations.leak(),
        })))
    }

    /// How far the container is.
    #[must_use]
    pub fn status(&self, folder: &Folder, is_frozen: bool) -> Status {
        if !self.member.lives() {
            return Status::Stopped;
        }
        if folder.has(c"pending") {
            return Status::Creating;
        }
        if folder.has(c"start") {
            return Status::Created;
        }
        if is_frozen { Status::Paused } else { Status::Running }
    }

    /// As the specification has it; `process` is the number of its process 1, or 0.
    pub fn render(&self, text: &mut Text, id: &CStr, status: Status, process: u32) {
        text.push("{\"ociVersion\":").push_json(self.version.as_bytes());
        text.push(",\"id\":").push_json(id.to_bytes());
        text.push(",\"status\":").push_json(status.name().as_bytes());
        text.push(",\"pid\":").push_number(process.into());
        text.push(",\"bundle\":").push_json(self.bundle.to_bytes());
        text.push(",\"rootfs\":").push_json(self.rootfs.to_bytes());
        text.push(",\"created\":").push_json(self.created.as_bytes());
        text.push(",\"owner\":").push_json(owner_name(self.owner).as_bytes());
        push_annotations(text, self.annotations);
        text.push("}");
    }
}

/// The name of a user of the host's; the number where there is none.
#[must_use]
pub fn owner_name(user: u32) -> Text {
    let mut text = Text::new();
    if user == 0 {
        text.push("root");
        return text;
    }
    let users = crate::kernel::settings::read_file(c"/etc/passwd").unwrap_or_default();
    let number = decimal(user.into());
    for line in parts(users, b'\n') {
        let (name, rest) = cut(line, b':');
        let rest = cut(rest.unwrap_or_default(), b':').1.unwrap_or_default();
        if cut(rest, b':').0 == number {
            text.push_raw(name);
            return text;
        }
    }
    text.push_raw(number);
    text
}

fn push_annotations(text: &mut Text, annotations: &[(&str, &str)]) {
    if annotations.is_empty() {
        return;
    }
    text.push(",\"annotations\":{");
    for (name, value) in annotations {
        text.comma().push_json(name.as_bytes());
        text.push(":").push_json(value.as_bytes());
    }
    text.push("}");
}

/// The state of a container whose process was there.
///
/// # Errors
///
/// It was never made, or who made it died on the way.
pub fn of(folder: &Folder) -> Result<&'static State, Error<'static>> {
    let state = State::load(folder)?.filter(|state| state.has_cgroup);
    state
        .map(|state| &*state)
        .ok_or_else(|| about(folder.id, rare!("container not running: it was never made")))
}
