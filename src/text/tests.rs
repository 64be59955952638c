//! Texts as they are put together and taken apart.

use super::*;

fn written(build: impl Fn(&mut Text) -> &mut Text) -> String {
    let mut text = Text::new();
    build(&mut text);
    String::from_utf8(text.as_bytes().to_vec()).unwrap()
}

#[test]
fn numbers_are_decimal() {
    assert_eq!(written(|text| text.push_number(0)), "0");
    assert_eq!(written(|text| text.push_number(u64::MAX)), u64::MAX.to_string());
}

#[test]
fn numbers_stand_in_words() {
    assert_eq!(written(|text| text.push_filled("a#,#b#", &[1, 20])), "a1,20b#");
}

#[test]
fn names_cannot_drive_a_terminal() {
    assert_eq!(written(|text| text.push_name(b"a\x1b[2Jb")), "a\\x1b[2Jb");
    let written = |name: &[u8]| Text::new().push_name(name).as_bytes().to_vec();
    assert_eq!(written("é\u{9b}".as_bytes()), b"\xc3\xa9\xc2\\x9b");
    assert_eq!(written("Ü".as_bytes()), "Ü".as_bytes());
}

#[test]
fn json_strings_hold_any_name() {
    assert_eq!(written(|text| text.push_json(b"a\"b\\c\n\x1b")), r#""a\"b\\c\u000a\u001b""#);
    assert_eq!(written(|text| text.push_json("é".as_bytes())), "\"é\"");
    assert_eq!(written(|text| text.push_json(b"\xff")), r#""\u00ff""#);
}

#[test]
fn a_text_is_cut_at_its_separators() {
    assert_eq!(cut(b"a:b:c", b':'), (&b"a"[..], Some(&b"b:c"[..])));
    assert_eq!(cut(b"a:", b':'), (&b"a"[..], Some(&b""[..])));
    assert_eq!(cut(b"a", b':'), (&b"a"[..], None));
    assert_eq!(parts(b":a::", b':').collect::<Vec<_>>(), [&b""[..], b"a", b"", b""]);
    assert_eq!(parts(b"", b':').collect::<Vec<_>>(), [&b""[..]]);
}

#[test]
fn padding_reaches_the_column_or_leaves_two_spaces() {
    assert_eq!(written(|text| text.push("ab").pad(0, 6).push("c")), "ab    c");
    assert_eq!(written(|text| text.push("abcdef").pad(0, 3).push("c")), "abcdef  c");
}
