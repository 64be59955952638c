//! What images say about themselves, wrongly: digests, lists, names.

use crate::archives::{Entry, tar, through};
use crate::layouts::{self, Image, Layout, Packing, digest};
use crate::util::tests;
use crate::watched::Watched;
use std::fs;

tests![
    digests_that_are_wrong needs Launch;
    descriptions_that_are_wrong needs Launch;
    names_in_descriptions_that_lead_out needs Launch;
];

fn digests_that_are_wrong() {
    let layer = tar([Entry::file("file", "x")]);
    let wrong = [digest(b"something else")];
    let image = Image::new().packed(&layer, Packing::Gzip).diff_ids(&wrong);
    let watched = Watched::new(|scratch| Layout::of(&image).write_folder(&scratch.path("image")));
    watched.is_refused(&["digest"]);
    // Too many or too few of them.
    for ids in [vec![], vec![digest(&layer), digest(&layer)], vec!["sha256:x".into()]] {
        let image = Image::new().packed(&layer, Packing::Gzip).diff_ids(&ids);
        let watched =
            Watched::new(|scratch| Layout::of(&image).write_folder(&scratch.path("image")));
        watched.is_refused(&[]);
    }
    // Each blob in turn has other bytes than its name says: a layer packed otherwise, and descriptions
    // with a space more.
    let image = Image::new().packed(&layer, Packing::Gzip);
    let layout = Layout::of(&image);
    for changed in layout.blobs.keys() {
        let mut layout = Layout { blobs: layout.blobs.clone(), index: layout.index.clone() };
        let blob = layout.blobs.get_mut(changed).unwrap();
        if blob.starts_with(b"{") {
            blob.push(b' ');
        } else {
            *blob = through("gzip", &["-9c"], &layer);
            assert_ne!(&digest(blob), changed);
        }
        let watched = Watched::new(|scratch| layout.write_folder(&scratch.path("image")));
        watched.is_refused(&["digest"]);
        let missing = changed.clone();
        layout.blobs.remove(&missing);
        let watched = Watched::new(|scratch| layout.write_folder(&scratch.path("image")));
        watched.is_refused(&[&missing[7..20]]);
    }
}

fn descriptions_that_are_wrong() {
    let deep = "[".repeat(200_000);
    let huge = format!(r#"{{"manifests":[],"x":"{}"}}"#, "x".repeat(8 << 20));
    let many = format!(r#"{{"manifests":[{}{{}}]}}"#, "{},".repeat(200_000));
    let texts: &[&str] =
        &["", "{", "null", "[]", "7", "\u{0}", "{}", "{\"manifests\":7}", "{\"manifests\":[7]}"];
    let descriptors = [
        r#"{"manifests":[{"digest":"sha256:../../canary/file"}]}"#,
        r#"{"manifests":[{"digest":"md5:x"}]}"#,
        r#"{"manifests":[{"digest":7}]}"#,
    ];
    for index in texts.iter().chain(&descriptors).chain(&[&*deep, &*huge, &*many]) {
        let watched = Watched::new(|scratch| {
            Layout::of(&Image::new()).write_folder(&scratch.path("image"));
            scratch.file("image/index.json", index);
        });
        watched.is_refused(&[]);
        let archive = Watched::new(|scratch| {
            let manifest = index.replace("manifests", "Layers");
            let archive = tar([Entry::file("manifest.json", manifest)]);
            fs::write(scratch.path("image"), archive).unwrap();
        });
        archive.is_refused(&[]);
    }
    // An index in an index, and so on.
    let watched = Watched::new(|scratch| {
        let mut layout = Layout::default();
        let mut entry = layout.add(&Image::new(), "");
        for _ in 0..100 {
            entry = layout.blob(layouts::INDEX, layouts::index(&[entry]).as_bytes(), "");
        }
        layout.index.push(entry);
        layout.write_folder(&scratch.path("image"));
    });
    watched.is_refused(&["index"]);
}

/// What `docker save` writes names files: they are looked for in the image and nowhere else.
fn names_in_descriptions_that_lead_out() {
    let layer = tar([Entry::file("file", "x")]);
    let config = format!(
        r#"{{"os":"linux","architecture":"any","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        digest(&layer)
    );
    for name in ["../outside.tar", "/etc/passwd", "link", "absolute", ""] {
        let manifest =
            format!(r#"[{{"Config":"config.json","RepoTags":null,"Layers":["{name}"]}}]"#);
        for is_folder in [false, true] {
            let watched = Watched::new(|scratch| {
                fs::write(scratch.path("outside.tar"), &layer).unwrap();
                let absolute = scratch.path("outside.tar").to_str().unwrap().to_string();
                if is_folder {
                    scratch.file("image/manifest.json", &manifest);
                    scratch.file("image/config.json", &config);
                    scratch.link("image/link", "../outside.tar");
                    scratch.link("image/absolute", &absolute);
                } else {
                    let entries = [
                        Entry::file("manifest.json", &manifest),
                        Entry::file("config.json", &config),
                        Entry::symlink("link", "../outside.tar"),
                        Entry::symlink("absolute", absolute),
                    ];
                    fs::write(scratch.path("image"), tar(entries)).unwrap();
                }
            });
            watched.is_refused(&[]);
        }
    }
}
