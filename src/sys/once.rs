//! A value that is made when it is first asked for, and kept until the process ends.
//!
//! # Safety
//!
//! The pointer is null, or comes from `Box::leak` and is never freed, so what it points to can be
//! shared for as long as the process lives.
#![allow(unsafe_code, reason = "a static that is filled later has a pointer in it")]

use alloc::boxed::Box;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// The value, once it is there.
pub struct Once<T: 'static>(AtomicPtr<T>);

impl<T: Sync> Once<T> {
    /// Not there yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// The value. Where two threads make it at once, each has its own, and a later one has either: to
    /// settle that takes an instruction that aarch64 has from version 8.1 on.
    pub fn get(&self, make: impl FnOnce() -> T) -> &'static T {
        // SAFETY: it is null, or was leaked below, and nobody writes to it.
        let there = unsafe { self.0.load(Ordering::Acquire).as_ref() };
        there.unwrap_or_else(|| {
            let new = Box::leak(Box::new(make()));
            self.0.store(ptr::from_mut(new), Ordering::Release);
            new
        })
    }
}

impl<T: Sync> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_kept() {
        static NUMBER: Once<u32> = Once::new();
        let first = NUMBER.get(|| 7);
        assert_eq!((*first, *NUMBER.get(|| unreachable!())), (7, 7));
        let threads =
            [1, 2, 3].map(|_| std::thread::spawn(|| ptr::from_ref(NUMBER.get(|| 8)).addr()));
        for thread in threads {
            assert_eq!(thread.join().unwrap(), ptr::from_ref(first).addr());
        }
    }
}
