//! What is mounted inside the root: volumes and devices of the host, and file systems of its own.

use super::keep;
use super::user::number;
use crate::kernel::entry::Entry;
use crate::kernel::filesystem::FileSystem;
use crate::kernel::mounts::Access;
use crate::kernel::volume::Volume;
use crate::text::{Table, Text, cut, parts, table, word};
use core::ffi::CStr;
use rustix::mount::{MountAttrFlags, MountPropagationFlags};

/// One mount.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Mount<'a> {
    /// Where in the container it is; absolute.
    pub target: &'a CStr,
    /// What it is.
    pub what: Mounted<'a>,
}

/// What a mount shows.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Mounted<'a> {
    /// A file or directory of the host.
    Volume(Volume<'a>),
    /// A device of the host.
    Device(&'a CStr),
    /// A file system of its own.
    FileSystem(FileSystem<'a>),
    /// The devices that every program expects.
    Devices,
    /// What an OCI configuration describes.
    Entry(Entry<'a>),
    /// What is mounted there already, with attributes changed as an OCI configuration describes.
    Changed(Entry<'a>),
}

/// What is wrong with a description of a mount.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum MountError {
    /// Not `SRC:DST` or `SRC:DST:OPTIONS`; not `DST` or `DST:OPTIONS`.
    Form,
    /// An option of a volume that there is not.
    Option,
    /// An option of a tmpfs that there is not, or a value that it cannot have.
    TmpfsOption,
    /// The place in the container does not begin with a slash.
    Relative,
    /// The place in the container is the root.
    Root,
    /// A device with less than all access.
    DeviceAccess,
}

impl<'a> Mount<'a> {
    /// Reads `SRC:DST[:OPTIONS]`.
    ///
    /// # Errors
    ///
    /// What the text is not.
    #[inline(never)]
    pub fn volume(text: &CStr) -> Result<Mount<'static>, MountError> {
        let (source, rest) = cut(text.to_bytes(), b':');
        let (target, options) = cut(rest.unwrap_or_default(), b':');
        if source.is_empty() || target.is_empty() {
            return Err(MountError::Form);
        }
        let mut volume = Volume::of(kept(source)?);
        for option in options.map(|options| parts(options, b',')).into_iter().flatten() {
            set_volume_option(&mut volume, option)?;
        }
        check_target(target)?;
        Ok(Mount { target: kept(target)?, what: Mounted::Volume(volume) })
    }

    /// Reads `DST[:OPTIONS]`.
    ///
    /// # Errors
    ///
    /// What the text is not.
    #[inline(never)]
    pub fn tmpfs(text: &CStr) -> Result<Mount<'static>, MountError> {
        let (target, options) = cut(text.to_bytes(), b':');
        check_target(target)?;
        let mut settings = Text::new();
        let mut attributes = FileSystem::RESTRICTED;
        let mut has_mode = false;
        for option in options.map(|options| parts(options, b',')).into_iter().flatten() {
            if set_attribute(&mut attributes, option) {
                continue;
            }
            let (name, value) = cut(option, b'=');
            check_tmpfs_setting(name, value.unwrap_or_default())?;
            has_mode |= name == b"mode";
            settings.push_part(option);
        }
        if !has_mode {
            settings.push_part(b"mode=1777");
        }
        let tmpfs = FileSystem { kind: c"tmpfs", settings: settings.into_c_str(), attributes };
        Ok(Mount { target: kept(target)?, what: Mounted::FileSystem(tmpfs) })
    }

    /// Reads `PATH[:DST[:rwm]]`.
    ///
    /// # Errors
    ///
    /// What the text is not. Less than `rwm` cannot be had: it takes a device cgroup.
    #[inline(never)]
    pub fn device(text: &CStr) -> Result<Mount<'static>, MountError> {
        let (source, rest) = cut(text.to_bytes(), b':');
        let (target, access) = cut(rest.unwrap_or(source), b':');
        if !matches!(access, None | Some(b"rwm" | b"rw")) {
            return Err(MountError::DeviceAccess);
        }
        if source.is_empty() {
            return Err(MountError::Form);
        }
        check_target(target)?;
        Ok(Mount { target: kept(target)?, what: Mounted::Device(kept(source)?) })
    }

    /// A mount at a place that the user names.
    ///
    /// # Errors
    ///
    /// What is wrong with the place.
    pub fn at(target: &'a CStr, what: Mounted<'a>) -> Result<Self, MountError> {
        check_target(target.to_bytes())?;
        Ok(Self { target, what })
    }

    /// How many folders deep it is; a mount must come after the one that its place lies in.
    #[must_use]
    pub fn depth(&self) -> usize {
        components(self.target.to_bytes()).count()
    }

    /// Whether the other's place lies in this one, as far as the names say.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let mut inner = components(other.target.to_bytes());
        components(self.target.to_bytes()).all(|name| inner.next() == Some(name))
    }

    /// Whether it shows nothing of the host's.
    #[must_use]
    pub fn is_new(&self) -> bool {
        matches!(self.what, Mounted::FileSystem(_) | Mounted::Devices)
    }

    /// Whether its place has this name.
    #[must_use]
    pub fn is_at(&self, path: &CStr) -> bool {
        components(self.target.to_bytes()).eq(components(path.to_bytes()))
    }

    /// Whether what it shows depends on which cgroup the container is in.
    #[must_use]
    pub fn shows_cgroups(&self) -> bool {
        let kind = match &self.what {
            Mounted::Entry(Entry { kind, bind: None, .. }) => kind.to_bytes(),
            _ => b"",
        };
        matches!(word(kind), "cgroup" | "cgroup2")
    }

    /// Whether both are at the same place, as far as the names say.
    #[must_use]
    pub fn is_at_the_place_of(&self, other: &Self) -> bool {
        self.is_at(other.target)
    }
}

