//! Why a layer is not unpacked, before it is known in which entry that was.

use crate::rare::Rare;
use rustix::io::Errno;

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Failure {
    /// The archive is not as it should be: damaged, or made to do harm.
    Archive(Rare),
    /// It is larger than what it may be.
    Limit(Rare),
    /// A system call failed.
    System(Errno),
    /// The process that reads the layer has ended; what it said last.
    Source(u32),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

/// The archive ends where more of it has to be.
pub const CUT_OFF: Failure = Failure::Archive(rare!("the archive ends in the middle of it"));
