//! What a configuration of the OCI runtime says of files: mounts, devices, hidden and read-only
//! paths, and what is seen of them inside.

use crate::bundle::Bundle;
use crate::util::{run, tests};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

tests![
    options_of_a_bind needs Root;
    options_that_hold_below needs Root;
    a_bind_with_what_is_mounted_in_it needs Root;
    a_temporary_file_system_with_size_and_mode needs Root;
    a_temporary_file_system_with_a_copy needs Root;
    a_copy_has_the_attributes_of_files needs Root, Program("python3");
    propagation_into_the_container needs Root;
    propagation_of_the_root needs Root;
    sources_and_destinations needs Root;
    a_remount_changes_options needs Root;
    an_unknown_option_is_the_file_systems needs Root;
    masked_paths_are_empty needs Root;
    read_only_paths_are_read_only needs Root;
    devices_that_each_container_has needs Root;
    devices_of_the_configuration needs Root;
    mounts_with_mapped_ids needs Root;
    the_cgroups_inside needs Root;
];

/// The options of what is mounted at a place, as mountinfo has them.
const OPTIONS_OF: &str =
    "options() { awk -v place=$1 '$5 == place { print $6 }' /proc/self/mountinfo | tail -n 1; };";

fn options_of_a_bind() {
    for (option, seen, unseen) in [
        ("ro", "ro", "rw"),
        ("rw", "rw", "ro"),
        ("nosuid", "nosuid", "suid_"),
        ("nodev", "nodev", "-"),
        ("noexec", "noexec", "-"),
        ("noatime", "noatime", "relatime"),
        ("relatime", "relatime", "noatime"),
        ("nodiratime", "nodiratime", "-"),
        ("nosymfollow", "nosymfollow", "-"),
    ] {
        for kind in ["bind", "rbind"] {
            let mut bundle = Bundle::new();
            bundle.scratch.folder("data");
            bundle.bind("data", "/data", &[kind, option]);
            let line = bundle.inside(&format!("{OPTIONS_OF} options /data"));
            let words: Vec<&str> = line.trim().split(',').collect();
            assert!(words.contains(&seen) && !words.contains(&unseen), "{kind},{option}: {line}");
        }
    }
    let mut bundle = Bundle::new();
    bundle.scratch.file("data/file", "content");
    bundle.bind("data", "/data", &["bind", "ro"]);
    assert_eq!(bundle.inside("cat /data/file; touch /data/new || echo held"), "contentheld\n");
    bundle.bind("data", "/data2", &["rbind", "rw"]);
    bundle.inside("touch /data2/new");
    assert!(bundle.scratch.path("data/new").exists());
}

/// A mount of the host's that ends with the test.
struct HostMount(std::path::PathBuf);

impl HostMount {
    fn new(place: std::path::PathBuf) -> Self {
        run(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&place)).success();
        Self(place)
    }
}

impl Drop for HostMount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn options_that_hold_below() {
    let mut bundle = Bundle::new();
    let _mount = HostMount::new(bundle.scratch.folder("data/below"));
    bundle.bind("data", "/one", &["rbind", "ro"]);
    bundle.bind("data", "/all", &["rbind", "rro", "rnosuid", "rnoexec"]);
    let script = format!(
        "{OPTIONS_OF} touch /one/x /all/x /all/below/x && echo escaped; touch /one/below/x && echo below; options /all/below"
    );
    let seen = bundle.inside(&script);
    let (first, last) = seen.split_once('\n').unwrap();
    assert_eq!(first, "below", "ro by itself holds for the one mount: {seen}");
    for option in ["ro", "nosuid", "noexec"] {
        assert!(last.trim().split(',').any(|word| word == option), "{last}");
    }
}

fn a_bind_with_what_is_mounted_in_it() {
    let mut bundle = Bundle::new();
    let _mount = HostMount::new(bundle.scratch.folder("data/below"));
    bundle.scratch.file("data/below/file", "");
    bundle.bind("data", "/flat", &["bind"]);
    bundle.bind("data", "/whole", &["rbind"]);
    assert_eq!(bundle.inside("ls /flat/below; ls /whole/below"), "file\n");
}

