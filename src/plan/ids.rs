//! The id maps of a user namespace, as the kernel reads them: lines of the first id inside, the first
//! outside, and how many; `user_namespaces(7)`.

use crate::container::{IdMap, IdRange};
use crate::text::Text;

/// A map of the caller's own id.
#[must_use]
pub fn own(inside: u32, outside: u32) -> &'static [u8] {
    lines(&[IdRange { inside, outside, count: 1 }])
}

/// The map that is asked for; the caller's own id is mapped to `inside`.
#[must_use]
pub fn ranges(map: &IdMap, inside: u32, caller: u32) -> &'static [u8] {
    match map {
        IdMap::Own | IdMap::Auto => own(inside, caller),
        IdMap::Ranges(ranges) => lines(ranges),
    }
}

/// Whether the map is of one id alone, the caller's, which everybody may map.
#[must_use]
pub fn is_own(map: &IdMap, caller: u32) -> bool {
    match map {
        IdMap::Ranges(ranges) => {
            matches!(ranges, [range] if range.count == 1 && range.outside == caller)
        }
        _ => true,
    }
}

/// Whether the map makes the caller this one inside, from the beginning.
#[must_use]
pub fn maps_caller(map: &IdMap, inside: u32, caller: u32, is_privileged: bool) -> bool {
    match map {
        IdMap::Ranges(ranges) => {
            let is_it = ranges.first().is_some_and(|range| range.inside == inside);
            !is_privileged && is_own(map, caller) && is_it
        }
        _ => matches!(map, IdMap::Own),
    }
}

/// Who sets the namespace up: root inside if there is one, or else the first that there is.
#[must_use]
pub fn first(map: &IdMap) -> u32 {
    match map {
        IdMap::Ranges(ranges) if !ranges.iter().any(|range| range.inside == 0) => {
            ranges.first().map_or(0, |range| range.inside)
        }
        _ => 0,
    }
}

/// What an id inside is outside.
#[must_use]
pub fn outside(ranges: &[IdRange], id: u32) -> Option<u32> {
    ranges.iter().find_map(|range| {
        let place = id.checked_sub(range.inside).filter(|place| *place < range.count)?;
        range.outside.checked_add(place)
    })
}

/// Whether there is such an id inside.
#[must_use]
pub fn has(map: &IdMap, id: u32) -> bool {
    matches!(map, IdMap::Ranges(ranges) if outside(ranges, id).is_some())
}

/// The lines of a map.
#[must_use]
pub fn lines(ranges: &[IdRange]) -> &'static [u8] {
    let mut text = Text::new();
    for range in ranges {
        text.push_number(range.inside.into()).push(" ").push_number(range.outside.into());
        text.push(" ").push_number(range.count.into()).push("\n");
    }
    text.leak()
}
