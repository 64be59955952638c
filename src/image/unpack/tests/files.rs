//! Layers as files.

use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

#[test]
fn files_are_what_the_archive_says() {
    let scratch = Scratch::new("files");
    let mut archive = Archive::default();
    archive.folder("./").folder("./a/").file("./a/b", b"content").link("l", "../outside");
    archive.hard_link("a/c", "a/b").add(b'6', "pipe", "", b"");
    archive.records(&[("mtime", b"-1.5"), ("path", b"long"), ("user.ignored", b"")]);
    archive.file("short", &[7; 1000]);
    tree(&archive, &scratch);
    assert_eq!(scratch.read("a/b"), "content");
    let found = |name: &str| fs::symlink_metadata(scratch.root().join(name)).unwrap();
    assert_eq!((found("a/c").ino(), found("a/c").nlink()), (found("a/b").ino(), 2));
    assert_eq!((found("long").mtime(), found("long").mtime_nsec()), (-2, 500_000_000));
    assert_eq!(found("long").len(), 1000);
    for name in ["", "a", "a/b", "l", "pipe"] {
        assert_eq!(found(name).mtime(), 1_000_000_000, "{name}");
    }
    assert_eq!(found("").permissions().mode() & 0o7777, 0o755);
    assert_eq!(fs::read_link(scratch.root().join("l")).unwrap(), Path::new("../outside"));
}

#[test]
fn a_folder_that_may_not_be_written_is_filled() {
    let scratch = Scratch::new("modes");
    let mut archive = Archive::default();
    let mut block = [0; 512];
    block[..2].copy_from_slice(b"f/");
    block[100..107].copy_from_slice(b"0000555");
    block[156] = b'5';
    archive.block(block, b"");
    archive.file("f/a", b"1").file("g", b"2").file("f/b", b"3");
    unpack(&archive.end(), &scratch.root(), Form::Tree).unwrap();
    assert_eq!(scratch.read("f/a") + &scratch.read("f/b"), "13");
    let found = fs::metadata(scratch.root().join("f")).unwrap();
    assert_eq!((found.mode() & 0o7777, found.mtime()), (0o555, 0));
}

#[test]
fn later_entries_replace_what_is_there() {
    let scratch = Scratch::new("replaced");
    let mut archive = Archive::default();
    archive.folder("a").file("a/b", b"1").file("c", b"2").link("d", "a");
    tree(&archive, &scratch);
    let mut archive = Archive::default();
    archive.file("a", b"now a file").folder("c").file("c/x", b"3").folder("d").file("d/y", b"4");
    tree(&archive, &scratch);
    assert_eq!(scratch.read("a"), "now a file");
    assert_eq!(scratch.read("c/x") + &scratch.read("d/y"), "34");
    assert!(fs::symlink_metadata(scratch.root().join("d")).unwrap().is_dir());
}

#[test]
fn a_folder_that_is_a_link_is_followed_within_the_root() {
    let scratch = Scratch::new("links");
    let mut archive = Archive::default();
    archive.folder("usr").folder("usr/lib").link("lib", "usr/lib").link("l2", "/usr/lib");
    archive.link("up", "../../../usr");
    tree(&archive, &scratch);
    let mut archive = Archive::default();
    archive.file("lib/x", b"1").file("l2/y", b"2").file("up/z", b"3").hard_link("h", "lib/x");
    tree(&archive, &scratch);
    assert_eq!(scratch.read("usr/lib/x") + &scratch.read("usr/lib/y"), "12");
    assert_eq!(scratch.read("usr/z") + &scratch.read("h"), "31");
    scratch.check_outside();
}

type Build = for<'a> fn(&'a mut Archive, &str) -> &'a mut Archive;

#[test]
fn what_would_lead_out_is_refused_and_named() {
    let long = "x".repeat(98);
    let cases: &[(&str, Build)] = &[
        ("../outside", |archive, name| archive.file(name, b"bad")),
        ("/outside", |archive, name| archive.file(name, b"bad")),
        ("/../outside", |archive, name| archive.file(name, b"bad")),
        ("a/../../outside", |archive, name| archive.file(name, b"bad")),
        ("l/outside", |archive, name| archive.link("l", "..").link("l", "../x").file(name, b"")),
        ("l/passwd", |archive, name| archive.link("l", "/etc").file(name, b"bad")),
        ("l/m/x", |archive, name| {
            archive.folder("a").link("l", "a").link("a/m", "../../n").file(name, b"bad")
        }),
        ("h", |archive, name| archive.hard_link(name, "../outside")),
        ("h1", |archive, name| archive.hard_link(name, "/etc/passwd")),
        ("h2", |archive, name| archive.link("l", "/etc").hard_link(name, "l/passwd")),
        ("h3", |archive, name| archive.hard_link(name, name)),
        ("h4", |archive, name| archive.hard_link(name, "none")),
        (".wh..", |archive, name| archive.file(name, b"")),
        ("a/.wh...", |archive, name| archive.file(name, b"")),
        ("f/x", |archive, name| archive.file("f", b"").file(name, b"")),
        ("..", |archive, name| archive.folder(name)),
        ("./", |archive, name| archive.link(name, "/etc")),
        ("?", |archive, name| archive.add(b'?', name, "", b"")),
        ("e", |archive, name| archive.link(name, "")),
    ];
    for (name, build) in cases {
        let scratch = Scratch::new("outside");
        let mut archive = Archive::default();
        build(&mut archive, name);
        for form in [Form::Tree, Form::Overlay { privileged: own_id("-u") == 0 }] {
            let (named, failure) = unpack(&archive.end(), &scratch.root(), form).unwrap_err();
            assert_eq!(named, *name, "{failure:?}");
            assert!(matches!(failure, Failure::Archive(_)), "{name}: {failure:?}");
            scratch.check_outside();
        }
    }
    let mut archive = Archive::default();
    archive.records(&[("path", long.repeat(3).as_bytes())]).file("x", b"");
    let scratch = Scratch::new("outside");
    assert!(unpack(&archive.end(), &scratch.root(), Form::Tree).is_err());
}

