//! What the runtimes are given, built anew in a folder of its own: a root with two programs, bundles,
//! and a folder for each one's state, in memory as those of a system are, below /run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Without libc, whose start is no runtime's time.
const TRUE: &str =
    "#include \"raw.h\"\nvoid begin(long *stack) { (void)stack; CALL(exit_group, 0); }\n";
const SLEEP: &str = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n";
const WITHOUT_LIBC: [&str; 6] = [
    "-static",
    "-nostdlib",
    "-ffreestanding",
    "-fno-stack-protector",
    "-I",
    concat!(env!("CARGO_MANIFEST_DIR"), "/benches/launch"),
];

/// A folder with bundles; gone with it, as are the containers whose state is in it.
pub struct Folder {
    path: PathBuf,
    states: PathBuf,
    /// The configuration that `spec` writes, the same one for all runtimes.
    spec: String,
}

impl Folder {
    /// `writers`: runtimes that may be installed; the first that works writes the configuration.
    pub fn new(writers: &[&str]) -> Self {
        let name = format!("mini-container-runtime-{}", std::process::id());
        let (path, states) = (Path::new("/tmp").join(&name), Path::new("/dev/shm").join(&name));
        fs::create_dir_all(path.join("rootfs/bin")).unwrap();
        let spec = writers.iter().find_map(|writer| spec(writer, &path)).expect("a runtime's spec");
        let folder = Self { path, states, spec };
        folder.compile_text("true", TRUE, &WITHOUT_LIBC);
        folder.compile_text("sleep", SLEEP, &["-static"]);
        folder
    }

    pub fn name(&self, name: &str) -> String {
        self.path.join(name).to_str().unwrap().to_string()
    }

    /// Where a runtime keeps what it knows of its containers.
    pub fn state(&self, name: &str) -> String {
        self.states.join(name).to_str().unwrap().to_string()
    }

    /// A bundle whose container runs a program without arguments in a cgroup of its own, beside no
    /// other one; with these limits, which are written as JSON and end with a comma.
    pub fn bundle(&self, name: &str, program: &str, limits: &str) -> String {
        let group = format!("\"linux\": {{ \"cgroupsPath\": \"/{}\",", self.group(name));
        let config = self.spec.replace("\"terminal\": true", "\"terminal\": false");
        let config = config.replace("\"sh\"", &format!("\"{program}\""));
        let config = config.replace("\"linux\": {", &group);
        let config = config.replace("\"resources\": {", &["\"resources\": {", limits].concat());
        let root = format!("\"path\": \"{}\"", self.name("rootfs"));
        let config = config.replace("\"path\": \"rootfs\"", &root);
        let place = self.path.join(name);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("config.json"), config).unwrap();
        self.name(name)
    }

    /// How the cgroup of a bundle is called, in every hierarchy.
    fn group(&self, name: &str) -> String {
        format!("{}-{name}", self.path.file_name().unwrap().to_str().unwrap())
    }

    /// The program that measures another one's memory.
    pub fn peak(&self) -> String {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/runtime/peak.c");
        self.compile(&source, "peak", &WITHOUT_LIBC)
    }

    fn compile_text(&self, name: &str, text: &str, options: &[&str]) {
        let source = self.path.join(name).with_extension("c");
        fs::write(&source, text).unwrap();
        self.compile(&source, &format!("rootfs/bin/{name}"), options);
    }

    fn compile(&self, source: &Path, name: &str, options: &[&str]) -> String {
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-o"]).arg(self.path.join(name)).args(options).arg(source);
        assert!(compiler.status().expect("cc").success(), "cc {}", source.display());
        self.name(name)
    }

    /// The cgroups that are left of the bundles whose names begin like this; removed by this.
    pub fn take_groups(&self, prefix: &str) -> Vec<String> {
        let prefix = self.group(prefix);
        let mut found = Vec::new();
        let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
        let hierarchies = hierarchies.map(|hierarchy| hierarchy.path());
        for hierarchy in std::iter::once(PathBuf::from("/sys/fs/cgroup")).chain(hierarchies) {
            for group in fs::read_dir(hierarchy).into_iter().flatten().flatten() {
                if group.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)) {
                    let _ = fs::remove_dir(group.path());
                    found.push(group.path().to_str().unwrap().to_string());
                }
            }
        }
        found
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.take_groups("");
        let _ = fs::remove_dir_all(&self.path);
        let _ = fs::remove_dir_all(&self.states);
    }
}

fn spec(writer: &str, place: &Path) -> Option<String> {
    let mut writer = Command::new(writer);
    let _ =
        writer.arg("spec").current_dir(place).stdin(Stdio::null()).stderr(Stdio::null()).status();
    fs::read_to_string(place.join("config.json")).ok()
}
