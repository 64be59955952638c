//! Sorting, in little code.

/// Sorts in place: a heap with the largest in front, which goes to the end. What `core` has is quicker,
/// and thirty times as long.
pub fn sort<T: Ord>(list: &mut [T]) {
    for place in (0..list.len() / 2).rev() {
        sift(list, place);
    }
    for end in (1..list.len()).rev() {
        list.swap(0, end);
        sift(list.get_mut(..end).unwrap_or_default(), 0);
    }
}

/// Lets what is at `place` sink below all that is larger.
fn sift<T: Ord>(heap: &mut [T], mut place: usize) {
    loop {
        let mut largest = place;
        for child in [2 * place + 1, 2 * place + 2] {
            // What is not there is less than anything.
            if heap.get(child) > heap.get(largest) {
                largest = child;
            }
        }
        if largest == place {
            return;
        }
        heap.swap(place, largest);
        place = largest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_every_length_are_sorted() {
        let mut seed = 1_u32;
        for length in 0..200 {
            let mut next = || {
                seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12345);
                seed >> 16 & 63
            };
            let mut list: Vec<u32> = (0..length).map(|_| next()).collect();
            let mut expected = list.clone();
            expected.sort_unstable();
            sort(&mut list);
            assert_eq!(list, expected);
        }
    }
}
