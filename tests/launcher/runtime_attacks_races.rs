//! The attacks that worked on OCI runtimes by a race: names of a root or a volume are exchanged all
//! the time while containers are made, and nothing may ever come to lie outside.

use crate::bundle::Bundle;
use crate::util::tests;
use serde_json::json;
use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

tests![
    cve_2021_30465_a_mount_point_that_is_swapped needs Root, Program("cc");
    cve_2024_45310_a_folder_that_is_swapped needs Root, Program("cc");
    cve_2025_31133_a_null_that_is_swapped needs Root, Program("cc");
    cve_2025_52881_a_proc_that_is_swapped needs Root, Program("cc");
    cve_2026_41579_a_dev_that_is_swapped needs Root, Program("cc");
];

/// A process that exchanges two names of the root all the time, until it is dropped.
struct Swapper(Child);

impl Swapper {
    fn new(bundle: &Bundle, one: &str, other: &str) -> Self {
        let mut command = Command::new(bundle.scratch.path("rootfs/attack"));
        command.args(["swap", one, other]).current_dir(bundle.scratch.path("rootfs"));
        Self(command.spawn().unwrap())
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the container some hundred times, or for ten seconds; what all of them printed.
fn repeated(bundle: &Bundle) -> String {
    let end = Instant::now() + Duration::from_secs(10);
    let mut seen = String::new();
    bundle.write();
    for _ in 0..400 {
        if Instant::now() > end {
            break;
        }
        seen += &bundle.command(&["run"]).output;
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!table.contains(&*bundle.id), "{table}");
    }
    let _ = bundle.command(&["delete", "--force"]);
    seen
}

#[track_caller]
fn is_empty(bundle: &Bundle, folder: &str) {
    assert_eq!(fs::read_dir(bundle.scratch.path(folder)).unwrap().count(), 0, "{folder}");
}

/// Settings of the host's that runtimes have been made to write to, as they are now; an attack that
/// works does not leave its mark: they are written back.
pub struct Settings(Vec<(String, String)>);

impl Settings {
    pub fn now() -> Self {
        let names = ["core_pattern", "hostname", "domainname", "sysrq", "modprobe"];
        let paths = names.map(|name| format!("/proc/sys/kernel/{name}"));
        Self(paths.map(|path| (path.clone(), fs::read_to_string(path).unwrap_or_default())).into())
    }

