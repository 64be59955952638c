//! Where libraries are looked for: programs made for the purpose, and what their loader says of them.

use crate::rootfs::compile;
use crate::util::{Scratch, launcher, run, tests};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

tests! {
    paths_in_programs_are_followed_as_ldd_does needs Program("gcc"), Program("ldd");
    the_cache_and_the_level_of_the_processor_decide needs
        Root, Program("gcc"), Program("ldd"), Program("unshare"), Program("ldconfig");
    a_library_of_another_kind_is_passed_over needs Program("gcc");
    a_missing_library_is_named needs Program("gcc");
    a_damaged_library_is_named needs Program("gcc");
    programs_of_musl_have_its_rules needs Program("musl-gcc"), Launch;
    hostile_files_are_errors;
}

/// What the root would have of the test's own files.
fn own_files(scratch: &Scratch, program: &Path) -> Vec<PathBuf> {
    let listed =
        run(&mut scratch.launcher(["rootfs", "--list", program.to_str().unwrap()])).success();
    let own = scratch.path("");
    let mut files: Vec<_> =
        listed.lines().map(PathBuf::from).filter(|path| path.starts_with(&own)).collect();
    files.retain(|path| path != program && !path.is_symlink());
    files
}

fn ldds(scratch: &Scratch, program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let own = scratch.path("").canonicalize().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let words = listed.split_whitespace().filter(|word| word.starts_with('/'));
    let mut files: Vec<_> = words.map(|word| Path::new(word).canonicalize().unwrap()).collect();
    files.retain(|path| path.starts_with(&own));
    files.sort();
    files
}

/// Three libraries that need each other, in folders of their own, and a program that needs the first:
/// `top -> one -> two -> three`; each with these words for the linker.
fn chain(scratch: &Scratch, compiler: &str, words: [&[&str]; 3]) -> PathBuf {
    let text = |name: &str| scratch.path(name).to_str().unwrap().to_string();
    for folder in ["one", "two", "three", "bin"] {
        scratch.folder(folder);
    }
    let link = |to: &str| [format!("-L{}", text(to)), format!("-l{to}")];
    let library = |name: &str, needs: Option<&str>, words: &[&str]| {
        let output = scratch.path(name).join(format!("lib{name}.so"));
        let needs: Vec<String> = needs.into_iter().flat_map(link).collect();
        let links = format!("-Wl,-rpath-link,{}:{}:{}", text("one"), text("two"), text("three"));
        let needs = needs.iter().map(String::as_str);
        let words: Vec<&str> = ["-shared", "-fPIC", "-Wl,--no-as-needed", &links]
            .into_iter()
            .chain(needs)
            .chain(words.iter().copied())
            .collect();
        compile(compiler, &format!("int {name};"), &words, &output);
    };
    library("three", None, &[]);
    library("two", Some("three"), words[2]);
    library("one", Some("two"), words[1]);
    let links = format!("-Wl,-rpath-link,{}:{}", text("two"), text("three"));
    let [folder, name] = link("one");
    let mut all = vec!["-Wl,--no-as-needed", &links, &folder, &name];
    all.extend(words[0]);
    let program = scratch.path("bin/program");
    compile(compiler, "int main(void) { return 42; }", &all, &program);
    program
}

const RPATH: &str = "-Wl,--disable-new-dtags";
const RUNPATH: &str = "-Wl,--enable-new-dtags";

