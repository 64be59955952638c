//! The attacks that worked on OCI runtimes by way of files that an image or a volume brings along:
//! links where the runtime mounts, writes or makes devices. Those that need a race are in
//! `runtime_attacks_races`.

use crate::bundle::{Bundle, wait_until};
use crate::runtime_attacks_races::Settings;
use crate::util::{run, tests};
use serde_json::json;
use std::fs;
use std::process::{Command, Stdio};

tests![
    cve_2019_16884_and_19921_labels_into_a_false_proc needs Root;
    cve_2019_18837_a_link_that_leads_up needs Root;
    cve_2023_27561_and_28642_and_2025_54867_proc_and_sys_are_links needs Root;
    cve_2024_21626_a_working_directory_through_a_descriptor needs Root;
    cve_2024_21626_descriptors_of_the_runtime needs Root;
    cve_2024_45310_a_missing_mount_point_behind_a_link needs Root;
    cve_2025_31133_masking_by_a_false_null needs Root;
    cve_2025_52565_a_false_terminal needs Root, Program("python3");
    cve_2025_52881_writes_into_a_false_proc needs Root;
    cve_2026_41579_and_47766_dev_is_a_link needs Root;
    programs_of_the_image_do_not_run_outside needs Root;
    files_that_are_written_by_name needs Root;
];

/// A folder beside the root that nothing may reach.
fn canary(bundle: &Bundle) -> String {
    bundle.scratch.file("canary/file", "alive");
    bundle.scratch.path("canary").to_str().unwrap().into()
}

#[track_caller]
fn is_untouched(bundle: &Bundle) {
    let names: Vec<_> = fs::read_dir(bundle.scratch.path("canary"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["file"]);
    assert_eq!(fs::read_to_string(bundle.scratch.path("canary/file")).unwrap(), "alive");
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!table.contains(bundle.scratch.path("").to_str().unwrap()), "{table}");
}

/// Puts a link in the place of a folder or file of the root.
fn replace(bundle: &Bundle, name: &str, target: &str) {
    let place = bundle.scratch.path("rootfs").join(name);
    let _ = fs::remove_dir_all(&place);
    let _ = fs::remove_file(&place);
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).unwrap();
    }
    std::os::unix::fs::symlink(target, place).unwrap();
}

fn cve_2019_16884_and_19921_labels_into_a_false_proc() {
    let mut bundle = Bundle::new();
    canary(&bundle);
    bundle.scratch.file("data/self/attr/exec", "");
    bundle.scratch.file("data/self/attr/apparmor/exec", "");
    bundle.scratch.file("data/thread-self/attr/exec", "");
    // A volume over /proc, and labels that would be written there.
    bundle.bind("data", "/proc", &["rbind", "rprivate"]);
    for (place, value) in
        [("/process/apparmorProfile", "docker-default"), ("/process/selinuxLabel", "a:b:c:s0")]
    {
        bundle.set(place, json!(value));
        bundle.create().refused(&[]);
        bundle.is_gone();
        bundle.remove("/process", place.rsplit('/').next().unwrap());
    }
    for name in ["self/attr/exec", "self/attr/apparmor/exec", "thread-self/attr/exec"] {
        assert_eq!(fs::read_to_string(bundle.scratch.path("data").join(name)).unwrap(), "");
    }
    is_untouched(&bundle);
}

fn cve_2019_18837_a_link_that_leads_up() {
    for up in ["../canary", "../../../../../../{}", "{}", "/../../{}"] {
        let mut bundle = Bundle::new();
        let canary = canary(&bundle);
        replace(&bundle, "etc", &up.replace("{}", canary.trim_start_matches('/')));
        bundle.scratch.file("data/hosts", "of the runtime");
        bundle.bind("data/hosts", "/etc/hosts", &["bind"]);
        bundle.bind("data", "/etc/made/here", &["bind"]);
        bundle.set("/process/cwd", json!("/etc/work"));
        bundle.runs("cat /etc/hosts");
        let ended = bundle.run();
        is_untouched(&bundle);
        assert!(ended.status > 0 || ended.output == "of the runtime", "{up}: {}", ended.output);
        bundle.is_gone();
    }
}

