//! How a container reaches a network.

use super::keep;
use core::ffi::CStr;

/// What is in the container's network namespace.
pub enum Network<'a> {
    /// Loopback alone.
    None,
    /// The host's: it is not isolated.
    Host,
    /// An existing namespace.
    Join(&'a CStr),
    /// What `pasta` brings.
    Pasta,
}

impl Network<'_> {
    /// Whether names of the outside are looked up through it.
    #[must_use]
    pub fn needs_resolver(&self) -> bool {
        matches!(self, Self::Pasta)
    }

    /// Reads it.
    #[must_use]
    pub fn parse(text: &CStr) -> Option<Network<'static>> {
        match text.to_bytes() {
            b"none" => Some(Network::None),
            b"host" => Some(Network::Host),
            b"pasta" => Some(Network::Pasta),
            other => {
                other.strip_prefix(b"ns:").and_then(|path| keep(path.to_vec())).map(Network::Join)
            }
        }
    }
}
