//! Roots of this system's programs: what is found is what the loader finds, and what is copied runs.

use crate::util::{Ended, Scratch, as_ordinary_user, is_root, launcher, run, tests, which};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

tests! {
    scripts_bring_their_interpreters needs Launch;
    links_on_the_way_are_kept;
    files_are_like_their_originals;
    a_directory_can_be_added_to;
    another_kind_of_thing_in_the_place_is_an_error;
    a_link_in_the_directory_leads_nowhere;
    folders_come_as_they_are needs Root;
    plugins_bring_their_libraries needs Program("gcc");
    a_minimal_etc_is_written_where_there_is_none needs Launch;
    what_is_not_there_is_named;
    an_ordinary_user_gets_no_setuid_files needs Root;
}

/// Makes `rootfs` in the scratch folder.
pub fn rootfs(scratch: &Scratch, words: &[&str]) -> Ended {
    run(&mut scratch.launcher([&["rootfs"], words].concat()))
}

/// Makes an executable script, and returns its path.
fn script(scratch: &Scratch, name: &str, content: &str) -> String {
    let path = scratch.file(name, content);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().into()
}

fn scripts_bring_their_interpreters() {
    let scratch = Scratch::new();
    let plain = script(&scratch, "plain", "#! /bin/sh -e\necho plain\n");
    let env = script(&scratch, "env", "#!/usr/bin/env -S A=found bash\necho $A\n");
    let chain = script(&scratch, "chain", &format!("#!{plain}\n"));
    let words = [&*plain, &env, &chain];
    rootfs(&scratch, &words).success();
    for (script, expected) in words.iter().zip(["plain\n", "found\n", "plain\n"]) {
        assert_eq!(run(&mut scratch.launcher([script])).success(), expected);
    }
    let own = script(&scratch, "loop", &format!("#!{}\n", scratch.path("loop").display()));
    rootfs(&scratch, &[&own])
        .fails(125, &["add the program", "too many interpreters of interpreters"]);
    let lost = script(&scratch, "lost", "#!/usr/bin/env no-such-program\n");
    rootfs(&scratch, &[&lost]).fails(125, &["find the program no-such-program", "lost needs it"]);
    let lost = script(&scratch, "lost2", "#!/no/such/interpreter\n");
    rootfs(&scratch, &[&lost])
        .fails(125, &["its interpreter /no/such/interpreter", "lost2 needs it"]);
    let text = script(&scratch, "text", "no script\n");
    rootfs(&scratch, &[&text]).fails(125, &["neither an ELF program nor a script"]);
}

fn links_on_the_way_are_kept() {
    let scratch = Scratch::new();
    let host = scratch.folder("host/real");
    fs::copy("/bin/true", host.join("program-1.2")).unwrap();
    scratch.link("host/real/program", "program-1.2");
    scratch.link("host/folder", "real");
    scratch.link("host/alias", &format!("{}/folder/program", scratch.path("host").display()));
    let alias = scratch.path("host/alias");
    rootfs(&scratch, &[alias.to_str().unwrap()]).success();
    let inside = |name: &str| {
        scratch.path("rootfs").join(scratch.path("host").strip_prefix("/").unwrap()).join(name)
    };
    assert_eq!(fs::read_link(inside("folder")).unwrap(), Path::new("real"));
    assert_eq!(fs::read_link(inside("real/program")).unwrap(), Path::new("program-1.2"));
    assert_eq!(fs::read_link(inside("alias")).unwrap(), fs::read_link(&alias).unwrap());
    assert!(inside("real/program-1.2").is_file());
    for usual in ["lib", "lib64"] {
        let (here, there) = (Path::new("/").join(usual), scratch.path("rootfs").join(usual));
        assert_eq!(fs::read_link(here).ok(), fs::read_link(there).ok(), "{usual}");
    }
}

fn files_are_like_their_originals() {
    let scratch = Scratch::new();
    rootfs(&scratch, &["ls", "-o", "here"]).success();
    let listed = rootfs(&scratch, &["--list", "ls"]).success();
    assert!(listed.lines().count() > 4, "{listed}");
    for path in listed.lines() {
        let here = scratch.path("here").join(path.trim_start_matches('/'));
        let (theirs, ours) =
            (fs::symlink_metadata(path).unwrap(), here.symlink_metadata().unwrap());
        let of =
            |found: &fs::Metadata| (found.mode(), found.mtime(), found.mtime_nsec(), found.len());
        assert_eq!(of(&theirs), of(&ours), "{path}");
        if theirs.is_file() {
            assert!(fs::read(path).unwrap() == fs::read(&here).unwrap(), "{path}");
        }
    }
    let names = fs::read_dir(scratch.path("here/usr/bin")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["ls"], "nothing temporary is left");
}

