//! The command line, in two stages: what was typed, option by option (`words`), and then what is
//! meant by all of it together, a [`Request`]. No system call is made here.

mod help;
mod nearest;
mod options;
mod parse;
mod words;

pub use parse::{Purpose, Request, parse};
