//! Limits whose lines both versions share: block devices, large pages, remote memory access.

use super::changes::{Changes, Otherwise};
use crate::container::Rdma;
use crate::text::Text;
use alloc::vec::Vec;
use core::ffi::CStr;

/// A line for a device begins with its number.
pub fn device(major: u32, minor: u32) -> Text {
    let mut line = Text::new();
    line.push_number(major.into()).push(":").push_number(minor.into()).push(" ");
    line
}

/// Large pages in use, and those that are reserved, which newer kernels count apart.
pub fn huge_pages(all: &mut Changes, limits: &[(&CStr, u64)], what: &str) {
    for (size, limit) in limits {
        for (infix, otherwise) in [(".", Otherwise::Fail), (".rsvd.", Otherwise::Leave)] {
            let mut file: Vec<u8> = b"hugetlb.".to_vec();
            file.extend_from_slice(size.to_bytes());
            file.extend_from_slice(infix.as_bytes());
            file.extend_from_slice(what.as_bytes());
            all.number(core::str::from_utf8(&file).unwrap_or_default(), Some(*limit));
            all.otherwise(otherwise);
        }
    }
}

/// `DEVICE hca_handle=NUMBER hca_object=NUMBER`.
pub fn rdma(all: &mut Changes, limits: &[Rdma<'_>]) {
    for limit in limits {
        let mut line = Text::new();
        line.push_raw(limit.device.to_bytes());
        for (name, number) in [(" hca_handle=", limit.handles), (" hca_object=", limit.objects)] {
            if let Some(number) = number {
                line.push(name).push_number(number.into());
            }
        }
        all.text("rdma.max", line.as_bytes());
    }
}

#[cfg(test)]
pub mod tests {
    use super::super::changes::{Change, Otherwise};

    /// Changes as one line.
    pub fn told(changes: &[Change]) -> String {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut lines = Vec::new();
        for change in changes {
            let mut line = format!("{} {}", text(change.file), text(change.value));
            if let Otherwise::Use(file, value) = &change.otherwise {
                line = format!("{line} (or {file} {})", text(value));
            }
            lines.push(line);
        }
        lines.join(", ")
    }
}
