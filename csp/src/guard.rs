//! Guards: what an alternation chooses between.
//!
//! A guard of a channel is tried under that channel's lock; if it is ready it is performed there and then, and
//! *finished* once no lock is held. If none is ready, each stands at its channel with one offer.
//!
//! A guard's offer stands in a queue only between `stand` and `withdraw` (or its commit), which one call of
//! `alternation::choose` encloses; the guard is borrowed for that long and can't move.
#![allow(unsafe_code)]
#![allow(missing_debug_implementations, reason = "what only macros see")]

use std::borrow::Borrow;
use std::cell::{Cell, LazyCell};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::pin::Pin;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};

use crate::backend::away::{Done, Post};
use crate::blocked::{Operation, Want};
use crate::channel::core::{Core, Found, Kept, Placed, Release, Side, State};
use crate::channel::{Extended, Reader, Writer};
use crate::holders::Claim;
use crate::park::Context;
use crate::sync::{Arc, RawLock};
use crate::termination::{Poison, Termination, WriteError};
use crate::waiter::{Customer, Gate, Made, Partner, Promise, Slot, Standing, Waiter};

/// What trying a guard has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// It was ready, and is performed but for its `finish`.
    Performed,
    /// It is ready, and has no partner: its time has come, or it is `skip`.
    Come,
    NotReady,
    /// Its time has not come yet.
    NotYet,
    /// Its channel has retired.
    Retired,
    /// Its channel is poisoned.
    Poisoned,
    /// Its channel is away: to be asked beyond this OS process.
    Far,
}

/// A guard as an alternation sees it.
///
/// # Safety
/// An implementor leaves no offer standing after `withdraw`, and uses `lock` for all that `attempt`, `stand` and
/// `withdraw` touch.
pub(crate) unsafe trait Stand {
    /// The lock of the channel; None: a guard that needs no partner.
    fn lock(&self) -> Option<&dyn RawLock>;

    /// Tries the guard under its own lock, and finishes it.
    fn try_alone(&self, context: &'static Context, place: &'static Location<'static>) -> Tried;

    /// # Safety
    /// The caller holds [`lock`](Self::lock).
    unsafe fn attempt(&self) -> Tried;

    /// Puts the guard's offer into its queue.
    ///
    /// # Safety
    /// The caller holds the lock; guard and waiter stay where they are until `withdraw`, or until the waiter was
    /// committed to this guard.
    unsafe fn stand(&self, waiter: &Waiter, index: u32);

    /// Takes it out again, if it is still in.
    fn withdraw(&self);

    /// After `Performed`, with no lock held. False: the partner could not keep its word, nothing was performed.
    fn finish(&self, context: &'static Context, place: &'static Location<'static>) -> bool;

    /// Called before a choice that is awaited tries it; `try_alone` does this itself.
    fn begin(&self) {}

    /// [`finish`](Self::finish), awaited.
    fn poll_finish(
        &self,
        context: &'static Context,
        place: &'static Location<'static>,
        _waker: &Waker,
    ) -> Poll<bool> {
        Poll::Ready(self.finish(context, place))
    }

    /// It was chosen, and nobody asks for what it gives: a future was dropped.
    fn undo(&self) {}

    /// How the channel has ended, if that is why the guard can't be ready any more.
    fn ended(&self) -> Option<Termination> {
        None
    }

    /// What the guard offers beyond this OS process, if its channel is away. No lock is held.
    fn post(&self, _context: &'static Context) -> Result<Option<Post>, Termination> {
        Ok(None)
    }

    /// That was taken. False: the partner could not keep its word, nothing was performed.
    fn came(
        &self,
        _context: &'static Context,
        _done: Done,
        _place: &'static Location<'static>,
    ) -> Result<bool, Termination> {
        Ok(true)
    }

    /// That can't be taken any more.
    fn told(&self, _termination: &Termination) {}

    /// When a guard without a partner becomes ready.
    fn deadline(&self, _now: &LazyCell<Instant>) -> Option<Instant> {
        None
    }

    /// Whether it would be performed if it were tried now, as far as that can be told.
    fn is_likely(&self) -> bool {
        false
    }

    /// What the guard waits for.
    fn want(&self) -> Want<'_>;
}

/// A guard lent to one choice; `None` is one that is disabled.
#[derive(Clone, Copy)]
pub struct Entry<'a>(pub(crate) Option<&'a dyn Stand>);

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(guard) => write!(f, "{}", guard.want()),
            None => f.write_str("disabled"),
        }
    }
}

/// A guard as `alt!` sees it.
pub trait Guard {
    /// What the arm is given.
    type Value;
    /// Lends the guard to one choice.
    fn offer(&mut self) -> Entry<'_>;
    /// Called once, on the guard that was chosen.
    fn value(self) -> Self::Value;
}

