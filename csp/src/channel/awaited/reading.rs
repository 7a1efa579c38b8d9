//! Reads as futures.
#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Waking, Poll, Waker};

use super::acting::Acting;
use super::beyond::ReadBeyond;
use crate::channel::core::{Core, Found, Kept};
use crate::channel::extended::Extended;
use crate::channel::far;
use crate::channel::lent::Lent;
use crate::commit::awaited::Awaited;
use crate::commit::parcel::Parcel;
use crate::commit::promise::{Made, Promise};
use crate::commit::waiter::Outcome;
use crate::report::termination::Result;
use crate::sync::Arc;
use crate::wait::blocked::{Blocked, Object, Operation, Side, Want};
use crate::wait::park::{self, Context};

/// A read that is awaited: see [`Reader::read_async`](crate::Reader::read_async).
#[must_use = "nothing is read until it is awaited"]
pub struct ReadAsync<'a, T>(Reading<Lent<'a, T>, T, false>);

/// An extended read that is awaited: see [`Reader::begin_async`](crate::Reader::begin_async).
#[must_use = "nothing is read until it is awaited"]
pub struct BeginAsync<'a, T>(Reading<Lent<'a, T>, T, true>);

/// A read as a future. `EXTENDED` is no field, because there may be millions.
pub(super) struct Reading<C: Acting<T>, T, const EXTENDED: bool> {
    core: C,
    place: &'static Location<'static>,
    stage: ReadStage<T>,
    awaited: Awaited<T>,
    /// It stays on its thread, with its process.
    thread: PhantomData<*const ()>,
}

enum ReadStage<T> {
    /// Nothing is done.
    Begin,
    Stands,
    /// A writer has committed, and makes its value.
    Promised(Arc<Promise<T>>),
    /// The channel is away.
    Beyond(far::Kept<ReadBeyond<T>>),
    Over,
}

impl<C: Acting<T>, T, const EXTENDED: bool> Reading<C, T, EXTENDED> {
    #[inline(always)]
    pub(super) fn new(core: C, place: &'static Location<'static>) -> Self {
        let awaited = Awaited::new();
        Self { core, place, stage: ReadStage::Begin, awaited, thread: PhantomData }
    }

    /// Reads, and moves the value into the parcel.
    ///
    /// # Safety
    /// `self` is pinned.
    #[inline]
    pub(super) unsafe fn poll(
        &mut self,
        waker: &Waker,
        to: &Parcel<T>,
    ) -> Poll<Result<Option<Kept>>> {
        let context = park::current();
        loop {
            match &self.stage {
                // SAFETY: the caller's promise.
                ReadStage::Begin => match unsafe { self.begin(context, waker, to) } {
                    Some(result) => {
                        self.stage = ReadStage::Over;
                        return Poll::Ready(result);
                    }
                    None => match &self.stage {
                        ReadStage::Stands if !self.awaited.is_strange() => {
                            return Poll::Pending;
                        }
                        ReadStage::Begin => return Poll::Pending,
                        _ => {}
                    },
                },
                ReadStage::Stands => {
                    let lock = || self.core.state().lock();
                    let Some(outcome) = self.awaited.poll(waker, self, lock) else {
                        return Poll::Pending;
                    };
                    let offer = self.awaited.offer();
                    let (held, promise) = (offer.held(), offer.promise());
                    let found = offer.value().pass(to);
                    self.awaited.clear(self);
                    self.stage = match (outcome, promise) {
                        _ if found => {
                            C::communicated(context);
                            self.stage = ReadStage::Over;
                            return Poll::Ready(Ok(held.map(Kept::Writer)));
                        }
                        (_, Some(promise)) => ReadStage::Promised(promise),
                        (Outcome::Retry, None) => ReadStage::Begin,
                        _ => {
                            self.stage = ReadStage::Over;
                            return Poll::Ready(Err(C::meet_end(
                                &self.core,
                                context,
                                Side::Reader,
                            )));
                        }
                    };
                }
                ReadStage::Promised(promise) => match promise.poll(waker, to) {
                    None => return Poll::Pending,
                    Some(Made::Value(held)) => {
                        C::communicated(context);
                        self.stage = ReadStage::Over;
                        return Poll::Ready(Ok(held.map(Kept::Writer)));
                    }
                    Some(Made::Nothing) => self.stage = ReadStage::Begin,
                },
                // SAFETY: it is on the heap, where it stays until it is dropped.
                ReadStage::Beyond(reading) => match unsafe { reading.poll(waker, to) } {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(None)) => {}
                    Poll::Ready(Ok(Some(kept))) => {
                        C::communicated(context);
                        self.stage = ReadStage::Over;
                        return Poll::Ready(Ok(kept));
                    }
                    Poll::Ready(Err(end)) => {
                        self.stage = ReadStage::Over;
                        let end = C::met_beyond(&self.core, context, Side::Reader, end);
                        return Poll::Ready(Err(end));
                    }
                },
                ReadStage::Over => panic!("a read that is done was polled again"),
            }
        }
    }

    /// Reads, if that is possible now. Otherwise it stands, or has a value promised, or goes on beyond this OS process. If it cannot
    /// begin yet, its process is awake.
    ///
    /// # Safety
    /// See `poll`.
    #[inline]
    unsafe fn begin(
        &mut self,
        context: &'static Context,
        waker: &Waker,
        to: &Parcel<T>,
    ) -> Option<Result<Option<Kept>>> {
        let mut state = self.core.state().lock();
        let mut held = None;
        match state.find(EXTENDED, None, || to) {
            Found::InBuffer(later) => {
                drop(state);
                drop(later);
            }
            Found::With(writer) => {
                drop(state);
                if !writer.pass(to) {
                    if let Some(termination) = C::unwinding(context) {
                        writer.disappoint();
                        return Some(Err(termination));
                    }
                    self.stage = ReadStage::Promised(writer.order_later(EXTENDED));
                    return None;
                }
                if EXTENDED {
                    held = Some(Kept::Writer(writer.hold()));
                } else {
                    writer.wake();
                }
            }
            Found::Nothing => {
                if state.ended.is_some() {
                    drop(state);
                    return Some(Err(C::meet_end(&self.core, context, Side::Reader)));
                }
                if let Some(termination) = C::unwinding(context) {
                    return Some(Err(termination));
                }
                if state.is_away() {
                    let far = state.far();
                    drop(state);
                    let Some(far) = far else {
                        // A thread is about to pack the values of the buffer.
                        waker.wake_by_ref();
                        return None;
                    };
                    let core = self.core.counted();
                    let reading = ReadBeyond::new(core, far, self.place, EXTENDED, C::ROAMS);
                    self.stage = ReadStage::Beyond(far.keep(reading));
                    return None;
                }
                self.stage = ReadStage::Stands;
                // SAFETY: all of this is pinned, and withdrawn by `Drop`.
                unsafe {
                    match C::ROAMS {
                        true => self.awaited.stand_as_stranger(&mut state.readers, EXTENDED),
                        false => self.awaited.stand(waker, &mut state.readers, EXTENDED, self),
                    }
                };
                state.reader_came();
                return None;
            }
        }
        C::communicated(context);
        Some(Ok(held))
    }
}

