//! Images that were made to do harm: each is refused by name or stays inside, and nothing is left.

use crate::archives::{Entry, Sparse, tar, through};
use crate::layouts::{Image, Layout, Packing, busybox, launcher};
use crate::util::{Scratch, run, tests};
use crate::watched::Watched;
use std::fs;
use std::path::Path;

tests![
    names_that_lead_out needs Launch;
    links_that_lead_out needs Launch;
    hard_links_that_lead_out needs Launch;
    names_that_are_none needs Launch;
    sizes_that_lie needs Launch;
    archives_that_are_damaged needs Launch;
    headers_that_are_too_long needs Launch;
    sparse_maps_that_lie needs Launch;
    a_bomb_of_zeros needs Launch;
    packings_that_are_damaged needs Launch, Program("zstd");
    marks_of_overlays_are_not_taken_over needs Root, Program("busybox");
];

fn names_that_lead_out() {
    for name in ["../canary/x", "a/../../canary/x", "..", "a/..", "./../x", "/../canary/x"] {
        let watched = Watched::of(&tar([Entry::folder("a"), Entry::file(name, "harm")]));
        watched.is_refused(&[name]);
        Watched::of(&tar([Entry::folder(name)])).is_refused(&[name]);
        let whiteout = match name.rsplit_once('/') {
            Some((folder, last)) => format!("{folder}/.wh.{last}"),
            None => format!(".wh.{name}"),
        };
        Watched::of(&tar([Entry::folder("a"), Entry::file(whiteout, "")])).is_refused(&[".wh."]);
    }
    // By a whiteout, and in a layer above.
    for name in [".wh...", "a/.wh..", ".wh.", "../.wh.canary", "../.wh..wh..opq"] {
        Watched::of(&tar([Entry::folder("a"), Entry::file(name, "")])).is_refused(&[".wh."]);
    }
    let scratch = Scratch::new();
    let absolute = scratch.path("x").to_str().unwrap().to_string();
    drop(scratch);
    Watched::of(&tar([Entry::file(&absolute, "harm")])).is_refused(&[&absolute]);
    assert!(!Path::new(&absolute).exists());
}

fn links_that_lead_out() {
    // A link may lead anywhere as long as nobody follows it; what is written through it stays inside.
    for target in ["../canary", "../../canary", "/tmp", "a/../../canary", "."] {
        let watched = Watched::of(&tar([
            Entry::symlink("link", target),
            Entry::file("link/harm", "harm"),
            Entry::file("link/.wh.file", ""),
            Entry::file("link/.wh..wh..opq", ""),
        ]));
        let [merged, container] = watched.unpack();
        for ended in [&merged, &container] {
            if ended.status == 125 {
                ended.fails(125, &["link"]);
            }
        }
        let _ = fs::remove_dir_all(watched.scratch.path("out"));
        let _ = fs::remove_dir_all(watched.scratch.path("cache"));
        watched.is_unharmed();
    }
    // From one layer to the next.
    let image = Image::new()
        .layer([Entry::symlink("link", "../canary"), Entry::symlink("file", "../canary/file")])
        .layer([Entry::file("link/harm", "harm"), Entry::file("file", "not through it")])
        .layer([Entry::file("link/.wh.file", ""), Entry::folder("link")]);
    let watched = Watched::new(|scratch| Layout::of(&image).write_folder(&scratch.path("image")));
    watched.unpack();
    let _ = fs::remove_dir_all(watched.scratch.path("out"));
    let _ = fs::remove_dir_all(watched.scratch.path("cache"));
    watched.is_unharmed();
    // Links in a circle.
    let circle = tar([Entry::symlink("a", "b"), Entry::symlink("b", "a"), Entry::file("a/x", "")]);
    Watched::of(&circle).is_refused(&["a/x"]);
}

fn hard_links_that_lead_out() {
    let canary = |scratch: &Scratch| scratch.path("canary/file").to_str().unwrap().to_string();
    for target in ["../canary/file", "link/file", "link", "../../../../etc/passwd", "nothing", ""] {
        let entries = [Entry::symlink("link", "../canary"), Entry::hard_link("name", target)];
        let watched = Watched::of(&tar(entries));
        if target == "link" {
            // A link to the link itself is one, and leads nowhere.
            watched.stays_inside(&["name"]);
        } else {
            watched.is_refused(&["name"]);
        }
    }
    let scratch = Scratch::new();
    scratch.file("canary/file", "alive");
    let absolute = tar([Entry::hard_link("name", canary(&scratch)), Entry::file("name", "harm")]);
    Watched::of(&absolute).is_refused(&["name"]);
    assert_eq!(fs::read_to_string(canary(&scratch)).unwrap(), "alive");
    // To a symbolic link, and then written to: it is replaced and not followed.
    Watched::of(&tar([
        Entry::symlink("link", "../canary/file"),
        Entry::hard_link("name", "link"),
        Entry::file("name", "harm"),
    ]))
    .stays_inside(&["name"]);
}