/// A guard whose precondition is false.
impl<G: Guard> Guard for Option<G> {
    type Value = G::Value;

    #[inline(always)]
    fn offer(&mut self) -> Entry<'_> {
        match self {
            Some(guard) => guard.offer(),
            None => Entry(None),
        }
    }

    #[inline(always)]
    fn value(self) -> G::Value {
        self.expect("a disabled guard is never chosen").value()
    }
}

/// What the guards of both sides of a channel share. `C` is the channel, or a reference to it.
pub(crate) struct AtChannel<T, C> {
    core: C,
    standing: Standing<T>,
}

impl<T, C: Borrow<Arc<Core<T>>>> AtChannel<T, C> {
    #[inline(always)]
    fn new(core: C) -> Self {
        Self { core, standing: Standing::new() }
    }

    #[inline(always)]
    fn core(&self) -> &Arc<Core<T>> {
        self.core.borrow()
    }

    /// # Safety
    /// As [`Stand::stand`].
    unsafe fn stand(
        &self,
        side: Side,
        waiter: &Waiter,
        index: u32,
        value: impl FnOnce() -> Option<T>,
        extended: bool,
    ) {
        // SAFETY: the lock is held.
        let state = unsafe { self.core().state().held() };
        // A guard that is left out is no longer counted, so nothing that its channel may yet see is to reach it.
        if state.ended.is_none() && !state.is_away() {
            let (queue, value) = (state.queue(side), value());
            // SAFETY: the caller's promise.
            unsafe { self.standing.stand(queue, waiter, index, value, extended) };
        }
    }

    fn withdraw(&self, side: Side) {
        self.standing.withdraw(self.core().state().lock().queue(side));
    }

    fn ended(&self, side: Side) -> Option<Termination> {
        self.core().termination(side)
    }

    #[cold]
    fn is_likely(&self, side: Side) -> bool {
        self.core().state().lock().is_likely(side)
    }

    fn want(&self, side: Side) -> Want<'_> {
        let operation = match side {
            Side::Reader => Operation::Read,
            Side::Writer => Operation::Write,
        };
        Want { operation, object: Some(&**self.core()) }
    }
}

/// How a channel stands when it has nothing for a guard.
#[inline(always)]
fn idle<T>(state: &State<T>) -> Tried {
    match state.ended {
        None if state.is_away() => Tried::Far,
        None => Tried::NotReady,
        Some(Termination::Retired) => Tried::Retired,
        Some(Termination::Poisoned(_)) => Tried::Poisoned,
    }
}

/// `end.read()`, and `end.begin()` where `EXTENDED`.
pub(crate) struct Input<T, C, const EXTENDED: bool> {
    at: AtChannel<T, C>,
    holds: Cell<Holds<T>>,
}

/// What a guard that reads has come by. One of them at a time: ten guards are made for each choice, and nine are not used.
enum Holds<T> {
    Nothing,
    /// Whom `attempt` has committed, for `finish`.
    Partner(Partner<T>),
    Value(T, Option<Kept>),
    /// The value was taken.
    Kept(Kept),
    /// The value that is made for it; awaited. Its owner takes the share out, or leaves it for ever.
    Promise(ManuallyDrop<Arc<Promise<T>>>),
}

impl<T, C: Borrow<Arc<Core<T>>>, const EXTENDED: bool> Input<T, C, EXTENDED> {
    #[inline(always)]
    pub(crate) fn new(core: C) -> Self {
        Self { at: AtChannel::new(core), holds: Cell::new(Holds::Nothing) }
    }

    #[inline(always)]
    fn holds(&self, holds: Holds<T>) {
        self.holds.set(holds);
    }

    /// What is held, if it is what `pick` asks for.
    #[inline(always)]
    fn pick<R>(&self, pick: impl FnOnce(Holds<T>) -> Result<R, Holds<T>>) -> Option<R> {
        match pick(self.holds.replace(Holds::Nothing)) {
            Ok(picked) => Some(picked),
            Err(other) => {
                self.holds(other);
                None
            }
        }
    }

    #[inline(always)]
    fn take_partner(&self) -> Option<Partner<T>> {
        self.pick(|holds| match holds {
            Holds::Partner(writer) => Ok(writer),
            other => Err(other),
        })
    }

    fn take_promise(&self) -> Option<Arc<Promise<T>>> {
        let held = self.pick(|holds| match holds {
            Holds::Promise(promise) => Ok(ManuallyDrop::into_inner(promise)),
            other => Err(other),
        });
        held.or_else(|| self.at.standing.offer()?.promise())
    }

    #[inline(always)]
    fn take_value(&self) -> Option<T> {
        let held = self.pick(|holds| match holds {
            Holds::Value(value, kept) => Ok((value, kept)),
            other => Err(other),
        });
        let Some((value, kept)) = held else { return self.at.standing.offer()?.served() };
        if let Some(kept) = kept {
            self.holds(Holds::Kept(kept));
        }
        Some(value)
    }

