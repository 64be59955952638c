//! The file itself: what a bare host needs to run it.

use crate::util::{launcher, run, tests};
use std::process::Command;

tests![
    the_file_stands_alone needs Program("readelf");
    the_file_is_small needs Release;
];

fn the_file_stands_alone() {
    let read = |option| run(Command::new("readelf").arg(option).arg(launcher())).success();
    let segments = read("-lW");
    assert!(!segments.contains("INTERP"), "{segments}");
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).expect("a stack segment");
    assert!(!stack.contains('E'), "{stack}");
    assert!(!segments.contains("RWE"), "{segments}");
    assert!(!read("-dW").contains("NEEDED"));
}

fn the_file_is_small() {
    const ALLOWED_BYTES: u64 = 420 * 1024;
    let bytes = std::fs::metadata(launcher()).unwrap().len();
    println!("the file has {bytes} bytes");
    assert!(bytes < ALLOWED_BYTES, "{bytes}");
}