fn names_that_are_none() {
    for entry in [
        Entry::file("", "x"),
        Entry::file("/", "x"),
        Entry::file(".", "x"),
        Entry::file("n".repeat(256), "x"),
        Entry::file("n/".repeat(3000), "x"),
        Entry::file("short", "x").pax("path", "with\0NUL"),
        Entry::symlink("link", ""),
        Entry::symlink("link", "t".repeat(5000)),
        Entry::new(b'?', "of no kind"),
    ] {
        Watched::of(&tar([entry])).is_refused(&[]);
    }
}

fn sizes_that_lie() {
    for size in [100_000, (1 << 33) - 1] {
        let entry = Entry::file("liar", "short").size(size);
        Watched::of(&tar([entry])).is_refused(&["liar"]);
    }
    for size in ["99999999999999999999", "-1", "18446744073709551615", "9223372036854775807", "x"] {
        Watched::of(&tar([Entry::file("liar", "short").pax("size", size)])).is_refused(&[]);
    }
    // In base 256, negative and larger than any file.
    for first in [0xff, 0x80] {
        let field = [&[first][..], &[0xff; 11]].concat();
        Watched::of(&tar([Entry::file("liar", "short").set(124, &field)])).is_refused(&[]);
    }
    let folder = tar([Entry::folder("f").body("x".repeat(600)), Entry::file("next", "")]);
    let [merged, _] = Watched::of(&folder).unpack();
    assert!(merged.status == 0 || merged.status == 125);
}

fn archives_that_are_damaged() {
    let whole = tar([Entry::file("first", "x"), Entry::file("second", vec![b'x'; 5000])]);
    for length in [1, 511, 1500, 2048, 3000, 6000] {
        Watched::of(&whole[..length]).is_refused(&[]);
    }
    Watched::of(&tar([Entry::file("summed wrongly", "").with_wrong_checksum()])).is_refused(&[]);
    Watched::of(&[b'x'; 4096]).is_refused(&[]);
    for place in [100, 108, 124, 136] {
        Watched::of(&tar([Entry::file("digits", "").set(place, b"zzzzzzz")])).is_refused(&[]);
    }
}

fn headers_that_are_too_long() {
    let long = "x".repeat(32 << 20);
    Watched::of(&tar([Entry::file("f", "").pax("comment", &long)])).is_refused(&[]);
    Watched::of(&tar([Entry::file("f", "").gnu_name(&long)])).is_refused(&[]);
    for records in
        [&b"5 a=b\n"[..], b"9999999999 a=b\n", b"0 a=b\n", b"x", b"6 a=b", b"-6 a=b\n", b"6 ab c\n"]
    {
        Watched::of(&tar([Entry::file("f", "").pax_bytes(records)])).is_refused(&[]);
    }
    let many = (0..100_000).fold(Entry::file("f", ""), |entry, at| {
        entry.pax(&format!("SCHILY.xattr.user.a{at}"), "x")
    });
    Watched::of(&tar([many])).is_refused(&[]);
    let value = Entry::file("f", "").pax("SCHILY.xattr.user.long", vec![b'x'; 70_000]);
    Watched::of(&tar([value])).is_refused(&[]);
}

