//! Choice as a future.
//!
//! Its waiter lies in the future, which is pinned. Its offers lie in the guards, which the future borrows. The drop of the future
//! withdraws all.
#![allow(missing_debug_implementations, reason = "what only macros see")]
#![allow(unsafe_code)]

use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context as Waking, Poll, Waker};
use std::time::Instant;

use super::among::{Guards, Order, Site, all_retired, around, enabled, ended};
use super::trying::{Prepared, attempt_alone, attempt_in_order, prepare, stand};
use crate::choice::guard::{Entry, Stand, Tried};
use crate::commit::awaited::AwaitedMany;
use crate::commit::waiter::Outcome;
use crate::report::termination::Termination;
use crate::wait::blocked::{Blocked, Operation, Want};
use crate::wait::future::alarm::Alarm;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};

/// How far a choice has come.
pub(crate) struct Choice {
    stage: Stage,
    awaited: AwaitedMany,
    alarm: Option<Alarm>,
}

#[derive(Clone, Copy)]
enum Stage {
    Begin,
    /// An offer is left at each guard, until this time of this guard.
    Stands(Option<(Instant, usize)>),
    /// This guard is performed except for its `finish`.
    Finishes(usize),
    /// The time of this guard had come. The others of the thread go on first.
    Passes(usize),
    Over,
}

impl Choice {
    pub(crate) const fn new() -> Self {
        Self { stage: Stage::Begin, awaited: AwaitedMany::new(), alarm: None }
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
                Stage::Begin => match Self::attempt(context, guards, order) {
                    Ok(Some(Stage::Passes(index))) => {
                        self.stage = Stage::Passes(index);
                        waker.wake_by_ref();
                        return Poll::Pending;
                    }
                    Ok(Some(stage)) => self.stage = stage,
                    Ok(None) => {
                        // SAFETY: the caller's promise.
                        match unsafe { self.stand(context, guards, start, place, waker, why) } {
                            Ok(true) => return Poll::Pending,
                            Ok(false) => {}
                            Err(termination) => break Err(termination),
                        }
                    }
                    Err(termination) => break Err(termination),
                },
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
                        (Outcome::Withdrawn | Outcome::Retry, _) => self.stage = Stage::Begin,
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
                        Poll::Ready(false) => self.stage = Stage::Begin,
                    }
                }
                Stage::Passes(index) => break Ok(index),
                Stage::Over => panic!("a choice that is made was polled again"),
            }
        };
        self.stage = Stage::Over;
        Poll::Ready(over)
    }

    /// Tries the guards, each under its own lock. None: none is ready.
    fn attempt<G: Guards + ?Sized>(
        context: &'static Context,
        guards: &G,
        order: Order,
    ) -> Result<Option<Stage>, Termination> {
        let (mut live, mut passed) = (false, 0);
        for index in around(guards.len(), order.start()) {
            let Some(guard) = guards.get(index) else { continue };
            match order {
                Order::From(_) => guard.begin(),
                Order::Priority => guard.begin_anew(),
            }
            let (index, tried) = match order {
                Order::Priority if passed > 0 => attempt_in_order(guards, index, passed),
                _ => (index, attempt_alone(guard)),
            };
            passed += usize::from(passed > 0 || tried != Tried::Retired);
            match tried {
                Tried::NotReady => live = true,
                Tried::NotYet | Tried::Retired => {}
                Tried::Far => crate::wait::future::refuse_beyond(),
                Tried::Performed => return Ok(Some(Stage::Finishes(index))),
                Tried::Come if live || !all_retired(guards) => {
                    return Ok(Some(Stage::Passes(index)));
                }
                Tried::Come => return Err(Termination::Retired),
                Tried::Poisoned => {
                    let poisoned = guards.get(index).map(|guard| (index, guard));
                    return Err(ended(context, poisoned.into_iter()));
                }
            }
        }
        Ok(None)
    }

    /// False: it has come further by now.
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
        let (locked, live, timeout) = match prepared {
            Prepared::Chosen(index) => {
                self.stage = Stage::Finishes(index);
                return Ok(false);
            }
            Prepared::Retry => return Ok(false),
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

    /// Nobody asks for its outcome any more: as if nothing had been chosen.
    pub(crate) fn withdraw<G: Guards + ?Sized>(&mut self, guards: &G, why: &dyn Blocked) {
        let chosen = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Begin | Stage::Over | Stage::Passes(_) => return,
            Stage::Finishes(index) => index,
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

/// Tells what a choice stands for. The choice may have been forgotten, and the channels of some guards may be gone.
fn tell_of<G: Guards + ?Sized>(choice: &Choice, guards: &G, tell: &mut dyn FnMut(Want<'_>)) {
    enabled(guards).filter_map(|(_, guard)| guard.want_standing()).for_each(&mut *tell);
    if !choice.awaited.offers() {
        // It is about to be woken.
        tell(Want { operation: Operation::Await, object: None });
    }
}

/// A choice that is awaited.
#[must_use = "nothing is chosen until it is awaited"]
pub struct Choose<'a, const N: usize> {
    place: &'static Location<'static>,
    /// None: by priority.
    site: Option<&'static Site>,
    entries: [Entry<'a>; N],
    choice: Choice,
}

/// [`choose`](super::choose), awaited. The guards stay where they are until it is dropped: the macro awaits it at once.
#[inline]
pub fn choose_async<'a, const N: usize>(
    site: &'static Site,
    entries: [Entry<'a>; N],
) -> Choose<'a, N> {
    Choose { place: site.place, site: Some(site), entries, choice: Choice::new() }
}

/// [`first`](super::first), awaited, likewise.
#[inline]
pub fn first_async<'a, const N: usize>(
    site: &'static Site,
    entries: [Entry<'a>; N],
) -> Choose<'a, N> {
    Choose { place: site.place, site: None, entries, choice: Choice::new() }
}

/// Does the same for an operation of this place in the user's code.
pub(crate) fn several_async<'a, const N: usize>(
    entries: [Entry<'a>; N],
    place: &'static Location<'static>,
) -> Choose<'a, N> {
    Choose { place, site: None, entries, choice: Choice::new() }
}

