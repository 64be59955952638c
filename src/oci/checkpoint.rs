//! `checkpoint` and `restore`: by CRIU, where it is installed.

use super::Runtime;
use super::home::FAILED;
use crate::error::{Error, Why};

/// Freezes a container into files.
///
/// # Errors
///
/// There is no CRIU.
pub fn checkpoint(_: &Runtime<'_>) -> Result<u8, Error<'static>> {
    Err(missing())
}

/// Makes a container from such files.
///
/// # Errors
///
/// There is no CRIU.
pub fn restore(_: &Runtime<'_>) -> Result<u8, Error<'static>> {
    Err(missing())
}

fn missing() -> Error<'static> {
    let hint = b"install the package criu";
    Error::new("run", b"criu", Why::Text("it is not installed"), hint, FAILED)
}
