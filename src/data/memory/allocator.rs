//! The allocator that puts large buffers into files.
#![expect(unsafe_code, reason = "an allocator hands out memory by its address")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{LIMIT, regions};

/// Buffers from this size on can lie in files; smaller ones would pay more for it than they take.
const LARGE: usize = 4 << 20;

/// Bytes of large buffers in main memory.
static IN_MEMORY: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, until a limit holds and large buffers fill a quarter of it: further ones then lie in scratch
/// files. Where such a file cannot be made, the process ends with a sentence: nothing that it holds would be left.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spilling;

impl Spilling {
    /// `size` zeros in a file, where they belong there.
    fn spilled(&self, layout: Layout) -> Option<*mut u8> {
        let limit = LIMIT.load(Ordering::Relaxed);
        // Mappings start at pages, which are of 4 KiB and more.
        let fits = limit > 0 && layout.align() <= 4096;
        let filled = IN_MEMORY.load(Ordering::Relaxed).saturating_add(layout.size());
        if !fits || filled <= limit / 4 {
            return None;
        }
        match regions::scratch(layout.size()) {
            Ok(at) => Some(at),
            Err(error) => {
                let folder = std::env::temp_dir();
                let said = format!(
                    "cannot keep {} of rows in a scratch file in `{}`: {error}; set TMPDIR to a folder on a disk with \
                     room, or raise --memory",
                    super::Bytes(layout.size() as u64),
                    folder.display()
                );
                match super::FULL.get() {
                    Some(full) => full(&said),
                    None => std::process::abort(),
                }
            }
        }
    }
}

// SAFETY: a buffer comes from the system's allocator or is a mapping of its own, of at least its size and alignment,
// until it is given back; which of them it is, is looked up by where it starts.
unsafe impl GlobalAlloc for Spilling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc(layout) };
        }
        self.spilled(layout).unwrap_or_else(|| {
            IN_MEMORY.fetch_add(layout.size(), Ordering::Relaxed);
            // SAFETY: the caller's promise.
            unsafe { System.alloc(layout) }
        })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc_zeroed(layout) };
        }
        self.spilled(layout).unwrap_or_else(|| {
            IN_MEMORY.fetch_add(layout.size(), Ordering::Relaxed);
            // SAFETY: the caller's promise.
            unsafe { System.alloc_zeroed(layout) }
        })
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if layout.size() >= LARGE {
            if regions::forget(at) {
                return;
            }
            IN_MEMORY.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        // SAFETY: the caller's promise, and the buffer is none of a file.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.size().max(size) < LARGE {
            // SAFETY: the caller's promise.
            return unsafe { System.realloc(at, layout, size) };
        }
        // SAFETY: the caller promises that the size is one that a layout of this alignment can have.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let moves = LIMIT.load(Ordering::Relaxed) > 0 || regions::is_scratch(at);
        if !moves {
            let counted = |layout: Layout| if layout.size() < LARGE { 0 } else { layout.size() };
            IN_MEMORY.fetch_add(counted(wanted), Ordering::Relaxed);
            IN_MEMORY.fetch_sub(counted(layout), Ordering::Relaxed);
            // SAFETY: the caller's promise, and the buffer is none of a file.
            return unsafe { System.realloc(at, layout, size) };
        }
        // SAFETY: both buffers hold the bytes that are copied, and the old one is given back once.
        unsafe {
            let new = self.alloc(wanted);
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(at, new, layout.size().min(size));
                self.dealloc(at, layout);
            }
            new
        }
    }
}
