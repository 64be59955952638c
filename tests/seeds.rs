//! What the fuzzer begins with, and what is worth keeping of what it found: the readers take all of it.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// Runs a target on each of its seeds, cut off at every place and with every byte changed.
fn feed(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let seeds: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "{name}");
    for seed in seeds {
        let seed = fs::read(seed).unwrap();
        target(&seed);
        let step = (seed.len() / 500).max(1);
        for place in (0..seed.len()).step_by(step) {
            target(&seed[..place]);
            let mut changed = seed.clone();
            for flipped in [0x01, 0x80, 0xff] {
                changed[place] = seed[place] ^ flipped;
                target(&changed);
            }
        }
    }
}

#[test]
fn programs() {
    feed("program", targets::program);
}

#[test]
fn caches_of_libraries() {
    feed("ld_so_cache", targets::ld_so_cache);
}

#[test]
fn archives() {
    feed("archive", targets::archive);
}

#[test]
fn lists_of_images() {
    feed("image_json", targets::image_json);
}

#[test]
fn configurations() {
    feed("config_json", targets::config_json);
}
