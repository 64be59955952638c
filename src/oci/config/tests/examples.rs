//! The examples of the specification's schema, and texts that are too much or nothing.

use super::super::read_resources;
use super::{message, read};
use crate::container::Resources;
use crate::kernel::caller::Caller;
use std::fs;
use std::path::Path;

/// The examples of a kind, by name.
fn examples(kind: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oci/config").join(kind);
    let examples = fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (path.display().to_string(), fs::read_to_string(&path).unwrap())
    });
    examples.collect()
}

#[test]
fn good_ones_are_read_and_bad_ones_refused() {
    let (good, bad) = (examples("good"), examples("bad"));
    assert_eq!([good.len(), bad.len()], [9, 5]);
    for (name, text) in good {
        assert_eq!(read(&text).err(), None, "{name}");
    }
    for (name, text) in bad {
        assert!(read(&text).is_err(), "{name}");
    }
}

const START: &str = r#"{"ociVersion": "1.0.0", "root": {"path": "r"}, "#;

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep =
            |depth| format!("{START}\"x\": {}0{}}}", open.repeat(depth), close.repeat(depth));
        assert!(read(&deep(10)).is_ok());
        assert!(read(&deep(10_000)).err().unwrap().ends_with("this is not JSON"));
    }
}

#[test]
fn a_mebibyte_is_read() {
    for (before, item, after) in [
        (r#""annotations": {"#, r#""%": """#, "}}"),
        (r#""process": {"cwd": "/", "args": ["#, r#""%""#, "]}}"),
        (r#""x": ["#, "0", "]}"),
    ] {
        let mut text = format!("{START}{before}");
        let mut count = 0;
        while text.len() < 1 << 20 {
            text.push_str(if count == 0 { "" } else { "," });
            text.push_str(&item.replace('%', &count.to_string()));
            count += 1;
        }
        assert_eq!(read(&format!("{text}{after}")).err(), None);
        let wrong = format!("{text}, 3{after}");
        assert!(read(&wrong).is_err() || before.contains('x'));
    }
    let long = format!("{START}\"process\": {{\"cwd\": \"/{}\"}}}}", "a".repeat(1 << 20));
    assert!(read(&long).is_ok());
}

#[test]
fn what_is_no_configuration_is_refused() {
    for text in ["", "[]", "3", "null", "{}", "{\"ociVersion\": \"1.0.0\"} x", "\u{feff}{}"] {
        assert!(read(text).is_err(), "{text}");
    }
    assert!(read(&format!("{START}\"x\": \"\\ud800\"}}")).is_err(), "half a pair of UTF-16");
    let caller = Caller { privileged: true, user: 0, group: 0, kernel: (6, 1) };
    for bytes in [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80"] {
        let mut text = format!("{START}\"x\": \"").into_bytes();
        text.extend_from_slice(bytes);
        text.extend_from_slice(b"\"}");
        let error = super::parse(text.leak(), c"/bundle", caller).err().unwrap();
        assert!(message(error).ends_with("this is not JSON"));
    }
}

#[test]
fn parts_are_read_alone() {
    let mut resources = Resources::default();
    let mut read = |text: &'static str| read_resources(text.as_bytes(), &mut resources);
    assert!(read(r#"{"pids": {"limit": 7}}"#).is_ok());
    let error = read(r#"{"pids": {"limit": "7"}}"#).err().unwrap();
    assert!(message(error).starts_with("pids.limit '7': "));
    let error = read(r#"{"pids": {}, "pids": {}}"#).err().unwrap();
    assert!(message(error).starts_with("pids: "));
    assert!(read(r#"{"pids": {"limit": 9}}"#).is_ok());
    assert_eq!(resources.pids, Some(9));
}
