//! Words, and what each stands for. The words are one text: a pointer and a length for each would take more
//! than most of them.

use super::parts;

/// Words, and the value of each.
pub struct Table<T: 'static> {
    /// With a space between them.
    words: &'static str,
    values: &'static [T],
}

/// A [`Table`]: `"word" => value` again and again.
macro_rules! table {
    ($first:literal => $its:expr, $($word:literal => $value:expr,)*) => {
        $crate::text::Table::new(concat!($first, $(" ", $word),*), &[$its, $($value),*])
    };
}
pub(crate) use table;

impl<T> Table<T> {
    /// As many words, with a space between them, as values.
    #[must_use]
    pub const fn new(words: &'static str, values: &'static [T]) -> Self {
        Self { words, values }
    }

    /// What a word stands for.
    #[must_use]
    pub fn get(&self, word: &[u8]) -> Option<&'static T> {
        self.values.get(place(self.words, word)?)
    }

    /// What the words stand for, in their order.
    #[must_use]
    pub fn values(&self) -> &'static [T] {
        self.values
    }

    /// The word for a value; empty if there is none.
    pub fn word(&self, is_it: impl Fn(&T) -> bool) -> &'static [u8] {
        self.values.iter().position(is_it).map_or(b"", |place| nth(self.words, place))
    }

    /// The words, in their order.
    pub fn words(&self) -> impl Iterator<Item = &'static [u8]> {
        parts(self.words.as_bytes(), b' ')
    }

    /// The words and their values. Each word is looked for from the first on, so this is for what is done once.
    pub fn iter(&self) -> impl Iterator<Item = (&'static [u8], &'static T)> {
        self.values.iter().enumerate().map(|(place, value)| (nth(self.words, place), value))
    }
}

/// Which of some words it is, between which there are spaces.
#[must_use]
#[inline(never)]
pub fn place(words: &str, word: &[u8]) -> Option<usize> {
    parts(words.as_bytes(), b' ').position(|known| known == word)
}

#[inline(never)]
fn nth(words: &'static str, place: usize) -> &'static [u8] {
    parts(words.as_bytes(), b' ').nth(place).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_its_value() {
        const TABLE: Table<u8> = table! { "one" => 1, "" => 0, "three" => 3, };
        let expected = [(&b"one"[..], &1), (b"", &0), (b"three", &3)];
        assert_eq!(TABLE.iter().collect::<Vec<_>>(), expected);
        for (word, value) in expected {
            assert_eq!(TABLE.get(word), Some(value));
            assert_eq!(TABLE.word(|one| one == value), word);
        }
        assert_eq!(TABLE.get(b"two"), None);
        assert_eq!(TABLE.words().count(), TABLE.values().len());
    }
}
