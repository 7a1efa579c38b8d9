//! Choice among guards of which some are away: these are offered beyond this OS process.
#![allow(unsafe_code)]

use std::panic::Location;
use std::time::Instant;

use super::among::{Choosing, Guards, Waited, all_retired, around, enabled, ended, timeout};
use super::locked::Locked;
use super::trying::{Prepared, stand};
use crate::channel::far::{Became, Beyond, Done, Doubt};
use crate::choice::guard::Tried;
use crate::commit::waiter::{Outcome, Waiter};
use crate::report::termination::Termination;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};

/// Does [`wait`](super::wait) if the channels of some guards are away. These are offered beyond this OS process, together. The `others`, if there are
/// any, stand here meanwhile, and one word of the waiter's decides between the two. A channel that is away stays away.
#[inline(never)]
#[track_caller]
pub(super) fn wait_beyond<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    start: usize,
    others: bool,
    place: &'static Location<'static>,
) -> Result<Waited, Termination> {
    if context.is_polled() {
        park::refuse_to_wait("an alternation", park::INSTEAD_OF_A_CHOICE, place);
    }
    if let Some(termination) = park::unwinding(context) {
        return Err(termination);
    }
    until_packed(context, guards);
    // Values are packed before anything is locked.
    let Some(mut beyond) = offers(context, guards, around(guards.len(), start))? else {
        return Ok(Waited::Retry);
    };
    if !others {
        let waiter = Waiter::single(context);
        let outcome = beyond.wait(&waiter, false, &Choosing { guards, place }, None);
        return concluded(context, guards, outcome, &mut beyond, None, place);
    }
    // The others are tried under their locks, as in `wait`.
    let mut later = Wakes::new();
    let (locked, live, timeout) = match prepare_others(context, guards, start, &beyond, &mut later)?
    {
        Prepared::Chosen(index) => return Ok(Waited::Chosen(index)),
        Prepared::Retry => return Ok(Waited::Retry),
        Prepared::Stand { locked, live, timeout } => (locked, live, timeout),
    };
    // None is ready: those that are not away get an offer each.
    let mixed = live > 1;
    let waiter = if mixed { Waiter::many(context, live) } else { Waiter::single(context) };
    if mixed {
        // SAFETY: all are locked, as in `wait`.
        unsafe { stand(guards, start, &waiter) };
    }
    drop(locked);
    drop(later);
    let deadline = timeout.map(|(deadline, ..)| deadline);
    let outcome = beyond.wait(&waiter, mixed, &Choosing { guards, place }, deadline);
    if mixed {
        for (_, guard) in enabled(guards) {
            guard.withdraw();
        }
    }
    concluded(context, guards, outcome, &mut beyond, timeout, place)
}

/// Locks all channels and tries the guards again that are not offered beyond this OS process. Those count as one offer.
pub(super) fn prepare_others<'a, G: Guards + ?Sized>(
    context: &'static Context,
    guards: &'a G,
    start: usize,
    beyond: &Beyond,
    later: &mut Wakes,
) -> Result<Prepared<'a>, Termination> {
    let locked = Locked::all(enabled(guards).map(|(_, guard)| guard));
    let mut live = 1;
    for index in around(guards.len(), start) {
        let Some(guard) = guards.get(index) else { continue };
        // SAFETY: all are locked.
        match unsafe { guard.attempt(later) } {
            Tried::Performed => return Ok(Prepared::Chosen(index)),
            Tried::Come => return Ok(Prepared::Retry),
            Tried::Far if !beyond.has(index) => return Ok(Prepared::Retry),
            Tried::NotReady => live += 1,
            Tried::Far | Tried::NotYet | Tried::Retired => {}
            Tried::Poisoned => {
                drop(locked);
                return Err(ended(context, [(index, guard)].into_iter()));
            }
        }
    }
    Ok(Prepared::Stand { locked, live, timeout: timeout(guards, start) })
}