#[test]
fn what_is_behind_the_last_entry_may_be_missing() {
    let scratch = Scratch::new("unpadded");
    let mut archive = Archive::default();
    archive.file("a", &[1; 700]);
    for length in [1536, 512 + 700] {
        unpack(&archive.0[..length], &scratch.root(), Form::Tree).unwrap();
    }
    for length in [1300, 512 + 699, 513, 511, 1, 0] {
        unpack(&archive.0[..length], &scratch.root(), Form::Tree).unwrap_err();
    }
}

#[test]
fn a_link_that_was_there_is_not_written_through() {
    let scratch = Scratch::new("through");
    symlink("../outside", scratch.root().join("l")).unwrap();
    let mut archive = Archive::default();
    archive.file("l", b"in the root");
    tree(&archive, &scratch);
    assert_eq!(scratch.read("l"), "in the root");
    scratch.check_outside();
}

#[test]
fn whiteouts_remove_what_was_there_before_in_any_order() {
    let scratch = Scratch::new("whiteouts");
    let mut archive = Archive::default();
    archive.file("gone", b"").file("a/old", b"").file("a/kept/x", b"").file("b/c/d", b"");
    archive.file("z/old", b"").file("again/old", b"");
    tree(&archive, &scratch);
    let mut archive = Archive::default();
    archive.file(".wh.gone", b"").file("a/new", b"").file("a/kept/y", b"");
    archive.file("a/.wh..wh..opq", b"").file("b/.wh.c", b"").file(".wh.none", b"");
    archive.file("none/.wh.x", b"").file(".wh..wh.plnk", b"").file(".wh..wh.aufs/x", b"");
    archive.folder("again").file("again/new", b"").file(".wh.again", b"");
    tree(&archive, &scratch);
    let is = |name: &str| scratch.root().join(name).exists();
    for name in ["a/new", "a/kept/y", "b", "z/old", "again/new"] {
        assert!(is(name), "{name}");
    }
    for name in
        ["gone", "a/old", "a/kept/x", "b/c", "none", ".wh.gone", "again/old", ".wh..wh.plnk"]
    {
        assert!(!is(name), "{name}");
    }
    assert!(!is(".wh..wh.aufs"));
}

#[test]
fn an_archive_is_read_as_gnu_tar_writes_it() {
    let scratch = Scratch::new("gnu");
    let from = scratch.root().join("from");
    let long = "n".repeat(200);
    fs::create_dir_all(from.join(&long)).unwrap();
    fs::write(from.join(&long).join("file"), "long").unwrap();
    symlink("t".repeat(150), from.join("link")).unwrap();
    let holes = fs::File::create(from.join("holes")).unwrap();
    for place in 0..60_u64 {
        std::os::unix::fs::FileExt::write_at(&holes, b"data", place * 20_000).unwrap();
    }
    holes.set_len(3_000_000).unwrap();
    for form in [
        &["--format=gnu", "--sparse"][..],
        &["--format=pax", "--sparse-version=0.0", "--sparse"],
        &["--format=pax", "--sparse-version=0.1", "--sparse"],
        &["--format=pax", "--sparse-version=1.0", "--sparse"],
    ] {
        let made =
            Command::new("tar").args(form).arg("-cf-").arg("-C").arg(&from).arg(".").output();
        let archive = made.unwrap().stdout;
        let to = scratch.root().join("to");
        fs::create_dir(&to).unwrap();
        unpack(&archive, &to, Form::Tree).unwrap();
        let same =
            Command::new("diff").args(["-r", "--no-dereference"]).args([&from, &to]).status();
        assert!(same.unwrap().success(), "{form:?}");
        let found = fs::metadata(to.join("holes")).unwrap();
        assert!(found.blocks() * 512 < 1_000_000, "{form:?}: {} blocks", found.blocks());
        fs::remove_dir_all(&to).unwrap();
    }
}