impl<const N: usize> Future for Choose<'_, N> {
    type Output = Result<usize, Termination>;

    fn poll(self: Pin<&mut Self>, waking: &mut Waking<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out of it while it stands.
        let this = unsafe { self.get_unchecked_mut() };
        let wheels = &park::current().wheels;
        let order = match this.site {
            Some(site) => Order::From(wheels.get(site.address())),
            None => Order::Priority,
        };
        let why: *const Self = this;
        // SAFETY: of itself it shows only what does not change.
        let why: &dyn Blocked = unsafe { &*why };
        // SAFETY: it is pinned and borrows the guards, and its drop withdraws them.
        let polled =
            unsafe { this.choice.poll(&this.entries[..], order, this.place, waking.waker(), why) };
        if let (Poll::Ready(Ok(chosen)), Some(site)) = (&polled, this.site) {
            let address = site.address();
            // It may have been replaced since.
            wheels.get(address);
            wheels.set(address, chosen + 1);
        }
        polled
    }
}

impl<const N: usize> Drop for Choose<'_, N> {
    fn drop(&mut self) {
        let why: *const Self = self;
        // SAFETY: as in `poll`.
        self.choice.withdraw(&self.entries[..], unsafe { &*why });
    }
}

impl<const N: usize> Blocked for Choose<'_, N> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell_of(&self.choice, &self.entries[..], tell);
    }

    fn chooses(&self) -> bool {
        N > 1
    }
}

/// The guards and the choice of an [`Alternation`](crate::Alternation) that is awaited. They are apart from it, because the future may
/// be forgotten and the alternation moved.
pub(crate) struct Standing {
    guards: Vec<Option<NonNull<dyn Stand>>>,
    choice: Choice,
    place: &'static Location<'static>,
}

impl Standing {
    pub(crate) fn new(place: &'static Location<'static>) -> Self {
        Self { guards: Vec::new(), choice: Choice::new(), place }
    }

    /// Begins a round.
    ///
    /// # Safety
    /// It is on the heap. The guards are where they are until it is over, or withdrawn.
    pub(crate) unsafe fn begin<'a>(
        &mut self,
        guards: impl Iterator<Item = Option<&'a dyn Stand>>,
        place: &'static Location<'static>,
    ) {
        self.place = place;
        self.choice = Choice::new();
        // SAFETY: only the lifetime changes. The caller promises the rest.
        self.guards.extend(guards.map(|guard| unsafe {
            guard.map(|guard| {
                std::mem::transmute::<NonNull<dyn Stand + 'a>, NonNull<dyn Stand>>(NonNull::from(
                    guard,
                ))
            })
        }));
    }

    /// # Safety
    /// See `begin`.
    pub(crate) unsafe fn poll(
        &mut self,
        order: Order,
        waker: &Waker,
    ) -> Poll<Result<usize, Termination>> {
        let why: *const Self = self;
        // SAFETY: it shows only parts of itself that do not change meanwhile. The caller promises the rest.
        let polled = unsafe { self.choice.poll(&self.guards[..], order, self.place, waker, &*why) };
        if polled.is_ready() {
            self.guards.clear();
        }
        polled
    }

    pub(crate) fn withdraw(&mut self) {
        let why: *const Self = self;
        // SAFETY: as in `poll`.
        self.choice.withdraw(&self.guards[..], unsafe { &*why });
        self.guards.clear();
    }
}

impl Guards for [Option<NonNull<dyn Stand>>] {
    fn len(&self) -> usize {
        <[_]>::len(self)
    }

    fn get(&self, index: usize) -> Option<&dyn Stand> {
        // SAFETY: they are there as long as they are in the list: the promise given to `begin`.
        self[index].map(|guard| unsafe { guard.as_ref() })
    }
}

impl Blocked for Standing {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell_of(&self.choice, &self.guards[..], tell);
    }

    fn chooses(&self) -> bool {
        true
    }
}
