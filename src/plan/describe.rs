//! The words for each step of a plan: the system calls it makes, what it does, and why.

use super::Step;
use crate::container::{KINDS, Mount, Mounted, Upper};
use crate::kernel::mounts::Access;
use crate::kernel::pieces::Piece;
use crate::kernel::volume::Volume;
use crate::sys::namespaces::Namespaces;
use crate::text::{Text, parts};
use core::ffi::CStr;
use rustix::mount::MountAttrFlags;

impl Step<'_> {
    /// The system calls it makes.
    pub(super) fn calls(&self) -> &'static str {
        match self {
            Self::MapCaller { .. } | Self::SetOomScore(_) => "open, write, close",
            Self::AwaitLauncher => "read",
            Self::Join(_) | Self::EnterTime => "open, setns",
            Self::MakeNamespaces(_) => "unshare",
            Self::MakeTime([]) => "unshare(NEWTIME)",
            Self::MakeTime(_) => "unshare(NEWTIME), open, write, close",
            Self::Hide => "prctl(SET_DUMPABLE)",
            Self::SetNames(..) => "sethostname, setdomainname",
            Self::BringLoopbackUp => "socket, sendto(RTM_NEWLINK)",
            Self::ConfigureLink(_) => "sendto(RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE)",
            Self::TakeVolume(..) | Self::TakeEntry(..) => "open, open_tree, mount_setattr",
            Self::MakeMountsPrivate { sees_new_mounts: false } => "mount(REC|PRIVATE)",
            Self::MakeMountsPrivate { sees_new_mounts: true } => "mount(REC|SLAVE)",
            Self::PrepareRoot { access: Access::ReadWrite, attributes, .. }
                if attributes.is_empty() =>
            {
                "open, open_tree, move_mount"
            }
            Self::PrepareRoot { .. } => "open, open_tree, mount_setattr, move_mount",
            Self::PrepareOverlay { .. } => "fsopen, fsconfig, fsmount, move_mount",
            Self::PreparePrograms { .. } => "fsopen, fsmount, open_tree, move_mount",
            Self::Mount(mount) | Self::MountUnprotected(_, mount) => mount_calls(mount),
            Self::MountDevices(..) => "fsopen, fsmount, mknod, open_tree, move_mount",
            Self::MountTaken(..) => "openat2, move_mount",
            Self::MakeDirectory(_) => "openat2, mkdirat",
            Self::ShowResolver | Self::Protect(_) => {
                "openat2, open_tree, mount_setattr, move_mount"
            }
            Self::Mask(_) => "openat2, open_tree, fsmount, move_mount",
            Self::ProtectRoot | Self::ProtectMount(..) => "mount_setattr(RDONLY)",
            Self::MakeNode(_) => "openat2, mknodat, fchownat",
            Self::MakeDefaultNodes(_) => "openat2, mknodat, symlinkat",
            Self::GiveStreams(_) => "fstat, fchown",
            Self::SetPropagation(_) => "mount",
            Self::OpenTerminal(_) => "open, ioctl, setsid, sendmsg, dup3",
            Self::EnterRoot => "fchdir, pivot_root, umount2, chdir",
            Self::CloseDescriptors { .. } => "close_range",
            Self::Limit(_) => "prlimit64",
            Self::Nice(_) => "setpriority",
            Self::Processors(_) => "sched_setaffinity",
            Self::ChangeDirectory(_) => "chdir",
            Self::BoundCapabilities(_) => "prctl(CAPBSET_DROP)",
            Self::SetGroups(_) => "setgroups",
            Self::SwitchUser(_) => "setresgid, setresuid",
            Self::KeepCapabilities(_) => "prctl(CAP_AMBIENT), capset",
            Self::NoNewPrivileges => "prctl(SET_NO_NEW_PRIVS)",
            Self::RestrictFiles => "landlock_restrict_self",
            Self::SetUmask(_) => "umask",
            Self::DieWithLauncher(false) => "prctl(SET_PDEATHSIG), getppid",
            Self::DieWithLauncher(true) => "prctl(SET_PDEATHSIG), ppoll",
            Self::Filter(_) => "seccomp(SET_MODE_FILTER)",
            Self::Act(act) => act.calls(),
        }
    }

    /// What it does, and why.
    pub(super) fn describe<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        match self {
            Self::MapCaller { users, groups } => describe_maps(text, users, groups),
            Self::AwaitLauncher => text.push("wait until the launcher has done that"),
            Self::Join(join) => {
                text.push("enter the ").push(name_of(join.kind)).push(" namespace ");
                text.push_name(join.path.to_bytes())
            }
            Self::MakeNamespaces(_) => text.push("the other namespaces, which belong to that one"),
            Self::MakeTime(offsets) => {
                text.push("clocks of its own");
                for line in parts(offsets, b'\n').filter(|line| !line.is_empty()) {
                    text.push("; ").push_name(line);
                }
                text
            }
            Self::EnterTime => text.push("enter them, as before Linux 6.2 no exec does"),
            Self::SetOomScore(score) => {
                text.push("be killed for memory as readily as ").push_name(score).push(" says")
            }
            Self::Hide => text.push("nobody may trace this process or look into it"),
            Self::SetNames(host, domain) => {
                describe_name(text, "be called ", *host);
                let before = if host.is_some() { ", in the domain " } else { "be in the domain " };
                describe_name(text, before, *domain)
            }
            Self::BringLoopbackUp => text.push("bring the loopback interface up"),
            Self::ConfigureLink(_) => text.push("bring eth0 up, with its addresses and routes"),
            Self::PrepareRoot { .. }
            | Self::PrepareOverlay { .. }
            | Self::PreparePrograms { .. }
            | Self::TakeVolume(..)
            | Self::MakeMountsPrivate { .. }
            | Self::TakeEntry(..)
            | Self::Mount(_)
            | Self::MountUnprotected(..)
            | Self::ProtectMount(..)
            | Self::MakeNode(_)
            | Self::MakeDefaultNodes(_)
            | Self::SetPropagation(_)
            | Self::MountDevices(..)
            | Self::MountTaken(..)
            | Self::ShowResolver
            | Self::MakeDirectory(_)
            | Self::Mask(_)
            | Self::Protect(_)
            | Self::ProtectRoot
            | Self::EnterRoot => self.describe_root(text),
            _ => self.describe_process(text),
        }
    }

    fn describe_root<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        match self {
            Self::TakeVolume(_, volume) => {
                text.push("take the mounts of ").push_name(volume.source.to_bytes());
                text.push(" while they are shared with the host")
            }
            Self::MakeMountsPrivate { sees_new_mounts: false } => {
                text.push("make all mounts private: none made here shows on the host")
            }
            Self::MakeMountsPrivate { sees_new_mounts: true } => {
                text.push("no mount made here shows on the host; those made there are seen")
            }
            Self::PrepareRoot { directory, access, attributes } => {
                text.push("make ").push_name(directory.to_bytes());
                text.push(" a mount of its own, as pivot_root asks");
                if *access == Access::ReadOnly {
                    text.push("; read-only below it");
                }
                text.push(if attributes.is_empty() { "" } else { "; no devices in it" })
            }
            Self::PreparePrograms { pieces, .. } => {
                text.push("memory as the root, with these files of the host, read-only:");
                for piece in *pieces {
                    if let Piece::File(path) = piece {
                        text.push(" ").push_name(path.to_bytes());
                    }
                }
                text
            }
            Self::PrepareOverlay { lower, upper, .. } => {
                text.push("lay ");
                match upper {
                    Upper::Memory => text.push("memory"),
                    Upper::Kept(directory) => text.push_name(directory.to_bytes()),
                };
                text.push(" over ");
                describe_paths(text, lower).push(match upper {
                    Upper::Memory => ": what is written is gone in the end",
                    Upper::Kept(_) => ": what is written is kept there",
                })
            }
            Self::TakeEntry(_, mount) => {
                text.push("take what is to be shown as ").push_name(mount.target.to_bytes());
                text.push(" while it is shared with the host")
            }
            Self::Mount(mount) | Self::MountTaken(_, mount) | Self::MountUnprotected(_, mount) => {
                describe_mount(mount, text)
            }
            Self::ProtectMount(_, target) => {
                text.push("make ").push_name(target.to_bytes());
                text.push(" read-only, now that all is in it")
            }
            Self::MakeNode(node) => text.push("make the device ").push_name(node.path.to_bytes()),
            Self::MakeDefaultNodes(_) => {
                text.push("the devices and links in /dev that every program expects")
            }
            Self::SetPropagation(_) => text.push("pass mounts in the root on as it is asked for"),
            Self::MountDevices(target, devices) => {
                text.push("a small ").push_name(target.to_bytes());
                text.push(if devices.made { ": new devices" } else { ": the host's devices" });
                text.push(" that every program expects, new terminals")
            }
            Self::MakeDirectory(path) => {
                text.push("make ").push_name(path.to_bytes()).push(", if it is not there")
            }
            Self::ShowResolver => text.push("the host's /etc/resolv.conf, if the root has none"),
            Self::Mask(paths) => describe_paths(text.push("hide, where it is there: "), paths),
            Self::Protect(paths) => describe_paths(text.push("make read-only: "), paths),
            Self::ProtectRoot => {
                text.push("make the root read-only, now that its mount points are there")
            }
            _ => text.push("make it /, and detach the old root: no name leads to the host"),
        }
    }

    fn describe_process<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        match self {
            Self::GiveStreams(user) => {
                text.push("give the standard streams to user ").push_number((*user).into())
            }
            Self::OpenTerminal(_) => {
                text.push("a terminal in its own /dev/pts; the launcher gets the other end")
            }
            Self::CloseDescriptors { first } => {
                text.push("close descriptors from ").push_number((*first).into());
                text.push(" on: none leads to the host")
            }
            Self::Limit(_) => text.push("limit what it uses"),
            Self::Nice(_) => text.push("give way to others"),
            Self::Processors(_) => text.push("run on these processors only"),
            Self::ChangeDirectory(directory) => {
                text.push("start in ").push_name(directory.to_bytes())
            }
            Self::BoundCapabilities(kept) => {
                text.push("no program inside ever has more than these capabilities: ");
                describe_capabilities(text, kept.bits())
            }
            Self::SetGroups([]) => text.push("without supplementary groups"),
            Self::SetGroups(groups) => {
                text.push("supplementary groups");
                for group in *groups {
                    text.push(" ").push_number(group.as_raw().into());
                }
                text
            }
            Self::SwitchUser(user) => {
                text.push("become user ").push_number(user.user.into());
                text.push(", group ").push_number(user.group.into())
            }
            Self::KeepCapabilities(_) => text.push("give the other capabilities up"),
            Self::NoNewPrivileges => text.push("no setuid program gives any of them back"),
            Self::RestrictFiles => text.push("reach no files but those below the root"),
            Self::SetUmask(mask) => {
                text.push("new files do not have these permissions: ");
                let bits = mask.bits();
                for shift in [6, 3, 0] {
                    text.push_number((bits >> shift & 7).into());
                }
                text
            }
            Self::Filter(program) => {
                text.push("make only the system calls that a filter allows (");
                text.push_number(program.instructions.len() as u64).push(" instructions)")
            }
            _ => text.push("be killed when the launcher dies"),
        }
    }
}