    /// After `take_value`.
    fn take_kept(&self) -> Option<Kept> {
        let held = self.pick(|holds| match holds {
            Holds::Kept(kept) => Ok(kept),
            other => Err(other),
        });
        held.or_else(|| self.at.standing.offer()?.held().map(Kept::Writer))
    }

    /// The value of a writer that waits. False: it has none after all.
    #[inline(always)]
    fn receive(
        &self,
        context: &'static Context,
        writer: Partner<T>,
        place: &'static Location<'static>,
    ) -> bool {
        let Some((value, kept)) = self.at.core().receive(context, writer, EXTENDED, place) else {
            return false;
        };
        self.holds(Holds::Value(value, kept));
        true
    }

    /// What the guard has read, once it was chosen.
    #[inline(always)]
    pub(crate) fn value(&self) -> T {
        self.take_value().expect("a guard that was chosen has its value")
    }

    /// What the end of the extended read lets go; after `value`.
    pub(crate) fn release(&self) -> Release<T> {
        self.at.core().release(self.take_kept())
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, both under the channel's lock.
unsafe impl<T, C: Borrow<Arc<Core<T>>>, const EXTENDED: bool> Stand for Input<T, C, EXTENDED> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(self.at.core().state())
    }

    #[inline]
    fn try_alone(&self, context: &'static Context, place: &'static Location<'static>) -> Tried {
        loop {
            let mut state = self.at.core().state().lock();
            match state.find(EXTENDED) {
                Found::With(writer) => {
                    drop(state);
                    if self.receive(context, writer, place) {
                        return Tried::Performed;
                    }
                }
                Found::InBuffer(value) => {
                    self.holds(Holds::Value(value, None));
                    return Tried::Performed;
                }
                Found::Nothing => return idle(&state),
            }
        }
    }

    unsafe fn attempt(&self) -> Tried {
        // SAFETY: the lock is held, and nothing else uses the state meanwhile.
        let state = unsafe { self.at.core().state().held() };
        match state.find(EXTENDED) {
            Found::With(writer) => self.holds(Holds::Partner(writer)),
            Found::InBuffer(value) => self.holds(Holds::Value(value, None)),
            Found::Nothing => return idle(state),
        }
        Tried::Performed
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the caller's promise.
        unsafe { self.at.stand(Side::Reader, waiter, index, || None, EXTENDED) };
    }

    fn withdraw(&self) {
        self.at.withdraw(Side::Reader);
    }

    #[inline]
    fn finish(&self, context: &'static Context, place: &'static Location<'static>) -> bool {
        match self.take_partner() {
            Some(writer) => self.receive(context, writer, place),
            None => true,
        }
    }

    fn post(&self, _: &'static Context) -> Result<Option<Post>, Termination> {
        Ok(self.at.core().away().map(|far| far.post_read(EXTENDED)))
    }

    fn came(
        &self,
        context: &'static Context,
        done: Done,
        place: &'static Location<'static>,
    ) -> Result<bool, Termination> {
        let Some(far) = self.at.core().away() else { return Ok(false) };
        let (opened, finish) = far.came(context, done, EXTENDED)?;
        let found = self.at.core().opened(opened, finish, context, EXTENDED, place)?;
        Ok(found.is_some_and(|(value, kept)| {
            self.holds(Holds::Value(value, kept));
            true
        }))
    }

    fn told(&self, termination: &Termination) {
        self.at.core().learn(Side::Reader, termination);
    }

    fn poll_finish(
        &self,
        _: &'static Context,
        _: &'static Location<'static>,
        waker: &Waker,
    ) -> Poll<bool> {
        if let Some(writer) = self.take_partner() {
            let holds = match writer.take() {
                Some(value) if EXTENDED => Holds::Value(value, Some(Kept::Writer(writer.hold()))),
                Some(value) => {
                    writer.wake();
                    Holds::Value(value, None)
                }
                None => Holds::Promise(ManuallyDrop::new(writer.order_later(EXTENDED))),
            };
            self.holds(holds);
        }
        let Some(promise) = self.take_promise() else { return Poll::Ready(true) };
        match promise.poll(waker) {
            None => {
                self.holds(Holds::Promise(ManuallyDrop::new(promise)));
                Poll::Pending
            }
            Some(Made::Value(value, held)) => {
                self.holds(Holds::Value(value, held.map(Kept::Writer)));
                Poll::Ready(true)
            }
            Some(Made::Nothing) => Poll::Ready(false),
        }
    }

    fn undo(&self) {
        let (value, held) = match self.take_promise() {
            Some(promise) => match promise.abandon() {
                Some(Made::Value(value, held)) => (Some(value), held.map(Kept::Writer)),
                Some(Made::Nothing) | None => (None, None),
            },
            None => (self.take_value(), self.take_kept()),
        };
        if let Some(value) = value {
            self.at.core().give_back(value, EXTENDED && held.is_none());
        }
        if let Some(held) = held {
            drop(self.at.core().release(Some(held)));
        }
    }

