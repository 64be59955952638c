//! Writing the bytes of files.

use rustix::fd::OwnedFd;
use rustix::io::{Errno, pwrite, retry_on_intr, write};

/// Writes all of it.
///
/// # Errors
///
/// write(2).
pub fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let count = retry_on_intr(|| write(file, bytes))?;
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// Writes all of it at its place.
///
/// # Errors
///
/// pwrite(2).
pub fn write_at(file: &OwnedFd, mut start: u64, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let count = retry_on_intr(|| pwrite(file, bytes, start))?;
        bytes = bytes.get(count..).unwrap_or_default();
        start += count as u64;
    }
    Ok(())
}
