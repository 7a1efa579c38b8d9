//! Choice: exactly one guard is performed, whole; the others leave no trace.
//!
//! First each guard is tried alone, under its own lock. If none is ready, all their channels are locked, lower
//! address first, and tried again; if still none is ready, an offer is left at each before they are unlocked.
//! So whoever comes finds all the offers of a waiting alternation or none, and two alternations can't miss
//! each other: one of them is the later to hold the locks that both need. (Go locks the channels of a `select`
//! in the same way.) Nor can a process meet itself: it looks for partners only while it stands nowhere.
#![allow(unsafe_code)]

mod awaited;

use std::cell::LazyCell;
use std::panic::Location;
use std::time::Instant;

pub(crate) use self::awaited::{Standing, one_async};
pub use self::awaited::{choose_async, first_async};

use crate::backend::away::{Became, Beyond, Done};
use crate::blocked::{Blocked, Want};
use crate::guard::{Entry, Stand, Tried};
use crate::park::{self, Context};
use crate::sync::{self, RawLock};
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
    let chosen = choose_from(context, &entries[..], context.wheels.get(address), site.place)?;
    context.wheels.set(address, chosen + 1);
    Ok(chosen)
}

/// Choice by priority: the first that is ready.
#[inline]
pub fn first<const N: usize>(
    site: &'static Site,
    entries: [Entry<'_>; N],
) -> Result<usize, Termination> {
    choose_from(park::current(), &entries[..], 0, site.place)
}

/// The guards of one alternation, by index; None: a guard that is disabled.
pub(crate) trait Guards {
    fn len(&self) -> usize;
    fn get(&self, index: usize) -> Option<&dyn Stand>;
}

impl Guards for [Entry<'_>] {
    #[inline(always)]
    fn len(&self) -> usize {
        <[Entry<'_>]>::len(self)
    }

    #[inline(always)]
    fn get(&self, index: usize) -> Option<&dyn Stand> {
        self[index].0
    }
}

/// Those that are enabled.
fn enabled<G: Guards + ?Sized>(guards: &G) -> impl Iterator<Item = (usize, &dyn Stand)> {
    (0..guards.len()).filter_map(|index| Some((index, guards.get(index)?)))
}

/// All indices, from `start` on and around.
#[inline(always)]
fn around(len: usize, start: usize) -> impl Iterator<Item = usize> {
    let start = if start < len { start } else { 0 };
    (start..len).chain(0..start)
}

/// Tries the guards from `start` on and around; waits if none is ready.
#[inline]
pub(crate) fn choose_from<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    start: usize,
    place: &'static Location<'static>,
) -> Result<usize, Termination> {
    loop {
        let (mut live, mut far, mut asked, mut others) = (false, false, false, false);
        let len = guards.len();
        let mut next = if start < len { start } else { 0 };
        // As `around`, in half the instructions.
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
            let tried = guard.try_alone(context, place);
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
                    // What a loop of these waits for may be up to a process of the same thread.
                    context.pass();
                    return Ok(index);
                }
                Tried::Come => return Err(Termination::Retired),
                Tried::Poisoned => return Err(ended(context, [(index, guard)].into_iter())),
            }
        }
        let waited = match far {
            false => wait(context, guards, start, place)?,
            true => wait_beyond(context, guards, start, others, place)?,
        };
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
            Waited::Chosen(_) | Waited::Retry => {}
        }
    }
}

/// Whether there were channels to communicate on, and there are none any more. Who polls is told of that too.
#[cold]
fn all_retired<G: Guards + ?Sized>(guards: &G) -> bool {
    let mut channels =
        enabled(guards).map(|(_, guard)| guard).filter(|guard| guard.lock().is_some()).peekable();
    channels.peek().is_some() && channels.all(|guard| guard.ended() == Some(Termination::Retired))
}

/// Locks held, distinct, in the order of their addresses; released when dropped.
struct Locked<'a> {
    locks: Vec<&'a dyn RawLock>,
}

