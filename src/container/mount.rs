//! What is mounted inside the root: volumes from the host, and file systems in memory.

use super::keep;
use crate::kernel::mounts::Access;
use crate::text::{cut, parts};
use core::ffi::CStr;

/// One mount that the user asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Mount<'a> {
    /// A file or directory of the host.
    Volume {
        /// On the host; relative to the caller's working directory.
        source: &'a CStr,
        /// In the container; absolute.
        target: &'a CStr,
        /// Whether the program can write to it.
        access: Access,
    },
    /// An empty directory in memory.
    Tmpfs {
        /// In the container; absolute.
        target: &'a CStr,
    },
}

/// What is wrong with a description of a mount.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum MountError {
    /// Not `SRC:DST` or `SRC:DST:OPTIONS`; not `DST`.
    Form,
    /// An option that there is not.
    Option,
    /// The place in the container does not begin with a slash.
    Relative,
    /// The place in the container is the root.
    Root,
}

impl<'a> Mount<'a> {
    /// Reads `SRC:DST[:ro|rw]`.
    ///
    /// # Errors
    ///
    /// What the text is not.
    pub fn volume(text: &CStr) -> Result<Mount<'static>, MountError> {
        let (source, rest) = cut(text.to_bytes(), b':');
        let (target, options) = cut(rest.unwrap_or_default(), b':');
        if source.is_empty() || target.is_empty() {
            return Err(MountError::Form);
        }
        let access = match options {
            None | Some(b"rw") => Access::ReadWrite,
            Some(b"ro") => Access::ReadOnly,
            Some(_) => return Err(MountError::Option),
        };
        check_target(target)?;
        let kept = |part: &[u8]| keep(part.to_vec()).ok_or(MountError::Form);
        Ok(Mount::Volume { source: kept(source)?, target: kept(target)?, access })
    }

    /// Reads `DST`.
    ///
    /// # Errors
    ///
    /// What the text is not.
    pub fn tmpfs(target: &'a CStr) -> Result<Self, MountError> {
        let (place, options) = cut(target.to_bytes(), b':');
        if options.is_some() {
            return Err(MountError::Form);
        }
        check_target(place)?;
        Ok(Self::Tmpfs { target })
    }

    /// Where in the container it is.
    #[must_use]
    pub fn target(&self) -> &'a CStr {
        match self {
            Self::Volume { target, .. } | Self::Tmpfs { target } => target,
        }
    }

    /// How many folders deep it is; a mount must come after the one that its place lies in.
    #[must_use]
    pub fn depth(&self) -> usize {
        components(self.target().to_bytes()).count()
    }

    /// Whether both are at the same place, as far as the names say.
    #[must_use]
    pub fn is_at_the_place_of(&self, other: &Self) -> bool {
        components(self.target().to_bytes()).eq(components(other.target().to_bytes()))
    }
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

    #[test]
    fn a_volume_is_source_target_and_access() {
        let volume = |access| Ok(Mount::Volume { source: c"/usr", target: c"/host/usr", access });
        assert_eq!(Mount::volume(c"/usr:/host/usr"), volume(Access::ReadWrite));
        assert_eq!(Mount::volume(c"/usr:/host/usr:rw"), volume(Access::ReadWrite));
        assert_eq!(Mount::volume(c"/usr:/host/usr:ro"), volume(Access::ReadOnly));
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
    fn a_tmpfs_is_below_the_root() {
        assert_eq!(Mount::tmpfs(c"/tmp"), Ok(Mount::Tmpfs { target: c"/tmp" }));
        assert_eq!(Mount::tmpfs(c"/tmp:size=1m"), Err(MountError::Form));
        assert_eq!(Mount::tmpfs(c"tmp"), Err(MountError::Relative));
        assert_eq!(Mount::tmpfs(c"/"), Err(MountError::Root));
    }

    #[test]
    fn places_are_compared_by_their_components() {
        let place = |target| Mount::Tmpfs { target };
        assert!(place(c"/a//b/").is_at_the_place_of(&place(c"/a/./b")));
        assert!(!place(c"/a/b").is_at_the_place_of(&place(c"/a")));
        assert_eq!(place(c"/a//b/").depth(), 2);
    }
}
