//! The guards of one alternation, and the place where it is.

use std::cell::LazyCell;
use std::panic::Location;
use std::time::Instant;

use crate::choice::guard::{Entry, Stand};
use crate::report::termination::Termination;
use crate::wait::blocked::{Blocked, Want};
use crate::wait::park::Context;

/// A place in the code where a choice is made. Fairness is remembered by it.
#[derive(Debug)]
pub struct Site {
    pub(super) place: &'static Location<'static>,
}

impl Site {
    /// Returns the place of the call.
    #[track_caller]
    pub const fn new() -> Self {
        Self { place: Location::caller() }
    }

    pub(super) fn address(&'static self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl Default for Site {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

/// The guards of one alternation, by index. `None` is a guard that is disabled.
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

/// Returns the guards that are enabled.
pub(super) fn enabled<G: Guards + ?Sized>(guards: &G) -> impl Iterator<Item = (usize, &dyn Stand)> {
    (0..guards.len()).filter_map(|index| Some((index, guards.get(index)?)))
}

/// The rule by which one of several ready guards is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The first that is found ready, from this index on and around.
    From(usize),
    /// The first of all that are ready at one moment.
    Priority,
}

impl Order {
    #[inline(always)]
    pub(crate) fn start(self) -> usize {
        match self {
            Self::From(start) => start,
            Self::Priority => 0,
        }
    }
}

/// Returns all indices, from `start` on and around.
#[inline(always)]
pub(super) fn around(len: usize, start: usize) -> impl Iterator<Item = usize> {
    let start = if start < len { start } else { 0 };
    (start..len).chain(0..start)
}

/// Returns how far behind `start` a guard has its turn.
fn turn(len: usize, start: usize, index: usize) -> usize {
    if start < len { (index + len - start) % len } else { index }
}

/// Returns the first time of a guard, with its turn and its index. All times are counted from one moment. Otherwise, if two are equal or
/// nearly so, the wrong one could be first.
pub(super) fn timeout<G: Guards + ?Sized>(
    guards: &G,
    start: usize,
) -> Option<(Instant, usize, usize)> {
    let now = LazyCell::new(Instant::now as fn() -> Instant);
    let times = enabled(guards).filter_map(|(index, guard)| {
        Some((guard.deadline(&now)?, turn(guards.len(), start, index), index))
    });
    times.min()
}

/// Returns whether there were channels to communicate on, and there are none any more. A process that polls is told of that too.
#[cold]
pub(super) fn all_retired<G: Guards + ?Sized>(guards: &G) -> bool {
    let mut channels =
        enabled(guards).map(|(_, guard)| guard).filter(|guard| guard.lock().is_some()).peekable();
    channels.peek().is_some() && channels.all(|guard| guard.ended() == Some(Termination::Retired))
}

/// Returns how an alternation has ended: one of its channels is poisoned, or all have retired.
#[cold]
pub(super) fn ended<'a>(
    context: &'static Context,
    guards: impl Iterator<Item = (usize, &'a dyn Stand)>,
) -> Termination {
    let mut terminations = guards.filter_map(|(_, guard)| guard.ended());
    let poison = terminations.find(|termination| termination.poison().is_some());
    let termination = poison.unwrap_or(Termination::Retired);
    context.met(&termination);
    termination
}

/// The result of waiting.
pub(super) enum Waited {
    /// A guard is performed except for its `finish`.
    Chosen(usize),
    /// A guard is performed.
    Done(usize),
    /// The time of a guard has come.
    Timeout(usize),
    /// A partner did not keep its word, or a guard without partner has become ready. All is as before.
    Retry,
}

/// A process at an alternation.
pub(super) struct Choosing<'a, G: ?Sized> {
    pub(super) guards: &'a G,
    pub(super) place: &'static Location<'static>,
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
