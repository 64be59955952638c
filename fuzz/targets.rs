//! What the fuzzer calls with what it makes up, and `tests/seeds.rs` with what is worth keeping of it: the
//! readers of what others wrote. Each takes any bytes, and neither panics nor goes on without end.

use mini_container::container::{ImageFile, Resources};
use mini_container::image::digest::Digest;
use mini_container::image::manifest;
use mini_container::image::store::Store;
use mini_container::image::unpack::names::Path;
use mini_container::image::unpack::reader::walk;
use mini_container::kernel::caller::Caller;
use mini_container::oci::config;
use mini_container::rootfs::elf;
use mini_container::rootfs::ld_so_cache::Cache;
use mini_container::rootfs::script;
use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, SeekFrom, memfd_create, seek};

/// A program: what its header, its dynamic section or its first line asks for.
pub fn program(data: &[u8]) {
    let _ = elf::read(&data);
    let _ = script::read(data);
}

/// `/etc/ld.so.cache`, with a name to look up in front of it, behind a byte for its length.
pub fn ld_so_cache(data: &[u8]) {
    let Some((length, rest)) = data.split_first() else { return };
    let (name, file) = rest.split_at(usize::from(*length).min(rest.len()));
    let Some(cache) = Cache::parse(file) else { return };
    for abi in [0x0303, 0x0a03] {
        let _ = cache.find(name, abi, &|level| level.last().copied());
        let _ = cache.find(b"libc.so.6", abi, &|_| None);
    }
}

/// A layer's archive. The checksums of its headers are made right, so that the fuzzer gets past them.
pub fn archive(data: &[u8]) {
    let mut data = data.to_vec();
    for header in data.chunks_exact_mut(512).filter(|header| header[257..].starts_with(b"ustar")) {
        set_checksum(header);
    }
    let mut bytes = 0;
    let mut path = Path::default();
    let _ = walk(&data, |entry, content| {
        bytes += content.len();
        if path.set(&entry.name).is_ok() {
            for index in 0..path.depth() {
                let part = path.part(index).strip_suffix(b"\0").expect("each is ended by one");
                assert!(!matches!(part, b"" | b"." | b".."), "{part:?} would lead elsewhere");
                assert!(part.len() < 256 && !part.contains(&0) && !part.contains(&b'/'));
            }
        }
    });
    assert!(bytes <= data.len(), "no file has more in it than the archive");
}

/// The lists and descriptions of an image: texts with NUL bytes between them, the first of which is the
/// index (or, if it begins with `[`, Docker's list). `@N` in a text stands for the digest of text N,
/// which comes behind it, so that the fuzzer gets past the digests.
pub fn image_json(data: &[u8]) {
    let texts: Vec<&[u8]> = data.split(|byte| *byte == 0).take(10).collect();
    let mut digests = vec![String::new(); texts.len()];
    let mut archive = Vec::new();
    for (index, text) in texts.iter().enumerate().rev() {
        let text = filled_in(text, &digests);
        let digest = Digest::of(&text);
        let hex = String::from_utf8_lossy(digest.hex().as_bytes()).into_owned();
        let name = match (index, text.first()) {
            (0, Some(b'[')) => "manifest.json".to_string(),
            (0, _) => "index.json".to_string(),
            _ => format!("blobs/sha256/{hex}"),
        };
        digests[index] = format!("sha256:{hex}");
        add(&mut archive, &name, &text);
        if name == "index.json" {
            add(&mut archive, "oci-layout", b"{}");
        }
    }
    archive.extend_from_slice(&[0; 1024]);
    let Ok(store) = Store::of(file_of(&archive)) else { return };
    for platform in [None, Some(c"linux/arm64")] {
        let _ = manifest::read(&store, &ImageFile { file: c"image", platform, tag: None });
    }
    let _ = manifest::read(&store, &ImageFile { file: c"image", platform: None, tag: Some(c"a") });
}

/// A bundle's `config.json`, and the parts of it that are also read alone.
pub fn config_json(data: &[u8]) {
    let data: &'static [u8] = data.to_vec().leak();
    let caller = Caller { privileged: true, user: 0, group: 0, kernel: (6, 1) };
    let _ = config::read_resources(data, &mut Resources::default());
    let whole = br#"{"ociVersion": "1.3.0"}"#;
    if let Ok(config) = config::parse(whole, c"/bundle", caller) {
        let _ = config::replace_process(data, &mut config.container);
    }
    if let Ok(config) = config::parse(data, c"/bundle", caller) {
        assert!(config.resources.unified.iter().all(|(file, _)| !file.to_bytes().contains(&b'/')));
        for (file, value) in &config.container.isolation.sysctls {
            let parts = file.to_bytes().split(|byte| *byte == b'/');
            assert!(parts.clone().all(|part| !matches!(part, b"" | b"." | b"..")), "{file:?}");
            assert!(!value.to_bytes().contains(&b'\n'));
        }
    }
}

/// Puts digests in the places of `@N`.
fn filled_in(text: &[u8], digests: &[String]) -> Vec<u8> {
    let mut filled = Vec::new();
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.clone().next()) {
            (b'@', Some(digit @ b'0'..=b'9')) => {
                bytes.next();
                let digest = digests.get(usize::from(digit - b'0'));
                filled.extend_from_slice(digest.map_or(b"", |digest| digest.as_bytes()));
            }
            _ => filled.push(byte),
        }
    }
    filled
}

/// Adds a file to a tar archive.
fn add(archive: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[108..115].copy_from_slice(b"0000000");
    header[116..123].copy_from_slice(b"0000000");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[136..147].copy_from_slice(b"00000000000");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    set_checksum(&mut header);
    archive.extend_from_slice(&header);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

/// Of a header of tar(5).
fn set_checksum(header: &mut [u8]) {
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn file_of(content: &[u8]) -> OwnedFd {
    let file = memfd_create("fuzzed", MemfdFlags::CLOEXEC).expect("memory is a file");
    assert_eq!(rustix::io::write(&file, content), Ok(content.len()));
    seek(&file, SeekFrom::Start(0)).expect("it is one that can be sought in");
    file
}
