//! Choice: exactly one guard is performed, whole; the others leave no trace.
//!
//! First each guard is tried alone, under its own lock. If none is ready, all their channels are locked, lower
//! address first, and tried again; if still none is ready, an offer is left at each before they are unlocked.
//! So whoever comes finds all the offers of a waiting alternation or none, and two alternations can't miss
//! each other: one of them is the later to hold the locks that both need. (Go locks the channels of a `select`
//! in the same way.) Nor can a process meet itself: it looks for partners only while it stands nowhere.
#![allow(unsafe_code)]

use std::fmt;
use std::panic::Location;

use crate::guard::{Entry, Stand, Tried};
use crate::park::{self, Blocked, Context};
use crate::sync::RawLock;
use crate::termination::{Cause, Poison, Termination};
use crate::waiter::{Outcome, Waiter};

/// A place in the code where a choice is made: what fairness is remembered by.
#[derive(Debug)]
pub struct Site {
    place: &'static Location<'static>,
}

impl Site {
    /// The place of the call.
    #[track_caller]
    pub const fn new() -> Self {
        Self { place: Location::caller() }
    }

    fn address(&'static self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl Default for Site {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

/// Fair choice: the one after the last chosen comes first.
#[inline]
pub fn choose<const N: usize>(
    site: &'static Site,
    entries: [Entry<'_>; N],
) -> Result<usize, Termination> {
    let context = park::current();
    let address = site.address();
    let chosen = choose_from(context, &entries, context.wheels.get(address), site.place)?;
    context.wheels.set(address, chosen + 1);
    Ok(chosen)
}

/// Choice by priority: the first that is ready.
#[inline]
pub fn first<const N: usize>(
    site: &'static Site,
    entries: [Entry<'_>; N],
) -> Result<usize, Termination> {
    choose_from(park::current(), &entries, 0, site.place)
}

/// The indices of `entries`, from `start` on and around.
#[inline(always)]
fn around(len: usize, start: usize) -> impl Iterator<Item = usize> {
    let start = if start < len { start } else { 0 };
    (start..len).chain(0..start)
}

/// Tries the guards from `start` on and around; waits if none is ready.
#[inline]
pub(crate) fn choose_from(
    context: &'static Context,
    entries: &[Entry<'_>],
    start: usize,
    place: &'static Location<'static>,
) -> Result<usize, Termination> {
    loop {
        let mut tried = None;
        for index in around(entries.len(), start) {
            let Some(guard) = entries[index].0 else { continue };
            match guard.try_now() {
                Tried::NotReady | Tried::Retired => {}
                Tried::Performed => {
                    tried = Some(index);
                    break;
                }
                Tried::Poisoned => return Err(ended(context, [guard].into_iter())),
            }
        }
        let index = match tried {
            Some(index) => index,
            None => match wait(context, entries, start, place)? {
                Some(index) => index,
                None => continue,
            },
        };
        if entries[index].0.is_some_and(|guard| guard.finish(context, place)) {
            context.communicated();
            return Ok(index);
        }
    }
}

/// Locks held, distinct, in the order of their addresses; released when dropped.
struct Locked<'a> {
    locks: Vec<&'a dyn RawLock>,
}

impl<'a> Locked<'a> {
    fn all(guards: impl Iterator<Item = &'a dyn Stand>) -> Self {
        let address = |lock: &&dyn RawLock| std::ptr::from_ref(*lock).addr();
        let mut locks: Vec<_> = guards.filter_map(Stand::lock).collect();
        locks.sort_unstable_by_key(address);
        locks.dedup_by_key(|lock| address(lock));
        for lock in &locks {
            lock.acquire();
        }
        Self { locks }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        for lock in &self.locks {
            // SAFETY: acquired in `all`, released only here.
            unsafe { lock.release() };
        }
    }
}

/// None: a partner did not keep its word; all is as before.
#[inline(never)]
fn wait(
    context: &'static Context,
    entries: &[Entry<'_>],
    start: usize,
    place: &'static Location<'static>,
) -> Result<Option<usize>, Termination> {
    if let Some(termination) = park::unwinding(context) {
        return Err(termination);
    }
    let guards = || entries.iter().filter_map(|entry| entry.0);
    let locked = Locked::all(guards());
    let (mut live, mut retired) = (0, false);
    for index in around(entries.len(), start) {
        let Some(guard) = entries[index].0 else { continue };
        // SAFETY: all are locked.
        match unsafe { guard.attempt() } {
            Tried::Performed => return Ok(Some(index)),
            Tried::NotReady => live += u32::from(guard.lock().is_some()),
            Tried::Retired => retired = true,
            Tried::Poisoned => {
                drop(locked);
                return Err(ended(context, [guard].into_iter()));
            }
        }
    }
    let timeout = entries
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| Some((entry.0?.deadline()?, index)))
        .min_by_key(|&(deadline, index)| (deadline, around_rank(entries.len(), start, index)));
    if live == 0 && retired {
        context.met(&Termination::Retired);
        return Err(Termination::Retired);
    }
    if live == 0 && timeout.is_none() {
        drop(locked);
        return Err(no_guard(context, place));
    }
    let waiter = Waiter::many(context, live);
    for (index, guard) in entries.iter().enumerate().filter_map(|(i, entry)| Some((i, entry.0?))) {
        // SAFETY: all are locked. The guards are borrowed and the waiter is pinned here until all have been
        // withdrawn, below; nothing unwinds in between.
        unsafe { guard.stand(&waiter, index as u32) };
    }
    drop(locked);
    let outcome = waiter.wait(&Choosing { entries, place }, timeout.map(|(deadline, _)| deadline));
    for guard in guards() {
        guard.withdraw();
    }
    match outcome {
        Outcome::Committed(index) => Ok(Some(index as usize)),
        Outcome::Withdrawn => Ok(timeout.map(|(_, index)| index)),
        Outcome::Retry => Ok(None),
        Outcome::Ended => Err(ended(context, guards())),
    }
}

/// How far behind `start` a guard has its turn.
fn around_rank(len: usize, start: usize, index: usize) -> usize {
    if start < len { (index + len - start) % len } else { index }
}

/// A waiting alternation has ended: one of its channels was poisoned, or all have retired.
fn ended<'a>(context: &Context, guards: impl Iterator<Item = &'a dyn Stand>) -> Termination {
    let mut terminations = guards.filter_map(Stand::ended);
    let poison = terminations.find(|termination| termination.poison().is_some());
    let termination = poison.unwrap_or(Termination::Retired);
    context.met(&termination);
    termination
}

#[cold]
fn no_guard(context: &Context, place: &'static Location<'static>) -> Termination {
    let poison = Poison::new(Cause::NoGuard { process: context.path(), place: place.to_string() });
    context.stop(poison.clone());
    Termination::Poisoned(poison)
}

/// A process at an alternation.
struct Choosing<'a> {
    entries: &'a [Entry<'a>],
    place: &'static Location<'static>,
}

impl Blocked for Choosing<'_> {
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "alternation at {} of", self.place)?;
        for (index, entry) in self.entries.iter().enumerate() {
            write!(f, "{} {entry:?}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
