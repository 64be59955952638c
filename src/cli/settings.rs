//! The options that were typed, each checked as it comes.

use super::options::{Entry, Name};
use super::parse::Purpose;
use super::words::{option_error, usage};
use crate::container::{
    Clocks, Container, Filter, IdMap, IdRange, Join, Limit, Mount, MountError, Mounted, Network,
    capabilities, keep, kinds, number, processors, signal,
};
use crate::error::Error;
use crate::kernel::filesystem::FileSystem;
use crate::rare::Rare;
use crate::sys::namespaces::Namespaces;
use crate::text::{Text, cut, parts, word};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fs::Mode;
use rustix::process::Gid;
use rustix::thread::CapabilitySet;

/// The options so far: a container as far as they describe it, and what is asked for besides.
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(Default)]
pub struct Settings<'a> {
    pub container: Container<'a>,
    pub rootfs: Option<&'a CStr>,
    pub programs: Option<&'a CStr>,
    pub image: Option<&'a CStr>,
    pub platform: Option<&'a CStr>,
    pub tag: Option<&'a CStr>,
    pub keep: Option<&'a CStr>,
    pub entrypoint: Option<&'a CStr>,
    pub quiet: bool,
    pub read_only: bool,
    pub workdir: Option<&'a CStr>,
    pub environment: Vec<&'a CStr>,
    pub clear_environment: bool,
    pub user: Option<&'a CStr>,
    pub all: bool,
    pub isolated: Namespaces,
    pub shared: Namespaces,
    pub has_network: bool,
    pub added: Option<CapabilitySet>,
    pub dropped: Option<CapabilitySet>,
    pub no_new_privileges: Option<bool>,
    pub filter: Option<Filter<'a>>,
    pub unmasked: Vec<&'a CStr>,
    pub purpose: Purpose,
}

impl<'a> Settings<'a> {
    /// Takes in one option.
    pub fn set(&mut self, entry: &Entry, value: &'a CStr) -> Result<(), Error<'a>> {
        let taken = self.take(entry.name, value);
        taken.map_err(|why| option_value_error(entry, value, why))
    }

    fn take(&mut self, name: Name, value: &'a CStr) -> Result<(), Rare> {
        if let Some(flag) = self.flag(name) {
            *flag = true;
        } else if let Some(text) = self.text(name) {
            *text = Some(not_empty(value)?);
        } else {
            return self.take_value(name, value);
        }
        Ok(())
    }

    /// What an option without a value switches on.
    fn flag(&mut self, name: Name) -> Option<&mut bool> {
        Some(match name {
            Name::Quiet => &mut self.quiet,
            Name::ReadOnly => &mut self.read_only,
            Name::Ephemeral => &mut self.container.root.ephemeral,
            Name::ClearEnv => &mut self.clear_environment,
            Name::Tty => &mut self.container.process.terminal,
            Name::Init => &mut self.container.process.init,
            Name::All => &mut self.all,
            Name::NoNestedUserns => &mut self.container.security.no_nested_users,
            _ => return None,
        })
    }

    /// Where a value goes as it is; it is not empty.
    fn text(&mut self, name: Name) -> Option<&mut Option<&'a CStr>> {
        Some(match name {
            Name::Rootfs => &mut self.rootfs,
            Name::Programs => &mut self.programs,
            Name::Image => &mut self.image,
            Name::Platform => &mut self.platform,
            Name::Tag => &mut self.tag,
            Name::Keep => &mut self.keep,
            Name::Workdir => &mut self.workdir,
            Name::User => &mut self.user,
            Name::Hostname => &mut self.container.isolation.hostname,
            Name::Domainname => &mut self.container.isolation.domainname,
            _ => return None,
        })
    }

    fn take_value(&mut self, name: Name, value: &'a CStr) -> Result<(), Rare> {
        let bytes = value.to_bytes();
        match name {
            Name::Volume => self.add_mount(Mount::volume(value))?,
            Name::Tmpfs => self.add_mount(Mount::tmpfs(value))?,
            Name::Device => self.add_mount(Mount::device(value))?,
            Name::Proc => {
                self.add_mount(Mount::at(value, Mounted::FileSystem(FileSystem::PROC)))?;
            }
            Name::Dev => self.add_mount(Mount::at(value, Mounted::Devices))?,
            Name::Env => match bytes {
                [] | [b'=', ..] => return Err(OTHER_FORM),
                _ => self.environment.push(value),
            },
            // Empty, it takes the image's own away.
            Name::Entrypoint => self.entrypoint = Some(value),
            Name::Explain => self.purpose = Purpose::Explain,
            // Answered before they get here.
            Name::Help | Name::Version => {}
            _ => return self.set_isolation(name, value),
        }
        Ok(())
    }

