//! The configuration of a bundle; see `targets.rs`.
#![no_main]
#![allow(dead_code, reason = "each target is one of several")]

#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::config_json(data));