fn kept(part: &[u8]) -> Result<&'static CStr, MountError> {
    keep(part).ok_or(MountError::Form)
}

fn set_volume_option(volume: &mut Volume<'_>, option: &[u8]) -> Result<(), MountError> {
    match word(option) {
        "ro" => volume.access = Access::ReadOnly,
        "rw" => volume.access = Access::ReadWrite,
        "rbind" => volume.with_mounts_below = true,
        "bind" => volume.with_mounts_below = false,
        "private" | "rprivate" => volume.propagation = None,
        "slave" | "rslave" => volume.propagation = Some(MountPropagationFlags::DOWNSTREAM),
        "shared" | "rshared" => volume.propagation = Some(MountPropagationFlags::SHARED),
        "idmap" => volume.id_mapped = true,
        "U" => volume.chowned = true,
        "dev" | "nodev" => {
            volume.allows_devices = option == b"dev";
            set_attribute(&mut volume.attributes, option);
        }
        _ if set_attribute(&mut volume.attributes, option) => {}
        _ => return Err(MountError::Option),
    }
    Ok(())
}

/// The options that every mount can have: an attribute, and whether it is set.
const ATTRIBUTES: Table<(MountAttrFlags, bool)> = table! {
    "ro" => (MountAttrFlags::MOUNT_ATTR_RDONLY, true),
    "rw" => (MountAttrFlags::MOUNT_ATTR_RDONLY, false),
    "nosuid" => (MountAttrFlags::MOUNT_ATTR_NOSUID, true),
    "suid" => (MountAttrFlags::MOUNT_ATTR_NOSUID, false),
    "nodev" => (MountAttrFlags::MOUNT_ATTR_NODEV, true),
    "dev" => (MountAttrFlags::MOUNT_ATTR_NODEV, false),
    "noexec" => (MountAttrFlags::MOUNT_ATTR_NOEXEC, true),
    "exec" => (MountAttrFlags::MOUNT_ATTR_NOEXEC, false),
};

/// Takes in one of them; false if it is none.
fn set_attribute(attributes: &mut MountAttrFlags, option: &[u8]) -> bool {
    let Some((flag, is_set)) = ATTRIBUTES.get(option) else { return false };
    attributes.set(*flag, *is_set);
    true
}

/// What tmpfs(5) understands; the rest of what it would refuse, it refuses itself.
fn check_tmpfs_setting(name: &[u8], value: &[u8]) -> Result<(), MountError> {
    let digits = match word(name) {
        "size" | "nr_blocks" | "nr_inodes" => match value {
            [digits @ .., unit] if b"kKmMgG%".contains(unit) => digits,
            digits => digits,
        },
        "mode" if value.iter().all(|digit| (b'0'..=b'7').contains(digit)) => value,
        "uid" | "gid" => value,
        _ => return Err(MountError::TmpfsOption),
    };
    number(digits).map(drop).ok_or(MountError::TmpfsOption)
}

