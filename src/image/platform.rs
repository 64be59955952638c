//! For which machine an image is: `OS/ARCHITECTURE[/VARIANT]`, in the names of the language Go;
//! OCI image specification, "Platform".

use crate::json::{Object, text};
use crate::text::{Text, parts, word};

/// What an image says about its machine; what it does not say is empty.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Platform<'a> {
    os: &'a [u8],
    architecture: &'a [u8],
    variant: &'a [u8],
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: &[u8] = b"amd64";
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: &[u8] = b"arm64";

impl<'a> Platform<'a> {
    /// This machine's.
    pub const HERE: Platform<'static> =
        Platform { os: b"linux", architecture: ARCHITECTURE, variant: b"" };

    /// Reads what was typed. An architecture alone is one of Linux; the kernel's names for them are
    /// known, too.
    #[must_use]
    pub fn parse(typed: &'a [u8]) -> Option<Self> {
        let mut fields = parts(typed, b'/');
        let first = fields.next()?;
        let (os, architecture) = match fields.next() {
            Some(second) => (first, second),
            None => (&b"linux"[..], first),
        };
        let variant = fields.next().unwrap_or_default();
        let architecture = match word(architecture) {
            "x86_64" => b"amd64",
            "aarch64" => b"arm64",
            _ => architecture,
        };
        let is_whole = !os.is_empty() && !architecture.is_empty() && fields.next().is_none();
        is_whole.then_some(Self { os, architecture, variant })
    }

    /// Reads it from the members of a descriptor's `platform`, or of an image's configuration.
    #[must_use]
    pub fn of(object: &'a Object<'_>) -> Self {
        let field = |name| text(object, name).as_bytes();
        Self { os: field("os"), architecture: field("architecture"), variant: field("variant") }
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        let is_unknown = |name: &[u8]| name.is_empty() || name == b"unknown";
        is_unknown(self.os) && is_unknown(self.architecture)
    }

    /// Whether an image of this platform is one for `wanted`; of a variant, only if one is wanted.
    #[must_use]
    pub fn is(&self, wanted: &Platform<'_>) -> bool {
        let is_variant = wanted.variant.is_empty()
            || self.variant == wanted.variant
            // Of 64-bit arm, the eighth is the first.
            || (self.architecture == b"arm64" && self.variant.is_empty() && wanted.variant == b"v8");
        self.os == wanted.os && self.architecture == wanted.architecture && is_variant
    }

    /// As it is typed.
    pub fn push_to<'t>(&self, text: &'t mut Text) -> &'t mut Text {
        text.push_name(self.os).push("/").push_name(self.architecture);
        if self.variant.is_empty() { text } else { text.push("/").push_name(self.variant) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_a_system_and_an_architecture() {
        let arm = Platform::parse(b"linux/arm/v7").unwrap();
        assert_eq!(
            (arm.os, arm.architecture, arm.variant),
            (&b"linux"[..], &b"arm"[..], &b"v7"[..])
        );
        assert_eq!(Platform::parse(b"amd64"), Platform::parse(b"linux/x86_64"));
        for wrong in ["", "/", "linux/", "a/b/c/d"] {
            assert_eq!(Platform::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_variant_counts_where_one_is_wanted() {
        let parse = |text: &'static str| Platform::parse(text.as_bytes()).unwrap();
        assert!(parse("linux/arm/v7").is(&parse("linux/arm")));
        assert!(!parse("linux/arm/v6").is(&parse("linux/arm/v7")));
        assert!(parse("arm64").is(&parse("linux/arm64/v8")));
        assert!(!parse("arm64").is(&parse("amd64")));
        assert!(!parse("windows/amd64").is(&parse("amd64")));
    }
}