fn cve_2023_27561_and_28642_and_2025_54867_proc_and_sys_are_links() {
    let settings = Settings::now();
    for (name, kind) in [("proc", "proc"), ("sys", "sysfs")] {
        for target in ["/tmp", "../canary", "etc", "/proc/self/cwd", "{}", "/fake"] {
            let mut bundle = Bundle::new();
            let canary = canary(&bundle);
            bundle.scratch.file("rootfs/fake/sys/kernel/core_pattern", "");
            replace(&bundle, name, &target.replace("{}", &canary));
            bundle.set("/linux/sysctl", json!({"kernel.domainname": "held"}));
            // Refused, or what is there is the real one, with what is to be hidden hidden.
            bundle.runs(&format!(
                "grep -c ' - {kind} ' /proc/self/mountinfo; cat /proc/timer_list /sys/firmware/*; (echo x > /proc/sys/kernel/core_pattern) && echo escaped; (echo x > /sys/kernel/uevent_helper) && echo escaped; true"
            ));
            let ended = bundle.run();
            is_untouched(&bundle);
            let lines: Vec<&str> = ended.output.lines().collect();
            let is_held = lines.len() == 1 && lines[0] != "0";
            assert!(ended.status > 0 || is_held, "{name} {target}: {}", ended.output);
            assert!(!ended.output.contains("escaped"), "{name} {target}");
            bundle.is_gone();
        }
    }
    settings.are_as_before();
}

/// Runs a command of the runtime with descriptors of the host's root open.
fn with_descriptors(bundle: &Bundle, words: &str) -> crate::util::Ended {
    let line =
        "for n in $(seq 3 22); do eval \"exec $n</\"; done; exec $RUNTIME --root state $WORDS";
    let mut command = Command::new("bash");
    command.args(["-c", line]).current_dir(bundle.scratch.path("")).stdin(Stdio::null());
    run(command.env("RUNTIME", runtime()).env("WORDS", words))
}

fn runtime() -> std::path::PathBuf {
    crate::bundle::runtime_file()
}

fn cve_2024_21626_a_working_directory_through_a_descriptor() {
    let running = Bundle::waiting().started();
    for number in 0..40 {
        for name in ["self", "thread-self"] {
            let place = format!("/proc/{name}/fd/{number}");
            let mut bundle = Bundle::of("ls etc/shadow ../../../etc/shadow && echo escaped");
            bundle.set("/process/cwd", json!(place));
            bundle.write();
            let ended = with_descriptors(&bundle, &format!("run {}", bundle.id));
            assert!(ended.status > 0 && ended.output.is_empty(), "{place}: {}", ended.output);
            let words = format!("exec --cwd {place} {} ls etc/shadow ../../etc/shadow", running.id);
            let ended = with_descriptors(&running, &words);
            assert!(ended.status > 0 && ended.output.is_empty(), "{place}: {}", ended.output);
        }
    }
    // By a link of the image, too.
    let mut bundle = Bundle::of("ls etc/shadow && echo escaped");
    bundle.set("/process/cwd", json!("/link"));
    for number in 3..20 {
        replace(&bundle, "link", &format!("/proc/self/fd/{number}"));
        bundle.write();
        let ended = with_descriptors(&bundle, &format!("run {}", bundle.id));
        assert!(ended.status > 0 && ended.output.is_empty(), "{}", ended.output);
    }
}

