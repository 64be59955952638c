//! What the launcher does for its child while that waits, since it takes what the child gave up when
//! it was cloned: ids and interfaces of the host.

use crate::container::Link;

/// One thing that the launcher does.
pub enum Assist<'a> {
    /// Give the ids of the child's user namespace a meaning.
    MapIds {
        /// Lines for its `uid_map`.
        users: &'a [u8],
        /// Lines for its `gid_map`.
        groups: &'a [u8],
        /// Whether the launcher has the privilege to write them itself; otherwise newuidmap(1) and
        /// newgidmap(1) do.
        directly: bool,
    },
    /// Make an interface for the child's network namespace.
    Link(&'a Link<'a>),
    /// Have pasta(1) connect the child's network namespace.
    Pasta,
}
