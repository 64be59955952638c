//! The cache of layers: what is unpacked once, by whom, what is kept and thrown away, and what is left
//! when a run is killed.

use crate::archives::{Entry, tar};
use crate::layouts::{Image, Layout, Packing, busybox, chain, digest, launcher};
use crate::util::{ORDINARY, Scratch, is_root, run, tests};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

tests![
    a_second_run_unpacks_nothing needs Launch, Program("busybox");
    images_share_their_layers needs Launch, Program("busybox");
    two_runs_at_once_unpack_once needs Launch, Program("busybox"), Program("strace");
    a_killed_run_leaves_nothing_that_counts needs Launch, Program("busybox");
    what_is_written_is_thrown_away needs Launch, Program("busybox");
    what_is_written_is_kept_under_a_name needs Launch, Program("busybox");
    pruning_removes_what_is_not_used needs Launch, Program("busybox");
    a_cache_that_cannot_be_written_to needs Launch, Program("busybox");
    the_cache_of_somebody_else_is_not_used needs Root, Program("busybox");
    an_ordinary_user_has_a_cache_of_its_own needs UserNamespaces, Program("busybox");
    an_ordinary_user_with_ranges needs Root, Program("busybox"), Program("newuidmap"), Program("setpriv");
    without_overlays_a_tree_is_unpacked_for_the_run needs Root, Program("busybox"), Program("strace");
    what_a_layer_hides_is_hidden_from_isolated_users_too needs Root, Program("busybox");
    isolated_users_see_the_same_owners needs Root, Program("busybox");
];

fn with(images: &[(&str, &Image)]) -> Scratch {
    let scratch = Scratch::new();
    for (name, image) in images {
        Layout::of(image).write_folder(&scratch.path(name));
    }
    scratch
}

fn image() -> Image {
    Image::new().layer(busybox())
}

/// Runs a shell script in an image with these options.
fn inside(scratch: &Scratch, image: &str, options: &[&str], script: &str) -> String {
    let words = [&["--image", image], options, &["sh", "-c", script]].concat();
    run(&mut launcher(scratch, &words)).success()
}

/// The entries for layers in all caches below.
fn entries(scratch: &Scratch) -> Vec<PathBuf> {
    let listed = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let caches = listed(&scratch.path("cache/mini-container"));
    let mut found: Vec<_> = caches.iter().flat_map(|ids| listed(&ids.join("layers"))).collect();
    found.sort();
    found
}

fn a_second_run_unpacks_nothing() {
    let layer = tar([Entry::file("file", "once")]);
    let scratch = with(&[("image", &image().packed(&layer, Packing::Plain))]);
    assert_eq!(inside(&scratch, "image", &[], "cat /file"), "once");
    let seen = |path: &PathBuf| {
        let files = fs::metadata(path.join("files")).unwrap();
        (path.clone(), files.ino(), files.ctime_nsec())
    };
    let before: Vec<_> = entries(&scratch).iter().map(seen).collect();
    let hex = &chain(&[&tar(busybox()), &layer])[7..];
    assert_eq!(before.len(), 2);
    assert!(before.iter().any(|(path, ..)| path.ends_with(hex)), "{before:?}");
    // It cannot unpack what is not there any more.
    fs::remove_file(scratch.path("image/blobs/sha256").join(&digest(&layer)[7..])).unwrap();
    assert_eq!(inside(&scratch, "image", &[], "cat /file"), "once");
    assert_eq!(entries(&scratch).iter().map(seen).collect::<Vec<_>>(), before);
}

fn images_share_their_layers() {
    let other = image().layer([Entry::file("file", "other")]);
    let scratch = with(&[("one", &image()), ("two", &other)]);
    inside(&scratch, "one", &[], "true");
    assert_eq!(entries(&scratch).len(), 1);
    assert_eq!(inside(&scratch, "two", &[], "cat /file"), "other");
    assert_eq!(entries(&scratch).len(), 2);
}

