//! Images made of such archives: OCI layouts as folders and tars, and what `docker save` writes.

use crate::archives::{Entry, tar, through};
use crate::util::Scratch;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// How a layer is packed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    pub fn pack(self, archive: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => archive.into(),
            Self::Gzip => through("gzip", &["-1nc"], archive),
            Self::Zstd => through("zstd", &["-1qc"], archive),
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => "+gzip",
            Self::Zstd => "+zstd",
        }
    }
}

/// What a root needs so that programs run in it: a busybox.
pub fn busybox() -> Vec<Entry> {
    let busybox = fs::read("/bin/busybox").unwrap();
    let busybox = Entry::file("bin/busybox", busybox).mode(0o755);
    let mut entries = vec![Entry::folder("./"), Entry::folder("bin"), busybox];
    let applets = ["cat", "echo", "env", "id", "ls", "pwd", "sh", "sleep", "touch", "true"];
    entries.extend(applets.map(|applet| Entry::symlink(format!("bin/{applet}"), "busybox")));
    entries
}

/// The launcher, with a cache of the test's own.
pub fn launcher(scratch: &Scratch, words: &[&str]) -> Command {
    let mut command = scratch.launcher(words);
    command.env("XDG_CACHE_HOME", scratch.path("cache"));
    command
}

/// The digest of these bytes, as images write it.
pub fn digest(bytes: &[u8]) -> String {
    let printed = String::from_utf8(through("sha256sum", &[], bytes)).unwrap();
    format!("sha256:{}", &printed[..64])
}

/// What stands for the last of these layers over the others; OCI image specification, "Layer `ChainID`".
pub fn chain(layers: &[&[u8]]) -> String {
    let mut digests = layers.iter().map(|layer| digest(layer));
    let first = digests.next().unwrap();
    digests.fold(first, |below, layer| digest(format!("{below} {layer}").as_bytes()))
}

/// One image, before it is written.
#[derive(Clone)]
pub struct Image {
    layers: Vec<(Vec<u8>, Packing)>,
    /// The members of `config`, in JSON.
    config: String,
    platform: [String; 3],
    /// Said instead of the right ones.
    diff_ids: Option<Vec<String>>,
}

impl Image {
    /// For the machine that the tests run on.
    pub fn new() -> Self {
        let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
        Self {
            layers: Vec::new(),
            config: String::new(),
            platform: ["linux", architecture, ""].map(String::from),
            diff_ids: None,
        }
    }

    /// With a layer of these entries, as gzip.
    pub fn layer(self, entries: impl IntoIterator<Item = Entry>) -> Self {
        self.packed(&tar(entries), Packing::Gzip)
    }

    /// With this archive as a layer.
    pub fn packed(mut self, archive: &[u8], packing: Packing) -> Self {
        self.layers.push((archive.into(), packing));
        self
    }

    /// With this archive as the lowest layer.
    pub fn below(mut self, archive: &[u8]) -> Self {
        self.layers.insert(0, (archive.into(), Packing::Plain));
        self
    }

    /// With these members of `config`: `"Cmd": ["/bin/sh"]`.
    pub fn config(mut self, members: &str) -> Self {
        self.config = members.into();
        self
    }

    pub fn platform(mut self, os: &str, architecture: &str, variant: &str) -> Self {
        self.platform = [os, architecture, variant].map(String::from);
        self
    }

    pub fn diff_ids(mut self, ids: &[String]) -> Self {
        self.diff_ids = Some(ids.into());
        self
    }