fn cve_2024_21626_descriptors_of_the_runtime() {
    let mut bundle = Bundle::new();
    bundle.set("/process/args", json!(["/bin/ls", "-l", "/proc/self/fd"]));
    bundle.write();
    let seen = with_descriptors(&bundle, &format!("run {}", bundle.id)).success();
    let numbers = seen.lines().filter_map(|line| line.split(" -> ").next()?.rsplit(' ').next());
    // 3 is what ls itself reads the list by.
    assert_eq!(
        numbers.filter(|word| word.parse::<u32>().is_ok_and(|n| n > 3)).count(),
        0,
        "{seen}"
    );
    assert!(!seen.contains("-> /\n") && !seen.contains("cgroup"), "{seen}");
    let bundle = Bundle::waiting().started();
    let words = format!("exec {} ls -l /proc/self/fd", bundle.id);
    let seen = with_descriptors(&bundle, &words).success();
    assert!(
        !seen.contains("-> /\n") && !seen.contains("cgroup") && !seen.contains(" 4 ->"),
        "{seen}"
    );
}

fn cve_2024_45310_a_missing_mount_point_behind_a_link() {
    for target in ["../../canary", "{}", "/proc/self/root/../../canary", "/proc/1/root{}"] {
        let mut bundle = Bundle::new();
        let canary = canary(&bundle);
        replace(&bundle, "volume/link", &target.replace("{}", &canary));
        bundle.scratch.file("data/file", "");
        bundle.bind("data/file", "/volume/link/made-file", &["bind"]);
        bundle.bind("data", "/volume/link/made/folder", &["bind"]);
        bundle.mount("/volume/link/tmp", "tmpfs", "tmpfs", &[]);
        bundle.create();
        is_untouched(&bundle);
        let _ = bundle.command(&["delete", "--force"]);
        bundle.is_gone();
    }
}

fn cve_2025_31133_masking_by_a_false_null() {
    let settings = Settings::now();
    for target in [
        Some("../proc/sys/kernel/core_pattern"),
        Some("/proc/sys/kernel/core_pattern"),
        Some("/proc/sysrq-trigger"),
        Some("/etc/passwd"),
        None,
    ] {
        // Without a mount on /dev, what is there is the image's, as in a volume on /dev.
        for is_volume in [false, true] {
            let mut bundle = Bundle::new();
            bundle.scratch.file("rootfs/etc/passwd", "mine");
            bundle.scratch.folder("rootfs/dev");
            match target {
                Some(target) => replace(&bundle, "dev/null", target),
                None => drop(bundle.scratch.folder("rootfs/dev/null")),
            }
            for place in ["/dev", "/dev/pts", "/dev/shm"] {
                bundle.take("/mounts", "destination", place);
            }
            if is_volume {
                bundle.bind("rootfs/dev", "/dev", &["bind", "rw"]);
            }
            bundle
                .set("/linux/maskedPaths", json!(["/proc/timer_list", "/proc/keys", "/tmp/file"]));
            bundle.scratch.file("rootfs/tmp/file", "hidden");
            bundle.runs(
                "cat /proc/timer_list /proc/keys /tmp/file; for f in /proc/timer_list /tmp/file /dev/null; do (echo '|/escaped' > $f); done; true",
            );
            let ended = bundle.run();
            assert!(ended.status > 0 || ended.output.is_empty(), "{target:?}: {}", ended.output);
            settings.are_as_before();
            bundle.is_gone();
        }
    }
}

fn cve_2025_52565_a_false_terminal() {
    let settings = Settings::now();
    for (name, target) in [
        ("pts", "/proc/sys/kernel"),
        ("pts/0", "/proc/sys/kernel/core_pattern"),
        ("console", "/proc/sys/kernel/core_pattern"),
        ("console", "../../canary/file"),
        ("ptmx", "../../canary/file"),
    ] {
        let mut bundle = Bundle::new();
        canary(&bundle);
        bundle.scratch.folder("rootfs/dev/pts");
        replace(&bundle, &format!("dev/{name}"), target);
        for place in ["/dev", "/dev/shm"] {
            bundle.take("/mounts", "destination", place);
        }
        bundle.set("/process/terminal", json!(true));
        bundle.runs("stat -L -c 'console %t:' /dev/console; (echo x > /dev/console); true");
        bundle.write();
        let mut helper = bundle.helper("terminal.py", &["socket"]);
        wait_until("it listens", || bundle.scratch.path("socket").exists());
        let words = ["create", "--console-socket", "socket", &bundle.id];
        if bundle.to_files(bundle.runtime(words)).status == 0 {
            bundle.command(&["start"]).success();
            let shown = String::from_utf8(helper.wait_with_output().unwrap().stdout).unwrap();
            assert!(shown.contains("console 88:"), "{name}: {shown}");
            bundle.command(&["delete", "--force"]).success();
        } else {
            helper.kill().unwrap();
            helper.wait().unwrap();
        }
        bundle.is_gone();
        is_untouched(&bundle);
        settings.are_as_before();
    }
}

