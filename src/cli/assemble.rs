//! The third stage: what the options mean together. Here is what `--all` stands for, and which option
//! brings which isolation with it.

use super::options::{OPTIONS, by_short};
use super::settings::{OTHER_FORM, Settings, insert_mount, option_value_error};
use crate::container::{
    ALL, ALL_CAPABILITIES, Attributes, Capabilities, Container, DEFAULT_CAPABILITIES, Defaults,
    Filter, IdMap, Isolation, Join, Layers, MASKED, Mount, Mounted, Network, Process, Programs,
    READ_ONLY, Root, Security, Source, User, environment,
};
use crate::error::Error;
use crate::kernel::filesystem::FileSystem;
use crate::kernel::mounts::Access;
use crate::sys::namespaces::Namespaces;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::mount::MountAttrFlags;
use rustix::thread::CapabilitySet;

/// The container that is wanted; what the command line does not say, `defaults` do. What lies in the
/// settings moves over.
pub fn assemble<'a>(
    settings: &mut Settings<'a>,
    defaults: Defaults<'a>,
    callers: &[&'a CStr],
) -> Result<&'a mut Container<'a>, Error<'a>> {
    if let Some(Network::Join(path)) = settings.network {
        settings.joined.push(Join { kind: Namespaces::NET, path });
    }
    let kinds = namespaces(settings)?;
    let isolation = Isolation {
        namespaces: kinds,
        joined: core::mem::take(&mut settings.joined),
        hostname: settings.hostname,
        domainname: settings.domainname,
        clocks: settings.clocks.unwrap_or_default(),
        users: settings.users.take().unwrap_or(IdMap::Own),
        groups: settings.group_ids.take().unwrap_or(IdMap::Own),
        network: settings.network.take().unwrap_or(Network::None),
        net_devices: Vec::new(),
        sysctls: Vec::new(),
    };
    check_joins(&isolation)?;
    check_id_mapped(settings, &isolation)?;
    forbid_devices(settings);
    add_standard_mounts(settings, &isolation);
    let security = security(settings, &isolation);
    let access = if settings.read_only { Access::ReadOnly } else { Access::ReadWrite };
    let start = if settings.clear_environment { Vec::new() } else { defaults.environment };
    let mut command = defaults.entrypoint;
    command.extend_from_slice(&defaults.command);
    let working_directory = settings.workdir.or(defaults.working_directory);
    let source = source(settings)?;
    let user = user(settings)?;
    Ok(Box::leak(Box::new(Container {
        root: Root {
            source,
            access,
            ephemeral: settings.ephemeral,
            devices: !settings.all,
            is_image: settings.image.is_some(),
            nodes: Vec::new(),
            propagation: None,
        },
        mounts: core::mem::take(&mut settings.mounts),
        isolation,
        security,
        process: Process {
            command,
            environment: environment::apply(callers, start, &settings.environment),
            working_directory: working_directory.unwrap_or(c"/"),
            user,
            groups: settings.groups.take(),
            preserved_descriptors: settings.preserved_descriptors,
            terminal: settings.tty,
            init: settings.init,
            stop_signal: settings.stop_signal.or(defaults.stop_signal),
            timeout: settings.timeout,
            limits: core::mem::take(&mut settings.limits),
            umask: settings.umask,
            oom_score: settings.oom_score,
            nice: settings.nice,
            processors: settings.processors,
            attributes: Attributes::default(),
        },
    })))
}

/// Where the root comes from.
fn source<'a>(settings: &Settings<'a>) -> Result<Source<'a>, Error<'a>> {
    if let Some(list) = settings.programs {
        if settings.rootfs.or(settings.image).is_some() {
            let why = rare!("the root is made of programs, or is a directory, or an image");
            return Err(Error::usage(
                rare!("option"),
                b"--programs",
                why,
                rare!("leave the others out").bytes(),
            ));
        }
        return Ok(Source::Programs(Programs { list, pieces: Vec::new() }));
    }
    match (settings.rootfs, settings.image) {
        (Some(_), Some(_)) => {
            let why = rare!("the root is a directory or an image, not both");
            Err(Error::usage(rare!("option"), b"--image", why, rare!("leave --rootfs out").bytes()))
        }
        (None, Some(_)) => Ok(Source::Layers(Layers::default())),
        (directory, None) => Ok(Source::Directory(directory.unwrap_or(c"rootfs"))),
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

/// What is new; what an option sets up in a namespace brings the namespace with it.
fn namespaces<'a>(settings: &Settings<'a>) -> Result<Namespaces, Error<'a>> {
    let shared = settings.shared.unwrap_or(Namespaces::NONE);
    let base = if settings.all { ALL } else { Namespaces::NONE };
    let mut kinds = base.and(settings.isolated.unwrap_or(Namespaces::NONE)).without(shared);
    let joined = |kind| settings.joined.iter().any(|join| join.kind == kind);
    let names = settings.hostname.or(settings.domainname).is_some();
    let ids = settings.users.is_some() || settings.group_ids.is_some();
    let network = !matches!(settings.network, None | Some(Network::Host | Network::Join(_)));
    let pasta = matches!(settings.network, Some(Network::Pasta));
    let brought = [
        (names && !joined(Namespaces::UTS), Namespaces::UTS, "--hostname"),
        (settings.clocks.is_some(), Namespaces::TIME, "--time-offset"),
        (ids, Namespaces::USER, "--map-users"),
        (network, Namespaces::NET, "--network"),
        // pasta(1) gives all privilege up but that over a user namespace it enters.
        (pasta && !joined(Namespaces::USER), Namespaces::USER, "--network pasta"),
        (settings.init && !joined(Namespaces::PID), Namespaces::PID, "--init"),
    ];
    for (is_wanted, kind, option) in brought {
        if !is_wanted {
            continue;
        }
        if shared.contains(kind) {
            let hint = rare!("take it out of --share").bytes();
            return Err(Error::usage(
                rare!("option"),
                option.as_bytes(),
                rare!("needs what is shared"),
                hint,
            ));
        }
        kinds = kinds.and(kind);
    }
    if matches!(settings.network, Some(Network::Host)) {
        kinds = kinds.without(Namespaces::NET);
    }
    for join in &settings.joined {
        kinds = kinds.without(join.kind);
    }
    Ok(kinds)
}