fn two_runs_at_once_unpack_once() {
    let large: Vec<_> = (0..2000).map(|at| Entry::file(format!("f{at}"), "content")).collect();
    let scratch = with(&[("image", &image().layer(large))]);
    let runs: Vec<Child> = (0..4)
        .map(|at| {
            let trace = format!("trace.{at}");
            let words = ["-f", "-qq", "-e", "trace=renameat,renameat2,rename", "-o", &trace];
            let mut command = Command::new("strace");
            command.args(words).arg(crate::util::launcher());
            command.args(["--image", "image", "cat", "/f1999"]).current_dir(scratch.path(""));
            command.env("XDG_CACHE_HOME", scratch.path("cache")).stdin(Stdio::null());
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ends: Vec<_> = runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();
    for end in ends {
        assert_eq!(crate::util::Ended::from(end).success(), "content");
    }
    let traces = (0..4).map(|at| fs::read_to_string(scratch.path(&format!("trace.{at}"))).unwrap());
    let renamed: usize = traces.map(|trace| trace.matches("= 0").count()).sum();
    assert_eq!((renamed, entries(&scratch).len()), (2, 2));
}

/// Waits until something is so.
#[track_caller]
fn until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never comes to that");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn a_killed_run_leaves_nothing_that_counts() {
    let large: Vec<_> =
        (0..200).map(|at| Entry::file(format!("f{at}"), vec![b'x'; 1 << 20])).collect();
    let layer = tar(large);
    let scratch = with(&[("image", &image().packed(&layer, Packing::Gzip))]);
    // Before the start, since it takes as long as all that is to be interrupted.
    let hex = &chain(&[&tar(busybox()), &layer])[7..];
    let mut killed = launcher(&scratch, &["--image", "image", "true"]);
    let mut killed = killed.stderr(Stdio::null()).spawn().unwrap();
    let files = |name: &str| {
        let found =
            entries(&scratch).into_iter().find(|path| path.to_str().unwrap().contains(name));
        found.and_then(|path| fs::read_dir(path.join("files")).ok()).map_or(0, Iterator::count)
    };
    until(|| files(hex) > 2);
    killed.kill().unwrap();
    killed.wait().unwrap();
    // Nobody goes on with it.
    let is_free = || {
        let mut lock = Command::new("flock");
        let entry = entries(&scratch).into_iter().find(|path| path.to_str().unwrap().contains(hex));
        lock.arg("-n").arg(entry.unwrap()).arg("true").status().unwrap().success()
    };
    until(is_free);
    let is_whole = |path: &PathBuf| path.file_name().unwrap().len() == 64;
    assert!(entries(&scratch).iter().filter(|path| is_whole(path)).count() <= 1);
    assert!(files(hex) < 200, "it was not killed in the middle");
    assert_eq!(
        inside(&scratch, "image", &[], "ls / | busybox grep -c f; busybox wc -c < /f199"),
        "200\n1048576\n"
    );
    assert!(entries(&scratch).iter().all(is_whole), "{:?}", entries(&scratch));
}

fn what_is_written_is_thrown_away() {
    let scratch = with(&[("image", &image().layer([Entry::file("file", "as it was")]))]);
    let script = "cat /file; echo new >/file; echo >/other; rm /bin/ls; cat /file";
    assert_eq!(inside(&scratch, "image", &[], script), "as it wasnew\n");
    assert_eq!(inside(&scratch, "image", &[], script), "as it wasnew\n");
    assert_eq!(inside(&scratch, "image", &[], "cat /file; ls /"), "as it wasbin\nfile\n");
    let read_only = "! echo x >/file; cat /file";
    assert_eq!(inside(&scratch, "image", &["--read-only"], read_only), "as it was");
}

/// On a kernel without overlays, whose answer is given in its place.
fn without_overlays_a_tree_is_unpacked_for_the_run() {
    let image = image()
        .layer([Entry::file("below", "1"), Entry::file("file", "below")])
        .layer([Entry::file(".wh.below", ""), Entry::file("file", "above")]);
    let scratch = with(&[("image", &image)]);
    let without_overlays = |options: &[&str], script: &str| {
        let mut command = Command::new("strace");
        command.args(["-f", "--quiet=all", "-o", "/dev/null", "--seccomp-bpf"]);
        command.args(["-e", "trace=fsopen", "-e", "inject=fsopen:error=ENODEV"]);
        let launcher = launcher(&scratch, &[&["--image", "image"], options].concat());
        command.arg(launcher.get_program()).args(launcher.get_args()).args(["sh", "-c", script]);
        command.current_dir(scratch.path("")).env("XDG_CACHE_HOME", scratch.path("cache"));
        run(command.stdin(Stdio::null())).success()
    };
    let left = |folder: &str| {
        let folder = scratch.path("cache/mini-container/all").join(folder);
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    let script = "cat /file; ls /below 2>/dev/null; echo new >/file";
    assert_eq!(without_overlays(&[], script), "above");
    assert_eq!(without_overlays(&[], script), "above", "it was thrown away");
    assert!(left("runs").is_empty() && left("layers").is_empty());
    assert_eq!(without_overlays(&["--keep", "a"], script), "above");
    assert_eq!(without_overlays(&["--keep", "a"], "cat /file"), "new\n");
    assert_eq!(left("kept"), ["a"]);
}

fn what_is_written_is_kept_under_a_name() {
    let other = image().layer([Entry::file("other", "")]);
    let scratch = with(&[("image", &image()), ("other", &other)]);
    assert_eq!(
        inside(&scratch, "image", &["--keep", "a"], "echo 1 >>/file; rm /bin/env; cat /file"),
        "1\n"
    );
    assert_eq!(inside(&scratch, "image", &["--keep", "a"], "echo 2 >>/file; cat /file"), "1\n2\n");
    // Not under another name, nor without one.
    let is_new = "! cat /file 2>/dev/null; ls /bin/env";
    assert_eq!(inside(&scratch, "image", &["--keep", "b"], is_new), "/bin/env\n");
    assert_eq!(inside(&scratch, "image", &[], is_new), "/bin/env\n");
    let refused = |image: &str, name: &str, said: &[&str]| {
        let words = ["--image", image, "--keep", name, "true"];
        run(&mut launcher(&scratch, &words)).fails(125, said);
    };
    refused("other", "a", &["keep what is written as a: it is of another image", "\nhint: "]);
    for name in ["..", ".", "a/b", "../../x", "-/", "a\nb", &"n".repeat(200)] {
        refused("image", name, &["keep what is written as"]);
    }
    // One container at a time.
    let words = ["--image", "image", "--keep", "a", "sh", "-c", "echo up; read line"];
    let mut first = launcher(&scratch, &words);
    let mut first = first.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(first.stdout.as_mut().unwrap(), &mut [0; 3]).unwrap();
    refused("image", "a", &["another container uses it"]);
    drop(first.stdin.take());
    first.wait().unwrap();
    assert_eq!(inside(&scratch, "image", &["--keep", "a"], "cat /file"), "1\n2\n");
    // It goes only when that is said.
    let prune =
        |words: &[&str]| run(&mut launcher(&scratch, &[&["rootfs", "--prune"], words].concat()));
    prune(&[]).success();
    assert_eq!(inside(&scratch, "image", &["--keep", "a"], "cat /file"), "1\n2\n");
    prune(&["--keep", "a"]).success();
    assert_eq!(inside(&scratch, "image", &["--keep", "a"], is_new), "/bin/env\n");
    prune(&["--keep", "never"]).fails(125, &["never", "nothing is kept under this name"]);
}

fn pruning_removes_what_is_not_used() {
    let scratch =
        with(&[("used", &image()), ("other", &image().layer([Entry::folder("other").mode(0)]))]);
    let prune = || run(&mut launcher(&scratch, &["rootfs", "--prune"])).success();
    assert!(prune().contains("removed: 0"), "without a cache");
    inside(&scratch, "other", &[], "true");
    let words = ["--image", "used", "sh", "-c", "echo up; read line; ls /bin/env"];
    let mut first = launcher(&scratch, &words);
    let mut first = first.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(first.stdout.as_mut().unwrap(), &mut [0; 3]).unwrap();
    assert_eq!(prune(), "layers removed: 1, in use: 1\n");
    assert_eq!(entries(&scratch).len(), 1);
    drop(first.stdin.take());
    let ended = crate::util::Ended::from(first.wait_with_output().unwrap());
    assert_eq!(ended.success(), "/bin/env\n");
    assert_eq!(prune(), "layers removed: 1\n");
    assert_eq!(entries(&scratch).len(), 0);
}

fn a_cache_that_cannot_be_written_to() {
    let scratch = with(&[("image", &image())]);
    for place in ["/proc/1/cache", "/dev/null"] {
        let mut command = launcher(&scratch, &["--image", "image", "true"]);
        run(command.env("XDG_CACHE_HOME", place)).fails(125, &["open the cache of images", place]);
    }
    scratch.folder("locked");
    let mut command = scratch.ordinary_launcher(["--image", "image", "true"]);
    command.env("XDG_CACHE_HOME", "/sys/kernel");
    run(&mut command).fails(125, &["open the cache of images", "\nhint: ", "XDG_CACHE_HOME"]);
    let mut command = scratch.ordinary_launcher(["--image", "image", "true"]);
    command.env_remove("XDG_CACHE_HOME").env_remove("HOME");
    run(&mut command).fails(125, &["\nhint: ", "XDG_CACHE_HOME"]);
}

fn the_cache_of_somebody_else_is_not_used() {
    let scratch = with(&[("image", &image())]);
    let cache = scratch.folder("cache/mini-container");
    std::os::unix::fs::chown(&cache, Some(ORDINARY), Some(ORDINARY)).unwrap();
    let mut command = launcher(&scratch, &["--image", "image", "true"]);
    run(&mut command).fails(125, &["open the cache of images"]);
    assert_eq!(fs::read_dir(cache).unwrap().count(), 0);
}

/// An image with files of several users and a device.
fn with_owners() -> Image {
    image().layer([
        Entry::file("theirs", "").owner(5, 6),
        Entry::file("setuid", "").owner(5, 6).mode(0o4755),
        Entry::device(b'3', "null", 1, 3),
        Entry::folder("locked").mode(0o500).owner(5, 6),
        Entry::file("locked/file", "in it"),
    ])
}

fn an_ordinary_user_has_a_cache_of_its_own() {
    let other =
        with_owners().layer([Entry::file("locked/.wh.file", ""), Entry::file("locked/new", "")]);
    let scratch = with(&[("image", &with_owners()), ("other", &other)]).for_ordinary_user();
    let inside = |image: &str, options: &[&str], script: &str| {
        let words = [&["--image", image], options, &["sh", "-c", script]].concat();
        let mut command = scratch.ordinary_launcher(words);
        run(command.env("XDG_CACHE_HOME", scratch.path("cache")))
    };
    // Here everything is the caller's, who is root inside.
    let script =
        "busybox stat -c '%u:%g %a' /theirs /setuid; cat /locked/file; touch /new; ls /new";
    let seen = inside("image", &[], script);
    assert!(seen.errors.contains("devices: 1"), "a word on the device: {}", seen.errors);
    assert_eq!(seen.success(), "0:0 644\n0:0 4755\nin it/new\n");
    assert_eq!(inside("image", &[], "ls /new || echo gone").success(), "gone\n");
    assert_eq!(inside("other", &[], "ls /locked").success(), "new\n");
    inside("image", &["--keep", "a"], "echo kept >/new").success();
    assert_eq!(inside("image", &["--keep", "a"], "cat /new").success(), "kept\n");
    for entry in entries(&scratch) {
        let owner = fs::metadata(entry.join("files")).unwrap().uid();
        assert_eq!(owner, if is_root() { ORDINARY } else { rustix::process::getuid().as_raw() });
    }
    // What nobody else can write to, the caller can remove.
    let mut command = scratch.ordinary_launcher(["rootfs", "--prune", "--keep", "a"]);
    run(command.env("XDG_CACHE_HOME", scratch.path("cache"))).success();
    assert_eq!(entries(&scratch).len(), 0);
    let mut command = scratch.ordinary_launcher(["rootfs", "-o", "merged", "--image", "other"]);
    run(&mut command).success();
    assert!(scratch.path("merged/locked/new").exists());
}

fn an_ordinary_user_with_ranges() {
    let scratch = with(&[("image", &with_owners())]).for_ordinary_user();
    scratch.file(
        "passwd",
        &format!("root:x:0:0::/:/bin/sh\nordinary:x:{ORDINARY}:{ORDINARY}::/:/bin/sh\n"),
    );
    scratch.file("subid", "ordinary:300000:65536\n");
    let as_user = |line: &str| {
        let script = format!(
            "mount --bind passwd /etc/passwd; touch /etc/subuid /etc/subgid
            mount --bind subid /etc/subuid; mount --bind subid /etc/subgid
            exec setpriv --reuid {ORDINARY} --regid {ORDINARY} --clear-groups bash -c '{line}'"
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "bash", "-ec", &script]).env("MC", crate::util::launcher());
        command.env("XDG_CACHE_HOME", scratch.path("cache")).current_dir(scratch.path(""));
        run(&mut command).success()
    };
    let script = "busybox stat -c %u:%g:%a /theirs /setuid /locked; cat /locked/file";
    let seen = as_user(&format!("$MC --image image sh -c \"{script}\""));
    assert_eq!(seen, "5:6:644\n5:6:4755\n5:6:500\nin it");
    as_user("$MC rootfs -o merged --image image --map-users auto --map-groups auto");
    let owner = fs::metadata(scratch.path("merged/theirs")).unwrap();
    assert_eq!((owner.uid(), owner.gid()), (300_004, 300_005));
    as_user("$MC rootfs --prune");
    assert_eq!(entries(&scratch).len(), 0);
}

/// An overlay in a user namespace reads other marks than one of root's.
fn what_a_layer_hides_is_hidden_from_isolated_users_too() {
    let image = image()
        .layer([Entry::folder("d"), Entry::file("d/old", ""), Entry::file("gone", "")])
        .layer([Entry::folder("d"), Entry::file("d/.wh..wh..opq", ""), Entry::file("d/new", "")])
        .layer([Entry::file(".wh.gone", "")]);
    let scratch = with(&[("image", &image)]);
    let script = "ls /d; ls /gone 2>/dev/null || echo gone";
    for options in [&[][..], &["--all"], &["--isolate", "user"], &["--keep", "a"]] {
        assert_eq!(inside(&scratch, "image", options, script), "new\ngone\n", "{options:?}");
    }
    // Nor is what they keep the same.
    let hide = "rm -r /d; mkdir /d; ls /d";
    for options in [&["--keep", "b"][..], &["--all", "--keep", "b"]] {
        assert_eq!(inside(&scratch, "image", options, "ls /d"), "new\n", "{options:?}");
        assert_eq!(inside(&scratch, "image", options, hide), "");
        assert_eq!(inside(&scratch, "image", options, "ls /d"), "");
    }
}

fn isolated_users_see_the_same_owners() {
    let scratch = with(&[("image", &with_owners())]);
    scratch.folder("cache");
    let script = "busybox stat -c '%u:%g' /theirs";
    assert_eq!(inside(&scratch, "image", &[], script), "5:6\n");
    assert_eq!(inside(&scratch, "image", &["--all"], script), "5:6\n");
    let options = ["--map-users", "0:400000:65536", "--map-groups", "0:400000:65536"];
    assert_eq!(inside(&scratch, "image", &options, script), "5:6\n");
}
