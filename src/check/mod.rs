//! `mini-container check`: what this host can do, found out by trying it in processes that are thrown
//! away, and for what is missing the setting or the kernel option that gives it.

mod print;
mod probes;

use crate::kernel::caller::Caller;
use crate::kernel::settings;
use crate::lookup;
use crate::rare::Rare;
use crate::sys::namespaces::Namespaces;
use crate::sys::probe::{self, Call};
use crate::text::Text;
use alloc::vec::Vec;
use print::print;
use probes::{As, attempt};
use rustix::io::Errno;

/// One thing that a host can do or not.
struct Row {
    group: Rare,
    name: Rare,
    /// None if this caller cannot find out.
    works: Option<bool>,
    /// What else is known.
    detail: &'static [u8],
    /// What gives it, if it is missing.
    hint: &'static [u8],
    /// Whether `mini-container --all` needs it for this caller.
    is_needed: bool,
}

/// The rows so far, and the group that the next ones are of.
struct Rows {
    list: Vec<Row>,
    group: Rare,
}

impl Rows {
    /// Adds what was found, None if this caller cannot find out.
    #[inline(never)]
    fn add(&mut self, name: Rare, found: Option<Result<(), Errno>>, hint: Rare) {
        let works = found.map(|found| found.is_ok());
        let detail: &[u8] = match found {
            None => rare!("takes root privilege to find out").bytes(),
            Some(Err(errno)) => crate::error::errno_text(errno),
            Some(Ok(())) => b"",
        };
        let (group, hint) = (self.group, hint.bytes());
        self.list.push(Row { group, name, works, detail, hint, is_needed: false });
    }

    /// Adds what is there if it has words.
    fn add_words(&mut self, name: Rare, words: &'static [u8], hint: Rare) {
        self.add(name, Some(if words.is_empty() { Err(Errno::NOENT) } else { Ok(()) }), hint);
        self.say(words);
    }

    /// Adds whether the kernel knows these system calls.
    fn add_calls(&mut self, calls: &[(Rare, Call, Rare)]) {
        for (name, call, hint) in calls {
            self.add(*name, Some(probe::is_known(*call)), *hint);
        }
    }

    /// What else is known of the last one.
    fn say(&mut self, detail: &'static [u8]) {
        if let Some(last) = self.list.last_mut() {
            last.detail = detail;
        }
    }

    /// The last one is needed.
    fn need(&mut self, is_needed: bool) {
        if let Some(last) = self.list.last_mut() {
            last.is_needed = is_needed;
        }
    }
}

/// How the result is written.
#[derive(Clone, Copy)]
pub enum Form {
    /// For people: lines, perhaps with colours.
    Lines {
        /// Whether there are colours.
        colored: bool,
    },
    /// For programs; RFC 8259.
    Json,
}

/// The result, and whether all is there that a hardened container takes.
#[must_use]
#[inline(never)]
pub fn check(form: Form) -> (Text, bool) {
    let caller = Caller::current();
    let mut rows = Rows { list: Vec::new(), group: Rare::NONE };
    isolations(&mut rows, caller);
    file_systems(&mut rows, caller);
    protections(&mut rows);
    cgroups(&mut rows);
    programs(&mut rows, caller);
    let is_enough = rows.list.iter().all(|row| !row.is_needed || row.works == Some(true));
    (print(&rows.list, form), is_enough)
}

struct Kind {
    name: Rare,
    kinds: Namespaces,
    hint: Rare,
}

const fn kind(name: Rare, kinds: Namespaces, hint: Rare) -> Kind {
    Kind { name, kinds, hint }
}

static KINDS: [Kind; 8] = [
    kind(rare!("filesystem"), Namespaces::MOUNT, rare!("CONFIG_NAMESPACES")),
    kind(rare!("process"), Namespaces::PID, rare!("CONFIG_PID_NS")),
    kind(rare!("user"), Namespaces::USER, rare!("CONFIG_USER_NS")),
    kind(rare!("ipc"), Namespaces::IPC, rare!("CONFIG_IPC_NS")),
    kind(rare!("network"), Namespaces::NET, rare!("CONFIG_NET_NS")),
    kind(rare!("hostname"), Namespaces::UTS, rare!("CONFIG_UTS_NS")),
    kind(rare!("cgroup"), Namespaces::CGROUP, rare!("CONFIG_CGROUPS, Linux 4.6")),
    kind(rare!("time"), Namespaces::TIME, rare!("CONFIG_TIME_NS, Linux 5.6")),
];