    fn is_likely(&self) -> bool {
        self.at.is_likely(Side::Reader)
    }

    fn ended(&self) -> Option<Termination> {
        self.at.ended(Side::Reader)
    }

    fn want(&self) -> Want<'_> {
        self.at.want(Side::Reader)
    }
}

/// The guard `end.read()`.
pub struct Read<'a, T>(Input<T, &'a Arc<Core<T>>, false>);

/// The guard `end.read()`.
#[inline(always)]
pub fn read<T>(end: &Reader<T>) -> Read<'_, T> {
    Read(Input::new(end.core()))
}

impl<T> Guard for Read<'_, T> {
    type Value = T;

    #[inline(always)]
    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(&self.0))
    }

    #[inline(always)]
    fn value(self) -> T {
        self.0.value()
    }
}

/// The guard `end.begin()`.
pub struct Begin<'a, T>(Input<T, &'a Arc<Core<T>>, true>);

/// The guard `end.begin()`.
pub fn begin<T>(end: &Reader<T>) -> Begin<'_, T> {
    Begin(Input::new(end.core()))
}

impl<T> Guard for Begin<'_, T> {
    type Value = Extended<'static, T>;

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(&self.0))
    }

    fn value(self) -> Self::Value {
        Extended::new(self.0.value(), self.0.release())
    }
}

/// The guard `end.write(value)`.
pub struct Write<'a, T> {
    at: AtChannel<T, &'a Arc<Core<T>>>,
    /// Whom `attempt` has committed, for `finish`.
    partner: Cell<Option<Partner<T>>>,
    value: Cell<Option<T>>,
    /// The end of the extended read that has the value; awaited.
    gate: Slot<Gate>,
}

/// The guard `end.write(value)`.
#[inline(always)]
pub fn write<T>(end: &Writer<T>, value: T) -> Write<'_, T> {
    Write {
        at: AtChannel::new(end.core()),
        partner: Cell::new(None),
        value: Cell::new(Some(value)),
        gate: Slot::new(),
    }
}

impl<T> Write<'_, T> {
    #[inline(always)]
    fn perform(&self, state: &mut State<T>) -> Tried {
        let value = self.value.take().unwrap_or_else(|| self.again());
        match state.place(value) {
            Placed::With(reader) => self.partner.set(Some(reader)),
            Placed::InBuffer => {}
            Placed::Nowhere(value) => {
                self.value.set(Some(value));
                return idle(state);
            }
        }
        Tried::Performed
    }

    /// The value that it has offered before: its channel was shared meanwhile, and it begins anew.
    #[cold]
    #[inline(never)]
    fn again(&self) -> T {
        self.take().expect("a value is written once")
    }

    /// The value, if it was not written.
    fn take(&self) -> Option<T> {
        self.value.take().or_else(|| self.at.standing.offer()?.served())
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, both under the channel's lock.
unsafe impl<T> Stand for Write<'_, T> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(self.at.core().state())
    }

    #[inline]
    fn try_alone(&self, context: &'static Context, place: &'static Location<'static>) -> Tried {
        let tried = self.perform(&mut self.at.core().state().lock());
        if tried == Tried::Performed {
            self.finish(context, place);
        }
        tried
    }

    unsafe fn attempt(&self) -> Tried {
        // SAFETY: the lock is held, and nothing else uses the state meanwhile.
        self.perform(unsafe { self.at.core().state().held() })
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the caller's promise.
        unsafe { self.at.stand(Side::Writer, waiter, index, || self.take(), false) };
    }

    fn withdraw(&self) {
        self.at.withdraw(Side::Writer);
    }

    #[inline]
    fn finish(&self, context: &'static Context, place: &'static Location<'static>) -> bool {
        if let Some(reader) = self.partner.take() {
            if reader.is_extended() {
                self.at.core().serve_extended(context, reader, place);
            } else {
                reader.wake();
            }
        }
        true
    }

    fn post(&self, context: &'static Context) -> Result<Option<Post>, Termination> {
        let Some(far) = self.at.core().away() else { return Ok(None) };
        let value = self.take().expect("a value is written once");
        let post = far.post_write(context, &value);
        self.value.set(Some(value));
        post.map(Some)
    }

    fn came(
        &self,
        _: &'static Context,
        _: Done,
        _: &'static Location<'static>,
    ) -> Result<bool, Termination> {
        drop(self.value.take());
        Ok(true)
    }

    fn told(&self, termination: &Termination) {
        self.at.core().learn(Side::Writer, termination);
    }

    fn poll_finish(
        &self,
        _: &'static Context,
        _: &'static Location<'static>,
        waker: &Waker,
    ) -> Poll<bool> {
        if let Some(reader) = self.partner.take() {
            if self.at.core().keeps_its_writer(reader.is_extended()) {
                self.gate.put(reader.wake_and_await());
            } else {
                reader.wake();
            }
        }
        let gate = self.gate.take().or_else(|| self.at.standing.offer()?.gate());
        match gate {
            Some(gate) if !gate.poll(waker) => {
                self.gate.put(gate);
                Poll::Pending
            }
            _ => Poll::Ready(true),
        }
    }

    fn undo(&self) {
        // It does not wait for the end of an extended read.
        drop(self.gate.take().or_else(|| self.at.standing.offer()?.gate()));
    }

    fn is_likely(&self) -> bool {
        self.at.is_likely(Side::Writer)
    }

    fn ended(&self) -> Option<Termination> {
        self.at.ended(Side::Writer)
    }

    fn want(&self) -> Want<'_> {
        self.at.want(Side::Writer)
    }
}

