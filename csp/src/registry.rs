//! All channels that are alive, for those who look at the whole network. In parts, so that threads that make channels seldom
//! wait for one another; nothing but the making and the end of a channel touches it.
//!
//! Invariant: what is listed is alive, and stays so while its part is locked.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::blocked::Object;

const PARTS: usize = 16;

static LIST: [Mutex<Part>; PARTS] =
    [const { Mutex::new(Part { slots: Vec::new(), free: 0 }) }; PARTS];

struct Part {
    slots: Vec<Slot>,
    free: usize,
}

enum Slot {
    Used(Entry),
    /// And the one that is free after it.
    Free(usize),
}

struct Entry {
    object: NonNull<dyn Object>,
    scope: u32,
}

// SAFETY: it is used under the lock of its part only, and what `Object` tells takes the channel's own lock and touches nothing
// of the user's.
unsafe impl Send for Entry {}

/// What can be listed: of its fields that is the first, so that the rest is whole until it is listed no more.
pub(crate) trait Listing: Object {
    fn listed(&self) -> &Listed;
}

/// A place in the list, until it is dropped.
pub(crate) struct Listed {
    /// Of the slot, counted from 1; 0: none.
    slot: AtomicU32,
    part: AtomicU32,
    scope: AtomicU32,
}

impl Listed {
    pub(crate) const fn none() -> Self {
        Self { slot: AtomicU32::new(0), part: AtomicU32::new(0), scope: AtomicU32::new(0) }
    }

    /// Whose it is: see `leaks`.
    pub(crate) fn scope(&self) -> u32 {
        self.scope.load(Ordering::Relaxed)
    }
}

/// Lists what has just been made.
pub(crate) fn list<T: Listing>(made: &Arc<T>, scope: u32) {
    let listed = made.listed();
    listed.scope.store(scope, Ordering::Relaxed);
    if cfg!(loom) {
        return;
    }
    let object: NonNull<dyn Object + '_> = NonNull::from(&**made);
    // SAFETY: only the lifetime changes. It stays where it is, and its first field takes it out of the list.
    let object =
        unsafe { std::mem::transmute::<NonNull<dyn Object + '_>, NonNull<dyn Object>>(object) };
    let address = Arc::as_ptr(made).addr();
    let number = (address >> 6 ^ address >> 12) % PARTS;
    let mut part = lock(number);
    let (slot, used) = (part.free, Slot::Used(Entry { object, scope }));
    match part.slots.get(slot) {
        Some(Slot::Free(next)) => {
            part.free = *next;
            part.slots[slot] = used;
        }
        _ => {
            part.slots.push(used);
            part.free = part.slots.len();
        }
    }
    listed.part.store(number as u32, Ordering::Relaxed);
    listed.slot.store(slot as u32 + 1, Ordering::Relaxed);
}

impl Drop for Listed {
    fn drop(&mut self) {
        let Some(slot) = (*self.slot.get_mut() as usize).checked_sub(1) else { return };
        let mut part = lock(*self.part.get_mut() as usize);
        part.slots[slot] = Slot::Free(part.free);
        part.free = slot;
    }
}

/// Shows all that are listed, each with its scope.
pub(crate) fn each(mut show: impl FnMut(&dyn Object, u32)) {
    for number in 0..PARTS {
        for slot in &lock(number).slots {
            if let Slot::Used(Entry { object, scope }) = slot {
                // SAFETY: it is listed, and so alive while its part is locked.
                show(unsafe { object.as_ref() }, *scope);
            }
        }
    }
}

fn lock(number: usize) -> MutexGuard<'static, Part> {
    LIST[number].lock().unwrap_or_else(PoisonError::into_inner)
}
