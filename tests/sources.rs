//! The house keeps its order: imports point down, unsafe code stays where it belongs, and each file
//! says what it is.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of the library, and what each may use of the others.
const ROOMS: [(&str, &[&str]); 17] = [
    ("check", &["launch", "lookup", "container", "kernel", "sys", "error", "text", "rare"]),
    ("cli", &["container", "kernel", "sys", "error", "text", "rare"]),
    (
        "oci",
        &[
            "launch",
            "lookup",
            "cgroups",
            "cli",
            "container",
            "plan",
            "kernel",
            "seccomp",
            "sys",
            "json",
            "error",
            "text",
            "rare",
        ],
    ),
    ("cgroups", &["container", "kernel", "sys", "error", "text", "rare"]),
    (
        "lookup",
        &[
            "launch",
            "image",
            "cli",
            "container",
            "plan",
            "kernel",
            "seccomp",
            "sys",
            "error",
            "text",
            "rare",
        ],
    ),
    ("launch", &["plan", "container", "kernel", "sys", "error", "text", "rare"]),
    ("image", &["container", "kernel", "sys", "json", "error", "text", "rare"]),
    ("rootfs", &["container", "kernel", "sys", "error", "text", "rare"]),
    ("plan", &["cli", "container", "kernel", "sys", "error", "text", "rare"]),
    ("container", &["kernel", "sys", "error", "text", "rare"]),
    ("kernel", &["sys", "error", "text", "rare"]),
    ("seccomp", &["container", "sys", "json", "error", "text", "rare"]),
    ("json.rs", &["error", "text", "rare"]),
    ("error.rs", &["sys", "text", "rare"]),
    ("text.rs", &["rare"]),
    ("rare.rs", &["sys", "text"]),
    ("sys", &[]),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20);
    found
}

/// The path below `src`.
fn place(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    path.strip_prefix(root).unwrap().to_str().unwrap().into()
}

#[test]
fn imports_point_down() {
    for (path, source) in sources() {
        let place = place(&path);
        let Some((room, allowed)) = ROOMS.iter().find(|(room, _)| place.starts_with(room)) else {
            continue;
        };
        // A test of plans types command lines; what is looked up may depend on them.
        let is_test = place == "plan/tests.rs";
        for import in source.split("crate::").skip(1) {
            let name: String =
                import.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let is_own = *room == name || *room == format!("{name}.rs");
            let looks_up = is_test || *room == "lookup" || *room == "oci";
            let may = allowed.contains(&&*name) && (name != "cli" || looks_up);
            assert!(is_own || may, "{place} uses crate::{name}");
        }
    }
}

#[test]
fn unsafe_code_stays_in_sys_and_start() {
    for (path, source) in sources() {
        let place = place(&path);
        if !place.starts_with("sys/") && !place.starts_with("start/") {
            let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                assert!(!line.contains("unsafe"), "{place}: {line}");
            }
        }
    }
}

#[test]
fn each_file_says_what_it_is_and_can_be_read_in_one_sitting() {
    for (path, source) in sources() {
        let place = place(&path);
        assert!(source.starts_with("//! "), "{place}");
        assert!(source.lines().count() <= 400, "{place}");
    }
}
