//! The word of a lock that belongs to one thread until another comes, and the state that one thread
//! shows to others.
//!
//! The barrier that every thread passes is modelled as a fence here, and the order of the owner's
//! instructions as another. Any order that two such fences establish, the real ones establish too.

use super::*;
use crate::sync::{shown::Shown, word::Word};

/// A mistake, and a model that finds it.
const MISTAKES: [(&str, &str); 5] = [
    ("no barrier behind the marks", "one_takes_both_from_an_owner"),
    ("no wait for the mark", "one_takes_both_from_an_owner"),
    ("no barrier at a mark", "one_takes_both_and_another_comes"),
    // The owner gives up its word and does not take it as others do.
    ("given up beside another", "an_owner_gives_up_and_another_comes"),
    // The first word is held while the thread waits for the second.
    ("held over the barrier", "one_takes_both_from_an_owner_that_chooses"),
];

struct Locked {
    word: Word,
    count: loom::cell::UnsafeCell<u32>,
}

// SAFETY: the count is touched by the holder of the word only. `loom` checks that.
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

/// Returns the counts that are possible in the end. Each of these threads does `what` the given
/// number of times.
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
        // SAFETY: the other threads have ended.
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

/// The owner gives up its word after the first time.
fn count_and_give_up(locked: &Locked, here: usize) {
    locked.count(here);
    locked.word.give_up(here);
}

#[test]
fn an_owner_gives_up_and_another_comes() {
    let seen = explore_lock(&[(OWNER, 2), (OTHERS[0], 2)], count_and_give_up, 6);
    assert_eq!(seen, BTreeSet::from([4]));
}

#[test]
fn an_owner_gives_up_and_two_come() {
    let threads = &[(OWNER, 2), (OTHERS[0], 1), (OTHERS[1], 1)];
    assert_eq!(explore_lock(threads, count_and_give_up, 3), BTreeSet::from([4]));
}

/// Two locks of one owner.
type Both = [Locked; 2];

/// Takes both locks from their owner with one barrier, and counts under each.
fn take_both(both: &Both, here: usize) {
    if is_planted("held over the barrier") {
        both[1].word.acquire(here, Word::hurried);
        both[0].word.acquire(here, Word::hurried);
        return both.iter().for_each(Locked::step);
    }
    let marked = both.each_ref().map(|locked| locked.word.mark());
    if !is_planted("no barrier behind the marks") {
        fence(Ordering::SeqCst);
    }
    for (locked, marked) in both.iter().zip(marked) {
        if marked {
            locked.word.finish(here);
        }
    }
    count_each(both, here);
}

fn count_each(both: &Both, here: usize) {
    both.iter().for_each(|locked| locked.count(here));
}

/// Holds both locks at once, in their order.
fn count_at_once(both: &Both, here: usize) {
    both.iter().for_each(|locked| locked.word.acquire(here, Word::hurried));
    both.iter().for_each(Locked::step);
}

type Act = fn(&Both, usize);

/// The first of these threads owns both locks. Each of the others does its part once.
fn explore_both(owner: Act, others: &'static [Act], bound: usize) -> BTreeSet<[u32; 2]> {
    check(bound, move |judge| {
        let locked =
            || Locked { word: Word::new(Some(OWNER)), count: loom::cell::UnsafeCell::new(0) };
        let both = Arc::new([locked(), locked()]);
        let threads: Vec<_> = others
            .iter()
            .zip(OTHERS)
            .map(|(act, here)| {
                let both = Arc::clone(&both);
                thread::spawn(move || act(&both, here))
            })
            .collect();
        owner(&both, OWNER);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // SAFETY: the other threads have ended.
        judge(both.each_ref().map(|locked| locked.count.with(|count| unsafe { *count })));
    })
}

#[test]
fn one_takes_both_from_an_owner() {
    let twice: Act = |both, here| (0..2).for_each(|_| count_each(both, here));
    assert_eq!(explore_both(twice, &[take_both], 4), BTreeSet::from([[3, 3]]));
}

#[test]
fn one_takes_both_from_an_owner_that_chooses() {
    let twice: Act = |both, here| (0..2).for_each(|_| count_at_once(both, here));
    assert_eq!(explore_both(twice, &[take_both], 4), BTreeSet::from([[3, 3]]));
}