    #[track_caller]
    pub fn are_as_before(&self) {
        assert_eq!(self.0, Self::now().0);
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        for (path, value) in &self.0 {
            if fs::read_to_string(path).is_ok_and(|now| now != *value) {
                let _ = fs::write(path, value);
            }
        }
    }
}

/// Two volumes, the second's mount point in the first: what is mounted over must not be the host's.
fn cve_2021_30465_a_mount_point_that_is_swapped() {
    let mut bundle = Bundle::new().with_attacks();
    let secret = bundle.scratch.file("secret/file", "escaped\n");
    let secret = secret.parent().unwrap().to_str().unwrap();
    bundle.scratch.folder("rootfs/volume/place");
    bundle.scratch.link("rootfs/volume/link", "/");
    bundle.scratch.link("rootfs/volume/up", secret);
    bundle.scratch.file("data/file", "mine\n");
    bundle.bind("rootfs/volume", "/volume", &["rbind", "rw"]);
    bundle.bind("data", "/volume/place", &["rbind"]);
    bundle.mount("/volume/place/below", "tmpfs", "tmpfs", &[]);
    bundle.scratch.folder("data/below");
    bundle.runs("cat /volume/place/file /volume/up/file /file; ls -d /etc/shadow; echo launched");
    for other in ["volume/link", "volume/up"] {
        let swapper = Swapper::new(&bundle, "volume/place", other);
        let seen = repeated(&bundle);
        drop(swapper);
        assert!(!seen.contains("escaped") && !seen.contains("shadow"), "{seen}");
        assert_eq!(fs::read_dir(secret).unwrap().count(), 1);
    }
    bundle.is_gone();
}

fn cve_2024_45310_a_folder_that_is_swapped() {
    let mut bundle = Bundle::new().with_attacks();
    let canary = bundle.scratch.folder("canary");
    bundle.scratch.folder("rootfs/place");
    bundle.scratch.file("data/file", "");
    for number in 0..10 {
        bundle.bind("data", &format!("/place/made/{number}/folder"), &["bind"]);
        bundle.bind("data/file", &format!("/place/files/{number}"), &["bind"]);
    }
    bundle.set("/process/cwd", json!("/place/work/here"));
    bundle.runs("rm -rf /place/made /place/files /place/work; echo launched");
    for (name, target) in [("relative", "../canary"), ("absolute", canary.to_str().unwrap())] {
        bundle.scratch.link(&format!("rootfs/{name}"), target);
        let swapper = Swapper::new(&bundle, "place", name);
        repeated(&bundle);
        drop(swapper);
        is_empty(&bundle, "canary");
    }
    bundle.is_gone();
}

fn cve_2025_31133_a_null_that_is_swapped() {
    let settings = Settings::now();
    let mut bundle = Bundle::new().with_attacks();
    for place in ["/dev", "/dev/pts", "/dev/shm"] {
        bundle.take("/mounts", "destination", place);
    }
    bundle.scratch.folder("rootfs/dev");
    let null = bundle.scratch.path("rootfs/dev/null");
    crate::util::run(Command::new("mknod").arg(&null).args(["-m", "666", "c", "1", "3"])).success();
    bundle.scratch.link("rootfs/dev/link", "/proc/sys/kernel/core_pattern");
    bundle.runs("for f in /proc/timer_list /proc/kcore; do (echo '|/escaped' > $f); head -c 9 $f; done 2>&-; echo launched");
    let swapper = Swapper::new(&bundle, "dev/null", "dev/link");
    let seen = repeated(&bundle);
    drop(swapper);
    settings.are_as_before();
    assert!(seen.lines().all(|line| line == "launched"), "{seen}");
    bundle.is_gone();
}

fn cve_2025_52881_a_proc_that_is_swapped() {
    let settings = Settings::now();
    let mut bundle = Bundle::new().with_attacks();
    bundle.scratch.folder("canary");
    bundle.scratch.folder("rootfs/proc");
    for name in ["domainname", "hostname", "core_pattern"] {
        bundle.scratch.file(&format!("rootfs/fake/sys/kernel/{name}"), "kept");
    }
    bundle.scratch.file("rootfs/fake/self/attr/exec", "kept");
    bundle.scratch.file("rootfs/fake/self/oom_score_adj", "kept");
    bundle.set("/linux/sysctl", json!({"kernel.domainname": "held"}));
    bundle.set("/process/oomScoreAdj", json!(100));
    bundle.runs(
        "for p in /proc /fake /link; do [ -e $p/sys/kernel/ostype ] || continue; (echo '|/x' > $p/sys/kernel/core_pattern); head -c 5 $p/timer_list; done 2>&-; echo launched",
    );
    for target in ["fake", "../canary"] {
        let _ = fs::remove_file(bundle.scratch.path("rootfs/link"));
        bundle.scratch.link("rootfs/link", target);
        let swapper = Swapper::new(&bundle, "proc", "link");
        let seen = repeated(&bundle);
        drop(swapper);
        // It is a matter of chance which of the two is the link in the end.
        let names = ["rootfs/proc", "rootfs/link"].map(|name| bundle.scratch.path(name));
        if names[0].is_symlink() {
            fs::remove_file(&names[0]).unwrap();
            fs::rename(&names[1], &names[0]).unwrap();
        }
        assert!(seen.lines().all(|line| line == "launched"), "{seen}");
        is_empty(&bundle, "canary");
        settings.are_as_before();
        for name in ["sys/kernel/domainname", "self/attr/exec", "self/oom_score_adj"] {
            let file = bundle.scratch.path("rootfs/fake").join(name);
            assert_eq!(fs::read_to_string(file).unwrap(), "kept", "{name}");
        }
    }
    bundle.is_gone();
}

fn cve_2026_41579_a_dev_that_is_swapped() {
    let mut bundle = Bundle::new().with_attacks();
    bundle.scratch.folder("canary");
    bundle.scratch.folder("rootfs/dev");
    bundle.scratch.link("rootfs/link", "../canary");
    for is_mounted in [true, false] {
        if !is_mounted {
            for place in ["/dev", "/dev/pts", "/dev/shm"] {
                bundle.take("/mounts", "destination", place);
            }
        }
        let device = json!({"path": "/dev/own", "type": "c", "major": 1, "minor": 3});
        bundle.set("/linux/devices", json!([device]));
        let swapper = Swapper::new(&bundle, "dev", "link");
        repeated(&bundle);
        drop(swapper);
        is_empty(&bundle, "canary");
    }
    bundle.is_gone();
}
