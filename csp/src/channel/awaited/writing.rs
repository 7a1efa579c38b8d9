//! Writes as futures.
#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Waking, Poll, Waker};

use super::acting::Acting;
use super::beyond::{WriteBeyond, Writes};
use crate::channel::core::{Core, Placed, Placing};
use crate::channel::ends::refused;
use crate::channel::far;
use crate::channel::lent::Lent;
use crate::commit::awaited::Awaited;
use crate::commit::gate::Gate;
use crate::commit::waiter::Outcome;
use crate::report::termination::{Result, Termination, Unwritten, WriteError};
use crate::sync::Arc;
use crate::wait::blocked::{Blocked, Object, Operation, Side, Want};
use crate::wait::park::{self, Context};
use crate::wait::quietly::drop_quietly;

/// A write that is awaited: see [`Writer::write_async`](crate::Writer::write_async).
#[must_use = "nothing is written until it is awaited"]
pub struct WriteAsync<'a, T>(Writing<Lent<'a, T>, T>);

/// A write as a future.
pub(super) struct Writing<C: Acting<T>, T> {
    core: C,
    place: &'static Location<'static>,
    stage: WriteStage<T>,
    /// The offer, with the value until that is written.
    awaited: Awaited<T>,
    /// It stays on its thread, with its process.
    thread: PhantomData<*const ()>,
}

enum WriteStage<T> {
    /// Nothing is done.
    Begin,
    Stands,
    /// An extended read has the value.
    Held(Arc<Gate>),
    /// The channel is away. It stays so when it is over, if nobody knows whether the value was read.
    Beyond(far::Kept<WriteBeyond<T>>),
    Over,
}

impl<C: Acting<T>, T> Writing<C, T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn new(core: C, value: T, place: &'static Location<'static>) -> Self {
        let mut writing = Self::idle(core, place);
        writing.put(value);
        writing
    }

    /// Makes one that writes nothing yet.
    #[inline(always)]
    pub(super) fn idle(core: C, place: &'static Location<'static>) -> Self {
        let awaited = Awaited::new();
        Self { core, place, stage: WriteStage::Over, awaited, thread: PhantomData }
    }

    /// Begins the write of this value. The last one is over.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn put(&mut self, value: T) {
        self.awaited.parcel().put(value);
        self.stage = WriteStage::Begin;
    }

    /// Writes the value. The parcel keeps it if there is an error.
    ///
    /// # Safety
    /// `self` is pinned.
    #[inline]
    pub(super) unsafe fn poll(&mut self, waker: &Waker) -> Poll<Result> {
        let context = park::current();
        loop {
            match &self.stage {
                WriteStage::Begin => {
                    // SAFETY: the caller's promise.
                    if let Some(result) = unsafe { self.begin(context, waker) } {
                        self.stage = WriteStage::Over;
                        return Poll::Ready(result);
                    }
                    match &self.stage {
                        WriteStage::Stands if !self.awaited.is_strange() => return Poll::Pending,
                        WriteStage::Begin => return Poll::Pending,
                        _ => {}
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
                            return Poll::Ready(Err(C::meet_end(
                                &self.core,
                                context,
                                Side::Writer,
                            )));
                        }
                        (Outcome::Retry, true) => self.stage = WriteStage::Begin,
                        _ => match gate {
                            Some(gate) => self.stage = WriteStage::Held(gate),
                            None => {
                                C::communicated(context);
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
                    C::communicated(context);
                    return Poll::Ready(Ok(()));
                }
                WriteStage::Beyond(writing) => match writing.poll(waker) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(false)) => self.stage = WriteStage::Begin,
                    Poll::Ready(Ok(true)) => {
                        self.stage = WriteStage::Over;
                        C::communicated(context);
                        drop_quietly(self.awaited.parcel().take());
                        return Poll::Ready(Ok(()));
                    }
                    Poll::Ready(Err(Unwritten { termination, doubt })) => {
                        if doubt.is_none() {
                            self.stage = WriteStage::Over;
                        }
                        let end = C::met_beyond(&self.core, context, Side::Writer, termination);
                        return Poll::Ready(Err(end));
                    }
                },
                WriteStage::Over => panic!("a write that is done was polled again"),
            }
        }
    }

    /// Writes, if that is possible now. Otherwise it stands, or is held, or goes on beyond this OS process. If it cannot begin yet, its
    /// process is awake.
    ///
    /// # Safety
    /// See `poll`.
    #[inline]
    unsafe fn begin(&mut self, context: &'static Context, waker: &Waker) -> Option<Result> {
        let mut state = self.core.state().lock();
        match state.place(self.awaited.parcel(), Placing::Offer) {
            Placed::With(reader) => {
                drop(state);
                if self.core.keeps_its_writer(reader.is_extended()) {
                    self.stage = WriteStage::Held(reader.wake_and_await());
                    return None;
                }
                reader.wake();
            }
            Placed::InBuffer(told) => {
                drop(state);
                told.wake();
            }
            Placed::Nowhere => {
                if state.ended.is_some() {
                    drop(state);
                    return Some(Err(C::meet_end(&self.core, context, Side::Writer)));
                }
                if let Some(termination) = C::unwinding(context) {
                    drop(state);
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
                    let kind = if C::ROAMS { Writes::Pending } else { Writes::Alone };
                    let writing = WriteBeyond::new(self.core.counted(), far, self.place, kind);
                    let writing = far.keep(writing);
                    // SAFETY: it is on the heap, where it stays until it is dropped. It is new.
                    if let Err(end) = unsafe { writing.begin(waker, self.awaited.parcel()) } {
                        return Some(Err(C::met_beyond(&self.core, context, Side::Writer, end)));
                    }
                    self.stage = WriteStage::Beyond(writing);
                    return None;
                }
                self.stage = WriteStage::Stands;
                // SAFETY: all of this is pinned, and withdrawn by `Drop`.
                unsafe {
                    match C::ROAMS {
                        true => self.awaited.stand_as_stranger(&mut state.writers, false),
                        false => self.awaited.stand(waker, &mut state.writers, false, self),
                    }
                };
                return None;
            }
        }
        C::communicated(context);
        Some(Ok(()))
    }
}

