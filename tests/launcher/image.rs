//! Containers from image files: the forms of the file, which image in it is meant, and what the image
//! says about the program.

use crate::archives::{Entry, tar, through};
use crate::layouts::{Image, Layout, Packing, busybox, launcher, write_docker};
use crate::util::{Ended, Scratch, run, tests};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

tests![
    an_image_file_has_many_forms needs Launch, Program("busybox"), Program("zstd");
    a_root_filesystem_is_an_image needs Launch, Program("busybox"), Program("zstd");
    layers_of_all_packings_are_stacked needs Launch, Program("busybox"), Program("zstd");
    a_file_that_is_no_image needs Launch;
    the_image_says_what_runs needs Launch, Program("busybox");
    the_command_line_goes_first needs Launch, Program("busybox");
    an_image_without_a_program needs Launch, Program("busybox");
    the_environment_is_the_images needs Launch, Program("busybox");
    a_user_has_a_name_in_the_image needs Root, Program("busybox");
    a_user_that_the_image_does_not_know needs Launch, Program("busybox");
    passwd_may_be_a_link_that_stays_inside needs Root, Program("busybox");
    a_working_directory_may_be_missing needs Launch, Program("busybox");
    the_stop_signal_is_the_images needs Launch, Program("busybox");
    the_platform_is_this_machines_or_the_one_asked_for needs Launch, Program("busybox");
    a_tag_names_one_of_several needs Launch, Program("busybox");
    a_docker_archive_has_names needs Launch, Program("busybox");
    a_merged_tree_is_whole_or_not_there needs Launch, Program("busybox");
    a_cut_off_or_empty_file needs Launch, Program("busybox");
];

fn image() -> Image {
    Image::new().layer(busybox())
}

