//! The words for each step of a plan: the system calls it makes, what it does, and why.

use super::Step;
use crate::container::{KINDS, Mount, Mounted, Upper};
use crate::kernel::mounts::Access;
use crate::kernel::pieces::Piece;
use crate::kernel::volume::Volume;
use crate::rare::Rare;
use crate::sys::namespaces::Namespaces;
use crate::text::{Text, parts};
use core::ffi::CStr;
use rustix::mount::MountAttrFlags;

impl Step<'_> {
    /// The system calls it makes.
    pub(super) fn calls(&self) -> Rare {
        match self {
            Self::MakeTime([]) => rare!("unshare(NEWTIME)"),
            Self::MakeMountsPrivate { sees_new_mounts: false } => rare!("mount(REC|PRIVATE)"),
            Self::PrepareRoot { access: Access::ReadWrite, attributes, .. }
                if attributes.is_empty() =>
            {
                rare!("open, open_tree, move_mount")
            }
            Self::Mount(mount) | Self::MountUnprotected(_, mount) => mount_calls(mount),
            Self::DieWithLauncher(false) => rare!("prctl(SET_PDEATHSIG), getppid"),
            Self::Act(act) => act.calls(),
            _ => self.usual_calls(),
        }
    }

    /// Those that depend on nothing but the kind of step: a table.
    #[inline(never)]
    fn usual_calls(&self) -> Rare {
        match self {
            Self::MapCaller { .. } | Self::SetOomScore(_) => rare!("open, write, close"),
            Self::AwaitLauncher => rare!("read"),
            Self::Join(_) | Self::EnterTime => rare!("open, setns"),
            Self::MakeNamespaces(_) => rare!("unshare"),
            Self::MakeTime(_) => rare!("unshare(NEWTIME), open, write, close"),
            Self::Hide => rare!("prctl(SET_DUMPABLE)"),
            Self::SetNames(..) => rare!("sethostname, setdomainname"),
            Self::BringLoopbackUp => rare!("socket, sendto(RTM_NEWLINK)"),
            Self::ConfigureLink(_) => rare!("sendto(RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE)"),
            Self::TakeVolume(..) | Self::TakeEntry(..) => rare!("open, open_tree, mount_setattr"),
            Self::MakeMountsPrivate { .. } => rare!("mount(REC|SLAVE)"),
            Self::PrepareRoot { .. } => rare!("open, open_tree, mount_setattr, move_mount"),
            Self::PrepareOverlay { .. } => rare!("fsopen, fsconfig, fsmount, move_mount"),
            Self::PreparePrograms { .. } => rare!("fsopen, fsmount, open_tree, move_mount"),
            Self::MountDevices(..) => rare!("fsopen, fsmount, mknod, open_tree, move_mount"),
            Self::MountTaken(..) => rare!("openat2, move_mount"),
            Self::MakeDirectory(_) => rare!("openat2, mkdirat"),
            Self::ShowResolver | Self::Protect(_) => {
                rare!("openat2, open_tree, mount_setattr, move_mount")
            }
            Self::Mask(_) => rare!("openat2, open_tree, fsmount, move_mount"),
            Self::ProtectRoot | Self::ProtectMount(..) => rare!("mount_setattr(RDONLY)"),
            Self::MakeNode(_) => rare!("openat2, mknodat, fchownat"),
            Self::MakeDefaultNodes(_) => rare!("openat2, mknodat, symlinkat"),
            Self::GiveStreams(_) => rare!("fstat, fchown"),
            Self::SetPropagation(_) => rare!("mount"),
            Self::OpenTerminal(_) => rare!("open, ioctl, setsid, sendmsg, dup3"),
            Self::EnterRoot => rare!("fchdir, pivot_root, umount2, chdir"),
            Self::CloseDescriptors { .. } => rare!("close_range"),
            Self::Limit(_) => rare!("prlimit64"),
            Self::Nice(_) => rare!("setpriority"),
            Self::Processors(_) => rare!("sched_setaffinity"),
            Self::ChangeDirectory(_) => rare!("chdir"),
            Self::BoundCapabilities(_) => rare!("prctl(CAPBSET_DROP)"),
            Self::SetGroups(_) => rare!("setgroups"),
            Self::SwitchUser(_) => rare!("setresgid, setresuid"),
            Self::KeepCapabilities(_) => rare!("prctl(CAP_AMBIENT), capset"),
            Self::NoNewPrivileges => rare!("prctl(SET_NO_NEW_PRIVS)"),
            Self::RestrictFiles => rare!("landlock_restrict_self"),
            Self::SetUmask(_) => rare!("umask"),
            Self::DieWithLauncher(_) => rare!("prctl(SET_PDEATHSIG), ppoll"),
            Self::Filter(_) => rare!("seccomp(SET_MODE_FILTER)"),
            // They are named before.
            Self::Mount(_) | Self::MountUnprotected(..) | Self::Act(_) => Rare::NONE,
        }
    }

    /// What it does, and why.
    pub(super) fn describe<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        let plain = self.plain_words();
        if !plain.is_empty() {
            return text.say(plain);
        }
        match self {
            Self::MapCaller { users, groups } => describe_maps(text, users, groups),
            Self::Join(join) => {
                text.say(rare!("enter the ")).push(name_of(join.kind)).say(rare!(" namespace "));
                text.push_name(join.path.to_bytes())
            }
            Self::MakeTime(offsets) => {
                text.say(rare!("clocks of its own"));
                for line in parts(offsets, b'\n').filter(|line| !line.is_empty()) {
                    text.push("; ").push_name(line);
                }
                text
            }
            Self::SetOomScore(score) => text
                .say(rare!("be killed for memory as readily as "))
                .push_name(score)
                .say(rare!(" says")),
            Self::SetNames(host, domain) => {
                describe_name(text, rare!("be called "), *host);
                let before = if host.is_some() {
                    rare!(", in the domain ")
                } else {
                    rare!("be in the domain ")
                };
                describe_name(text, before, *domain)
            }
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
            | Self::MountDevices(..)
            | Self::MountTaken(..)
            | Self::MakeDirectory(_)
            | Self::Mask(_)
            | Self::Protect(_) => self.describe_root(text),
            _ => self.describe_process(text),
        }
    }

    /// Those in which nothing is named: a table.
    #[inline(never)]
    fn plain_words(&self) -> Rare {
        match self {
            Self::AwaitLauncher => rare!("wait until the launcher has done that"),
            Self::MakeNamespaces(_) => rare!("the other namespaces, which belong to that one"),
            Self::EnterTime => rare!("enter them, as before Linux 6.2 no exec does"),
            Self::Hide => rare!("nobody may trace this process or look into it"),
            Self::BringLoopbackUp => rare!("bring the loopback interface up"),
            Self::ConfigureLink(_) => rare!("bring eth0 up, with its addresses and routes"),
            Self::MakeDefaultNodes(_) => {
                rare!("the devices and links in /dev that every program expects")
            }
            Self::SetPropagation(_) => rare!("pass mounts in the root on as it is asked for"),
            Self::ShowResolver => rare!("the host's /etc/resolv.conf, if the root has none"),
            Self::ProtectRoot => {
                rare!("make the root read-only, now that its mount points are there")
            }
            Self::OpenTerminal(_) => {
                rare!("a terminal in its own /dev/pts; the launcher gets the other end")
            }
            Self::Limit(_) => rare!("limit what it uses"),
            Self::Nice(_) => rare!("give way to others"),
            Self::Processors(_) => rare!("run on these processors only"),
            Self::KeepCapabilities(_) => rare!("give the other capabilities up"),
            Self::NoNewPrivileges => rare!("no setuid program gives any of them back"),
            Self::RestrictFiles => rare!("reach no files but those below the root"),
            Self::EnterRoot => {
                rare!("make it /, and detach the old root: no name leads to the host")
            }
            Self::DieWithLauncher(_) => rare!("be killed when the launcher dies"),
            _ => Rare::NONE,
        }
    }

    fn describe_root<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        match self {
            Self::TakeVolume(_, volume) => {
                text.say(rare!("take the mounts of ")).push_name(volume.source.to_bytes());
                text.say(rare!(" while they are shared with the host"))
            }
            Self::MakeMountsPrivate { sees_new_mounts: false } => {
                text.say(rare!("make all mounts private: none made here shows on the host"))
            }
            Self::MakeMountsPrivate { sees_new_mounts: true } => {
                text.say(rare!("no mount made here shows on the host; those made there are seen"))
            }
            Self::PrepareRoot { directory, access, attributes } => {
                text.say(rare!("make ")).push_name(directory.to_bytes());
                text.say(rare!(" a mount of its own, as pivot_root asks"));
                if *access == Access::ReadOnly {
                    text.say(rare!("; read-only below it"));
                }
                text.say(if attributes.is_empty() {
                    Rare::NONE
                } else {
                    rare!("; no devices in it")
                })
            }
            Self::PreparePrograms { pieces, .. } => {
                text.say(rare!("memory as the root, with these files of the host, read-only:"));
                for piece in *pieces {
                    if let Piece::File(path) = piece {
                        text.push(" ").push_name(path.to_bytes());
                    }
                }
                text
            }
            Self::PrepareOverlay { lower, upper, .. } => {
                text.say(rare!("lay "));
                match upper {
                    Upper::Memory => text.say(rare!("memory")),
                    Upper::Kept(directory) => text.push_name(directory.to_bytes()),
                };
                text.say(rare!(" over "));
                describe_paths(text, lower).say(match upper {
                    Upper::Memory => rare!(": what is written is gone in the end"),
                    Upper::Kept(_) => rare!(": what is written is kept there"),
                })
            }
            Self::TakeEntry(_, mount) => {
                text.say(rare!("take what is to be shown as ")).push_name(mount.target.to_bytes());
                text.say(rare!(" while it is shared with the host"))
            }
            Self::Mount(mount) | Self::MountTaken(_, mount) | Self::MountUnprotected(_, mount) => {
                describe_mount(mount, text)
            }
            Self::ProtectMount(_, target) => {
                text.say(rare!("make ")).push_name(target.to_bytes());
                text.say(rare!(" read-only, now that all is in it"))
            }
            Self::MakeNode(node) => {
                text.say(rare!("make the device ")).push_name(node.path.to_bytes())
            }
            Self::MountDevices(target, devices) => {
                text.say(rare!("a small ")).push_name(target.to_bytes());
                text.say(if devices.made {
                    rare!(": new devices")
                } else {
                    rare!(": the host's devices")
                });
                text.say(rare!(" that every program expects, new terminals"))
            }
            Self::MakeDirectory(path) => text
                .say(rare!("make "))
                .push_name(path.to_bytes())
                .say(rare!(", if it is not there")),
            Self::Mask(paths) => {
                describe_paths(text.say(rare!("hide, where it is there: ")), paths)
            }
            Self::Protect(paths) => describe_paths(text.say(rare!("make read-only: ")), paths),
            _ => text,
        }
    }

    fn describe_process<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        match self {
            Self::GiveStreams(user) => {
                text.say(rare!("give the standard streams to user ")).push_number((*user).into())
            }
            Self::CloseDescriptors { first } => {
                text.say(rare!("close descriptors from ")).push_number((*first).into());
                text.say(rare!(" on: none leads to the host"))
            }
            Self::ChangeDirectory(directory) => {
                text.say(rare!("start in ")).push_name(directory.to_bytes())
            }
            Self::BoundCapabilities(kept) => {
                text.say(rare!("no program inside ever has more than these capabilities: "));
                describe_capabilities(text, kept.bits())
            }
            Self::SetGroups([]) => text.say(rare!("without supplementary groups")),
            Self::SetGroups(groups) => {
                text.say(rare!("supplementary groups"));
                for group in *groups {
                    text.push(" ").push_number(group.as_raw().into());
                }
                text
            }
            Self::SwitchUser(user) => {
                text.say(rare!("become user ")).push_number(user.user.into());
                text.say(rare!(", group ")).push_number(user.group.into())
            }
            Self::SetUmask(mask) => {
                text.say(rare!("new files do not have these permissions: "));
                let bits = mask.bits();
                for shift in [6, 3, 0] {
                    text.push_number((bits >> shift & 7).into());
                }
                text
            }
            Self::Filter(program) => {
                text.say(rare!("make only the system calls that a filter allows ("));
                text.push_number(program.instructions.len() as u64).say(rare!(" instructions)"))
            }
            _ => text,
        }
    }
}

