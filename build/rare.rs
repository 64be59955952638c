//! Collects what the sources say by `rare!("...")` and `rare!(file "...")` into one deflated page, and
//! writes the macro that stands for a place in it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use zopfli::{Format, Options};

/// The arms of the macro: what is written between its parentheses, and the text that it means.
struct Arms(Vec<(String, String)>);

/// Writes `rare.deflate`, and `rare.rs` with the macro and how long the page is, into `folder`. The
/// `made` texts are there under a name.
pub fn write(folder: &Path, made: &[(&str, String)]) {
    let mut arms = Arms(Vec::new());
    for (name, text) in made {
        arms.add(format!("made {name:?}"), text);
    }
    println!("cargo:rerun-if-changed=src");
    let mut sources = Vec::new();
    collect(Path::new("src"), &mut sources);
    sources.sort();
    for path in sources {
        arms.scan(&path);
    }
    let page = arms.page();
    let bytes = page.len();
    assert!(bytes <= 1 << 16, "the rare words are too many for their places: {bytes} bytes");
    let mut code = format!("const BYTES: usize = {bytes};\nmacro_rules! rare {{\n");
    for (typed, text) in &arms.0 {
        let place = page.find(&format!("{text}\0")).expect("the page has all texts");
        writeln!(code, "({typed}) => {{ $crate::rare::Rare({place}) }};").expect("it is a String");
    }
    code.push_str("}\n");
    fs::write(folder.join("rare.rs"), code).expect("OUT_DIR can be written to");
    // Slow, and four percent shorter than what the quick ones make.
    let mut deflated = Vec::new();
    zopfli::compress(Options::default(), Format::Deflate, page.as_bytes(), &mut deflated)
        .expect("it is a Vec");
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

impl Arms {
    /// Adds an arm, unless it is there.
    fn add(&mut self, typed: String, text: &str) {
        assert!(!text.contains('\0'), "{typed}: a NUL ends a text");
        if self.0.iter().all(|arm| arm.0 != typed) {
            self.0.push((typed, text.into()));
        }
    }

    /// Each text once, a NUL behind it; the empty one first. What is the end of another one is there
    /// with that. They are sorted: of texts that begin alike and stand together, less is left when they
    /// are deflated.
    fn page(&self) -> String {
        let mut texts: Vec<&str> = self.0.iter().map(|arm| &*arm.1).collect();
        texts.sort_unstable();
        texts.dedup();
        let is_end_of = |text: &str, other: &str| other != text && other.ends_with(text);
        let whole = texts.iter().filter(|text| !texts.iter().any(|other| is_end_of(text, other)));
        whole.fold("\0".into(), |page, text| page + text + "\0")
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
