//! The binary: run, print the error once, exit.
#![no_std]
#![no_main]

extern crate alloc;

mod start;

use mini_container::{Invocation, run};

/// Called by program start; what it returns is the exit status of the process.
fn main(invocation: &Invocation<'static>) -> u8 {
    match run(invocation) {
        Ok(status) => status,
        Err(error) => {
            error.print();
            error.status()
        }
    }
}
