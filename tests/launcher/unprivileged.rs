//! The launcher without root: a user namespace makes it possible.

use crate::util::{ORDINARY, Scratch, give_to_ordinary_user, is_root, run, tests};

tests![
    the_caller_is_root_inside needs UserNamespaces;
    user_is_who_the_caller_is_inside needs UserNamespaces;
    files_made_inside_belong_to_the_caller needs UserNamespaces;
    every_option_works_without_root needs UserNamespaces;
    groups_cannot_be_regained needs UserNamespaces;
    a_capability_counts_as_privilege needs Root, Program("setpriv");
];

fn root() -> Scratch {
    Scratch::new().with_host_programs().for_ordinary_user()
}

fn inside(scratch: &Scratch, options: &[&str], script: &str) -> String {
    run(&mut scratch.ordinary_launcher(options.iter().chain(&["/bin/sh", "-c", script]))).success()
}

fn the_caller_is_root_inside() {
    assert_eq!(inside(&root(), &[], "id -u; id -g"), "0\n0\n");
}

fn user_is_who_the_caller_is_inside() {
    let scratch = root();
    assert_eq!(inside(&scratch, &["-u", "5:6"], "id -u; id -g"), "5\n6\n");
    let script = "while read line; do echo $line; done < /proc/self/status";
    let seen = inside(&scratch, &["-u", "5:6", "-v", "/proc:/proc"], script);
    assert!(seen.contains("CapEff: 0000000000000000"), "{seen}");
}

fn files_made_inside_belong_to_the_caller() {
    use std::os::unix::fs::MetadataExt;
    let scratch = root();
    inside(&scratch, &[], "touch /made");
    let owner = std::fs::metadata(scratch.path("rootfs/made")).unwrap().uid();
    assert_eq!(owner, std::fs::metadata(scratch.path("rootfs")).unwrap().uid());
    if is_root() {
        assert_eq!(owner, ORDINARY);
    }
}

fn every_option_works_without_root() {
    let scratch = root();
    give_to_ordinary_user(&scratch.folder("data"));
    scratch.folder("rootfs/w");
    let options = [
        "--read-only",
        "-v",
        "data:/d",
        "-v",
        "/usr:/u:ro",
        "--tmpfs",
        "/t",
        "-w",
        "/w",
        "-e",
        "A=b",
    ];
    let script = "! touch /x; ! touch /u/x; touch /d/x; touch /t/x; pwd -P; echo $A";
    assert_eq!(inside(&scratch, &options, script), "/w\nb\n");
    assert!(scratch.path("data/x").exists());
}

fn groups_cannot_be_regained() {
    let seen = inside(&root(), &["-v", "/proc:/proc"], "cat /proc/self/setgroups");
    assert_eq!(seen, "deny\n");
}

/// `CAP_SYS_ADMIN` is what namespaces and mounts take; root without it is an ordinary user.
fn a_capability_counts_as_privilege() {
    let scratch = Scratch::new().with_host_programs();
    let launcher = crate::util::launcher().to_str().unwrap();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--bounding-set", "-sys_admin", launcher, "--explain", "/bin/id"]);
    let plan = run(command.current_dir(scratch.path(""))).success();
    assert!(plan.contains("NEWUSER"), "{plan}");
}
