//! Reads and writes as futures.
//!
//! The offer of one lies in the future itself, which is pinned from its first poll on; its drop withdraws it.
#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Waking, Poll, Waker};

use super::core::{Core, Found, Kept, Placed, Side};
use super::ends::Extended;
use crate::awaiting;
use crate::blocked::{Blocked, Operation, Want};
use crate::park::{self, Context};
use crate::sync::Arc;
use crate::termination::{Result, WriteError};
use crate::waiter::{Awaited, Gate, Held, Made, Outcome, Promise};

/// A read that is awaited: see [`Reader::read_async`](super::Reader::read_async).
#[must_use = "nothing is read until it is awaited"]
pub struct ReadAsync<'a, T>(Reading<'a, T, false>);

/// An extended read that is awaited: see [`Reader::begin_async`](super::Reader::begin_async).
#[must_use = "nothing is read until it is awaited"]
pub struct BeginAsync<'a, T>(Reading<'a, T, true>);

/// A write that is awaited: see [`Writer::write_async`](super::Writer::write_async).
#[must_use = "nothing is written until it is awaited"]
pub struct WriteAsync<'a, T>(Writing<'a, T>);

/// `EXTENDED` is no field: there may be millions.
struct Reading<'a, T, const EXTENDED: bool> {
    core: &'a Arc<Core<T>>,
    place: &'static Location<'static>,
    stage: ReadStage<T>,
    /// It stays on its thread: with the process that it is of.
    thread: PhantomData<*const ()>,
}

enum ReadStage<T> {
    /// Nothing is done.
    Begin,
    Stands(Awaited<T>),
    /// A writer has committed, and makes its value.
    Promised(Arc<Promise<T>>),
    Over,
}

impl<'a, T, const EXTENDED: bool> Reading<'a, T, EXTENDED> {
    #[inline(always)]
    fn new(core: &'a Arc<Core<T>>, place: &'static Location<'static>) -> Self {
        Self { core, place, stage: ReadStage::Begin, thread: PhantomData }
    }

    /// # Safety
    /// `self` is pinned.
    #[inline]
    unsafe fn poll(&mut self, waker: &Waker) -> Poll<Result<(T, Option<Held>)>> {
        let context = park::current();
        loop {
            match &self.stage {
                // SAFETY: the caller's promise.
                ReadStage::Begin => match unsafe { self.begin(context, waker) } {
                    Some(result) => {
                        self.stage = ReadStage::Over;
                        return Poll::Ready(result);
                    }
                    None if matches!(self.stage, ReadStage::Stands(_)) => return Poll::Pending,
                    None => {}
                },
                ReadStage::Stands(awaited) => {
                    let lock = || self.core.state().lock();
                    let Some(outcome) = awaited.poll(waker, self, lock) else {
                        return Poll::Pending;
                    };
                    let offer = awaited.offer();
                    let (value, held, promise) = (offer.served(), offer.held(), offer.promise());
                    awaited.clear(self);
                    self.stage = match (outcome, value, promise) {
                        (_, Some(value), _) => {
                            context.communicated();
                            self.stage = ReadStage::Over;
                            return Poll::Ready(Ok((value, held)));
                        }
                        (_, None, Some(promise)) => ReadStage::Promised(promise),
                        (Outcome::Retry, None, None) => ReadStage::Begin,
                        _ => {
                            self.stage = ReadStage::Over;
                            return Poll::Ready(Err(self.core.meet_end(context, Side::Reader)));
                        }
                    };
                }
                ReadStage::Promised(promise) => match promise.poll(waker) {
                    None => return Poll::Pending,
                    Some(Made::Value(value, held)) => {
                        context.communicated();
                        self.stage = ReadStage::Over;
                        return Poll::Ready(Ok((value, held)));
                    }
                    Some(Made::Nothing) => self.stage = ReadStage::Begin,
                },
                ReadStage::Over => panic!("a read that is done was polled again"),
            }
        }
    }

    /// Reads, if that is possible now; else stands, or has a value promised.
    ///
    /// # Safety
    /// As `poll`.
    #[inline]
    unsafe fn begin(
        &mut self,
        context: &'static Context,
        waker: &Waker,
    ) -> Option<Result<(T, Option<Held>)>> {
        let mut state = self.core.state().lock();
        let found = match state.find(EXTENDED) {
            Found::InBuffer(value) => (value, None),
            Found::With(writer) => {
                drop(state);
                match writer.take() {
                    Some(value) if EXTENDED => (value, Some(writer.hold())),
                    Some(value) => {
                        writer.wake();
                        (value, None)
                    }
                    None => {
                        if let Some(termination) = park::unwinding(context) {
                            writer.disappoint();
                            return Some(Err(termination));
                        }
                        self.stage = ReadStage::Promised(writer.order_later(EXTENDED));
                        return None;
                    }
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
                    awaiting::refuse_beyond();
                }
                self.stage = ReadStage::Stands(Awaited::new());
                let ReadStage::Stands(awaited) = &self.stage else { unreachable!("as set") };
                // SAFETY: all of this is pinned, and withdrawn by `Drop`.
                unsafe { awaited.stand(waker, &mut state.readers, None, EXTENDED, self) };
                return None;
            }
        };
        context.communicated();
        Some(Ok(found))
    }
}