fn check_target(target: &[u8]) -> Result<(), MountError> {
    if target.first() != Some(&b'/') {
        return Err(MountError::Relative);
    }
    match components(target).next() {
        None => Err(MountError::Root),
        Some(_) => Ok(()),
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    parts(path, b'/').filter(|part| !matches!(part, [] | [b'.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(text: &CStr) -> Volume<'static> {
        match Mount::volume(text).unwrap().what {
            Mounted::Volume(volume) => volume,
            other => panic!("{other:?}"),
        }
    }

    fn tmpfs(text: &CStr) -> Result<(&'static CStr, MountAttrFlags), MountError> {
        Mount::tmpfs(text).map(|mount| match mount.what {
            Mounted::FileSystem(tmpfs) => (tmpfs.settings, tmpfs.attributes),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_volume_is_source_target_and_access() {
        let plain = Mount::volume(c"/usr:/host/usr").unwrap();
        assert_eq!(
            plain,
            Mount { target: c"/host/usr", what: Mounted::Volume(Volume::of(c"/usr")) }
        );
        assert_eq!(volume(c"/usr:/host/usr:rw"), Volume::of(c"/usr"));
        assert_eq!(volume(c"/usr:/u:ro").access, Access::ReadOnly);
    }

    #[test]
    fn a_volume_has_options() {
        let options = volume(c"/a:/b:ro,nosuid,nodev,noexec,bind,slave,idmap,U");
        assert_eq!(options.attributes, FileSystem::RESTRICTED);
        assert_eq!(options.propagation, Some(MountPropagationFlags::DOWNSTREAM));
        assert!(!options.with_mounts_below && options.id_mapped && options.chowned);
        assert!(volume(c"/a:/b:dev").allows_devices && !volume(c"/a:/b:dev,nodev").allows_devices);
        let last = volume(c"/a:/b:shared,private,noexec,exec,bind,rbind,ro,rw");
        assert_eq!(last, Volume::of(c"/a"), "the last one counts");
    }

    #[test]
    fn a_volume_of_another_form_is_refused() {
        for text in [c"", c"/usr", c"/usr:", c":/usr", c"/usr::ro"] {
            assert_eq!(Mount::volume(text), Err(MountError::Form), "{text:?}");
        }
        for text in [c"/usr:/x:", c"/usr:/x:RO", c"/usr:/x:ro,Z", c"/usr:/x:ro:rw"] {
            assert_eq!(Mount::volume(text), Err(MountError::Option), "{text:?}");
        }
        assert_eq!(Mount::volume(c"/usr:usr"), Err(MountError::Relative));
        assert_eq!(Mount::volume(c"/usr://./"), Err(MountError::Root));
    }

    #[test]
    fn a_tmpfs_is_below_the_root_and_has_settings() {
        assert_eq!(tmpfs(c"/tmp"), Ok((c"mode=1777", FileSystem::RESTRICTED)));
        let settings = tmpfs(c"/t:size=64m,mode=700,exec,ro").unwrap();
        assert_eq!(settings.0, c"size=64m,mode=700");
        let without_exec = FileSystem::RESTRICTED.difference(MountAttrFlags::MOUNT_ATTR_NOEXEC);
        assert_eq!(settings.1, without_exec.union(MountAttrFlags::MOUNT_ATTR_RDONLY));
        for wrong in [c"/t:size", c"/t:size=x", c"/t:mode=8", c"/t:source=/x", c"/t:size=1m,"] {
            assert_eq!(tmpfs(wrong), Err(MountError::TmpfsOption), "{wrong:?}");
        }
        assert_eq!(tmpfs(c"tmp"), Err(MountError::Relative));
        assert_eq!(tmpfs(c"/"), Err(MountError::Root));
    }

    #[test]
    fn a_device_is_at_its_own_place_or_another() {
        let device = |text| Mount::device(text).map(|mount| (mount.target, mount.what));
        assert_eq!(device(c"/dev/fuse"), Ok((c"/dev/fuse", Mounted::Device(c"/dev/fuse"))));
        assert_eq!(device(c"/dev/a:/dev/b:rwm"), Ok((c"/dev/b", Mounted::Device(c"/dev/a"))));
        assert_eq!(device(c"/dev/a:/dev/b:r"), Err(MountError::DeviceAccess));
        assert_eq!(device(c"dev/a"), Err(MountError::Relative));
    }

    #[test]
    fn places_are_compared_by_their_components() {
        let place = |target| Mount { target, what: Mounted::Device(c"/dev/x") };
        assert!(place(c"/a//b/").is_at_the_place_of(&place(c"/a/./b")));
        assert!(!place(c"/a/b").is_at_the_place_of(&place(c"/a")));
        assert_eq!(place(c"/a//b/").depth(), 2);
        assert!(place(c"/a/").contains(&place(c"/a/b")) && !place(c"/a").contains(&place(c"/ab")));
    }
}
