//! A guard that waits for a descriptor. All waits of this room are choices with such a guard.
//!
//! Invariants:
//! - The operation is tried where nothing is chosen yet and its success is the choice, or after the guard was chosen. So nothing is
//!   accepted, read or lost by a guard that is not chosen.
//! - It is not tried if it would find nothing, as far as the events say that were told. Then the process waits for the next event. A fair
//!   choice may take another guard instead, so it goes by events of up to a moment ago. A choice by priority tries it always.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell, UnsafeCell};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::registration::{Deed, Registration, Registrations, poll};
use crate::choice::arms::Arm;
use crate::choice::guard::{Entry, Guard, LeftValue, Stand, Tried};
use crate::commit::stand::Standing;
use crate::commit::waiter::Waiter;
use crate::report::termination::Termination;
use crate::sync::RawLock;
use crate::wait::blocked::Want;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::Context;

/// So many operations of one thread are ready at once before the others have their turn.
const MOST: u32 = 61;

std::thread_local! {
    /// How many were ready in succession.
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

/// Says that the process that runs did not have to wait.
pub(super) fn took_one(context: &Context) {
    let count = COUNT.get() + 1;
    COUNT.set(count % MOST);
    if count == MOST && !context.is_polled() {
        context.pass();
    }
}

/// An operation on a descriptor, as a guard. It says [`WouldBlock`](io::ErrorKind::WouldBlock) if it is not ready.
pub(super) struct WhenReady<'a, R, F> {
    registrations: &'a Registrations,
    descriptor: BorrowedFd<'a>,
    deed: Deed,
    operation: RefCell<F>,
    /// The number of bytes that it may return, if it reads a stream.
    room: usize,
    /// Says whether a result is less than that, and not the end.
    is_short: fn(&R, usize) -> bool,
    /// The registration at which it stands, or would. It changes only while the guard stands nowhere.
    registration: UnsafeCell<Option<Arc<Registration>>>,
    /// The events that had come when the operation was tried last.
    seen: Cell<u32>,
    /// The operation was tried since, and was not ready.
    was_tried: Cell<bool>,
    /// The system says that it is ready, or that it can't be waited for.
    is_likely: Cell<bool>,
    stands: Cell<bool>,
    standing: Standing<()>,
    result: Cell<Option<io::Result<R>>>,
}

impl<'a, R, F: FnMut() -> io::Result<R>> WhenReady<'a, R, F> {
    pub(super) fn new(
        registrations: &'a Registrations,
        descriptor: BorrowedFd<'a>,
        deed: Deed,
        operation: F,
    ) -> Self {
        Self {
            registrations,
            descriptor,
            deed,
            operation: RefCell::new(operation),
            room: 0,
            is_short: |_, _| false,
            registration: UnsafeCell::new(None),
            seen: Cell::new(0),
            was_tried: Cell::new(false),
            is_likely: Cell::new(false),
            stands: Cell::new(false),
            standing: Standing::new(),
            result: Cell::new(None),
        }
    }

    fn registration(&self) -> Option<&Registration> {
        // SAFETY: `settle` changes it only while the guard stands nowhere, and no reference is kept until then.
        unsafe { &*self.registration.get() }.as_deref()
    }

    /// Goes to the queue of this thread, if the descriptor is registered there. Notes the events that have come. Returns whether the
    /// operation would find nothing, as far as these say.
    fn settle(&self) -> bool {
        let here = self.registrations.here();
        self.is_likely.set(false);
        // An error of a registration in a round that chose another guard.
        self.result.set(None);
        // SAFETY: the guard stands nowhere: it is about to be tried.
        unsafe { *self.registration.get() = here };
        self.note_events()
    }

    /// Notes the events that have come. Returns whether the operation would find nothing before the next one.
    fn note_events(&self) -> bool {
        let (news, has_nothing) =
            self.registration().map_or((0, false), |here| here.news(self.deed));
        self.seen.set(news);
        has_nothing
    }

    /// Does what `settle` does. Returns whether the operation would find nothing, as far as events of up to a moment ago say. That is not
    /// enough if the choice asks `anew`.
    fn settle_for_choice(&self, anew: bool) -> bool {
        self.settle()
            && !anew
            && self.registration().is_some_and(Registration::is_up_to_date)
            && self.note_events()
    }

    /// Registers the descriptor, if it is not. Returns false if that fails.
    fn register(&self, place: &'static Location<'static>) -> bool {
        if self.registration().is_some() {
            return true;
        }
        match self.registrations.register(self.descriptor.as_raw_fd(), place) {
            Ok(here) => {
                // The queue tells what the descriptor is ready for, and that is news.
                // SAFETY: as in `settle`.
                unsafe { *self.registration.get() = Some(here) };
                true
            }
            Err(error) => {
                self.result.set(Some(Err(error)));
                false
            }
        }
    }

    /// Tries the operation, after the events that had come were noted. Returns false if it is not ready.
    fn try_now(&self) -> bool {
        let result = (self.operation.borrow_mut())();
        let ready = !matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        if let Some(here) = self.registration() {
            let is_short = || matches!(&result, Ok(value) if (self.is_short)(value, self.room));
            if !ready || is_short() && here.tells_by_short_reads() {
                here.found_nothing(self.deed, self.seen.get());
            }
        }
        if ready {
            self.result.set(Some(result));
        }
        ready
    }