fn mount_calls(mount: &Mount<'_>) -> &'static str {
    match &mount.what {
        Mounted::Volume(volume) if *volume == Volume::of(volume.source) => {
            "openat2, open_tree, move_mount"
        }
        Mounted::Entry(entry) if entry.bind.is_none() => "openat2, fsopen, fsmount, move_mount",
        Mounted::Volume(_) | Mounted::Entry(_) => "openat2, open_tree, mount_setattr, move_mount",
        Mounted::Changed(_) => "openat2, mount_setattr",
        Mounted::Device(_) | Mounted::Devices => "openat2, open_tree, move_mount",
        Mounted::FileSystem(_) => "openat2, fsopen, fsmount, move_mount",
    }
}

fn describe_mount<'t>(mount: &Mount<'_>, text: &'t mut Text) -> &'t mut Text {
    let target = mount.target.to_bytes();
    match &mount.what {
        Mounted::Volume(volume) => {
            text.push("show ").push_name(volume.source.to_bytes()).push(" as ").push_name(target);
            let is_marked = volume.attributes.contains(MountAttrFlags::MOUNT_ATTR_RDONLY);
            if volume.access == Access::ReadOnly || is_marked {
                text.push(", read-only");
            }
            text
        }
        Mounted::Device(source) => {
            text.push("show the device ").push_name(source.to_bytes());
            text.push(" as ").push_name(target)
        }
        Mounted::FileSystem(wanted) if wanted.kind == c"tmpfs" => {
            text.push("an empty directory in memory at ").push_name(target)
        }
        Mounted::FileSystem(wanted) => {
            text.push("a ").push_name(wanted.kind.to_bytes());
            text.push(" of its own at ").push_name(target)
        }
        Mounted::Entry(entry) => {
            text.push("mount ").push_name(entry.source.to_bytes()).push(" on ").push_name(target)
        }
        Mounted::Changed(_) => text.push("change the attributes of ").push_name(target),
        Mounted::Devices => text,
    }
}

pub(super) fn describe_maps<'t>(text: &'t mut Text, users: &[u8], groups: &[u8]) -> &'t mut Text {
    text.push("map ids (inside, outside, count): users ");
    describe_lines(text, users).push(", groups ");
    describe_lines(text, groups)
}