fn mount_calls(mount: &Mount<'_>) -> Rare {
    match &mount.what {
        Mounted::Volume(volume) if *volume == Volume::of(volume.source) => {
            rare!("openat2, open_tree, move_mount")
        }
        Mounted::Entry(entry) if entry.bind.is_none() => {
            rare!("openat2, fsopen, fsmount, move_mount")
        }
        Mounted::Volume(_) | Mounted::Entry(_) => {
            rare!("openat2, open_tree, mount_setattr, move_mount")
        }
        Mounted::Changed(_) => rare!("openat2, mount_setattr"),
        Mounted::Device(_) | Mounted::Devices => rare!("openat2, open_tree, move_mount"),
        Mounted::FileSystem(_) => rare!("openat2, fsopen, fsmount, move_mount"),
    }
}

fn describe_mount<'t>(mount: &Mount<'_>, text: &'t mut Text) -> &'t mut Text {
    let target = mount.target.to_bytes();
    match &mount.what {
        Mounted::Volume(volume) => {
            text.say(rare!("show "))
                .push_name(volume.source.to_bytes())
                .say(rare!(" as "))
                .push_name(target);
            let is_marked = volume.attributes.contains(MountAttrFlags::MOUNT_ATTR_RDONLY);
            if volume.access == Access::ReadOnly || is_marked {
                text.say(rare!(", read-only"));
            }
            text
        }
        Mounted::Device(source) => {
            text.say(rare!("show the device ")).push_name(source.to_bytes());
            text.say(rare!(" as ")).push_name(target)
        }
        Mounted::FileSystem(wanted) if wanted.kind == c"tmpfs" => {
            text.say(rare!("an empty directory in memory at ")).push_name(target)
        }
        Mounted::FileSystem(wanted) => {
            text.push("a ").push_name(wanted.kind.to_bytes());
            text.say(rare!(" of its own at ")).push_name(target)
        }
        Mounted::Entry(entry) => text
            .say(rare!("mount "))
            .push_name(entry.source.to_bytes())
            .say(rare!(" on "))
            .push_name(target),
        Mounted::Changed(_) => text.say(rare!("change the attributes of ")).push_name(target),
        Mounted::Devices => text,
    }
}

pub(super) fn describe_maps<'t>(text: &'t mut Text, users: &[u8], groups: &[u8]) -> &'t mut Text {
    text.say(rare!("map ids (inside, outside, count): users "));
    describe_lines(text, users).say(rare!(", groups "));
    describe_lines(text, groups)
}

/// The lines of an id map in one.
fn describe_lines<'t>(text: &'t mut Text, lines: &[u8]) -> &'t mut Text {
    for (index, line) in parts(lines, b'\n').filter(|line| !line.is_empty()).enumerate() {
        text.push(if index > 0 { " + " } else { "" }).push_name(line);
    }
    text
}

fn describe_name<'t>(text: &'t mut Text, before: Rare, name: Option<&CStr>) -> &'t mut Text {
    match name {
        Some(name) => text.say(before).push_name(name.to_bytes()),
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
    if text.len() == start { text.say(rare!("none")) } else { text }
}

fn name_of(kind: Namespaces) -> &'static str {
    KINDS.iter().find(|entry| entry.2 == kind).map_or("", |entry| entry.0)
}
