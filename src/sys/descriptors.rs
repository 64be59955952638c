//! Loans of descriptors.
//!
//! Without std, rustix's `as_fd` asks at every loan whether the descriptor is -1, which an owned one
//! never is: three hundred questions, and four kilobytes of code.
#![allow(unsafe_code)]

use core::ptr::from_ref;
use rustix::fd::{BorrowedFd, OwnedFd};

const _: () = assert!(size_of::<OwnedFd>() == size_of::<BorrowedFd<'static>>());

/// What can lend a descriptor: rustix's trait of this name, without the question.
pub trait AsFd {
    /// The descriptor, for as long as its owner is there.
    fn as_fd(&self) -> BorrowedFd<'_>;
}

impl AsFd for OwnedFd {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: each of the two types is declared to be a `RawFd` and nothing else, and the loan ends
        // when `self`'s does.
        unsafe { *from_ref(self).cast() }
    }
}
