//! All channels that are alive, for the threads that look at the whole network. The list has parts. A channel's
//! part is chosen by the thread that makes it, so usually that thread alone takes the part's lock. Only the making
//! and the end of a channel touch the list.
//!
//! Invariant: a listed channel is alive, and stays so while its part is locked.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};

use crate::sync::Arc;
use crate::wait::blocked::Object;

/// A value that can be listed. The listing is the first of its fields, so the others are whole until it is
/// listed no more.
pub(crate) trait Listing: Object {
    fn listed(&self) -> &Listed;
}

/// A place in the list, until it is dropped.
pub(crate) struct Listed {
    /// Counted from 1. The value 0 means none.
    slot: AtomicU32,
    part: AtomicU32,
    scope: AtomicU32,
}

impl Listed {
    pub(crate) const fn none() -> Self {
        Self { slot: AtomicU32::new(0), part: AtomicU32::new(0), scope: AtomicU32::new(0) }
    }

    /// Returns the scope that it belongs to: see `leaks`.
    pub(crate) fn scope(&self) -> u32 {
        self.scope.load(Ordering::Relaxed)
    }
}

/// Lists a value that has just been made.
#[inline]
pub(crate) fn list<T: Listing>(made: &Arc<T>, scope: u32) {
    made.listed().scope.store(scope, Ordering::Relaxed);
    #[cfg(not(loom))]
    parts::add(&**made, made.listed(), scope);
}

/// Moves a value that is listed to another scope.
pub(crate) fn list_in_scope<T: Listing>(value: &T, scope: u32) {
    value.listed().scope.store(scope, Ordering::Relaxed);
    #[cfg(not(loom))]
    parts::set_scope(value.listed(), scope);
}

/// Shows all that are listed, each with its scope.
pub(crate) fn each(show: impl FnMut(&dyn Object, u32)) {
    #[cfg(not(loom))]
    parts::each(show);
    // In a model nobody looks.
    #[cfg(loom)]
    drop(show);
}

#[cfg(not(loom))]
impl Drop for Listed {
    fn drop(&mut self) {
        if let Some(slot) = (*self.slot.get_mut() as usize).checked_sub(1) {
            parts::remove(*self.part.get_mut() as usize, slot);
        }
    }
}

#[cfg(not(loom))]
mod parts {
    use std::ptr::NonNull;
    use std::sync::OnceLock;

    use super::{Listed, Ordering};
    use crate::sync::{Guard, Lock, here};
    use crate::wait::blocked::Object;

    const PARTS: usize = 16;

    static LIST: [OnceLock<Lock<Part>>; PARTS] = [const { OnceLock::new() }; PARTS];

    fn lock(part: usize) -> Guard<'static, Part> {
        LIST[part].get_or_init(|| Lock::owned(Part { slots: Vec::new(), free: 0 })).lock()
    }

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

    // SAFETY: it is used only under the lock of its part. The methods of `Object` take the channel's own lock and touch
    // nothing of the user's.
    unsafe impl Send for Entry {}

    pub(super) fn add(object: &dyn Object, listed: &Listed, scope: u32) {
        let object: NonNull<dyn Object + '_> = NonNull::from(object);
        // SAFETY: only the lifetime changes. It stays where it is, and its first field takes it out of the list.
        let object =
            unsafe { std::mem::transmute::<NonNull<dyn Object + '_>, NonNull<dyn Object>>(object) };
        // Threads have theirs at the ends of pages.
        let number = (here() >> 12 ^ here() >> 20) % PARTS;
        let mut part = lock(number);
        let (slot, used) = (part.free, Slot::Used(Entry { object, scope }));
        match part.slots.get_mut(slot) {
            Some(free) => {
                let Slot::Free(next) = std::mem::replace(free, used) else {
                    unreachable!("what is free is not used")
                };
                part.free = next;
            }
            None => {
                part.slots.push(used);
                part.free = part.slots.len();
            }
        }
        drop(part);
        listed.part.store(number as u32, Ordering::Relaxed);
        listed.slot.store(slot as u32 + 1, Ordering::Relaxed);
    }

    pub(super) fn set_scope(listed: &Listed, scope: u32) {
        let slot = (listed.slot.load(Ordering::Relaxed) as usize).checked_sub(1);
        let mut part = lock(listed.part.load(Ordering::Relaxed) as usize);
        if let Some(Slot::Used(entry)) = slot.and_then(|slot| part.slots.get_mut(slot)) {
            entry.scope = scope;
        }
    }

    pub(super) fn remove(part: usize, slot: usize) {
        let mut part = lock(part);
        part.slots[slot] = Slot::Free(part.free);
        part.free = slot;
    }

    pub(super) fn each(mut show: impl FnMut(&dyn Object, u32)) {
        for part in LIST.iter().filter_map(OnceLock::get) {
            for slot in &part.lock().slots {
                if let Slot::Used(Entry { object, scope }) = slot {
                    // SAFETY: it is listed, and so alive while its part is locked.
                    show(unsafe { object.as_ref() }, *scope);
                }
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::HashSet;

    use crate::Channel;

    #[test]
    fn what_is_alive_is_listed_and_nothing_else() {
        let listed = || {
            let mut names = HashSet::new();
            super::each(|channel, _| {
                names.extend(channel.name().filter(|name| name.starts_with("listed")));
            });
            names
        };
        let mut channels = 100 * Channel::<u8>::new().named("listed");
        let ends: Vec<_> = channels.iter().map(Channel::reader).collect();
        assert_eq!(listed().len(), 100);
        channels.clear();
        assert_eq!(listed().len(), 100, "an end is enough");
        drop(ends);
        assert!(listed().is_empty());
        let again = Channel::<u8>::new().named("listed again");
        assert_eq!(listed().into_iter().collect::<Vec<_>>(), ["listed again"]);
        drop(again);
    }
}
