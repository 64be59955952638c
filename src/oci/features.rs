//! `features`: what this runtime can do, for engines that ask; the specification, `features.md`.

use super::config::mount_options;
use super::print;
use crate::container::CAPABILITIES;
use crate::error::Error;
use crate::seccomp::Architecture;
use crate::text::{Text, parts};

/// Prints it as JSON.
///
/// # Errors
///
/// write(2).
#[inline(never)]
pub fn features() -> Result<(), Error<'static>> {
    let mut text = Text::new();
    // What the file does not know is put in where an @ is.
    for (place, piece) in parts(rare!(file "oci/features.json").bytes(), b'@').enumerate() {
        text.push_raw(piece);
        match place {
            0 => push_list(&mut text, "", &mount_options().join(&b' ')),
            1 => drop(text.push_json(env!("CARGO_PKG_VERSION").as_bytes())),
            2 => push_list(&mut text, "CAP_", CAPABILITIES.to_ascii_uppercase().as_bytes()),
            3 => push_list(&mut text, "SCMP_ARCH_", ARCHITECTURES),
            _ => {}
        }
    }
    print(&text)
}

/// Those that a profile may name.
const ARCHITECTURES: &[u8] = match Architecture::NATIVE {
    Architecture::X86_64 => b"X86 X32 X86_64",
    Architecture::Aarch64 => b"AARCH64",
};

fn push_list(text: &mut Text, prefix: &str, words: &[u8]) {
    text.push("[");
    for word in parts(words, b' ').filter(|word| !word.is_empty()) {
        let mut whole = Text::new();
        whole.push(prefix).push_name(word);
        text.comma().push_json(whole.as_bytes());
    }
    text.push("]");
}
