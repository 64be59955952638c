//! Images unpacked by this launcher and by others, and compared file by file.

use crate::archives::tar;
use crate::layouts::{Image, Layout, Packing, busybox, launcher};
use crate::trees::{Tree, differences, tree};
use crate::util::{Scratch, children_of, run};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where `umoci` does otherwise, and why that is not followed.
pub struct Explained(pub &'static str, pub &'static str);

/// Unpacks with `umoci`, merged, and as a container sees it; the three have to be the same.
#[track_caller]
pub fn same(image: Image, explained: &[Explained]) {
    let scratch = with_image(image);
    let mut umoci = Command::new("umoci");
    umoci.args(["raw", "unpack", "--image", "image:it", "theirs"]).current_dir(scratch.path(""));
    run(&mut umoci).success();
    compare(&scratch, explained);
}

/// The same with GNU tar, for a layer of kinds that `umoci` does not know.
#[track_caller]
pub fn same_as_tar(archive: &[u8], explained: &[Explained]) {
    let scratch = with_image(Image::new().packed(archive, Packing::Gzip));
    scratch.folder("theirs");
    for (name, layer) in [("lower.tar", &*tar(busybox())), ("layer.tar", archive)] {
        fs::write(scratch.path(name), layer).unwrap();
        let mut tar = Command::new("tar");
        tar.args(["--xattrs", "--numeric-owner", "-C", "theirs", "-xpf", name]);
        run(tar.current_dir(scratch.path(""))).success();
    }
    compare(&scratch, explained);
}

/// The image above a busybox, which looks at it from inside.
fn with_image(image: Image) -> Scratch {
    let scratch = Scratch::new();
    let image = image.below(&tar(busybox()));
    Layout::default().tagged(&image, "it").write_folder(&scratch.path("image"));
    scratch
}

#[track_caller]
fn compare(scratch: &Scratch, explained: &[Explained]) {
    let theirs = tree(&scratch.path("theirs"));
    run(&mut scratch.launcher(["rootfs", "-o", "merged", "--image", "image"])).success();
    let merged = tree(&scratch.path("merged"));
    let found = differences(&merged, &theirs);
    let is_explained = |line: &&String| explained.iter().any(|one| line.starts_with(one.0));
    let unexplained: Vec<_> = found.iter().filter(|line| !is_explained(line)).collect();
    assert!(unexplained.is_empty(), "merged, and as they unpack it:\n{unexplained:#?}");
    for Explained(name, why) in explained {
        assert!(found.iter().any(|line| line.starts_with(name)), "{name} is the same: not {why}");
    }
    let (mut seen, mut merged) = (seen_by_a_container(scratch), merged);
    // The top of a container's root is as old as the container.
    for top in [&mut seen, &mut merged].map(|tree| tree.get_mut(".").unwrap()) {
        *top = top.split(", ").filter(|fact| !fact.starts_with("time ")).collect();
    }
    let found = differences(&seen, &merged);
    assert!(found.is_empty(), "as a container sees it, and merged:\n{}", found.join("\n"));
}

/// What the root of a container from `image` looks like.
fn seen_by_a_container(scratch: &Scratch) -> Tree {
    let words = ["--image", "image", "/bin/busybox", "sh", "-c", "echo up; read line"];
    let mut command = launcher(scratch, &words);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut up = [0; 3];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut up).expect("it came up");
    let program = children_of(child.id())[0];
    let seen = tree(Path::new(&format!("/proc/{program}/root/.")));
    drop(child.stdin.take());
    child.wait().unwrap();
    seen
}
