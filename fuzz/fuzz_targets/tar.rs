//! Any bytes as the archive of a layer: read to its end or to an error, without files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mini_container::image::unpack::reader::walk;

fuzz_target!(|archive: &[u8]| {
    let mut bytes = 0;
    let _ = walk(archive, |entry, content| {
        assert!(entry.attributes.len() <= 1024);
        bytes += content.len();
    });
    assert!(bytes <= archive.len());
});
