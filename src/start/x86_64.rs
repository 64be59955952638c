//! Program start on x86-64: the entry point, and the memory functions that compiled code calls.
//!
//! # Safety
//!
//! The functions are the C library's of the same name (ISO C 7.24; `bcmp` is POSIX.1-2001), in
//! assembly so that the compiler cannot turn a loop in them into a call to themselves. They use
//! only registers that the System V ABI lets a function change.
#![allow(unsafe_code)]

use core::arch::global_asm;

// _start: a zero frame pointer ends back traces; the stack is aligned before the first call.
global_asm!(
    ".globl _start",
    ".hidden _DYNAMIC",
    ".hidden __ehdr_start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "lea rsi, [rip + __ehdr_start]",
    "lea rdx, [rip + _DYNAMIC]",
    "and rsp, -16",
    "call {enter}",
    "ud2",
    enter = sym super::enter,
);

global_asm!(include_str!("memory_x86_64.s"));
