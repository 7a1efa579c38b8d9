//! Choice as a future.
//!
//! Its waiter lies in the future, which is pinned. Its offers lie in the guards, which the future borrows. The drop of the future
//! withdraws all.
#![allow(missing_debug_implementations, reason = "what only macros see")]
#![allow(unsafe_code)]

use std::panic::Location;
use std::task::{Poll, Waker};
use std::time::Instant;

use super::among::{Guards, Order, all_retired, around, enabled, ended};
use super::beyond::{are_packing, offers, prepare_others, told};
use super::locked::Locked;
use super::trying::{Prepared, attempt_alone, attempt_in_order, prepare, stand};
use crate::channel::far::node::How;
use crate::channel::far::{AskedBeyond, Became, Beyond, Kept};
use crate::choice::guard::Tried;
use crate::commit::awaited::AwaitedMany;
use crate::commit::waiter::Outcome;
use crate::report::termination::Termination;
use crate::wait::blocked::Blocked;
use crate::wait::future::alarm::Alarm;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};

/// How far a choice has come.
pub(crate) struct Choice {
    stage: Stage,
    awaited: AwaitedMany,
    alarm: Option<Alarm>,
    /// The guards that are away, while they are offered.
    beyond: Option<Kept<AskedBeyond>>,
}

#[derive(Clone, Copy)]
enum Stage {
    /// The guards that are away and have their turn before this one had no partner just now.
    Begin(Option<usize>),
    /// An offer is left at each guard, until this time of this guard.
    Stands(Option<(Instant, usize)>),
    /// The same, and guards are offered beyond this OS process, too.
    Beyond(Option<(Instant, usize)>),
    /// This guard is ready, and the guards that are away and have their turn before it are asked.
    Asks(usize),
    /// This guard was performed beyond this OS process, and takes its value.
    Takes(usize),
    /// This guard is performed except for its `finish`.
    Finishes(usize),
    /// The time of this guard had come. The others of the thread go on first.
    Passes(usize),
    Over,
}

/// The locked channels, the number of offers, the time and its guard, and the alarm for that.
type LeftToDo<'a> = (Locked<'a>, u32, Option<(Instant, usize)>, Option<Alarm>);

/// The state of the guards after each was tried alone.
enum Found {
    Stage(Stage),
    /// None is ready.
    Nothing,
    /// None is ready, and some are away. It says whether there are others.
    Far(bool),
    /// This guard is ready, and some that have their turn before it are away.
    BeforeIt(usize),
}

impl Choice {
    pub(crate) const fn new() -> Self {
        Self { stage: Stage::Begin(None), awaited: AwaitedMany::new(), alarm: None, beyond: None }
    }

    /// Returns whether it still offers all that it stands for here.
    pub(super) fn offers(&self) -> bool {
        self.awaited.offers()
    }

