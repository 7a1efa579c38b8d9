//! The inbox of a thread: what other threads have put there, and how the thread sleeps until something comes.
//!
//! Invariants:
//! - One word says everything: the newest of the nodes that came, which are linked through themselves, whether the thread was
//!   called, and how it waits. So no fence decides which thread sees what.
//! - A node is in the inbox at most once. It is free again when it was taken.
//! - The thread sleeps only while nothing is there. A thread that puts something there takes `SLEEPS` away, and wakes it.
//! - While `ASLEEP` stands, the thread counts as asleep: see `quiet`. A thread that takes `ASLEEP` away has counted it as awake
//!   before. So the count is never 0 while something is there that is more than a question.
//!
//! A stack that is taken whole needs no more: nobody takes a single node, so nobody mistakes one for another that was at its place.

use std::ptr;
use std::time::Instant;

use super::futex::Bell;
use super::planted::{is_lost, is_planted};
use super::{AtomicPtr, Cell, Ordering};

/// The thread was called: something has come for it that is no node.
const CALLED: usize = 1;
/// It sleeps until the word changes, or is about to.
const SLEEPS: usize = 2;
/// It waits in another way, from which it is poked.
const POLLS: usize = 4;
/// It sleeps in another place, from which the first that comes calls it away.
const ELSEWHERE: usize = SLEEPS | POLLS;
/// It counts as asleep.
const ASLEEP: usize = 8;

/// The bits that say how the thread waits.
const WAITS: usize = SLEEPS | POLLS | ASLEEP;
const FLAGS: usize = CALLED | WAITS;

/// A value that can be put into an inbox. It is never freed, and aligned to 16 bytes or more.
pub(crate) trait Linked: Sized + 'static {
    fn link(&self) -> &Link<Self>;
}

/// The place of a node in an inbox.
pub(crate) struct Link<T: 'static> {
    /// The node that came before. Only the thread that puts the node there writes it, and then the one that takes it.
    before: Cell<Option<&'static T>>,
    #[cfg(debug_assertions)]
    is_there: std::sync::atomic::AtomicBool,
}

/// The thread that an inbox belongs to.
pub(crate) trait Keeper {
    /// Counts it as awake.
    fn wakes(&self);
    /// Counts it as asleep.
    fn falls_asleep(&self);
    /// Lets it look up from where it waits instead of sleeping.
    fn poke(&self);
    /// Calls it away from where it sleeps instead of here, or is about to. It is called once a sleep.
    fn call_away(&self);
}

pub(crate) struct Inbox<T: Linked> {
    word: AtomicPtr<T>,
    bell: Bell,
}

/// The content of an inbox, in the order in which it came.
pub(crate) struct Taken<T: Linked> {
    first: Option<&'static T>,
    /// Whether the thread was called.
    pub(crate) called: bool,
}

impl<T> Link<T> {
    pub(crate) fn new() -> Self {
        Self {
            before: Cell::new(None),
            #[cfg(debug_assertions)]
            is_there: std::sync::atomic::AtomicBool::new(false),
        }
    }

    /// Checks that nobody else has put the node into an inbox.
    #[inline(always)]
    fn comes(&self) {
        #[cfg(debug_assertions)]
        assert!(!self.is_there.swap(true, Ordering::Relaxed), "a node in an inbox twice");
    }

    #[inline(always)]
    fn goes(&self) {
        #[cfg(debug_assertions)]
        self.is_there.store(false, Ordering::Relaxed);
    }
}

impl<T: Linked> Iterator for Taken<T> {
    type Item = &'static T;

    #[inline]
    fn next(&mut self) -> Option<&'static T> {
        let node = self.first?;
        // Before it is given out, because then it may come again.
        self.first = node.link().before.take();
        node.link().goes();
        Some(node)
    }
}

/// The part for any thread.
impl<T: Linked> Inbox<T> {
    pub(crate) fn new() -> Self {
        Self { word: AtomicPtr::new(ptr::null_mut()), bell: Bell::new() }
    }