fn a_directory_can_be_added_to() {
    let scratch = Scratch::new();
    let program = scratch.path("program");
    fs::copy("/bin/true", &program).unwrap();
    rootfs(&scratch, &["ls", program.to_str().unwrap()]).success();
    let copy = scratch.path("rootfs").join(program.strip_prefix("/").unwrap());
    let before = fs::metadata(&copy).unwrap().ino();
    fs::remove_file(&program).unwrap();
    fs::copy("/bin/false", &program).unwrap();
    rootfs(&scratch, &["cat", program.to_str().unwrap()]).success();
    assert_ne!(fs::metadata(&copy).unwrap().ino(), before, "it is replaced, not written to");
    assert!(fs::read(&copy).unwrap() == fs::read("/bin/false").unwrap());
    for name in ["ls", "cat"] {
        assert!(scratch.path("rootfs/usr/bin").join(name).exists());
    }
}

fn another_kind_of_thing_in_the_place_is_an_error() {
    let place = which("ls").unwrap().canonicalize().unwrap();
    let place = Path::new("rootfs").join(place.strip_prefix("/").unwrap());
    let refused = |scratch: &Scratch, named: &str| {
        let kind = "there is something of another kind in its place";
        rootfs(scratch, &["ls"]).fails(125, &[named, kind]);
    };
    let scratch = Scratch::new();
    scratch.folder(place.to_str().unwrap());
    refused(&scratch, "/ls");
    let scratch = Scratch::new();
    scratch.file("rootfs/usr", "");
    refused(&scratch, "make the folder /usr");
    let scratch = Scratch::new();
    scratch.folder("rootfs/lib64");
    refused(&scratch, "copy /lib64");
    let scratch = Scratch::new();
    scratch.file("rootfs", "");
    rootfs(&scratch, &["ls"]).fails(125, &["make the directory rootfs: Not a directory"]);
}

fn a_link_in_the_directory_leads_nowhere() {
    let scratch = Scratch::new();
    let outside = scratch.folder("outside");
    scratch.folder("rootfs");
    scratch.link("rootfs/usr", "../outside");
    rootfs(&scratch, &["ls"]).fails(125, &["make the folder /usr", "another kind"]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    let scratch = Scratch::new();
    let target = scratch.file("outside", "kept");
    let folder = which("ls").unwrap().canonicalize().unwrap();
    let folder = folder.parent().unwrap().to_str().unwrap().trim_start_matches('/').to_string();
    scratch.folder(&format!("rootfs/{folder}"));
    scratch.link(&format!("rootfs/{folder}/ls"), target.to_str().unwrap());
    rootfs(&scratch, &["ls"]).fails(125, &["/ls", "another kind"]);
    assert_eq!(fs::read(&target).unwrap(), b"kept");
}

fn folders_come_as_they_are() {
    let scratch = Scratch::new();
    scratch.file("data/deep/file", "content");
    scratch.link("data/link", "no/where");
    let inside = |path: &str| {
        let path = scratch.path("data").join(path);
        (path.clone(), scratch.path("rootfs").join(path.strip_prefix("/").unwrap()))
    };
    let run = |words: &[&str]| {
        assert!(Command::new(words[0]).args(&words[1..]).status().unwrap().success());
    };
    let text = |name: &str| scratch.path(name).to_str().unwrap().to_string();
    run(&["mkfifo", &text("data/fifo")]);
    run(&["mknod", &text("data/null"), "c", "1", "3"]);
    run(&["chmod", "2750", &text("data/deep")]);
    run(&["chmod", "4711", &text("data/deep/file")]);
    run(&["chown", "-h", "12:34", &text("data/deep"), &text("data/deep/file"), &text("data/link")]);
    run(&["chmod", "2750", &text("data/deep")]);
    run(&["chmod", "4711", &text("data/deep/file")]);
    for name in ["data/deep/file", "data/deep", "data"] {
        run(&["touch", "-h", "-d", "2001-02-03 04:05:06", &text(name)]);
    }
    run(&["touch", "-h", "-d", "2001-02-03 04:05:06", &text("data/link")]);
    for _ in 0..2 {
        rootfs(&scratch, &["--with", &text("data")]).success();
    }
    for name in ["", "deep", "deep/file", "link", "fifo", "null"] {
        let (theirs, ours) = inside(name);
        let (theirs, ours) = (theirs.symlink_metadata().unwrap(), ours.symlink_metadata().unwrap());
        let of = |found: &fs::Metadata| (found.mode(), found.uid(), found.gid(), found.rdev());
        assert_eq!(of(&theirs), of(&ours), "{name}");
        if !matches!(name, "fifo" | "null") {
            assert_eq!(theirs.mtime(), ours.mtime(), "{name}");
        }
    }
    assert_eq!(fs::read_link(inside("link").1).unwrap(), Path::new("no/where"));
    assert_eq!(fs::read(inside("deep/file").1).unwrap(), b"content");
}

/// Compiles a library or program of one line.
pub fn compile(compiler: &str, source: &str, words: &[&str], output: &Path) {
    use std::process::Stdio;
    let mut child = Command::new(compiler)
        .args(["-x", "c", "-", "-o"])
        .arg(output)
        .args(words)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), source.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{compiler} {words:?}");
}

