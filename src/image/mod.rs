//! A root from an image: the file that it is in, its layers, and where they are kept unpacked.

mod archive;
mod config;
pub mod digest;
pub mod manifest;
mod platform;
pub mod store;
