//! `config.json` of a bundle: read, checked, and turned into the container that it describes; the OCI runtime
//! specification 1.3, `config.md` and `config-linux.md`.
//!
//! A property that is not known is passed over, as the specification says. One that is known has the type and
//! the range that it says, or the whole is refused, with the place of what is wrong.

mod linux;
mod mounts;
mod node;
mod process;
mod resources;
#[cfg(test)]
mod tests;
mod typed;

use super::kept;
use super::text::joined;
use crate::container::{
    ALL_CAPABILITIES, Container, Hook, Hooks, Isolation, Resources, Root, Source,
};
use crate::error::Error;
use crate::json;
use crate::kernel::caller::Caller;
use crate::kernel::mounts::Access;
use crate::rare::Rare;
use crate::seccomp::{Architecture, Host, KernelVersion, Profile};
use crate::sys::namespaces::Namespaces;
use crate::text::{cut, parts, wide_number, word};
use alloc::vec::Vec;
use core::ffi::CStr;
pub use linux::is_bandwidth;
pub use mounts::options as mount_options;
use node::{Faults, Node, check_names};

/// What a configuration says. It lives until the process ends, as all that is read for a launch.
#[derive(Default)]
pub struct Config {
    /// The version of the specification that it is written for.
    pub version: &'static str,
    /// What is to be run.
    pub container: Container<'static>,
    /// What it may use of the machine.
    pub resources: Resources<'static>,
    /// What is run at points of its life.
    pub hooks: Hooks<'static>,
    /// What others note about it.
    pub annotations: Vec<(&'static str, &'static str)>,
    /// Where its cgroup is.
    pub cgroups_path: Option<&'static CStr>,
    /// Whether its mounts have a label of `SELinux`.
    pub is_labelled: bool,
    /// Which system calls it can make.
    pub seccomp: Option<Seccomp>,
    /// Its group of cache and memory bandwidth; resctrl.
    pub intel_rdt: Option<IntelRdt>,
    /// Why there can be no container of it here, though nothing is wrong with it.
    pub unfit: Option<Error<'static>>,
}

/// A filter of system calls, and who is asked about some.
pub struct Seccomp {
    /// What is answered.
    pub profile: Profile,
    /// The socket that gets the descriptor of calls to be decided on, and what is told to who listens there.
    pub listener: Option<(&'static CStr, &'static str)>,
}

/// `linux.intelRdt`.
pub struct IntelRdt {
    /// The name of the group; the container's own if there is none.
    pub class: Option<&'static CStr>,
    /// Lines for its `schemata`.
    pub schemata: Vec<&'static CStr>,
    /// Whether what it uses is counted.
    pub is_monitored: bool,
}

const READING: Rare = rare!("read config.json,");

/// The values of a text.
fn values(bytes: &'static [u8]) -> Result<&'static json::Value<'static>, Error<'static>> {
    json::parse(bytes, READING).map(|value| &*kept(value))
}

/// Reads a configuration; `bundle` is its folder, from `/` on.
///
/// # Errors
///
/// It is not JSON, or not a configuration; where, is said.
pub fn parse(
    bytes: &'static [u8],
    bundle: &CStr,
    caller: Caller,
) -> Result<&'static mut Config, Error<'static>> {
    let faults = Faults::default();
    let config = kept(Config::default());
    read(&Node::top(values(bytes)?, &faults), bundle, caller, config);
    faults.check().map(|()| config)
}

fn read(top: &Node<'_>, bundle: &CStr, caller: Caller, config: &mut Config) {
    check_names(top);
    let linux = top.get("linux");
    let other = other_systems(top);
    let container = &mut config.container;
    linux::isolation(top, &linux, &mut container.isolation);
    process::read(&top.get("process"), container);
    let attributes = &mut container.process.attributes;
    attributes.memory_policy = linux::memory_policy(&linux.get("memoryPolicy"));
    attributes.personality = linux::personality(&linux.get("personality"));
    let label = linux.filled_at("mountLabel");
    top.add_all_at("mounts", |node| mounts::read(node, bundle), &mut container.mounts);
    if let Some(label) = label {
        config.is_labelled = true;
        for mount in &mut container.mounts {
            mounts::label(mount, label);
        }
    }
    config.version = version(&top.get("ociVersion"));
    config.unfit = other.or_else(|| unfit(top, config.version, &container.isolation));
    resources::read(&linux.get("resources"), &mut config.resources);
    hooks(&top.get("hooks"), &mut config.hooks);
    top.get("annotations").add_members(annotation, &mut config.annotations);
    config.cgroups_path = linux.filled_at("cgroupsPath");
    let sets = container.security.capabilities;
    let host = Host {
        architecture: Architecture::NATIVE,
        kernel: KernelVersion { major: caller.kernel.0, minor: caller.kernel.1 },
        capabilities: sets.map_or(ALL_CAPABILITIES, |sets| sets.bounding),
    };
    config.seccomp = linux::seccomp(&linux.get("seccomp"), &host);
    config.intel_rdt = linux::intel_rdt(&linux.get("intelRdt"));
    root(&top.get("root"), &linux, bundle, &mut container.root);
    linux.add_paths_at("maskedPaths", &mut container.security.masked);
    linux.add_paths_at("readonlyPaths", &mut container.security.read_only);
}

/// Reads a `process` alone, and puts it into a container in the place of another.
///
/// # Errors
///
/// As for [`parse`].
pub fn replace_process(
    bytes: &'static [u8],
    container: &mut Container<'static>,
) -> Result<(), Error<'static>> {
    let faults = Faults::default();
    let node = Node::top(values(bytes)?, &faults);
    check_names(&node);
    process::read(&node, container);
    faults.check()
}