impl<T> Guard for Write<'_, T> {
    type Value = ();

    #[inline(always)]
    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    #[inline(always)]
    fn value(self) {}
}

/// An output that commits before its value is there: the guards `end.write_with(|| …)` and, for a variable that
/// is to stay where it is if the guard is not chosen, `end.write(variable)`.
pub(crate) struct Output<T, C> {
    at: AtChannel<T, C>,
    /// Whom it was chosen for.
    partner: Cell<Option<Partner<T>>>,
    /// Where the value is to be written that was promised beyond this OS process.
    promised: Cell<Option<Promised<T>>>,
}

/// Where a late value is to be written. Not written, because its maker panicked or another guard was chosen, it retires: the
/// process may go on, and has met no poison.
struct Promised<T>(Option<Writer<T>>);

impl<T> Promised<T> {
    /// Whoever it was promised to may be gone; then it is as if that one had read it.
    fn keep(mut self, value: T, place: &'static Location<'static>) -> Result<(), Termination> {
        let Some(end) = self.0.take() else { return Ok(()) };
        match end.core().write(value, place) {
            Err(WriteError { termination, .. })
                if termination.poison().is_some_and(Poison::is_of_serialization) =>
            {
                // The channel is as it was: who waits for this value is to wait for another.
                end.retire();
                Err(termination)
            }
            _ => Ok(()),
        }
    }
}

impl<T> Drop for Promised<T> {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end.retire();
        }
    }
}

impl<T, C: Borrow<Arc<Core<T>>>> Output<T, C> {
    pub(crate) fn new(core: C) -> Self {
        Self { at: AtChannel::new(core), partner: Cell::new(None), promised: Cell::new(None) }
    }

    fn perform(&self, state: &mut State<T>) -> Tried {
        if let Some(reader) = state.customer() {
            self.partner.set(Some(reader));
            return Tried::Performed;
        }
        if state.reserve() { Tried::Performed } else { idle(state) }
    }

    /// The reader that the guard was chosen for, or its room in the buffer.
    pub(crate) fn handover(&self, place: &'static Location<'static>) -> Handover<T> {
        let partner = self.partner.take().map(Partner::into_customer);
        let reader = partner.or_else(|| self.at.standing.offer()?.customer());
        let promised = self.promised.take();
        Handover { core: Arc::clone(self.at.core()), reader, promised, place, done: false }
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, both under the channel's lock.
unsafe impl<T, C: Borrow<Arc<Core<T>>>> Stand for Output<T, C> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(self.at.core().state())
    }

    fn try_alone(&self, _: &Context, _: &'static Location<'static>) -> Tried {
        self.perform(&mut self.at.core().state().lock())
    }

    fn undo(&self) {
        drop(self.handover(Location::caller()));
    }

    unsafe fn attempt(&self) -> Tried {
        // SAFETY: the lock is held, and nothing else uses the state meanwhile.
        self.perform(unsafe { self.at.core().state().held() })
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the caller's promise.
        unsafe { self.at.stand(Side::Writer, waiter, index, || None, false) };
    }

    fn withdraw(&self) {
        self.at.withdraw(Side::Writer);
    }

    fn finish(&self, _: &Context, _: &'static Location<'static>) -> bool {
        true
    }

    /// A promise: the value comes by a channel of its own, once it is made.
    fn post(&self, _: &'static Context) -> Result<Option<Post>, Termination> {
        let Some(far) = self.at.core().away() else { return Ok(None) };
        // A rendezvous, as the channel is; if the reader dies before it has seen the promise, it gets room for the value, which is
        // then for the next one, whenever that comes.
        let late = Arc::new(Core::new(self.at.core().capacity().min(1), self.at.core().birth()));
        let promised = Writer::new(Arc::clone(&late));
        late.join(Side::Reader);
        let post = far.post_late(&late);
        late.leave(Side::Reader, &Claim::none());
        late.drop_handle(&Claim::none());
        self.promised.set(Some(Promised(Some(promised))));
        post.map(Some)
    }

