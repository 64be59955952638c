//! The third stage: what the options mean together. Here is what `--all` stands for, and which option
//! brings which isolation with it.

use super::options::{OPTIONS, by_short};
use super::settings::{OTHER_FORM, Settings, insert_mount, option_value_error};
use super::words::refused;
use crate::container::{
    ALL, ALL_CAPABILITIES, Capabilities, Container, DEFAULT_CAPABILITIES, Defaults, Filter,
    Isolation, Join, Layers, MASKED, Mount, Mounted, Network, Programs, READ_ONLY, Source, User,
    environment, keep,
};
use crate::error::Error;
use crate::kernel::filesystem::FileSystem;
use crate::kernel::mounts::Access;
use crate::sys::namespaces::Namespaces;
use crate::text::parts;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::mount::MountAttrFlags;
use rustix::thread::CapabilitySet;

/// The container that is wanted; what the command line does not say, `defaults` do. Both are kept, so that nobody
/// has to give back what is not taken of them.
///
/// # Errors
///
/// Options that do not go together.
pub fn assemble<'a>(
    settings: &'a mut Settings<'a>,
    defaults: &mut Defaults<'a>,
    callers: &[&'a CStr],
) -> Result<&'a mut Container<'a>, Error<'a>> {
    isolate(settings)?;
    check_joins(&settings.container.isolation)?;
    check_id_mapped(settings)?;
    forbid_devices(settings);
    add_standard_mounts(settings);
    secure(settings);
    let source = source(settings)?;
    let user = user(settings)?;
    let Settings { container, .. } = settings;
    let Container { root, process, .. } = container;
    root.source = source;
    root.access = if settings.read_only { Access::ReadOnly } else { Access::ReadWrite };
    root.devices = !settings.all;
    root.is_image = settings.image.is_some();
    process.command.append(&mut defaults.entrypoint);
    process.command.append(&mut defaults.command);
    let start = if settings.clear_environment { &[] } else { &defaults.environment[..] };
    process.environment = environment::apply(callers, start.to_vec(), &settings.environment);
    process.working_directory = settings.workdir.or(defaults.working_directory).unwrap_or(c"/");
    process.user = user;
    process.stop_signal = process.stop_signal.or(defaults.stop_signal);
    Ok(container)
}

/// Where the root comes from.
fn source<'a>(settings: &Settings<'a>) -> Result<Source<'a>, Error<'a>> {
    match (settings.programs, settings.rootfs, settings.image) {
        (Some(list), None, None) => Ok(Source::Programs(Programs { list, pieces: Vec::new() })),
        (Some(_), _, _) => {
            let why = rare!("the root is made of programs, or is a directory, or an image");
            Err(refused("--programs", why, rare!("leave the others out")))
        }
        (None, Some(_), Some(_)) => {
            let why = rare!("the root is a directory or an image, not both");
            Err(refused("--image", why, rare!("leave --rootfs out")))
        }
        (None, None, Some(_)) => Ok(Source::Layers(Layers::default())),
        (None, Some(directory), None) => Ok(Source::Directory(directory)),
        (None, None, None) => Ok(Source::default()),
    }
}

/// The user, in numbers; names are known only in an image.
fn user<'a>(settings: &Settings<'a>) -> Result<Option<User>, Error<'a>> {
    let Some(typed) = settings.user else { return Ok(None) };
    let user = User::parse(typed.to_bytes());
    let refused = || match by_short(&OPTIONS, b'u') {
        Some(entry) => option_value_error(entry, typed, OTHER_FORM),
        None => Error::usage(rare!("option"), b"--user", OTHER_FORM, b""),
    };
    user.map(Some).ok_or_else(refused)
}

/// What an option sets up in a namespace brings the namespace with it.
const BRINGING: [(Namespaces, &str); 6] = [
    (Namespaces::UTS, "--hostname"),
    (Namespaces::TIME, "--time-offset"),
    (Namespaces::USER, "--map-users"),
    (Namespaces::NET, "--network"),
    // pasta(1) gives all privilege up but that over a user namespace it enters.
    (Namespaces::USER, "--network pasta"),
    (Namespaces::PID, "--init"),
];

/// What it has apart from the host.
fn isolate<'a>(settings: &mut Settings<'a>) -> Result<(), Error<'a>> {
    let shared = settings.shared;
    let base = if settings.all { ALL } else { Namespaces::NONE };
    let mut kinds = base.and(settings.isolated).without(shared);
    let isolation = &mut settings.container.isolation;
    if let Network::Join(path) = isolation.network {
        isolation.joined.push(Join { kind: Namespaces::NET, path });
    }
    let new = |kind| !isolation.joins(kind);
    let is_pasta = matches!(isolation.network, Network::Pasta);
    let is_asked_for = [
        isolation.hostname.or(isolation.domainname).is_some() && new(Namespaces::UTS),
        isolation.clocks.differ(),
        isolation.users.is_said() || isolation.groups.is_said(),
        settings.has_network && !matches!(isolation.network, Network::Host | Network::Join(_)),
        is_pasta && new(Namespaces::USER),
        settings.container.process.init && new(Namespaces::PID),
    ];
    for ((kind, option), _) in BRINGING.iter().zip(is_asked_for).filter(|(_, is_asked)| *is_asked) {
        if shared.contains(*kind) {
            let why = rare!("needs what is shared");
            return Err(refused(option, why, rare!("take it out of --share")));
        }
        kinds = kinds.and(*kind);
    }
    if matches!(isolation.network, Network::Host) {
        kinds = kinds.without(Namespaces::NET);
    }
    for join in &isolation.joined {
        kinds = kinds.without(join.kind);
    }
    isolation.namespaces = kinds;
    Ok(())
}

