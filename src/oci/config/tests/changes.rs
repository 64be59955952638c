//! A whole configuration, and what becomes of it when one of its values is another.

use super::read;
use crate::json::{Value, parse};

const WHOLE: &str = include_str!("../../../../tests/oci/config/whole.json");
const CHANGES: &str = include_str!("../../../../tests/oci/config/changes.txt");

/// The place of a path's next name or index, and the rest of the path.
fn step<'a, 'v>(value: &'a mut Value<'v>, path: &'v str) -> (&'a mut Value<'v>, &'v str) {
    let end = path[1..].find(['.', '[']).map_or(path.len(), |end| end + 1);
    let (name, rest) = path.split_at(end);
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    let found = match value {
        Value::Array(values) => {
            let index: usize = name.trim_matches(['[', ']']).parse().unwrap();
            &mut values[index]
        }
        Value::Object(members) => {
            let place = members.iter().position(|(known, _)| known == name);
            let place = place.unwrap_or_else(|| {
                members.push((name.into(), Value::Null));
                members.len() - 1
            });
            &mut members[place].1
        }
        _ => panic!("there is nothing at {path}"),
    };
    (found, rest)
}

/// The configuration with another value at a path; absent is as good as `null`.
fn changed(path: &'static str, json: &'static str) -> String {
    let mut whole = parse(WHOLE.as_bytes(), rare!("read")).unwrap();
    let (mut value, mut rest) = step(&mut whole, path);
    while !rest.is_empty() {
        (value, rest) = step(value, rest);
    }
    *value = match json {
        "-" => Value::Null,
        json => parse(json.as_bytes(), rare!("read")).unwrap(),
    };
    whole.to_string()
}

#[test]
fn a_whole_configuration_is_read_and_fit() {
    let config = read(WHOLE).unwrap();
    assert!(config.unfit.is_none());
    assert_eq!(config.container.mounts.len(), 3);
    assert_eq!(config.resources.pids, Some(100));
    assert_eq!(config.container.isolation.joined.len(), 1);
    assert!(config.seccomp.as_ref().is_some_and(|seccomp| seccomp.listener.is_some()));
}

#[test]
fn one_change_has_one_outcome() {
    let mut count = 0;
    let mut others = Vec::new();
    for line in CHANGES.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let [path, json, verdict] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let place = if verdict == "=" { path } else { verdict };
        let outcome = read(&changed(path, json)).err();
        let is_so = match &outcome {
            None => verdict == "ok",
            Some(message) => {
                let behind = message.strip_prefix(place);
                behind.is_some_and(|behind| behind.starts_with([':', ' ']))
            }
        };
        if !is_so {
            others.push(format!("{line}\n    {outcome:?}"));
        }
        count += 1;
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
    assert!(count > 200, "there are {count}");
}