    /// Asks the system whether the operation is ready, after the events that had come were noted. One that fails is ready too.
    fn is_ready_now(&self) -> bool {
        let is_ready = poll(self.descriptor, self.deed, Some(Duration::ZERO)).unwrap_or(true);
        if !is_ready && let Some(here) = self.registration() {
            here.found_nothing(self.deed, self.seen.get());
        }
        is_ready
    }

    /// Tries the operation before the first wait, as any operation of a descriptor begins. Returns its result, if it was ready. One that
    /// `may_wait` is not tried if it would find nothing.
    pub(super) fn try_first(&self, may_wait: bool) -> Option<io::Result<R>> {
        let has_nothing = self.settle();
        self.was_tried.set(true);
        if !(may_wait && has_nothing) && self.try_now() { self.result.take() } else { None }
    }

    /// Tries the operation again. Returns its result, if it is ready.
    pub(super) fn try_again(&self) -> Option<io::Result<R>> {
        self.note_events();
        if self.try_now() { self.result.take() } else { None }
    }

    fn try_or_register(
        &self,
        context: &Context,
        place: &'static Location<'static>,
        anew: bool,
    ) -> Tried {
        // After an operation that was not ready only news make it worth another call.
        if !self.was_tried.take() && !self.settle_for_choice(anew) && self.try_now() {
            took_one(context);
            return Tried::Performed;
        }
        match self.register(place) {
            true => Tried::NotReady,
            false => Tried::Performed,
        }
    }

    fn begin_or_register(&self, anew: bool) {
        let likely = !self.was_tried.take() && !self.settle_for_choice(anew) && self.is_ready_now();
        self.is_likely.set(likely || !self.register(Location::caller()));
    }

    /// Returns the result, once the guard was chosen.
    pub(super) fn result(&self) -> io::Result<R> {
        self.result.take().expect("a guard that was chosen has its result")
    }

    /// Adds the closure that is given the result.
    pub(super) fn arm<T>(self, then: T) -> WhenReadyArm<'a, R, F, T> {
        WhenReadyArm { ready: self, then }
    }

    fn state(&self, news: u32) -> Tried {
        let ready = self.is_likely.get() || news != self.seen.get();
        if ready { Tried::Performed } else { Tried::NotReady }
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, both under the lock of the registration, which stays the same in between.
unsafe impl<R, F: FnMut() -> io::Result<R>> Stand for WhenReady<'_, R, F> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(self.registration()?.lock(self.deed))
    }

    fn try_alone(&self, context: &'static Context, place: &'static Location<'static>) -> Tried {
        self.try_or_register(context, place, false)
    }

    fn try_anew(&self, context: &'static Context, place: &'static Location<'static>) -> Tried {
        self.try_or_register(context, place, true)
    }

    unsafe fn attempt(&self, _: &mut Wakes) -> Tried {
        // SAFETY: the caller's promise.
        unsafe { self.look() }
    }

    unsafe fn look(&self) -> Tried {
        // SAFETY: the caller holds the lock.
        let news = self.registration().map(|here| unsafe { here.news_locked(self.deed) });
        self.state(news.unwrap_or(self.seen.get()))
    }

    fn is_alone(&self) -> bool {
        // The system makes it ready without any lock.
        false
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        let here = self.registration().expect("a guard that is not ready is registered");
        self.stands.set(true);
        // SAFETY: the caller's promise.
        unsafe { here.stand(self.deed, &self.standing, waiter, index) };
    }

    fn withdraw(&self) {
        if self.stands.take()
            && let Some(here) = self.registration()
        {
            here.withdraw(self.deed, &self.standing);
        }
    }

    fn finish(&self, _: &'static Context, _: &'static Location<'static>) -> bool {
        self.is_likely.set(false);
        // The descriptor could not be registered.
        let failed = self.result.take();
        if failed.is_some() {
            self.result.set(failed);
            return true;
        }
        self.note_events();
        let ready = self.try_now();
        self.was_tried.set(!ready);
        ready
    }

    fn begin(&self) {
        self.begin_or_register(false);
    }

    fn begin_anew(&self) {
        self.begin_or_register(true);
    }

    fn want(&self) -> Want<'_> {
        match self.registration() {
            Some(here) => here.want(self.deed),
            None => Want { operation: self.deed.operation(), object: None },
        }
    }

    fn want_standing(&self) -> Option<Want<'_>> {
        self.standing.stands().then(|| self.want())
    }
}

impl<F: FnMut() -> io::Result<usize>> WhenReady<'_, usize, F> {
    /// Says that the operation reads a stream, so many bytes at most. If it returns fewer, the stream has no more at that moment.
    pub(super) fn reads(mut self, room: usize) -> Self {
        self.room = room;
        self.is_short = |size, room| (1..room).contains(size);
        self
    }
}

impl<R, F: FnMut() -> io::Result<R>> Guard for WhenReady<'_, R, F> {
    type Left = LeftValue<io::Result<R>>;

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn keep(&mut self, left: &Self::Left) {
        left.put(self.result());
    }
}

/// A guard of an alternation, with its closure.
pub(super) struct WhenReadyArm<'a, R, F, T> {
    ready: WhenReady<'a, R, F>,
    then: T,
}

impl<R, F, O, T> Arm<O> for WhenReadyArm<'_, R, F, T>
where
    F: FnMut() -> io::Result<R>,
    T: FnMut(io::Result<R>) -> O,
{
    fn guard(&self) -> &dyn Stand {
        &self.ready
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<O, Termination> {
        Ok((self.then)(self.ready.result()))
    }
}
