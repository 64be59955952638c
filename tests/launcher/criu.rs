//! A stand-in for CRIU, for tests of what it is asked for and of what comes of its answers.

use crate::bundle::Bundle;
use crate::util::{Ended, run};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// What a stand-in does with its words, before what the test has it do.
const NOTE: &str = "#!/bin/sh
here=${0%/bin/criu}
: >$here/words
for word; do echo \"$word\" >>$here/words; done
env >$here/variables
ls -l /proc/$$/fd >$here/open
for word; do
    case $before in
    --work-dir) work=$word ;;
    --tree) tree=$word ;;
    --action-script) script=$word ;;
    esac
    before=$word
done
act() { CRTOOLS_SCRIPT_ACTION=$1 CRTOOLS_INIT_PID=$process $script; }
";

/// A stand-in that restores a process, which ends with this status, and asks for what CRIU asks for.
pub fn restores(status: u32) -> String {
    format!(
        "sh -c 'while [ -e '$here/lives' ]; do sleep 0.01; done; exit {status}' &
        process=$!
        act pre-resume && act setup-namespaces && act post-restore || {{
            kill -KILL $process
            exit 1
        }}"
    )
}

/// Puts a stand-in for CRIU beside the bundle.
pub fn stand_in(bundle: &Bundle, script: &str) {
    let file = bundle.scratch.file("bin/criu", &format!("{NOTE}{script}\n"));
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    bundle.scratch.file("lives", "");
}

/// Runs a command with only the stand-in's folder before those of the system in its PATH.
pub fn with_stand_in(bundle: &Bundle, words: &[&str]) -> Command {
    let mut command = bundle.runtime(bundle.words(words));
    let mut path = OsString::from(bundle.scratch.path("bin"));
    path.push(":/usr/bin:/bin");
    command.env("PATH", path);
    command
}

pub fn checkpoint(bundle: &Bundle, words: &[&str]) -> Ended {
    run(&mut with_stand_in(bundle, &[&["checkpoint"], words].concat()))
}

pub fn restore(bundle: &Bundle, words: &[&str]) -> Ended {
    bundle.to_files(with_stand_in(bundle, &[&["restore"], words].concat()))
}

pub fn lines(bundle: &Bundle, name: &str) -> Vec<String> {
    let content = fs::read_to_string(bundle.scratch.path(name)).unwrap_or_default();
    content.lines().map(String::from).collect()
}

/// That these words stand one behind the other among those of the stand-in.
#[track_caller]
pub fn asked(bundle: &Bundle, words: &[&str]) {
    let all = lines(bundle, "words");
    assert!(all.windows(words.len()).any(|part| part == words), "no {words:?} in {all:?}");
}
