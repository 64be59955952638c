//! The command line, in three stages: what was typed, word by word (`words`), each option by itself
//! (`settings`), and what is meant by all of them together (`assemble`), a [`Request`]. No system
//! call is made here.

mod assemble;
mod help;
mod nearest;
mod options;
mod parse;
mod rootfs;
pub mod runtime;
mod settings;
mod words;

pub use nearest::suggest;
pub use parse::{Purpose, Request, Wanted, parse};
pub use rootfs::Rootfs;
