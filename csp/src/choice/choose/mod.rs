//! Floor 6. Choice: exactly one guard is performed, whole. The others leave no trace.
//!
//! First each guard is tried alone, under its own lock. If none is ready, all their channels are locked, lower address first, and
//! tried again. If still none is ready, an offer is left at each before they are unlocked. So another process finds all the offers
//! of a waiting alternation or none. Two alternations can't miss each other, because one of them is the later to hold the locks
//! that both need. (Go locks the channels of a `select` in the same way.) A process can't meet itself either, because it looks for
//! partners only while it stands nowhere.
//!
//! By priority this is one step. A guard that is found ready has perhaps become so later than one before it, which was tried and not
//! ready. So it is not taken at once: the channels of both, and of all between, are locked together, and the first that is ready then is
//! taken. If the first guard is ready, nothing else is looked at.
//!
//! That second look is left out where no other thread has ever used the channels of the guards before it. A lock that belongs to this
//! thread says so: the first other thread takes the ownership for good, before it is in (see [`word`](crate::sync::word)). The choice
//! asks while it holds the lock of the guard that is ready. If a thread made an earlier guard ready and then this one, it took the first
//! lock before it released the second, so the answer is no. If the answer is yes, the earlier guards were not ready when it was given,
//! and this one was. That is the moment of the choice. This thread itself has changed nothing since, because the choice did not wait.
#![allow(unsafe_code)]

mod among;
mod awaited;
mod beyond;
mod futures;
mod locked;
mod trying;

use std::panic::Location;

use self::among::{Choosing, Waited, all_retired, enabled, ended};
use self::beyond::{ask, poll, wait_beyond};
use self::trying::{Passed, Prepared, prepare, stand, try_in_order};
use super::guard::{Entry, Tried};
use crate::commit::waiter::{Outcome, Waiter};
use crate::report::termination::Termination;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};

pub use self::among::Site;
pub(crate) use self::among::{Guards, Order};
pub(crate) use self::futures::{Standing, several_async};
pub use self::futures::{choose_async, first_async};

/// Chooses fairly: the guard after the last chosen comes first.
#[inline]
#[track_caller]
pub fn choose<const N: usize>(
    site: &'static Site,
    entries: [Entry<'_>; N],
) -> Result<usize, Termination> {
    let context = park::current();
    let address = site.address();
    let chosen = choose_from(context, &entries[..], context.wheels.get(address), site.place)?;
    context.wheels.set(address, chosen + 1);
    Ok(chosen)
}

/// Chooses by priority: the first guard that is ready.
#[inline]
#[track_caller]
pub fn first<const N: usize>(
    site: &'static Site,
    entries: [Entry<'_>; N],
) -> Result<usize, Termination> {
    choose_first(park::current(), &entries[..], site.place)
}

/// Tries the guards from `start` on and around. Waits if none is ready.
#[inline]
#[track_caller]
pub(crate) fn choose_from<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    start: usize,
    place: &'static Location<'static>,
) -> Result<usize, Termination> {
    choose_by::<G, false>(context, guards, start, place)
}

/// Takes the first guard that is ready. Waits if none is.
#[inline]
#[track_caller]
pub(crate) fn choose_first<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    place: &'static Location<'static>,
) -> Result<usize, Termination> {
    choose_by::<G, true>(context, guards, 0, place)
}