/// Returns the result of a wait beyond this OS process.
fn concluded<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    outcome: Outcome,
    beyond: &mut Beyond,
    timeout: Option<(Instant, usize, usize)>,
    place: &'static Location<'static>,
) -> Result<Waited, Termination> {
    let became = beyond.became();
    match (outcome, became) {
        (Outcome::Committed(index), Became::Done(guard, done)) if Beyond::is_for(index) => {
            performed(context, guards, guard, done, place)
        }
        (Outcome::Committed(index), _) => Ok(Waited::Chosen(index as usize)),
        (Outcome::Withdrawn, _) => {
            Ok(timeout.map_or(Waited::Retry, |(.., index)| Waited::Timeout(index)))
        }
        (Outcome::Retry, _) => Ok(Waited::Retry),
        (Outcome::Ended, Became::Ended(indices, termination, doubt)) => {
            told(context, guards, &indices, termination, doubt)?;
            Err(ended(context, enabled(guards)))
        }
        (Outcome::Ended, _) => Err(ended(context, enabled(guards))),
    }
}

/// Returns whether another thread packs the values of a channel of these guards.
pub(super) fn are_packing<G: Guards + ?Sized>(guards: &G) -> bool {
    enabled(guards).any(|(_, guard)| guard.is_packing())
}

/// Waits for that.
fn until_packed<G: Guards + ?Sized>(context: &'static Context, guards: &G) {
    while are_packing(guards) {
        context.pass();
        crate::sync::spin();
    }
}

/// Returns the offers of these guards beyond this OS process, if there are any. Values are packed, which is the user's code.
pub(super) fn offers<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    indices: impl Iterator<Item = usize>,
) -> Result<Option<Beyond>, Termination> {
    let mut beyond: Option<Beyond> = None;
    for index in indices {
        if let Some(guard) = guards.get(index)
            && let Some(post) = guard.post(context).inspect_err(|end| context.met(end))?
        {
            match &mut beyond {
                Some(beyond) => beyond.add(index, post),
                None => beyond = Some(Beyond::new(guards.len(), index, post)),
            }
        }
    }
    Ok(beyond)
}

/// Does the rest for a guard that was performed beyond this OS process.
fn performed<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    index: usize,
    done: Done,
    place: &'static Location<'static>,
) -> Result<Waited, Termination> {
    let Some(guard) = guards.get(index) else { return Ok(Waited::Retry) };
    match guard.came(context, done, place) {
        Ok(true) => Ok(Waited::Done(index)),
        Ok(false) => Ok(Waited::Retry),
        Err(termination) => {
            context.met(&termination);
            Err(termination)
        }
    }
}

/// Notes that the channels of these guards have ended. Poison ends the alternation.
pub(super) fn told<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    indices: &[usize],
    termination: Termination,
    doubt: Option<Doubt>,
) -> Result<(), Termination> {
    let guards = indices.iter().filter_map(|index| guards.get(*index));
    guards.for_each(|guard| guard.told(&termination, doubt));
    context.met(&termination);
    match termination {
        Termination::Retired => Ok(()),
        Termination::Poisoned(_) => Err(termination),
    }
}

/// Chooses the guard `come`, which needs no partner, or one that is away and has its turn before it, if that has a partner.
#[cold]
pub(super) fn poll<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    start: usize,
    come: usize,
    place: &'static Location<'static>,
    live: bool,
) -> Result<usize, Termination> {
    if let Some(index) = ask(context, guards, start, come, place)? {
        return Ok(index);
    }
    if !live && all_retired(guards) {
        return Err(Termination::Retired);
    }
    context.pass();
    Ok(come)
}

/// Asks the guards that are away and have their turn before the guard `ready` whether they have a partner. Returns the one that was
/// performed.
#[cold]
pub(super) fn ask<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    start: usize,
    ready: usize,
    place: &'static Location<'static>,
) -> Result<Option<usize>, Termination> {
    if let Some(termination) = park::unwinding(context) {
        return Err(termination);
    }
    until_packed(context, guards);
    let before = around(guards.len(), start).take_while(|index| *index != ready);
    let Some(mut beyond) = offers(context, guards, before)? else { return Ok(None) };
    beyond.ask(context, &Choosing { guards, place });
    match beyond.became() {
        Became::Done(index, done) => {
            if let Waited::Done(index) = performed(context, guards, index, done, place)? {
                context.communicated();
                return Ok(Some(index));
            }
        }
        Became::Ended(indices, termination, doubt) => {
            told(context, guards, &indices, termination, doubt)?
        }
        Became::Nothing => {}
    }
    Ok(None)
}
