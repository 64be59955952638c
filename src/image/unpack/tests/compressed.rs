//! What is compressed, and what is wrong with it.

use super::super::Blob;
use super::super::reader::Source;
use super::super::stream::{Compression, Stream, feed};
use super::*;
use crate::image::digest::Digest;
use crate::image::progress::Progress;
use crate::sys::ring::Ring;

/// What comes out of a layer: its content, or why there is none.
fn passed(
    layer: &[u8],
    digest: Option<Digest>,
    content: Option<Digest>,
) -> Result<Vec<u8>, Failure> {
    let path = std::env::temp_dir().join(format!("layer-{:p}", layer.as_ptr()));
    fs::write(&path, layer).unwrap();
    let file = open(&path);
    fs::remove_file(&path).unwrap();
    let blob = Blob {
        file: file.as_fd(),
        start: 0,
        bytes: layer.len() as u64,
        digest,
        content,
        name: b"",
    };
    let compression = Compression::of(&blob).unwrap();
    let mut ring = Ring::map().unwrap();
    let (mut writer, reader) = ring.ends().unwrap();
    // As one process: there is room for what is tried here.
    feed(&blob, compression, &mut writer).unwrap();
    let mut progress = Progress::new(b"", 0, true);
    let hash = content.filter(|_| compression != Compression::None);
    let mut stream = Stream::new(reader, hash, u64::MAX, &mut progress);
    let mut all = Vec::new();
    loop {
        let window = stream.window()?;
        let length = window.len();
        all.extend_from_slice(window);
        if length == 0 {
            return stream.finish().map(|()| all);
        }
        stream.consume(length);
    }
}

#[test]
fn what_was_compressed_comes_out_again() {
    let plain = text();
    let digest = |bytes: &[u8]| Some(Digest::of(bytes));
    assert_eq!(passed(&plain, digest(&plain), digest(&plain)), Ok(plain.clone()));
    let first = piped("gzip", &["-1", "--name"], &plain[..100_000]);
    let second = piped("gzip", &["-9"], &plain[100_000..]);
    let both = [&first[..], &second, &[0; 700]].concat();
    assert_eq!(passed(&both, digest(&both), digest(&plain)), Ok(plain.clone()));
    for level in ["-1", "-19"] {
        let first = piped("zstd", &[level], &plain[..100_000]);
        let second = piped("zstd", &[level, "--no-check"], &plain[100_000..]);
        let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
        let both = [&skipped[..], &first, skipped, &second, skipped].concat();
        assert_eq!(passed(&both, digest(&both), digest(&plain)), Ok(plain.clone()));
    }
    assert_eq!(passed(b"", None, None), Ok(vec![]));
}

#[test]
fn what_is_wrong_with_a_layer_is_said() {
    use crate::image::unpack::input::{CHECKSUM, CONTENT, CUT_OFF, DIGEST, Ended, GARBAGE};
    let plain = text();
    let other = Some(Digest::of(b""));
    let says = |layer: &[u8], digest, content, ended: Ended| {
        assert_eq!(passed(layer, digest, content), Err(Failure::Source(ended.code())));
    };
    says(&plain, other, None, DIGEST);
    says(&plain, None, other, CONTENT);
    let gzip = piped("gzip", &[], &plain);
    let zstd = piped("zstd", &[], &plain);
    for layer in [&gzip, &zstd] {
        says(layer, other, None, DIGEST);
        says(layer, None, other, CONTENT);
        says(&layer[..layer.len() / 2], None, None, CUT_OFF);
        says(&layer[..layer.len() - 1], None, None, CUT_OFF);
        // The digest is what explains it.
        says(&layer[..layer.len() / 2], other, None, DIGEST);
        says(&[layer, &b"more"[..]].concat(), None, None, GARBAGE);
    }
    let mut wrong = gzip.clone();
    let place = wrong.len() - 6;
    wrong[place] ^= 1;
    says(&wrong, None, None, CHECKSUM);
    let mut wrong = zstd;
    let place = wrong.len() - 2;
    wrong[place] ^= 1;
    says(&wrong, None, None, CHECKSUM);
}

#[test]
fn damaged_compression_ends() {
    let plain = &text()[..20_000];
    let mut random = Random(5);
    for layer in [piped("gzip", &[], plain), piped("zstd", &[], plain)] {
        for _ in 0..300 {
            let mut damaged = layer.clone();
            random.damage(&mut damaged);
            let _ = passed(&damaged, None, None);
        }
    }
}
