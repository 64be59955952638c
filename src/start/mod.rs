//! Program start: from the kernel's first instruction to `main`, with what a C library would bring.
//!
//! The kernel jumps to `_start` with nothing but a stack that holds the arguments, the environment
//! and the auxiliary vector. Here the program is relocated, those become an [`Invocation`], and
//! `main` runs. Only `main.rs` declares this module: the library and its tests have std's start.
//!
//! # Safety
//!
//! The unsafe code here relies on two promises: the kernel's, on the layout of the first stack
//! (System V ABI, "Process Initialization"; it stays mapped and unchanged until exit), and the
//! linker's, on `__ehdr_start` and `_DYNAMIC`.
#![allow(unsafe_code)]

mod allocator;
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod architecture;
mod panic;
mod relocate;

use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use mini_container::Invocation;

/// Auxiliary vector, getauxval(3): the end, "treat this start as one that gained privilege", and the
/// name that was executed.
const AT_NULL: usize = 0;
const AT_SECURE: usize = 23;
const AT_EXECFN: usize = 31;

/// Where `_start` goes, on a stack that is aligned and has no caller.
unsafe extern "C" fn enter(
    stack: *const usize,
    base: *const u8,
    dynamic: *const relocate::Entry,
) -> ! {
    // SAFETY: `_start` passes the addresses of the file's own header and dynamic section, and
    // nothing has run yet that could hold a relocated pointer.
    unsafe { relocate::relocate(base, dynamic) };
    // SAFETY: `_start` passes the stack pointer as the kernel left it.
    let invocation = unsafe { invocation(stack) };
    mini_container::exit(crate::main(&invocation))
}

/// Reads the first stack: argc, argv, NULL, envp, NULL, auxiliary vector.
///
/// # Safety
///
/// `stack` is the stack pointer that the kernel gave the process.
unsafe fn invocation(stack: *const usize) -> Invocation<'static> {
    // SAFETY: the first word is argc.
    let count = unsafe { *stack };
    // SAFETY: argv follows it.
    let first_argument = unsafe { stack.add(1) }.cast::<*const c_char>();
    // SAFETY: argv has `count` pointers and a NULL.
    let first_variable = unsafe { first_argument.add(count + 1) };
    // SAFETY: argv is a list of strings that live as long as the process.
    let args = unsafe { strings(first_argument, count) };
    // SAFETY: envp ends with a NULL.
    let variables = unsafe { length(first_variable) };
    // SAFETY: its strings are like those of argv.
    let env = unsafe { strings(first_variable, variables) };
    // SAFETY: the auxiliary vector follows envp's NULL.
    let auxiliary = unsafe { first_variable.add(variables + 1) }.cast::<[usize; 2]>();
    #[cfg(target_arch = "aarch64")]
    architecture::keep_auxiliary(auxiliary);
    // SAFETY: it is a list of pairs that ends with AT_NULL.
    let secure = unsafe { auxiliary_value(auxiliary, AT_SECURE) } != 0;
    // SAFETY: the same.
    let file = unsafe { auxiliary_value(auxiliary, AT_EXECFN) };
    let file = core::ptr::with_exposed_provenance::<c_char>(file);
    // SAFETY: the kernel has put a string there, which lives as long as the process, or has left it out.
    let file = unsafe { file.as_ref() }.map(|start| unsafe { CStr::from_ptr(start) });
    Invocation { args, env, file: file.unwrap_or_default(), secure }
}

/// # Safety
///
/// `list` is an array of `count` pointers to strings that are never freed or changed.
unsafe fn strings(list: *const *const c_char, count: usize) -> Vec<&'static CStr> {
    // As long as needed and no longer: the launcher keeps it in memory while it waits.
    let mut strings = Vec::with_capacity(count);
    for index in 0..count {
        // SAFETY: within the list.
        let place = unsafe { list.add(index) };
        // SAFETY: the list has a pointer there.
        let string = unsafe { *place };
        // SAFETY: to a NUL-terminated string that lives as long as the process.
        strings.push(unsafe { CStr::from_ptr(string) });
    }
    strings
}

/// # Safety
///
/// `list` is a NULL-terminated array.
unsafe fn length(list: *const *const c_char) -> usize {
    let mut count = 0;
    loop {
        // SAFETY: the list is read up to its NULL and no further.
        let place = unsafe { list.add(count) };
        // SAFETY: the same.
        if unsafe { *place }.is_null() {
            return count;
        }
        count += 1;
    }
}

/// # Safety
///
/// `vector` is an auxiliary vector that ends with `AT_NULL`.
unsafe fn auxiliary_value(mut vector: *const [usize; 2], wanted: usize) -> usize {
    loop {
        // SAFETY: the vector is read up to its AT_NULL and no further.
        match unsafe { *vector } {
            [AT_NULL, _] => return 0,
            [key, value] if key == wanted => return value,
            // SAFETY: there is a next element, since this one was not AT_NULL.
            _ => vector = unsafe { vector.add(1) },
        }
    }
}