impl<'a> Locked<'a> {
    fn all(guards: impl Iterator<Item = &'a dyn Stand>) -> Self {
        let mut locks: Vec<_> = guards.filter_map(Stand::lock).collect();
        locks.sort_unstable_by_key(|lock| sync::lock_rank(*lock));
        locks.dedup_by_key(|lock| sync::lock_rank(*lock));
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

/// What waiting has come to.
enum Waited {
    /// A guard is performed but for its `finish`.
    Chosen(usize),
    /// A guard is performed.
    Done(usize),
    /// The time of a guard has come.
    Timeout(usize),
    /// A partner did not keep its word, or a guard without partner has become ready: all is as before.
    Retry,
}

/// No guard is ready: what is left to do while all their channels are locked.
enum Prepared<'a> {
    Chosen(usize),
    Retry,
    /// To stand with so many offers, and until when.
    Stand {
        locked: Locked<'a>,
        live: u32,
        timeout: Option<(Instant, usize, usize)>,
    },
}

/// Locks all channels and tries all guards again.
#[inline(always)]
fn prepare<'a, G: Guards + ?Sized>(
    context: &'static Context,
    guards: &'a G,
    start: usize,
    place: &'static Location<'static>,
) -> Result<Prepared<'a>, Termination> {
    if let Some(termination) = park::unwinding(context) {
        return Err(termination);
    }
    let locked = Locked::all(enabled(guards).map(|(_, guard)| guard));
    let (mut live, mut retired) = (0, false);
    for index in around(guards.len(), start) {
        let Some(guard) = guards.get(index) else { continue };
        // SAFETY: all are locked.
        match unsafe { guard.attempt() } {
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

/// When the first time comes, with the turn and the index of its guard. All are counted from one moment, lest of two that are
/// equal, or nearly so, the wrong one be first.
fn timeout<G: Guards + ?Sized>(guards: &G, start: usize) -> Option<(Instant, usize, usize)> {
    let now = LazyCell::new(Instant::now as fn() -> Instant);
    let times = enabled(guards).filter_map(|(index, guard)| {
        Some((guard.deadline(&now)?, turn(guards.len(), start, index), index))
    });
    times.min()
}

/// Leaves an offer at each.
///
/// # Safety
/// All are locked. Guards and waiter stay where they are until the guards are withdrawn.
#[inline(always)]
unsafe fn stand<G: Guards + ?Sized>(guards: &G, start: usize, waiter: &Waiter) {
    // In the order of their turns: several may stand in one queue, where the first is served first.
    for index in around(guards.len(), start) {
        let Some(guard) = guards.get(index) else { continue };
        // SAFETY: the caller's promise.
        unsafe { guard.stand(waiter, index as u32) };
    }
}

#[inline(never)]
fn wait<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    start: usize,
    place: &'static Location<'static>,
) -> Result<Waited, Termination> {
    let (locked, live, timeout) = match prepare(context, guards, start, place)? {
        Prepared::Chosen(index) => return Ok(Waited::Chosen(index)),
        Prepared::Retry => return Ok(Waited::Retry),
        Prepared::Stand { locked, .. } if context.is_polled() => {
            drop(locked);
            park::refuse_to_wait(
                "an alternation",
                "end.read_async().await` or `after(duration).await` as a guard, or `choose_async().await",
            );
        }
        Prepared::Stand { locked, live, timeout } => (locked, live, timeout),
    };
    let waiter = Waiter::many(context, live);
    // SAFETY: all are locked. The guards are borrowed and the waiter stays here until all have been withdrawn, below;
    // nothing unwinds in between.
    unsafe { stand(guards, start, &waiter) };
    drop(locked);
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

/// As [`wait`], where the channels of some guards are away. These are offered beyond this OS process, together; the others
/// stand here meanwhile, and one word of the waiter's decides between the two. `others`: whether there are any, for what is away
/// stays away.
#[inline(never)]
fn wait_beyond<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    start: usize,
    others: bool,
    place: &'static Location<'static>,
) -> Result<Waited, Termination> {
    if context.is_polled() {
        crate::awaiting::refuse_beyond();
    }
    if let Some(termination) = park::unwinding(context) {
        return Err(termination);
    }
    let Some(mut beyond) = offers(context, guards, around(guards.len(), start))? else {
        return Ok(Waited::Retry);
    };
    if !others {
        let waiter = Waiter::single(context);
        let outcome = beyond.wait(&waiter, false, &Choosing { guards, place }, None);
        return concluded(context, guards, outcome, &mut beyond, None, place);
    }
    let locked = Locked::all(enabled(guards).map(|(_, guard)| guard));
    let mut live = 1;
    for index in around(guards.len(), start) {
        let Some(guard) = guards.get(index) else { continue };
        // SAFETY: all are locked.
        match unsafe { guard.attempt() } {
            Tried::Performed => return Ok(Waited::Chosen(index)),
            Tried::Come => return Ok(Waited::Retry),
            Tried::Far if !beyond.has(index) => return Ok(Waited::Retry),
            Tried::NotReady => live += 1,
            Tried::Far | Tried::NotYet | Tried::Retired => {}
            Tried::Poisoned => {
                drop(locked);
                return Err(ended(context, [(index, guard)].into_iter()));
            }
        }
    }
    let timeout = timeout(guards, start);
    let mixed = live > 1;
    let waiter = if mixed { Waiter::many(context, live) } else { Waiter::single(context) };
    if mixed {
        for index in around(guards.len(), start) {
            let Some(guard) = guards.get(index) else { continue };
            // SAFETY: all are locked; as in `wait`.
            unsafe { guard.stand(&waiter, index as u32) };
        }
    }
    drop(locked);
    let deadline = timeout.map(|(deadline, ..)| deadline);
    let outcome = beyond.wait(&waiter, mixed, &Choosing { guards, place }, deadline);
    if mixed {
        for (_, guard) in enabled(guards) {
            guard.withdraw();
        }
    }
    concluded(context, guards, outcome, &mut beyond, timeout, place)
}

/// What has come of it.
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
        (Outcome::Ended, Became::Ended(indices, termination)) => {
            told(context, guards, &indices, termination)?;
            Err(ended(context, enabled(guards)))
        }
        (Outcome::Ended, _) => Err(ended(context, enabled(guards))),
    }
}