fn sparse_maps_that_lie() {
    let piece = |at, data: &'static [u8]| (at, data);
    for (size, pieces) in [
        (10, vec![piece(0, b"more than its size")]),
        (u64::MAX, vec![piece(u64::MAX - 1, b"xx")]),
        (1 << 20, vec![piece(8192, b"x"), piece(0, b"y")]),
        (1 << 20, vec![piece(0, b"overlap"), piece(2, b"overlap")]),
    ] {
        let sparse = Sparse { name: "sparse".into(), size, pieces: &pieces };
        for entry in [sparse.pax_0_0(), sparse.pax_0_1(), sparse.pax_1_0()] {
            Watched::of(&tar([entry])).is_refused(&["sparse"]);
        }
    }
    let entry = |map: &str, blocks: &str| {
        Entry::file("f", "xx")
            .pax("GNU.sparse.name", "sparse")
            .pax("GNU.sparse.size", "100")
            .pax("GNU.sparse.numblocks", blocks)
            .pax("GNU.sparse.map", map)
    };
    for (map, blocks) in
        [("0,2", "2"), ("0", "1"), ("0,x", "1"), ("0,3", "1"), ("0,2", "999999999999")]
    {
        Watched::of(&tar([entry(map, blocks)])).is_refused(&[]);
    }
    // Large, but all of it a hole: it costs nothing, and the limit on bytes is for what is written.
    let hole = Sparse { name: "hole".into(), size: 1 << 40, pieces: &[(1 << 40, b"")] };
    let [merged, _] = Watched::of(&tar([hole.pax_1_0()])).unpack();
    assert!(merged.status == 0 || merged.status == 125, "{}", merged.errors);
}

/// A few kilobytes that unpack to more than anybody's disk holds.
fn a_bomb_of_zeros() {
    // Gzip of gzip: 8 GiB of zeros in 8 MiB, as one file that its header calls 1 TiB large.
    let zeros = through("gzip", &["-9c"], &vec![0; 64 << 20]);
    let head = Entry::file("bomb", "").set(124, b"\x80\0\0\0\0\0\x01\0\0\0\0\0").bytes();
    let mut blob = through("gzip", &["-c"], &head);
    for _ in 0..32 {
        blob.extend(&zeros);
    }
    let scratch = Scratch::new();
    let mut layout = Layout::default();
    let image = Image::new().packed(b"replaced", Packing::Gzip);
    let entry = layout.add_with(&image, &[blob]);
    layout.index.push(entry);
    layout.write_folder(&scratch.path("image"));
    let mut command = scratch.launcher(["rootfs", "-o", "out", "--image", "image"]);
    // What it may write at all is less than the bomb: it ends by an error, and not by a full disk.
    run(&mut command).fails(125, &["bomb"]);
    assert!(!scratch.path("out").exists());
}

fn packings_that_are_damaged() {
    let archive = tar(busybox());
    for packing in [Packing::Gzip, Packing::Zstd] {
        let whole = packing.pack(&archive);
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x10;
        let mut of_no_kind = whole.clone();
        of_no_kind[0] ^= 0xff;
        let garbage = [&whole[..], b"behind the end, something else"].concat();
        for blob in [&whole[..whole.len() / 2], &whole[..5], &flipped, &of_no_kind, &garbage] {
            let watched = Watched::new(|scratch| {
                let mut layout = Layout::default();
                let image = Image::new().packed(&archive, packing);
                let entry = layout.add_with(&image, &[blob.to_vec()]);
                layout.index.push(entry);
                layout.write_folder(&scratch.path("image"));
            });
            watched.is_refused(&[]);
        }
    }
}

/// A layer cannot make a whiteout or redirect by the attributes that overlays know.
fn marks_of_overlays_are_not_taken_over() {
    let mark = |entry: Entry, name: &str, value: &str| {
        let entry = entry.pax(&format!("SCHILY.xattr.trusted.overlay.{name}"), value);
        entry.pax(&format!("SCHILY.xattr.user.overlay.{name}"), value)
    };
    let image = Image::new()
        .layer(busybox())
        .layer([
            Entry::folder("a"),
            Entry::file("a/seen", "yes"),
            Entry::file("secret", "hidden"),
            Entry::folder("b"),
            Entry::file("b/other", ""),
        ])
        .layer([
            mark(Entry::folder("a"), "opaque", "y"),
            mark(Entry::folder("c"), "redirect", "/b"),
            mark(Entry::file("d", "own"), "metacopy", ""),
            mark(Entry::file("e", ""), "whiteout", "y"),
            // A device 0:0 would be a whiteout.
            Entry::device(b'3', "secret", 0, 0),
        ]);
    let watched = Watched::new(|scratch| Layout::of(&image).write_folder(&scratch.path("image")));
    let script = "cat /a/seen; ls /c; cat /d; ls /e; ls /a";
    let words = ["--image", "image", "sh", "-c", script];
    let ended = run(&mut launcher(&watched.scratch, &words));
    if ended.status == 125 {
        ended.fails(125, &["secret"]);
    } else {
        assert_eq!(ended.success(), "yesown/e\nseen\n");
    }
}
