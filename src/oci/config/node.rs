//! A value of the configuration, and where it stands: each is read by way of the one that it is in, so that an
//! error can name its place, such as `linux.resources.pids.limit`.
//!
//! Reading goes on where something is wrong, with nothing in its place; the first fault is noted, and makes the
//! whole be refused in the end. So a reader is a plain list of what there is to read.

use crate::container::keep;
use crate::error::{Error, Why};
use crate::json::{self, Object, Value, as_number, as_str};
use crate::oci::home::FAILED;
use crate::rare::Rare;
use crate::text::{Text, wide_number};
use alloc::vec::Vec;
use core::cell::Cell;
use core::ffi::CStr;

/// The first thing that was wrong.
#[derive(Default)]
pub struct Faults(Cell<Option<Error<'static>>>);

impl Faults {
    /// What was read, if nothing was wrong.
    ///
    /// # Errors
    ///
    /// What was wrong first.
    pub fn check<T>(self, read: T) -> Result<T, Error<'static>> {
        self.0.into_inner().map_or(Ok(read), Err)
    }

    /// Notes a fault that another reader has found.
    pub fn note(&self, error: Error<'static>) {
        if self.0.get().is_none() {
            self.0.set(Some(error));
        }
    }
}

/// A value, if it is there; `null` is as good as absent.
#[derive(Clone, Copy)]
pub struct Node<'p> {
    above: Option<&'p Node<'p>>,
    name: &'static str,
    /// Its place in a list.
    index: Option<usize>,
    value: Option<&'static Value<'static>>,
    faults: &'p Faults,
}