fn a_temporary_file_system_with_size_and_mode() {
    let mut bundle = Bundle::new();
    bundle.mount("/small", "tmpfs", "tmpfs", &["size=64k", "mode=1777", "uid=5", "noexec"]);
    let script =
        "stat -c '%a %u %g' /small; head -c 100000 /dev/zero > /small/file; stat -c %s /small/file";
    assert_eq!(bundle.inside(script), "1777 5 0\n65536\n");
}

fn a_temporary_file_system_with_a_copy() {
    let mut bundle = Bundle::new();
    bundle.scratch.file("rootfs/kept/folder/file", "content");
    bundle.scratch.link("rootfs/kept/link", "folder/file");
    bundle.mount("/kept", "tmpfs", "tmpfs", &["tmpcopyup", "mode=700"]);
    let seen = bundle.inside("cat /kept/link; echo more > /kept/folder/file; readlink /kept/link");
    assert_eq!(seen, "contentfolder/file\n");
    let content = fs::read_to_string(bundle.scratch.path("rootfs/kept/folder/file")).unwrap();
    assert_eq!(content, "content");
}

/// Sets or lists the extended attributes of a file.
const ATTRIBUTES: &str = "import os, sys
if sys.argv[2:]:
    for name, value in zip(sys.argv[2::2], sys.argv[3::2]):
        os.setxattr(sys.argv[1], name, bytes.fromhex(value))
print(sorted((name, os.getxattr(sys.argv[1], name).hex()) for name in os.listxattr(sys.argv[1])))";

fn a_copy_has_the_attributes_of_files() {
    let attributes = |place: &Path, set: &[&str]| {
        run(Command::new("/usr/bin/python3").args(["-c", ATTRIBUTES]).arg(place).args(set))
            .success()
    };
    let mut bundle = Bundle::waiting();
    let file = bundle.scratch.file("rootfs/kept/folder/file", "content");
    std::os::unix::fs::chown(&file, Some(7), Some(7)).unwrap();
    // May bind ports below 1024.
    let capability = "0100000200040000000000000000000000000000";
    let own =
        attributes(&file, &["user.a", "00ff", "user.b", "", "security.capability", capability]);
    let folder = attributes(file.parent().unwrap(), &["user.c", "61"]);
    bundle.mount("/kept", "tmpfs", "tmpfs", &["tmpcopyup"]);
    let bundle = bundle.started();
    let copy = format!("/proc/{}/root/kept/folder/file", bundle.process());
    assert_eq!(attributes(Path::new(&copy), &[]), own);
    assert_eq!(attributes(Path::new(&copy).parent().unwrap(), &[]), folder);
    assert_eq!(fs::metadata(copy).unwrap().uid(), 7);
}

fn propagation_into_the_container() {
    for (option, words) in
        [("rshared", "shared:"), ("rslave", "master:"), ("rprivate", ""), ("slave", "master:")]
    {
        let mut bundle = Bundle::new();
        let place = bundle.scratch.folder("data");
        let _mount = HostMount::new(place.clone());
        run(Command::new("mount").arg("--make-shared").arg(&place)).success();
        bundle.bind("data", "/data", &["rbind", option]);
        let line = bundle.inside("grep ' /data ' /proc/self/mountinfo");
        let found = ["shared:", "master:"].iter().any(|word| line.contains(word));
        assert!(if words.is_empty() { !found } else { line.contains(words) }, "{option}: {line}");
    }
    let mut bundle = Bundle::waiting();
    let place = bundle.scratch.folder("data");
    let _mount = HostMount::new(place.clone());
    run(Command::new("mount").arg("--make-shared").arg(&place)).success();
    fs::create_dir(place.join("later")).unwrap();
    bundle.bind("data", "/data", &["rbind", "rslave"]);
    bundle.create().success();
    bundle.command(&["start"]).success();
    let _later = HostMount::new(place.join("later"));
    fs::write(place.join("later/file"), "seen").unwrap();
    assert_eq!(bundle.exec(&["cat", "/data/later/file"]).success(), "seen");
}

