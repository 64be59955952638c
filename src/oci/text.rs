//! Paths that are put together, and kept until the process ends.

use crate::error::{Error, Why};
use crate::sys::files::working_directory;
use crate::text::{Text, decimal};
use core::ffi::CStr;

/// The parts one behind the other.
#[must_use]
pub fn joined(parts: &[&[u8]]) -> &'static CStr {
    let mut text = Text::new();
    for part in parts {
        text.push_raw(part);
    }
    text.into_c_str()
}

/// A file of a process below `/proc`.
#[must_use]
#[inline(never)]
pub fn of_process(process: u32, name: &[u8]) -> &'static CStr {
    joined(&[b"/proc/", decimal(process.into()), b"/", name])
}

/// Whether the word stands in the text: few configurations have what they may have, and many are long.
#[must_use]
#[inline(never)]
pub fn mentions(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
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