fn cve_2025_52881_writes_into_a_false_proc() {
    let settings = Settings::now();
    let targets = ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "../canary/file"];
    for target in targets {
        let mut bundle = Bundle::new();
        canary(&bundle);
        bundle.scratch.folder("data/net/ipv4");
        for name in ["domainname", "net/ipv4/ip_forward", "exec", "oom_score_adj"] {
            std::os::unix::fs::symlink(target, bundle.scratch.path("data").join(name)).unwrap();
        }
        bundle.set("/linux/sysctl", json!({"kernel.domainname": "x", "net.ipv4.ip_forward": "1"}));
        bundle.set("/process/oomScoreAdj", json!(100));
        for place in ["/proc/sys", "/proc/sys/kernel", "/proc/self/attr", "/proc/self", "/proc/1"] {
            let mounts = bundle.config["mounts"].clone();
            bundle.bind("data", place, &["rbind"]);
            bundle.runs("true");
            let _ = bundle.run();
            bundle.set("/mounts", mounts);
            is_untouched(&bundle);
            settings.are_as_before();
            bundle.is_gone();
        }
    }
}

fn cve_2026_41579_and_47766_dev_is_a_link() {
    for target in ["{}", "../canary", "../../../../../../../..{}", "/proc/self/cwd", "/"] {
        for is_mounted in [false, true] {
            let mut bundle = Bundle::new();
            let canary = canary(&bundle);
            replace(&bundle, "dev", &target.replace("{}", &canary));
            if !is_mounted {
                for place in ["/dev", "/dev/pts", "/dev/shm"] {
                    bundle.take("/mounts", "destination", place);
                }
            }
            bundle.set(
                "/linux/devices",
                json!([{"path": "/dev/file", "type": "c", "major": 1, "minor": 3},
                       {"path": "/dev/own", "type": "c", "major": 1, "minor": 5}]),
            );
            bundle.create();
            is_untouched(&bundle);
            let _ = bundle.command(&["delete", "--force"]);
            is_untouched(&bundle);
            bundle.is_gone();
        }
    }
}

/// Nothing of the image runs before it is the container's process.
fn programs_of_the_image_do_not_run_outside() {
    let mut bundle = Bundle::new();
    for name in ["mount", "newuidmap", "newgidmap", "ip", "sh", "criu", "mini-container"] {
        for folder in ["rootfs/usr/bin", "rootfs/sbin"] {
            let script = "#!/bin/busybox sh\n/bin/busybox touch /ran\n";
            let file = bundle.scratch.file(&format!("{folder}/{name}"), script);
            run(Command::new("chmod").arg("755").arg(file)).success();
        }
    }
    bundle.set("/process/env", json!(["PATH=/usr/bin:/sbin:/bin", "LD_PRELOAD=/x.so"]));
    bundle.set("/process/args", json!(["/bin/busybox", "true"]));
    bundle.run().success();
    assert!(!bundle.scratch.path("rootfs/ran").exists());
}

fn files_that_are_written_by_name() {
    let bundle = Bundle::waiting();
    let canary = canary(&bundle);
    bundle.write();
    bundle.scratch.link("pid", &format!("{canary}/file"));
    let words = ["create", "--pid-file", "pid", &bundle.id];
    bundle.to_files(bundle.runtime(words));
    is_untouched(&bundle);
}