fn isolations(rows: &mut Rows, caller: Caller) {
    for whose in [As::Caller, As::Nobody] {
        let with_root = whose == As::Caller;
        rows.group = if with_root {
            rare!("isolation with root privilege")
        } else {
            rare!("isolation without root privilege")
        };
        for Kind { name, kinds, hint } in &KINDS {
            let kinds = if with_root { *kinds } else { kinds.and(Namespaces::USER) };
            let is_tried = !with_root || caller.privileged;
            let found = is_tried.then(|| attempt(whose, kinds, &|| Ok(())));
            rows.add(*name, found, *hint);
            if let (false, Some(Err(Errno::PERM | Errno::NOSPC))) = (with_root, found)
                && let Some(last) = rows.list.last_mut()
            {
                last.hint = settings::user_namespaces();
            }
            rows.need(with_root == caller.privileged);
        }
    }
}

fn file_systems(rows: &mut Rows, caller: Caller) {
    rows.group = rare!("file systems");
    // These are done by names in /proc.
    let mut named = |name, found, hint| {
        let is_nameless = found == Some(Err(Errno::NOENT));
        rows.add(name, found, if is_nameless { rare!("/proc has to be mounted") } else { hint });
    };
    let found = caller.privileged.then(|| probes::overlay(As::Caller));
    named(rare!("overlay with root privilege"), found, rare!("CONFIG_OVERLAY_FS"));
    let found = Some(probes::overlay(As::Nobody));
    named(rare!("overlay without root privilege"), found, rare!("CONFIG_OVERLAY_FS, Linux 5.11"));
    let found = caller.privileged.then(probes::id_mapped);
    named(rare!("id-mapped mounts"), found, rare!("Linux 5.12, and a file system that can"));
    rows.add_calls(&[
        (rare!("fsopen"), Call::Fsopen, rare!("Linux 5.2")),
        (rare!("open_tree"), Call::OpenTree, rare!("Linux 5.2")),
        (rare!("move_mount"), Call::MoveMount, rare!("Linux 5.2")),
        (rare!("mount_setattr"), Call::MountSetattr, rare!("Linux 5.12")),
        (rare!("openat2"), Call::Openat2, rare!("Linux 5.6, and no filter that does not know it")),
    ]);
}

fn protections(rows: &mut Rows) {
    rows.group = rare!("protections");
    rows.add(rare!("seccomp filters"), Some(probe::filters()), rare!("CONFIG_SECCOMP_FILTER"));
    rows.need(true);
    let abi = crate::sys::landlock::abi();
    let hint = rare!("CONFIG_SECURITY_LANDLOCK, and landlock in lsm= of the kernel's command line");
    rows.add(rare!("landlock"), Some(abi.map(drop)), hint);
    if let Ok(version) = abi {
        let mut text = Text::new();
        text.push("ABI ").push_number(version.into());
        rows.say(text.leak());
    }
    rows.add_calls(&[
        (rare!("close_range"), Call::CloseRange, rare!("Linux 5.9")),
        (rare!("pidfd_open"), Call::PidfdOpen, rare!("Linux 5.3")),
    ]);
}

fn cgroups(rows: &mut Rows) {
    rows.group = rare!("cgroups");
    let (version, controllers) = probes::cgroups();
    let hint = rare!("mount -t cgroup2 none /sys/fs/cgroup");
    rows.add_words(rare!("mounted"), version.as_bytes(), hint);
    let hint = rare!("CONFIG_MEMCG, CONFIG_CGROUP_SCHED, CONFIG_CGROUP_PIDS");
    rows.add_words(rare!("controllers"), controllers, hint);
    let found = probe::clone_into_cgroup();
    rows.add(rare!("clone3 into a cgroup"), Some(found), rare!("Linux 5.7"));
}

fn programs(rows: &mut Rows, caller: Caller) {
    rows.group = rare!("helpers");
    for (name, hint) in [
        (rare!("pasta"), rare!("the package passt, for --network pasta")),
        (rare!("newuidmap"), rare!("the package uidmap, for --map-users without root privilege")),
        (rare!("newgidmap"), rare!("the package uidmap, for --map-groups without root privilege")),
    ] {
        rows.add_words(name, probes::program(name.text()).unwrap_or_default(), hint);
    }
    for (name, path) in [(rare!("user ids"), c"/etc/subuid"), (rare!("group ids"), c"/etc/subgid")]
    {
        let count = lookup::subordinate_ids(path, caller);
        let found = if count > 0 { Ok(()) } else { Err(Errno::NOENT) };
        let hint = rare!("a line such as USER:100000:65536 in /etc/subuid and in /etc/subgid");
        rows.add(name, Some(found), hint);
        let mut text = Text::new();
        text.push_number(count).push(" in ").push_name(path.to_bytes());
        rows.say(text.leak());
    }
}
