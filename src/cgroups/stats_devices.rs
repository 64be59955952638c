//! What a container has done with block devices and large pages, for its statistics.

use super::Cgroup;
use super::files::{count, read, value};
use crate::text::{Text, cut, parts, wide_number};
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};

impl Cgroup {
    /// Lines `MAJOR:MINOR OP NUMBER`, by the scheduler that counts, or by what counts without one.
    #[inline(never)]
    pub(super) fn block1(&self, text: &mut Text) {
        for (name, file) in [
            ("ioServiceBytesRecursive", "io_service_bytes_recursive"),
            ("ioServicedRecursive", "io_serviced_recursive"),
        ] {
            text.comma().push_json(name.as_bytes()).push(":[");
            let start = text.len();
            for infix in ["blkio.bfq.", "blkio.throttle."] {
                let mut path = Text::new();
                path.push(infix).push(file);
                for line in parts(self.file(path.as_bytes()), b'\n') {
                    let (device, rest) = cut(line, b' ');
                    let (operation, number) = cut(rest.unwrap_or_default(), b' ');
                    if let Some(number) = number.and_then(wide_number) {
                        entry(text, device, operation, number);
                    }
                }
                if text.len() > start {
                    break;
                }
            }
            text.push("]");
        }
    }

    /// Lines `MAJOR:MINOR rbytes=NUMBER wbytes=NUMBER ...`.
    #[inline(never)]
    pub(super) fn block2(&self, text: &mut Text) {
        let stat = self.file(b"io.stat");
        for (name, wanted) in [
            (
                "ioServiceBytesRecursive",
                [("rbytes", "Read"), ("wbytes", "Write"), ("dbytes", "Discard")],
            ),
            ("ioServicedRecursive", [("rios", "Read"), ("wios", "Write"), ("dios", "Discard")]),
        ] {
            text.comma().push_json(name.as_bytes()).push(":[");
            for line in parts(stat, b'\n') {
                let (device, rest) = cut(line, b' ');
                for field in parts(rest.unwrap_or_default(), b' ') {
                    let (key, number) = cut(field, b'=');
                    let operation = wanted.iter().find(|(name, _)| name.as_bytes() == key);
                    if let (Some((_, operation)), Some(number)) =
                        (operation, number.and_then(wide_number))
                    {
                        entry(text, device, operation.as_bytes(), number);
                    }
                }
            }
            text.push("]");
        }
    }

    /// One for each size of large pages that the kernel has.
    pub(super) fn huge_pages(&self, text: &mut Text) {
        let Some(folder) = self.controlled(b"hugetlb").filter(|folder| folder.is_usable) else {
            return;
        };
        let [usage, max] = if self.is_unified {
            [".current", ""]
        } else {
            [".usage_in_bytes", ".max_usage_in_bytes"]
        };
        for size in page_sizes() {
            let number = |what: &str| {
                let mut file = Text::new();
                file.push("hugetlb.").push_raw(&size).push(what);
                wide_number(value(folder.path, file.as_bytes()))
            };
            let Some(used) = number(usage) else { continue };
            let mut events = Text::new();
            events.push("hugetlb.").push_raw(&size).push(".events");
            let failures = if self.is_unified {
                count(read(folder.path, events.as_bytes()).unwrap_or_default(), "max")
            } else {
                number(".failcnt").unwrap_or_default()
            };
            text.comma().push_json(&size);
            let most = number(max).unwrap_or_default();
            text.push_filled(r#":{"usage":#,"max":#,"failcnt":#}"#, &[used, most, failures]);
        }
    }
}

fn entry(text: &mut Text, device: &[u8], operation: &[u8], number: u64) {
    let (major, minor) = cut(device, b':');
    let (Some(major), Some(minor)) = (wide_number(major), minor.and_then(wide_number)) else {
        return;
    };
    text.comma().push_filled(r#"{"major":#,"minor":#,"op":"#, &[major, minor]);
    text.push_json(operation).push_filled(r#","value":#}"#, &[number]);
}

/// The sizes of large pages, as cgroups name them: `hugepages-2048kB` is `2MB`.
fn page_sizes() -> Vec<Vec<u8>> {
    let mut sizes = Vec::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = openat(CWD, c"/sys/kernel/mm/hugepages", flags, Mode::empty()) else {
        return sizes;
    };
    let mut space = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(folder, &mut space);
    while let Some(Ok(entry)) = entries.next() {
        sizes.extend(page_size(entry.file_name().to_bytes()));
    }
    sizes
}

fn page_size(name: &[u8]) -> Option<Vec<u8>> {
    let mut size = wide_number(name.strip_prefix(b"hugepages-")?.strip_suffix(b"kB")?)?;
    let mut units = ["KB", "MB", "GB"].iter();
    let mut unit = units.next()?;
    while size >= 1024 {
        let Some(next) = units.next() else { break };
        (size, unit) = (size / 1024, next);
    }
    let mut text = Text::new();
    text.push_number(size).push(unit);
    Some(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_named_as_the_kernel_does() {
        assert_eq!(page_size(b"hugepages-2048kB").unwrap(), b"2MB");
        assert_eq!(page_size(b"hugepages-1048576kB").unwrap(), b"1GB");
        assert_eq!(page_size(b"hugepages-64kB").unwrap(), b"64KB");
        assert_eq!(page_size(b"."), None);
    }
}
