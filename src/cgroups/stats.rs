//! What a container has used, as JSON in the fields of runc's `events --stats`, which containerd reads.

use super::Cgroup;
use super::files::{count, value};
use crate::error::Error;
use crate::text::{Text, cut, parts, wide_number};
use alloc::vec::Vec;

impl Cgroup {
    /// Adds what was used so far.
    ///
    /// # Errors
    ///
    /// There is no cgroup.
    pub fn push_stats(&self, text: &mut Text) -> Result<(), Error<'static>> {
        if self.counted().is_none() {
            return Err(self.missing(b"memory"));
        }
        text.push("{\"cpu\":");
        if self.is_unified {
            self.cpu2(text);
        } else {
            self.cpu1(text);
        }
        text.push(",\"cpuset\":{},\"memory\":");
        if self.is_unified {
            self.memory2(text);
        } else {
            self.memory1(text);
        }
        let pids = [self.number(b"pids", "pids.current"), self.number(b"pids", "pids.max")];
        text.push_filled(r#","pids":{"current":#,"limit":#},"blkio":{"#, &pids);
        if self.is_unified {
            self.block2(text);
        } else {
            self.block1(text);
        }
        text.push("},\"hugetlb\":{");
        self.huge_pages(text);
        text.push("},\"intel_rdt\":{},\"network_interfaces\":[]}");
        Ok(())
    }

    pub(super) fn file(&self, controller: &[u8], file: &str) -> &'static [u8] {
        let folder = self.controlled(controller);
        folder.map_or(&[], |folder| value(folder.path, file.as_bytes()))
    }

    /// A number, which is 0 where there is no such file, or no limit.
    fn number(&self, controller: &[u8], file: &str) -> u64 {
        wide_number(self.file(controller, file)).unwrap_or_default()
    }

    fn cpu1(&self, text: &mut Text) {
        let total = self.number(b"cpuacct", "cpuacct.usage");
        let stat = self.file(b"cpu", "cpu.stat");
        let kernel = self.number(b"cpuacct", "cpuacct.usage_sys");
        let user = self.number(b"cpuacct", "cpuacct.usage_user");
        text.push_filled(USAGE, &[total, kernel, user]);
        // A column for each processor, whose first is its number.
        let mut lists = [Vec::new(), Vec::new(), Vec::new()];
        for line in parts(self.file(b"cpuacct", "cpuacct.usage_all"), b'\n').skip(1) {
            let mut columns = parts(line, b' ').skip(1).filter_map(wide_number);
            let (Some(user), Some(kernel)) = (columns.next(), columns.next()) else { continue };
            let [all, kernels, users] = &mut lists;
            all.push(user.saturating_add(kernel));
            kernels.push(kernel);
            users.push(user);
        }
        for (name, list) in ["percpu", "percpu_kernel", "percpu_user"].iter().zip(&lists) {
            text.push(",\"").push(name).push("\":");
            for (place, number) in list.iter().enumerate() {
                text.push(if place == 0 { "[" } else { "," }).push_number(*number);
            }
            text.push(if list.is_empty() { "[]" } else { "]" });
        }
        throttling(text, stat, count(stat, "throttled_time"));
    }

    fn cpu2(&self, text: &mut Text) {
        let stat = self.file(b"cpu", "cpu.stat");
        let nanoseconds = |name| count(stat, name).saturating_mul(1000);
        let [total, kernel, user] = ["usage_usec", "system_usec", "user_usec"].map(nanoseconds);
        text.push_filled(USAGE, &[total, kernel, user]);
        throttling(text, stat, nanoseconds("throttled_usec"));
    }

    fn memory1(&self, text: &mut Text) {
        let stat = self.file(b"memory", "memory.stat");
        // Version 1 may count what is below apart.
        let cache = count(stat, "total_cache").max(count(stat, "cache"));
        text.push_filled(CACHE, &[cache]);
        for (name, infix) in
            [("usage", ""), ("swap", "memsw."), ("kernel", "kmem."), ("kernelTCP", "kmem.tcp.")]
        {
            let number = |what: &str| {
                let mut file = Text::new();
                file.push("memory.").push(infix).push(what);
                let file = core::str::from_utf8(file.as_bytes()).unwrap_or_default();
                self.number(b"memory", file)
            };
            let files = ["limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt"];
            text.push(",\"").push(name).push_filled(COUNTED, &files.map(number));
        }
        raw(text, stat);
    }

    /// As runc does: swap counts with memory, as it did in version 1, and no limit is the largest number.
    fn memory2(&self, text: &mut Text) {
        let stat = self.file(b"memory", "memory.stat");
        let number = |file| self.number(b"memory", file);
        let limit = |file| wide_number(self.file(b"memory", file)).unwrap_or(u64::MAX);
        let failures = count(self.file(b"memory", "memory.events"), "max");
        let (used, most) = (number("memory.current"), number("memory.peak"));
        let used_both = used.saturating_add(number("memory.swap.current"));
        let limit_both = limit("memory.max").saturating_add(limit("memory.swap.max"));
        text.push_filled(CACHE, &[count(stat, "file")]);
        for (name, counted) in [
            ("usage", [limit("memory.max"), used, most, failures]),
            ("swap", [limit_both, used_both, 0, 0]),
            ("kernel", [0, count(stat, "kernel"), 0, 0]),
            ("kernelTCP", [0, count(stat, "sock"), 0, 0]),
        ] {
            text.push(",\"").push(name).push_filled(COUNTED, &counted);
        }
        raw(text, stat);
    }
}

