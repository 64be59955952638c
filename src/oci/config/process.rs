//! `process`: the program, and who it is; also what `exec` is given.

use super::node::{Node, twice};
use crate::container::{
    Attributes, Capabilities, Container, Limit, Scheduler, User, capability, processors, resource,
};
use crate::text::{Text, cut, parts};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fs::Mode;
use rustix::process::{Gid, Rlimit};
use rustix::thread::{CapabilitySet, CpuSet};

/// `sched.h`.
const POLICIES: &str =
    "SCHED_OTHER SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_ISO SCHED_IDLE SCHED_DEADLINE";
const SCHEDULER_FLAGS: &str = "SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_RECLAIM SCHED_FLAG_DL_OVERRUN \
    SCHED_FLAG_KEEP_POLICY SCHED_FLAG_KEEP_PARAMS SCHED_FLAG_UTIL_CLAMP_MIN SCHED_FLAG_UTIL_CLAMP_MAX";
/// `ioprio.h`, from 1 on: the class stands above 13 bits of priority.
const CLASSES: &str = "IOPRIO_CLASS_RT IOPRIO_CLASS_BE IOPRIO_CLASS_IDLE";

/// Reads it, in the place of what the container has; absent, it is empty.
#[inline(never)]
pub fn read(node: &Node<'_>, container: &mut Container<'static>) {
    let Container { process, security, .. } = container;
    let cwd = if node.is_there() { node.needed("cwd").path() } else { None };
    process.working_directory = cwd.unwrap_or(c"/");
    let user = node.get("user");
    user.text_at("username");
    node.text_at("commandLine");
    process.command = node.strings_at("args");
    process.environment = environment(node);
    process.user = Some(User { user: id(&user.get("uid")), group: id(&user.get("gid")) });
    process.groups = groups(&user);
    process.terminal = node.flag_at("terminal");
    process.limits = limits(node);
    // As in runc, where nothing is said.
    let umask = user.number_at("umask", 0o777).unwrap_or(0o022);
    process.umask = Some(Mode::from_raw_mode(umask as u32));
    process.oom_score = oom_score(&node.get("oomScoreAdj"));
    security.capabilities = Some(capabilities(&node.get("capabilities")));
    security.no_new_privileges = node.flag_at("noNewPrivileges");
    attributes(node, &mut process.attributes);
}

#[inline(never)]
fn attributes(node: &Node<'_>, attributes: &mut Attributes<'static>) {
    attributes.scheduler = scheduler(&node.get("scheduler"));
    attributes.io_priority = io_priority(&node.get("ioPriority"));
    attributes.apparmor = node.filled_at("apparmorProfile");
    attributes.selinux = node.filled_at("selinuxLabel");
    attributes.console_size = console_size(&node.get("consoleSize"));
    let affinity = node.get("execCPUAffinity");
    let [first, then] = &mut attributes.exec_processors;
    *first = processors_at(&affinity, "initial");
    *then = processors_at(&affinity, "final");
}