    fn told(&self, termination: &Termination) {
        self.at.core().learn(Side::Writer, termination);
    }

    fn is_likely(&self) -> bool {
        self.at.is_likely(Side::Writer)
    }

    fn ended(&self) -> Option<Termination> {
        self.at.ended(Side::Writer)
    }

    fn want(&self) -> Want<'_> {
        self.at.want(Side::Writer)
    }
}

/// An output whose value is made when a reader has committed.
pub struct Defer<'a, T>(Output<T, &'a Arc<Core<T>>>);

/// An output whose value is made when a reader has committed.
pub fn defer<T>(end: &Writer<T>) -> Defer<'_, T> {
    Defer(Output::new(end.core()))
}

impl<T> Guard for Defer<'_, T> {
    type Value = Handover<T>;

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(&self.0))
    }

    #[track_caller]
    fn value(self) -> Handover<T> {
        self.0.handover(Location::caller())
    }
}

/// A committed output whose value is not there yet.
#[must_use = "a reader waits for the value"]
pub struct Handover<T> {
    core: Arc<Core<T>>,
    /// None: room was reserved in the buffer.
    reader: Option<Customer<T>>,
    /// Or it was promised beyond this OS process.
    promised: Option<Promised<T>>,
    place: &'static Location<'static>,
    done: bool,
}

impl<T> Handover<T> {
    /// Hands the value over. It waits only for a reader that reads by extended rendezvous.
    ///
    /// # Errors
    /// It can't leave this OS process: then nobody has it, and whoever it was promised to waits for another.
    pub fn deliver(mut self, value: T) -> Result<(), Termination> {
        self.done = true;
        if let Some(promised) = self.promised.take() {
            return promised.keep(value, self.place);
        }
        let context = crate::park::current();
        match self.reader.take() {
            Some(Customer::Waits(reader)) => {
                reader.put(value);
                if reader.is_extended() {
                    self.core.serve_extended(context, reader, self.place);
                } else {
                    reader.wake();
                }
            }
            Some(Customer::Awaits(promise)) => {
                self.core.keep_promise(context, &promise, value, self.place);
            }
            None => return self.core.fill(Some(value)),
        }
        Ok(())
    }

    /// [`deliver`](Self::deliver) where nothing could be done about an error: what a variable held has been moved, and can't
    /// be given back to it.
    ///
    /// # Panics
    /// If it can't leave this OS process.
    pub fn give(self, value: T) {
        given(self.deliver(value));
    }

    /// The same; what is left to wait for, if anything, is awaited.
    pub fn give_async(self, value: T) -> Giving {
        Giving(self.deliver_async(value))
    }

    /// [`deliver`](Self::deliver); what is left to wait for, if anything, is awaited.
    pub fn deliver_async(mut self, value: T) -> Delivery {
        self.done = true;
        if let Some(promised) = self.promised.take() {
            return Delivery(None, promised.keep(value, self.place));
        }
        let gate = match self.reader.take() {
            Some(Customer::Waits(reader)) => {
                reader.put(value);
                if self.core.keeps_its_writer(reader.is_extended()) {
                    Some(reader.wake_and_await())
                } else {
                    reader.wake();
                    None
                }
            }
            Some(Customer::Awaits(promise)) => self.core.keep_promise_and_await(&promise, value),
            None => return Delivery(None, self.core.fill(Some(value))),
        };
        Delivery(gate, Ok(()))
    }
}

/// The same of a variable's value.
#[must_use = "a writer goes on only when its reader has done"]
pub struct Giving(Delivery);

impl Future for Giving {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, waking: &mut task::Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(waking).map(given)
    }
}

#[inline]
fn given(delivered: Result<(), Termination>) {
    if let Err(termination) = delivered {
        panic!("{termination}");
    }
}

/// The end of an extended read, awaited by its writer.
#[must_use = "a writer goes on only when its reader has done"]
pub struct Delivery(Option<Arc<Gate>>, Result<(), Termination>);

impl Future for Delivery {
    type Output = Result<(), Termination>;

    fn poll(mut self: Pin<&mut Self>, waking: &mut task::Context<'_>) -> Poll<Self::Output> {
        match &self.0 {
            Some(gate) if !gate.poll(waking.waker()) => Poll::Pending,
            _ => Poll::Ready(std::mem::replace(&mut self.1, Ok(()))),
        }
    }
}

impl<T> Drop for Handover<T> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // The value was never made: its maker panicked. Who it was promised to sees its channel retire.
        if self.promised.take().is_some() {
            return;
        }
        match self.reader.take() {
            Some(Customer::Waits(reader)) => reader.disappoint(),
            Some(Customer::Awaits(promise)) => {
                let _ = promise.keep(Made::Nothing);
            }
            None => {
                let _ = self.core.fill(None);
            }
        }
    }
}

