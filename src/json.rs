//! Reading JSON (RFC 8259) that somebody else wrote: as a value, in which things are asked for by name.

use crate::error::Error;
use crate::rare::Rare;
use crate::text::{Text, wide_number};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use hifijson::token::Lex;
use hifijson::{SliceLexer, value};

/// JSON as it was written: numbers are still text.
pub type Value<'a> = value::Value<&'a str, Cow<'a, str>>;

/// The members of an object, in their order.
pub type Object<'a> = [(Cow<'a, str>, Value<'a>)];

/// How deep it may be.
const DEPTH_MAX: usize = 32;

/// Reads a text; `doing` says what it is, for the error.
///
/// # Errors
///
/// It is not JSON; where, is said.
pub fn parse(bytes: &[u8], doing: Rare) -> Result<Value<'_>, Error<'static>> {
    let mut lexer = SliceLexer::new(bytes);
    let parsed = lexer.exactly_one(SliceLexer::ws_peek, |next, lexer| {
        value::parse_bounded(DEPTH_MAX, next, lexer)
    });
    if let Ok(value) = parsed {
        return Ok(value);
    }
    let read = bytes.len() - lexer.as_slice().len();
    let before = bytes.get(..read).unwrap_or_default();
    // Short, and read once.
    #[allow(clippy::naive_bytecount)]
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    let mut place = Text::new();
    place.push("line ").push_number(line as u64);
    place.push(", column ").push_number(column as u64);
    Err(Error::usage(doing, place.leak(), rare!("this is not JSON"), b""))
}

/// The value of this name; of several, the last.
#[must_use]
pub fn get<'a, 'b>(object: &'b Object<'a>, name: &str) -> Option<&'b Value<'a>> {
    object.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// The members of what is at this name; none if it is no object.
#[must_use]
pub fn object<'a, 'b>(object: &'b Object<'a>, name: &str) -> &'b Object<'a> {
    as_object(get(object, name))
}

/// The members of an object; none if it is something else.
#[must_use]
pub fn as_object<'a, 'b>(value: Option<&'b Value<'a>>) -> &'b Object<'a> {
    match value {
        Some(Value::Object(object)) => object,
        _ => &[],
    }
}

/// The values of the list at this name; none if it is no list.
#[must_use]
pub fn list<'a, 'b>(object: &'b Object<'a>, name: &str) -> &'b [Value<'a>] {
    match get(object, name) {
        Some(Value::Array(values)) => values,
        _ => &[],
    }
}

/// The text at this name; empty if it is something else.
#[must_use]
pub fn text<'b>(object: &'b Object<'_>, name: &str) -> &'b str {
    get(object, name).and_then(as_str).unwrap_or_default()
}

/// The texts of the list at this name.
#[must_use]
pub fn texts<'b>(object: &'b Object<'_>, name: &str) -> Vec<&'b str> {
    let mut texts = Vec::new();
    for value in list(object, name) {
        texts.extend(as_str(value));
    }
    texts
}

/// The text that the value is.
#[must_use]
pub fn as_str<'b>(value: &'b Value<'_>) -> Option<&'b str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A whole number from 0 on.
#[must_use]
pub fn as_number(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Number((digits, _)) => wide_number(digits.as_bytes()),
        _ => None,
    }
}

/// Whether the value is `null`.
#[must_use]
pub fn is_null(value: &Value<'_>) -> bool {
    matches!(value, Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_found_by_name() {
        let json = br#"{"a": {"b": ["x", 1, "y"]}, "c": "d", "c": "e", "n": 7}"#;
        let value = parse(json, rare!("read")).unwrap();
        let top = as_object(Some(&value));
        assert_eq!(texts(object(top, "a"), "b"), ["x", "y"]);
        assert_eq!(text(top, "c"), "e", "the last of several");
        assert_eq!(get(top, "n").and_then(as_number), Some(7));
        assert!(object(top, "c").is_empty() && list(top, "a").is_empty());
        assert_eq!(text(top, "none"), "");
    }

    #[test]
    fn an_error_says_where_it_is() {
        let error = parse(b"{\n \"a\": }", rare!("read it,")).unwrap_err();
        let text = String::from_utf8(error.render().as_bytes().to_vec()).unwrap();
        assert_eq!(text, "mini-container: read it, line 2, column 7: this is not JSON\n");
        let deep = [b'['; 100];
        assert!(parse(&deep, rare!("read")).is_err());
    }
}
