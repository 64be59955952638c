//! Collects what the sources say by `rare!("...")` and `rare!(file "...")` into one deflated page, and
//! writes the macro that stands for a place in it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The page as it is before it is deflated, and the arms of the macro: what is written between its
/// parentheses, and the place where that text begins.
struct Page {
    /// Each text once, a NUL behind it; the empty one first.
    text: String,
    arms: Vec<(String, usize)>,
}

/// Writes `rare.deflate`, and `rare.rs` with the macro and how long the page is, into `folder`. The
/// `made` texts are there under a name.
pub fn write(folder: &Path, made: &[(&str, String)]) {
    let mut page = Page { text: "\0".into(), arms: Vec::new() };
    for (name, text) in made {
        page.add(format!("made {name:?}"), text);
    }
    println!("cargo:rerun-if-changed=src");
    let mut sources = Vec::new();
    collect(Path::new("src"), &mut sources);
    sources.sort();
    for path in sources {
        page.scan(&path);
    }
    let bytes = page.text.len();
    assert!(bytes <= 1 << 16, "the rare words are too many for their places: {bytes} bytes");
    let mut code = format!("const BYTES: usize = {bytes};\nmacro_rules! rare {{\n");
    for (typed, place) in &page.arms {
        writeln!(code, "({typed}) => {{ $crate::rare::Rare({place}) }};").expect("it is a String");
    }
    code.push_str("}\n");
    let deflated = miniz_oxide::deflate::compress_to_vec(page.text.as_bytes(), 10);
    fs::write(folder.join("rare.rs"), code).expect("OUT_DIR can be written to");
    fs::write(folder.join("rare.deflate"), deflated).expect("OUT_DIR can be written to");
}

/// The sources of the binary: what only tests say is not to be in it.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources can be read") {
        let path = entry.expect("the sources can be read").path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            found.push(path);
        }
    }
}

impl Page {
    /// Adds a text, unless it is there.
    fn add(&mut self, typed: String, text: &str) {
        assert!(!text.contains('\0'), "{typed}: a NUL ends a text");
        if self.arms.iter().any(|arm| arm.0 == typed) {
            return;
        }
        // What is the end of another one is there already.
        let place = self.text.find(&format!("{text}\0")).unwrap_or_else(|| {
            self.text.push_str(text);
            self.text.push('\0');
            self.text.len() - text.len() - 1
        });
        self.arms.push((typed, place));
    }

    /// Adds what a source says. A form of it that is not known here ends the build.
    fn scan(&mut self, path: &Path) {
        const CALL: &str = "rare!(";
        let source = fs::read_to_string(path).expect("the sources can be read");
        for (place, _) in source.match_indices(CALL) {
            let before = &source[..place];
            let is_longer = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let is_comment = before.rsplit('\n').next().is_some_and(|line| line.contains("//"));
            if is_longer || is_comment {
                continue;
            }
            match read(source[place + CALL.len()..].trim_start()) {
                Ok(Some((typed, text))) => self.add(typed, &text),
                Ok(None) => {}
                Err(why) => {
                    panic!("{}:{}: rare! {why}", path.display(), before.matches('\n').count() + 1)
                }
            }
        }
    }
}

/// What stands between the parentheses, and the text that it means; None if that is made here.
fn read(typed: &str) -> Result<Option<(String, String)>, &'static str> {
    if typed.starts_with("made ") {
        return Ok(None);
    }
    let file = typed.strip_prefix("file ");
    let literal = file.unwrap_or(typed).strip_prefix('"').ok_or("takes a plain literal")?;
    let (raw, behind) = literal.split_at(end(literal).ok_or("has a literal without an end")?);
    let behind = behind[1..].trim_start();
    if !behind.strip_prefix(',').unwrap_or(behind).trim_start().starts_with(')') {
        return Err("takes one literal");
    }
    let text = meant(raw).ok_or("has an escape that is not known here")?;
    if file.is_none() {
        return Ok(Some((format!("\"{raw}\""), text)));
    }
    let path = Path::new("src").join(text);
    let text = fs::read_to_string(path).map_err(|_| "names a file that is not in src")?;
    Ok(Some((format!("file \"{raw}\""), text)))
}

/// Where the quote is that ends a literal.
fn end(literal: &str) -> Option<usize> {
    let mut is_escaped = false;
    literal.find(|c| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    })
}

/// What a literal means; the Rust reference, "String literals".
fn meant(raw: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = raw.chars().peekable();
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match rest.next()? {
            'n' => text.push('\n'),
            '\n' => while rest.next_if(|c| c.is_whitespace()).is_some() {},
            same @ ('"' | '\\') => text.push(same),
            _ => return None,
        }
    }
    Some(text)
}
