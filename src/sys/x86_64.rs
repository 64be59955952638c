//! The system call instruction on x86-64, and a clone whose child starts on a stack of its own.
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
    // SAFETY: the instruction changes rax, rcx and r11, and what the caller lets the call change.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") first, in("rsi") second, in("rdx") third, in("r10") fourth, in("r8") fifth,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

/// Ends the process by an instruction that there is not.
pub fn trap() -> ! {
    // SAFETY: nothing runs after it.
    unsafe { asm!("ud2", options(noreturn, nostack)) }
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
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") linux_raw_sys::general::__NR_clone as isize => answer,
            in("rdi") flags as usize, in("rsi") stack_top, in("rdx") 0, in("r10") 0, in("r8") 0,
            in("r12") entry, in("r13") argument,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}
