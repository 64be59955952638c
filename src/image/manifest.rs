//! From the lists in an image file to one image: its configuration and its layers; OCI image
//! specification, "Image Layout", "Image Index" and "Image Manifest", and what `docker save` writes.

use super::config::{self, Config};
use super::digest::Digest;
use super::platform::Platform;
use super::store::{Store, named};
use crate::container::ImageFile;
use crate::error::{Error, Why, status};
use crate::json::{self, Object, Value, as_object, as_str, list, object, text, texts};
use crate::rare::Rare;
use crate::text::Text;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What says that a folder or an archive is an OCI image layout.
pub const OCI_LAYOUT: &[u8] = b"oci-layout";
const OCI_INDEX: &[u8] = b"index.json";
/// What `docker save` lists its images in.
pub const DOCKER_MANIFEST: &[u8] = b"manifest.json";

/// An image in a file.
#[derive(Default)]
pub struct Image {
    /// What it says about itself.
    pub config: Config,
    /// The lowest first.
    pub layers: Vec<Layer>,
}

/// A layer of an image.
pub struct Layer {
    /// Its name in the file; empty if it is the whole file.
    pub name: &'static [u8],
    /// Of what is in the file; not known in what `docker save` wrote.
    pub digest: Option<Digest>,
    /// Of the archive that it is when it is not compressed; not known of a root filesystem.
    pub content: Option<Digest>,
}

/// One of the images in a file.
struct Candidate {
    names: &'static [&'static str],
    platform: Platform<'static>,
    what: What,
}

enum What {
    /// The manifest with this digest.
    Oci(Digest),
    /// An entry of Docker's list.
    Docker(&'static Object<'static>),
}

/// Finds the image that is meant.
///
/// # Errors
///
/// That there is none, or several; what is missing or wrong in the file.
pub fn read<'a>(store: &Store, wanted: &ImageFile<'a>) -> Result<&'static mut Image, Error<'a>> {
    let image: &mut Image = kept();
    let typed =
        wanted.platform.map_or(Some(Platform::HERE), |typed| Platform::parse(typed.to_bytes()));
    let Some(platform) = typed else {
        let typed = wanted.platform.unwrap_or_default().to_bytes();
        let hint = rare!("--platform OS/ARCH[/VARIANT], such as linux/arm64").bytes();
        return Err(Error::usage(rare!("platform"), typed, rare!("is of another form"), hint));
    };
    if store.root().is_some() {
        let content = None;
        image.layers.push(Layer { name: b"", digest: None, content });
        return Ok(image);
    }
    let candidates = candidates(store, wanted.file.to_bytes())?;
    let chosen = choose(candidates, wanted, &platform)?;
    match chosen.what {
        What::Oci(digest) => read_oci(store, digest, image)?,
        What::Docker(entry) => read_docker(store, entry, image)?,
    }
    let is_said = !image.config.platform.is_unknown();
    if wanted.platform.is_some() && is_said && !image.config.platform.is(&platform) {
        let mut hint = Text::new();
        image.config.platform.push_to(hint.say(rare!("it is for ")));
        let (file, why) = (wanted.file.to_bytes(), rare!("has no image for this platform"));
        return Err(Error::usage(rare!("image"), file, why, hint.leak()));
    }
    if image.layers.len() != image.config.layers.len() {
        let why = rare!("the manifest and the configuration disagree on how many layers there are");
        return Err(named(rare!("read the image"), wanted.file.to_bytes(), Why::Text(why)));
    }
    Ok(image)
}

/// All images in the file.
fn candidates<'a>(store: &Store, file: &'a [u8]) -> Result<&'static [Candidate], Error<'a>> {
    let found: &mut Vec<Candidate> = kept();
    if store.find(OCI_LAYOUT)?.is_some() {
        let index = load(store, OCI_INDEX, None)?;
        add_index(store, index, &[], DEPTH_MAX, found)?;
    } else {
        if store.find(DOCKER_MANIFEST)?.is_none() {
            let why = rare!("it has neither oci-layout nor manifest.json, and so is no image");
            let hint = rare!("a root directory is run with --rootfs").bytes();
            return Err(Error::usage(rare!("image"), file, why, hint));
        }
        let text = store.read(DOCKER_MANIFEST)?;
        let Value::Array(entries) = value(text)? else {
            return Err(named(rare!("read"), DOCKER_MANIFEST, Why::Text(rare!("it is no list"))));
        };
        for entry in entries {
            let entry = as_object(Some(entry));
            let names = texts(entry, "RepoTags").leak();
            found.push(Candidate {
                names,
                platform: Platform::default(),
                what: What::Docker(entry),
            });
        }
        // Docker's list says nothing of platforms; where it matters, the images do.
        if found.len() > 1 {
            for candidate in &mut *found {
                if let What::Docker(entry) = candidate.what {
                    let name = text_of(entry, "Config");
                    candidate.platform = Platform::of(load(store, name, None)?);
                }
            }
        }
    }
    Ok(found)
}

