//! What happens on a panic: one line, in a debug build with the place in the source, and status 125.
//!
//! # Safety
//!
//! `rust_eh_personality` and `_Unwind_Resume` are names that a debug build of `core` refers to.
//! With `panic = "abort"` nothing ever calls them.
#![allow(unsafe_code)]

use core::panic::PanicInfo;
use mini_container::error::status;
use mini_container::exit;
use mini_container::sys::files::standard_error;
use rustix::path::DecInt;

/// Inlined into its callers in `core`, which then see that the message is not used: neither it nor
/// what could format it ends up in the file, and in a release the places in the source do not either.
#[panic_handler]
#[allow(
    unused_attributes,
    clippy::inline_always,
    reason = "rustc says that it ignores this, but it tells LLVM"
)]
#[inline(always)]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(place) if cfg!(debug_assertions) => report(place.file(), place.line()),
        _ => report("a release", 0),
    }
}

/// Says it without the heap, which may be what has failed.
#[cold]
#[inline(never)]
fn report(file: &str, line: u32) -> ! {
    let line = DecInt::new(line);
    let words: [&[u8]; 5] = [
        b"mini-container: out of memory, or an internal error in ",
        file.as_bytes(),
        b", line ",
        line.as_bytes(),
        b"\n",
    ];
    for part in words {
        // Where standard error is closed or full, the exit status has to do.
        let _ = rustix::io::write(standard_error(), part);
    }
    exit(status::FAILED)
}

#[cfg(debug_assertions)]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[cfg(debug_assertions)]
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() {}
