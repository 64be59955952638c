//! Command lines of engines, and of people.

use super::*;
use crate::rare::is_asked_for;

fn read<'a>(words: &[&'a CStr]) -> Typed<'a> {
    let mut parsed = None;
    assert!(!is_asked_for(|| parsed = Some(parse(words))), "{words:?} takes no rare text");
    match parsed.unwrap() {
        Ok(Some(typed)) => typed,
        Ok(None) => panic!("{words:?} is the launcher's"),
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn options_stand_before_and_behind_the_name() {
    for words in [
        &[c"--root", c"/r", c"create", c"--bundle", c"/b", c"--pid-file=/p", c"one"][..],
        &[c"--root=/r", c"create", c"one", c"-b", c"/b", c"--pid-file", c"/p"],
        &[c"--debug", c"--root=/r", c"create", c"-b/b", c"one", c"--pid-file", c"/p"],
        &[c"create", c"--root", c"/r", c"-b/b", c"one", c"--pid-file", c"/p"],
    ] {
        let typed = read(words);
        assert_eq!(typed.command, Command::Create);
        assert_eq!(typed.words, [c"one"]);
        assert_eq!(typed.value(Name::Root), Some(c"/r"));
        assert_eq!(typed.value(Name::Bundle), Some(c"/b"));
        assert_eq!(typed.value(Name::PidFile), Some(c"/p"));
    }
}

#[test]
fn what_engines_type_is_understood() {
    let log = [c"--rootless=false", c"--log", c"/l", c"--log-format", c"json"];
    let typed = read(&[&log[..], &[c"kill", c"--all", c"x", c"9"]].concat());
    assert!(typed.has(Name::All) && !typed.has(Name::Rootless));
    assert_eq!(typed.words, [c"x", c"9"]);
    let typed = read(&[c"exec", c"--process", c"/p", c"--detach", c"--pid-file", c"/f", c"x"]);
    assert!(typed.has(Name::Detach));
    assert_eq!(typed.words, [c"x"]);
    let words = [c"exec", c"-td", c"-u", c"1:2", c"x", c"-e", c"A=b", c"sh", c"-c", c"-d"];
    let typed = read(&words);
    assert!(typed.has(Name::Tty) && typed.has(Name::Detach));
    assert_eq!(typed.value(Name::User), Some(c"1:2"));
    assert_eq!(typed.value(Name::Env), Some(c"A=b"));
    assert_eq!(typed.words, [c"x", c"sh", c"-c", c"-d"]);
    let typed = read(&[c"ps", c"--format", c"json", c"x"]);
    assert_eq!((typed.value(Name::Format), &*typed.words), (Some(c"json"), &[c"x"][..]));
    assert_eq!(read(&[c"ps", c"x", c"-o", c"pid"]).words, [c"x", c"-o", c"pid"]);
    assert_eq!(read(&[c"update", c"--resources=-", c"x"]).value(Name::Resources), Some(c"-"));
    assert_eq!(read(&[c"update", c"-r", c"-", c"x"]).value(Name::Resources), Some(c"-"));
    assert_eq!(read(&[c"delete", c"-f", c"x"]).words, [c"x"]);
    assert_eq!(read(&[c"list", c"-f", c"json"]).value(Name::Format), Some(c"json"));
}

#[test]
fn engines_ask_for_the_version_behind_their_own_options() {
    assert_eq!(read(&[c"--root", c"/r", c"--version"]).command, Command::Version);
    let first = |name| {
        let text = version(name);
        String::from_utf8(text.as_bytes().to_vec()).unwrap().lines().next().unwrap().to_owned()
    };
    assert!(first(c"/usr/bin/mini-container").starts_with("runc version "));
    assert!(first(c"runc").starts_with("runc version "));
    assert!(first(c"/usr/bin/crun").starts_with("crun version "));
}

#[test]
fn other_lines_are_the_launchers() {
    for words in [
        &[c"/bin/sh"][..],
        &[c"--all", c"start"],
        &[c"--root"],
        &[c"-V"],
        &[c"-r", c"/", c"run"],
        &[],
    ] {
        assert!(matches!(parse(words), Ok(None)), "{words:?}");
    }
}

#[test]
fn what_is_missing_or_unknown_is_said() {
    for words in [
        &[c"create"][..],
        &[c"create", c"a", c"b"],
        &[c"create", c"--bundle"],
        &[c"create", c"--interval", c"5s", c"x"],
        &[c"kill", c"-x", c"a"],
        &[c"exec", c"x"],
        &[c"list", c"x"],
    ] {
        let status = if words[0] == c"exec" { 255 } else { 1 };
        assert_eq!(parse(words).err().map(|error| error.status()), Some(status), "{words:?}");
    }
    let error = parse(&[c"--root", c"/r", c"creat", c"x"]).err().unwrap();
    let said = String::from_utf8(error.render().as_bytes().to_vec()).unwrap();
    assert!(said.contains("command creat: there is no such command\nhint: did you mean"), "{said}");
    assert_eq!(error.status(), 1);
}