    /// Returns whether nothing is there.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.word.load(Ordering::Relaxed).addr() & !WAITS == 0
    }

    /// Returns whether a node is there.
    pub(crate) fn has_nodes(&self) -> bool {
        self.word.load(Ordering::Relaxed).addr() & !FLAGS != 0
    }

    /// Puts a node there, which is in no inbox.
    pub(crate) fn put(&self, node: &'static T, keeper: &impl Keeper) {
        node.link().comes();
        let this = ptr::from_ref(node).cast_mut();
        let late = is_planted("linked when it is there");
        let before = self.change(true, keeper, |before| {
            if !late {
                node.link().before.set(newest(before));
            }
            let kept = if is_planted("a node hides a call") { 0 } else { before.addr() & CALLED };
            this.map_addr(|this| this | kept)
        });
        if late {
            node.link().before.set(before.and_then(newest));
        }
    }

    /// Calls the thread. `wakes` says that it counts as awake from now on, because it has something to do.
    pub(crate) fn call(&self, wakes: bool, keeper: &impl Keeper) {
        let called = |before: *mut T| before.map_addr(|before| before & !WAITS | CALLED);
        self.change(wakes, keeper, called);
    }

    /// Changes what is there, and wakes the thread. Returns what was there before.
    #[inline]
    fn change(
        &self,
        wakes: bool,
        keeper: &impl Keeper,
        change: impl Fn(*mut T) -> *mut T,
    ) -> Option<*mut T> {
        let (mut before, mut counted) = (self.word.load(Ordering::Relaxed), false);
        loop {
            let waits = before.addr() & WAITS;
            // It is counted first. Else it could go on, and fall asleep again, uncounted.
            if wakes && waits & ASLEEP != 0 && !counted && !is_planted("counted after the letter") {
                keeper.wakes();
                counted = true;
            }
            if is_lost("before it is there") {
                return None;
            }
            let mut kept = waits & if wakes { POLLS } else { POLLS | ASLEEP };
            if waits & ELSEWHERE == ELSEWHERE && !is_planted("called away by each") {
                kept &= !POLLS;
            }
            let after = change(before).map_addr(|after| after | kept);
            let order =
                if is_planted("put without order") { Ordering::Relaxed } else { Ordering::AcqRel };
            match self.word.compare_exchange(before, after, order, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => before = now,
            }
        }
        if is_lost("when it is there") {
            return Some(before);
        }
        match (counted, wakes && before.addr() & ASLEEP != 0) {
            (true, false) if !is_planted("counted twice") => keeper.falls_asleep(),
            (false, true) => keeper.wakes(),
            _ => {}
        }
        if before.addr() & ELSEWHERE == ELSEWHERE {
            if !is_planted("not called away") {
                keeper.call_away();
            }
        } else if before.addr() & SLEEPS != 0 && !is_planted("not rung") {
            self.bell.ring(&self.word);
        } else if before.addr() & POLLS != 0 && !is_planted("not poked") {
            keeper.poke();
        }
        Some(before)
    }
}

/// The part for the thread that it belongs to.
impl<T: Linked> Inbox<T> {
    /// Takes everything that is there.
    #[inline(always)]
    pub(crate) fn take(&self) -> Taken<T> {
        if self.is_empty() { Taken { first: None, called: false } } else { self.take_all() }
    }

    #[inline(never)]
    fn take_all(&self) -> Taken<T> {
        let order =
            if is_planted("taken without order") { Ordering::Relaxed } else { Ordering::Acquire };
        let before = self.keep(POLLS | ASLEEP, order);
        // The first is the one that came first.
        let (mut left, mut first) = (newest(before), None);
        while let Some(node) = left {
            left = node.link().before.replace(first);
            first = Some(node);
            if is_planted("only the newest is taken") {
                break;
            }
        }
        Taken { first, called: before.addr() & CALLED != 0 }
    }

    /// Changes the word to what `change` makes of it, unless that is nothing. Returns what the word was.
    fn update(
        &self,
        order: Ordering,
        change: impl FnMut(*mut T) -> Option<*mut T>,
    ) -> Result<*mut T, *mut T> {
        self.word.fetch_update(order, Ordering::Relaxed, change)
    }