/// Indexes in indexes.
const DEPTH_MAX: u32 = 4;
/// More than any image has platforms.
const CANDIDATES_MAX: usize = 1024;

fn add_index(
    store: &Store,
    index: &'static Object<'static>,
    above: &[&'static str],
    depth: u32,
    found: &mut Vec<Candidate>,
) -> Result<(), Error<'static>> {
    for entry in list(index, "manifests") {
        let entry = as_object(Some(entry));
        let annotations = object(entry, "annotations");
        let names: &mut Vec<&str> = kept();
        names.extend_from_slice(above);
        for name in ["org.opencontainers.image.ref.name", "io.containerd.image.name"] {
            names.extend(json::get(annotations, name).and_then(as_str));
        }
        let said = object(entry, "platform");
        let platform = Platform::of(said);
        // Statements about images are listed among them.
        if !said.is_empty() && platform.is_unknown() {
            continue;
        }
        let digest = digest_of(entry)?;
        match text(entry, "mediaType") {
            "application/vnd.oci.image.index.v1+json"
            | "application/vnd.docker.distribution.manifest.list.v2+json" => {
                if depth == 0 {
                    let name = blob_name(&digest);
                    return Err(named(
                        rare!("read"),
                        name,
                        Why::Text(rare!("too many indexes in each other")),
                    ));
                }
                let inner = load(store, blob_name(&digest), Some(digest))?;
                add_index(store, inner, names, depth - 1, found)?;
            }
            ""
            | "application/vnd.oci.image.manifest.v1+json"
            | "application/vnd.docker.distribution.manifest.v2+json" => {
                found.push(Candidate { names, platform, what: What::Oci(digest) });
            }
            _ => {}
        }
        if found.len() > CANDIDATES_MAX {
            return Err(named(
                rare!("read"),
                OCI_INDEX,
                Why::Text(rare!("it lists too many images")),
            ));
        }
    }
    Ok(())
}

/// The one that is meant: of this name, if one was typed, and for this platform, if they say theirs.
fn choose<'c, 'a>(
    candidates: &'c [Candidate],
    wanted: &ImageFile<'a>,
    platform: &Platform<'_>,
) -> Result<&'c Candidate, Error<'a>> {
    let is_named = |candidate: &Candidate| match wanted.tag {
        None => true,
        Some(tag) => candidate.names.iter().any(|name| is_name(name.as_bytes(), tag.to_bytes())),
    };
    let is_for = |candidate: &Candidate| candidate.platform.is(platform);
    let mut chosen: Option<&Candidate> = None;
    let mut elsewhere = None;
    let mut others = 0;
    for candidate in candidates.iter().filter(|candidate| is_named(candidate)) {
        if !candidate.platform.is_unknown() && !is_for(candidate) {
            others += 1;
            elsewhere = Some(candidate);
            continue;
        }
        match chosen {
            // Of one name, the first counts.
            Some(before) if before.is(candidate) || before.names == candidate.names => {}
            Some(_) => {
                return Err(absent(wanted, rare!("has several images"), candidates, Say::Names));
            }
            None => chosen = Some(candidate),
        }
    }
    // A single one is taken as it is: it may be for a machine that this one can emulate.
    let only = elsewhere.filter(|_| others == 1 && wanted.platform.is_none());
    chosen.or(only).ok_or_else(|| match others {
        0 if candidates.is_empty() => {
            absent(wanted, rare!("has no image in it"), candidates, Say::Nothing)
        }
        0 => absent(wanted, rare!("has no image of this name"), candidates, Say::Names),
        _ => absent(wanted, rare!("has no image for this platform"), candidates, Say::Platforms),
    })
}

impl Candidate {
    /// Whether it is the same image.
    fn is(&self, other: &Self) -> bool {
        matches!((&self.what, &other.what), (What::Oci(one), What::Oci(two)) if one == two)
    }
}

/// Whether a name is what was typed: the whole of it, without what stands before a slash, or only
/// what stands behind the colon; `latest` goes without saying.
fn is_name(name: &[u8], typed: &[u8]) -> bool {
    let behind = |name: &[u8]| {
        let before = name.strip_suffix(typed)?.last().copied();
        Some(matches!(before, None | Some(b'/' | b':')))
    };
    let is_latest = || name.strip_suffix(b":latest").and_then(behind).unwrap_or(false);
    behind(name).unwrap_or(false) || is_latest()
}