fn paths_in_programs_are_followed_as_ldd_does() {
    let all = "-Wl,-rpath,$ORIGIN/../one:$ORIGIN/../two:${ORIGIN}/../three";
    let platform = "-Wl,-rpath,$ORIGIN/../$PLATFORM:$ORIGIN/../none";
    let lib = "-Wl,-rpath,$ORIGIN/../$LIB";
    let next = ["-Wl,-rpath,$ORIGIN/../two", "-Wl,-rpath,$ORIGIN/../three"];
    let cases: [[&[&str]; 3]; 8] = [
        // The program's RPATH counts for all that it loads, its RUNPATH for itself alone.
        [&[RPATH, all], &[], &[]],
        [&[RUNPATH, all], &[], &[]],
        [&[RUNPATH, all], &[RUNPATH, next[0]], &[RUNPATH, next[1]]],
        // A library with a RUNPATH does not see its loaders' RPATH.
        [&[RPATH, all], &[RUNPATH, "-Wl,-rpath,/none"], &[]],
        [&[RPATH, all], &[RPATH, "-Wl,-rpath,/none"], &[]],
        [&[RPATH, platform, all], &[], &[]],
        [&[RUNPATH, lib, all], &[RPATH, next[0]], &[RPATH, next[1]]],
        // And by the level of the processor.
        [&[RPATH, all], &[], &[]],
    ];
    let mut found_all = 0;
    for (number, words) in cases.into_iter().enumerate() {
        let scratch = Scratch::new();
        let program = chain(&scratch, "gcc", words);
        // By all names of $PLATFORM and $LIB the first library can be found once more.
        let copy = |folder: &str| {
            scratch.folder(folder);
            fs::copy(scratch.path("one/libone.so"), scratch.path(folder).join("libone.so"))
                .unwrap();
        };
        match number {
            5 => ["x86_64", "haswell"].into_iter().for_each(copy),
            6 => copy("lib/x86_64-linux-gnu"),
            7 => ["one/glibc-hwcaps/x86-64-v2", "one/glibc-hwcaps/x86-64-v3"]
                .into_iter()
                .for_each(copy),
            _ => {}
        }
        let output = Command::new("ldd").arg(&program).output().unwrap();
        let is_whole = !String::from_utf8_lossy(&output.stdout).contains("not found");
        if is_whole {
            assert_eq!(own_files(&scratch, &program), ldds(&scratch, &program), "case {number}");
            found_all += 1;
        } else {
            run(&mut scratch.launcher(["rootfs", "--list", program.to_str().unwrap()]))
                .fails(125, &["the library lib", "needs it"]);
        }
    }
    assert!(found_all >= 5, "{found_all}");
}

/// With a cache of its own, made by ldconfig, for libraries in folders that no loader looks into.
fn the_cache_and_the_level_of_the_processor_decide() {
    let scratch = Scratch::new();
    let program = chain(&scratch, "gcc", [&[], &[], &[]]);
    for level in ["one/glibc-hwcaps/x86-64-v2", "two/glibc-hwcaps/x86-64-v4"] {
        let folder = scratch.folder(level);
        let name = level.split('/').next().unwrap();
        let library = format!("lib{name}.so");
        fs::copy(scratch.path(name).join(&library), folder.join(&library)).unwrap();
    }
    let folders = ["one", "two", "three"].map(|name| scratch.path(name).display().to_string());
    scratch.file("conf", &format!("{}\n", folders.join("\n")));
    let script = "ldconfig -X -f conf -C cache && mount --bind cache /etc/ld.so.cache
        ldd $1 | grep -o ' /[^ ]*' | xargs realpath; echo; $MC rootfs --list $1
        $MC rootfs $1; $MC $1 || echo $?";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-ec", script, "sh"]).arg(&program).env("MC", launcher());
    let ended = run(command.current_dir(scratch.path("")));
    assert!(ended.output.ends_with("\n42\n"), "{}{}", ended.output, ended.errors);
    assert!(ended.output.contains("\n/etc/ld.so.cache\n"), "{}", ended.output);
    let (theirs, ours) = ended.output.split_once("\n\n").unwrap();
    let own = |listed: &str| -> BTreeSet<String> {
        let is_own = |line: &&str| folders.iter().any(|folder| line.starts_with(folder));
        listed.lines().filter(is_own).map(String::from).collect()
    };
    assert_eq!(own(theirs), own(ours));
    assert_eq!(own(ours).len(), 3, "{ours}");
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("popcnt") {
        assert!(ours.contains("/one/glibc-hwcaps/x86-64-v2/libone.so"), "{ours}");
    }
}

