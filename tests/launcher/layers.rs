//! Images that are hard to get right, unpacked file by file as `umoci` does.
//!
//! Each is compared in both forms: the merged tree, and what a container sees.

use crate::archives::{Entry, Sparse, TIME, tar};
use crate::layouts::{Image, Packing};
use crate::unpackers::{Explained, same, same_as_tar};
use crate::util::tests;

tests![
    whiteouts_and_opaque_folders needs Root, Program("umoci"), Program("busybox");
    folders_that_a_layer_does_not_name needs Root, Program("umoci"), Program("busybox");
    hard_links_and_whiteouts needs Root, Program("umoci"), Program("busybox");
    hard_links_from_layer_to_layer needs Root, Program("umoci"), Program("busybox");
    long_names needs Root, Program("umoci"), Program("busybox");
    odd_names needs Root, Program("umoci"), Program("busybox");
    sparse_files needs Root, Program("tar"), Program("busybox");
    extended_attributes needs Root, Program("umoci"), Program("busybox");
    modes_and_owners needs Root, Program("umoci"), Program("busybox");
    one_kind_replaced_by_another needs Root, Program("umoci"), Program("busybox");
    names_that_lead_through_links needs Root, Program("umoci"), Program("busybox");
    times needs Root, Program("umoci"), Program("busybox");
    special_files needs Root, Program("umoci"), Program("busybox");
    empty_and_deep_layers needs Root, Program("umoci"), Program("busybox");
    old_forms_of_archives needs Root, Program("tar"), Program("busybox");
];

fn whiteouts_and_opaque_folders() {
    let folders = |names: &[&str]| names.iter().map(Entry::folder).collect::<Vec<_>>();
    let files = |names: &[&str]| names.iter().map(|name| Entry::file(name, name)).collect();
    let below = files(&["a/1", "a/2", "a/3", "b/x", "b/y", "b/c/z", "d/e/f", "gone", "back"]);
    let image = Image::new()
        .layer([folders(&["a", "b", "b/c", "d", "d/e"]), below].concat())
        .layer([
            Entry::folder("a"),
            Entry::folder("b"),
            Entry::folder("d"),
            Entry::file("a/.wh.1", ""),
            Entry::file("a/.wh.never", ""),
            Entry::file("b/new", "before the mark"),
            Entry::file("b/.wh..wh..opq", ""),
            Entry::file("b/newer", "behind the mark"),
            Entry::file("d/.wh.e", ""),
            Entry::file(".wh.gone", ""),
            Entry::file(".wh.back", ""),
            // A whiteout is for the layers below, wherever it stands.
            Entry::file("a/2", "new"),
            Entry::file("a/.wh.2", ""),
        ])
        .layer([
            Entry::file("back", "is back"),
            Entry::folder("d"),
            Entry::folder("d/e"),
            Entry::folder("b"),
            Entry::folder("b/c").mode(0o700),
            Entry::file("b/c/only", ""),
        ]);
    same(image, &[]);
}

fn folders_that_a_layer_does_not_name() {
    let image = Image::new()
        .layer([Entry::folder("a").mode(0o710).owner(1, 2), Entry::folder("a/b").mode(0o700)])
        .layer([Entry::file("a/file", ""), Entry::file("a/b/.wh.none", "")])
        .layer([Entry::file("a/b/file", "")]);
    same(image, &[]);
}

fn hard_links_and_whiteouts() {
    let image = Image::new()
        .layer([
            Entry::folder("f"),
            Entry::file("f/one", "first").mode(0o640).owner(3, 4),
            Entry::hard_link("f/two", "f/one"),
            Entry::hard_link("three", "./f/two"),
            Entry::symlink("f/link", "one"),
            // A link to a symbolic link is one, too.
            Entry::hard_link("link", "f/link"),
            Entry::file("alone", "1"),
            Entry::hard_link("not alone", "/alone"),
        ])
        .layer([Entry::folder("f"), Entry::file("f/.wh.one", ""), Entry::file("f/new", "")])
        .layer([Entry::file("alone", "written over")]);
    same(image, &[]);
}

/// What is linked to lies in a layer below.
fn hard_links_from_layer_to_layer() {
    let image = Image::new()
        .layer([Entry::folder("f"), Entry::file("f/one", "first").mode(0o640).owner(3, 4)])
        .layer([Entry::hard_link("two", "f/one")])
        .layer([Entry::hard_link("f/three", "two"), Entry::file("f/.wh.one", "")]);
    same(image, &[]);
}

