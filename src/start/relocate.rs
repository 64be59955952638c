//! Self-relocation of a static position-independent program: the kernel loads the file at a random
//! address, and each word that holds an address of the file's own must have that address added.
//!
//! # Safety
//!
//! Runs before anything else and reads only what the linker laid down for it (System V gABI,
//! "Dynamic Section"; `DT_RELR`: gABI 2022). No constant with an address in it may be used here.
#![allow(unsafe_code)]
#![allow(clippy::cast_ptr_alignment, reason = "the linker aligns what it lays down")]

/// One entry of the dynamic section: a tag and its value.
#[repr(C)]
pub struct Entry {
    tag: usize,
    value: usize,
}

/// One relocation with an explicit addend (`Elf64_Rela`). The linker gives a static program that
/// defines all of its symbols only the relative kind, so the kind in `_info` is not looked at.
#[repr(C)]
struct Rela {
    offset: usize,
    _info: usize,
    addend: usize,
}

const DT_NULL: usize = 0;
const DT_RELA: usize = 7;
const DT_RELASZ: usize = 8;
const DT_RELRSZ: usize = 35;
const DT_RELR: usize = 36;

/// Adds the load address to every word that needs it.
///
/// # Safety
///
/// `base` is where the file was loaded, `dynamic` its dynamic section; called once, first.
pub unsafe fn relocate(base: *const u8, dynamic: *const Entry) {
    let (mut listed, mut listed_bytes, mut packed, mut packed_bytes) = (0, 0, 0, 0);
    let mut entry = dynamic;
    loop {
        // SAFETY: the section is read up to its DT_NULL and no further.
        let Entry { tag, value } = unsafe { entry.read() };
        match tag {
            DT_NULL => break,
            DT_RELA => listed = value,
            DT_RELASZ => listed_bytes = value,
            DT_RELR => packed = value,
            DT_RELRSZ => packed_bytes = value,
            _ => {}
        }
        entry = entry.wrapping_add(1);
    }
    let mut at = listed;
    while at < listed.wrapping_add(listed_bytes) {
        // SAFETY: DT_RELA and DT_RELASZ bound an array of these within the file.
        let Rela { offset, addend, .. } = unsafe { base.wrapping_add(at).cast::<Rela>().read() };
        let word = base.wrapping_add(offset).cast_mut().cast::<usize>();
        // SAFETY: the linker names a writable word of the file.
        unsafe { word.write(base.addr().wrapping_add(addend)) };
        at = at.wrapping_add(size_of::<Rela>());
    }
    // SAFETY: DT_RELR and DT_RELRSZ bound the packed table within the file.
    unsafe { relocate_packed(base, packed, packed_bytes) };
}

/// The packed form: an even word is the address of a word to relocate; an odd one is a bit map of
/// which of the 63 words after the last one need it too.
///
/// # Safety
///
/// `table` and `bytes` bound a `DT_RELR` table in the file loaded at `base`.
unsafe fn relocate_packed(base: *const u8, table: usize, bytes: usize) {
    let mut word = core::ptr::null_mut::<usize>();
    let mut at = table;
    while at < table.wrapping_add(bytes) {
        // SAFETY: within the table, see above.
        let item = unsafe { base.wrapping_add(at).cast::<usize>().read() };
        if item & 1 == 0 {
            word = base.wrapping_add(item).cast_mut().cast();
            // SAFETY: the linker names a writable word of the file.
            unsafe { add_base(word, base) };
            word = word.wrapping_add(1);
        } else {
            let mut bits = item >> 1;
            let mut marked = word;
            while bits != 0 {
                if bits & 1 != 0 {
                    // SAFETY: the linker marks only writable words of the file.
                    unsafe { add_base(marked, base) };
                }
                bits >>= 1;
                marked = marked.wrapping_add(1);
            }
            word = word.wrapping_add(usize::BITS as usize - 1);
        }
        at = at.wrapping_add(size_of::<usize>());
    }
}

/// # Safety
///
/// `word` is an aligned, writable word that nobody else looks at.
unsafe fn add_base(word: *mut usize, base: *const u8) {
    // SAFETY: the caller's promise.
    let value = unsafe { word.read() };
    // SAFETY: the same.
    unsafe { word.write(value.wrapping_add(base.addr())) };
}
