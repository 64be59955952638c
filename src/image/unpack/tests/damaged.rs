//! Damaged archives.

use super::super::reader::walk;
use super::*;

/// Puts the sums of what looks like headers right, so that the damage gets further.
fn with_sums(archive: &mut [u8]) {
    for block in archive.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

fn everything() -> Vec<u8> {
    let mut archive = Archive::default();
    archive.folder("./").folder("a").file("a/b", b"content").link("l", "a").link("up", "../..");
    archive.hard_link("a/c", "a/b").file("l/x", b"").add(b'6', "pipe", "", b"");
    archive.records(&[
        ("path", b"a/longer"),
        ("mtime", b"1.5"),
        ("size", b"600"),
        ("SCHILY.xattr.user.a", b"b"),
        ("LIBARCHIVE.xattr.user.c", b"ZA=="),
    ]);
    archive.file("x", &[1; 600]).add(b'L', "././@LongLink", "", b"a/long\0").file("y", b"2");
    archive.records(&[("GNU.sparse.map", b"0,2,10,2"), ("GNU.sparse.size", b"20")]);
    archive.file("sparse", b"abcd").file("a/.wh.b", b"").file("a/.wh..wh..opq", b"");
    archive.records(&[
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"holes"),
        ("GNU.sparse.realsize", b"20"),
    ]);
    let map = [&b"1\n3\n4\n"[..], &[0; 506], b"abcd"].concat();
    archive.file("sparse", &map).add(b'K', "././@LongLink", "", b"a/b\0").link("k", "");
    archive.end()
}

#[test]
fn damaged_archives_are_read_to_an_end() {
    let whole = everything();
    let mut count = 0;
    walk(&whole, |_, _| count += 1).unwrap();
    assert!(count > 10);
    let mut random = Random(1);
    for _ in 0..20_000 {
        let mut damaged = whole.clone();
        random.damage(&mut damaged);
        with_sums(&mut damaged);
        let _ = walk(&damaged, |_, _| {});
    }
}

#[test]
fn damaged_archives_write_nothing_outside() {
    let scratch = Scratch::new("damaged");
    let whole = everything();
    let mut random = Random(2);
    let mut unpacked = 0;
    for _ in 0..300 {
        let mut damaged = whole.clone();
        random.damage(&mut damaged);
        with_sums(&mut damaged);
        unpacked += u32::from(unpack(&damaged, &scratch.root(), Form::Tree).is_ok());
        scratch.check_outside();
    }
    assert!(unpacked > 10, "{unpacked}");
}