fn propagation_of_the_root() {
    for (value, words, unwanted) in [
        ("private", "", "master:"),
        ("rprivate", "", "shared:"),
        ("slave", "", "shared:"),
        ("rshared", "shared:", "-:-"),
        ("unbindable", "unbindable", "shared:"),
    ] {
        let mut bundle = Bundle::new();
        bundle.set("/linux/rootfsPropagation", json!(value));
        let line = bundle.inside("awk '$5 == \"/\"' /proc/self/mountinfo");
        assert!(line.contains(words) && !line.contains(unwanted), "{value}: {line}");
    }
    let mut bundle = Bundle::new();
    bundle.set("/linux/rootfsPropagation", json!("sideways"));
    bundle.create().refused(&["rootfsPropagation"]);
    bundle.is_gone();
}

fn sources_and_destinations() {
    let mut bundle = Bundle::new();
    bundle.scratch.file("data/file", "one");
    // A source is seen from the bundle; what is missing at the destination is made.
    bundle.mount("/made/for/this", "bind", "data", &["bind"]);
    bundle.mount("/made/file", "bind", "data/file", &["bind"]);
    bundle.scratch.link("rootfs/run", "var/run");
    bundle.scratch.folder("rootfs/var/run");
    bundle.mount("/run/linked", "tmpfs", "tmpfs", &[]);
    let seen = bundle.inside(
        "cat /made/for/this/file /made/file; grep -c ' /var/run/linked ' /proc/self/mountinfo",
    );
    assert_eq!(seen, "oneone1\n");
    bundle.mount("/data", "bind", "/nowhere", &["bind"]);
    bundle.create().refused(&["/nowhere", "no such file"]);
    bundle.is_gone();
}

fn a_remount_changes_options() {
    let mut bundle = Bundle::new();
    bundle.mount("/dev/shm", "tmpfs", "shm", &["remount", "ro"]);
    bundle.mount("/small", "tmpfs", "tmpfs", &["ro", "mode=755"]);
    let seen = bundle.inside("touch /dev/shm/x || echo held; touch /small/x || echo held");
    assert_eq!(seen, "held\nheld\n");
    // What is there is changed, and nothing put over it.
    bundle.bind("rootfs", "/data", &["bind", "nosuid"]);
    bundle.bind("rootfs", "/data", &["bind", "remount", "ro", "noexec"]);
    let seen = bundle.inside(&format!(
        "{OPTIONS_OF} grep -Ec ' /(data|dev/shm) ' /proc/self/mountinfo; touch /data/x || options /data"
    ));
    let (count, options) = seen.split_once('\n').unwrap();
    assert_eq!(count, "2", "{seen}");
    assert!(options.starts_with("ro,nosuid,noexec"), "{seen}");
    bundle.mount("/tmp", "tmpfs", "none", &["remount", "ro"]);
    bundle.create().refused(&["/tmp", "nothing is mounted there"]);
    bundle.is_gone();
    bundle.mount("/dev/shm", "tmpfs", "shm", &["remount", "size=1k"]);
    bundle.create().refused(&["mounts[10].options", "remount"]);
    bundle.is_gone();
}

fn an_unknown_option_is_the_file_systems() {
    let mut bundle = Bundle::new();
    bundle.mount("/small", "tmpfs", "tmpfs", &["nr_inodes=100"]);
    assert_eq!(bundle.inside("df -i /small | awk 'NR > 1 { print $2 }'"), "100\n");
    bundle.mount("/other", "tmpfs", "tmpfs", &["nonsense"]);
    bundle.create().refused(&["/other"]);
    bundle.is_gone();
}

fn masked_paths_are_empty() {
    let mut bundle = Bundle::new();
    bundle.scratch.file("rootfs/secret/file", "secret");
    bundle.scratch.file("rootfs/alone", "secret");
    bundle.set("/linux/maskedPaths", json!(["/secret", "/alone", "/missing", "/proc/timer_list"]));
    let seen = bundle.inside(
        "ls /secret; cat /alone /proc/timer_list; touch /secret/x || echo held; ls /missing || echo none; (echo x > /alone); cat /alone",
    );
    assert_eq!(seen, "held\nnone\n");
    assert_eq!(fs::read_to_string(bundle.scratch.path("rootfs/alone")).unwrap(), "secret");
}

fn read_only_paths_are_read_only() {
    let mut bundle = Bundle::new();
    bundle.scratch.folder("rootfs/fixed/below");
    bundle.scratch.file("rootfs/alone", "kept");
    bundle.set("/linux/readonlyPaths", json!(["/fixed", "/alone", "/missing", "/proc/sys"]));
    let seen = bundle.inside(
        "touch /fixed/below/x || echo held; (echo x > /alone) || echo held; (echo x > /proc/sys/kernel/hostname) || echo held; touch /free && echo free; cat /alone",
    );
    assert_eq!(seen, "held\nheld\nheld\nfree\nkept");
}