fn check_joins<'a>(isolation: &Isolation<'a>) -> Result<(), Error<'a>> {
    let makes = |kind| isolation.namespaces.contains(kind);
    if isolation.joins(Namespaces::USER) && makes(Namespaces::PID) {
        let why = rare!("a new process namespace cannot be had in a user namespace that is joined");
        let hint = rare!("join the process namespace that belongs to it, too");
        return Err(refused("--join", why, hint));
    }
    Ok(())
}

fn check_id_mapped<'a>(settings: &Settings<'a>) -> Result<(), Error<'a>> {
    let container = &settings.container;
    let is_mapped =
        |mount: &Mount<'_>| matches!(mount.what, Mounted::Volume(volume) if volume.id_mapped);
    if !container.mounts.iter().any(is_mapped)
        || container.isolation.namespaces.contains(Namespaces::USER)
    {
        return Ok(());
    }
    let why = rare!("idmap is of use with users of the container's own");
    let hint = rare!("--map-users and --map-groups, or --isolate user");
    Err(refused("--volume", why, hint))
}

/// In `--all`, no device is used but those that are shown as such; who made the files of a root or a
/// volume may have made devices, too.
fn forbid_devices(settings: &mut Settings<'_>) {
    if !settings.all {
        return;
    }
    for mount in &mut settings.container.mounts {
        if let Mounted::Volume(volume) = &mut mount.what
            && !volume.allows_devices
        {
            volume.attributes |= MountAttrFlags::MOUNT_ATTR_NODEV;
        }
    }
}

/// The file systems that isolations need to be of use.
static STANDARD: [(&CStr, FileSystem<'static>); 7] = [
    (c"/proc", FileSystem::PROC),
    (c"/sys", FileSystem::SYS),
    (c"/sys/fs/cgroup", FileSystem { attributes: FileSystem::READ_ONLY, ..FileSystem::CGROUP }),
    (c"/sys/fs/cgroup", FileSystem::CGROUP),
    (c"/dev/mqueue", FileSystem::MESSAGE_QUEUES),
    (c"/dev/shm", FileSystem::SHARED_MEMORY),
    (c"/dev/pts", FileSystem::TERMINALS),
];

/// Adds those that are wanted, where the user mounts nothing else.
fn add_standard_mounts(settings: &mut Settings<'_>) {
    let all = settings.all;
    let Container { mounts, isolation, process, .. } = &mut settings.container;
    let has = |kind| isolation.namespaces.contains(kind) || isolation.joins(kind);
    let has_devices = all || mounts.iter().any(|mount| matches!(mount.what, Mounted::Devices));
    let cgroup = has(Namespaces::CGROUP);
    let ipc = has(Namespaces::IPC) && !has_devices;
    let is_wanted = [
        all || has(Namespaces::PID),
        all,
        cgroup && all,
        cgroup && !all,
        ipc,
        ipc,
        process.terminal && !has_devices,
    ];
    let mut add = |target, what| {
        let mount = Mount { target, what };
        // Nothing is put into what the user has mounted.
        if !mounts.iter().any(|other| other.contains(&mount) && !other.is_new()) {
            insert_mount(mounts, mount);
        }
    };
    for ((target, shown), is_wanted) in STANDARD.iter().zip(is_wanted) {
        if is_wanted {
            add(target, Mounted::FileSystem(*shown));
        }
    }
    if all {
        add(c"/dev", Mounted::Devices);
    }
}

/// What it may do.
fn secure(settings: &mut Settings<'_>) {
    let all = settings.all;
    let kept = kept(settings);
    let security = &mut settings.container.security;
    if all {
        let mut masked = still(MASKED, &settings.unmasked);
        masked.append(&mut security.masked);
        security.masked = masked;
        security.read_only = still(READ_ONLY, &settings.unmasked);
    }
    security.capabilities = kept.map(Capabilities::at_most);
    security.no_new_privileges = settings.no_new_privileges.unwrap_or(all);
    security.filter = settings.filter.unwrap_or(if all { Filter::Default } else { Filter::None });
    security.no_nested_users |= all;
}

/// Those of the paths that are not to be shown as they are.
#[inline(never)]
fn still(paths: &str, unmasked: &[&CStr]) -> Vec<&'static CStr> {
    let mut left = Vec::new();
    for path in parts(paths.as_bytes(), b' ') {
        if !unmasked.iter().any(|other| other.to_bytes() == path || other.to_bytes() == b"ALL") {
            left.extend(keep(path).map(|path| path as &CStr));
        }
    }
    left
}

/// As in Docker: what is added stays whatever is dropped, but all of what is dropped goes if all is
/// added.
fn kept(settings: &Settings<'_>) -> Option<CapabilitySet> {
    let isolation = &settings.container.isolation;
    let added = settings.added.unwrap_or(CapabilitySet::empty());
    let dropped = settings.dropped.unwrap_or(CapabilitySet::empty());
    let is_said = settings.added.or(settings.dropped).is_some();
    let all = ALL_CAPABILITIES;
    let has_users =
        isolation.namespaces.contains(Namespaces::USER) || isolation.joins(Namespaces::USER);
    let base = match (settings.all, has_users) {
        (false, _) => all,
        (true, true) => DEFAULT_CAPABILITIES,
        // Docker's containers are kept from the devices that they make by a cgroup.
        (true, false) => DEFAULT_CAPABILITIES - CapabilitySet::MKNOD,
    };
    let kept = if added == all { all - dropped } else { (base - dropped) | added };
    (settings.all || is_said).then_some(kept)
}
