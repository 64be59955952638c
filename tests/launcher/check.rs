//! `mini-container check` says what is so: what other programs find out about the same machine, and,
//! where the kernel is made to refuse something, that and nothing else.

use crate::util::{Ended, Scratch, as_ordinary_user, launcher, run, tests};
use std::collections::BTreeMap;
use std::process::Command;

tests![
    isolations_are_what_unshare_finds needs Root, Program("unshare");
    an_ordinary_user_learns_what_it_can_do needs Program("unshare");
    file_systems_are_what_mount_finds needs Root, UserNamespaces, Program("unshare");
    protections_are_what_the_kernel_says needs Launch;
    json_has_the_same_rows needs Program("python3");
    colors_are_for_a_terminal_alone needs Program("script");
    wrong_words_are_refused;
    what_is_taken_away_is_missed_and_nothing_else needs Root, Program("strace");
    what_a_container_does_not_need_fails_no_check needs Root, Program("strace");
    nothing_is_left_behind needs Root, Program("unshare");
    no_proc_is_needed_for_the_rest needs Root, Program("unshare");
];

const PRIVILEGED: &str = "isolation with root privilege";
const ORDINARY: &str = "isolation without root privilege";

/// Each kind, and the option that makes unshare(1) do the same.
const KINDS: [(&str, &str); 8] = [
    ("filesystem", "-m"),
    ("process", "-p"),
    ("user", "-U"),
    ("ipc", "-i"),
    ("network", "-n"),
    ("hostname", "-u"),
    ("cgroup", "-C"),
    ("time", "-T"),
];

/// One row: the answer, what else is known, and the hint.
type Row = (String, String, String);

/// The rows of an output by group and name.
type Rows = BTreeMap<(String, String), Row>;

fn rows(output: &str) -> Rows {
    let mut rows = Rows::new();
    let (mut group, mut last) = (String::new(), None);
    for line in output.lines() {
        assert_eq!(line, line.trim_end(), "no line ends with a space");
        if let Some(hint) = line.strip_prefix("    hint: ") {
            let row: &mut Row = rows.get_mut(last.as_ref().unwrap()).unwrap();
            row.2 = hint.into();
        } else if let Some(row) = line.strip_prefix("  ") {
            let (name, rest) = row.split_once("  ").unwrap();
            let rest = rest.trim_start();
            let (answer, detail) = rest.split_once(' ').unwrap_or((rest, ""));
            let key = (group.clone(), name.to_string());
            last = Some(key.clone());
            let row = (answer.into(), detail.trim_start().into(), String::new());
            assert_eq!(rows.insert(key, row), None, "{line} is there once");
        } else {
            group = line.into();
        }
    }
    for (key, (answer, _, hint)) in &rows {
        assert!(["yes", "no", "?"].contains(&&**answer), "{key:?}: {answer}");
        assert_eq!(answer == "no", !hint.is_empty(), "{key:?}: what is missing has a hint");
    }
    rows
}

fn check(words: &[&str]) -> Ended {
    run(Command::new(launcher()).arg("check").args(words).env_remove("NO_COLOR"))
}

fn ordinary_check() -> Ended {
    run(&mut as_ordinary_user(launcher(), ["check"]))
}

fn of<'a>(rows: &'a Rows, group: &str, name: &str) -> &'a Row {
    rows.get(&(group.into(), name.into())).unwrap_or_else(|| panic!("{group}: {name} is a row"))
}

#[track_caller]
fn assert_answer(rows: &Rows, group: &str, name: &str, works: bool) {
    let row = of(rows, group, name);
    assert_eq!(row.0, if works { "yes" } else { "no" }, "{group}: {name}: {row:?}");
}

fn succeeds(command: &mut Command) -> bool {
    run(command).status == 0
}

