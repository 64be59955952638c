//! No descriptor of the host's reaches the program, but those asked for.

use crate::util::{Scratch, run, tests};

tests![
    nothing_above_two_survives needs Launch;
    preserved_descriptors_survive_and_no_other needs Launch;
    a_leaked_directory_is_no_way_out needs Launch;
    closed_standard_streams_stay_closed needs Launch;
];

/// Runs the launcher from a shell that has opened descriptors first.
fn with_open(scratch: &Scratch, opened: &str, options: &str, script: &str) -> crate::util::Ended {
    let line = format!("{opened}; exec \"$MC\" {options} -v /proc:/proc /bin/sh -c '{script}'");
    let mut command = std::process::Command::new("bash");
    run(command
        .args(["-c", &line])
        .env("MC", crate::util::launcher())
        .current_dir(scratch.path("")))
}

fn nothing_above_two_survives() {
    let scratch = Scratch::new().with_host_programs();
    let open = "for fd in {3..30}; do eval \"exec $fd</\"; done";
    let listed = with_open(&scratch, open, "", "echo /proc/self/fd/*").success();
    let numbers: Vec<_> =
        listed.split_whitespace().filter_map(|path| path.rsplit('/').next()).collect();
    // The listing itself opens one more.
    assert_eq!(numbers, ["0", "1", "2", "3"], "{listed}");
    let ended = with_open(
        &scratch,
        open,
        "",
        "for fd in 3 4 7 30; do ! ls /proc/self/fd/$fd/etc && echo none; done",
    );
    assert_eq!(ended.output, "none\n".repeat(4), "{}", ended.errors);
}

fn preserved_descriptors_survive_and_no_other() {
    let scratch = Scratch::new().with_host_programs();
    scratch.file("kept", "kept\n");
    let ended = with_open(
        &scratch,
        "exec 3<kept 4<kept 5</",
        "--preserve-fds 2",
        "cat <&3; cat <&4; ! ls /proc/self/fd/5/etc",
    );
    assert_eq!(ended.output, "kept\nkept\n", "{}", ended.errors);
    assert_eq!(ended.status, 0);
}

fn a_leaked_directory_is_no_way_out() {
    let scratch = Scratch::new().with_host_programs();
    let open = "for fd in {3..22}; do eval \"exec $fd</\"; done";
    for number in 0..40 {
        let ended = with_open(&scratch, open, &format!("-w /proc/self/fd/{number}"), "pwd");
        ended.fails(125, &["change to the working directory /proc/self/fd/"]);
    }
}

fn closed_standard_streams_stay_closed() {
    let scratch = Scratch::new().with_host_programs();
    let ended = with_open(&scratch, "exec 0<&- 2>&-", "", "ls -d /proc/self/fd/0/etc || echo none");
    assert_eq!((ended.status, &*ended.output), (0, "none\n"));
}