    fn set_isolation(&mut self, name: Name, value: &'a CStr) -> Result<(), Rare> {
        let bytes = value.to_bytes();
        let isolation = &mut self.container.isolation;
        match name {
            Name::Isolate => add_kinds(&mut self.isolated, bytes)?,
            Name::Share => add_kinds(&mut self.shared, bytes)?,
            Name::Join => {
                let join = Join::parse(value).ok_or(OTHER_FORM)?;
                if isolation.joined.iter().any(|other| other.kind == join.kind) {
                    return Err(rare!("only one namespace of a kind can be joined"));
                }
                isolation.joined.push(join);
            }
            Name::Network => {
                isolation.network = Network::parse(value).ok_or(OTHER_FORM)?;
                self.has_network = true;
            }
            Name::TimeOffset => isolation.clocks = Clocks::parse(value).ok_or(OTHER_FORM)?,
            Name::MapUsers => add_ids(&mut isolation.users, bytes)?,
            Name::MapGroups => add_ids(&mut isolation.groups, bytes)?,
            _ => return self.set_security(name, value),
        }
        Ok(())
    }

    fn set_security(&mut self, name: Name, value: &'a CStr) -> Result<(), Rare> {
        let bytes = value.to_bytes();
        match name {
            Name::CapAdd => add_capabilities(&mut self.added, bytes)?,
            Name::CapDrop => add_capabilities(&mut self.dropped, bytes)?,
            Name::SecurityOpt => self.set_security_option(bytes)?,
            _ => return self.set_process(name, value),
        }
        Ok(())
    }