fn long_names() {
    let long = "n".repeat(255);
    let deep = |top: &str| format!("{top}/{}", [&long[..200]; 6].join("/"));
    let mut entries = Vec::new();
    for top in ["pax", "gnu"] {
        entries.push(Entry::folder(top));
        let path = deep(top);
        let (file, target, link) =
            (format!("{path}/file"), format!("{top}/{long}"), format!("{top}/link"));
        let ends = path.match_indices('/').skip(1).map(|(end, _)| end).chain([path.len()]);
        if top == "pax" {
            entries.extend(ends.map(|end| Entry::folder(&path[..end])));
            entries.push(Entry::file(&file, "content"));
            entries.push(Entry::hard_link(&target, &file));
            entries.push(Entry::symlink(link, &path));
        } else {
            entries.extend(ends.map(|end| Entry::folder("short").gnu_name(&path[..end])));
            entries.push(Entry::file("short", "content").gnu_name(&file));
            entries.push(Entry::hard_link("short", "short").gnu_name(&target).gnu_target(&file));
            entries.push(Entry::symlink(link, "short").gnu_target(&path));
        }
    }
    let split = Entry::file("in the prefix", "").set(345, b"pax/of");
    // What is said of one entry does not hold for the next.
    entries.extend([Entry::folder("pax/of"), split, Entry::file("next", "")]);
    same(Image::new().layer(entries), &[]);
}

fn odd_names() {
    let names: &[&[u8]] = &[
        b"a space",
        b"new\nline",
        "\u{e4}\u{1F980} \u{5B57}".as_bytes(),
        b"not \xff UTF-8",
        b"-rf",
        b"back\\slash",
        b"\"quoted\" 'twice'",
        b"*?[a]",
        b"...",
        b".whiteout",
        b"wh.x",
        b"\x1b[31m",
    ];
    let mut entries = vec![Entry::folder("./f"), Entry::folder("./f//g/").mode(0o711)];
    for name in names {
        entries.push(Entry::file(name, name));
        entries.push(Entry::file([b"./f//g/./", *name].concat(), ""));
        entries.push(Entry::symlink([b"l", *name].concat(), name));
    }
    let gone = names[..4].iter().map(|name| Entry::file([b"f/g/.wh.", *name].concat(), ""));
    let folders = [Entry::folder("f"), Entry::folder("f/g").mode(0o711)];
    same(Image::new().layer(entries).layer(folders.into_iter().chain(gone)), &[]);
}

fn sparse_files() {
    let piece = [b'x'; 4096];
    let many: Vec<(u64, &[u8])> =
        (0..50).map(|at| (at * 65536, &piece[..])).chain([(8 << 20, &b""[..])]).collect();
    let holes: &[(u64, &[u8])] = &[(4096, &piece[..1024]), (1 << 20, &piece), (16 << 20, b"")];
    let only_a_hole: &[(u64, &[u8])] = &[(1 << 20, b"")];
    let mut archive = Entry::folder("./").bytes();
    for (name, size, pieces) in
        [("holes", 16 << 20, holes), ("many", 8 << 20, &many[..]), ("hole", 1 << 20, only_a_hole)]
    {
        let sparse = |form: &str| Sparse { name: format!("{name}.{form}"), size, pieces };
        archive.extend(sparse("0.0").pax_0_0().bytes());
        archive.extend(sparse("0.1").pax_0_1().bytes());
        archive.extend(sparse("1.0").pax_1_0().bytes());
        archive.extend(sparse("gnu").old_gnu());
    }
    archive.extend(tar([Entry::file("next", "is whole")]));
    same_as_tar(&archive, &[]);
}

fn extended_attributes() {
    // Version 2, effective, with CAP_NET_RAW.
    let capability = [&[1, 0, 0, 2, 0, 0x20][..], &[0; 14]].concat();
    let xattr = |name: &str| format!("SCHILY.xattr.{name}");
    let image = Image::new()
        .layer([
            Entry::folder("f").pax(&xattr("user.of.folder"), "yes"),
            Entry::file("ping", "x")
                .mode(0o755)
                .owner(5, 6)
                .pax(&xattr("security.capability"), capability),
            Entry::file("many", "")
                .pax(&xattr("user.a"), "1")
                .pax(&xattr("user.b"), "with=sign\nand line\0and NUL")
                .pax(&xattr("user.long"), "v".repeat(2000)),
            Entry::file("gone", "").pax(&xattr("user.a"), "1"),
            Entry::file("none", ""),
            Entry::file("empty", "").pax(&xattr("user.empty"), ""),
            Entry::symlink("link", "ping"),
        ])
        .layer([Entry::file("gone", "without"), Entry::folder("f")]);
    same(image, &[Explained("empty", "umoci leaves out what has no value, which GNU tar keeps")]);
}

fn modes_and_owners() {
    let image = Image::new()
        .layer([
            Entry::file("setuid", "").mode(0o4755).owner(1, 2),
            Entry::file("setgid", "").mode(0o2711).owner(0, 65534),
            Entry::file("none", "content").mode(0),
            Entry::file("typed", "").mode(0o100_644),
            Entry::folder("sticky").mode(0o1777),
            Entry::folder("shared").mode(0o2775).owner(0, 50),
            Entry::file("shared/file", "").owner(7, 8),
            Entry::folder("shared/folder"),
            Entry::folder("locked").mode(0o500).owner(9, 9),
            Entry::file("locked/file", ""),
            Entry::file("base 256", "").owner(3_000_000, 4_294_967_294),
            Entry::file("large", "").owner(65_536, 2_097_151),
            Entry::file("by PAX", "").pax("uid", "70000").pax("gid", "80000").pax("uname", "bin"),
            Entry::symlink("link", "none").owner(11, 12),
            Entry::file("named", "").set(265, b"daemon").set(297, b"bin"),
        ])
        .layer([Entry::folder("sticky").mode(0o700).owner(1, 1)]);
    same(image, &[]);
}