/// Reads `linux.resources` alone.
///
/// # Errors
///
/// As for [`parse`].
pub fn read_resources(
    bytes: &'static [u8],
    resources: &mut Resources<'static>,
) -> Result<(), Error<'static>> {
    let faults = Faults::default();
    let node = Node::top(values(bytes)?, &faults);
    check_names(&node);
    resources::read(&node, resources);
    faults.check()
}

/// What a container takes that a configuration may leave out, or say otherwise.
#[inline(never)]
fn unfit(top: &Node<'_>, version: &str, isolation: &Isolation<'_>) -> Option<Error<'static>> {
    if !version.starts_with("1.") {
        return Some(top.get("ociVersion").error(rare!("only versions 1.x.y are known")));
    }
    for name in &["linux", "root"] {
        let node = top.get(name);
        if !node.is_there() {
            return Some(node.error(rare!("it is missing")));
        }
    }
    if isolation.namespaces.contains(Namespaces::MOUNT) {
        return None;
    }
    let why = rare!("one is to be new and of type mount: a container has mounts of its own");
    Some(top.get("linux").get("namespaces").error(why))
}

/// A version of the specification; `SemVer`.
#[inline(never)]
fn version(node: &Node<'_>) -> &'static str {
    let text = node.needed_text();
    let (core, _) = cut(text.as_bytes(), b'-');
    let (core, _) = cut(core, b'+');
    let mut numbers = parts(core, b'.').map(wide_number);
    let fields = [numbers.next(), numbers.next(), numbers.next(), numbers.next()];
    if !matches!(fields, [Some(Some(_)), Some(Some(_)), Some(Some(_)), None]) {
        node.wrong(rare!("it is to be a version such as 1.3.0"));
    }
    text
}

#[inline(never)]
fn root(node: &Node<'_>, linux: &Node<'_>, bundle: &CStr, root: &mut Root<'static>) {
    let path = node.get("path");
    let given = path.filled();
    if node.is_there() && given.is_none() {
        path.wrong(rare!("it is missing"));
    }
    let directory = match given.unwrap_or(c"rootfs").to_bytes() {
        whole @ [b'/', ..] => joined(&[whole]),
        relative => joined(&[bundle.to_bytes(), b"/", relative]),
    };
    root.source = Source::Directory(directory);
    root.access = if node.flag_at("readonly") { Access::ReadOnly } else { Access::ReadWrite };
    root.devices = true;
    linux.add_all_at("devices", linux::device, &mut root.nodes);
    root.propagation = linux::propagation(linux);
}

fn annotation(node: &Node<'_>) -> (&'static str, &'static str) {
    if node.name().is_empty() {
        node.wrong(rare!("its name is empty"));
    }
    (node.name(), node.needed_text())
}

fn hook(node: &Node<'_>) -> Hook<'static> {
    Hook {
        path: node.get("path").needed_path(),
        arguments: node.strings_at("args"),
        environment: node.strings_at("env"),
        timeout: node.between_at("timeout", 1, i32::MAX.into()).map(|seconds| seconds as u32),
    }
}

#[inline(never)]
fn hooks(node: &Node<'_>, hooks: &mut Hooks<'static>) {
    let add = |name, hooks: &mut Vec<Hook<'static>>| node.add_all_at(name, hook, hooks);
    add("prestart", &mut hooks.prestart);
    add("createRuntime", &mut hooks.create_runtime);
    add("createContainer", &mut hooks.create_container);
    add("startContainer", &mut hooks.start_container);
    add("poststart", &mut hooks.poststart);
    add("poststop", &mut hooks.poststop);
}

/// What a configuration says of another system is not for here, and is checked as far as it costs little.
/// Which it is for, it says.
#[inline(never)]
fn other_systems(top: &Node<'_>) -> Option<Error<'static>> {
    let freebsd = top.get("freebsd");
    let jail = freebsd.get("jail");
    let names = |list: &'static [u8]| parts(list, b' ').map(word);
    for name in names(b"host vnet") {
        jail.word_at(name, "new inherit");
    }
    for name in names(b"ip4 ip6 sysvmsg sysvsem sysvshm") {
        jail.word_at(name, "new inherit disable");
    }
    for name in names(b"freebsd solaris windows zos vm") {
        let node = top.get(name);
        node.object();
        if node.is_there() {
            return Some(node.error(rare!("it is for another system than Linux")));
        }
    }
    None
}
