//! One step of the child's: a thing that a person would name. It runs itself here, and prints
//! itself in [`super::explain`].

use crate::container::{Join, Limit, Link, Mount, Mounted, Upper, User};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::kernel::devices::Devices;
use crate::kernel::identity::Parent;
use crate::kernel::inside::{self, MountPoint};
use crate::kernel::masks::Places;
use crate::kernel::mounts::{self, Access};
use crate::kernel::pieces::{self, Piece};
use crate::kernel::volume::{self, Volume};
use crate::kernel::{
    capabilities, devices, filesystem, identity, landlock, masks, namespaces, network, overlay,
    process, root, terminal,
};
use crate::sys::files::{close, close_all_but};
use crate::sys::namespaces::Namespaces;
use crate::sys::seccomp::{Flags, Instruction, install};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::Mode;
use rustix::io::{Errno, read, retry_on_intr};
use rustix::mount::MountAttrFlags;
use rustix::process::{Gid, chdir, umask};
use rustix::thread::{CapabilitySet, CpuSet};

/// What the child does, one after the other.
pub enum Step<'a> {
    /// Give the ids of the new user namespace a meaning: the content of the two map files.
    MapCaller {
        /// For `/proc/self/uid_map`.
        users: &'a [u8],
        /// For `/proc/self/gid_map`.
        groups: &'a [u8],
    },
    /// Wait until the launcher has done its part.
    AwaitLauncher,
    /// Enter a namespace that exists.
    Join(Join<'a>),
    /// Make the namespaces that could not be made by clone(2).
    MakeNamespaces(Namespaces),
    /// Make a time namespace, with these offsets.
    MakeTime(&'a [u8]),
    /// Enter it, where executing the program does not.
    EnterTime,
    /// Set how readily the kernel kills the program for its memory.
    SetOomScore(&'a [u8]),
    /// Keep others from looking at this process.
    Hide,
    /// Set the host name, the domain name, or both.
    SetNames(Option<&'a CStr>, Option<&'a CStr>),
    /// Bring the loopback interface up.
    BringLoopbackUp,
    /// Give the interface that the launcher has made its addresses.
    ConfigureLink(&'a Link<'a>),
    /// Take the mounts of a volume as long as the host's are seen as the host sees them.
    TakeVolume(Taken, Volume<'a>),
    /// Keep mounts from showing outside.
    MakeMountsPrivate {
        /// Whether a volume shows what the host mounts later.
        sees_new_mounts: bool,
    },
    /// Make the root directory a mount of its own.
    PrepareRoot {
        /// On the host.
        directory: &'a CStr,
        /// Whether the program can write to it.
        access: Access,
        /// What else it does not allow.
        attributes: MountAttrFlags,
    },
    /// Make a root of which changes are thrown away.
    PrepareOverlay {
        /// On the host, the topmost first.
        lower: &'a [&'a CStr],
        /// Where what is written goes.
        upper: Upper<'a>,
        /// Whether this is done with root privilege on the host.
        privileged: bool,
        /// What it does not allow.
        attributes: MountAttrFlags,
    },
    /// Make a root in memory that shows programs of the host.
    PreparePrograms {
        /// They and what they need.
        pieces: &'a [Piece<'a>],
        /// What it does not allow.
        attributes: MountAttrFlags,
    },
    /// Mount something in the root.
    Mount(Mount<'a>),
    /// Mount a /dev at this place.
    MountDevices(&'a CStr, Devices),
    /// Mount a volume that has been taken.
    MountTaken(Taken, Mount<'a>),
    /// Make a directory in the root, if it is not there.
    MakeDirectory(&'a CStr),
    /// Show the host's /etc/resolv.conf where the root has none.
    ShowResolver,
    /// Hide paths.
    Mask(&'a [&'a CStr]),
    /// Make paths read-only.
    Protect(&'a [&'a CStr]),
    /// Make the root read-only.
    ProtectRoot,
    /// Open a terminal, and hand its other end to the launcher.
    OpenTerminal,
    /// Make the root `/`, and let go of the old one.
    EnterRoot,
    /// Close what the program is not to have.
    CloseDescriptors {
        /// The lowest of them.
        first: u32,
    },
    /// Set a resource limit.
    Limit(&'a Limit),
    /// Set the nice value.
    Nice(i32),
    /// Set the processors.
    Processors(&'a CpuSet),
    /// Go to the working directory.
    ChangeDirectory(&'a CStr),
    /// Keep programs that are executed from having any but these capabilities.
    BoundCapabilities(CapabilitySet),
    /// Set the supplementary groups.
    SetGroups(&'a [Gid]),
    /// Become another user.
    SwitchUser(User),
    /// Keep no capabilities but these.
    KeepCapabilities(CapabilitySet),
    /// Forbid new privileges.
    NoNewPrivileges,
    /// Reach no files but those below the root.
    RestrictFiles,
    /// Set the umask.
    SetUmask(Mode),
    /// Die when the launcher dies; whether that takes a descriptor of it to be seen.
    DieWithLauncher(bool),
    /// Have the system calls filtered.
    Filter(&'a Program),
}

/// What decides about system calls.
pub struct Program {
    /// What the kernel runs for each.
    pub instructions: Vec<Instruction>,
    /// How it is installed.
    pub flags: Flags,
}

/// Which of the taken volumes: its place in [`Stage::taken`].
#[derive(Clone, Copy)]
pub struct Taken(pub usize);

/// What the steps work on, handed from one to the next.
pub struct Stage<'a> {
    /// The launcher.
    pub launcher: &'a Parent,
    /// The launcher's file, for a process that executes it again.
    pub own_file: Option<BorrowedFd<'a>>,
    /// Where a byte comes from when the launcher has done its part, or the end of it when the
    /// launcher is gone.
    pub go_ahead: Option<(BorrowedFd<'a>, BorrowedFd<'a>)>,
    /// Where the terminal goes.
    pub terminal: Option<BorrowedFd<'a>>,
    /// The volumes that have been taken.
    pub taken: Vec<Option<OwnedFd>>,
    /// The root directory's mount, from when it is prepared until it is entered.
    pub root: Option<OwnedFd>,
    /// What was mounted as /proc.
    pub proc: Option<OwnedFd>,
    /// What was mounted as /sys.
    pub sys: Option<OwnedFd>,
    /// The devpts that the terminal is opened in.
    pub terminals: Option<OwnedFd>,
}

impl<'a> Step<'a> {
    /// Does it.
    ///
    /// # Errors
    ///
    /// Those of the function that it stands for.
    pub fn run(&self, stage: &mut Stage<'_>) -> Result<(), Fault> {
        match self {
            Self::MapCaller { users, groups } => identity::write_maps(users, groups),
            Self::AwaitLauncher => await_launcher(stage).doing(&AWAIT),
            Self::Join(join) => namespaces::join(join.path, join.kind),
            Self::MakeNamespaces(kinds) => namespaces::make(*kinds),
            Self::MakeTime(offsets) => namespaces::make_time(offsets),
            Self::EnterTime => namespaces::enter_time(),
            Self::SetOomScore(score) => process::oom_score(score),
            Self::Hide => process::hide(),
            Self::SetNames(host, domain) => namespaces::set_names(*host, *domain),
            Self::BringLoopbackUp => network::loopback_up(),
            Self::ConfigureLink(link) => network::configure_link(&link.addresses, &link.gateways),
            Self::TakeVolume(place, volume) => {
                let taken = volume::take(volume, None)?;
                if let Some(free) = stage.taken.get_mut(place.0) {
                    *free = Some(taken);
                }
                Ok(())
            }
            Self::MakeMountsPrivate { sees_new_mounts } => mounts::make_private(*sees_new_mounts),
            Self::PrepareRoot { directory, access, attributes } => {
                root::prepare(directory, *access, *attributes).map(|root| stage.root = Some(root))
            }
            Self::PrepareOverlay { lower, upper, privileged, attributes } => {
                let kept = match upper {
                    Upper::Memory => None,
                    Upper::Kept(directory) => Some(*directory),
                };
                overlay::prepare(lower, kept, *privileged, *attributes)
                    .map(|root| stage.root = Some(root))
            }
            Self::PreparePrograms { pieces, attributes } => {
                pieces::prepare(pieces, *attributes).map(|root| stage.root = Some(root))
            }
            Self::Mount(mount) => mount_in(stage, mount),
            Self::MountDevices(target, wanted) => {
                let terminals = devices::mount_devices(root_of(stage)?, target, *wanted)?;
                stage.terminals = Some(terminals);
                Ok(())
            }
            Self::MountTaken(place, mount) => {
                let taken = stage.taken.get(place.0).and_then(Option::as_ref);
                let taken = taken.ok_or(Errno::BADF).doing(&USE_TAKEN)?;
                volume::attach_taken(root_of(stage)?, taken, mount.target)
            }
            Self::MakeDirectory(path) => {
                let made = inside::open_or_make(root_of(stage)?, path, MountPoint::Directory);
                made.map(drop).doing(&MAKE_DIRECTORY)
            }
            Self::ShowResolver => volume::mount_if_missing(root_of(stage)?, RESOLVER),
            Self::Mask(paths) => {
                let places = places(stage)?;
                paths.iter().try_for_each(|path| masks::hide(&places, path))
            }
            Self::Protect(paths) => {
                let places = places(stage)?;
                paths.iter().try_for_each(|path| masks::protect(&places, path))
            }
            Self::ProtectRoot => root::protect(root_of(stage)?),
            Self::OpenTerminal => {
                let launcher = stage.terminal.ok_or(Errno::BADF).doing(&USE_TERMINAL)?;
                terminal::open(stage.terminals.as_ref(), root_of(stage)?, launcher)
            }
            Self::EnterRoot => root::enter(stage.root.take().ok_or(Errno::BADF).doing(&USE_ROOT)?),
            Self::CloseDescriptors { first } => {
                let launcher = stage.launcher.file.as_ref().map(AsRawFd::as_raw_fd);
                let own_file = stage.own_file.map(|file| file.as_raw_fd());
                close_all_but(*first, [launcher, own_file]).doing(&CLOSE)
            }
            Self::Limit(limit) => process::limit(limit.resource, limit.values),
            Self::Nice(value) => process::nice(*value),
            Self::Processors(set) => process::processors(set),
            Self::ChangeDirectory(directory) => chdir(*directory).doing(&CHANGE),
            Self::BoundCapabilities(kept) => capabilities::bound(*kept),
            Self::SetGroups(groups) => identity::set_groups(groups),
            Self::SwitchUser(user) => identity::switch_to(user.user, user.group),
            Self::KeepCapabilities(kept) => capabilities::keep_only(*kept),
            Self::NoNewPrivileges => capabilities::no_new_privileges(),
            Self::RestrictFiles => landlock::restrict(),
            Self::SetUmask(mask) => {
                umask(*mask);
                Ok(())
            }
            Self::DieWithLauncher(_) => identity::die_with(stage.launcher),
            Self::Filter(program) => install(&program.instructions, program.flags).doing(&FILTER),
        }
    }

    /// The name that an operation of this step works on.
    #[must_use]
    pub fn name(&self, object: Object) -> &'a CStr {
        match (object, self) {
            (Object::Source, Self::Mount(mount) | Self::MountTaken(_, mount)) => match mount.what {
                Mounted::Volume(volume) => volume.source,
                Mounted::Device(source) => source,
                _ => c"",
            },
            (Object::Source, Self::TakeVolume(_, volume)) => volume.source,
            (Object::Source, Self::Join(join)) => join.path,
            (Object::Source | Object::Target, Self::ShowResolver) => RESOLVER,
            (Object::Target, Self::Mount(mount) | Self::MountTaken(_, mount)) => mount.target,
            (Object::Target, Self::MountDevices(target, _)) => target,
            (
                Object::Target,
                Self::PrepareRoot { directory, .. }
                | Self::MakeDirectory(directory)
                | Self::ChangeDirectory(directory),
            ) => directory,
            (Object::Target, Self::PrepareOverlay { lower, .. }) => {
                lower.first().copied().unwrap_or_default()
            }
            _ => c"",
        }
    }
}

/// Where programs find the servers that know names; resolv.conf(5).
const RESOLVER: &CStr = c"/etc/resolv.conf";

fn await_launcher(stage: &mut Stage<'_>) -> Result<(), Errno> {
    let (go_ahead, launchers) = stage.go_ahead.take().ok_or(Errno::BADF)?;
    // Only so does the end of it mean that the launcher is gone.
    close(launchers);
    match retry_on_intr(|| read(go_ahead, &mut [0; 1]))? {
        0 => Err(Errno::PIPE),
        _ => Ok(()),
    }
}

fn mount_in(stage: &mut Stage<'_>, mount: &Mount<'_>) -> Result<(), Fault> {
    let root = root_of(stage)?;
    match &mount.what {
        Mounted::Volume(volume) => volume::mount_volume(root, volume, mount.target),
        Mounted::Device(source) => volume::mount_device(root, source, mount.target),
        Mounted::FileSystem(wanted) => {
            let made = filesystem::mount_new(root, mount.target, wanted)?;
            match wanted.kind.to_bytes() {
                b"proc" => stage.proc = Some(made),
                b"sysfs" => stage.sys = Some(made),
                b"devpts" => stage.terminals = Some(made),
                _ => {}
            }
            Ok(())
        }
        // The plan says how.
        Mounted::Devices => Ok(()),
    }
}

/// The root; a plan in which a step needs it before it is prepared is a mistake of ours.
fn root_of<'s>(stage: &'s Stage<'_>) -> Result<BorrowedFd<'s>, Fault> {
    stage.root.as_ref().map(AsFd::as_fd).ok_or(Errno::BADF).doing(&USE_ROOT)
}

fn places<'s>(stage: &'s Stage<'_>) -> Result<Places<'s>, Fault> {
    Ok(Places { root: root_of(stage)?, proc: stage.proc.as_ref(), sys: stage.sys.as_ref() })
}

static USE_ROOT: Operation = Operation::new("use the root directory before it is prepared");
static USE_TAKEN: Operation = Operation::new("use a volume before it is taken");
static USE_TERMINAL: Operation = Operation::new("use the terminal without the launcher");
static FILTER: Operation = Operation {
    words: "install the filter of system calls",
    on: Object::None,
    cures: &[
        (Errno::INVAL, Cure::Words("the kernel has no such filters (CONFIG_SECCOMP_FILTER)")),
        (Errno::ACCESS, Cure::Words("without root privilege it takes no-new-privileges")),
    ],
};
static AWAIT: Operation = Operation::new("wait for the launcher");
static MAKE_DIRECTORY: Operation =
    Operation { on: Object::Target, ..Operation::new("make the working directory") };
static CLOSE: Operation = Operation::new("close the descriptors");
static CHANGE: Operation = Operation {
    words: "change to the working directory",
    on: Object::Target,
    cures: &[(Errno::NOENT, Cure::Words("--workdir names a directory inside the root"))],
};
