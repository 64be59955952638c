//! The system call instruction on aarch64, and a clone whose child starts on a stack of its own.
#![allow(unsafe_code)]

use super::Entry;
use core::arch::asm;
use core::ffi::c_void;

/// Makes the system call `number`; syscall(2) lists the registers.
///
/// # Safety
///
/// The arguments are what the call's man page asks for.
pub unsafe fn syscall(number: u32, arguments: [usize; 5]) -> isize {
    let answer;
    let [first, second, third, fourth, fifth] = arguments;
    // SAFETY: the instruction changes x0, and what the caller lets the call change.
    unsafe {
        asm!(
            "svc #0",
            in("x8") number as usize,
            inlateout("x0") first => answer,
            in("x1") second, in("x2") third, in("x3") fourth, in("x4") fifth,
            options(nostack),
        );
    }
    answer
}

/// Ends the process by an instruction that there is not.
pub fn trap() -> ! {
    // SAFETY: nothing runs after it.
    unsafe { asm!("udf #0", options(noreturn, nostack)) }
}

/// clone(2): the child calls `entry(argument)` on the stack that ends at `stack_top`.
///
/// # Safety
///
/// `stack_top` is 16-byte aligned, and the stack below it is large enough, unused, and lives as
/// long as the child runs on it.
pub unsafe fn clone(flags: u32, stack_top: usize, entry: Entry, argument: *mut c_void) -> isize {
    let answer;
    // SAFETY: the parent goes on behind the asm block as after any call; the child never does, it
    // leaves through `entry`, with nothing but the two registers that clone preserves.
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x10",
            "blr x9",
            "brk #1",
            "2:",
            in("x8") linux_raw_sys::general::__NR_clone as usize,
            inlateout("x0") flags as usize => answer,
            in("x1") stack_top, in("x2") 0, in("x3") 0, in("x4") 0,
            in("x9") entry, in("x10") argument,
            options(nostack),
        );
    }
    answer
}
