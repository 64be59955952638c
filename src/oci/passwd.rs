//! The home of a container's user, where its configuration sets none: what the `/etc/passwd` of its root says,
//! as other runtimes have it.

use super::text::joined;
use crate::container::{Container, Source, environment, number};
use crate::kernel::inside;
use crate::text::{decimal, parts, read_start};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

/// As much of the file as is read.
const BYTES_MAX: usize = 64 * 1024;

/// Sets HOME.
pub fn add_home(container: &mut Container<'static>) {
    if environment::value(&container.process.environment, b"HOME").is_some() {
        return;
    }
    let Source::Directory(root) = container.root.source else { return };
    let user = container.process.user.map_or(0, |user| user.user);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let lines = openat(CWD, root, flags, Mode::empty()).and_then(|root| read(&root));
    let lines = lines.unwrap_or_default();
    let home = home_of(lines, user).filter(|home| home.starts_with(b"/"));
    container.process.environment.push(joined(&[b"HOME=", home.unwrap_or(b"/")]));
}

/// Reads the file, if it is one: what it is, is known before it is opened.
fn read(root: &OwnedFd) -> Result<&'static [u8], Errno> {
    let found = inside::open(root.as_fd(), c"/etc/passwd")?;
    if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    let path = joined(&[b"/proc/self/fd/", decimal(found.as_raw_fd().unsigned_abs().into())]);
    let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let buffer = alloc::vec![0; BYTES_MAX].leak();
    read_start(&file, buffer)
}

fn home_of(lines: &[u8], user: u32) -> Option<&[u8]> {
    parts(lines, b'\n').find_map(|line| {
        let mut fields = parts(line, b':');
        let is_its = number(fields.nth(2)?) == Some(user);
        if is_its { fields.nth(2) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_home_of_its_number() {
        let lines = b"root:x:0:0:root:/root:/bin/sh\n1000:x:7:7::/seven:/bin/sh\nbroken\na:x:1000:1000:A:/home/a:\n";
        assert_eq!(home_of(lines, 0), Some(&b"/root"[..]));
        assert_eq!(home_of(lines, 1000), Some(&b"/home/a"[..]));
        assert_eq!(home_of(lines, 7), Some(&b"/seven"[..]));
        assert_eq!(home_of(lines, 8), None);
    }
}