impl<T, const EXTENDED: bool> Drop for Reading<'_, T, EXTENDED> {
    fn drop(&mut self) {
        let (value, held) = match &self.stage {
            ReadStage::Begin | ReadStage::Over => return,
            ReadStage::Stands(awaited) => {
                let withdrawn =
                    awaited.withdraw(self.core.state().lock(), |state| &mut state.readers);
                let offer = awaited.offer();
                let (value, held, promise) = (offer.served(), offer.held(), offer.promise());
                awaited.clear(self);
                match (value, promise.and_then(|promise| promise.abandon())) {
                    _ if withdrawn => return,
                    (Some(value), _) => (value, held),
                    (None, Some(Made::Value(value, held))) => (value, held),
                    (None, _) => return,
                }
            }
            ReadStage::Promised(promise) => match promise.abandon() {
                Some(Made::Value(value, held)) => (value, held),
                Some(Made::Nothing) | None => return,
            },
        };
        self.core.give_back(value, EXTENDED && held.is_none());
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
        let operation = match self.stage {
            ReadStage::Promised(_) => Operation::Handover,
            _ => Operation::Read,
        };
        tell(Want { operation, object: Some(&**self.core) });
    }
}

struct Writing<'a, T> {
    core: &'a Arc<Core<T>>,
    place: &'static Location<'static>,
    stage: WriteStage<T>,
    /// It stays on its thread: with the process that it is of.
    thread: PhantomData<*const ()>,
}

enum WriteStage<T> {
    /// Nothing is done.
    Begin(T),
    Stands(Awaited<T>),
    /// An extended read has the value.
    Held(Arc<Gate>),
    Over,
}

impl<'a, T> Writing<'a, T> {
    #[inline(always)]
    fn new(core: &'a Arc<Core<T>>, value: T, place: &'static Location<'static>) -> Self {
        Self { core, place, stage: WriteStage::Begin(value), thread: PhantomData }
    }

    /// # Safety
    /// `self` is pinned.
    #[inline]
    unsafe fn poll(&mut self, waker: &Waker) -> Poll<Result<(), WriteError<T>>> {
        let context = park::current();
        loop {
            match &self.stage {
                WriteStage::Begin(_) => {
                    let begun = mem::replace(&mut self.stage, WriteStage::Over);
                    let WriteStage::Begin(value) = begun else { unreachable!("as matched") };
                    // SAFETY: the caller's promise.
                    if let Some(result) = unsafe { self.begin(value, context, waker) } {
                        return Poll::Ready(result);
                    }
                    if let WriteStage::Stands(_) = self.stage {
                        return Poll::Pending;
                    }
                }
                WriteStage::Stands(awaited) => {
                    let lock = || self.core.state().lock();
                    let Some(outcome) = awaited.poll(waker, self, lock) else {
                        return Poll::Pending;
                    };
                    let offer = awaited.offer();
                    let (value, gate) = (offer.served(), offer.gate());
                    awaited.clear(self);
                    self.stage = WriteStage::Over;
                    match (outcome, value) {
                        (Outcome::Ended, Some(value)) => {
                            let termination = self.core.meet_end(context, Side::Writer);
                            return Poll::Ready(Err(WriteError { value, termination }));
                        }
                        (Outcome::Retry, Some(value)) => self.stage = WriteStage::Begin(value),
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

    /// Writes, if that is possible now; else stands, or is held.
    ///
    /// # Safety
    /// As `poll`.
    #[inline]
    unsafe fn begin(
        &mut self,
        value: T,
        context: &'static Context,
        waker: &Waker,
    ) -> Option<Result<(), WriteError<T>>> {
        let mut state = self.core.state().lock();
        match state.place(value) {
            Placed::With(reader) => {
                drop(state);
                if self.core.keeps_its_writer(reader.is_extended()) {
                    self.stage = WriteStage::Held(reader.wake_and_await());
                    return None;
                }
                reader.wake();
            }
            Placed::InBuffer => drop(state),
            Placed::Nowhere(value) => {
                if state.ended.is_some() {
                    drop(state);
                    let termination = self.core.meet_end(context, Side::Writer);
                    return Some(Err(WriteError { value, termination }));
                }
                if let Some(termination) = park::unwinding(context) {
                    drop(state);
                    return Some(Err(WriteError { value, termination }));
                }
                if state.is_away() {
                    drop(state);
                    awaiting::refuse_beyond();
                }
                self.stage = WriteStage::Stands(Awaited::new());
                let WriteStage::Stands(awaited) = &self.stage else { unreachable!("as set") };
                // SAFETY: all of this is pinned, and withdrawn by `Drop`.
                unsafe { awaited.stand(waker, &mut state.writers, Some(value), false, self) };
                return None;
            }
        }
        context.communicated();
        Some(Ok(()))
    }
}

impl<T> Drop for Writing<'_, T> {
    fn drop(&mut self) {
        if let WriteStage::Stands(awaited) = &self.stage {
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
        tell(Want { operation: Operation::Write, object: Some(&**self.core) });
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
        // SAFETY: nothing is moved out of it while it stands.
        let polled = unsafe { self.get_unchecked_mut().0.poll(waking.waker()) };
        polled.map(|result| result.map(|(value, _)| value))
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
        // SAFETY: as above.
        let polled = unsafe { reading.poll(waking.waker()) };
        polled.map(|result| {
            result.map(|(value, held)| {
                Extended::new(value, reading.core.release(held.map(Kept::Writer)))
            })
        })
    }
}

impl<'a, T> WriteAsync<'a, T> {
    #[inline(always)]
    pub(super) fn new(core: &'a Arc<Core<T>>, value: T, place: &'static Location<'static>) -> Self {
        Self(Writing::new(core, value, place))
    }
}

impl<T> Future for WriteAsync<'_, T> {
    type Output = Result<(), WriteError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, waking: &mut Waking<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out of it while it stands.
        unsafe { self.get_unchecked_mut().0.poll(waking.waker()) }
    }
}

macro_rules! debug {
    ($($name:ident $text:literal),*) => { $(
        impl<T> fmt::Debug for $name<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($text, " `{}`"), self.0.core)
            }
        }
    )* };
}

debug!(ReadAsync "read from", BeginAsync "begin to read from", WriteAsync "write to");