/// Words that stand for numbers.
pub type Words = [(&'static str, u64)];

impl<'p> Node<'p> {
    /// The whole.
    pub fn top(value: &'static Value<'static>, faults: &'p Faults) -> Self {
        Self { above: None, name: "", index: None, value: Some(value), faults }
    }

    fn below<'q>(
        &'q self,
        name: &'static str,
        index: Option<usize>,
        value: Option<&'static Value<'static>>,
    ) -> Node<'q> {
        Node { above: Some(self), name, index, value, faults: self.faults }
    }

    /// The value at a name; of something that is no object, which is noted, nothing.
    #[inline(never)]
    pub fn get<'q>(&'q self, name: &'static str) -> Node<'q> {
        let value = json::get(self.object(), name).filter(|value| !json::is_null(value));
        self.below(name, None, value)
    }

    /// The value itself.
    pub fn value(&self) -> Option<&'static Value<'static>> {
        self.value
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.value.is_some()
    }

    /// The members, none if it is absent.
    #[inline(never)]
    pub fn object(&self) -> &'static Object<'static> {
        match self.value {
            None => &[],
            Some(Value::Object(members)) => members,
            Some(_) => {
                self.wrong(rare!("it is to be an object"));
                &[]
            }
        }
    }

    /// A member.
    pub fn member<'q>(&'q self, name: &'static str, value: &'static Value<'static>) -> Node<'q> {
        self.below(name, None, Some(value))
    }

    /// The values of a list, none if it is absent.
    #[inline(never)]
    pub fn list(&self) -> &'static [Value<'static>] {
        match self.value {
            None => &[],
            Some(Value::Array(values)) => values,
            Some(_) => {
                self.wrong(rare!("it is to be a list"));
                &[]
            }
        }
    }

    /// Reads each value of a list.
    pub fn each(&self, mut read: impl FnMut(&Node<'_>)) {
        for (index, value) in self.list().iter().enumerate() {
            read(&self.below("", Some(index), Some(value)));
        }
    }

    /// Notes that it is missing, if it is.
    pub fn needed(self) -> Self {
        if self.value.is_none() {
            self.wrong(rare!("it is missing"));
        }
        self
    }

    /// A text.
    #[inline(never)]
    pub fn text(&self) -> Option<&'static str> {
        let text = as_str(self.value?);
        if text.is_none() {
            self.wrong(rare!("it is to be a string"));
        }
        text
    }

    /// A text for the kernel, which ends at the first NUL.
    #[inline(never)]
    pub fn string(&self) -> Option<&'static CStr> {
        let string = keep(self.text()?.as_bytes().to_vec());
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

    /// The same, which has to be there.
    #[inline(never)]
    pub fn needed_string(&self) -> &'static CStr {
        self.needed().string().unwrap_or_default()
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

    /// All strings of a list.
    #[inline(never)]
    pub fn strings(&self) -> Vec<&'static CStr> {
        let mut strings = Vec::new();
        self.each(|node| strings.push(node.needed_string()));
        strings
    }

    /// A number from 0 up to `max`.
    #[inline(never)]
    pub fn number(&self, max: u64) -> Option<u64> {
        let number = as_number(self.value?);
        match number {
            None => self.wrong(rare!("it is to be a whole number from 0 on")),
            Some(number) if number > max => self.wrong(rare!("it is too large")),
            Some(_) => {}
        }
        number.filter(|number| *number <= max)
    }

    /// A number of 64 bits.
    pub fn wide(&self) -> Option<u64> {
        self.number(u64::MAX)
    }

    /// A number of 32 bits.
    #[inline(never)]
    pub fn small(&self) -> Option<u32> {
        self.number(u32::MAX.into()).map(|number| number as u32)
    }

    /// The same, which has to be there.
    #[inline(never)]
    pub fn needed_small(&self) -> u32 {
        self.needed().small().unwrap_or_default()
    }

    /// A number that may be below zero.
    #[inline(never)]
    pub fn signed(&self) -> Option<i64> {
        let digits = match self.value? {
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

    /// The same within bounds.
    #[inline(never)]
    pub fn between(&self, least: i64, most: i64) -> Option<i64> {
        let number = self.signed()?;
        if number < least || number > most {
            self.wrong(rare!("it is out of range"));
        }
        Some(number)
    }

    /// Yes or no; no if it is absent.
    #[inline(never)]
    pub fn flag(&self) -> bool {
        match self.value {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.wrong(rare!("it is to be true or false"));
                false
            }
        }
    }

    /// One of these words.
    #[inline(never)]
    pub fn word(&self, words: &Words) -> Option<u64> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            self.wrong(rare!("there is no such word here"));
        }
        found.map(|(_, number)| *number)
    }

    /// Some of these words, whose bits are put together.
    #[inline(never)]
    pub fn word_bits(&self, words: &Words) -> u64 {
        let mut bits = 0;
        self.each(|node| bits |= node.needed().word(words).unwrap_or_default());
        bits
    }

    /// Notes that something is wrong with it.
    #[cold]
    #[inline(never)]
    pub fn wrong(&self, why: Rare) {
        // Only the first counts, and there may be many.
        if self.faults.0.get().is_none() {
            self.note(self.error(why));
        }
    }

    /// What to say of it.
    #[cold]
    #[inline(never)]
    pub fn error(&self, why: Rare) -> Error<'static> {
        let mut place = Text::new();
        self.push_place(&mut place);
        match self.value {
            Some(Value::String(text)) if text.len() < 128 => {
                place.push(" '").push_name(text.as_bytes()).push("'");
            }
            Some(Value::Number((digits, _))) => {
                place.push(" ").push(digits);
            }
            _ => {}
        }
        let reading =
            if place.is_empty() { rare!("read config.json") } else { rare!("config.json:") };
        Error::new(reading, place.leak(), Why::Text(why), b"", FAILED)
    }

    /// Notes a fault that another reader has found.
    pub fn note(&self, error: Error<'static>) {
        self.faults.note(error);
    }

    fn push_place(&self, place: &mut Text) {
        if let Some(above) = self.above {
            above.push_place(place);
        }
        if let Some(index) = self.index {
            place.push("[").push_number(index as u64).push("]");
        } else if !self.name.is_empty() {
            place.push(if place.is_empty() { "" } else { "." });
            place.push_name(self.name.as_bytes());
        }
    }
}

/// Makes sure that no object has two members of one name, of which each reader may take another.
pub fn check_names(node: &Node<'_>) {
    match node.value {
        Some(Value::Object(members)) => {
            let mut names = Vec::with_capacity(members.len());
            for (index, (name, value)) in members.iter().enumerate() {
                names.push((name.as_bytes(), index));
                check_names(&node.member(name, value));
            }
            twice(&mut names, |index| {
                if let Some((name, value)) = members.get(index) {
                    node.member(name, value).wrong(rare!("it is there twice"));
                }
            });
        }
        Some(Value::Array(_)) => node.each(check_names),
        _ => {}
    }
}

/// Tells the places in a list, which come with its names, of all whose name comes again behind them. A list may be
/// long, so the names are compared in their order.
#[inline(never)]
pub fn twice(names: &mut [(&[u8], usize)], mut tell: impl FnMut(usize)) {
    crate::text::sort(names);
    for pair in names.windows(2) {
        if let [first, second] = pair
            && first.0 == second.0
        {
            tell(first.1);
        }
    }
}
