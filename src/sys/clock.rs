//! The time since some moment, by the system call: reading it without one takes more code than all
//! that is to be timed here.
#![allow(unsafe_code)]

use super::architecture;
use core::ptr::from_mut;
use linux_raw_sys::general::{__NR_clock_gettime, CLOCK_MONOTONIC, CLOCK_REALTIME};

/// Seconds and nanoseconds since the beginning of 1970; `clock_gettime(2)`, `CLOCK_REALTIME`.
#[must_use]
pub fn now() -> (i64, i64) {
    let [seconds, nanoseconds] = read(CLOCK_REALTIME);
    (seconds, nanoseconds)
}

/// Milliseconds on a clock that is never set; `clock_gettime(2)`, `CLOCK_MONOTONIC`.
#[must_use]
pub fn milliseconds() -> i64 {
    let [seconds, nanoseconds] = read(CLOCK_MONOTONIC);
    seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)
}

fn read(clock: u32) -> [i64; 2] {
    let mut time = [0_i64; 2];
    let arguments = [clock as usize, from_mut(&mut time).expose_provenance(), 0, 0, 0];
    // SAFETY: room for the two words of a `timespec`; it cannot fail for these clocks.
    unsafe { architecture::syscall(__NR_clock_gettime, arguments) };
    time
}