fn check_joins<'a>(isolation: &Isolation<'a>) -> Result<(), Error<'a>> {
    let makes = |kind| isolation.namespaces.contains(kind);
    if isolation.joins(Namespaces::USER) && makes(Namespaces::PID) {
        let hint = rare!("join the process namespace that belongs to it, too").bytes();
        let why = rare!("a new process namespace cannot be had in a user namespace that is joined");
        return Err(Error::usage(rare!("option"), b"--join", why, hint));
    }
    Ok(())
}

fn check_id_mapped<'a>(
    settings: &Settings<'a>,
    isolation: &Isolation<'a>,
) -> Result<(), Error<'a>> {
    let is_mapped =
        |mount: &Mount<'_>| matches!(mount.what, Mounted::Volume(volume) if volume.id_mapped);
    if !settings.mounts.iter().any(is_mapped) || isolation.namespaces.contains(Namespaces::USER) {
        return Ok(());
    }
    let why = rare!("idmap is of use with users of the container's own");
    Err(Error::usage(
        rare!("option"),
        b"--volume",
        why,
        rare!("--map-users and --map-groups, or --isolate user").bytes(),
    ))
}

/// In `--all`, no device is used but those that are shown as such; who made the files of a root or a
/// volume may have made devices, too.
fn forbid_devices(settings: &mut Settings<'_>) {
    if !settings.all {
        return;
    }
    for mount in &mut settings.mounts {
        if let Mounted::Volume(volume) = &mut mount.what
            && !volume.allows_devices
        {
            volume.attributes |= MountAttrFlags::MOUNT_ATTR_NODEV;
        }
    }
}

/// What each isolation needs to be of use, where the user mounts nothing else.
fn add_standard_mounts(settings: &mut Settings<'_>, isolation: &Isolation<'_>) {
    let has = |kind| isolation.namespaces.contains(kind) || isolation.joins(kind);
    let all = settings.all;
    let cgroup = if all {
        FileSystem { attributes: FileSystem::READ_ONLY, ..FileSystem::CGROUP }
    } else {
        FileSystem::CGROUP
    };
    let new = Mounted::FileSystem;
    let has_devices =
        all || settings.mounts.iter().any(|mount| matches!(mount.what, Mounted::Devices));
    let ipc = has(Namespaces::IPC) && !has_devices;
    let standard = [
        (all || has(Namespaces::PID), c"/proc", new(FileSystem::PROC)),
        (all, c"/sys", new(FileSystem::SYS)),
        (has(Namespaces::CGROUP), c"/sys/fs/cgroup", new(cgroup)),
        (all, c"/dev", Mounted::Devices),
        (ipc, c"/dev/mqueue", new(FileSystem::MESSAGE_QUEUES)),
        (ipc, c"/dev/shm", new(FileSystem::SHARED_MEMORY)),
        (settings.tty && !has_devices, c"/dev/pts", new(FileSystem::TERMINALS)),
    ];
    for (is_wanted, target, what) in standard {
        let mount = Mount { target, what };
        // Nothing is put into what the user has mounted.
        let is_in_users =
            settings.mounts.iter().any(|other| other.contains(&mount) && !other.is_new());
        if is_wanted && !is_in_users {
            insert_mount(&mut settings.mounts, mount);
        }
    }
}

fn security<'a>(settings: &mut Settings<'a>, isolation: &Isolation<'_>) -> Security<'a> {
    let all = settings.all;
    let base = if all { &MASKED[..] } else { &[] };
    let unmasked = core::mem::take(&mut settings.unmasked);
    let is_unmasked =
        |path: &CStr| unmasked.iter().any(|other| *other == path || other.to_bytes() == b"ALL");
    let mut masked: Vec<&CStr> = Vec::new();
    let mut read_only: Vec<&CStr> = Vec::new();
    for path in base {
        if !is_unmasked(path) {
            masked.push(path);
        }
    }
    masked.append(&mut settings.masked);
    for path in if all { &READ_ONLY[..] } else { &[] } {
        if !is_unmasked(path) {
            read_only.push(path);
        }
    }
    Security {
        capabilities: kept(settings, isolation).map(Capabilities::at_most),
        no_new_privileges: settings.no_new_privileges.unwrap_or(all),
        filter: settings.filter.take().unwrap_or(if all { Filter::Default } else { Filter::None }),
        no_nested_users: settings.no_nested_users || all,
        landlock: settings.landlock,
        masked,
        read_only,
    }
}

/// As in Docker: what is added stays whatever is dropped, but all of what is dropped goes if all is
/// added.
fn kept(settings: &Settings<'_>, isolation: &Isolation<'_>) -> Option<CapabilitySet> {
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