    fn set_process(&mut self, name: Name, value: &'a CStr) -> Result<(), Rare> {
        let bytes = value.to_bytes();
        let process = &mut self.container.process;
        match name {
            Name::GroupAdd => {
                let group = number(bytes).filter(|group| *group != u32::MAX);
                let group = Gid::from_raw(group.ok_or(OTHER_FORM)?);
                process.groups.get_or_insert_default().push(group);
            }
            Name::StopSignal => process.stop_signal = Some(signal(bytes).ok_or(OTHER_FORM)?),
            Name::PreserveFds => {
                let count = number(bytes).filter(|count| *count <= DESCRIPTORS_MAX);
                process.preserved_descriptors = count.ok_or(OTHER_FORM)?;
            }
            Name::Ulimit => process.limits.push(Limit::parse(bytes).ok_or(OTHER_FORM)?),
            Name::Umask => process.umask = Some(mode(bytes).ok_or(OTHER_FORM)?),
            Name::OomScoreAdj => {
                signed(bytes, -1000, 1000).ok_or(OTHER_FORM)?;
                process.oom_score = Some(value);
            }
            Name::Nice => process.nice = Some(signed(bytes, -20, 19).ok_or(OTHER_FORM)?),
            Name::Cpuset => process.processors = Some(processors(bytes).ok_or(OTHER_FORM)?),
            Name::Timeout => {
                let seconds = number(bytes).filter(|seconds| *seconds > 0);
                process.timeout = Some(seconds.ok_or(OTHER_FORM)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn set_security_option(&mut self, value: &[u8]) -> Result<(), Rare> {
        let (name, setting) = cut(value, b'=');
        let is_on = match setting.map(word) {
            None | Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => None,
        };
        let setting = setting.ok_or(OTHER_FORM);
        match word(name) {
            "no-new-privileges" if is_on.is_some() => self.no_new_privileges = is_on,
            "landlock" if is_on == Some(true) => self.container.security.landlock = true,
            "seccomp" if setting != Ok(b"") => {
                let path = setting?;
                self.filter = match word(path) {
                    "unconfined" => Some(Filter::None),
                    "default" => Some(Filter::Default),
                    _ => keep(path).map(Filter::Profile),
                };
            }
            "mask" => add_paths(&mut self.container.security.masked, setting?),
            "unmask" => add_paths(&mut self.unmasked, setting?),
            _ => return Err(OTHER_FORM),
        }
        Ok(())
    }

    fn add_mount(&mut self, mount: Result<Mount<'a>, MountError>) -> Result<(), Rare> {
        if !insert_mount(&mut self.container.mounts, mount.map_err(mount_refusal)?) {
            return Err(rare!("something is mounted there already"));
        }
        Ok(())
    }
}

/// Puts a mount before those that are deeper; those that are as deep stay in the user's order. False
/// if there is one at its place.
pub fn insert_mount<'a>(mounts: &mut Vec<Mount<'a>>, mount: Mount<'a>) -> bool {
    if mounts.iter().any(|other| other.is_at_the_place_of(&mount)) {
        return false;
    }
    mounts.push(mount);
    let mut rest = &mut **mounts;
    while let [.., before, last] = rest
        && before.depth() > last.depth()
    {
        core::mem::swap(before, last);
        let length = rest.len() - 1;
        rest = rest.split_at_mut(length).0;
    }
    true
}

/// More than any process can have; the kernel's `fs.nr_open` cannot be set higher.
const DESCRIPTORS_MAX: u32 = 1 << 30;

pub fn not_empty(value: &CStr) -> Result<&CStr, Rare> {
    if value.is_empty() { Err(OTHER_FORM) } else { Ok(value) }
}

#[inline(never)]
fn add_kinds(set: &mut Namespaces, list: &[u8]) -> Result<(), Rare> {
    *set = set.and(kinds(list).ok_or(UNKNOWN_KIND)?);
    Ok(())
}

#[inline(never)]
pub fn add_ids(map: &mut IdMap, text: &[u8]) -> Result<(), Rare> {
    if text == b"auto" {
        *map = IdMap::Auto;
        return Ok(());
    }
    let range = IdRange::parse(text).ok_or(OTHER_FORM)?;
    let mut ranges = match map {
        IdMap::Ranges(ranges) => ranges.to_vec(),
        _ => Vec::new(),
    };
    ranges.push(range);
    *map = IdMap::Ranges(ranges.leak());
    Ok(())
}

#[inline(never)]
fn add_capabilities(set: &mut Option<CapabilitySet>, list: &[u8]) -> Result<(), Rare> {
    let more = capabilities(list).ok_or(UNKNOWN_CAPABILITY)?;
    *set = Some(set.unwrap_or(CapabilitySet::empty()) | more);
    Ok(())
}

/// Paths with colons between them, as Podman has it.
#[inline(never)]
fn add_paths(paths: &mut Vec<&CStr>, text: &[u8]) {
    paths.extend(parts(text, b':').filter_map(keep).map(|path| path as &CStr));
}

#[inline(never)]
fn signed(text: &[u8], least: i32, most: i32) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    let value = i32::try_from(number(digits)?).ok()?.checked_mul(sign)?;
    (least <= value && value <= most).then_some(value)
}

/// Permissions in octal digits.
fn mode(text: &[u8]) -> Option<Mode> {
    let is_octal = text.iter().all(|digit| (b'0'..=b'7').contains(digit));
    if text.is_empty() || text.len() > 4 || !is_octal {
        return None;
    }
    let bits = text.iter().fold(0, |bits, digit| bits << 3 | u32::from(digit - b'0'));
    (bits <= 0o777).then(|| Mode::from_raw_mode(bits))
}

/// What is wrong with a value, with the option's own name in front of it.
pub fn option_value_error<'a>(entry: &Entry, value: &CStr, why: Rare) -> Error<'a> {
    let mut typed = Text::new();
    typed.push_raw(entry.long()).push(" '").push_name(value.to_bytes()).push("'");
    option_error(typed.leak(), why, usage(entry))
}

pub const OTHER_FORM: Rare = rare!("the value is of another form");
const UNKNOWN_KIND: Rare = rare!("there is no such isolation");
const UNKNOWN_CAPABILITY: Rare = rare!("there is no such capability");

fn mount_refusal(error: MountError) -> Rare {
    match error {
        MountError::Form => OTHER_FORM,
        MountError::Option => {
            rare!(
                "a volume has no such option (ro, rw, nosuid, nodev, noexec, bind, rbind, private, \
             slave, shared, idmap, U)"
            )
        }
        MountError::TmpfsOption => {
            rare!(
                "a tmpfs has no such option (size=, nr_inodes=, mode=, uid=, gid=, ro, exec, suid, dev)"
            )
        }
        MountError::Relative => rare!("the place inside the container begins with a slash"),
        MountError::Root => rare!("that place is the root itself, which --rootfs names"),
        MountError::DeviceAccess => {
            rare!("a device can be had with rwm only: less takes a device cgroup")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_ranges() {
        assert_eq!(signed(b"-20", -20, 19), Some(-20));
        assert_eq!(signed(b"20", -20, 19), None);
        assert_eq!(signed(b"--1", -20, 19), None);
        assert_eq!(mode(b"0027"), Some(Mode::from_raw_mode(0o27)));
        for wrong in ["", "8", "1777", "00022", "u+x"] {
            assert_eq!(mode(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
