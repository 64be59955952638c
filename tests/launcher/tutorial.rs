//! The tutorial's session: a root made by hand from the host's bash and ls, and a shell in it.

use crate::util::{Scratch, run, run_with_input, tests};

tests![
    a_shell_sees_its_root_and_nothing_else needs Launch;
    an_ordinary_user_plays_the_same_session needs UserNamespaces;
    a_static_busybox_is_enough needs Launch, Program("busybox");
    a_script_is_run_by_its_interpreter needs Launch;
    the_hosts_own_programs_make_a_root_without_copies needs Launch;
    the_root_of_the_host_can_be_the_root needs Launch;
];

const SESSION: &str = "ls -alh /\necho \"pwd is $PWD\"\nexit 5\n";

fn check_session(listed: &str) {
    let names: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().nth(8)).collect();
    assert!(names.contains(&"bin") && names.contains(&"lib"), "{listed}");
    assert!(
        !names.contains(&"etc") && !names.contains(&"proc") && !names.contains(&"tmp"),
        "{listed}"
    );
    assert!(listed.contains("pwd is /"), "{listed}");
}

fn a_shell_sees_its_root_and_nothing_else() {
    let scratch = Scratch::new().with_host_programs();
    let ended = run_with_input(&mut scratch.launcher(["/bin/bash"]), SESSION);
    assert_eq!(ended.status, 5, "{}", ended.errors);
    check_session(&ended.output);
}

fn an_ordinary_user_plays_the_same_session() {
    let scratch = Scratch::new().with_host_programs().for_ordinary_user();
    let ended = run_with_input(&mut scratch.ordinary_launcher(["/bin/bash"]), SESSION);
    assert_eq!(ended.status, 5, "{}", ended.errors);
    check_session(&ended.output);
}

fn a_static_busybox_is_enough() {
    let scratch = Scratch::new().with_busybox();
    assert_eq!(run(&mut scratch.launcher(["/bin/ls", "/"])).success(), "bin\n");
}

fn a_script_is_run_by_its_interpreter() {
    let scratch = Scratch::new().with_host_programs();
    let script = scratch.file("rootfs/bin/hello", "#!/bin/bash\necho \"hello $1\"\n");
    std::fs::set_permissions(script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(run(&mut scratch.launcher(["hello", "world"])).success(), "hello world\n");
}

fn the_hosts_own_programs_make_a_root_without_copies() {
    let scratch = Scratch::new();
    scratch.folder("rootfs");
    let mut words: Vec<String> = Vec::new();
    for folder in ["/usr", "/bin", "/lib", "/lib64"] {
        if std::path::Path::new(folder).exists() {
            words.extend(["-v".into(), format!("{folder}:{folder}:ro")]);
        }
    }
    words.extend(["bash", "-c", "ls / && ! touch /usr/x"].map(String::from));
    let ended = run(&mut scratch.launcher(&words));
    assert!(ended.errors.contains("Read-only file system"), "{}", ended.errors);
    assert!(ended.success().contains("usr\n"));
}

fn the_root_of_the_host_can_be_the_root() {
    let scratch = Scratch::new();
    let words =
        ["--rootfs", "/", "--read-only", "/bin/sh", "-c", "cat /etc/hostname; ! touch /etc/x"];
    run(&mut scratch.launcher(words)).success();
    assert!(!std::path::Path::new("/etc/x").exists());
}