/// Nanoseconds: all of them, those of the kernel's for it, and its own.
const USAGE: &str = r#"{"usage":{"total":#,"kernel":#,"user":#"#;
const CACHE: &str = r#"{"cache":#"#;
/// Bytes of a kind of memory, and how often the limit was met.
const COUNTED: &str = r#"":{"limit":#,"usage":#,"max":#,"failcnt":#}"#;

fn throttling(text: &mut Text, stat: &[u8], time: u64) {
    text.push_filled(
        r#"},"throttling":{"periods":#,"throttledPeriods":#,"throttledTime":#}}"#,
        &[count(stat, "nr_periods"), count(stat, "nr_throttled"), time],
    );
}

/// All lines of `memory.stat`.
fn raw(text: &mut Text, stat: &[u8]) {
    text.push(",\"raw\":{");
    let mut is_first = true;
    for line in parts(stat, b'\n') {
        let (name, number) = cut(line, b' ');
        if let Some(number) = number.and_then(wide_number) {
            text.push(if is_first { "" } else { "," }).push_json(name);
            text.push(":").push_number(number);
            is_first = false;
        }
    }
    text.push("}}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// What is said of a cgroup that consists of these files.
    fn said(name: &str, is_unified: bool, files: &[(&str, &str)]) -> String {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (file, content) in files {
            fs::write(folder.join(file), content).unwrap();
        }
        let controllers = if is_unified { "" } else { "cpu,cpuacct,memory,pids,blkio" };
        let line = format!("{controllers}:{}\0", folder.to_str().unwrap());
        let line = core::ffi::CStr::from_bytes_until_nul(line.leak().as_bytes()).unwrap();
        let mut text = Text::new();
        Cgroup::of(&[line], true).push_stats(&mut text).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let said = String::from_utf8(text.as_bytes().to_vec()).unwrap();
        assert_eq!(said.matches('{').count(), said.matches('}').count(), "{said}");
        said
    }

    #[test]
    fn version_1_is_told_in_its_own_numbers() {
        let said = said(
            "stats-1",
            false,
            &[
                ("cpuacct.usage", "30\n"),
                ("cpuacct.usage_sys", "10\n"),
                ("cpuacct.usage_user", "20\n"),
                ("cpuacct.usage_all", "cpu user system\n0 15 5\n1 5 5\n"),
                ("cpu.stat", "nr_periods 3\nnr_throttled 2\nthrottled_time 99\n"),
                ("memory.limit_in_bytes", "4096\n"),
                ("memory.stat", "cache 7\ntotal_cache 8\n"),
                ("pids.current", "1\n"),
                ("pids.max", "max\n"),
                ("blkio.throttle.io_serviced_recursive", "8:0 Read 4\nTotal 4\n"),
            ],
        );
        for part in [
            r#""usage":{"total":30,"kernel":10,"user":20,"percpu":[20,10],"percpu_kernel":[5,5]"#,
            r#""throttling":{"periods":3,"throttledPeriods":2,"throttledTime":99}"#,
            r#""memory":{"cache":8,"usage":{"limit":4096,"#,
            r#""raw":{"cache":7,"total_cache":8}"#,
            r#""pids":{"current":1,"limit":0}"#,
            r#""ioServicedRecursive":[{"major":8,"minor":0,"op":"Read","value":4}]"#,
        ] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn version_2_is_told_in_the_units_of_version_1() {
        let said = said(
            "stats-2",
            true,
            &[
                ("cpu.stat", "usage_usec 3\nuser_usec 2\nsystem_usec 1\nthrottled_usec 9\n"),
                ("memory.current", "100\n"),
                ("memory.max", "max\n"),
                ("memory.swap.current", "11\n"),
                ("memory.stat", "file 5\nsock 6\n"),
                ("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n"),
            ],
        );
        for part in [
            r#""usage":{"total":3000,"kernel":1000,"user":2000}"#,
            r#""throttledTime":9000"#,
            r#""usage":{"limit":18446744073709551615,"usage":100,"#,
            r#""swap":{"limit":18446744073709551615,"usage":111,"#,
            r#"{"major":8,"minor":0,"op":"Write","value":4}"#,
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
}