/// The lines of an id map in one.
fn describe_lines<'t>(text: &'t mut Text, lines: &[u8]) -> &'t mut Text {
    for (index, line) in parts(lines, b'\n').filter(|line| !line.is_empty()).enumerate() {
        text.push(if index > 0 { " + " } else { "" }).push_name(line);
    }
    text
}

fn describe_name<'t>(text: &'t mut Text, before: &str, name: Option<&CStr>) -> &'t mut Text {
    match name {
        Some(name) => text.push(before).push_name(name.to_bytes()),
        None => text,
    }
}

fn describe_paths<'t>(text: &'t mut Text, paths: &[&CStr]) -> &'t mut Text {
    for (index, path) in paths.iter().enumerate() {
        text.push(if index > 0 { " " } else { "" }).push_name(path.to_bytes());
    }
    text
}

fn describe_capabilities(text: &mut Text, bits: u64) -> &mut Text {
    let names =
        parts(crate::container::CAPABILITIES.as_bytes(), b' ').filter(|name| !name.is_empty());
    if bits.trailing_ones() as usize >= names.count() {
        return text.push("all");
    }
    let names =
        parts(crate::container::CAPABILITIES.as_bytes(), b' ').filter(|name| !name.is_empty());
    let start = text.len();
    for (bit, name) in names.enumerate() {
        if bits >> bit & 1 == 1 {
            text.push(if text.len() > start { " " } else { "" }).push_name(name);
        }
    }
    if text.len() == start { text.push("none") } else { text }
}

fn name_of(kind: Namespaces) -> &'static str {
    KINDS.iter().find(|entry| entry.2 == kind).map_or("", |entry| entry.0)
}
