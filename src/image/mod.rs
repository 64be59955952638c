//! A root from an image: the file that it is in, its layers, and where they are kept unpacked.

pub mod digest;
