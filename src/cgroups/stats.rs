//! What a container has used, as JSON in the fields of runc's `events --stats`, which containerd reads.
//!
//! There is a template for each version of cgroups. In it, `<FILE>` stands for the number in a file of the cgroup,
//! `<FILE:NAME>` for that of a line `NAME NUMBER`, `<A+B>` for a sum, and a word without a dot for a list. Swap
//! counts with memory in version 2 as well, as runc has it.

use super::Cgroup;
use super::files::{count, value};
use crate::error::Error;
use crate::text::{Text, cut, parts, wide_number, word};

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
        let template = if self.is_unified {
            rare!(file "cgroups/stats2.json")
        } else {
            rare!(file "cgroups/stats1.json")
        };
        // Numbers of one file are of one moment.
        let mut last = (&b""[..], &b""[..]);
        for (place, part) in parts(template.bytes(), b'<').enumerate() {
            let (name, rest) = if place == 0 { (&b""[..], Some(part)) } else { cut(part, b'>') };
            match word(name) {
                "" => {}
                "processors" => self.processors(text),
                "cache" => {
                    // Version 1 may count what is below apart.
                    let stat = self.file(b"memory.stat");
                    text.push_number(count(stat, "total_cache").max(count(stat, "cache")));
                }
                "lines" => raw(text, self.file(b"memory.stat")),
                "block" if self.is_unified => self.block2(text),
                "block" => self.block1(text),
                "pages" => self.huge_pages(text),
                _ => {
                    let all = parts(name, b'+').map(|name| self.number(name, &mut last));
                    text.push_number(all.fold(0, u64::saturating_add));
                }
            }
            for line in parts(rest.unwrap_or_default(), b'\n') {
                text.push_raw(line);
            }
        }
        Ok(())
    }

    /// What is in a file, which is called after its controller.
    pub(super) fn file(&self, file: &[u8]) -> &'static [u8] {
        let folder = self.controlled(cut(file, b'.').0);
        folder.map_or(&[], |folder| value(folder.path, file))
    }

    /// The number of this name, from the file that was read last if that is it. It is 0 where there is no such file,
    /// or no limit; without one of memory it is the largest number, as in version 1. Times are in nanoseconds.
    fn number<'n>(&self, name: &'n [u8], last: &mut (&'n [u8], &'static [u8])) -> u64 {
        let (file, line) = cut(name, b':');
        if last.0 != file {
            *last = (file, self.file(file));
        }
        let Some(line) = line else {
            let is_limit = file.starts_with(b"memory.") && file.ends_with(b".max");
            return wide_number(last.1).unwrap_or(if is_limit { u64::MAX } else { 0 });
        };
        let number = count(last.1, word(line));
        if line.ends_with(b"_usec") { number.saturating_mul(1000) } else { number }
    }

    /// A line for each processor, whose first column is its number.
    #[inline(never)]
    fn processors(&self, text: &mut Text) {
        let lines = self.file(b"cpuacct.usage_all");
        for (place, name) in ["percpu", "percpu_kernel", "percpu_user"].iter().enumerate() {
            text.push(",\"").push(name).push("\":[");
            for line in parts(lines, b'\n').skip(1) {
                let mut columns = parts(line, b' ').skip(1).filter_map(wide_number);
                let (Some(user), Some(kernel)) = (columns.next(), columns.next()) else { continue };
                let number = match place {
                    0 => user.saturating_add(kernel),
                    1 => kernel,
                    _ => user,
                };
                text.comma().push_number(number);
            }
            text.push("]");
        }
    }
}

/// All lines of `memory.stat`.
#[inline(never)]
fn raw(text: &mut Text, stat: &[u8]) {
    for line in parts(stat, b'\n') {
        let (name, number) = cut(line, b' ');
        if let Some(number) = number.and_then(wide_number) {
            text.comma().push_json(name).push(":").push_number(number);
        }
    }
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
