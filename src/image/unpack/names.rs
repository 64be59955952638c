//! Paths of an archive as the kernel takes them, and as messages show them.

use super::entry::Place;
use crate::error::{Error, Why, status};
use crate::text::{Text, parts};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::io::Errno;

/// A name with a NUL behind it; the folder itself, for none.
pub fn terminated(name: &[u8]) -> Result<Vec<u8>, Errno> {
    if name.contains(&0) {
        return Err(Errno::INVAL);
    }
    let mut bytes = if name.is_empty() { b"." } else { name }.to_vec();
    bytes.push(0);
    Ok(bytes)
}

pub fn as_c_str(terminated: &[u8]) -> &CStr {
    CStr::from_bytes_until_nul(terminated).unwrap_or_default()
}

/// The whole path, written in one way only.
pub fn path_of(place: Place<'_>) -> Vec<u8> {
    let mut path = Vec::new();
    for part in parts(place.folder, b'/').filter(|part| !matches!(*part, b"" | b".")) {
        path.extend_from_slice(part);
        path.push(b'/');
    }
    path.extend_from_slice(place.name);
    if place.name.is_empty() {
        path.pop();
    }
    path
}

/// FNV-1a: it only tells what an image has made itself from what it has not.
pub fn hash(path: &[u8]) -> u64 {
    path.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

pub const LINK_OUT: &str = "it is a link to something outside";
pub const LINK_NOWHERE: &str = "it is a link to something that is not in this layer or below it";

/// The message for a call to the kernel that failed for an entry.
pub fn failed(name: &[u8], errno: Errno) -> Error<'static> {
    let mut on = Text::new();
    on.push("'").push_name(name).push("'");
    let why = match errno {
        Errno::XDEV => Why::Text("a symbolic link leads out on the way to it"),
        errno => Why::Errno(errno),
    };
    let hint: &[u8] = match errno {
        Errno::INVAL => b"its owner has to be an id of the user namespace: more of them in /etc/subuid and /etc/subgid, or --map-users",
        Errno::NOTDIR => b"what it is to lie in is no folder",
        Errno::NOSPC | Errno::DQUOT => b"mini-container rootfs --prune removes what is not used",
        _ => b"",
    };
    Error::new("unpack", on.leak(), why, hint, status::FAILED)
}