fn devices_that_each_container_has() {
    let mut bundle = Bundle::new();
    let seen = bundle.inside(
        "cd /dev; for d in null zero full random urandom tty; do stat -c '%n %t:%T %a' $d; done; for l in fd stdin stdout stderr ptmx; do readlink $l; done; echo x > null; head -c 3 zero | wc -c; ls",
    );
    for line in
        ["null 1:3 666", "zero 1:5 666", "full 1:7 666", "random 1:8 666", "urandom 1:9 666"]
    {
        assert!(seen.contains(line), "{line} in {seen}");
    }
    assert!(seen.contains("tty 5:0 666"), "{seen}");
    for link in ["/proc/self/fd\n", "/proc/self/fd/0\n", "/proc/self/fd/2\n", "pts/ptmx\n"] {
        assert!(seen.contains(link), "{link} in {seen}");
    }
    for name in ["sda", "mem", "kmsg", "vda", "loop0"] {
        assert!(!seen.lines().any(|line| line == name), "{seen}");
    }
}

fn devices_of_the_configuration() {
    let mut bundle = Bundle::new();
    bundle.set(
        "/linux/devices",
        json!([
            {"path": "/dev/own", "type": "c", "major": 1, "minor": 3,
             "fileMode": 0o640, "uid": 0, "gid": 5},
            {"path": "/dev/deep/er/fuse", "type": "c", "major": 10, "minor": 229},
            {"path": "/dev/block", "type": "b", "major": 7, "minor": 99, "fileMode": 0o600},
            {"path": "/dev/fifo", "type": "p", "fileMode": 0o622},
        ]),
    );
    bundle.set(
        "/linux/resources/devices",
        json!([{"allow": false, "access": "rwm"},
               {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]),
    );
    let seen = bundle.inside(
        "cd /dev; stat -c '%n %F %t:%T %a %u:%g' own deep/er/fuse block fifo; echo x > own && echo written; (head -c 1 block) || echo held",
    );
    for line in [
        "own character special file 1:3 640 0:5",
        "deep/er/fuse character special file a:e5 ",
        "block block special file 7:63 600 0:0",
        "fifo fifo 0:0 622 0:0",
        "written\nheld",
    ] {
        assert!(seen.contains(line), "{line} in {seen}");
    }
    bundle.set("/linux/devices", json!([{"path": "/dev/x", "type": "z", "major": 1, "minor": 3}]));
    bundle.create().refused(&["device"]);
    bundle.is_gone();
}

/// Files of one id appear as another's. Needs a kernel with such mounts, as from 5.12 on.
fn mounts_with_mapped_ids() {
    let mut bundle = Bundle::new();
    let file = bundle.scratch.file("data/file", "");
    std::os::unix::fs::chown(&file, Some(1000), Some(1000)).unwrap();
    bundle.bind("data", "/plain", &["bind"]);
    let place = bundle.scratch.path("data");
    let mapping = json!([{"containerID": 1000, "hostID": 3000, "size": 10}]);
    bundle.add(
        "/mounts",
        json!({"destination": "/mapped", "type": "bind", "source": place.to_str(), "options": ["bind", "idmap"],
               "uidMappings": mapping.clone(), "gidMappings": mapping}),
    );
    let seen = bundle.inside("stat -c %u:%g /plain/file /mapped/file");
    assert_eq!(seen, "1000:1000\n3000:3000\n");
}

fn the_cgroups_inside() {
    let mut bundle = Bundle::new();
    bundle.add("/linux/namespaces", json!({"type": "cgroup"}));
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "ro"]);
    let seen = bundle.inside(
        "cat /sys/fs/cgroup/pids/cgroup.procs; mkdir /sys/fs/cgroup/pids/x || echo held; touch /sys/fs/cgroup/x || echo held; cat /proc/self/cgroup",
    );
    assert!(seen.starts_with('1') && seen.matches("held").count() == 2, "{seen}");
    assert!(seen.contains(":pids:/\n"), "{seen}");
}
