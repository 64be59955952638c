//! The options of the launcher, and those of the command `rootfs`: a table each, which the parser,
//! the help and the README go by.

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

/// How an option is written, and what it is for.
pub struct Entry {
    pub name: Name,
    pub short: Option<u8>,
    /// How long the first two parts of the words are.
    long: u8,
    value: u8,
    /// All words one behind the other, since a place for each would be as long as the words.
    words: &'static str,
}

impl Entry {
    /// With its two dashes.
    pub fn long(&self) -> &'static str {
        self.words.get(..self.long.into()).unwrap_or_default()
    }

    /// What its value stands for; None if it takes none.
    pub fn value(&self) -> Option<&'static str> {
        let start = usize::from(self.long);
        let value = self.words.get(start..start + usize::from(self.value));
        value.filter(|value| !value.is_empty())
    }

    /// What it is for.
    pub fn help(&self) -> &'static str {
        self.words.get(usize::from(self.long) + usize::from(self.value)..).unwrap_or_default()
    }
}

/// A line of the table: a name, the letter if there is one, the word, the value, and the help.
macro_rules! options {
    ($table:ident: $($name:ident $([$short:literal])? $long:literal $(($value:literal))? $help:literal;)*) => {
        /// All of them, in the order of the help.
        pub static $table: &[Entry] = &[$(Entry {
            name: Name::$name,
            short: options!(@some $($short)?),
            long: $long.len() as u8,
            value: concat!("" $(, $value)?).len() as u8,
            words: concat!($long $(, $value)?, $help),
        }),*];
    };
    (@some $some:literal) => { Some($some) };
    (@some) => { None };
}

options! { OPTIONS:
    Rootfs [b'r'] "--rootfs" ("DIR") "the root directory (default: rootfs)";
    Programs [b'p'] "--programs" ("LIST") "a root of these programs of this system, and what they need";
    Image [b'i'] "--image" ("FILE") "a root from an image: OCI layout (folder, tar), docker-save tar, rootfs tar";
    Platform "--platform" ("OS/ARCH") "which of an image's platforms, such as linux/arm64";
    Tag "--tag" ("NAME") "which of the images in the file";
    Keep "--keep" ("NAME") "keep what is written to an image's root, as NAME, for later runs";
    Entrypoint "--entrypoint" ("PROGRAM") "instead of the image's entrypoint";
    Quiet [b'q'] "--quiet" "do not show how far the unpacking is";
    ReadOnly "--read-only" "the root cannot be written to";
    Ephemeral "--ephemeral" "what is written to the root is thrown away";
    Volume [b'v'] "--volume" ("SRC:DST[:OPTS]") "SRC of the host is seen as DST; OPTS: ro, nosuid, nodev, noexec, ...";
    Tmpfs "--tmpfs" ("DST[:OPTS]") "an empty directory in memory at DST; OPTS: size=, mode=, exec, ...";
    Device "--device" ("SRC[:DST]") "a device of the host";
    Proc "--proc" ("DST") "a /proc of its own";
    Dev "--dev" ("DST") "a /dev of its own, with the usual devices";
    Workdir [b'w'] "--workdir" ("DIR") "start in DIR of the root (default: /)";
    Env [b'e'] "--env" ("K[=V]") "set a variable; K alone: as it is outside";
    ClearEnv "--clear-env" "start from an empty environment";
    User [b'u'] "--user" ("UID[:GID]") "run as this user and group, in numbers (default group: 0)";
    GroupAdd "--group-add" ("GID") "a supplementary group, in numbers";
    Tty [b't'] "--tty" "a terminal of its own";
    Init "--init" "a process 1 that reaps, and passes signals on to the program";
    StopSignal "--stop-signal" ("SIGNAL") "what the program gets when the launcher gets SIGTERM";
    PreserveFds "--preserve-fds" ("N") "pass on descriptors 3 to 2+N, too";
    All [b'a'] "--all" "every isolation, few capabilities, a filter of system calls";
    Isolate "--isolate" ("LIST") "process, user, ipc, network, hostname, cgroup, time, or all";
    Share "--share" ("LIST") "take these isolations out of --all again";
    Join "--join" ("NAME=PATH") "enter an existing namespace, such as net=/proc/PID/ns/net";
    Network "--network" ("MODE") "none, host, ns:PATH, macvlan:IF, ipvlan:IF, veth:BRIDGE, pasta";
    Hostname "--hostname" ("NAME") "its host name";
    Domainname "--domainname" ("NAME") "its NIS domain name";
    TimeOffset "--time-offset" ("OFFSETS") "monotonic=SECONDS,boottime=SECONDS ahead of the host";
    MapUsers "--map-users" ("RANGE") "users: INSIDE:OUTSIDE:COUNT, more than once; or auto";
    MapGroups "--map-groups" ("RANGE") "groups, likewise";
    CapAdd "--cap-add" ("LIST") "capabilities to keep, or ALL";
    CapDrop "--cap-drop" ("LIST") "capabilities to drop, or ALL";
    SecurityOpt "--security-opt" ("OPT") "seccomp=FILE, seccomp=unconfined, no-new-privileges[=false], mask=P, unmask=P, landlock";
    NoNestedUserns "--no-nested-userns" "no user namespaces can be made inside (--all does that)";
    Ulimit "--ulimit" ("NAME=SOFT[:HARD]") "a resource limit, such as nofile=1024";
    Umask "--umask" ("MODE") "which permissions new files do not have, such as 077";
    OomScoreAdj "--oom-score-adj" ("N") "how readily it is killed for memory, -1000 to 1000";
    Nice "--nice" ("N") "how much it gives way to others, -20 to 19";
    Cpuset "--cpuset" ("LIST") "the processors that it runs on, such as 0-3,6";
    Timeout "--timeout" ("SECONDS") "kill it then";
    Explain "--explain" "print what would be done, and do nothing";
    Help [b'h'] "--help" "print this help";
    Version [b'V'] "--version" "print the version";
}