/// Chooses how a variable is written: copied before the choice if it is `Copy`, moved after it if not.
pub struct Place<'a, M>(pub &'a M);

impl<M: Copy> Place<'_, M> {
    /// `Copy`
    #[inline(always)]
    pub fn kind(&self) -> Now {
        Now
    }
}

/// Not known to be `Copy`.
pub trait Moves {
    /// Not known to be `Copy`.
    #[inline(always)]
    fn kind(&self) -> Later {
        Later
    }
}

impl<M> Moves for Place<'_, M> {}

/// See [`Place`].
pub struct Now;

impl Now {
    /// What is written: a copy. It is coerced on its way to `guard`, as an argument of a plain `write` is.
    #[inline(always)]
    pub fn take<M: Copy>(&self, variable: &M) -> M {
        *variable
    }

    /// A plain `write` of it.
    #[inline(always)]
    pub fn guard<'e, T>(&self, end: &'e Writer<T>, value: T) -> Copied<'e, T> {
        Copied(write(end, value))
    }
}

/// See [`Place`].
pub struct Later;

impl Later {
    /// What is written: nothing yet.
    #[inline(always)]
    pub fn take<M>(&self, _: &M) {}

    /// An output whose value stays with its variable until a reader has committed.
    pub fn guard<'e, T>(&self, end: &'e Writer<T>, (): ()) -> Defer<'e, T> {
        defer(end)
    }
}

/// The guard of a value that was copied.
pub struct Copied<'a, T>(Write<'a, T>);

impl<T> Guard for Copied<'_, T> {
    type Value = Delivered;

    #[inline(always)]
    fn offer(&mut self) -> Entry<'_> {
        self.0.offer()
    }

    #[inline(always)]
    fn value(self) -> Delivered {
        Delivered
    }
}

/// The value is with its reader already.
pub struct Delivered;

impl Delivered {
    /// Nothing is left to do.
    #[inline(always)]
    pub fn give_async<M>(self, _: M) -> std::future::Ready<()> {
        std::future::ready(())
    }

    /// Nothing is left to do.
    #[inline(always)]
    pub fn give<M>(self, _: M) {}
}

/// `after(d)` and `at(t)`.
pub struct At {
    when: When,
    /// Of `after`, once the process has found nothing else ready.
    counted_from_here: Cell<Option<Instant>>,
}

#[derive(Clone, Copy)]
enum When {
    After(Duration),
    At(Instant),
}

/// The guard `after(duration)`.
pub fn after(duration: Duration) -> At {
    At { when: When::After(duration), counted_from_here: Cell::new(None) }
}

/// The guard `at(instant)`.
pub fn at(instant: Instant) -> At {
    At { when: When::At(instant), counted_from_here: Cell::new(None) }
}

impl At {
    fn has_come(&self) -> Tried {
        let come = match self.when {
            When::After(duration) => duration.is_zero(),
            When::At(instant) => instant <= Instant::now(),
        };
        if come { Tried::Come } else { Tried::NotYet }
    }

    /// For another round.
    pub(crate) fn begin(&self) {
        self.counted_from_here.set(None);
    }
}

// SAFETY: it stands nowhere.
unsafe impl Stand for At {
    fn lock(&self) -> Option<&dyn RawLock> {
        None
    }

    fn try_alone(&self, _: &Context, _: &'static Location<'static>) -> Tried {
        self.has_come()
    }

    unsafe fn attempt(&self) -> Tried {
        self.has_come()
    }

    unsafe fn stand(&self, _: &Waiter, _: u32) {}

    fn withdraw(&self) {}

    fn finish(&self, _: &Context, _: &'static Location<'static>) -> bool {
        true
    }

    fn deadline(&self, now: &LazyCell<Instant>) -> Option<Instant> {
        // So far in the future that it never comes: some thirty years.
        const NEVER: Duration = Duration::from_secs(1 << 30);
        let deadline = match (self.when, self.counted_from_here.get()) {
            (When::At(instant), _) | (When::After(_), Some(instant)) => instant,
            (When::After(duration), None) => **now + duration.min(NEVER),
        };
        self.counted_from_here.set(Some(deadline));
        Some(deadline)
    }

    fn want(&self) -> Want<'_> {
        Want { operation: Operation::Timeout, object: None }
    }
}

impl Guard for At {
    type Value = ();

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn value(self) {}
}

/// The guard `skip`.
pub struct Skip;

/// The guard `skip`.
pub fn skip() -> Skip {
    Skip
}

// SAFETY: it stands nowhere.
unsafe impl Stand for Skip {
    fn lock(&self) -> Option<&dyn RawLock> {
        None
    }

    fn try_alone(&self, _: &Context, _: &'static Location<'static>) -> Tried {
        Tried::Come
    }