#[test]
fn one_takes_both_from_an_owner_that_gives_up() {
    let gives_up: Act = |both, here| {
        both.iter().for_each(|locked| count_and_give_up(locked, here));
        count_each(both, here);
    };
    assert_eq!(explore_both(gives_up, &[take_both], 4), BTreeSet::from([[3, 3]]));
}

#[test]
fn one_takes_both_and_another_comes() {
    assert_eq!(explore_both(count_each, &[take_both, count_each], 3), BTreeSet::from([[3, 3]]));
}

#[test]
fn two_take_both_from_an_owner() {
    assert_eq!(explore_both(count_each, &[take_both, take_both], 2), BTreeSet::from([[3, 3]]));
}

#[test]
fn each_mistake_is_found() {
    all_are_found(module_path!(), &MISTAKES);
}

/// Lets one thread change the state so often, while others look at it.
fn explore_shown(changes: u32, looks: usize, lookers: usize, bound: usize) -> BTreeSet<Vec<u32>> {
    struct There(Shown<[u32; 2]>);
    // SAFETY: the other threads only look.
    unsafe impl Sync for There {}

    check(bound, move |judge| {
        let there = Arc::new(There(Shown::new([0; 2])));
        let others: Vec<_> = (0..lookers)
            .map(|_| {
                let there = Arc::clone(&there);
                thread::spawn(move || -> Vec<_> {
                    (0..looks).map(|_| there.0.look(|&[one, two]| (one, two))).collect()
                })
            })
            .collect();
        for n in 1..=changes {
            assert_eq!(there.0.mine(|shown| shown[0]), n - 1);
            assert_eq!(there.0.replace([n; 2]), [n - 1; 2]);
        }
        let seen = others.into_iter().flat_map(|other| {
            let seen = other.join().unwrap();
            assert!(seen.is_sorted() && seen.iter().all(|(one, two)| one == two));
            seen.into_iter().map(|(one, _)| one)
        });
        judge(seen.collect());
    })
}

#[test]
fn one_looks_at_what_changes() {
    let seen = explore_shown(2, 2, 1, 6);
    let all = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]].map(|seen| seen.to_vec());
    assert_eq!(seen, BTreeSet::from(all));
}

#[test]
fn two_look_at_what_changes() {
    let seen = explore_shown(2, 1, 2, 3);
    assert_eq!(seen, (0..9).map(|both| vec![both / 3, both % 3]).collect());
}

/// The result of a choice by priority between two guards with a lock each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    First,
    /// No other thread had used the lock of the first.
    Second,
    /// The second is ready, and perhaps the first was ready before it.
    Unsure,
    Nothing,
}

/// One thread makes both guards ready, the first one first. The owner of the first lock chooses meanwhile.
fn choices(second_is_owned: bool) -> BTreeSet<Came> {
    let locked = |owner| Locked { word: Word::new(owner), count: loom::cell::UnsafeCell::new(0) };
    check(6, move |judge| {
        let both = Arc::new([locked(Some(OWNER)), locked(second_is_owned.then_some(OWNER))]);
        let other = Arc::clone(&both);
        let other = thread::spawn(move || other.each_ref().map(|locked| locked.count(OTHERS[0])));
        let [first, second] = &*both;
        let is_ready = |locked: &Locked| {
            locked.word.acquire(OWNER, Word::hurried);
            // SAFETY: the word is ours.
            locked.count.with(|count| unsafe { *count > 0 })
        };
        let mut came = Came::Nothing;
        if is_ready(first) {
            came = Came::First;
        }
        first.word.release();
        if came == Came::Nothing {
            if is_ready(second) {
                came = if first.word.is_alone(OWNER) { Came::Second } else { Came::Unsure };
            }
            second.word.release();
        }
        other.join().unwrap();
        judge(came);
    })
}

#[test]
fn an_owner_that_finds_the_second_ready_knows_of_a_thread_at_the_first() {
    for second_is_owned in [true, false] {
        let seen = choices(second_is_owned);
        assert_eq!(seen, BTreeSet::from([Came::First, Came::Unsure, Came::Nothing]));
    }
}
