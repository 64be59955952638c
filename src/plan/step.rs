//! One step of the child's: a thing that a person would name. It runs itself here, and prints
//! itself in [`super::explain`].

use crate::container::{Mount, User};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::kernel::mounts::{self, Access};
use crate::kernel::{identity, root};
use crate::sys::files::close_from;
use core::ffi::CStr;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, chdir};

/// What the child does, one after the other.
pub enum Step<'a> {
    /// Give the ids of the new user namespace a meaning: the content of the two map files.
    MapCaller {
        /// For `/proc/self/uid_map`.
        users: &'a [u8],
        /// For `/proc/self/gid_map`.
        groups: &'a [u8],
    },
    /// Keep mounts from showing outside.
    MakeMountsPrivate,
    /// Make the root directory a mount of its own.
    PrepareRoot {
        /// On the host.
        directory: &'a CStr,
        /// Whether the program can write to it.
        access: Access,
    },
    /// Mount something in the root.
    Mount(Mount<'a>),
    /// Make the root read-only.
    ProtectRoot,
    /// Make the root `/`, and let go of the old one.
    EnterRoot,
    /// Close what the program is not to have.
    CloseDescriptors {
        /// The lowest of them.
        first: u32,
    },
    /// Go to the working directory.
    ChangeDirectory(&'a CStr),
    /// Become another user.
    SwitchUser(User),
    /// Die when the launcher dies.
    DieWithLauncher,
}

/// What the steps work on, handed from one to the next.
pub struct Stage {
    /// The launcher.
    pub launcher: Pid,
    /// The root directory's mount, from when it is prepared until it is entered.
    pub root: Option<OwnedFd>,
}

impl<'a> Step<'a> {
    /// Does it.
    ///
    /// # Errors
    ///
    /// Those of the function that it stands for.
    pub fn run(&self, stage: &mut Stage) -> Result<(), Fault> {
        match self {
            Self::MapCaller { users, groups } => identity::write_maps(users, groups),
            Self::MakeMountsPrivate => mounts::make_private(),
            Self::PrepareRoot { directory, access } => {
                root::prepare(directory, *access).map(|root| stage.root = Some(root))
            }
            Self::Mount(mount) => take_root(stage).and_then(|root| {
                let made = match mount {
                    Mount::Volume { source, target, access } => {
                        mounts::volume(root.as_fd(), source, target, *access)
                    }
                    Mount::Tmpfs { target } => mounts::tmpfs(root.as_fd(), target),
                };
                stage.root = Some(root);
                made
            }),
            Self::ProtectRoot => take_root(stage).and_then(|root| {
                let done = root::protect(&root);
                stage.root = Some(root);
                done
            }),
            Self::EnterRoot => take_root(stage).and_then(root::enter),
            Self::CloseDescriptors { first } => close_from(*first).doing(&CLOSE),
            Self::ChangeDirectory(directory) => chdir(*directory).doing(&CHANGE),
            Self::SwitchUser(user) => identity::switch_to(user.user, user.group),
            Self::DieWithLauncher => identity::die_with(stage.launcher),
        }
    }

    /// The name that an operation of this step works on.
    #[must_use]
    pub fn name(&self, object: Object) -> &'a CStr {
        match (object, self) {
            (Object::Source, Self::Mount(Mount::Volume { source, .. })) => source,
            (Object::Target, Self::Mount(mount)) => mount.target(),
            (
                Object::Target,
                Self::PrepareRoot { directory, .. } | Self::ChangeDirectory(directory),
            ) => directory,
            _ => c"",
        }
    }
}

/// The root; a plan in which a step needs it before it is prepared is a mistake of ours.
fn take_root(stage: &mut Stage) -> Result<OwnedFd, Fault> {
    stage.root.take().ok_or(Errno::BADF).doing(&USE_ROOT)
}

static USE_ROOT: Operation = Operation::new("use the root directory before it is prepared");
static CLOSE: Operation = Operation::new("close the descriptors");
static CHANGE: Operation = Operation {
    words: "change to the working directory",
    on: Object::Target,
    cures: &[(Errno::NOENT, Cure::Words("--workdir names a directory inside the root"))],
};
