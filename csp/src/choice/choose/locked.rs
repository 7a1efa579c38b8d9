//! The locks of the guards of one alternation, held together.
#![allow(unsafe_code)]

use crate::choice::guard::Stand;
use crate::sync::{self, RawLock};

/// The locks that are held, in the order of their addresses. They are released when this is dropped.
pub(super) struct Locked<'a> {
    few: [Option<&'a dyn RawLock>; FEW],
    /// All of them, if there are more than `few`.
    many: Vec<&'a dyn RawLock>,
}

/// So many locks cost no allocation.
const FEW: usize = 8;

impl<'a> Locked<'a> {
    pub(super) fn all(guards: impl Iterator<Item = &'a dyn Stand>) -> Self {
        let mut all = Self::none();
        all.lock(guards);
        all
    }

    pub(super) const fn none() -> Self {
        Self { few: [None; FEW], many: Vec::new() }
    }

    /// Acquires the locks of the guards. It holds none yet.
    pub(super) fn lock(&mut self, guards: impl Iterator<Item = &'a dyn Stand>) {
        let all = self;
        for (count, lock) in guards.filter_map(Stand::lock).enumerate() {
            if count < FEW {
                all.insert(count, lock);
            } else {
                if count == FEW {
                    all.many.extend(all.few.iter().flatten());
                }
                all.many.push(lock);
            }
        }
        all.many.sort_unstable_by_key(|lock| sync::lock_rank(*lock));
        all.for_each(RawLock::acquire);
    }

    /// Keeps the first so many in order.
    fn insert(&mut self, count: usize, lock: &'a dyn RawLock) {
        let (mut place, rank) = (count, sync::lock_rank(lock));
        while place > 0
            && let Some(before) = self.few[place - 1]
            && sync::lock_rank(before) > rank
        {
            self.few[place] = Some(before);
            place -= 1;
        }
        self.few[place] = Some(lock);
    }

    /// Does something with each lock once, because several guards may have one channel.
    fn for_each(&self, mut act: impl FnMut(&'a dyn RawLock)) {
        let mut last = None;
        let mut once = |lock| {
            let rank = sync::lock_rank(lock);
            if last.replace(rank) != Some(rank) {
                act(lock);
            }
        };
        if self.many.is_empty() {
            self.few.iter().map_while(|lock| *lock).for_each(once);
        } else {
            self.many.iter().for_each(|lock| once(*lock));
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: acquired in `all`, released only here.
        self.for_each(|lock| unsafe { lock.release() });
    }
}