fn one_kind_replaced_by_another() {
    let image = Image::new()
        .layer([
            Entry::folder("a"),
            Entry::file("a/in", ""),
            Entry::file("b", "file"),
            Entry::symlink("c", "target"),
            Entry::folder("target"),
            Entry::file("target/in", "stays"),
            Entry::folder("d"),
            Entry::file("d/in", ""),
            Entry::symlink("e", "target"),
            Entry::file("f", ""),
            Entry::folder("g"),
            Entry::file("g/in", "gone when it is a folder again"),
        ])
        .layer([
            Entry::file("a", "now a file"),
            // As umoci writes it.
            Entry::file("a/.wh.in", ""),
            Entry::folder("b"),
            Entry::file("b/in", ""),
            Entry::folder("c"),
            Entry::file("c/in", "not in the target"),
            Entry::symlink("d", "target"),
            Entry::file("e", "not written through the link"),
            Entry::symlink("f", "target/in"),
            Entry::file("g", ""),
        ])
        .layer([Entry::folder("a"), Entry::file("a/new", ""), Entry::folder("g")])
        // Twice in one layer: the last counts.
        .layer([
            Entry::file("h", "1"),
            Entry::folder("h"),
            Entry::file("h/in", ""),
            Entry::folder("h").mode(0o700),
            Entry::file("i", "1").mode(0o600),
            Entry::file("i", "2"),
        ]);
    same(image, &[]);
}

fn names_that_lead_through_links() {
    let image = Image::new()
        .layer([
            Entry::folder("usr"),
            Entry::folder("usr/lib"),
            Entry::symlink("lib", "usr/lib"),
            Entry::symlink("lib64", "/usr/lib"),
            Entry::file("usr/lib/old", ""),
            Entry::file("lib/same", "of the same layer"),
        ])
        .layer([
            Entry::file("lib/x", "through a link"),
            Entry::file("lib64/y", "through an absolute link"),
            Entry::file("lib/.wh.old", ""),
            Entry::hard_link("usr/z", "lib/x"),
            Entry::file("new/folder/unsaid", ""),
        ]);
    same(image, &[]);
}

fn times() {
    let at = |name: &str, time: &str| Entry::file(name, "").pax("mtime", time);
    let image = Image::new()
        .layer([
            Entry::folder(".").time(TIME - 9),
            Entry::folder("f").time(TIME - 1),
            Entry::folder("f/g").pax("mtime", "1234567890.000000001"),
            at("f/g/nanoseconds", "1234567890.123456789"),
            at("half", "1.5"),
            at("more digits", "1.12345678999"),
            at("late", "5000000000"),
            at("with others", "77").pax("atime", "88.8").pax("ctime", "99.9"),
            Entry::file("early", "").time(0),
            Entry::symlink("link", "f").pax("mtime", "1234567890.5"),
        ])
        .layer([
            Entry::folder("f").time(TIME - 2),
            Entry::folder("f/g").time(TIME - 3),
            Entry::file("f/new", ""),
            Entry::file("f/g/.wh.nanoseconds", ""),
        ])
        .layer([
            Entry::file("f/g/new", ""),
            Entry::folder("f").pax("mtime", "1111111111.000000009"),
            Entry::folder("f/g").time(TIME + 1),
        ]);
    same(image, &[]);
}

fn special_files() {
    let image = Image::new()
        .layer([
            Entry::folder("dev"),
            Entry::device(b'3', "dev/null", 1, 3).mode(0o666),
            Entry::device(b'4', "dev/loop", 7, 300).mode(0o660).owner(0, 6),
            Entry::new(b'6', "fifo").mode(0o622).owner(1, 2),
            Entry::device(b'3', "gone", 5, 1),
            Entry::hard_link("zero", "dev/null"),
        ])
        .layer([Entry::file(".wh.gone", "")]);
    same(image, &[]);
}

fn empty_and_deep_layers() {
    let deep = |levels: usize| vec!["d"; levels].join("/");
    let mut folders: Vec<_> = (1..=300).map(|levels| Entry::folder(deep(levels))).collect();
    let mut above = folders[..150].to_vec();
    above.push(Entry::file(format!("{}/.wh.d", deep(150)), ""));
    folders.push(Entry::file(format!("{}/file", deep(300)), "deep"));
    let image = Image::new().layer([]).layer(folders).packed(&tar([]), Packing::Plain).layer(above);
    same(image, &[]);
}

fn old_forms_of_archives() {
    let records = crate::archives::record("comment", b"of all of them");
    let archive = tar([
        Entry::folder("./"),
        Entry::new(b'g', "pax_global_header").body(records),
        Entry::new(0, "v7").body("of seventh edition").set(257, &[0; 8]),
        Entry::new(0, "v7 folder/").mode(0o755).set(257, &[0; 8]),
        Entry::new(b'7', "contiguous").body("1"),
        Entry::file("last", ""),
    ]);
    same_as_tar(&archive, &[]);
}
