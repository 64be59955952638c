//! `mini-container check`: what this host can do, found out by trying it in processes that are thrown
//! away, and for what is missing the setting or the kernel option that gives it.

mod print;
mod probes;

use crate::kernel::caller::Caller;
use crate::kernel::settings;
use crate::lookup;
use crate::sys::namespaces::Namespaces;
use crate::sys::probe;
use crate::text::Text;
use alloc::vec::Vec;
use print::print;
use probes::{As, attempt};
use rustix::io::Errno;

/// One thing that a host can do or not.
struct Row {
    group: &'static str,
    name: &'static str,
    /// None if this caller cannot find out.
    works: Option<bool>,
    /// What else is known.
    detail: &'static [u8],
    /// What gives it, if it is missing.
    hint: &'static [u8],
    /// Whether `mini-container --all` needs it for this caller.
    is_needed: bool,
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
    let mut rows = Vec::new();
    isolations(&mut rows, caller);
    file_systems(&mut rows, caller);
    protections(&mut rows);
    cgroups(&mut rows);
    programs(&mut rows, caller);
    let is_enough = rows.iter().all(|row| !row.is_needed || row.works == Some(true));
    (print(&rows, form), is_enough)
}

struct Kind {
    name: &'static str,
    kinds: Namespaces,
    hint: &'static str,
}

const fn kind(name: &'static str, kinds: Namespaces, hint: &'static str) -> Kind {
    Kind { name, kinds, hint }
}

const KINDS: [Kind; 8] = [
    kind("filesystem", Namespaces::MOUNT, "CONFIG_NAMESPACES"),
    kind("process", Namespaces::PID, "CONFIG_PID_NS"),
    kind("user", Namespaces::USER, "CONFIG_USER_NS"),
    kind("ipc", Namespaces::IPC, "CONFIG_IPC_NS"),
    kind("network", Namespaces::NET, "CONFIG_NET_NS"),
    kind("hostname", Namespaces::UTS, "CONFIG_UTS_NS"),
    kind("cgroup", Namespaces::CGROUP, "CONFIG_CGROUPS, Linux 4.6"),
    kind("time", Namespaces::TIME, "CONFIG_TIME_NS, Linux 5.6"),
];

fn isolations(rows: &mut Vec<Row>, caller: Caller) {
    for Kind { name, kinds, hint } in &KINDS {
        let found = caller.privileged.then(|| attempt(As::Caller, *kinds, || Ok(())));
        let mut row = row("isolation with root privilege", name, found, hint);
        row.is_needed = caller.privileged;
        rows.push(row);
    }
    for Kind { name, kinds, hint } in &KINDS {
        let found = attempt(As::Nobody, kinds.and(Namespaces::USER), || Ok(()));
        let mut row = row("isolation without root privilege", name, Some(found), hint);
        if row.works == Some(false) && matches!(found, Err(Errno::PERM | Errno::NOSPC)) {
            row.hint = settings::user_namespaces();
        }
        row.is_needed = !caller.privileged;
        rows.push(row);
    }
}

fn file_systems(rows: &mut Vec<Row>, caller: Caller) {
    const GROUP: &str = "file systems";
    // These are done by names in /proc.
    let named = |name, found, hint| {
        let is_nameless = found == Some(Err(Errno::NOENT));
        row(GROUP, name, found, if is_nameless { "/proc has to be mounted" } else { hint })
    };
    let found = caller.privileged.then(|| probes::overlay(As::Caller));
    rows.push(named("overlay with root privilege", found, "CONFIG_OVERLAY_FS"));
    let found = Some(probes::overlay(As::Nobody));
    rows.push(named("overlay without root privilege", found, "CONFIG_OVERLAY_FS, Linux 5.11"));
    let found = caller.privileged.then(probes::id_mapped);
    rows.push(named("id-mapped mounts", found, "Linux 5.12, and a file system that can"));
    for (name, number, hint) in probe::MOUNT_CALLS {
        rows.push(row(GROUP, name, Some(probe::is_known(number)), hint));
    }
}

fn protections(rows: &mut Vec<Row>) {
    const GROUP: &str = "protections";
    let mut seccomp =
        row(GROUP, "seccomp filters", Some(probe::filters()), "CONFIG_SECCOMP_FILTER");
    seccomp.is_needed = true;
    rows.push(seccomp);
    let abi = crate::sys::landlock::abi();
    let hint = "CONFIG_SECURITY_LANDLOCK, and landlock in lsm= of the kernel's command line";
    let mut landlock = row(GROUP, "landlock", Some(abi.map(drop)), hint);
    if let Ok(version) = abi {
        let mut text = Text::new();
        text.push("ABI ").push_number(version.into());
        landlock.detail = text.leak();
    }
    rows.push(landlock);
    for (name, number, hint) in probe::PROCESS_CALLS {
        rows.push(row(GROUP, name, Some(probe::is_known(number)), hint));
    }
}

fn cgroups(rows: &mut Vec<Row>) {
    const GROUP: &str = "cgroups";
    let (version, controllers) = probes::cgroups();
    let found = if version.is_empty() { Err(Errno::NOENT) } else { Ok(()) };
    let hint = "mount -t cgroup2 none /sys/fs/cgroup";
    let mut mounted = row(GROUP, "mounted", Some(found), hint);
    mounted.detail = version.as_bytes();
    rows.push(mounted);
    let found = if controllers.is_empty() { Err(Errno::NOENT) } else { Ok(()) };
    let mut row_of = row(
        GROUP,
        "controllers",
        Some(found),
        "CONFIG_MEMCG, CONFIG_CGROUP_SCHED, CONFIG_CGROUP_PIDS",
    );
    row_of.detail = controllers;
    rows.push(row_of);
    let found = probe::clone_into_cgroup();
    rows.push(row(GROUP, "clone3 into a cgroup", Some(found), "Linux 5.7"));
}

fn programs(rows: &mut Vec<Row>, caller: Caller) {
    const GROUP: &str = "helpers";
    for (name, hint) in [
        ("pasta", "the package passt, for --network pasta"),
        ("newuidmap", "the package uidmap, for --map-users without root privilege"),
        ("newgidmap", "the package uidmap, for --map-groups without root privilege"),
    ] {
        let place = probes::program(name);
        let mut found = row(GROUP, name, Some(place.map(drop).ok_or(Errno::NOENT)), hint);
        found.detail = place.unwrap_or_default();
        rows.push(found);
    }
    for (name, path) in [("user ids", c"/etc/subuid"), ("group ids", c"/etc/subgid")] {
        let count = lookup::subordinate_ids(path, caller);
        let found = if count > 0 { Ok(()) } else { Err(Errno::NOENT) };
        let hint = "a line such as USER:100000:65536 in /etc/subuid and in /etc/subgid";
        let mut ids = row(GROUP, name, Some(found), hint);
        let mut text = Text::new();
        text.push_number(count).push(" in ").push_name(path.to_bytes());
        ids.detail = text.leak();
        rows.push(ids);
    }
}

fn row(
    group: &'static str,
    name: &'static str,
    found: Option<Result<(), Errno>>,
    hint: &'static str,
) -> Row {
    let works = found.map(|found| found.is_ok());
    let detail: &[u8] = match found {
        None => b"takes root privilege to find out",
        Some(Err(errno)) => crate::error::errno_text(errno),
        Some(Ok(())) => b"",
    };
    Row { group, name, works, detail, hint: hint.as_bytes(), is_needed: false }
}