fn plugins_bring_their_libraries() {
    let scratch = Scratch::new();
    let folder = scratch.folder("plugin");
    let text = |name: &str| scratch.path(name).to_str().unwrap().to_string();
    compile("gcc", "int a;", &["-shared"], &folder.join("libneeded.so"));
    compile(
        "gcc",
        "int b;",
        &[
            "-shared",
            "-Wl,--no-as-needed",
            "-Wl,-rpath,$ORIGIN/plugin",
            "-L",
            &text("plugin"),
            "-lneeded",
        ],
        &scratch.path("single.so"),
    );
    let listed = rootfs(&scratch, &["--list", "--with", &text("single.so")]).success();
    assert!(
        listed.contains("/plugin/libneeded.so\n") && listed.contains("libc.so.6\n"),
        "{listed}"
    );
    // In a folder, too; there, what is missing on this system may be missing.
    fs::rename(scratch.path("single.so"), folder.join("outer.so")).unwrap();
    let listed = rootfs(&scratch, &["--list", "--with", &text("plugin")]).success();
    assert!(listed.contains("/plugin/outer.so\n") && listed.contains("libc.so.6\n"), "{listed}");
    rootfs(&scratch, &["--list", "--with", &text("plugin/outer.so")])
        .fails(125, &["the library libneeded.so", "outer.so needs it"]);
}

fn a_minimal_etc_is_written_where_there_is_none() {
    let scratch = Scratch::new();
    scratch.file("rootfs/etc/hosts", "own\n");
    rootfs(&scratch, &["--etc", "bash", "id"]).success();
    let names: BTreeSet<_> = fs::read_dir(scratch.path("rootfs/etc"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        ["group", "hosts", "nsswitch.conf", "passwd"]
    );
    assert_eq!(fs::read_to_string(scratch.path("rootfs/etc/hosts")).unwrap(), "own\n");
    let found = run(&mut scratch.launcher(["id", "-un"])).success();
    assert_eq!(found, "root\n");
}

fn what_is_not_there_is_named() {
    let scratch = Scratch::new();
    rootfs(&scratch, &["no-such-program"])
        .fails(125, &["find the program no-such-program", "PATH"]);
    rootfs(&scratch, &["./none"]).fails(125, &["/none: No such file"]);
    rootfs(&scratch, &["--with", "/no/such"]).fails(125, &["find /no/such: No such file"]);
    let out = rootfs(&scratch, &["-o", "no/such/dir", "ls"]);
    out.fails(125, &["make the directory no/such/dir: No such file"]);
    assert!(!scratch.path("rootfs").exists(), "nothing is made");
    assert!(is_root() || !scratch.path("no").exists());
}

fn an_ordinary_user_gets_no_setuid_files() {
    let scratch = Scratch::new().for_ordinary_user();
    let user =
        |words: &[&str]| run(as_ordinary_user(launcher(), words).current_dir(scratch.path("")));
    let mount = which("mount").unwrap().canonicalize().unwrap();
    assert_ne!(fs::metadata(&mount).unwrap().mode() & 0o4000, 0, "mount is setuid");
    user(&["rootfs", "mount"]).success();
    let copy = scratch.path("rootfs").join(mount.strip_prefix("/").unwrap());
    assert_eq!(fs::metadata(copy).unwrap().mode() & 0o7777, 0o755);
    let secret = scratch.file("secret", "");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    user(&["rootfs", "--with", secret.to_str().unwrap()])
        .fails(125, &[secret.to_str().unwrap(), "Permission denied"]);
}