#[derive(Clone, Copy)]
enum Say {
    Nothing,
    Names,
    Platforms,
}

fn absent<'a>(wanted: &ImageFile<'a>, why: Rare, candidates: &[Candidate], say: Say) -> Error<'a> {
    let mut hint = Text::new();
    match say {
        Say::Nothing => {}
        Say::Names => {
            hint.say(rare!("--tag names one:"));
            for name in candidates.iter().flat_map(|candidate| candidate.names) {
                hint.push(" ").push_name(name.as_bytes());
            }
        }
        Say::Platforms => {
            hint.say(rare!("--platform names one:"));
            for candidate in candidates.iter().filter(|other| !other.platform.is_unknown()) {
                candidate.platform.push_to(hint.push(" "));
            }
        }
    }
    Error::new(rare!("image"), wanted.file.to_bytes(), Why::Text(why), hint.leak(), status::FAILED)
}

fn read_oci(store: &Store, digest: Digest, image: &mut Image) -> Result<(), Error<'static>> {
    let name = blob_name(&digest);
    let manifest = load(store, name, Some(digest))?;
    let config = object(manifest, "config");
    match text(config, "mediaType") {
        ""
        | "application/vnd.oci.image.config.v1+json"
        | "application/vnd.docker.container.image.v1+json" => {}
        _ => {
            return Err(named(
                rare!("read"),
                name,
                Why::Text(rare!("it is an artifact, and not an image")),
            ));
        }
    }
    let digest = digest_of(config)?;
    let config = blob_name(&digest);
    config::read(load(store, config, Some(digest))?, config, &mut image.config)?;
    for (index, layer) in list(manifest, "layers").iter().enumerate() {
        let digest = digest_of(as_object(Some(layer)))?;
        let content = image.config.layers.get(index).copied();
        image.layers.push(Layer { name: blob_name(&digest), digest: Some(digest), content });
    }
    Ok(())
}

fn read_docker(
    store: &Store,
    entry: &'static Object<'static>,
    image: &mut Image,
) -> Result<(), Error<'static>> {
    let name = text_of(entry, "Config");
    // It is called after its digest.
    let base = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let digest = Digest::from_hex(base.strip_suffix(b".json").unwrap_or(base));
    config::read(load(store, name, digest)?, name, &mut image.config)?;
    for (index, name) in texts(entry, "Layers").into_iter().enumerate() {
        let content = image.config.layers.get(index).copied();
        image.layers.push(Layer { name: name.as_bytes(), digest: None, content });
    }
    Ok(())
}

fn text_of(entry: &'static Object<'static>, name: &str) -> &'static [u8] {
    text(entry, name).as_bytes()
}

/// The digest in a descriptor.
fn digest_of(descriptor: &Object<'_>) -> Result<Digest, Error<'static>> {
    let typed = text(descriptor, "digest").as_bytes();
    let why = Why::Text(rare!("only digests of the form sha256:... are known"));
    Digest::parse(typed).ok_or_else(|| named(rare!("read the digest"), typed, why))
}

fn blob_name(digest: &Digest) -> &'static [u8] {
    let mut name = Text::new();
    name.push("blobs/sha256/").push_name(digest.hex().as_bytes());
    name.leak()
}

/// Reads an object of the image's, which has to have this digest.
fn load(
    store: &Store,
    name: &[u8],
    digest: Option<Digest>,
) -> Result<&'static Object<'static>, Error<'static>> {
    let text = store.read(name)?;
    if digest.is_some_and(|digest| Digest::of(text) != digest) {
        return Err(named(rare!("read"), name, Why::Text(rare!("its content has another digest"))));
    }
    match value(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(named(rare!("read"), name, Why::Text(rare!("it is no object")))),
    }
}

/// What is read from an image is needed until the program ends, as the command line is.
fn kept<T: Default>() -> &'static mut T {
    Box::leak(Box::default())
}

fn value(text: &'static [u8]) -> Result<&'static Value<'static>, Error<'static>> {
    Ok(Box::leak(Box::new(json::parse(text, rare!("read the image,"))?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_typed_in_short() {
        let name = b"docker.io/library/debian:12";
        for typed in ["docker.io/library/debian:12", "library/debian:12", "debian:12", "12"] {
            assert!(is_name(name, typed.as_bytes()), "{typed}");
        }
        for typed in ["debian", "2", "ebian:12", "docker.io"] {
            assert!(!is_name(name, typed.as_bytes()), "{typed}");
        }
        assert!(is_name(b"localhost/app:latest", b"app"));
        assert!(is_name(b"latest", b"latest"));
    }
}
