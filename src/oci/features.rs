//! `features`: what this runtime can do, for engines that ask; the specification, `features.md`.

use super::config::mount_options;
use super::print;
use crate::container::CAPABILITIES;
use crate::error::Error;
use crate::seccomp::Architecture;
use crate::text::{Text, parts};

/// A list that is not put together: its name, and the words in it.
const LISTS: [(&str, &str); 3] = [
    ("actions", "ALLOW ERRNO KILL KILL_PROCESS KILL_THREAD LOG NOTIFY TRACE TRAP"),
    ("operators", "EQ GE GT LE LT MASKED_EQ NE"),
    ("knownFlags", "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV"),
];

const PREFIXES: [&str; 3] = ["SCMP_ACT_", "SCMP_CMP_", "SECCOMP_FILTER_FLAG_"];

/// Prints it as JSON.
///
/// # Errors
///
/// write(2).
pub fn features() -> Result<u8, Error<'static>> {
    let mut text = Text::new();
    text.push("{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"1.3.0\",\"hooks\":");
    let hooks = "prestart createRuntime createContainer startContainer poststart poststop";
    push_list(&mut text, "", hooks.as_bytes());
    text.push(",\"mountOptions\":");
    let mut options = Text::new();
    for name in mount_options() {
        options.push(if options.is_empty() { "" } else { " " }).push(name);
    }
    push_list(&mut text, "", options.as_bytes());
    text.push(",\"annotations\":{\"org.mini-container.version\":");
    text.push_json(env!("CARGO_PKG_VERSION").as_bytes());
    text.push("},\"linux\":{\"namespaces\":");
    push_list(&mut text, "", b"cgroup ipc mount network pid time user uts");
    text.push(",\"capabilities\":");
    push_list(&mut text, "CAP_", CAPABILITIES.to_ascii_uppercase().as_bytes());
    text.push(",\"cgroup\":{\"v1\":true,\"v2\":true,\"systemd\":false,\"systemdUser\":false,\"rdma\":true}");
    text.push(",\"seccomp\":{\"enabled\":true,\"archs\":");
    push_list(
        &mut text,
        "SCMP_ARCH_",
        match Architecture::NATIVE {
            Architecture::X86_64 => b"X86 X32 X86_64",
            Architecture::Aarch64 => b"AARCH64",
        },
    );
    for ((name, words), prefix) in LISTS.iter().zip(PREFIXES) {
        text.push(",").push_json(name.as_bytes()).push(":");
        push_list(&mut text, prefix, words.as_bytes());
    }
    text.push(",\"supportedFlags\":");
    push_list(&mut text, PREFIXES[2], LISTS[2].1.as_bytes());
    text.push("},\"apparmor\":{\"enabled\":true},\"selinux\":{\"enabled\":true}");
    text.push(",\"intelRdt\":{\"enabled\":false},\"memoryPolicy\":{\"modes\":");
    push_list(
        &mut text,
        "MPOL_",
        b"DEFAULT BIND INTERLEAVE WEIGHTED_INTERLEAVE PREFERRED PREFERRED_MANY LOCAL",
    );
    text.push(",\"flags\":");
    push_list(&mut text, "MPOL_F_", b"NUMA_BALANCING RELATIVE_NODES STATIC_NODES");
    text.push("},\"mountExtensions\":{\"idmap\":{\"enabled\":true}},\"netDevices\":{\"enabled\":true}}}\n");
    print(&text)
}

fn push_list(text: &mut Text, prefix: &str, words: &[u8]) {
    text.push("[");
    for (count, word) in parts(words, b' ').filter(|word| !word.is_empty()).enumerate() {
        let mut whole = Text::new();
        whole.push(prefix).push_name(word);
        text.push(if count > 0 { "," } else { "" }).push_json(whole.as_bytes());
    }
    text.push("]");
}
