//! The memory functions of the binary, called in the place of the C library's by this whole test.
#![cfg(target_arch = "x86_64")]
#![allow(unsafe_code, reason = "they are called as the compiler does")]

use std::ffi::{c_int, c_void};

std::arch::global_asm!(include_str!("../src/start/memory_x86_64.s"));

unsafe extern "C" {
    fn memcpy(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void;
    fn memmove(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void;
    fn memset(to: *mut c_void, byte: c_int, bytes: usize) -> *mut c_void;
    fn memcmp(one: *const c_void, other: *const c_void, bytes: usize) -> c_int;
    fn strlen(text: *const c_void) -> usize;
}

const ALL: usize = 200;

fn some(seed: usize) -> Vec<u8> {
    (0..ALL).map(|place| (place * 7 + seed) as u8).collect()
}

/// Calls this with lengths and with the places of two pieces.
fn everywhere(check: impl Fn(usize, usize, usize)) {
    for bytes in 0..100 {
        for one in 0..20 {
            (0..20).for_each(|other| check(bytes, one, other));
        }
    }
}

/// Byte by byte, by no function that is tested.
fn expected(mut whole: Vec<u8>, to: usize, piece: impl Iterator<Item = u8>) -> Vec<u8> {
    piece.enumerate().for_each(|(place, byte)| whole[to + place] = byte);
    whole
}

fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && (0..one.len()).all(|place| one[place] == other[place])
}

#[test]
fn pieces_are_copied() {
    everywhere(|bytes, to, from| {
        let (source, mut copied) = (some(3), some(90));
        let place = copied[to..].as_mut_ptr().cast();
        // SAFETY: both vectors are longer than the longest piece at the last place.
        assert_eq!(unsafe { memcpy(place, source[from..].as_ptr().cast(), bytes) }, place);
        let piece = (0..bytes).map(|place| source[from + place]);
        assert!(is_same(&copied, &expected(some(90), to, piece)), "{bytes} {to} {from}");
    });
}

#[test]
fn pieces_are_moved_over_themselves() {
    everywhere(|bytes, to, from| {
        let (before, mut moved) = (some(5), some(5));
        let start: *mut u8 = moved.as_mut_ptr();
        let [place, source] = [to, from].map(|offset| start.wrapping_add(offset).cast());
        // SAFETY: as above.
        assert_eq!(unsafe { memmove(place, source, bytes) }, place);
        let piece = (0..bytes).map(|place| before[from + place]);
        assert!(is_same(&moved, &expected(some(5), to, piece)), "{bytes} {to} {from}");
    });
}

#[test]
fn pieces_are_filled_with_the_lowest_byte() {
    everywhere(|bytes, to, byte| {
        let mut filled = some(1);
        let place = filled[to..].as_mut_ptr().cast();
        // SAFETY: as above.
        assert_eq!(unsafe { memset(place, byte as c_int + 0x3f00, bytes) }, place);
        let piece = (0..bytes).map(|_| byte as u8);
        assert!(is_same(&filled, &expected(some(1), to, piece)), "{bytes} {to} {byte}");
    });
}

#[test]
fn pieces_are_ordered_by_their_first_difference() {
    everywhere(|bytes, from, other| {
        let (one, mut changed) = (some(9), some(9));
        let place = from + bytes * other / 20;
        changed[place] ^= 0x81;
        let [left, right] = [&one, &changed].map(|whole| whole[from..].as_ptr().cast());
        // SAFETY: as above.
        let order = unsafe { memcmp(left, right, bytes) };
        let is_inside = place < from + bytes;
        let wanted = if is_inside { one[place].cmp(&changed[place]) } else { 0.cmp(&0) };
        assert_eq!(order.cmp(&0), wanted, "{bytes} {from} {place}");
    });
}

#[test]
fn a_string_ends_at_its_nul() {
    for bytes in 0..50 {
        let mut text = vec![b'x'; bytes];
        text.extend([0, b'y', 0]);
        // SAFETY: it has a NUL.
        assert_eq!(unsafe { strlen(text.as_ptr().cast()) }, bytes);
    }
}
