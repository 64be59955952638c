//! A value of the configuration, and where it stands: each is read by way of the one that it is in, so that an
//! error can name its place, such as `linux.resources.pids.limit`.
//!
//! Reading goes on where something is wrong, with nothing in its place; the first fault is noted, and makes the
//! whole be refused in the end. So a reader is a plain list of what there is to read.

use crate::error::{Error, Why};
use crate::json::{self, Object, Value};
use crate::oci::home::FAILED;
use crate::rare::Rare;
use crate::text::Text;
use alloc::vec::Vec;
use core::cell::Cell;

/// The first thing that was wrong.
#[derive(Default)]
pub struct Faults(Cell<Option<Error<'static>>>);

impl Faults {
    /// Whether nothing was wrong.
    ///
    /// # Errors
    ///
    /// What was wrong first.
    pub fn check(&self) -> Result<(), Error<'static>> {
        self.0.get().map_or(Ok(()), Err)
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

    /// The same, which has to be there.
    #[inline(never)]
    pub fn needed<'q>(&'q self, name: &'static str) -> Node<'q> {
        let node = self.get(name);
        node.demand();
        node
    }

    /// The name that it stands at.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The value itself.
    pub fn value(&self) -> Option<&'static Value<'static>> {
        self.value
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.value.is_some()
    }

    /// Notes that it is missing, if it is.
    pub fn demand(&self) {
        if self.value.is_none() {
            self.wrong(rare!("it is missing"));
        }
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

    /// Shows the members, each with its place.
    #[inline(never)]
    pub fn each_member(&self, read: &mut dyn FnMut(&Node<'_>)) {
        for (name, value) in self.object() {
            read(&self.below(name, None, Some(value)));
        }
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

    /// Shows the values of a list, each with its place.
    #[inline(never)]
    pub fn each(&self, read: &mut dyn FnMut(&Node<'_>)) {
        for (index, value) in self.list().iter().enumerate() {
            read(&self.below("", Some(index), Some(value)));
        }
    }

    /// Shows the values of the list at a name.
    #[inline(never)]
    pub fn each_at(&self, name: &'static str, read: &mut dyn FnMut(&Node<'_>)) {
        self.get(name).each(read);
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
            node.each_member(&mut |member| {
                names.push((member.name.as_bytes(), names.len()));
                check_names(member);
            });
            twice(&mut names, |index| {
                if let Some((name, value)) = members.get(index) {
                    node.below(name, None, Some(value)).wrong(rare!("it is there twice"));
                }
            });
        }
        Some(Value::Array(_)) => node.each(&mut check_names),
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
