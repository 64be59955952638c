//! Texts that are seldom read: those of failures, explanations and help. They are in the file as one
//! deflated page, which is inflated when the first of them is asked for.
//!
//! `rare!("mount /proc")` is such a text, and `rare!(file "cli/help.txt")` the content of a file in
//! `src`: two bytes, which a child between clone and exec can pass on, where a `&str` takes sixteen and
//! its letters. build.rs finds them in the sources, and makes the page and the macro.

use crate::sys::once::Once;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress_with_limit};

/// A text: where it begins on the page. It ends with a NUL.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Rare(pub(crate) u16);

include!(concat!(env!("OUT_DIR"), "/rare.rs"));

const DEFLATED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rare.deflate"));

impl Rare {
    /// No words.
    pub const NONE: Self = Self(0);

    /// Whether it has no words.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == Self::NONE.0
    }

    /// The words. Not for a launcher's child, which shares its memory: they take some of it.
    #[must_use]
    #[cold]
    #[inline(never)]
    pub fn text(self) -> &'static str {
        core::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// The same, as bytes.
    #[must_use]
    #[cold]
    #[inline(never)]
    pub fn bytes(self) -> &'static [u8] {
        static PAGE: Once<Vec<u8>> = Once::new();
        #[cfg(test)]
        tests::ASKED.set(true);
        let page = PAGE.get(inflate);
        crate::text::cut(page.get(self.0.into()..).unwrap_or_default(), 0).0
    }
}

#[cfg(test)]
impl core::fmt::Debug for Rare {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.text().fmt(formatter)
    }
}

fn inflate() -> Vec<u8> {
    let mut page = vec![0; BYTES];
    let mut state = Box::<DecompressorOxide>::default();
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    decompress_with_limit(&mut state, DEFLATED, &mut page, 0, BYTES, flags);
    page
}

/// Whether `act` asks for any text. To inflate the page takes longer than to read a command line and a
/// configuration, so what goes well does without.
#[cfg(test)]
pub fn is_asked_for(act: impl FnOnce()) -> bool {
    tests::ASKED.set(false);
    act();
    tests::ASKED.get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    std::thread_local! { pub static ASKED: Cell<bool> = const { Cell::new(false) }; }

    #[test]
    fn every_text_of_the_page_is_there() {
        let page = inflate();
        assert!(page.ends_with(b"\0") && !page.ends_with(b"\0\0"));
        assert!(core::str::from_utf8(&page).is_ok());
    }

    #[test]
    fn a_text_is_what_the_source_says() {
        assert!(is_asked_for(|| assert_eq!(Rare::NONE.text(), "")));
        assert_eq!(rare!(file "cli/help.txt").text(), include_str!("cli/help.txt"));
    }
}