fn isolations_are_what_unshare_finds() {
    let ended = check(&[]);
    let (status, rows) = (ended.status, rows(&ended.output));
    let mut all_work = true;
    for (name, option) in KINDS {
        let works = succeeds(Command::new("unshare").args(["-f", option, "true"]));
        assert_answer(&rows, PRIVILEGED, name, works);
        all_work &= works;
        let works = succeeds(&mut as_ordinary_user("unshare", ["-f", "-U", option, "true"]));
        assert_answer(&rows, ORDINARY, name, works);
    }
    assert_eq!(rows.len(), 36, "as many as there are: {rows:?}");
    let filters = of(&rows, "protections", "seccomp filters").0 == "yes";
    assert_eq!(status == 0, all_work && filters, "whether all is there that --all takes");
}

fn an_ordinary_user_learns_what_it_can_do() {
    let ended = ordinary_check();
    let rows = rows(&ended.output);
    let mut all_work = of(&rows, "protections", "seccomp filters").0 == "yes";
    for (name, option) in KINDS {
        let (answer, detail, _) = of(&rows, PRIVILEGED, name);
        assert_eq!((&**answer, &**detail), ("?", "takes root privilege to find out"), "{name}");
        let works = succeeds(&mut as_ordinary_user("unshare", ["-f", "-U", option, "true"]));
        assert_answer(&rows, ORDINARY, name, works);
        all_work &= works;
    }
    assert_eq!(of(&rows, "file systems", "overlay with root privilege").0, "?");
    assert_eq!(of(&rows, "file systems", "id-mapped mounts").0, "?");
    assert_eq!(ended.status == 0, all_work);
}

fn file_systems_are_what_mount_finds() {
    let scratch = Scratch::new().for_ordinary_user();
    let found = rows(&check(&[]).output);
    let script = "mount -t tmpfs x . && cd \"$PWD\" && mkdir lower upper work \
        && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work$MORE x lower";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).env("MORE", "").current_dir(scratch.path(""));
    let works = succeeds(&mut command);
    assert_answer(&found, "file systems", "overlay with root privilege", works);
    let mut command = as_ordinary_user("unshare", ["-Urm", "sh", "-c", script]);
    let works = succeeds(command.env("MORE", ",userxattr").current_dir(scratch.path("")));
    assert_answer(&found, "file systems", "overlay without root privilege", works);
    let user = rows(&ordinary_check().output);
    assert_answer(&user, "file systems", "overlay without root privilege", works);
}

/// The option does what the row says that it can.
fn protections_are_what_the_kernel_says() {
    let rows = rows(&check(&[]).output);
    let actions = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail");
    let works = actions.is_ok_and(|actions| actions.split_whitespace().any(|word| word == "errno"));
    assert_answer(&rows, "protections", "seccomp filters", works);
    let scratch = Scratch::new().with_host_programs();
    let restricted = ["--security-opt", "landlock", "/bin/sh", "-c", "true"];
    let works = succeeds(&mut scratch.launcher(restricted));
    assert_answer(&rows, "protections", "landlock", works);
    let cgroups = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    assert_answer(&rows, "cgroups", "mounted", !cgroups.is_empty());
    for name in ["pasta", "newuidmap", "newgidmap"] {
        assert_answer(&rows, "helpers", name, crate::util::which(name).is_some());
    }
}

/// A stranger to this project reads it, and finds what the lines say.
fn json_has_the_same_rows() {
    let print = "import json, sys
document = json.load(sys.stdin, object_pairs_hook=lambda pairs: pairs)
keys = [key for key, value in document]
assert keys == ['version', 'checks'], keys
group = None
for check in document[1][1]:
    keys, values = zip(*check)
    assert keys == ('group', 'name', 'works', 'detail', 'hint'), keys
    assert all(type(value) is str for value in values[:2] + values[3:]), values
    answer = {True: 'yes', False: 'no', None: '?'}[values[2]]
    if values[0] != group:
        group = values[0]
        print(group)
    print(('  %-32s%-6s%s' % (values[1], answer, values[3])).rstrip())
    if values[4]:
        print('    hint: ' + values[4])
";
    let json = check(&["--json"]);
    let lines = check(&[]);
    assert_eq!(json.status, lines.status);
    assert_eq!(json.output.matches('\n').count(), 1, "one line");
    let mut python = Command::new("python3");
    let read = crate::util::run_with_input(python.args(["-c", print]), &json.output);
    assert_eq!(read.success(), lines.output);
}

