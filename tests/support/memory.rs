//! Counts the memory that a thread holds. Laws about memory that must not pile up use it.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

std::thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, with an account for each thread. A test program that calls [`held`] declares it as its
/// `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

/// Returns the bytes that this thread has allocated and not freed, less those it freed for others.
pub fn held() -> isize {
    HELD.get()
}

static HELD_BY_ALL: AtomicIsize = AtomicIsize::new(0);

/// Returns the bytes that all threads together have allocated and not freed.
pub fn held_by_all() -> isize {
    HELD_BY_ALL.load(Ordering::Relaxed)
}

fn count(bytes: isize) {
    HELD_BY_ALL.fetch_add(bytes, Ordering::Relaxed);
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: every call goes to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}
