//! The option `--programs`: a root of this system's programs without a copy.

use crate::fallbacks::without;
use crate::util::{Scratch, run, tests};
use std::fs;

tests! {
    programs_run_without_a_root_directory needs Launch;
    an_ordinary_user_can_do_it_too needs UserNamespaces;
    files_of_the_system_cannot_be_written needs Root;
    it_can_be_read_only needs Launch;
    it_goes_together_with_what_else_there_is needs Launch;
    older_kernels_do_it_too_or_say_so needs Root, Program("strace");
    nothing_is_left needs Root;
    what_is_missing_is_named;
    it_is_explained;
}

fn programs_run_without_a_root_directory() {
    let scratch = Scratch::new();
    let words =
        ["--programs", "bash,ls", "/bin/bash", "-c", "cd /; echo *; ls /usr/bin; type -P cat"];
    let ended = run(&mut scratch.launcher(words));
    assert_eq!(ended.status, 1, "there is no cat: {}", ended.errors);
    assert!(ended.output.ends_with("\nbash\nls\n"), "{}", ended.output);
    assert!(ended.output.starts_with("bin lib"), "{}", ended.output);
}

fn an_ordinary_user_can_do_it_too() {
    let scratch = Scratch::new().for_ordinary_user();
    for more in [&[][..], &["--all"], &["--read-only"]] {
        let script = "echo $UID; (: > /usr/bin/ls) 2>&1; ls -d /bin/";
        let words = [&["-p", "bash,ls"], more, &["bash", "-c", script]].concat();
        let ended = run(&mut scratch.ordinary_launcher(words));
        assert_eq!(ended.status, 0, "{}", ended.errors);
        assert!(
            ended.output.starts_with("0\n") && ended.output.ends_with("/bin/\n"),
            "{}",
            ended.output
        );
        assert!(ended.output.contains("Read-only file system"), "{}", ended.output);
    }
}

fn files_of_the_system_cannot_be_written() {
    let scratch = Scratch::new();
    let script = "for file in $(find / -xdev -type f) $(find /usr -type f); do \
        (: >> $file) 2>/dev/null && echo written $file; mv $file /moved 2>/dev/null && echo moved; \
        rm -f $file 2>/dev/null && echo removed; chmod 777 $file 2>/dev/null && echo changed; done; \
        echo x > /own && cat /own";
    let words = ["-p", "bash,find,mv,rm,chmod,cat", "bash", "-c", script];
    assert_eq!(run(&mut scratch.launcher(words)).success(), "x\n");
}

fn it_can_be_read_only() {
    let scratch = Scratch::new();
    let words = ["-p", "bash", "--read-only", "--tmpfs", "/tmp", "bash", "-c"];
    let script = "echo x > /tmp/x && (: > /x) 2>&1; (: > /usr/bin/x) 2>&1";
    let output = run(&mut scratch.launcher(words.iter().chain(&[script])));
    assert_eq!(output.output.matches("Read-only file system").count(), 2, "{}", output.output);
}

fn it_goes_together_with_what_else_there_is() {
    let scratch = Scratch::new();
    scratch.file("data/file", "here\n");
    let volume = format!("{}:/mnt/data", scratch.path("data").display());
    let script =
        "cat /mnt/data/file; echo kept > /mnt/data/new; echo $$; ls /dev/null /proc/1/stat";
    let words = ["-p", "bash,ls,cat", "--all", "-v", &volume, "bash", "-c", script];
    let output = run(&mut scratch.launcher(words)).success();
    assert_eq!(output, "here\n1\n/dev/null\n/proc/1/stat\n");
    assert_eq!(fs::read_to_string(scratch.path("data/new")).unwrap(), "kept\n");
    let words = ["-p", "bash", "--ephemeral", "bash", "-c", "echo x > /x && echo $(</x)"];
    assert_eq!(run(&mut scratch.launcher(words)).success(), "x\n");
    run(&mut scratch.launcher(["-p", "bash", "-r", "x", "bash"]))
        .fails(125, &["--programs", "leave"]);
}

fn older_kernels_do_it_too_or_say_so() {
    let scratch = Scratch::new();
    let words = ["-p", "bash", "bash", "-c", "echo x > /own; (: > /usr/bin/bash) 2>&1"];
    let ended = without(&scratch, "mount_setattr", &words);
    assert!(ended.output.contains("Read-only file system"), "{}{}", ended.output, ended.errors);
    assert!(ended.errors.is_empty(), "{}", ended.errors);
    let ended = without(&scratch, "fsopen,open_tree,move_mount", &words);
    ended.fails(125, &["--programs takes Linux 5.2 or newer"]);
}

fn nothing_is_left() {
    let scratch = Scratch::new();
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    run(&mut scratch.launcher(["-p", "bash", "bash", "-c", "echo x > /left"])).success();
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count(), before);
    assert_eq!(fs::read_dir(scratch.path("")).unwrap().count(), 0);
    assert!(!std::path::Path::new("/left").exists());
}

fn what_is_missing_is_named() {
    let scratch = Scratch::new();
    run(&mut scratch.launcher(["-p", "bash,no-such", "bash"]))
        .fails(125, &["find the program no-such", "PATH"]);
}

fn it_is_explained() {
    let scratch = Scratch::new();
    let output = run(&mut scratch.launcher(["-p", "bash", "--explain", "bash"])).success();
    assert!(output.contains("files of the host, read-only: /usr/bin/bash /"), "{output}");
    assert!(!output.contains("make rootfs"), "{output}");
}
