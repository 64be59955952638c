//! The heap: chunks of anonymous memory, handed out from front to back.
//!
//! A launch allocates little, early, and needs nearly all of it until the program ends, so only
//! the newest piece is ever given back or grown in place; that is what a growing `Vec` asks for.
//!
//! # Safety
//!
//! A piece lies within a chunk, behind every piece handed out before, and chunks are never
//! unmapped. The process has one thread; a child that shares its memory runs while it sleeps, and
//! does not allocate (DESIGN: between clone and exec).
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr::{NonNull, null_mut};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// Address space asked for at a time; pages of it cost memory only when touched.
const CHUNK_BYTES: usize = 256 * 1024;

struct Heap {
    /// The first free byte, and the end of the chunk.
    free: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: one thread, see the head of this file.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap { free: Cell::new(0), end: Cell::new(0) };

impl Heap {
    /// Takes `layout` from the chunk; None where it does not fit any more.
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        let start = self.free.get().checked_next_multiple_of(layout.align())?;
        let end = start.checked_add(layout.size())?;
        if end > self.end.get() {
            return None;
        }
        self.free.set(end);
        NonNull::new(core::ptr::with_exposed_provenance_mut(start))
    }

    /// Maps a chunk with room for `layout`; what was left of the last one is lost.
    fn map_chunk(&self, layout: Layout) -> Option<()> {
        let bytes = layout.size().checked_add(layout.align())?.max(CHUNK_BYTES);
        let flags = MapFlags::PRIVATE;
        // SAFETY: without a fixed address, the kernel picks one where nothing is.
        let chunk =
            unsafe { mmap_anonymous(null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags) };
        let start = chunk.ok()?.expose_provenance();
        self.free.set(start);
        self.end.set(start + bytes);
        Some(())
    }

    /// Whether the piece is the newest, and so borders on the free part.
    fn is_newest(&self, piece: *mut u8, layout: Layout) -> bool {
        piece.addr() + layout.size() == self.free.get()
    }
}

// SAFETY: each piece is aligned, as long as asked, and no part of it is handed out twice before it
// is given back.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout)
            .or_else(|| self.map_chunk(layout).and_then(|()| self.take(layout)))
            .map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if self.is_newest(piece, layout) {
            self.free.set(piece.addr());
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if self.is_newest(piece, layout) && bytes <= self.end.get() - piece.addr() {
            self.free.set(piece.addr() + bytes);
            return piece;
        }
        // SAFETY: GlobalAlloc's caller guarantees that the new size makes a valid layout.
        let layout_wanted = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        // SAFETY: the size is not zero, by the same guarantee.
        let grown = unsafe { self.alloc(layout_wanted) };
        if !grown.is_null() {
            let kept = layout.size().min(bytes);
            // SAFETY: both are at least `kept` long, and the new piece overlaps no other.
            unsafe { core::ptr::copy_nonoverlapping(piece, grown, kept) };
        }
        grown
    }
}