    unsafe fn attempt(&self) -> Tried {
        Tried::Come
    }

    unsafe fn stand(&self, _: &Waiter, _: u32) {}

    fn withdraw(&self) {}

    fn finish(&self, _: &Context, _: &'static Location<'static>) -> bool {
        true
    }

    fn want(&self) -> Want<'_> {
        Want { operation: Operation::Skip, object: None }
    }
}

impl Guard for Skip {
    type Value = ();

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn value(self) {}
}

/// A channel end, or a pointer to one: what `retired` takes.
#[diagnostic::on_unimplemented(
    message = "`retired` takes a channel end: `{Self}` is none",
    label = "expected a `Reader` or a `Writer`"
)]
pub trait End: sealed::End {}

impl<E: sealed::End + ?Sized> End for E {}

mod sealed {
    use super::{Arc, Core};

    pub trait End {
        type Value;
        fn core(&self) -> &Arc<Core<Self::Value>>;
    }
}

impl<T> sealed::End for Reader<T> {
    type Value = T;

    fn core(&self) -> &Arc<Core<T>> {
        Self::core(self)
    }
}

impl<T> sealed::End for Writer<T> {
    type Value = T;

    fn core(&self) -> &Arc<Core<T>> {
        Self::core(self)
    }
}

macro_rules! pointers_to_ends {
    ($($pointer:ty),*) => { $(
        impl<E: sealed::End + ?Sized> sealed::End for $pointer {
            type Value = E::Value;

            fn core(&self) -> &Arc<Core<E::Value>> {
                (**self).core()
            }
        }
    )* };
}

pointers_to_ends!(&E, &mut E, Box<E>, std::sync::Arc<E>, std::rc::Rc<E>);

/// The guard `retired(end)`.
pub struct Retired<T, C> {
    core: C,
    standing: Standing<()>,
    values: PhantomData<fn(T)>,
}

impl<T, C> Retired<T, C> {
    fn new(core: C) -> Self {
        Self { core, standing: Standing::new(), values: PhantomData }
    }
}

/// The guard `retired(end)`: ready when the channel is retired and has nothing left to read.
pub fn retired<E: End + ?Sized>(
    end: &E,
) -> Retired<<E as sealed::End>::Value, &Arc<Core<<E as sealed::End>::Value>>> {
    expected(end.core());
    Retired::new(end.core())
}

/// Whichever side waits for the end of a channel: the ends of the other are of use.
fn expected<T>(core: &Core<T>) {
    core.told(Side::Reader);
    core.told(Side::Writer);
}

/// The guard `retired(end)`, for longer than the end is borrowed.
pub(crate) fn watch<E: End + ?Sized>(
    end: &E,
) -> Retired<<E as sealed::End>::Value, Arc<Core<<E as sealed::End>::Value>>> {
    expected(end.core());
    Retired::new(Arc::clone(end.core()))
}

impl<T, C: Borrow<Arc<Core<T>>>> Retired<T, C> {
    fn core(&self) -> &Arc<Core<T>> {
        self.core.borrow()
    }

    fn perform(state: &State<T>) -> Tried {
        match state.ended {
            Some(Termination::Poisoned(_)) => Tried::Poisoned,
            Some(Termination::Retired) if state.is_retired() => Tried::Performed,
            _ if state.is_away() => Tried::Far,
            _ => Tried::NotReady,
        }
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, both under the channel's lock.
unsafe impl<T, C: Borrow<Arc<Core<T>>>> Stand for Retired<T, C> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(self.core().state())
    }

    fn try_alone(&self, _: &Context, _: &'static Location<'static>) -> Tried {
        Self::perform(&self.core().state().lock())
    }

    unsafe fn attempt(&self) -> Tried {
        // SAFETY: the caller holds the lock.
        Self::perform(unsafe { self.core().state().held() })
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the lock is held.
        let state = unsafe { self.core().state().held() };
        if state.is_away() {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe { self.standing.stand(&mut state.watchers, waiter, index, Some(()), false) };
    }

    fn withdraw(&self) {
        self.standing.withdraw(&mut self.core().state().lock().watchers);
    }

    fn finish(&self, _: &Context, _: &'static Location<'static>) -> bool {
        true
    }

    fn post(&self, _: &'static Context) -> Result<Option<Post>, Termination> {
        Ok(self.core().away().map(|far| far.post_retired()))
    }

    fn told(&self, termination: &Termination) {
        self.core().learn(Side::Reader, termination);
    }

    fn ended(&self) -> Option<Termination> {
        self.core().termination(Side::Reader).filter(|ended| ended.poison().is_some())
    }

    fn want(&self) -> Want<'_> {
        Want { operation: Operation::Retirement, object: Some(&**self.core()) }
    }
}

impl<T, C: Borrow<Arc<Core<T>>>> Guard for Retired<T, C> {
    type Value = ();

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn value(self) {}
}
