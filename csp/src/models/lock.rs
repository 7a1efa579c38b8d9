//! The word of a lock that belongs to one thread until another comes.
//!
//! The barrier that every thread passes is a fence here, and the order of the owner's instructions another: what two such
//! fences order, those two do.

use super::*;
use crate::sync::word::Word;

struct Locked {
    word: Word,
    count: loom::cell::UnsafeCell<u32>,
}

// SAFETY: the count is touched by whoever has the word; `loom` sees whether that is so.
unsafe impl Send for Locked {}
// SAFETY: as above.
unsafe impl Sync for Locked {}

const OWNER: usize = 8;
const OTHERS: [usize; 2] = [16, 24];

impl Locked {
    /// Counts `by` one, under the lock.
    fn count(&self, here: usize) {
        self.word.acquire(here, Word::hurried);
        self.step();
    }

    fn step(&self) {
        // SAFETY: the word is ours.
        self.count.with_mut(|count| unsafe { *count += 1 });
        self.word.release();
    }
}

/// What has been counted in the end, where each of these threads does `what` so often.
fn explore_lock(
    threads: &'static [(usize, usize)],
    what: fn(&Locked, usize),
    bound: usize,
) -> BTreeSet<u32> {
    check(bound, move |judge| {
        let (word, count) = (Word::new(Some(OWNER)), loom::cell::UnsafeCell::new(0));
        let locked = Arc::new(Locked { word, count });
        let act = move |locked: &Locked, (here, times): (usize, usize)| {
            (0..times).for_each(|_| what(locked, here));
        };
        let others: Vec<_> = threads[1..]
            .iter()
            .map(|&other| {
                let locked = Arc::clone(&locked);
                thread::spawn(move || act(&locked, other))
            })
            .collect();
        act(&locked, threads[0]);
        others.into_iter().for_each(|other| other.join().unwrap());
        // SAFETY: the others have ended.
        judge(locked.count.with(|count| unsafe { *count }));
    })
}

#[test]
fn an_owner_and_another_take_turns() {
    let seen = explore_lock(&[(OWNER, 2), (OTHERS[0], 2)], Locked::count, 6);
    assert_eq!(seen, BTreeSet::from([4]));
}

#[test]
fn two_come_to_an_owner() {
    let seen = explore_lock(&[(OWNER, 2), (OTHERS[0], 1), (OTHERS[1], 1)], Locked::count, 3);
    assert_eq!(seen, BTreeSet::from([4]));
}

/// Nobody else can try what is the owner's.
#[test]
fn what_is_tried_in_vain_is_not_taken() {
    fn attempt(locked: &Locked, here: usize) {
        if locked.word.try_acquire(here) {
            locked.step();
        }
    }
    let seen = explore_lock(&[(OWNER, 2), (OTHERS[0], 1)], attempt, 6);
    assert_eq!(seen, BTreeSet::from([2]));
}

/// One that is fought for may be tried in vain by either.
#[test]
fn what_is_shared_is_tried_by_all() {
    fn act(locked: &Locked, here: usize) {
        if here == OTHERS[0] {
            locked.count(here);
        } else if locked.word.try_acquire(here) {
            locked.step();
        }
    }
    let seen = explore_lock(&[(OWNER, 1), (OTHERS[0], 1), (OTHERS[1], 1)], act, 3);
    assert_eq!(seen, BTreeSet::from([1, 2, 3]));
}