impl<C: Acting<T>, T> Writing<C, T> {
    /// Returns the error of the write, which has failed, with the value.
    #[cold]
    #[inline(never)]
    fn refused(&self, termination: Termination) -> Result<(), WriteError<T>> {
        refused(self.awaited.parcel(), self.unwritten(termination))
    }

    /// Returns the reason of the failure of the write.
    pub(super) fn unwritten(&self, termination: Termination) -> Unwritten {
        let doubt = match &self.stage {
            WriteStage::Beyond(writing) => writing.doubt(),
            _ => None,
        };
        Unwritten { termination, doubt }
    }
}

/// For a sink, which writes one value after another.
impl<T> Writing<Arc<Core<T>>, T> {
    fn is_over(&self) -> bool {
        match &self.stage {
            WriteStage::Over => true,
            WriteStage::Beyond(writing) => writing.doubt().is_some(),
            _ => false,
        }
    }

    pub(super) fn core(&self) -> &Arc<Core<T>> {
        &self.core
    }

    /// Returns whether it has nothing to write, and waits for nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.is_over() && !self.awaited.parcel().is_full()
    }

    /// Begins to write, before anybody polls. It is idle. The value is on offer when this returns, and the parcel keeps it if there is an
    /// error.
    ///
    /// # Safety
    /// See `poll`.
    pub(super) unsafe fn offer(&mut self, value: T) -> Result {
        self.put(value);
        // SAFETY: the caller's promise.
        match unsafe { self.begin(park::current(), Waker::noop()) } {
            Some(result) => {
                self.stage = WriteStage::Over;
                result
            }
            None => Ok(()),
        }
    }

    /// Keeps a value that is not to be written.
    pub(super) fn keep(&mut self, value: T) {
        self.put(value);
        self.stage = WriteStage::Over;
    }

    /// Goes on to write the value that it has. It is ready if it has none. A value that could not be written is tried again.
    ///
    /// # Safety
    /// See `poll`.
    pub(super) unsafe fn poll_written(&mut self, waker: &Waker) -> Poll<Result> {
        if self.is_over() {
            if !self.awaited.parcel().is_full() {
                return Poll::Ready(Ok(()));
            }
            self.stage = WriteStage::Begin;
        }
        // SAFETY: the caller's promise.
        unsafe { self.poll(waker) }
    }

    /// Ends the write, and returns the value unless it is written.
    pub(super) fn take_back(&mut self) -> Option<T> {
        match &self.stage {
            WriteStage::Stands => {
                let awaited = &self.awaited;
                awaited.withdraw(self.core.state().lock(), |state| &mut state.writers);
                // It does not wait for the end of an extended read.
                drop(awaited.offer().gate());
                awaited.leave(self);
            }
            WriteStage::Beyond(writing) if writing.take_back() => {
                drop_quietly(self.awaited.parcel().take());
            }
            _ => {}
        }
        self.stage = WriteStage::Over;
        self.awaited.parcel().take()
    }
}

impl<C: Acting<T>, T> Drop for Writing<C, T> {
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

impl<C: Acting<T>, T> Blocked for Writing<C, T> {
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

impl<'a, T> WriteAsync<'a, T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(in crate::channel) fn new(
        core: &'a Arc<Core<T>>,
        value: T,
        place: &'static Location<'static>,
    ) -> Self {
        Self(Writing::new(Lent::of(core), value, place))
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
            Poll::Ready(Err(end)) => Poll::Ready(writing.refused(end)),
        }
    }
}

impl<T> fmt::Debug for WriteAsync<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write to `{}`", &*self.0.core)
    }
}