fn colors_are_for_a_terminal_alone() {
    let on_terminal = |words: &str, no_color: Option<&str>| {
        let line = format!("{} check {words}", launcher().display());
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env_remove("NO_COLOR");
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        run(command.stdin(std::process::Stdio::null())).output.replace('\r', "")
    };
    let plain = check(&[]).output;
    assert!(!plain.contains('\x1b'));
    let colored = on_terminal("", None);
    for (color, answer) in [("\x1b[32m", "yes"), ("\x1b[31m", "no")] {
        let wanted = rows(&plain).values().filter(|row| row.0 == answer).count();
        let counted = colored.matches(&format!("{color}{answer}\x1b[0m")).count();
        assert_eq!(counted, wanted, "{answer}");
    }
    let mut bare = colored.replace("\x1b[0m", "");
    for color in ["\x1b[32m", "\x1b[31m", "\x1b[33m"] {
        bare = bare.replace(color, "");
    }
    assert_eq!(bare, plain, "the same in the same columns, but for the colours");
    assert_eq!(on_terminal("", Some("1")), plain);
    assert!(!on_terminal("--json", None).contains('\x1b'));
}

fn wrong_words_are_refused() {
    for (words, wrong) in [
        (&["--jsn"][..], "--jsn"),
        (&["--json", "more"], "more"),
        (&["less", "--json"], "less"),
        (&["--json", "--json"], "--json"),
    ] {
        let ended = check(words);
        let said = format!("option {wrong}: the command check does not take it\nhint: ");
        ended.fails(125, &[&said, "mini-container check [--json]\n"]);
        assert_eq!(ended.output, "", "nothing is tried");
    }
}

/// The check on a kernel that answers these calls with an error.
fn with(calls: &str, error: &str) -> Ended {
    let mut command = Command::new("strace");
    let inject = format!("inject={calls}:error={error}");
    command.args(["-f", "-o", "/dev/null", "-e", &inject]);
    run(command.arg(launcher()).arg("check"))
}

/// Compares with a check where nothing is taken away; returns the hints of what became missing.
#[track_caller]
fn missed(calls: &str, error: &str, names: &[&str]) -> (i32, Vec<String>) {
    let (before, ended) = (rows(&check(&[]).output), with(calls, error));
    let mut hints = Vec::new();
    let mut changed = Vec::new();
    for (key, row) in rows(&ended.output) {
        if row != before[&key] {
            assert_eq!((&*before[&key].0, &*row.0), ("yes", "no"), "{calls}: {key:?}");
            changed.push(key.1);
            hints.push(row.2);
        }
    }
    changed.sort();
    let mut names = names.to_vec();
    names.sort_unstable();
    assert_eq!(changed, names, "without {calls}");
    (ended.status, hints)
}

const OVERLAYS: [&str; 2] = ["overlay with root privilege", "overlay without root privilege"];

fn what_is_taken_away_is_missed_and_nothing_else() {
    let (status, hints) = missed("seccomp", "EINVAL", &["seccomp filters"]);
    assert_eq!((status, &*hints[0]), (1, "CONFIG_SECCOMP_FILTER"));
    // Each kind for itself, by an error that only a kernel without it gives.
    let kinds: Vec<_> = KINDS.iter().chain(&KINDS).map(|(name, _)| *name).collect();
    let rest = [OVERLAYS[0], OVERLAYS[1], "id-mapped mounts"];
    let (status, hints) = missed("unshare", "EINVAL", &[&kinds[..], &rest].concat());
    assert_eq!(status, 1);
    assert!(hints.iter().any(|hint| hint == "CONFIG_TIME_NS, Linux 5.6"), "{hints:?}");
    // What a policy forbids is no matter of the kernel's options.
    let (status, hints) = missed("unshare", "EPERM", &[&kinds[..], &rest].concat());
    assert_eq!(status, 1);
    let forbidden = "without root privilege a user namespace is needed";
    let count = hints.iter().filter(|hint| hint.starts_with(forbidden)).count();
    assert_eq!(count, KINDS.len(), "{hints:?}");
}

