//! Reads and writes as futures.
//!
//! The offer lies in the future itself, which is pinned from its first poll on. The drop of the future withdraws the offer.
#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Waking, Poll, Waker};

use super::core::{Core, Found, Kept, Placed};
use super::ends::refused;
use super::extended::Extended;
use super::lent::Lent;
use crate::commit::awaited::Awaited;
use crate::commit::gate::Gate;
use crate::commit::held::Held;
use crate::commit::parcel::Parcel;
use crate::commit::promise::{Made, Promise};
use crate::commit::waiter::Outcome;
use crate::report::termination::{Result, WriteError};
use crate::sync::Arc;
use crate::wait::blocked::{Blocked, Object, Operation, Side, Want};
use crate::wait::future;
use crate::wait::park::{self, Context};

/// A read that is awaited: see [`Reader::read_async`](super::Reader::read_async).
#[must_use = "nothing is read until it is awaited"]
pub struct ReadAsync<'a, T>(Reading<'a, T, false>);

/// An extended read that is awaited: see [`Reader::begin_async`](super::Reader::begin_async).
#[must_use = "nothing is read until it is awaited"]
pub struct BeginAsync<'a, T>(Reading<'a, T, true>);

/// A write that is awaited: see [`Writer::write_async`](super::Writer::write_async).
#[must_use = "nothing is written until it is awaited"]
pub struct WriteAsync<'a, T>(Writing<'a, T>);

/// A read as a future. `EXTENDED` is no field, because there may be millions.
struct Reading<'a, T, const EXTENDED: bool> {
    core: Lent<'a, T>,
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
    Over,
}

impl<'a, T, const EXTENDED: bool> Reading<'a, T, EXTENDED> {
    #[inline(always)]
    fn new(core: &'a Arc<Core<T>>, place: &'static Location<'static>) -> Self {
        let (core, awaited) = (Lent::of(core), Awaited::new());
        Self { core, place, stage: ReadStage::Begin, awaited, thread: PhantomData }
    }

    /// Reads, and moves the value into the parcel.
    ///
    /// # Safety
    /// `self` is pinned.
    #[inline]
    unsafe fn poll(&mut self, waker: &Waker, to: &Parcel<T>) -> Poll<Result<Option<Held>>> {
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
                            context.communicated();
                            self.stage = ReadStage::Over;
                            return Poll::Ready(Ok(held));
                        }
                        (_, Some(promise)) => ReadStage::Promised(promise),
                        (Outcome::Retry, None) => ReadStage::Begin,
                        _ => {
                            self.stage = ReadStage::Over;
                            return Poll::Ready(Err(self.core.meet_end(context, Side::Reader)));
                        }
                    };
                }
                ReadStage::Promised(promise) => match promise.poll(waker, to) {
                    None => return Poll::Pending,
                    Some(Made::Value(held)) => {
                        context.communicated();
                        self.stage = ReadStage::Over;
                        return Poll::Ready(Ok(held));
                    }
                    Some(Made::Nothing) => self.stage = ReadStage::Begin,
                },
                ReadStage::Over => panic!("a read that is done was polled again"),
            }
        }
    }

    /// Reads, if that is possible now. Otherwise it stands, or has a value promised.
    ///
    /// # Safety
    /// See `poll`.
    #[inline]
    unsafe fn begin(
        &mut self,
        context: &'static Context,
        waker: &Waker,
        to: &Parcel<T>,
    ) -> Option<Result<Option<Held>>> {
        let mut state = self.core.state().lock();
        let mut held = None;
        match state.find(EXTENDED, || to) {
            Found::InBuffer(later) => {
                drop(state);
                drop(later);
            }
            Found::With(writer) => {
                drop(state);
                if !writer.pass(to) {
                    if let Some(termination) = park::unwinding(context) {
                        writer.disappoint();
                        return Some(Err(termination));
                    }
                    self.stage = ReadStage::Promised(writer.order_later(EXTENDED));
                    return None;
                }
                if EXTENDED {
                    held = Some(writer.hold());
                } else {
                    writer.wake();
                }
            }
            Found::Nothing => {
                if state.ended.is_some() {
                    drop(state);
                    return Some(Err(self.core.meet_end(context, Side::Reader)));
                }
                if let Some(termination) = park::unwinding(context) {
                    return Some(Err(termination));
                }
                if state.is_away() {
                    drop(state);
                    future::refuse_beyond();
                }
                self.stage = ReadStage::Stands;
                // SAFETY: all of this is pinned, and withdrawn by `Drop`.
                unsafe { self.awaited.stand(waker, &mut state.readers, EXTENDED, self) };
                return None;
            }
        }
        context.communicated();
        Some(Ok(held))
    }
}

