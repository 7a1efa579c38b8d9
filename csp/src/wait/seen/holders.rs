//! Records the holders of a channel's ends, as far as they are known for certain.
//!
//! An end is a value, and may be anywhere: in a message, in a static, with a thread that this library does not know. It
//! counts as *held* by a process only if it cannot have escaped. That is so for an argument or variable that the
//! process's function never moves, and lends only to code that cannot keep it. The macros find this out. Such an end is
//! held from then on to its drop. All other ends count as alive: somebody may use them.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::report::id::Who;

/// A thing that can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The end of a reader.
    Reader,
    /// The end of a writer.
    Writer,
    /// A handle, from which new ends can be made.
    Handle,
    /// An enrolment.
    Barrier,
}

/// A holder, and the things it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) who: Who,
    pub(crate) what: Held,
    /// Nobody else can have it. Otherwise it was last known to be there.
    pub(crate) sure: bool,
}

/// Processes of one job whose indices follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: Who,
    pub(crate) count: usize,
}

impl Run {
    pub(crate) fn of(who: Who) -> Self {
        Self { first: who, count: 1 }
    }

    /// Returns all processes that the job may have.
    pub(crate) fn of_job(job: usize) -> Self {
        Self { first: Who { job, index: 0 }, count: usize::MAX }
    }

    pub(crate) fn last(self) -> Who {
        let Who { job, index } = self.first;
        Who { job, index: index + (self.count - 1) }
    }

    /// Adds `who` if it is the next process. Returns false if it is not.
    pub(crate) fn extend(&mut self, who: Who) -> bool {
        let Who { job, index } = self.first;
        let follows = who.job == job && who.index == index + self.count;
        self.count += usize::from(follows);
        follows
    }

    /// Returns the processes that are in both.
    pub(crate) fn common(self, other: Self) -> Option<Self> {
        let (first, last) = (self.first.max(other.first), self.last().min(other.last()));
        (first <= last).then(|| Self { first, count: last.index - first.index + 1 })
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Who> {
        let Who { job, index } = self.first;
        (index..index + self.count).map(move |index| Who { job, index })
    }
}

/// Holders, those of one job together that came one after the other: a million are one entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Vec<(Run, Held, bool)>);

impl Runs {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Holder> {
        let holders = |&(run, what, sure): &(Run, Held, bool)| {
            run.iter().map(move |who| Holder { who, what, sure })
        };
        self.0.iter().flat_map(holders)
    }

    /// Returns the holders of something that nobody else can have.
    pub(crate) fn sure(&self) -> impl Iterator<Item = Run> {
        self.0.iter().filter(|(.., sure)| *sure).map(|(run, ..)| *run)
    }
}

impl FromIterator<Holder> for Runs {
    fn from_iter<I: IntoIterator<Item = Holder>>(holders: I) -> Self {
        let mut all: Vec<(Run, Held, bool)> = Vec::new();
        for Holder { who, what, sure } in holders {
            if let Some((run, of, is)) = all.last_mut()
                && (*of, *is) == (what, sure)
                && run.extend(who)
            {
                continue;
            }
            all.push((Run::of(who), what, sure));
        }
        Self(all)
    }
}

/// The holders at one channel or barrier. It is touched under the lock of that channel or barrier.
#[derive(Default)]
pub(crate) struct Holders {
    slots: Vec<Slot>,
    free: u32,
}

/// As small as can be: a million processes hold a million ends.
#[derive(Clone, Copy)]
enum Slot {
    /// A [`Holder`].
    Held { job: usize, index: u32, what: Held, sure: bool },
    /// And the one that is free after it.
    Free(u32),
}

impl Holders {
    /// Iterates over the known holders.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Holder> {
        self.slots.iter().filter_map(|slot| match *slot {
            Slot::Held { job, index, what, sure } => {
                Some(Holder { who: Who { job, index: index as usize }, what, sure })
            }
            Slot::Free(_) => None,
        })
    }

    fn put(&mut self, claim: &Claim, holder: Holder) {
        let Holder { who, what, sure } = holder;
        let index = u32::try_from(who.index).expect("no job has so many replicas");
        let held = Slot::Held { job: who.job, index, what, sure };
        match claim.slot() {
            Some(slot) => self.slots[slot] = held,
            None => {
                let slot = self.free as usize;
                match self.slots.get(slot).copied() {
                    Some(Slot::Free(next)) => {
                        self.free = next;
                        self.slots[slot] = held;
                    }
                    _ => {
                        self.slots.push(held);
                        self.free = self.slots.len() as u32;
                    }
                }
                claim.0.store(slot as u32 + 1, Ordering::Relaxed);
            }
        }
    }

    /// Removes the things that were claimed.
    #[inline(always)]
    pub(crate) fn leave(&mut self, claim: &Claim) {
        if let Some(slot) = claim.slot() {
            self.slots[slot] = Slot::Free(self.free);
            self.free = slot as u32;
        }
    }
}

/// Where an end, a handle or an enrolment stands among the [`Holders`], if it does.
#[derive(Default)]
pub(crate) struct Claim(AtomicU32);

impl Claim {
    pub(crate) const fn none() -> Self {
        Self(AtomicU32::new(0))
    }

    fn slot(&self) -> Option<usize> {
        (self.0.load(Ordering::Relaxed) as usize).checked_sub(1)
    }

    /// Makes this holder hold it from now on. The owner of the claimed thing calls this.
    pub(crate) fn by(&self, holders: &mut Holders, holder: Holder) {
        holders.put(self, holder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_used_again_and_never_twice() {
        let mut holders = Holders::default();
        let holder = |job| Holder { who: Who { job, index: 0 }, what: Held::Reader, sure: true };
        let claims: Vec<_> = (0..5).map(|_| Claim::none()).collect();
        let held = |holders: &Holders| {
            let mut jobs: Vec<_> = holders.iter().map(|holder| holder.who.job).collect();
            jobs.sort_unstable();
            jobs
        };
        for round in 0..3 {
            claims.iter().enumerate().for_each(|(job, claim)| claim.by(&mut holders, holder(job)));
            assert_eq!(held(&holders), [0, 1, 2, 3, 4], "round {round}");
        }
        holders.leave(&claims[1]);
        holders.leave(&claims[3]);
        assert_eq!(held(&holders), [0, 2, 4]);
        let others: Vec<_> = (0..3).map(|_| Claim::none()).collect();
        others.iter().zip(5..).for_each(|(claim, job)| claim.by(&mut holders, holder(job)));
        assert_eq!(held(&holders), [0, 2, 4, 5, 6, 7]);
        assert_eq!(holders.slots.len(), 6);
        holders.leave(&Claim::none());
        assert_eq!(held(&holders).len(), 6);
    }
}