/// Each name once: the last counts.
#[inline(never)]
fn environment(node: &Node<'_>) -> Vec<&'static CStr> {
    let mut variables = Vec::new();
    let mut names = Vec::new();
    node.each_at("env", &mut |node| {
        let variable = node.needed_string();
        match cut(variable.to_bytes(), b'=') {
            (name @ [_, ..], Some(_)) => names.push((name, variables.len())),
            _ => node.wrong(rare!("it is to be NAME=value")),
        }
        variables.push(variable);
    });
    twice(&mut names, |place| {
        if let Some(variable) = variables.get_mut(place) {
            *variable = c"";
        }
    });
    variables.retain(|variable| !variable.is_empty());
    variables
}

/// A list of processors, in which there may be spaces, and commas too many.
#[inline(never)]
fn processors_at(node: &Node<'_>, name: &'static str) -> Option<CpuSet> {
    let node = node.get(name);
    let mut list = Text::new();
    for part in parts(node.text()?.as_bytes(), b',') {
        let part = part.trim_ascii();
        if !part.is_empty() {
            list.push_part(part);
        }
    }
    if list.is_empty() {
        return None;
    }
    let set = processors(list.as_bytes());
    if set.is_none() {
        node.wrong(rare!("it is to be a list such as 0-3,6"));
    }
    set
}

/// The highest number is none; setresuid(2).
fn id(node: &Node<'_>) -> u32 {
    let id = node.number(u32::MAX.into()).unwrap_or_default() as u32;
    if id == u32::MAX {
        node.wrong(rare!("it stands for no id"));
    }
    id
}

#[inline(never)]
fn groups(user: &Node<'_>) -> Option<Vec<Gid>> {
    let mut groups = Vec::new();
    user.add_all_at("additionalGids", |node| Gid::from_raw(id(node)), &mut groups);
    (!groups.is_empty()).then_some(groups)
}

#[inline(never)]
fn oom_score(node: &Node<'_>) -> Option<&'static CStr> {
    let score = node.between(-1000, 1000)?;
    let mut text = Text::new();
    text.push_signed(score);
    Some(text.into_c_str())
}

#[inline(never)]
fn console_size(node: &Node<'_>) -> Option<(u16, u16)> {
    node.value()?;
    let side = |name| node.needed_number_at(name, u16::MAX.into()) as u16;
    Some((side("height"), side("width")))
}

#[inline(never)]
fn limits(node: &Node<'_>) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::new();
    node.each_at("rlimits", &mut |node| {
        let kind = node.get("type");
        let name = kind.needed_string().to_bytes().strip_prefix(b"RLIMIT_").unwrap_or_default();
        let is_upper = name.iter().all(u8::is_ascii_uppercase);
        let Some(resource) = resource(&name.to_ascii_lowercase()).filter(|_| is_upper) else {
            return kind.wrong(rare!("there is no such limit"));
        };
        if limits.iter().any(|limit| limit.resource == resource) {
            kind.wrong(rare!("it is there twice"));
        }
        let value = |name| node.needed_number_at(name, u64::MAX);
        let (soft, hard) = (value("soft"), value("hard"));
        if soft > hard {
            node.get("soft").wrong(rare!("it is above the hard limit"));
        }
        // The highest number is none.
        let bound = |value| (value != u64::MAX).then_some(value);
        limits.push(Limit {
            resource,
            values: Rlimit { current: bound(soft), maximum: bound(hard) },
        });
    });
    limits
}

#[inline(never)]
fn capability_set(node: &Node<'_>, name: &'static str) -> CapabilitySet {
    let mut set = CapabilitySet::empty();
    node.each_at(name, &mut |node| {
        let name = node.needed_string().to_bytes();
        match capability(name).filter(|_| name.starts_with(b"CAP_")) {
            Some(known) => set |= known,
            None => node.wrong(rare!("there is no such capability")),
        }
    });
    set
}

/// Where nothing is said there are none, as in runc.
#[inline(never)]
fn capabilities(node: &Node<'_>) -> Capabilities {
    let set = |name| capability_set(node, name);
    Capabilities {
        bounding: set("bounding"),
        effective: set("effective"),
        permitted: set("permitted"),
        inheritable: set("inheritable"),
        ambient: set("ambient"),
    }
}

#[inline(never)]
fn scheduler(node: &Node<'_>) -> Option<Scheduler> {
    node.value()?;
    let time = |name| node.wide_at(name).unwrap_or_default();
    Some(Scheduler {
        policy: node.needed_word_at("policy", POLICIES) as u32,
        flags: node.word_bits_at("flags", SCHEDULER_FLAGS),
        nice: node.between_at("nice", -20, 19).unwrap_or_default() as i32,
        priority: node.between_at("priority", 0, 99).unwrap_or_default() as u32,
        runtime: time("runtime"),
        deadline: time("deadline"),
        period: time("period"),
    })
}

#[inline(never)]
fn io_priority(node: &Node<'_>) -> Option<u16> {
    node.value()?;
    let class = node.needed_word_at("class", CLASSES) + 1;
    let priority = node.between_at("priority", 0, 7).unwrap_or_default();
    Some((class as u16) << 13 | priority as u16)
}
