//! System calls by name, and the number that each ABI has for them; build.rs puts the tables
//! together.

use rustix::thread::CapabilitySet;

include!(concat!(env!("OUT_DIR"), "/system_calls.rs"));

/// A system call that has a name: its place among the sorted names.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Call(u16);

/// A way to make system calls, which gives them their numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Abi {
    /// 64-bit programs on x86-64.
    X86_64,
    /// 32-bit programs on x86-64.
    X86,
    /// Programs with 64-bit registers and 32-bit pointers on x86-64; without the bit that tells
    /// their calls from the others.
    X32,
    /// 64-bit programs on aarch64.
    Aarch64,
}

impl Call {
    /// The call of this name on any architecture.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let (mut low, mut high) = (0, ENDS.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let found = Self(middle as u16).name();
            if found == name {
                return Some(Self(middle as u16));
            }
            if found < name {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        None
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static [u8] {
        let place = usize::from(self.0);
        let end_of = |place| ENDS.get(place).map_or(0, |end| usize::from(*end));
        let start = place.checked_sub(1).map_or(0, end_of);
        NAMES.as_bytes().get(start..end_of(place)).unwrap_or_default()
    }

    /// Its number; one beyond `NUMBERS_END` where the ABI does not have the call.
    pub(super) fn number(self, abi: Abi) -> usize {
        let numbers = match abi {
            Abi::X86_64 => X86_64,
            Abi::X86 => X86,
            Abi::X32 => match X32_OWN.iter().position(|own| *own == self.0) {
                Some(place) => return 512 + place,
                None => X86_64,
            },
            Abi::Aarch64 => AARCH64,
        };
        let number = numbers.get(usize::from(self.0));
        number.map_or(usize::MAX, |number| usize::from(*number))
    }

    /// All that have a name.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..ENDS.len() as u16).map(Self)
    }
}
