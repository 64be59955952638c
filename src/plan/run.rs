//! Running the steps: each is handed to the function of the kernel's room that it stands for.

use super::step::{RESOLVER, Stage, Step};
use crate::container::{Mount, Mounted, Upper};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::kernel::inside::{self, MountPoint};
use crate::kernel::masks::Places;
use crate::kernel::{
    bind, capabilities, cgroup_mounts, devices, entry, filesystem, identity, landlock, masks,
    mounts, namespaces, network, nodes, overlay, pieces, process, root, terminal, volume,
};
use crate::sys::descriptors::AsFd;
use crate::sys::files::{close, close_all_but};
use crate::sys::seccomp::install;
use core::ffi::CStr;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::process::{chdir, umask};

impl Step<'_> {
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
            Self::CloseDescriptors { first } => {
                let launcher = stage.launcher.file.as_ref().map(AsRawFd::as_raw_fd);
                let own_file = stage.own_file.map(|file| file.as_raw_fd());
                let [runtime, starts, listener] = stage.ties.descriptors();
                let kept = [launcher, own_file, runtime, starts, listener];
                close_all_but(*first, &kept).doing(&CLOSE)
            }
            Self::Limit(limit) => process::limit(limit.resource, limit.values),
            Self::Nice(value) => process::nice(*value),
            Self::Processors(set) => process::processors(set),
            Self::ChangeDirectory(directory) => chdir(*directory).doing(&CHANGE),
            Self::BoundCapabilities(kept) => capabilities::bound(*kept),
            Self::SetGroups(groups) => identity::set_groups(groups),
            Self::SwitchUser(user) => identity::switch_to(user.user, user.group),
            Self::KeepCapabilities(sets) => {
                capabilities::set(sets.effective, sets.permitted, sets.inheritable, sets.ambient)
            }
            Self::NoNewPrivileges => capabilities::no_new_privileges(),
            Self::RestrictFiles => landlock::restrict(),
            Self::SetUmask(mask) => {
                umask(*mask);
                Ok(())
            }
            Self::DieWithLauncher(_) => identity::die_with(stage.launcher),
            Self::Filter(program) => install(&program.instructions, program.flags).doing(&FILTER),
            Self::Act(act) => act.run(&mut stage.ties),
            _ => self.run_on_root(stage),
        }
    }

    /// The steps that make the root and fill it.
    fn run_on_root(&self, stage: &mut Stage<'_>) -> Result<(), Fault> {
        match self {
            Self::TakeVolume(place, volume) => {
                let taken = volume::take(volume, None)?;
                stage.put(*place, taken);
                Ok(())
            }
            Self::TakeEntry(place, mount) => {
                if let Mounted::Entry(wanted) = &mount.what {
                    let taken = bind::take(wanted, None)?;
                    stage.put(*place, taken);
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
            Self::Mount(mount) => mount_in(stage, mount).map(drop),
            Self::MountUnprotected(place, mount) => {
                if let Some(made) = mount_in(stage, mount)? {
                    stage.put(*place, made);
                }
                Ok(())
            }
            Self::ProtectMount(place, _) => entry::protect(taken(stage, place.0)?),
            Self::Mask(paths) => masks::hide(&places(stage)?, paths),
            Self::Protect(paths) => {
                let places = places(stage)?;
                paths.iter().try_for_each(|path| masks::protect(&places, path))
            }
            Self::GiveStreams(user) => terminal::give_streams(*user),
            Self::EnterRoot => root::enter(stage.root.take().ok_or(Errno::BADF).doing(&USE_ROOT)?),
            Self::SetPropagation(kind) => mounts::propagate_root(*kind),
            _ => self.run_in_root(stage),
        }
    }

    /// The steps that fill the root and take nothing else.
    fn run_in_root(&self, stage: &mut Stage<'_>) -> Result<(), Fault> {
        let root = root_of(stage)?;
        match self {
            Self::MountDevices(target, wanted) => {
                let terminals = devices::mount_devices(root, target, *wanted)?;
                stage.terminals = Some(terminals);
                Ok(())
            }
            Self::MountTaken(place, mount) => {
                volume::attach_taken(root, taken(stage, place.0)?, mount.target)?;
                forget_covered(stage, mount);
                Ok(())
            }
            Self::MakeDirectory(path) => {
                let made = inside::open_or_make(root, path, MountPoint::Directory);
                made.map(drop).doing(&MAKE_DIRECTORY)
            }
            Self::ShowResolver => volume::mount_if_missing(root, RESOLVER),
            Self::ProtectRoot => root::protect(root),
            Self::MakeNode(node) => nodes::make(root, node),
            Self::MakeDefaultNodes(others) => nodes::make_defaults(root, others),
            Self::OpenTerminal(console) => {
                let launcher = stage.terminal.ok_or(Errno::BADF).doing(&USE_TERMINAL)?;
                terminal::open(stage.terminals.as_ref(), root, launcher, *console)
            }
            // All others are run before.
            _ => Err(Errno::NOSYS).doing(&USE_ROOT),
        }
    }
}

fn await_launcher(stage: &mut Stage<'_>) -> Result<(), Errno> {
    let (go_ahead, launchers) = stage.go_ahead.take().ok_or(Errno::BADF)?;
    // Only so does the end of it mean that the launcher is gone.
    close(launchers);
    match retry_on_intr(|| read(go_ahead, &mut [0; 1]))? {
        0 => Err(Errno::PIPE),
        _ => Ok(()),
    }
}

/// Returns what was made, if nobody else has it.
fn mount_in(stage: &mut Stage<'_>, mount: &Mount<'_>) -> Result<Option<OwnedFd>, Fault> {
    let root = root_of(stage)?;
    let target = mount.target;
    let (kind, made) = match &mount.what {
        Mounted::Volume(volume) => {
            return volume::mount_volume(root, volume, target).map(|()| None);
        }
        Mounted::Device(source) => {
            return volume::mount_device(root, source, target).map(|()| None);
        }
        Mounted::FileSystem(wanted) => {
            (wanted.kind, Some(filesystem::mount_new(root, target, wanted)?))
        }
        Mounted::Changed(wanted) => {
            return bind::change_mounted(root, wanted, target).map(|()| None);
        }
        Mounted::Entry(wanted) if wanted.bind.is_none() && is_cgroups(wanted.kind) => {
            let cgroups = stage.cgroups.as_ref();
            return cgroup_mounts::mount(root, wanted, target, cgroups).map(|()| None);
        }
        Mounted::Entry(wanted) => {
            let made = entry::mount(root, wanted, target)?;
            forget_covered(stage, mount);
            let place = match wanted.kind.to_bytes() {
                b"proc" => c"/proc",
                b"sysfs" => c"/sys",
                b"devpts" => c"/dev/pts",
                _ => c"",
            };
            if !mount.is_at(place) {
                return Ok(made);
            }
            (wanted.kind, made)
        }
        // The plan says how.
        Mounted::Devices => return Ok(None),
    };
    match kind.to_bytes() {
        b"proc" => stage.proc = made,
        b"sysfs" => stage.sys = made,
        b"devpts" => stage.terminals = made,
        _ => return Ok(made),
    }
    Ok(None)
}

fn is_cgroups(kind: &CStr) -> bool {
    matches!(kind.to_bytes(), b"cgroup" | b"cgroup2")
}

/// What a later mount covers is not what a name leads to any more.
fn forget_covered(stage: &mut Stage<'_>, mount: &Mount<'_>) {
    if mount.is_at(c"/proc") {
        stage.proc = None;
    } else if mount.is_at(c"/sys") {
        stage.sys = None;
    } else if mount.is_at(c"/dev") || mount.is_at(c"/dev/pts") {
        stage.terminals = None;
    }
}

fn taken<'s>(stage: &'s Stage<'_>, place: usize) -> Result<&'s OwnedFd, Fault> {
    stage.taken.get(place).and_then(Option::as_ref).ok_or(Errno::BADF).doing(&USE_TAKEN)
}

/// The root; a plan in which a step needs it before it is prepared is a mistake of ours.
fn root_of<'s>(stage: &'s Stage<'_>) -> Result<BorrowedFd<'s>, Fault> {
    stage.root.as_ref().map(AsFd::as_fd).ok_or(Errno::BADF).doing(&USE_ROOT)
}

fn places<'s>(stage: &'s Stage<'_>) -> Result<Places<'s>, Fault> {
    Ok(Places { root: root_of(stage)?, proc: stage.proc.as_ref(), sys: stage.sys.as_ref() })
}

static USE_ROOT: Operation = Operation::new(rare!("use the root directory before it is prepared"));
static USE_TAKEN: Operation = Operation::new(rare!("use a volume before it is taken"));
static USE_TERMINAL: Operation = Operation::new(rare!("use the terminal without the launcher"));
static FILTER: Operation = Operation {
    words: rare!("install the filter of system calls"),
    on: Object::None,
    cures: &[
        (
            Errno::INVAL,
            Cure::Words(rare!("the kernel has no such filters (CONFIG_SECCOMP_FILTER)")),
        ),
        (Errno::ACCESS, Cure::Words(rare!("without root privilege it takes no-new-privileges"))),
    ],
};
static AWAIT: Operation = Operation::new(rare!("wait for the launcher"));
static MAKE_DIRECTORY: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("make the working directory")) };
static CLOSE: Operation = Operation::new(rare!("close the descriptors"));
static CHANGE: Operation = Operation {
    words: rare!("change to the working directory"),
    on: Object::Target,
    cures: &[(Errno::NOENT, Cure::Words(rare!("--workdir names a directory inside the root")))],
};