#[inline(always)]
#[track_caller]
fn choose_by<G: Guards + ?Sized, const PRIORITY: bool>(
    context: &'static Context,
    guards: &G,
    start: usize,
    place: &'static Location<'static>,
) -> Result<usize, Termination> {
    'anew: loop {
        let (mut live, mut far, mut asked, mut others) = (false, false, false, false);
        // So many guards have been passed since the first that may be ready by now. (One that has retired later was ready, perhaps,
        // when that one was not.)
        let mut passed = 0;
        let len = guards.len();
        let mut next = if start < len { start } else { 0 };
        // Step one: each guard alone. The loop does what `around` does, in half the instructions.
        for _ in 0..len {
            let index = next;
            next = if index + 1 == len { 0 } else { index + 1 };
            let Some(guard) = guards.get(index) else { continue };
            // It has a partner here, but others have their turn before it.
            if far && !asked && guard.is_likely() {
                asked = true;
                if let Some(index) = ask(context, guards, start, index, place)? {
                    return Ok(index);
                }
            }
            let tried = match (PRIORITY, passed > 0) {
                (false, _) => Some(guard.try_alone(context, place)),
                (true, false) => Some(guard.try_anew(context, place)),
                (true, true) => {
                    let before = Passed { guards, until: index, count: passed, waited: asked };
                    guard.try_after(context, place, &before)
                }
            };
            let (index, guard, tried) = match tried {
                Some(tried) => (index, guard, tried),
                None => match try_in_order(context, guards, index, place) {
                    Some(performed) => performed,
                    None => continue 'anew,
                },
            };
            passed += usize::from(passed > 0 || tried != Tried::Retired);
            others |= !matches!(tried, Tried::Far);
            match tried {
                Tried::NotReady => live = true,
                Tried::Far => far = true,
                Tried::Come if far => return poll(context, guards, start, index, place, live),
                Tried::NotYet | Tried::Retired => {}
                Tried::Performed => {
                    context.communicated();
                    return Ok(index);
                }
                Tried::Come if live || !all_retired(guards) => {
                    // A loop of these may wait for a process of the same thread.
                    context.pass();
                    return Ok(index);
                }
                Tried::Come => return Err(Termination::Retired),
                Tried::Poisoned => return Err(ended(context, [(index, guard)].into_iter())),
            }
        }
        // Step two: none was ready, so all channels are locked, and the process waits.
        let waited = match far {
            false => wait(context, guards, start, place)?,
            true => wait_beyond(context, guards, start, others, place)?,
        };
        // Step three: the guard that was chosen is finished. Without one all begins anew.
        match waited {
            Waited::Timeout(index) => return Ok(index),
            Waited::Done(index) => {
                context.communicated();
                return Ok(index);
            }
            Waited::Chosen(index)
                if guards.get(index).is_some_and(|guard| guard.finish(context, place)) =>
            {
                context.communicated();
                return Ok(index);
            }
            Waited::Chosen(_) | Waited::Retry => {
                if let Some(termination) = context.dismissed() {
                    return Err(termination);
                }
            }
        }
    }
}

/// Tries all guards again under all locks, and waits with an offer at each if none is ready.
#[inline(never)]
#[track_caller]
fn wait<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    start: usize,
    place: &'static Location<'static>,
) -> Result<Waited, Termination> {
    let mut later = Wakes::new();
    let (locked, live, timeout) = match prepare(context, guards, start, place, &mut later)? {
        Prepared::Chosen(index) => return Ok(Waited::Chosen(index)),
        Prepared::Retry => return Ok(Waited::Retry),
        Prepared::Stand { locked, .. } if context.is_polled() => {
            drop(locked);
            park::refuse_to_wait("an alternation", park::INSTEAD_OF_A_CHOICE, place);
        }
        Prepared::Stand { locked, live, timeout } => (locked, live, timeout),
    };
    let waiter = Waiter::many(context, live);
    // SAFETY: all are locked. The guards are borrowed and the waiter stays here until all have been withdrawn, below.
    // Nothing unwinds in between.
    unsafe { stand(guards, start, &waiter) };
    drop(locked);
    drop(later);
    let outcome = waiter.wait(&Choosing { guards, place }, timeout.map(|(deadline, ..)| deadline));
    for (_, guard) in enabled(guards) {
        guard.withdraw();
    }
    match outcome {
        Outcome::Committed(index) => Ok(Waited::Chosen(index as usize)),
        Outcome::Withdrawn => {
            Ok(timeout.map_or(Waited::Retry, |(.., index)| Waited::Timeout(index)))
        }
        Outcome::Retry => Ok(Waited::Retry),
        Outcome::Ended => Err(ended(context, enabled(guards))),
    }
}