options! { ROOTFS_OPTIONS:
    Output [b'o'] "--output" ("DIR") "the directory to make (default: rootfs)";
    With "--with" ("PATH") "a file or folder of this system, as it is";
    Etc "--etc" "a minimal passwd, group, nsswitch.conf and hosts";
    List "--list" "print what would be copied, and do nothing";
    Image [b'i'] "--image" ("FILE") "from an image: OCI layout (folder, tar), docker-save tar, rootfs tar";
    Platform "--platform" ("OS/ARCH") "which of an image's platforms, such as linux/arm64";
    Tag "--tag" ("NAME") "which of the images in the file";
    MapUsers "--map-users" ("RANGE") "users: INSIDE:OUTSIDE:COUNT, more than once; or auto";
    MapGroups "--map-groups" ("RANGE") "groups, likewise";
    Quiet [b'q'] "--quiet" "do not show how far the unpacking is";
    Prune "--prune" "remove all unpacked images that no container uses";
    Keep "--keep" ("NAME") "with --prune: remove what was kept as NAME, too";
    Help [b'h'] "--help" "print this help";
}

/// The option with this long name, which begins with `--`.
pub fn by_long(table: &'static [Entry], long: &[u8]) -> Option<&'static Entry> {
    table.iter().find(|entry| entry.long().as_bytes() == long)
}

/// The option `-short`.
pub fn by_short(table: &'static [Entry], short: u8) -> Option<&'static Entry> {
    table.iter().find(|entry| entry.short == Some(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_names_and_by_no_other() {
        for table in [OPTIONS, ROOTFS_OPTIONS] {
            for entry in table {
                assert_eq!(by_long(table, entry.long().as_bytes()).unwrap().name, entry.name);
                if let Some(short) = entry.short {
                    assert_eq!(by_short(table, short).unwrap().name, entry.name);
                }
            }
        }
        assert!(by_long(OPTIONS, b"--root").is_none());
        assert!(by_short(OPTIONS, b'x').is_none());
    }
}
