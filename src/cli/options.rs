//! The options of the launcher, and those of the command `rootfs`: a table each, which the parser,
//! the help and the README go by.

use crate::rare::Rare;
use crate::text::{Table, parts, table};

/// An option, by its name in the code.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Name {
    Rootfs,
    Programs,
    Image,
    Platform,
    Tag,
    Keep,
    Entrypoint,
    Quiet,
    Output,
    With,
    Etc,
    List,
    Prune,
    ReadOnly,
    Ephemeral,
    Volume,
    Tmpfs,
    Device,
    Proc,
    Dev,
    Workdir,
    Env,
    ClearEnv,
    User,
    GroupAdd,
    Tty,
    Init,
    StopSignal,
    PreserveFds,
    All,
    Isolate,
    Share,
    Join,
    Network,
    Hostname,
    Domainname,
    TimeOffset,
    MapUsers,
    MapGroups,
    CapAdd,
    CapDrop,
    SecurityOpt,
    NoNestedUserns,
    Ulimit,
    Umask,
    OomScoreAdj,
    Nice,
    Cpuset,
    Timeout,
    Explain,
    Help,
    Version,
}

/// How an option is written.
pub struct Entry {
    pub name: Name,
    pub short: Option<u8>,
    pub takes_value: bool,
    /// The help that has a line about it.
    help: Rare,
}

/// The options of a command line, by their long names with the two dashes.
pub type Options = Table<Entry>;

impl Entry {
    /// Its long name, with the two dashes. An option is written the same in each table that it is in.
    pub fn long(&self) -> &'static [u8] {
        match OPTIONS.word(|entry| entry.name == self.name) {
            b"" => ROOTFS_OPTIONS.word(|entry| entry.name == self.name),
            long => long,
        }
    }

    /// How it is written, without its letter, and what it is for.
    pub fn help(&self) -> (&'static [u8], &'static [u8]) {
        let line = parts(self.help.bytes(), b'\n').find_map(|line| {
            let words = line.trim_ascii_start();
            let words = if self.short.is_some() { words.get(4..)? } else { words };
            let behind = words.strip_prefix(self.long())?;
            behind.starts_with(b" ").then_some(words)
        });
        let line = line.unwrap_or_default();
        let end = line.windows(2).position(|two| two == b"  ").unwrap_or(line.len());
        let (written, meaning) = line.split_at(end);
        (written, meaning.trim_ascii_start())
    }
}

/// A line of the table: a name, the letter if there is one, the word, and whether a value follows.
macro_rules! options {
    ($table:ident $help:expr; $($name:ident $([$short:literal])? $long:literal $kind:ident;)*) => {
        /// All of them, in the order of the help.
        pub static $table: Options = table! { $($long => Entry {
            name: Name::$name,
            short: options!(@short $($short)?),
            takes_value: options!(@$kind),
            help: $help,
        },)* };
    };
    (@short $letter:literal) => { Some($letter) };
    (@short) => { None };
    (@value) => { true };
    (@flag) => { false };
}

options! { OPTIONS rare!(file "cli/help.txt");
    Rootfs [b'r'] "--rootfs" value;
    Programs [b'p'] "--programs" value;
    Image [b'i'] "--image" value;
    Platform "--platform" value;
    Tag "--tag" value;
    Keep "--keep" value;
    Entrypoint "--entrypoint" value;
    Quiet [b'q'] "--quiet" flag;
    ReadOnly "--read-only" flag;
    Ephemeral "--ephemeral" flag;
    Volume [b'v'] "--volume" value;
    Tmpfs "--tmpfs" value;
    Device "--device" value;
    Proc "--proc" value;
    Dev "--dev" value;
    Workdir [b'w'] "--workdir" value;
    Env [b'e'] "--env" value;
    ClearEnv "--clear-env" flag;
    User [b'u'] "--user" value;
    GroupAdd "--group-add" value;
    Tty [b't'] "--tty" flag;
    Init "--init" flag;
    StopSignal "--stop-signal" value;
    PreserveFds "--preserve-fds" value;
    All [b'a'] "--all" flag;
    Isolate "--isolate" value;
    Share "--share" value;
    Join "--join" value;
    Network "--network" value;
    Hostname "--hostname" value;
    Domainname "--domainname" value;
    TimeOffset "--time-offset" value;
    MapUsers "--map-users" value;
    MapGroups "--map-groups" value;
    CapAdd "--cap-add" value;
    CapDrop "--cap-drop" value;
    SecurityOpt "--security-opt" value;
    NoNestedUserns "--no-nested-userns" flag;
    Ulimit "--ulimit" value;
    Umask "--umask" value;
    OomScoreAdj "--oom-score-adj" value;
    Nice "--nice" value;
    Cpuset "--cpuset" value;
    Timeout "--timeout" value;
    Explain "--explain" flag;
    Help [b'h'] "--help" flag;
    Version [b'V'] "--version" flag;
}

options! { ROOTFS_OPTIONS rare!(file "cli/rootfs.txt");
    Output [b'o'] "--output" value;
    With "--with" value;
    Etc "--etc" flag;
    List "--list" flag;
    Image [b'i'] "--image" value;
    Platform "--platform" value;
    Tag "--tag" value;
    MapUsers "--map-users" value;
    MapGroups "--map-groups" value;
    Quiet [b'q'] "--quiet" flag;
    Prune "--prune" flag;
    Keep "--keep" value;
    Help [b'h'] "--help" flag;
}

/// The option `-short`.
pub fn by_short(table: &Options, short: u8) -> Option<&'static Entry> {
    table.values().iter().find(|entry| entry.short == Some(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_names_and_by_no_other() {
        for table in [&OPTIONS, &ROOTFS_OPTIONS] {
            for (long, entry) in table.iter() {
                assert_eq!(table.get(long).unwrap().name, entry.name);
                assert_eq!(entry.long(), long);
                if let Some(short) = entry.short {
                    assert_eq!(by_short(table, short).unwrap().name, entry.name);
                }
            }
        }
        assert!(OPTIONS.get(b"--root").is_none());
        assert!(by_short(&OPTIONS, b'x').is_none());
    }
}
