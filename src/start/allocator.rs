//! The heap: chunks of anonymous memory, handed out from front to back.
//!
//! A launch allocates little and early, and needs nearly all of it until the program ends; the newest
//! piece is given back and grown in place, which is what a growing `Vec` asks for. Unpacking an image
//! allocates and frees all the time: a piece that is given back is kept for the next of its size, and
//! large ones are mapped and unmapped by themselves.
//!
//! # Safety
//!
//! A piece lies within a chunk, behind every piece handed out before, and chunks are never unmapped;
//! or it was given back, and is in no list any more; or it is a mapping of its own. A piece that was
//! given back is nobody's, so a list may write into it. The process has one thread; a child that
//! shares its memory runs while it sleeps, so that never two use the heap at once. (A launcher's does
//! not allocate, see DESIGN: between clone and exec; that of a runtime's `run` does.)
#![allow(unsafe_code)]
#![allow(clippy::cast_ptr_alignment, reason = "every piece is aligned for an address")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ffi::c_void;
use core::ptr::{NonNull, null_mut};
use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap_anonymous, mremap, munmap};

/// Address space asked for at a time; pages of it cost memory only when touched.
const CHUNK_BYTES: usize = 256 * 1024;
/// From here on, a piece is a mapping of its own.
const LARGE_BYTES: usize = 128 * 1024;
/// The pages of a mapping, at most; a piece that wants more than that is not to be had.
const ALIGN_MAX: usize = 4096;
/// Pieces are as long as a multiple of it, and so is their place in a chunk.
const GRAIN_BYTES: usize = 16;
/// Sizes that are kept apart: four to each doubling.
const CLASSES: usize = 4 * 14;

struct Heap {
    /// The first free byte, and the end of the chunk.
    free: Cell<usize>,
    end: Cell<usize>,
    /// For each size the piece that was given back last, in which the address of the one before it
    /// stands.
    returned: [Cell<usize>; CLASSES],
}

// SAFETY: one thread, see the head of this file.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap =
    Heap { free: Cell::new(0), end: Cell::new(0), returned: [const { Cell::new(0) }; CLASSES] };

/// How a piece is handed out.
struct Size {
    /// How long it really is.
    bytes: usize,
    class: usize,
}

impl Size {
    /// Rounds up by a quarter at most, so that few sizes are kept apart; None for a large one.
    fn of(layout: Layout) -> Option<Self> {
        if layout.size() >= LARGE_BYTES || layout.align() > GRAIN_BYTES {
            return None;
        }
        let wanted = layout.size().max(GRAIN_BYTES);
        let doubling = wanted.ilog2() as usize;
        let step = (1 << doubling >> 2).max(GRAIN_BYTES);
        let bytes = wanted.next_multiple_of(step);
        let doubling = bytes.ilog2() as usize;
        let quarter = bytes >> (doubling - 2) & 3;
        Some(Self { bytes, class: (doubling - 4) * 4 + quarter })
    }
}

impl Heap {
    /// Takes so many bytes from the chunk; None where they do not fit any more.
    fn take(&self, bytes: usize) -> Option<NonNull<u8>> {
        let start = self.free.get();
        let end = start.checked_add(bytes)?;
        if end > self.end.get() {
            return None;
        }
        self.free.set(end);
        NonNull::new(core::ptr::with_exposed_provenance_mut(start))
    }

    /// Maps another chunk; what was left of the last one is lost.
    fn map_chunk(&self) -> Option<()> {
        let start = map(CHUNK_BYTES)?.expose_provenance();
        self.free.set(start);
        self.end.set(start + CHUNK_BYTES);
        Some(())
    }

    /// A piece of this class that was given back.
    fn take_returned(&self, class: usize) -> Option<NonNull<u8>> {
        let last = self.returned.get(class)?;
        let piece = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(last.get()))?;
        // SAFETY: the address of the one before it was written here when it was given back.
        last.set(unsafe { piece.cast::<usize>().read() });
        Some(piece)
    }

    /// Whether the piece is the newest, and so borders on the free part.
    fn is_newest(&self, piece: *mut u8, size: &Size) -> bool {
        piece.addr() + size.bytes == self.free.get()
    }
}

fn map(bytes: usize) -> Option<*mut c_void> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: without a fixed address, the kernel picks one where nothing is.
    unsafe { mmap_anonymous(null_mut(), bytes, access, MapFlags::PRIVATE) }.ok()
}

// SAFETY: each piece is aligned, as long as asked, and no part of it is handed out twice before it
// is given back.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(size) = Size::of(layout) else {
            let fits = layout.align() <= ALIGN_MAX;
            return fits.then(|| map(layout.size())).flatten().map_or(null_mut(), <*mut _>::cast);
        };
        self.take_returned(size.class)
            .or_else(|| self.take(size.bytes))
            .or_else(|| self.map_chunk().and_then(|()| self.take(size.bytes)))
            .map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        let Some(size) = Size::of(layout) else {
            // SAFETY: a mapping of its own, of this length; nobody uses it any more.
            // A failure would only leave it mapped.
            let _ = unsafe { munmap(piece.cast(), layout.size()) };
            return;
        };
        if self.is_newest(piece, &size) {
            self.free.set(piece.addr());
        } else if let Some(last) = self.returned.get(size.class) {
            // SAFETY: a piece is aligned for it and long enough, and nobody's.
            unsafe { piece.cast::<usize>().write(last.get()) };
            last.set(piece.expose_provenance());
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: GlobalAlloc's caller guarantees that the new size makes a valid layout.
        let wanted = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        match (Size::of(layout), Size::of(wanted)) {
            (Some(had), Some(has))
                if self.is_newest(piece, &had) && has.bytes <= self.end.get() - piece.addr() =>
            {
                self.free.set(piece.addr() + has.bytes);
                return piece;
            }
            (Some(had), Some(has)) if had.class == has.class => return piece,
            (None, None) => {
                let moves = MremapFlags::MAYMOVE;
                // SAFETY: a mapping of its own, of this length, which only the caller knows.
                let grown = unsafe { mremap(piece.cast(), layout.size(), bytes, moves) };
                return grown.map_or(null_mut(), <*mut _>::cast);
            }
            _ => {}
        }
        // SAFETY: the size is not zero, by the guarantee above.
        let grown = unsafe { self.alloc(wanted) };
        if !grown.is_null() {
            let kept = layout.size().min(bytes);
            // SAFETY: both are at least `kept` long, and the new piece overlaps no other.
            unsafe { core::ptr::copy_nonoverlapping(piece, grown, kept) };
            // SAFETY: the caller gives it up.
            unsafe { self.dealloc(piece, layout) };
        }
        grown
    }
}
