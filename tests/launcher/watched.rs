//! Hostile images are unpacked in a place beside which everything is watched.

use crate::layouts::{Image, Layout, Packing, launcher};
use crate::trees::{Tree, tree};
use crate::util::{Ended, Scratch, run};
use std::fs;

/// A place beside which everything is watched.
pub struct Watched {
    pub scratch: Scratch,
    /// What it is about, for who reads of a failure.
    what: String,
    before: Tree,
}

impl Watched {
    pub fn new(make: impl FnOnce(&Scratch)) -> Self {
        let scratch = Scratch::new();
        scratch.file("canary/file", "alive");
        make(&scratch);
        let before = tree(&scratch.path(""));
        Self { scratch, what: String::new(), before }
    }

    pub fn of(layer: &[u8]) -> Self {
        let image = Image::new().packed(layer, Packing::Gzip);
        let mut watched =
            Self::new(|scratch| Layout::of(&image).write_folder(&scratch.path("image")));
        let text = layer.iter().filter(|byte| byte.is_ascii_graphic()).take(300);
        watched.what = text.map(|byte| char::from(*byte)).collect();
        watched
    }

    /// Unpacks it merged, and to run it.
    pub fn unpack(&self) -> [Ended; 2] {
        let merged = run(&mut self.scratch.launcher(["rootfs", "-o", "out", "--image", "image"]));
        [merged, run(&mut launcher(&self.scratch, &["--image", "image", "/bin/none"]))]
    }

    /// That nothing beside the cache has changed, and nothing of what failed is in it.
    #[track_caller]
    pub fn is_unharmed(&self) {
        let layers = self.scratch.path("cache/mini-container/all/layers");
        assert_eq!(fs::read_dir(layers).map_or(0, Iterator::count), 0, "left in the cache");
        let _ = fs::remove_dir_all(self.scratch.path("cache"));
        let mut after = tree(&self.scratch.path(""));
        after.insert(".".into(), self.before["."].clone());
        assert_eq!(after, self.before);
    }

    /// Both ways say this, and leave nothing.
    #[track_caller]
    pub fn is_refused(&self, said: &[&str]) {
        for ended in self.unpack() {
            assert_eq!(ended.status, 125, "{}\n{}", self.what, ended.errors);
            ended.fails(125, &[&["mini-container: "], said].concat());
            assert!(ended.errors.len() < 20_000, "{}", ended.errors);
        }
        self.is_unharmed();
    }

    /// It is unpacked, but nothing beside it changes.
    #[track_caller]
    pub fn stays_inside(&self, inside: &[&str]) {
        let [merged, container] = self.unpack();
        merged.success();
        container.fails(127, &["/bin/none"]);
        for name in inside {
            assert!(self.scratch.path("out").join(name).symlink_metadata().is_ok(), "no {name}");
        }
        fs::remove_dir_all(self.scratch.path("out")).unwrap();
        fs::remove_dir_all(self.scratch.path("cache")).unwrap();
        self.is_unharmed();
    }
}
