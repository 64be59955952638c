//! The time since some moment, by the system call: reading it without one takes more code than all
//! that is to be timed here.
#![allow(unsafe_code)]

use super::architecture;
use core::ptr::from_mut;
use linux_raw_sys::general::{__NR_clock_gettime, CLOCK_MONOTONIC};

/// Milliseconds on a clock that is never set; `clock_gettime(2)`, `CLOCK_MONOTONIC`.
#[must_use]
pub fn milliseconds() -> i64 {
    let mut time = [0_i64; 2];
    let arguments = [CLOCK_MONOTONIC as usize, from_mut(&mut time).expose_provenance(), 0, 0, 0];
    // SAFETY: room for the two words of a `timespec`; it cannot fail for this clock.
    unsafe { architecture::syscall(__NR_clock_gettime, arguments) };
    let [seconds, nanoseconds] = time;
    seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)
}
