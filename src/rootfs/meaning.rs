//! Names in the paths of libraries that stand for something: `$ORIGIN`, `$LIB` and `$PLATFORM`, with
//! or without braces; ld.so(8), "Dynamic string tokens".

use crate::text::{Text, cut};

/// A name, and what it stands for.
pub type Value<'a> = (&'static [u8], &'a [u8]);

/// Whether a path may have the name in it.
#[must_use]
pub fn has(path: &[u8], name: &[u8]) -> bool {
    path.windows(name.len()).any(|part| part == name)
}

/// Puts what they stand for in the place of names.
#[must_use]
pub fn expand(path: &[u8], values: &[Value<'_>]) -> &'static [u8] {
    let mut meaning = Text::new();
    let mut rest = path;
    while let (before, Some(behind)) = cut(rest, b'$') {
        meaning.push_raw(before);
        rest = behind;
        let value = values.iter().find_map(|(name, value)| Some((value, strip(behind, name)?)));
        if let Some((value, behind)) = value {
            meaning.push_raw(value);
            rest = behind;
        } else {
            meaning.push("$");
        }
    }
    meaning.push_raw(rest);
    meaning.leak()
}

/// What stands behind a name, if it is the name.
fn strip<'a>(path: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    if let Some(path) = path.strip_prefix(b"{") {
        return path.strip_prefix(name)?.strip_prefix(b"}");
    }
    let rest = path.strip_prefix(name)?;
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    (!rest.first().is_some_and(goes_on)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_meanings() {
        let meaning = |path: &str| {
            let values: [Value<'_>; 2] = [(b"ORIGIN", b"/opt/x"), (b"LIB", b"lib64")];
            String::from_utf8(expand(path.as_bytes(), &values).to_vec()).unwrap()
        };
        assert_eq!(meaning("/a/b"), "/a/b");
        assert_eq!(meaning("$ORIGIN/../lib"), "/opt/x/../lib");
        assert_eq!(meaning("${ORIGIN}"), "/opt/x");
        assert_eq!(meaning("/a/$LIB/${LIB}x/$ORIGIN"), "/a/lib64/lib64x//opt/x");
        for unknown in ["/$ORIGINS", "/${ORIGIN", "/$", "/$$", "/$HOME/$", "/${}", "$LIB_"] {
            assert_eq!(meaning(unknown), unknown);
        }
    }

    #[test]
    fn a_name_may_be_in_a_path() {
        assert!(has(b"/a/$LIB", b"LIB") && !has(b"/a/lib", b"LIB") && !has(b"", b"LIB"));
    }
}
