//! `spec`: a configuration to begin with.

use super::home::FAILED;
use super::text::{absolute, joined};
use crate::cli::runtime::{Name, Typed};
use crate::error::{Doing, Error, Object, Operation, Why};
use crate::kernel::caller::Caller;
use crate::text::Text;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

static WRITE: Operation = Operation { on: Object::Target, ..Operation::new(rare!("write")) };

const HEAD: &str = r#"{
  "ociVersion": "1.3.0",
  "process": {
    "terminal": true,
    "user": { "uid": 0, "gid": 0 },
    "args": ["sh"],
    "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
    "cwd": "/",
    "capabilities": {
      "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    },
    "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
    "noNewPrivileges": true
  },
  "root": { "path": "rootfs", "readonly": true },
  "hostname": "mini-container",
  "mounts": [
    { "destination": "/proc", "type": "proc", "source": "proc" },
    { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
      "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] },
    { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
"#;

const TERMINALS: [&str; 2] = [
    r#"      "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
"#,
    r#"      "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
"#,
];

const MIDDLE: &str = r#"    { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
      "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
    { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
      "options": ["nosuid", "noexec", "nodev"] },
"#;

const SYSTEM: [&str; 2] = [
    r#"    { "destination": "/sys", "type": "sysfs", "source": "sysfs",
      "options": ["nosuid", "noexec", "nodev", "ro"] },
    { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
      "options": ["nosuid", "noexec", "nodev", "relatime", "ro"] }
  ],
  "linux": {
    "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
    "namespaces": [
      { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" }, { "type": "cgroup" }
    ],
"#,
    r#"    { "destination": "/sys", "type": "none", "source": "/sys",
      "options": ["rbind", "nosuid", "noexec", "nodev", "ro"] }
  ],
  "linux": {
    "namespaces": [
      { "type": "pid" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" }, { "type": "cgroup" }, { "type": "user" }
    ],
"#,
];

const TAIL: &str = r#"    "maskedPaths": [
      "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
      "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"
    ],
    "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
  }
}
"#;

/// Writes `config.json` into the bundle, where there is none.
///
/// # Errors
///
/// There is one; open(2), write(2).
pub fn spec(typed: &Typed<'_>, caller: Caller) -> Result<u8, Error<'static>> {
    let bundle = absolute(typed.value(Name::Bundle).unwrap_or(c"."))?;
    let path = joined(&[bundle.to_bytes(), b"/config.json"]);
    let is_rootless = typed.has(Name::Rootless);
    let kind = usize::from(is_rootless);
    let mut text = Text::new();
    text.push(HEAD).push(TERMINALS.get(kind).copied().unwrap_or_default()).push(MIDDLE);
    text.push(SYSTEM.get(kind).copied().unwrap_or_default());
    if is_rootless {
        for (name, id) in [("uid", caller.user), ("gid", caller.group)] {
            text.push("    \"").push(name).push("Mappings\": [{ \"containerID\": 0, \"hostID\": ");
            text.push_number(id.into()).push(", \"size\": 1 }],\n");
        }
    }
    text.push(TAIL);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = match openat(CWD, path, flags, Mode::from_raw_mode(0o644)) {
        Err(Errno::EXIST) => {
            let why = Why::Text(rare!("it exists already; remove it first"));
            return Err(Error::new(rare!("write"), path.to_bytes(), why, b"", FAILED));
        }
        answer => answer.doing(&WRITE),
    };
    let written = file.and_then(|file| text.write_to(file).doing(&WRITE));
    written.map_err(|fault| fault.into_error(path.to_bytes(), b"")).map(|()| 0)
}