/// There the launcher has other ways, or an option fails that says so itself.
fn what_a_container_does_not_need_fails_no_check() {
    let overlays = OVERLAYS.to_vec();
    let id_mapped = "id-mapped mounts";
    for (call, error, names, hint) in [
        ("fsopen", "ENOSYS", [&overlays[..], &["fsopen"]].concat(), "Linux 5.2"),
        ("open_tree", "ENOSYS", vec![id_mapped, "open_tree"], "Linux 5.2"),
        ("mount_setattr", "ENOSYS", vec![id_mapped, "mount_setattr"], "Linux 5.12"),
        ("openat2", "ENOSYS", vec!["openat2"], "Linux 5.6, "),
        ("landlock_create_ruleset", "EOPNOTSUPP", vec!["landlock"], "lsm="),
        ("landlock_create_ruleset", "ENOSYS", vec!["landlock"], "CONFIG_SECURITY_LANDLOCK"),
        ("close_range", "ENOSYS", vec!["close_range"], "Linux 5.9"),
        ("pidfd_open", "ENOSYS", vec!["pidfd_open"], "Linux 5.3"),
        ("clone3", "ENOSYS", vec!["clone3 into a cgroup"], "Linux 5.7"),
    ] {
        let (status, hints) = missed(call, error, &names);
        assert_eq!(status, 0, "without {call}");
        assert!(hints.iter().any(|found| found.contains(hint)), "without {call}: {hints:?}");
    }
}

/// What could be left is looked for where nobody else makes mounts and processes meanwhile, and
/// where mounts show in all namespaces unless that is prevented.
fn nothing_is_left_behind() {
    let scratch = Scratch::new();
    let script = "mount --make-rshared /
        look() { cat /proc/self/mountinfo; ls -A .; ls -l /proc/1/ns; ulimit -a; }
        look >\"$BEFORE\"; \"$MC\" check >/dev/null; look >\"$AFTER\"
        cmp \"$BEFORE\" \"$AFTER\" && set -- /proc/[0-9]* && echo $#";
    let mut command = Command::new("unshare");
    command.args(["-m", "-p", "-f", "--mount-proc", "sh", "-c", script]);
    command.env("MC", launcher()).current_dir(scratch.folder("empty"));
    command.env("BEFORE", scratch.path("before")).env("AFTER", scratch.path("after"));
    assert_eq!(run(&mut command).success(), "1\n", "the shell is alone again");
    assert!(std::fs::read_to_string(scratch.path("after")).unwrap().contains(" shared:"));
}

fn no_proc_is_needed_for_the_rest() {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", "umount -l /proc && exec \"$MC\" check"]);
    let ended = run(command.env("MC", launcher()));
    let (before, after) = (rows(&check(&[]).output), rows(&ended.output));
    for (key, row) in &after {
        let takes_proc = OVERLAYS.contains(&&*key.1) || key.1 == "id-mapped mounts";
        if takes_proc && before[key].0 == "yes" {
            let wanted = ("no", "No such file or directory", "/proc has to be mounted");
            assert_eq!((&*row.0, &*row.1, &*row.2), wanted, "{key:?}");
        } else if key.0 != "cgroups" {
            assert_eq!(row, &before[key], "{key:?}");
        }
    }
    assert_eq!(ended.status, check(&[]).status);
}
