//! All programs of this system: what they need is what ldd says, and forty of them start in a root.

use crate::rootfs::rootfs;
use crate::util::{Scratch, launcher, run, tests, which};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

tests! {
    the_closure_is_that_of_ldd needs Program("ldd"), Release;
    forty_programs_start_in_a_root_of_their_own needs Launch;
}

/// What the root would have, but for links.
fn files(program: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let ended = run(Command::new(launcher()).args(["rootfs", "--list"]).arg(program));
    if ended.status != 0 {
        return Err(ended.errors);
    }
    Ok(ended.output.lines().map(PathBuf::from).filter(|path| !path.is_symlink()).collect())
}

fn elf_programs() -> Vec<PathBuf> {
    let mut programs = BTreeSet::new();
    for folder in ["/usr/bin", "/usr/sbin"] {
        for entry in fs::read_dir(folder).unwrap() {
            let Ok(path) = entry.unwrap().path().canonicalize() else { continue };
            let mut magic = [0; 4];
            let file = fs::File::open(&path).and_then(|mut file| file.read_exact(&mut magic));
            if file.is_ok() && path.is_file() && magic == *b"\x7fELF" {
                programs.insert(path);
            }
        }
    }
    programs.into_iter().collect()
}

/// What glibc loads when it is needed; no file says so, so ldd does not know.
const OF_GLIBC: [&str; 4] =
    ["libnss_files.so.2", "libnss_dns.so.2", "libnss_compat.so.2", "libgcc_s.so.1"];

/// Compares with what ldd says of some programs.
fn compare(programs: &[PathBuf]) -> Vec<String> {
    let output = Command::new("ldd").args(programs).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let mut differences = Vec::new();
    let mut sections = BTreeMap::new();
    let mut program = PathBuf::new();
    for line in listed.lines() {
        match line.strip_suffix(':') {
            Some(name) if name.starts_with('/') => {
                program = name.into();
                sections.insert(program.clone(), String::new());
            }
            _ => sections.get_mut(&program).expect("ldd says which").extend([line, "\n"]),
        }
    }
    assert_eq!(sections.len(), programs.len(), "ldd speaks of each");
    for (program, lines) in sections {
        let ours = files(&program);
        if let Some(missing) = lines.lines().find(|line| line.contains("not found")) {
            if ours.is_ok() {
                differences.push(format!("{}: {missing}", program.display()));
            }
            continue;
        }
        let words = lines.split_whitespace().filter(|word| word.starts_with('/'));
        let theirs: BTreeSet<_> =
            words.map(|word| Path::new(word).canonicalize().unwrap()).collect();
        let mut ours = ours.unwrap_or_else(|errors| panic!("{}: {errors}", program.display()));
        assert!(ours.remove(&program), "{} is in its own closure", program.display());
        let is_of_glibc =
            |path: &Path| OF_GLIBC.iter().any(|name| path.file_name().unwrap() == *name);
        let more: Vec<_> = ours.difference(&theirs).filter(|path| !is_of_glibc(path)).collect();
        let less: Vec<_> = theirs.difference(&ours).collect();
        if !more.is_empty() || !less.is_empty() {
            differences.push(format!("{}: more {more:?}, less {less:?}", program.display()));
        }
    }
    differences
}

fn the_closure_is_that_of_ldd() {
    let programs = elf_programs();
    assert!(programs.len() > 100, "{}", programs.len());
    let halves = programs.split_at(programs.len() / 2);
    let differences = thread::scope(|scope| {
        let first = scope.spawn(|| compare(halves.0));
        let second = compare(halves.1);
        [first.join().unwrap(), second].concat()
    });
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Programs that most systems have, and what makes them say something and end.
const USUAL: &str = "bash=--version sh=-c: perl=-v git=--version gcc=--version ld=--version \
    as=--version vim=--version vi=--version curl=--version systemctl=--version grep=--version \
    sed=--version awk=BEGIN{} tar=--version gzip=--version find=--version xargs=--version ip=-V \
    mount=--version umount=--version ps=--version free=--version ls=--version cat=--version \
    cp=--version mv=--version rm=--version mkdir=--version touch=--version stat=--version \
    date=--version sort=--version uniq=--version head=--version tail=--version wc=--version \
    cut=--version tr=--version diff=--version cmp=--version env=--version id=--version \
    make=--version strace=-V xz=--version less=--version ssh=-V openssl=version unshare=--version \
    setpriv=--version lsblk=--version findmnt=--version getent=--version tee=--version dd=--version \
    df=--version du=--version busybox=true bwrap=--version cpio=--version readelf=--version";

fn forty_programs_start_in_a_root_of_their_own() {
    let scratch = Scratch::new();
    let usual: Vec<(PathBuf, &str)> = USUAL
        .split_whitespace()
        .filter_map(|usual| usual.split_once('='))
        .filter_map(|(name, word)| Some((which(name)?, word)))
        .collect();
    let mut words: Vec<_> =
        usual.iter().map(|(path, _)| path.to_str().unwrap().to_string()).collect();
    // Its modules are in a folder of its own name.
    let python = Path::new("/usr/bin/python3").canonicalize().ok();
    if let Some(python) = &python {
        words.push("/usr/bin/python3".into());
        let modules = Path::new("/usr/lib").join(python.file_name().unwrap());
        words.push(format!("--with={}", modules.display()));
    }
    let count = usual.len() + usize::from(python.is_some());
    assert!(count >= 40 || std::env::var_os("MINI_CONTAINER_MUST").is_none(), "{count}");
    let words: Vec<_> = words.iter().map(String::as_str).chain(["--etc"]).collect();
    assert_eq!(rootfs(&scratch, &words).success(), "");
    let start = |words: &[&str]| {
        let ended = run(&mut scratch.launcher(words));
        assert_eq!(ended.status, 0, "{words:?}: {}{}", ended.output, ended.errors);
        ended.output
    };
    for (path, word) in &usual {
        let word = if *word == "-c:" { vec!["-c", ":"] } else { vec![*word] };
        start(&[&["--proc", "/proc", "--dev", "/dev", path.to_str().unwrap()], &*word].concat());
    }
    if python.is_some() {
        let script = "import json, ssl, threading; t = threading.Thread(target=print, args=[6 * 7]); t.start()";
        assert_eq!(start(&["/usr/bin/python3", "-c", script]), "42\n");
    }
}