    /// Takes all out of the word except these flags. Returns what was there.
    fn keep(&self, flags: usize, order: Ordering) -> *mut T {
        let kept = |before: *mut T| Some(ptr::without_provenance_mut(before.addr() & flags));
        self.update(order, kept).unwrap_or_else(|before| before)
    }

    /// Adds a flag, if nothing is there. Returns the word then.
    fn add(&self, flag: usize) -> Option<*mut T> {
        let with = |before: *mut T| before.map_addr(|before| before | flag);
        let added = |before: *mut T| (before.addr() & !WAITS == 0).then(|| with(before));
        self.update(Ordering::AcqRel, added).ok().map(with)
    }

    /// Removes a flag. Returns whether it was there.
    fn remove(&self, flag: usize) -> bool {
        let without = |before: *mut T| before.map_addr(|before| before & !flag);
        let removed = |before: *mut T| (before.addr() & flag != 0).then(|| without(before));
        self.update(Ordering::AcqRel, removed).is_ok()
    }

    /// Returns whether the thread counts as asleep.
    pub(crate) fn is_asleep(&self) -> bool {
        self.word.load(Ordering::Relaxed).addr() & ASLEEP != 0
    }

    /// Counts the thread as asleep from now on, except if something is there. Returns whether it counts so.
    pub(crate) fn falls_asleep(&self, keeper: &impl Keeper) -> bool {
        if is_planted("counted asleep first") {
            keeper.falls_asleep();
        }
        if self.is_asleep() {
            return true;
        }
        let falls = self.add(ASLEEP).is_some();
        if falls && !is_planted("counted asleep first") {
            keeper.falls_asleep();
        }
        falls
    }

    /// Counts the thread as awake, if no other thread has done so.
    pub(crate) fn wakes(&self, keeper: &impl Keeper) {
        if self.is_asleep() {
            keeper.wakes();
            if !self.remove(ASLEEP) {
                keeper.falls_asleep();
            }
        }
    }

    /// Sleeps until something is there, or until the deadline.
    pub(crate) fn sleep(&self, deadline: Option<Instant>) {
        let Some(asleep) = self.add(SLEEPS) else { return };
        if is_planted("sleeps whatever comes") {
            return self.bell.wait(&self.word, self.word.load(Ordering::Relaxed), deadline);
        }
        while self.word.load(Ordering::Relaxed) == asleep {
            self.bell.wait(&self.word, asleep, deadline);
            if deadline.is_some_and(|deadline| cfg!(loom) || deadline <= Instant::now()) {
                if is_planted("a deadline empties it") {
                    self.keep(ASLEEP, Ordering::AcqRel);
                }
                self.remove(SLEEPS);
                return;
            }
        }
    }

    /// Sleeps by `sleep`, if nothing is there. That returns when the keeper has called the thread away, which the first that comes
    /// does. It may return before.
    pub(crate) fn sleep_by(&self, sleep: impl FnOnce()) {
        if is_planted("sleeps elsewhere whatever comes") {
            return sleep();
        }
        if self.add(ELSEWHERE).is_some() {
            sleep();
            self.remove(ELSEWHERE);
        }
    }

    /// Says that the thread waits in another way from now on, and is to be poked. Afterwards it looks whether something is there.
    pub(crate) fn polls(&self) {
        let polls = |before: *mut T| Some(before.map_addr(|before| before | POLLS));
        let _ = self.update(Ordering::AcqRel, polls);
    }

    pub(crate) fn stops_polling(&self) {
        self.remove(POLLS);
    }
}

/// Returns the node that the word holds, if there is one.
#[allow(unsafe_code)]
fn newest<T: Linked>(word: *mut T) -> Option<&'static T> {
    // SAFETY: without its flags the word is null, or was made of a reference that is good for ever.
    unsafe { word.map_addr(|word| word & !FLAGS).as_ref() }
}
