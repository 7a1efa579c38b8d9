//! How guards are tried: alone, in order at one moment, and all of them before a wait.
#![allow(unsafe_code)]

use std::panic::Location;
use std::time::Instant;

use super::among::{Guards, around, enabled, ended, timeout};
use super::locked::Locked;
use crate::choice::guard::{self, Before, Stand, Tried};
use crate::commit::waiter::Waiter;
use crate::report::termination::{Cause, Poison, Termination};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};

/// The guards before another one.
pub(super) struct Passed<'a, G: ?Sized> {
    pub(super) guards: &'a G,
    pub(super) until: usize,
    /// So many of them may be ready by now.
    pub(super) count: usize,
    /// Other processes of this thread have perhaps run meanwhile.
    pub(super) waited: bool,
}

impl<G: Guards + ?Sized> Before for Passed<'_, G> {
    #[inline]
    fn are_alone(&self) -> bool {
        !self.waited
            && (0..self.until).all(|index| self.guards.get(index).is_none_or(Stand::is_alone))
    }

    #[inline]
    fn is_one(&self) -> bool {
        self.count == 1
    }
}

/// Tries all guards up to this one, which seems to be ready, at one moment. The first that is ready then is performed. Returns `None` if
/// a partner could not keep its word. Then all is as before.
#[inline(never)]
pub(super) fn try_in_order<'a, G: Guards + ?Sized>(
    context: &'static Context,
    guards: &'a G,
    last: usize,
    place: &'static Location<'static>,
) -> Option<(usize, &'a dyn Stand, Tried)> {
    let (index, tried) = attempt_locked(guards, last);
    let guard = guards.get(index)?;
    (tried != Tried::Performed || guard.finish(context, place)).then_some((index, guard, tried))
}

/// Tries a guard under its own lock, and does not finish it.
pub(super) fn attempt_alone(guard: &dyn Stand) -> Tried {
    let (lock, mut later) = (guard.lock(), Wakes::new());
    if let Some(lock) = lock {
        lock.acquire();
    }
    // SAFETY: its lock is held.
    let tried = unsafe { guard.attempt(&mut later) };
    if let Some(lock) = lock {
        // SAFETY: acquired above.
        unsafe { lock.release() };
    }
    drop(later);
    tried
}

/// Tries all guards up to this one, at one moment, if this one seems to be ready. Returns the result of the first that is ready, or of this
/// one. So many guards before it have been `passed`.
pub(super) fn attempt_in_order<G: Guards + ?Sized>(
    guards: &G,
    last: usize,
    passed: usize,
) -> (usize, Tried) {
    match guards.get(last).map_or(Tried::NotReady, guard::look) {
        Tried::Performed => attempt_locked(guards, last),
        // It was ready when the only one before it was not.
        Tried::Come if passed > 1 => attempt_locked(guards, last),
        seen => (last, seen),
    }
}

/// Tries all guards up to this one while all their channels are locked.
#[inline(never)]
fn attempt_locked<G: Guards + ?Sized>(guards: &G, last: usize) -> (usize, Tried) {
    let up_to_last = || enabled(guards).take_while(|(index, _)| *index <= last);
    // In its place, because it is large.
    let mut locked = Locked::none();
    locked.lock(up_to_last().map(|(_, guard)| guard));
    let (mut found, mut later) = ((last, Tried::NotReady), Wakes::new());
    for (index, guard) in up_to_last() {
        // SAFETY: all are locked.
        let tried = unsafe { guard.attempt(&mut later) };
        if index == last || matches!(tried, Tried::Performed | Tried::Come | Tried::Poisoned) {
            found = (index, tried);
            break;
        }
    }
    drop(locked);
    drop(later);
    found
}

/// The thing left to do while all channels are locked, because no guard is ready.
pub(super) enum Prepared<'a> {
    Chosen(usize),
    Retry,
    /// To stand with so many offers, until this time.
    Stand {
        locked: Locked<'a>,
        live: u32,
        timeout: Option<(Instant, usize, usize)>,
    },
}

/// Locks all channels and tries all guards again. Strangers are woken `later`, when no channel is locked.
#[inline(always)]
pub(super) fn prepare<'a, G: Guards + ?Sized>(
    context: &'static Context,
    guards: &'a G,
    start: usize,
    place: &'static Location<'static>,
    later: &mut Wakes,
) -> Result<Prepared<'a>, Termination> {
    if let Some(termination) = park::unwinding(context) {
        return Err(termination);
    }
    let locked = Locked::all(enabled(guards).map(|(_, guard)| guard));
    let (mut live, mut retired) = (0, false);
    for index in around(guards.len(), start) {
        let Some(guard) = guards.get(index) else { continue };
        // SAFETY: all are locked.
        match unsafe { guard.attempt(later) } {
            Tried::Performed => return Ok(Prepared::Chosen(index)),
            Tried::Come | Tried::Far => return Ok(Prepared::Retry),
            Tried::NotReady => live += 1,
            Tried::NotYet => {}
            Tried::Retired => retired = true,
            Tried::Poisoned => {
                drop(locked);
                return Err(ended(context, [(index, guard)].into_iter()));
            }
        }
    }
    if live == 0 && retired {
        return Err(Termination::Retired);
    }
    let timeout = timeout(guards, start);
    if live == 0 && timeout.is_none() {
        drop(locked);
        return Err(no_guard(context, place));
    }
    Ok(Prepared::Stand { locked, live, timeout })
}

/// Leaves an offer at each.
///
/// # Safety
/// All are locked. Guards and waiter stay where they are until the guards are withdrawn.
#[inline(always)]
pub(super) unsafe fn stand<G: Guards + ?Sized>(guards: &G, start: usize, waiter: &Waiter) {
    // They stand in the order of their turns, because several may stand in one queue, where the first is served first.
    for index in around(guards.len(), start) {
        let Some(guard) = guards.get(index) else { continue };
        // SAFETY: the caller's promise.
        unsafe { guard.stand(waiter, index as u32) };
    }
}

#[cold]
fn no_guard(context: &'static Context, place: &'static Location<'static>) -> Termination {
    let poison = Poison::new(Cause::NoGuard { process: context.path(), place: place.to_string() });
    context.stop(poison.clone());
    Termination::Poisoned(poison)
}
