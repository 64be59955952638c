//! The options of the launcher: one table, which the parser, the help and the README go by.

/// An option, by its name in the code.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Name {
    Rootfs,
    ReadOnly,
    Volume,
    Tmpfs,
    Workdir,
    Env,
    ClearEnv,
    User,
    PreserveFds,
    Explain,
    Help,
    Version,
}

/// How an option is written, and what it is for.
pub struct Entry {
    pub name: Name,
    pub short: Option<u8>,
    /// With its two dashes.
    pub long: &'static str,
    /// What its value stands for; None if it takes none.
    pub value: Option<&'static str>,
    pub help: &'static str,
}

const fn entry(
    name: Name,
    short: Option<u8>,
    long: &'static str,
    value: Option<&'static str>,
    help: &'static str,
) -> Entry {
    Entry { name, short, long, value, help }
}

/// All of them, in the order of the help.
pub static OPTIONS: [Entry; 12] = [
    entry(
        Name::Rootfs,
        Some(b'r'),
        "--rootfs",
        Some("DIR"),
        "the root directory (default: rootfs)",
    ),
    entry(Name::ReadOnly, None, "--read-only", None, "the root cannot be written to"),
    entry(
        Name::Volume,
        Some(b'v'),
        "--volume",
        Some("SRC:DST[:ro]"),
        "SRC of the host is seen as DST; ro: cannot be written to",
    ),
    entry(Name::Tmpfs, None, "--tmpfs", Some("DST"), "an empty directory in memory at DST"),
    entry(
        Name::Workdir,
        Some(b'w'),
        "--workdir",
        Some("DIR"),
        "start in DIR of the root (default: /)",
    ),
    entry(
        Name::Env,
        Some(b'e'),
        "--env",
        Some("K[=V]"),
        "set a variable; K alone: as it is outside",
    ),
    entry(Name::ClearEnv, None, "--clear-env", None, "start from an empty environment"),
    entry(
        Name::User,
        Some(b'u'),
        "--user",
        Some("UID[:GID]"),
        "run as this user and group, in numbers (default group: 0)",
    ),
    entry(
        Name::PreserveFds,
        None,
        "--preserve-fds",
        Some("N"),
        "pass on descriptors 3 to 2+N, too",
    ),
    entry(Name::Explain, None, "--explain", None, "print what would be done, and do nothing"),
    entry(Name::Help, Some(b'h'), "--help", None, "print this help"),
    entry(Name::Version, Some(b'V'), "--version", None, "print the version"),
];

/// The option with this long name, which begins with `--`.
pub fn by_long(long: &[u8]) -> Option<&'static Entry> {
    OPTIONS.iter().find(|entry| entry.long.as_bytes() == long)
}

/// The option `-short`.
pub fn by_short(short: u8) -> Option<&'static Entry> {
    OPTIONS.iter().find(|entry| entry.short == Some(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_names_and_by_no_other() {
        for entry in &OPTIONS {
            assert_eq!(by_long(entry.long.as_bytes()).unwrap().name, entry.name);
            if let Some(short) = entry.short {
                assert_eq!(by_short(short).unwrap().name, entry.name);
            }
        }
        assert!(by_long(b"--root").is_none());
        assert!(by_short(b'x').is_none());
    }
}