/// An image that says its name.
fn named(name: &str) -> Image {
    image().layer([Entry::file("name", name)]).config(r#""Cmd":["cat","/name"]"#)
}

/// A layout with one image, in `image`.
fn with(image: &Image) -> Scratch {
    let scratch = Scratch::new();
    Layout::of(image).write_folder(&scratch.path("image"));
    scratch
}

/// Runs the image in `image` with these words behind it.
fn started(scratch: &Scratch, words: &[&str]) -> Ended {
    run(&mut launcher(scratch, &[&["--image", "image"], words].concat()))
}

fn an_image_file_has_many_forms() {
    let scratch = Scratch::new();
    let image = named("it");
    let layout = Layout::default().tagged(&image, "latest");
    layout.write_folder(&scratch.path("folder"));
    layout.write_tar(&scratch.path("oci.tar"));
    write_docker(&[(&image, "localhost/it:latest")], &scratch.path("docker.tar"));
    for file in ["folder", "oci.tar", "docker.tar"] {
        let ended = run(&mut launcher(&scratch, &["--image", file]));
        assert_eq!(ended.success(), "it", "{file}");
        let out = format!("from {file}");
        run(&mut scratch.launcher(["rootfs", "-o", &out, "--image", file])).success();
        assert_eq!(fs::read_to_string(scratch.path(&out).join("name")).unwrap(), "it", "{file}");
    }
}

fn a_root_filesystem_is_an_image() {
    let scratch = Scratch::new();
    let archive = tar(busybox().into_iter().chain([Entry::file("name", "plain")]));
    fs::write(scratch.path("plain.tar"), &archive).unwrap();
    fs::write(scratch.path("plain.tar.gz"), through("gzip", &["-c"], &archive)).unwrap();
    fs::write(scratch.path("name does not matter"), through("zstd", &["-qc"], &archive)).unwrap();
    for file in ["plain.tar", "plain.tar.gz", "name does not matter"] {
        let words = ["--image", file, "/bin/cat", "/name"];
        assert_eq!(run(&mut launcher(&scratch, &words)).success(), "plain", "{file}");
    }
    // Written again, it is another one.
    let archive = tar(busybox().into_iter().chain([Entry::file("name", "again")]));
    fs::write(scratch.path("plain.tar"), &archive).unwrap();
    let words = ["--image", "plain.tar", "/bin/cat", "/name"];
    assert_eq!(run(&mut launcher(&scratch, &words)).success(), "again");
}

fn layers_of_all_packings_are_stacked() {
    let layer = |name: &str| tar([Entry::file(name, name), Entry::file("top", name)]);
    let image = image()
        .packed(&layer("plain"), Packing::Plain)
        .packed(&layer("zstd"), Packing::Zstd)
        .packed(&layer("gzip"), Packing::Gzip);
    let seen = started(&with(&image), &["cat", "/plain", "/zstd", "/gzip", "/top"]).success();
    assert_eq!(seen, "plainzstdgzipgzip");
}

fn a_file_that_is_no_image() {
    let scratch = Scratch::new();
    scratch.file("text", "this is not an archive, but some text\n");
    scratch.folder("folder");
    let image = |file| run(&mut launcher(&scratch, &["--image", file, "/bin/true"]));
    image("text").fails(125, &["mini-container: ", "archive"]);
    image("folder").fails(125, &["image folder: ", "oci-layout", "manifest.json", "\nhint: "]);
    fs::write(scratch.path("empty"), "").unwrap();
    image("empty").fails(125, &["it is empty"]);
    image("nothing").fails(125, &["open the image nothing: No such file", "\nhint: "]);
    image("/dev/null").fails(125, &["/dev/null", "neither a folder nor a file"]);
}

fn the_image_says_what_runs() {
    let image = image().layer([Entry::folder("w"), Entry::file("w/file", "")]).config(
        r#""Entrypoint":["/bin/sh","-c","echo $0 $@; pwd; echo $A; ls"],"Cmd":["one","two words"],
        "Env":["A=b c","PATH=/bin"],"WorkingDir":"/w""#,
    );
    assert_eq!(started(&with(&image), &[]).success(), "one two words\n/w\nb c\nfile\n");
}

fn the_command_line_goes_first() {
    let image = image().layer([Entry::folder("w"), Entry::folder("v")]).config(
        r#""Entrypoint":["echo","entry"],"Cmd":["command"],"Env":["A=b","B=c"],"WorkingDir":"/w""#,
    );
    let scratch = with(&image);
    let inside = |words: &[&str]| started(&scratch, words).success();
    assert_eq!(inside(&[]), "entry command\n");
    assert_eq!(inside(&["mine", "--too"]), "entry mine --too\n");
    // An entrypoint of the user's does not stand before the image's command.
    assert_eq!(inside(&["--entrypoint", "echo"]), "\n");
    assert_eq!(inside(&["--entrypoint", "echo", "mine"]), "mine\n");
    assert_eq!(inside(&["--entrypoint", "pwd", "-w", "/v"]), "/v\n");
    // As in Docker, an empty one is none.
    assert_eq!(inside(&["--entrypoint", "", "echo", "mine"]), "mine\n");
    let show = ["--entrypoint", "sh", "-e", "A=mine", "-e", "C=d", "--", "-c", "echo $A $B $C"];
    assert_eq!(inside(&show), "mine c d\n");
    let show = ["--clear-env", "-e", "C=d", "--entrypoint", "/bin/sh", "--", "-c", "echo $A$B$C"];
    assert_eq!(inside(&show), "d\n");
}

fn an_image_without_a_program() {
    let scratch = with(&image());
    started(&scratch, &[]).fails(125, &["the image names no program", "\nhint: "]);
    assert_eq!(started(&scratch, &["echo", "hi"]).success(), "hi\n");
}

fn the_environment_is_the_images() {
    let scratch = with(&image().config(r#""Env":["A=1","EMPTY=","A=2"]"#));
    let mut command = launcher(&scratch, &["--image", "image", "env"]);
    let seen = run(command.env("OF_THE_HOST", "1").env("A", "host")).success();
    let mut seen: Vec<_> = seen.lines().filter(|line| !line.starts_with("TERM=")).collect();
    seen.sort_unstable();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(seen, ["A=2", "EMPTY=", "HOME=/", path]);
    let mut command = launcher(&scratch, &["--image", "image", "-e", "A", "sh", "-c", "echo $A"]);
    assert_eq!(run(command.env("A", "host")).success(), "host\n");
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nme:x:1000:100::/home/me:\n";
const GROUP: &str = "root:x:0:\nusers:x:100:me\naudio:x:29:you,me\n";

fn with_users(user: &str) -> Image {
    let etc =
        [Entry::folder("etc"), Entry::file("etc/passwd", PASSWD), Entry::file("etc/group", GROUP)];
    image()
        .layer(etc)
        .config(&format!(r#""Cmd":["sh","-c","id -u; id -g; id -G; echo $HOME"],"User":"{user}""#))
}

fn a_user_has_a_name_in_the_image() {
    for (user, seen) in [
        ("", "0\n0\n0\n/root\n"),
        ("me", "1000\n100\n100 29\n/home/me\n"),
        ("1000", "1000\n100\n100 29\n/home/me\n"),
        ("me:audio", "1000\n29\n29\n/home/me\n"),
        ("4000", "4000\n0\n0\n/\n"),
        ("4000:users", "4000\n100\n100\n/\n"),
        ("5:6", "5\n6\n6\n/\n"),
    ] {
        assert_eq!(started(&with(&with_users(user)), &[]).success(), seen, "{user}");
    }
    let scratch = with(&with_users("me"));
    assert_eq!(started(&scratch, &["-u", "root"]).success(), "0\n0\n0\n/root\n");
    assert_eq!(started(&scratch, &["-u", "7:audio"]).success(), "7\n29\n29\n/\n");
    assert_eq!(
        started(&scratch, &["--all", "-u", "me"]).success(),
        "1000\n100\n100 29\n/home/me\n"
    );
    // The topmost passwd counts, and a removed one not.
    let other = "me:x:2000:200::/other:\n";
    let above = with_users("me").layer([Entry::file("etc/passwd", other)]);
    assert_eq!(started(&with(&above), &[]).success(), "2000\n200\n200 29 100\n/other\n");
    let removed = with_users("me").layer([Entry::file(".wh.etc", "")]);
    started(&with(&removed), &[]).fails(125, &["me"]);
}

fn a_user_that_the_image_does_not_know() {
    let scratch = with(&with_users("somebody"));
    started(&scratch, &[]).fails(125, &["find the user somebody: ", "\nhint: "]);
    started(&scratch, &["-u", "0:some"]).fails(125, &["find the group some: "]);
    started(&with(&with_users("4294967295")), &[]).fails(125, &["4294967295"]);
}

fn passwd_may_be_a_link_that_stays_inside() {
    let host = fs::read_to_string("/etc/passwd").unwrap();
    let on_host_only =
        host.lines().filter_map(|line| line.split(':').next()).find(|name| *name != "root");
    let user = on_host_only.expect("a usual user");
    let etc = |target: &str| [Entry::folder("etc"), Entry::symlink("etc/passwd", target)];
    for target in ["/etc/passwd", "../../../../../../etc/passwd", "/proc/1/root/etc/passwd"] {
        let image = image().layer(etc(target)).config(&format!(r#""Cmd":["id"],"User":"{user}""#));
        started(&with(&image), &[]).fails(125, &["find the user "]);
    }
    let image =
        image().layer(etc("/users").into_iter().chain([Entry::file("users", "a:x:5:6::/:\n")]));
    let seen = started(&with(&image.config(r#""Cmd":["id","-u"],"User":"a""#)), &[]).success();
    assert_eq!(seen, "5\n");
}

/// As in Docker and Podman, it is made.
fn a_working_directory_may_be_missing() {
    let image = image().config(r#""Cmd":["pwd"],"WorkingDir":"/not/there""#);
    assert_eq!(started(&with(&image), &[]).success(), "/not/there\n");
}

fn the_stop_signal_is_the_images() {
    let script = "trap 'echo stopped; exit 7' USR2; echo up; while :; do sleep 0.05; done";
    let config = format!(r#""Cmd":["sh","-c","{script}"],"StopSignal":"#);
    for (signal, words) in
        [("\"SIGUSR2\"", &[][..]), ("\"12\"", &[]), ("\"SIGHUP\"", &["--stop-signal", "USR2"])]
    {
        let scratch = with(&image().config(&format!("{config}{signal}")));
        let mut command = launcher(&scratch, &[&["--image", "image"], words].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "up\n", "{signal}");
        Command::new("kill").arg(child.id().to_string()).status().unwrap();
        line.clear();
        output.read_to_string(&mut line).unwrap();
        assert_eq!(
            (line.as_str(), child.wait().unwrap().code()),
            ("stopped\n", Some(7)),
            "{signal}"
        );
    }
    let image = image().config(r#""Cmd":["true"],"StopSignal":"SIGNONE""#);
    started(&with(&image), &[]).fails(125, &["StopSignal"]);
}

fn the_platform_is_this_machines_or_the_one_asked_for() {
    let here = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let of = |architecture: &str, variant: &str| {
        named(&format!("{architecture}{variant}")).platform("linux", architecture, variant)
    };
    let all = [of("s390x", ""), of("arm", "v6"), of("arm", "v7"), of(here, "")];
    let scratch = Scratch::new();
    Layout::default().nested(&all, "it").write_folder(&scratch.path("image"));
    let inside = |words: &[&str]| started(&scratch, words).success();
    assert_eq!(inside(&[]), here);
    assert_eq!(inside(&["--platform", "linux/s390x"]), "s390x");
    assert_eq!(inside(&["--platform", "linux/arm/v7"]), "armv7");
    assert_eq!(inside(&["--platform", "linux/arm/v6"]), "armv6");
    let lists = ["linux/s390x", "linux/arm/v6", "linux/arm/v7", here];
    started(&scratch, &["--platform", "linux/ppc64le"]).fails(125, &lists);
    started(&scratch, &["--platform", "linux/arm/v5"]).fails(125, &lists);
    started(&scratch, &["--platform", "a/b/c/d"]).fails(125, &["platform", "a/b/c/d", "OS/ARCH"]);

    let scratch = Scratch::new();
    Layout::default().nested(&all[..3], "it").write_folder(&scratch.path("image"));
    started(&scratch, &[]).fails(125, &lists[..3]);
    // One that says in its configuration only what it is for.
    let scratch = with(&of("s390x", ""));
    started(&scratch, &["--platform", "linux/arm64"]).fails(125, &["platform", "image"]);
    assert_eq!(started(&scratch, &["--platform", "linux/s390x"]).success(), "s390x");
}

fn a_tag_names_one_of_several() {
    let scratch = Scratch::new();
    let layout = Layout::default()
        .tagged(&named("one"), "first")
        .tagged(&named("two"), "localhost/second:2.0")
        .tagged(&named("three"), "third\\u001b[31m");
    layout.write_folder(&scratch.path("image"));
    assert_eq!(started(&scratch, &["--tag", "first"]).success(), "one");
    assert_eq!(started(&scratch, &["--tag", "localhost/second:2.0"]).success(), "two");
    assert_eq!(started(&scratch, &["--tag", "second:2.0"]).success(), "two");
    let lists = ["--tag", " first", " localhost/second:2.0"];
    for words in [&[][..], &["--tag", "fir"], &["--tag", "2"]] {
        let ended = started(&scratch, words);
        ended.fails(125, &lists);
        assert!(!ended.errors.contains('\x1b'), "a name drives the terminal");
    }
}

fn a_docker_archive_has_names() {
    let scratch = Scratch::new();
    let (one, two) = (named("one"), named("two"));
    write_docker(&[(&one, "app:1"), (&two, "app:2")], &scratch.path("image"));
    assert_eq!(started(&scratch, &["--tag", "app:1"]).success(), "one");
    assert_eq!(started(&scratch, &["--tag", "app:2"]).success(), "two");
    started(&scratch, &[]).fails(125, &["--tag", "app:1", "app:2"]);
    started(&scratch, &["--tag", "app:3"]).fails(125, &["--tag", "app:1", "app:2"]);
}

fn a_merged_tree_is_whole_or_not_there() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = with(&Image::new().layer([Entry::file("file", "")]));
    let rootfs = |out: &str| run(&mut scratch.launcher(["rootfs", "-o", out, "--image", "image"]));
    // An empty folder is as good as none; without a word, its mode is a root's.
    scratch.folder("empty");
    for out in ["empty", "new", "other/"] {
        rootfs(out).success();
        assert_eq!(fs::metadata(scratch.path(out)).unwrap().permissions().mode() & 0o7777, 0o755);
        assert!(scratch.path(out).join("file").exists());
    }
    rootfs("new").fails(125, &["new", "\nhint: "]);
    scratch.file("a file", "kept");
    rootfs("a file").fails(125, &["a file", "\nhint: "]);
    rootfs("not/there").fails(125, &["not/there", "\nhint: "]);
    assert_eq!(fs::read_to_string(scratch.path("a file")).unwrap(), "kept");
    let left = fs::read_dir(scratch.path("")).unwrap().count();
    assert_eq!(left, ["image", "empty", "new", "other", "a file"].len());
}

fn a_cut_off_or_empty_file() {
    let scratch = Scratch::new();
    Layout::of(&named("it")).write_tar(&scratch.path("whole"));
    let whole = fs::read(scratch.path("whole")).unwrap();
    for length in [0, 1, 511, 700, 5000, whole.len() / 2, whole.len() - 2048] {
        fs::write(scratch.path("cut"), &whole[..length]).unwrap();
        let ended = run(&mut launcher(&scratch, &["--image", "cut", "cat", "/name"]));
        assert_eq!(ended.status, 125, "{length} bytes: {}", ended.errors);
        let left = fs::read_dir(scratch.path("cache/mini-container/all/layers"));
        assert_eq!(left.map_or(0, Iterator::count), 0, "{length} bytes left something");
    }
}
