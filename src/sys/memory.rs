//! The memory of a process that has nothing to do for long.
#![allow(unsafe_code)]

use rustix::mm::{Advice, madvise};

/// What the kernel maps in at once around what is needed: a page alone.
const PIECE_BYTES: usize = PAGE_BYTES;

unsafe extern "C" {
    /// Where the file begins in memory, and where its code ends; the linker knows.
    static __ehdr_start: u8;
    static etext: u8;
}

const PAGE_BYTES: usize = 4096;

/// Lets go of the stack below what is in use, where earlier and deeper calls were; madvise(2).
#[inline(never)]
fn shed_stack() {
    /// More than the call of madvise(2) itself uses.
    const MARGIN_BYTES: usize = PAGE_BYTES;
    /// Less than any stack has.
    const DEPTH_BYTES: usize = 96 * 1024;
    let here = 0_u8;
    let end = ((&raw const here).addr() - MARGIN_BYTES) & !(PAGE_BYTES - 1);
    let start = core::ptr::with_exposed_provenance_mut(end - DEPTH_BYTES);
    // SAFETY: nothing lives below the frame of the function that runs; what is not mapped there is
    // refused, and what is, is zero when it is used again.
    let _ = unsafe { madvise(start, DEPTH_BYTES, Advice::LinuxDontNeed) };
}

/// Lets go of memory that is not needed to wait: unused stack, and the code and constants, which are
/// in the file. What is needed of them comes back, and since the kernel maps in no more than is
/// advised alike, in small pieces; madvise(2).
pub fn shed() {
    shed_stack();
    let start = (&raw const __ehdr_start).addr();
    // The last page has nothing behind the code: data begin on one of their own.
    let end = (&raw const etext).addr().next_multiple_of(PAGE_BYTES);
    let mut place = start;
    let mut is_random = false;
    while place < end {
        let bytes = PIECE_BYTES.min(end - place);
        let piece = core::ptr::with_exposed_provenance_mut(place);
        let advice = if is_random { Advice::Random } else { Advice::Normal };
        // SAFETY: code and constants, which nobody has changed; the advice says how they are read.
        let _ = unsafe { madvise(piece, bytes, advice) };
        place += bytes;
        is_random = !is_random;
    }
    let code = core::ptr::with_exposed_provenance_mut(start);
    // SAFETY: as above; pages that were let go are read from the file again.
    let _ = unsafe { madvise(code, end - start, Advice::LinuxDontNeed) };
}