    /// # Safety
    /// It is pinned, and so are the guards, and `why`, until it is over or withdrawn.
    pub(crate) unsafe fn poll<G: Guards + ?Sized>(
        &mut self,
        guards: &G,
        order: Order,
        place: &'static Location<'static>,
        waker: &Waker,
        why: &dyn Blocked,
    ) -> Poll<Result<usize, Termination>> {
        let (context, start) = (park::current(), order.start());
        let over = loop {
            match self.stage {
                Stage::Begin(asked) => {
                    let begun = match Self::attempt(context, guards, order, asked) {
                        Ok(Found::Stage(Stage::Passes(index))) => {
                            self.stage = Stage::Passes(index);
                            waker.wake_by_ref();
                            return Poll::Pending;
                        }
                        Ok(Found::Stage(stage)) => {
                            self.stage = stage;
                            Ok(false)
                        }
                        // SAFETY: the caller's promise.
                        Ok(Found::Nothing) => unsafe {
                            self.stand(context, guards, start, place, waker, why)
                        },
                        // SAFETY: as above.
                        Ok(Found::BeforeIt(index)) => unsafe {
                            self.ask(context, guards, start, index, waker, why)
                        },
                        // SAFETY: as above.
                        Ok(Found::Far(others)) => unsafe {
                            self.stand_beyond(context, guards, (start, others), waker, why)
                        },
                        Err(termination) => Err(termination),
                    };
                    match begun {
                        Ok(true) => return Poll::Pending,
                        Ok(false) => {}
                        Err(termination) => break Err(termination),
                    }
                }
                Stage::Beyond(_) | Stage::Asks(_) => {
                    let Some((outcome, became)) = self.poll_beyond(guards, waker, why) else {
                        return Poll::Pending;
                    };
                    match self.concluded(context, guards, outcome, became) {
                        Ok(None) => {}
                        Ok(Some(index)) => break Ok(index),
                        Err(termination) => break Err(termination),
                    }
                }
                Stage::Takes(index) => {
                    let guard = guards.get(index).expect("a guard that was chosen is enabled");
                    match guard.poll_came(waker) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Ok(true)) => {
                            context.communicated();
                            break Ok(index);
                        }
                        Poll::Ready(Ok(false)) => self.stage = Stage::Begin(None),
                        Poll::Ready(Err(termination)) => {
                            context.met(&termination);
                            break Err(termination);
                        }
                    }
                }
                Stage::Stands(timeout) => {
                    let come = timeout.filter(|(deadline, _)| *deadline <= Instant::now());
                    let Some(outcome) = self.awaited.poll(waker, come.is_some()) else {
                        if let Some(alarm) = &self.alarm {
                            alarm.follow(waker);
                        }
                        return Poll::Pending;
                    };
                    self.clear(guards, why);
                    match (outcome, come) {
                        (Outcome::Committed(index), _) => {
                            self.stage = Stage::Finishes(index as usize)
                        }
                        (Outcome::Withdrawn, Some((_, index))) => break Ok(index),
                        (Outcome::Withdrawn | Outcome::Retry, _) => {
                            self.stage = Stage::Begin(None);
                        }
                        (Outcome::Ended, _) => break Err(ended(context, enabled(guards))),
                    }
                }
                Stage::Finishes(index) => {
                    let guard = guards.get(index).expect("a guard that was chosen is enabled");
                    match guard.poll_finish(context, place, waker) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(true) => {
                            context.communicated();
                            break Ok(index);
                        }
                        Poll::Ready(false) => self.stage = Stage::Begin(None),
                    }
                }
                Stage::Passes(index) => break Ok(index),
                Stage::Over => panic!("a choice that is made was polled again"),
            }
        };
        self.stage = Stage::Over;
        Poll::Ready(over)
    }

    /// Tries the guards, each under its own lock.
    fn attempt<G: Guards + ?Sized>(
        context: &'static Context,
        guards: &G,
        order: Order,
        asked: Option<usize>,
    ) -> Result<Found, Termination> {
        let (mut live, mut passed, mut far, mut others) = (false, 0, false, false);
        for index in around(guards.len(), order.start()) {
            let Some(guard) = guards.get(index) else { continue };
            // It has a partner here, but others have their turn before it.
            if far && asked.is_none() && guard.is_likely() {
                return Ok(Found::BeforeIt(index));
            }
            match order {
                Order::From(_) => guard.begin(),
                Order::Priority => guard.begin_anew(),
            }
            let (index, tried) = match order {
                Order::Priority if passed > 0 => attempt_in_order(guards, index, passed),
                _ => (index, attempt_alone(guard)),
            };
            passed += usize::from(passed > 0 || tried != Tried::Retired);
            others |= !matches!(tried, Tried::Far);
            match tried {
                Tried::NotReady => live = true,
                Tried::NotYet | Tried::Retired => {}
                Tried::Far => far = true,
                Tried::Performed => return Ok(Found::Stage(Stage::Finishes(index))),
                Tried::Come if far && asked != Some(index) => return Ok(Found::BeforeIt(index)),
                Tried::Come if live || !all_retired(guards) => {
                    return Ok(Found::Stage(Stage::Passes(index)));
                }
                Tried::Come => return Err(Termination::Retired),
                Tried::Poisoned => {
                    let poisoned = guards.get(index).map(|guard| (index, guard));
                    return Err(ended(context, poisoned.into_iter()));
                }
            }
        }
        Ok(if far { Found::Far(others) } else { Found::Nothing })
    }

    /// Returns what is left to do while all channels are locked, with the alarm for the time. Returns `None` if it has come further by now.
    #[inline(always)]
    fn left_to_do<'a>(&mut self, prepared: Prepared<'a>, waker: &Waker) -> Option<LeftToDo<'a>> {
        let (locked, live, timeout) = match prepared {
            Prepared::Chosen(index) => {
                self.stage = Stage::Finishes(index);
                return None;
            }
            Prepared::Retry => return None,
            Prepared::Stand { locked, live, timeout } => (locked, live, timeout),
        };
        let timeout = timeout.map(|(deadline, _, index)| (deadline, index));
        let alarm = match timeout.map(|(deadline, _)| Alarm::new(deadline, waker)) {
            Some(None) => {
                drop(locked);
                crate::wait::future::refuse_deadline();
            }
            alarm => alarm.flatten(),
        };
        Some((locked, live, timeout, alarm))
    }

    /// Offers the guards of `beyond`, and no others.
    ///
    /// # Safety
    /// See `poll`.
    unsafe fn begin_beyond(&mut self, beyond: Beyond, how: How, waker: &Waker, why: &dyn Blocked) {
        let (asked, offers) = beyond.kept();
        let asked = &*self.beyond.insert(asked);
        // SAFETY: it is on the heap. The drop leaves it, and the rest is the caller's promise.
        let waiter = unsafe { asked.asking.make(Some(waker), 1, why) };
        asked.asking.begin(waiter, offers, how);
    }

    /// Offers the guards that are away beyond this OS process. The `others`, if there are any, stand here meanwhile, and one word of the
    /// waiter's decides between the two. Returns false if it has come further by now.
    ///
    /// # Safety
    /// See `poll`.
    unsafe fn stand_beyond<G: Guards + ?Sized>(
        &mut self,
        context: &'static Context,
        guards: &G,
        (start, others): (usize, bool),
        waker: &Waker,
        why: &dyn Blocked,
    ) -> Result<bool, Termination> {
        if let Some(termination) = park::unwinding(context) {
            return Err(termination);
        }
        if are_packing(guards) {
            waker.wake_by_ref();
            return Ok(true);
        }
        // Values are packed before anything is locked.
        let Some(beyond) = offers(context, guards, around(guards.len(), start))? else {
            return Ok(false);
        };
        if !others {
            // SAFETY: the caller's promise.
            unsafe { self.begin_beyond(beyond, How::Alone, waker, why) };
            self.stage = Stage::Beyond(None);
            return Ok(false);
        }
        // The others are tried under their locks, as in `stand`.
        let mut later = Wakes::new();
        let prepared = prepare_others(context, guards, start, &beyond, &mut later)?;
        let Some((locked, live, timeout, alarm)) = self.left_to_do(prepared, waker) else {
            return Ok(false);
        };
        let mixed = live > 1;
        let (asked, offers) = beyond.kept();
        let asked = &*self.beyond.insert(asked);
        // SAFETY: as in `begin_beyond`.
        let waiter = unsafe { asked.asking.make(Some(waker), live, why) };
        if mixed {
            // SAFETY: all are locked, and the caller's promise.
            unsafe { stand(guards, start, waiter) };
        }
        drop(locked);
        drop(later);
        let how = if mixed { How::Mixed } else { How::Alone };
        asked.asking.begin(waiter, offers, how);
        self.alarm = alarm.map(|alarm| alarm.set(waker));
        self.stage = Stage::Beyond(timeout);
        Ok(false)
    }

    /// Asks the guards that are away and have their turn before the guard `ready` whether they have a partner. Returns false if it has
    /// come further by now.
    ///
    /// # Safety
    /// See `poll`.
    unsafe fn ask<G: Guards + ?Sized>(
        &mut self,
        context: &'static Context,
        guards: &G,
        start: usize,
        ready: usize,
        waker: &Waker,
        why: &dyn Blocked,
    ) -> Result<bool, Termination> {
        if let Some(termination) = park::unwinding(context) {
            return Err(termination);
        }
        if are_packing(guards) {
            waker.wake_by_ref();
            return Ok(true);
        }
        let before = around(guards.len(), start).take_while(|index| *index != ready);
        let Some(beyond) = offers(context, guards, before)? else {
            self.stage = Stage::Begin(Some(ready));
            return Ok(false);
        };
        // SAFETY: the caller's promise.
        unsafe { self.begin_beyond(beyond, How::Poll, waker, why) };
        self.stage = Stage::Asks(ready);
        Ok(false)
    }

    /// Returns the outcome of what is offered beyond this OS process, once there is one. Then nothing is offered any more.
    fn poll_beyond<G: Guards + ?Sized>(
        &mut self,
        guards: &G,
        waker: &Waker,
        why: &dyn Blocked,
    ) -> Option<(Outcome, Became)> {
        let asked = self.beyond.as_ref().expect("it was offered");
        let come = match self.stage {
            Stage::Beyond(Some((deadline, _))) => deadline <= Instant::now(),
            _ => false,
        };
        let Some(outcome) = asked.asking.poll(waker, why, come) else {
            if let Some(alarm) = &self.alarm {
                alarm.follow(waker);
            }
            return None;
        };
        Some((outcome, self.clear_beyond(guards, why)))
    }

    /// Withdraws the offers here, and then forgets those beyond this OS process.
    fn clear_beyond<G: Guards + ?Sized>(&mut self, guards: &G, why: &dyn Blocked) -> Became {
        enabled(guards).for_each(|(_, guard)| guard.withdraw());
        self.alarm = None;
        let Some(asked) = self.beyond.take() else { return Became::Nothing };
        let came = asked.asking.conclude(why);
        asked.beyond.became_by(asked.asking.op(), came)
    }

    /// Goes on after that. Returns the guard whose time has come.
    fn concluded<G: Guards + ?Sized>(
        &mut self,
        context: &'static Context,
        guards: &G,
        outcome: Outcome,
        became: Became,
    ) -> Result<Option<usize>, Termination> {
        let stage = std::mem::replace(&mut self.stage, Stage::Begin(None));
        match (outcome, became) {
            (Outcome::Committed(number), Became::Done(index, done)) if Beyond::is_for(number) => {
                let guard = guards.get(index).expect("a guard that was chosen is enabled");
                guard.begin_came(context, done).inspect_err(|end| context.met(end))?;
                self.stage = Stage::Takes(index);
            }
            (Outcome::Committed(index), _) => self.stage = Stage::Finishes(index as usize),
            (Outcome::Ended, Became::Ended(indices, termination, doubt)) => {
                told(context, guards, &indices, termination, doubt)?;
                match stage {
                    Stage::Asks(ready) => self.stage = Stage::Begin(Some(ready)),
                    _ => return Err(ended(context, enabled(guards))),
                }
            }
            (Outcome::Ended, _) => return Err(ended(context, enabled(guards))),
            (Outcome::Withdrawn | Outcome::Retry, _) => match stage {
                Stage::Asks(ready) => self.stage = Stage::Begin(Some(ready)),
                // Otherwise it withdrew because another process polls it now.
                Stage::Beyond(Some((deadline, index)))
                    if outcome == Outcome::Withdrawn && deadline <= Instant::now() =>
                {
                    return Ok(Some(index));
                }
                _ => {}
            },
        }
        Ok(None)
    }

    /// Returns false if it has come further by now.
    ///
    /// # Safety
    /// As `poll`.
    unsafe fn stand<G: Guards + ?Sized>(
        &mut self,
        context: &'static Context,
        guards: &G,
        start: usize,
        place: &'static Location<'static>,
        waker: &Waker,
        why: &dyn Blocked,
    ) -> Result<bool, Termination> {
        let mut later = Wakes::new();
        let prepared = prepare(context, guards, start, place, &mut later)?;
        let Some((locked, live, timeout, alarm)) = self.left_to_do(prepared, waker) else {
            return Ok(false);
        };
        // SAFETY: the caller's promise.
        let waiter = unsafe { self.awaited.make(waker, live, why) };
        // SAFETY: all are locked, and the caller's promise.
        unsafe { stand(guards, start, waiter) };
        let is_strange = waiter.is_strange();
        drop(locked);
        self.alarm = alarm.map(|alarm| alarm.set(waker));
        self.stage = Stage::Stands(timeout);
        // A stranger does not know of its waker yet.
        Ok(!is_strange)
    }

    fn clear<G: Guards + ?Sized>(&mut self, guards: &G, why: &dyn Blocked) {
        enabled(guards).for_each(|(_, guard)| guard.withdraw());
        self.alarm = None;
        self.awaited.clear(why);
    }

    /// Takes back what is offered beyond this OS process, too. Returns the guard that was chosen here.
    fn leave_beyond<G: Guards + ?Sized>(&mut self, guards: &G, why: &dyn Blocked) -> Option<usize> {
        let outcome = self.beyond.as_ref()?.asking.leave(None);
        match (outcome, self.clear_beyond(guards, why)) {
            (Some(Outcome::Committed(number)), Became::Done(index, done))
                if Beyond::is_for(number) =>
            {
                if let Some(guard) = guards.get(index) {
                    guard.undo_came(done);
                }
                None
            }
            (Some(Outcome::Committed(number)), _) if !Beyond::is_for(number) => {
                Some(number as usize)
            }
            _ => None,
        }
    }

    /// Nobody asks for its outcome any more: as if nothing had been chosen.
    pub(crate) fn withdraw<G: Guards + ?Sized>(&mut self, guards: &G, why: &dyn Blocked) {
        let chosen = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Begin(_) | Stage::Over | Stage::Passes(_) => return,
            Stage::Finishes(index) | Stage::Takes(index) => index,
            Stage::Beyond(_) | Stage::Asks(_) => match self.leave_beyond(guards, why) {
                Some(index) => index,
                None => return,
            },
            Stage::Stands(_) => {
                let outcome = self.awaited.withdraw();
                self.clear(guards, why);
                match outcome {
                    Outcome::Committed(index) => index as usize,
                    Outcome::Withdrawn | Outcome::Retry | Outcome::Ended => return,
                }
            }
        };
        if let Some(guard) = guards.get(chosen) {
            guard.undo();
        }
    }
}
