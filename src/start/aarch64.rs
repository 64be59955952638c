//! Program start on aarch64: the entry point, the memory functions that compiled code calls, and
//! getauxval(3).
//!
//! # Safety
//!
//! The functions are the C library's of the same name (ISO C 7.24; `bcmp` is POSIX.1-2001), in
//! assembly so that the compiler cannot turn a loop in them into a call to themselves. They use
//! only registers that the AAPCS64 lets a function change.
#![allow(unsafe_code)]

use core::arch::global_asm;
use core::sync::atomic::{AtomicUsize, Ordering};

// _start: a zero frame pointer and link register end back traces.
global_asm!(
    ".globl _start",
    ".hidden _DYNAMIC",
    ".hidden __ehdr_start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "adrp x1, __ehdr_start",
    "add x1, x1, :lo12:__ehdr_start",
    "adrp x2, _DYNAMIC",
    "add x2, x2, :lo12:_DYNAMIC",
    "bl {enter}",
    "brk #1",
    enter = sym super::enter,
);

// Sixteen bytes a step and then the rest one by one; memmove copies downwards when the regions
// overlap that way.
global_asm!(
    ".globl memcpy, memmove, memset, memcmp, bcmp, strlen",
    "memmove:",
    "sub x3, x0, x1",
    "cmp x3, x2",
    "b.lo 4f",
    "memcpy:",
    "mov x3, x0",
    "1:",
    "cmp x2, #16",
    "b.lo 2f",
    "ldp x4, x5, [x1], #16",
    "stp x4, x5, [x3], #16",
    "sub x2, x2, #16",
    "b 1b",
    "2:",
    "cbz x2, 3f",
    "ldrb w4, [x1], #1",
    "strb w4, [x3], #1",
    "sub x2, x2, #1",
    "b 2b",
    "3:",
    "ret",
    "4:",
    "cbz x2, 3b",
    "sub x2, x2, #1",
    "ldrb w4, [x1, x2]",
    "strb w4, [x0, x2]",
    "b 4b",
    "memset:",
    "mov x3, x0",
    "and x4, x1, #0xff",
    "mov x5, #0x0101010101010101",
    "mul x4, x4, x5",
    "5:",
    "cmp x2, #16",
    "b.lo 6f",
    "stp x4, x4, [x3], #16",
    "sub x2, x2, #16",
    "b 5b",
    "6:",
    "cbz x2, 7f",
    "strb w4, [x3], #1",
    "sub x2, x2, #1",
    "b 6b",
    "7:",
    "ret",
    "memcmp:",
    "bcmp:",
    "cbz x2, 8f",
    "ldrb w3, [x0], #1",
    "ldrb w4, [x1], #1",
    "sub x2, x2, #1",
    "subs w5, w3, w4",
    "b.eq memcmp",
    "mov w0, w5",
    "ret",
    "8:",
    "mov w0, wzr",
    "ret",
    "strlen:",
    "mov x1, x0",
    "9:",
    "ldrb w2, [x1], #1",
    "cbnz w2, 9b",
    "sub x0, x1, x0",
    "sub x0, x0, #1",
    "ret",
);

/// Where the auxiliary vector is.
static AUXILIARY: AtomicUsize = AtomicUsize::new(0);

/// Keeps where the auxiliary vector is, for [`getauxval`].
pub fn keep_auxiliary(vector: *const [usize; 2]) {
    AUXILIARY.store(vector.expose_provenance(), Ordering::Relaxed);
}

/// getauxval(3), by which the crate that hashes learns whether the processor does it by itself.
#[unsafe(no_mangle)]
extern "C" fn getauxval(wanted: usize) -> usize {
    let vector = AUXILIARY.load(Ordering::Relaxed);
    if vector == 0 {
        return 0;
    }
    // SAFETY: it was kept when the process started, and stays as it is until it ends.
    unsafe { super::auxiliary_value(core::ptr::with_exposed_provenance(vector), wanted) }
}