fn a_library_of_another_kind_is_passed_over() {
    let scratch = Scratch::new();
    let all = "-Wl,-rpath,$ORIGIN/../wrong:$ORIGIN/../one:$ORIGIN/../two:$ORIGIN/../three";
    let program = chain(&scratch, "gcc", [&[RPATH, all], &[], &[]]);
    // One of 32 bits, one for another machine, something that is no library at all.
    let good = fs::read(scratch.path("one/libone.so")).unwrap();
    let mut small = b"\x7fELF\x01\x01\x01".to_vec();
    small.resize(52, 0);
    small[18] = 3;
    let mut other = good.clone();
    other[18] = 0xf3;
    let folder = scratch.folder("wrong");
    for wrong in [&small, &other, &b"text\n".to_vec()] {
        fs::write(folder.join("libone.so"), wrong).unwrap();
        let found = own_files(&scratch, &program);
        assert!(found.contains(&scratch.path("one/libone.so")), "{found:?}");
        assert!(!found.contains(&folder.join("libone.so")), "{found:?}");
    }
    fs::write(folder.join("libone.so"), &good).unwrap();
    assert!(own_files(&scratch, &program).contains(&folder.join("libone.so")));
}

fn a_missing_library_is_named() {
    let scratch = Scratch::new();
    let all = "-Wl,-rpath,$ORIGIN/../one:$ORIGIN/../two:$ORIGIN/../three";
    let program = chain(&scratch, "gcc", [&[RPATH, all], &[], &[]]);
    fs::remove_file(scratch.path("three/libthree.so")).unwrap();
    let ended = run(&mut scratch.launcher(["rootfs", program.to_str().unwrap()]));
    ended.fails(125, &["the library libthree.so: it is not on this system", "/libtwo.so needs it"]);
    assert!(!scratch.path("rootfs").exists());
}

fn a_damaged_library_is_named() {
    let scratch = Scratch::new();
    let all = "-Wl,-rpath,$ORIGIN/../one:$ORIGIN/../two:$ORIGIN/../three";
    let program = chain(&scratch, "gcc", [&[RPATH, all], &[], &[]]);
    let library = scratch.path("two/libtwo.so");
    let whole = fs::read(&library).unwrap();
    fs::write(&library, &whole[..200]).unwrap();
    let ended = run(&mut scratch.launcher(["rootfs", "--list", program.to_str().unwrap()]));
    ended.fails(125, &["/two/libtwo.so: the ELF file is damaged"]);
}

fn programs_of_musl_have_its_rules() {
    let scratch = Scratch::new();
    // With musl, a RUNPATH counts for what is loaded by those that are loaded, too.
    let all = "-Wl,-rpath,$ORIGIN/../one:$ORIGIN/../two:$ORIGIN/../three";
    let program = chain(&scratch, "musl-gcc", [&[RUNPATH, all], &[], &[]]);
    let found = own_files(&scratch, &program);
    assert_eq!(found.len(), 3, "{found:?}");
    let listed =
        run(&mut scratch.launcher(["rootfs", "--list", program.to_str().unwrap()])).success();
    assert!(listed.contains("/ld-musl-") && !listed.contains("libc.so.6"), "{listed}");
    run(&mut scratch.launcher(["rootfs", program.to_str().unwrap()])).success();
    // It finds its own folder by /proc/self/exe.
    let words = ["--proc", "/proc", program.to_str().unwrap()];
    assert_eq!(run(&mut scratch.launcher(words)).status, 42);
}

fn hostile_files_are_errors() {
    let scratch = Scratch::new();
    let good = fs::read("/bin/true").unwrap();
    let program = scratch.path("program");
    let mut random = 7_u64;
    let mut next = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % bound as u64).unwrap()
    };
    for _ in 0..200 {
        let mut bytes = good.clone();
        for _ in 0..=next(8) {
            let place = next(64 + 13 * 56);
            bytes[place] = [0, 1, 0x7f, 0x80, 0xff][next(5)];
        }
        bytes.truncate(if next(2) == 0 { next(bytes.len()) } else { bytes.len() });
        fs::write(&program, bytes).unwrap();
        let ended = run(&mut scratch.launcher(["rootfs", "--list", program.to_str().unwrap()]));
        assert!(matches!(ended.status, 0 | 125), "{}: {}", ended.status, ended.errors);
        assert!(
            ended.status == 0 || ended.errors.starts_with("mini-container: "),
            "{}",
            ended.errors
        );
    }
}
