//! Paths that are put together, and kept until the process ends.

use crate::container::keep;
use crate::error::{Error, Why};
use crate::sys::files::working_directory;
use alloc::vec::Vec;
use core::ffi::CStr;

/// The parts one behind the other.
#[must_use]
pub fn joined(parts: &[&[u8]]) -> &'static CStr {
    let mut bytes = Vec::with_capacity(64);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    keep(bytes).unwrap_or_default()
}

/// The path from `/` on; a relative one begins at the caller's working directory.
///
/// # Errors
///
/// getcwd(2): `ENOENT` where that was removed.
pub fn absolute(path: &CStr) -> Result<&'static CStr, Error<'static>> {
    match path.to_bytes() {
        whole @ [b'/', ..] => Ok(joined(&[whole])),
        relative => {
            let mut buffer = [0; 4096];
            let here = working_directory(&mut buffer).map_err(|errno| {
                Error::new(
                    rare!("find the working directory"),
                    b"",
                    Why::Errno(errno),
                    b"",
                    super::home::FAILED,
                )
            })?;
            match relative {
                b"" | b"." => Ok(joined(&[here])),
                _ => Ok(joined(&[here, b"/", relative])),
            }
        }
    }
}