/// What these guards offer beyond this OS process; None: nothing. Values are packed up, which is the user's code.
fn offers<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    indices: impl Iterator<Item = usize>,
) -> Result<Option<Beyond>, Termination> {
    let mut beyond = Beyond::new(guards.len());
    for index in indices {
        if let Some(guard) = guards.get(index)
            && let Some(post) = guard.post(context).inspect_err(|end| context.met(end))?
        {
            beyond.add(index, post);
        }
    }
    Ok((beyond.len() > 0).then_some(beyond))
}

/// A guard was performed beyond this OS process: the rest is done here.
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

/// The channels of these guards have ended; poison ends the alternation.
fn told<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    indices: &[usize],
    termination: Termination,
) -> Result<(), Termination> {
    let guards = indices.iter().filter_map(|index| guards.get(*index));
    guards.for_each(|guard| guard.told(&termination));
    context.met(&termination);
    match termination {
        Termination::Retired => Ok(()),
        Termination::Poisoned(_) => Err(termination),
    }
}

/// The guard `come` needs no partner. Those that have their turn before it and are away are asked whether they have one.
#[cold]
fn poll<G: Guards + ?Sized>(
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

/// Those that are away and have their turn before the guard `ready` are asked whether they have a partner; which was performed.
#[cold]
fn ask<G: Guards + ?Sized>(
    context: &'static Context,
    guards: &G,
    start: usize,
    ready: usize,
    place: &'static Location<'static>,
) -> Result<Option<usize>, Termination> {
    if let Some(termination) = park::unwinding(context) {
        return Err(termination);
    }
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
        Became::Ended(indices, termination) => told(context, guards, &indices, termination)?,
        Became::Nothing => {}
    }
    Ok(None)
}

/// How far behind `start` a guard has its turn.
fn turn(len: usize, start: usize, index: usize) -> usize {
    if start < len { (index + len - start) % len } else { index }
}

/// An alternation has ended: one of its channels is poisoned, or all have retired.
#[cold]
fn ended<'a>(
    context: &'static Context,
    guards: impl Iterator<Item = (usize, &'a dyn Stand)>,
) -> Termination {
    let mut terminations = guards.filter_map(|(_, guard)| guard.ended());
    let poison = terminations.find(|termination| termination.poison().is_some());
    let termination = poison.unwrap_or(Termination::Retired);
    context.met(&termination);
    termination
}

#[cold]
fn no_guard(context: &'static Context, place: &'static Location<'static>) -> Termination {
    let poison = Poison::new(Cause::NoGuard { process: context.path(), place: place.to_string() });
    context.stop(poison.clone());
    Termination::Poisoned(poison)
}

/// A process at an alternation.
struct Choosing<'a, G: ?Sized> {
    guards: &'a G,
    place: &'static Location<'static>,
}

impl<G: Guards + ?Sized> Blocked for Choosing<'_, G> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        enabled(self.guards).for_each(|(_, guard)| tell(guard.want()));
    }

    fn chooses(&self) -> bool {
        true
    }
}
