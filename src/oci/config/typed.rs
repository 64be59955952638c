//! Values of a type: what a node is itself, and what it has at a name. The latter are functions of their own,
//! since nearly all that is read is, and a call with a name is all that a reader then has for it.

use super::node::Node;
use crate::container::keep;
use crate::json::{Value, as_number, as_str};
use crate::text::{place, wide_number};
use alloc::vec::Vec;
use core::ffi::CStr;

impl Node<'_> {
    /// A text.
    #[inline(never)]
    pub fn text(&self) -> Option<&'static str> {
        let text = as_str(self.value()?);
        if text.is_none() {
            self.wrong(rare!("it is to be a string"));
        }
        text
    }

    /// The text at a name.
    #[inline(never)]
    pub fn text_at(&self, name: &'static str) -> Option<&'static str> {
        self.get(name).text()
    }

    /// A text that has to be there.
    pub fn needed_text(&self) -> &'static str {
        self.demand();
        self.text().unwrap_or_default()
    }

    /// A text for the kernel, which ends at the first NUL.
    #[inline(never)]
    pub fn string(&self) -> Option<&'static CStr> {
        let string = keep(self.text()?);
        if string.is_none() {
            self.wrong(rare!("there is a NUL in it"));
        }
        string
    }

    /// The same, which is not empty.
    #[inline(never)]
    pub fn filled(&self) -> Option<&'static CStr> {
        self.string().filter(|string| !string.is_empty())
    }

    /// The string at a name, which is not empty.
    #[inline(never)]
    pub fn filled_at(&self, name: &'static str) -> Option<&'static CStr> {
        self.get(name).filled()
    }

    /// A string that has to be there.
    #[inline(never)]
    pub fn needed_string(&self) -> &'static CStr {
        self.demand();
        self.string().unwrap_or_default()
    }

    /// A path from `/` on.
    #[inline(never)]
    pub fn path(&self) -> Option<&'static CStr> {
        let path = self.string()?;
        if path.to_bytes().first() != Some(&b'/') {
            self.wrong(rare!("it is to be a path that begins with a slash"));
        }
        Some(path)
    }

    /// The same, which has to be there.
    #[inline(never)]
    pub fn needed_path(&self) -> &'static CStr {
        self.demand();
        self.path().unwrap_or_default()
    }

    /// All strings of the list at a name.
    #[inline(never)]
    pub fn strings_at(&self, name: &'static str) -> Vec<&'static CStr> {
        let mut strings = Vec::new();
        self.each_at(name, &mut |node| strings.push(node.needed_string()));
        strings
    }

    /// All paths of the list at a name, put where they belong.
    #[inline(never)]
    pub fn add_paths_at(&self, name: &'static str, paths: &mut Vec<&'static CStr>) {
        self.each_at(name, &mut |node| paths.push(node.needed_path()));
    }

    /// What is read from each value of the list at a name, put where it belongs.
    pub fn add_all_at<T>(
        &self,
        name: &'static str,
        mut read: impl FnMut(&Node<'_>) -> T,
        all: &mut Vec<T>,
    ) {
        self.each_at(name, &mut |node| all.push(read(node)));
    }

    /// What is read from each member, put where it belongs.
    pub fn add_members<T>(&self, mut read: impl FnMut(&Node<'_>) -> T, all: &mut Vec<T>) {
        self.each_member(&mut |node| all.push(read(node)));
    }

    /// A number from 0 up to `max`.
    #[inline(never)]
    pub fn number(&self, max: u64) -> Option<u64> {
        let number = as_number(self.value()?);
        match number {
            None => self.wrong(rare!("it is to be a whole number from 0 on")),
            Some(number) if number > max => self.wrong(rare!("it is too large")),
            Some(_) => {}
        }
        number.filter(|number| *number <= max)
    }

    /// The number at a name, from 0 up to `max`.
    #[inline(never)]
    pub fn number_at(&self, name: &'static str, max: u64) -> Option<u64> {
        self.get(name).number(max)
    }

    /// The same, which has to be there.
    #[inline(never)]
    pub fn needed_number_at(&self, name: &'static str, max: u64) -> u64 {
        self.needed(name).number(max).unwrap_or_default()
    }

    /// A number of 64 bits.
    #[inline(never)]
    pub fn wide_at(&self, name: &'static str) -> Option<u64> {
        self.number_at(name, u64::MAX)
    }

    /// A number of 32 bits.
    #[inline(never)]
    pub fn small_at(&self, name: &'static str) -> Option<u32> {
        self.number_at(name, u32::MAX.into()).map(|number| number as u32)
    }

    /// A number that may be below zero.
    #[inline(never)]
    pub fn signed(&self) -> Option<i64> {
        let digits = match self.value()? {
            Value::Number((digits, _)) => digits.as_bytes(),
            _ => b"",
        };
        let number = match digits {
            [b'-', digits @ ..] => {
                wide_number(digits).and_then(|number| 0_i64.checked_sub_unsigned(number))
            }
            digits => wide_number(digits).and_then(|number| i64::try_from(number).ok()),
        };
        if number.is_none() {
            self.wrong(rare!("it is to be a whole number of 64 bits"));
        }
        number
    }

    /// The number at a name, which may be below zero.
    #[inline(never)]
    pub fn signed_at(&self, name: &'static str) -> Option<i64> {
        self.get(name).signed()
    }

    /// The same within bounds.
    #[inline(never)]
    pub fn between(&self, least: i64, most: i64) -> Option<i64> {
        let number = self.signed()?;
        if number < least || number > most {
            self.wrong(rare!("it is out of range"));
        }
        Some(number)
    }

    /// The number at a name within bounds.
    #[inline(never)]
    pub fn between_at(&self, name: &'static str, least: i64, most: i64) -> Option<i64> {
        self.get(name).between(least, most)
    }

    /// Yes or no; no if it is absent.
    #[inline(never)]
    pub fn flag(&self) -> bool {
        match self.value() {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.wrong(rare!("it is to be true or false"));
                false
            }
        }
    }

    /// Yes or no at a name.
    #[inline(never)]
    pub fn flag_at(&self, name: &'static str) -> bool {
        self.get(name).flag()
    }

    /// Which of these words it is, between which there are spaces.
    #[inline(never)]
    pub fn word(&self, words: &str) -> Option<usize> {
        let found = place(words, self.text()?.as_bytes());
        if found.is_none() {
            self.wrong(rare!("there is no such word here"));
        }
        found
    }

    /// The word at a name.
    #[inline(never)]
    pub fn word_at(&self, name: &'static str, words: &str) -> Option<usize> {
        self.get(name).word(words)
    }

    /// The same, which has to be there.
    #[inline(never)]
    pub fn needed_word_at(&self, name: &'static str, words: &str) -> usize {
        self.needed(name).word(words).unwrap_or_default()
    }

    /// Some of these words in the list at a name, a bit for each.
    #[inline(never)]
    pub fn word_bits_at(&self, name: &'static str, words: &str) -> u64 {
        let mut bits = 0;
        self.each_at(name, &mut |node| {
            node.demand();
            bits |= node.word(words).map_or(0, |place| 1 << place);
        });
        bits
    }
}