impl<T, const EXTENDED: bool> Drop for Reading<'_, T, EXTENDED> {
    fn drop(&mut self) {
        let value = Parcel::empty();
        let held = match &self.stage {
            ReadStage::Begin | ReadStage::Over => return,
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

impl<T, const EXTENDED: bool> Blocked for Reading<'_, T, EXTENDED> {
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

struct Writing<'a, T> {
    core: Lent<'a, T>,
    place: &'static Location<'static>,
    stage: WriteStage,
    /// The offer, with the value until that is written.
    awaited: Awaited<T>,
    /// It stays on its thread, with its process.
    thread: PhantomData<*const ()>,
}

enum WriteStage {
    /// Nothing is done.
    Begin,
    Stands,
    /// An extended read has the value.
    Held(Arc<Gate>),
    Over,
}

impl<'a, T> Writing<'a, T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn new(core: &'a Arc<Core<T>>, value: T, place: &'static Location<'static>) -> Self {
        let (core, awaited) = (Lent::of(core), Awaited::new());
        let writing = Self { core, place, stage: WriteStage::Begin, awaited, thread: PhantomData };
        writing.awaited.parcel().put(value);
        writing
    }

    /// Writes the value. The parcel keeps it if there is an error.
    ///
    /// # Safety
    /// `self` is pinned.
    #[inline]
    unsafe fn poll(&mut self, waker: &Waker) -> Poll<Result> {
        let context = park::current();
        loop {
            match &self.stage {
                WriteStage::Begin => {
                    // SAFETY: the caller's promise.
                    if let Some(result) = unsafe { self.begin(context, waker) } {
                        self.stage = WriteStage::Over;
                        return Poll::Ready(result);
                    }
                    if matches!(self.stage, WriteStage::Stands) && !self.awaited.is_strange() {
                        return Poll::Pending;
                    }
                }
                WriteStage::Stands => {
                    let lock = || self.core.state().lock();
                    let Some(outcome) = self.awaited.poll(waker, self, lock) else {
                        return Poll::Pending;
                    };
                    let gate = self.awaited.offer().gate();
                    self.awaited.leave(self);
                    self.stage = WriteStage::Over;
                    match (outcome, self.awaited.parcel().is_full()) {
                        (Outcome::Ended, true) => {
                            return Poll::Ready(Err(self.core.meet_end(context, Side::Writer)));
                        }
                        (Outcome::Retry, true) => self.stage = WriteStage::Begin,
                        _ => match gate {
                            Some(gate) => self.stage = WriteStage::Held(gate),
                            None => {
                                context.communicated();
                                return Poll::Ready(Ok(()));
                            }
                        },
                    }
                }
                WriteStage::Held(gate) => {
                    if !gate.poll(waker) {
                        return Poll::Pending;
                    }
                    self.stage = WriteStage::Over;
                    context.communicated();
                    return Poll::Ready(Ok(()));
                }
                WriteStage::Over => panic!("a write that is done was polled again"),
            }
        }
    }

    /// Writes, if that is possible now. Otherwise it stands, or is held.
    ///
    /// # Safety
    /// See `poll`.
    #[inline]
    unsafe fn begin(&mut self, context: &'static Context, waker: &Waker) -> Option<Result> {
        let mut state = self.core.state().lock();
        match state.place(self.awaited.parcel()) {
            Placed::With(reader) => {
                drop(state);
                if self.core.keeps_its_writer(reader.is_extended()) {
                    self.stage = WriteStage::Held(reader.wake_and_await());
                    return None;
                }
                reader.wake();
            }
            Placed::InBuffer => drop(state),
            Placed::Nowhere => {
                if state.ended.is_some() {
                    drop(state);
                    return Some(Err(self.core.meet_end(context, Side::Writer)));
                }
                if let Some(termination) = park::unwinding(context) {
                    drop(state);
                    return Some(Err(termination));
                }
                if state.is_away() {
                    drop(state);
                    future::refuse_beyond();
                }
                self.stage = WriteStage::Stands;
                // SAFETY: all of this is pinned, and withdrawn by `Drop`.
                unsafe { self.awaited.stand(waker, &mut state.writers, false, self) };
                return None;
            }
        }
        context.communicated();
        Some(Ok(()))
    }
}

impl<T> Drop for Writing<'_, T> {
    fn drop(&mut self) {
        if let WriteStage::Stands = &self.stage {
            let awaited = &self.awaited;
            awaited.withdraw(self.core.state().lock(), |state| &mut state.writers);
            // It does not wait for the end of an extended read.
            drop(awaited.offer().gate());
            awaited.clear(self);
        }
    }
}

impl<T> Blocked for Writing<'_, T> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        let stands = matches!(self.stage, WriteStage::Stands) && self.awaited.stands();
        // Otherwise as for a read.
        let object = stands.then(|| &*self.core as &dyn Object);
        tell(Want { operation: Operation::Write, object });
    }
}

impl<'a, T> ReadAsync<'a, T> {
    #[inline(always)]
    pub(super) fn new(core: &'a Arc<Core<T>>, place: &'static Location<'static>) -> Self {
        Self(Reading::new(core, place))
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
    pub(super) fn new(core: &'a Arc<Core<T>>, place: &'static Location<'static>) -> Self {
        Self(Reading::new(core, place))
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
        let begun = came.map(|held| Core::release(&reading.core, held.map(Kept::Writer)));
        Poll::Ready(Extended::begun(&value, begun))
    }
}

impl<'a, T> WriteAsync<'a, T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn new(core: &'a Arc<Core<T>>, value: T, place: &'static Location<'static>) -> Self {
        Self(Writing::new(core, value, place))
    }
}

impl<T> Future for WriteAsync<'_, T> {
    type Output = Result<(), WriteError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, waking: &mut Waking<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out of it while it stands.
        let writing = unsafe { &mut self.get_unchecked_mut().0 };
        // SAFETY: as above.
        match unsafe { writing.poll(waking.waker()) } {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(end)) => Poll::Ready(refused(writing.awaited.parcel(), end)),
        }
    }
}

macro_rules! debug {
    ($($name:ident $text:literal),*) => { $(
        impl<T> fmt::Debug for $name<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($text, " `{}`"), &*self.0.core)
            }
        }
    )* };
}

debug!(ReadAsync "read from", BeginAsync "begin to read from", WriteAsync "write to");