/// For a stream, which reads one value after another.
impl<T> Reading<Arc<Core<T>>, T, false> {
    /// Goes on with a read, or begins the next one.
    ///
    /// # Safety
    /// See `poll`.
    pub(super) unsafe fn poll_next(&mut self, waker: &Waker, to: &Parcel<T>) -> Poll<Result> {
        if let ReadStage::Over = self.stage {
            self.stage = ReadStage::Begin;
        }
        // SAFETY: the caller's promise.
        unsafe { self.poll(waker, to) }.map_ok(drop)
    }
}

impl<C: Acting<T>, T, const EXTENDED: bool> Drop for Reading<C, T, EXTENDED> {
    fn drop(&mut self) {
        let value = Parcel::empty();
        let held = match &self.stage {
            // One that is beyond gives its value back itself.
            ReadStage::Begin | ReadStage::Over | ReadStage::Beyond(_) => return,
            ReadStage::Stands => {
                let withdrawn =
                    self.awaited.withdraw(self.core.state().lock(), |state| &mut state.readers);
                let offer = self.awaited.offer();
                let (held, promise) = (offer.held(), offer.promise());
                offer.value().pass(&value);
                self.awaited.clear(self);
                match promise.and_then(|promise| promise.abandon(&value)) {
                    _ if withdrawn => return,
                    Some(Made::Value(held)) => held,
                    _ => held,
                }
            }
            ReadStage::Promised(promise) => match promise.abandon(&value) {
                Some(Made::Value(held)) => held,
                Some(Made::Nothing) | None => return,
            },
        };
        if !value.is_full() {
            return;
        }
        self.core.give_back(&value, EXTENDED && held.is_none());
        if let Some(held) = held {
            held.release();
        }
    }
}

impl<C: Acting<T>, T, const EXTENDED: bool> Blocked for Reading<C, T, EXTENDED> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        let (operation, stands) = match &self.stage {
            ReadStage::Promised(_) => (Operation::Handover, false),
            ReadStage::Stands => (Operation::Read, self.awaited.stands()),
            _ => (Operation::Read, false),
        };
        // Otherwise it is about to be woken, or it was forgotten and the channel may be gone.
        tell(Want { operation, object: stands.then(|| &*self.core as &dyn Object) });
    }
}

impl<'a, T> ReadAsync<'a, T> {
    #[inline(always)]
    pub(in crate::channel) fn new(
        core: &'a Arc<Core<T>>,
        place: &'static Location<'static>,
    ) -> Self {
        Self(Reading::new(Lent::of(core), place))
    }
}

impl<T> Future for ReadAsync<'_, T> {
    type Output = Result<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, waking: &mut Waking<'_>) -> Poll<Result<T>> {
        let value = Parcel::empty();
        // SAFETY: nothing is moved out of it while it stands.
        match unsafe { self.get_unchecked_mut().0.poll(waking.waker(), &value) } {
            Poll::Pending => Poll::Pending,
            Poll::Ready(came) => value.given_at_last(came.map(drop)),
        }
    }
}

impl<'a, T> BeginAsync<'a, T> {
    pub(in crate::channel) fn new(
        core: &'a Arc<Core<T>>,
        place: &'static Location<'static>,
    ) -> Self {
        Self(Reading::new(Lent::of(core), place))
    }
}

impl<'a, T> Future for BeginAsync<'a, T> {
    type Output = Result<Extended<'a, T>>;

    fn poll(self: Pin<&mut Self>, waking: &mut Waking<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out of it while it stands.
        let reading = unsafe { &mut self.get_unchecked_mut().0 };
        let value = Parcel::empty();
        // SAFETY: as above.
        let Poll::Ready(came) = (unsafe { reading.poll(waking.waker(), &value) }) else {
            return Poll::Pending;
        };
        let begun = came.map(|held| Core::release(&reading.core, held));
        Poll::Ready(Extended::begun(&value, begun))
    }
}

impl<T> fmt::Debug for ReadAsync<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read from `{}`", &*self.0.core)
    }
}

impl<T> fmt::Debug for BeginAsync<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "begin to read from `{}`", &*self.0.core)
    }
}