    fn platform_members(&self) -> String {
        let [os, architecture, variant] = &self.platform;
        let variant =
            if variant.is_empty() { String::new() } else { format!(r#","variant":"{variant}""#) };
        format!(r#""os":"{os}","architecture":"{architecture}"{variant}"#)
    }

    fn config_file(&self) -> String {
        let ids = self.layers.iter().map(|(archive, _)| digest(archive)).collect();
        let ids = self.diff_ids.clone().unwrap_or(ids);
        format!(
            r#"{{{},"config":{{{}}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            self.platform_members(),
            self.config,
            list(&ids)
        )
    }
}

fn list(words: &[String]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(",")
}

/// An OCI image layout, before it is written: blobs by their digest, and the entries of its index.
#[derive(Default)]
pub struct Layout {
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub index: Vec<String>,
}

impl Layout {
    /// A layout of one image without a tag.
    pub fn of(image: &Image) -> Self {
        let mut layout = Self::default();
        let entry = layout.add(image, "");
        layout.index.push(entry);
        layout
    }

    /// With a further image of this tag.
    pub fn tagged(mut self, image: &Image, tag: &str) -> Self {
        let members = format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}"#);
        let entry = self.add(image, &members);
        self.index.push(entry);
        self
    }

    /// With an index of these images as one entry.
    pub fn nested(mut self, images: &[Image], tag: &str) -> Self {
        let entries: Vec<_> = images
            .iter()
            .map(|image| {
                let platform = format!(r#","platform":{{{}}}"#, image.platform_members());
                self.add(image, &platform)
            })
            .collect();
        let members = format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}"#);
        let entry = self.blob(INDEX, index(&entries).as_bytes(), &members);
        self.index.push(entry);
        self
    }

    /// Adds the blobs of an image, and returns the descriptor of its manifest.
    pub fn add(&mut self, image: &Image, members: &str) -> String {
        let packed: Vec<_> =
            image.layers.iter().map(|(archive, packing)| packing.pack(archive)).collect();
        self.add_packed(image, &packed, members)
    }

    /// The same with other bytes in the place of its layers, and their digests.
    pub fn add_with(&mut self, image: &Image, packed: &[Vec<u8>]) -> String {
        self.add_packed(image, packed, "")
    }

    fn add_packed(&mut self, image: &Image, packed: &[Vec<u8>], members: &str) -> String {
        let config = self.blob(CONFIG, image.config_file().as_bytes(), "");
        let layers: Vec<_> = image
            .layers
            .iter()
            .zip(packed)
            .map(|((_, packing), packed)| {
                self.blob(&format!("{LAYER}{}", packing.suffix()), packed, "")
            })
            .collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{}]}}"#,
            layers.join(",")
        );
        self.blob(MANIFEST, manifest.as_bytes(), members)
    }

    /// Adds a blob, and returns its descriptor.
    pub fn blob(&mut self, kind: &str, bytes: &[u8], members: &str) -> String {
        let digest = digest(bytes);
        let size = bytes.len();
        self.blobs.insert(digest.clone(), bytes.into());
        format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}{members}}}"#)
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = vec![
            ("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.into()),
            ("index.json".into(), index(&self.index).into_bytes()),
        ];
        for (digest, blob) in &self.blobs {
            files.push((format!("blobs/{}", digest.replace(':', "/")), blob.clone()));
        }
        files
    }

    pub fn write_folder(&self, folder: &Path) {
        for (name, content) in self.files() {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    pub fn write_tar(&self, path: &Path) {
        let folders = ["blobs", "blobs/sha256"].map(Entry::folder);
        let files = self.files().into_iter().map(|(name, content)| Entry::file(name, content));
        fs::write(path, tar(folders.into_iter().chain(files))).unwrap();
    }
}

pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

pub fn index(entries: &[String]) -> String {
    let entries = entries.join(",");
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{entries}]}}"#)
}

/// Writes what `docker save` did before it wrote OCI layouts: images with their tags, each layer
/// plain in a folder of its own.
pub fn write_docker(images: &[(&Image, &str)], path: &Path) {
    let mut entries = Vec::new();
    let mut manifest = Vec::new();
    for (image, tag) in images {
        let config = image.config_file();
        let name = format!("{}.json", &digest(config.as_bytes())[7..]);
        let mut layers = Vec::new();
        for (archive, packing) in &image.layers {
            let folder = digest(archive)[7..].to_string();
            layers.push(format!("{folder}/layer.tar"));
            entries.push(Entry::folder(format!("{folder}/")));
            entries.push(Entry::file(format!("{folder}/VERSION"), "1.0"));
            entries.push(Entry::file(format!("{folder}/layer.tar"), packing.pack(archive)));
        }
        manifest.push(format!(
            r#"{{"Config":"{name}","RepoTags":["{tag}"],"Layers":[{}]}}"#,
            list(&layers)
        ));
        entries.push(Entry::file(name, config));
    }
    entries.push(Entry::file("manifest.json", format!("[{}]", manifest.join(","))));
    fs::write(path, tar(entries)).unwrap();
}
