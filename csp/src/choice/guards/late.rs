//! Guards that write a value which is made only when they are chosen.
#![allow(unsafe_code)]
#![allow(missing_debug_implementations, reason = "what only macros see")]

use std::cell::Cell;
use std::panic::Location;
use std::pin::Pin;
use std::task::{self, Poll, Waker};

use super::at_channel::{AtChannel, idle};
use crate::channel::Writer;
use crate::channel::awaited::beyond::{WriteBeyond, Writes};
use crate::channel::core::{Core, State};
use crate::channel::far::{self, Done, Doubt, Post};
use crate::channel::lent::{LentLater, ToCore};
use crate::choice::guard::{Before, Entry, Guard, LeftValue, Stand, Tried};
use crate::commit::gate::Gate;
use crate::commit::offer::{Customer, Partner};
use crate::commit::parcel::Parcel;
use crate::commit::promise::Made;
use crate::commit::waiter::Waiter;
use crate::report::termination::{Poison, Termination, Unwritten};
use crate::sync::{Arc, RawLock};
use crate::wait::blocked::{Side, Want};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::Context;
use crate::wait::quietly::drop_quietly;
use crate::wait::seen::holders::Claim;

/// An output that commits before its value is there: the guards `end.write_with(|| …)` and, for a variable that
/// is to stay where it is if the guard is not chosen, `end.write(variable)`.
pub(crate) struct Output<T, C> {
    at: AtChannel<T, C>,
    /// The reader, or room, that it was chosen for.
    partner: Cell<Option<Partner<T>>>,
    /// The place for the value that was promised beyond this OS process.
    promised: Cell<Option<Promised<T>>>,
}

/// The place where a late value is to be written. However it is dropped it retires, and never poisons, because no process has it among its
/// ends. If nothing was written, because its maker panicked or another guard was chosen, the reader waits for another value. If the write
/// goes on, the reader still gets the value.
struct Promised<T>(Option<Writer<T>>);

impl<T> Drop for Promised<T> {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end.retire();
        }
    }
}

impl<T> Promised<T> {
    /// Writes the value. If the reader that it was promised to has gone, it is as if that reader had read it.
    fn keep(self, value: &Parcel<T>, place: &'static Location<'static>) -> Result<(), Termination> {
        let Some(end) = &self.0 else { return Ok(()) };
        match end.core().write_otherwise(value, None, place) {
            // The channel is as it was. The reader that waits for this value is to wait for another.
            Err(Unwritten { termination, .. })
                if termination.poison().is_some_and(Poison::is_of_serialization) =>
            {
                Err(termination)
            }
            _ => Ok(()),
        }
    }

    /// Does [`keep`](Self::keep) in an `async` process, which awaits the rest. The value is on offer when this returns.
    fn keep_async(self, value: &Parcel<T>, place: &'static Location<'static>) -> Delivery {
        let Some(end) = &self.0 else { return Delivery::done(Ok(())) };
        let Some(far) = end.core().away() else { return Delivery::done(Ok(())) };
        let writing = WriteBeyond::new(Arc::clone(end.core()), far, place, Writes::Roaming);
        let late = Box::pin(KeepAsync { value: Parcel::empty(), writing, end: Some(self) });
        value.pass(&late.value);
        // SAFETY: it is pinned, and new.
        match unsafe { late.writing.begin(Waker::noop(), &late.value) } {
            Ok(()) => {
                let late: Pin<Box<dyn Future<Output = Result<(), Termination>> + '_>> = late;
                // SAFETY: only the lifetime changes. The channel is away, so its values are packed, and packing is for values that
                // borrow nothing (see `values::carry`).
                let late = unsafe {
                    std::mem::transmute::<Pin<Box<dyn Future<Output = _> + '_>>, AnyWrite>(late)
                };
                Delivery(None, Ok(()), Some(far.keep(late)))
            }
            Err(termination) => Delivery::done(Err(termination)),
        }
    }
}

/// The write of a promised value, awaited. If it is dropped the value is written all the same.
struct KeepAsync<T> {
    value: Parcel<T>,
    writing: WriteBeyond<T>,
    /// `None` once it is over.
    end: Option<Promised<T>>,
}

/// A write of any type.
type AnyWrite = Pin<Box<dyn Future<Output = Result<(), Termination>>>>;

impl<T> Future for KeepAsync<T> {
    type Output = Result<(), Termination>;

    fn poll(self: Pin<&mut Self>, waking: &mut task::Context<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing that is pinned is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        if this.end.is_none() {
            return Poll::Ready(Ok(()));
        }
        let Poll::Ready(written) = this.writing.poll(waking.waker()) else { return Poll::Pending };
        this.end = None;
        drop_quietly(this.value.take());
        Poll::Ready(match written {
            // As in `keep`.
            Err(Unwritten { termination, .. })
                if termination.poison().is_some_and(Poison::is_of_serialization) =>
            {
                Err(termination)
            }
            _ => Ok(()),
        })
    }
}

impl<T> Drop for KeepAsync<T> {
    fn drop(&mut self) {
        self.writing.goes_on();
    }
}

impl<T, C: ToCore<T>> Output<T, C> {
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
        Handover { core: self.at.core().counted(), reader, promised, place, done: false }
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, both under the channel's lock.
unsafe impl<T, C: ToCore<T>> Stand for Output<T, C> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(self.at.core().state())
    }

    fn try_alone(&self, _: &Context, _: &'static Location<'static>) -> Tried {
        self.perform(&mut self.at.core().state().lock())
    }

    fn try_after(
        &self,
        _: &'static Context,
        _: &'static Location<'static>,
        before: &dyn Before,
    ) -> Option<Tried> {
        self.at.try_after(Side::Writer, before, |state| self.perform(state))
    }

    fn undo(&self) {
        drop(self.handover(Location::caller()));
    }

    unsafe fn attempt(&self, _: &mut Wakes) -> Tried {
        // SAFETY: the lock is held, and nothing else uses the state meanwhile.
        self.perform(unsafe { self.at.core().state().held() })
    }

    unsafe fn look(&self) -> Tried {
        // SAFETY: the caller's promise.
        unsafe { self.at.look(Side::Writer) }
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the caller's promise.
        unsafe { self.at.stand(Side::Writer, waiter, index, false) };
    }

    fn withdraw(&self) {
        self.at.withdraw(Side::Writer);
    }

    fn finish(&self, _: &Context, _: &'static Location<'static>) -> bool {
        true
    }

    fn is_packing(&self) -> bool {
        self.at.core().is_packing()
    }

    /// Promises the value. It comes by a channel of its own, once it is made.
    fn post(&self, _: &'static Context) -> Result<Option<Post>, Termination> {
        let Some(far) = self.at.core().away_now() else { return Ok(None) };
        // A rendezvous, as the channel is. If the reader dies before it has seen the promise, the channel gets room for the value. Then
        // the next reader gets it, whenever that comes.
        let late = Arc::new(Core::new(self.at.core().capacity().min(1), self.at.core().birth()));
        let promised = Writer::new(Arc::clone(&late));
        late.join(Side::Reader);
        let post = late.promise(&far);
        late.leave(Side::Reader, &Claim::none(), None);
        late.drop_handle(&Claim::none());
        self.promised.set(Some(Promised(Some(promised))));
        post.map(Some)
    }

    /// The value is not made, and its reader begins anew.
    fn undo_came(&self, _: Done) {
        self.undo();
    }

    fn told(&self, termination: &Termination, _: Option<Doubt>) {
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

    fn want_standing(&self) -> Option<Want<'_>> {
        self.at.want_standing(Side::Writer)
    }
}

/// Where an output stands whose value is made when a reader has committed.
pub struct DeferAt<T>(Output<T, LentLater<T>>);

impl<T> Default for DeferAt<T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn default() -> Self {
        Self(Output::new(LentLater::new()))
    }
}

/// An output whose value is made when a reader has committed.
pub struct Defer<'a, T>(&'a Output<T, LentLater<T>>);

/// An output whose value is made when a reader has committed.
#[inline]
pub fn defer<'a, T>(end: &'a Writer<T>, at: &'a DeferAt<T>) -> Defer<'a, T> {
    at.0.at.core().lend(end.core());
    Defer(&at.0)
}

impl<T> Guard for Defer<'_, T> {
    type Left = LeftValue<Handover<T>>;

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self.0))
    }

    #[track_caller]
    fn keep(&mut self, left: &LeftValue<Handover<T>>) {
        left.parcel().put(self.0.handover(Location::caller()));
    }
}

/// A committed output whose value is not there yet.
#[must_use = "a reader waits for the value"]
pub struct Handover<T> {
    core: Arc<Core<T>>,
    /// `None` if room was reserved in the buffer.
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
    /// Returns an error if the value can't leave this OS process. Then no reader has it, and the reader that it was promised to waits for
    /// another.
    pub fn deliver(self, value: T) -> Result<(), Termination> {
        let given = Parcel::empty();
        given.put(value);
        self.delivers(&given)
    }

    fn delivers(mut self, value: &Parcel<T>) -> Result<(), Termination> {
        self.done = true;
        if let Some(promised) = self.promised.take() {
            return promised.keep(value, self.place);
        }
        let context = crate::wait::park::current();
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
            None => return self.core.fill(value),
        }
        Ok(())
    }

    /// Does [`deliver`](Self::deliver) where nothing could be done about an error, because the value of a variable has been moved and
    /// can't be given back to it.
    ///
    /// # Panics
    /// Panics if the value can't leave this OS process.
    pub fn give(self, value: T) {
        let parcel = Parcel::empty();
        parcel.put(value);
        given(self.delivers(&parcel));
    }

    /// Does the same in an `async` process. It awaits the rest, if any.
    pub fn give_async(self, value: T) -> Giving {
        Giving(self.delivers_async(&Parcel::full(value)))
    }

    /// Does [`deliver`](Self::deliver) in an `async` process. It awaits the rest, if any.
    pub fn deliver_async(self, value: T) -> Delivery {
        self.delivers_async(&Parcel::full(value))
    }

    fn delivers_async(mut self, value: &Parcel<T>) -> Delivery {
        self.done = true;
        if let Some(promised) = self.promised.take() {
            return promised.keep_async(value, self.place);
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
            None => return Delivery::done(self.core.fill(value)),
        };
        Delivery(gate, Ok(()), None)
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
        panic!("{termination:#}");
    }
}

/// The end of an extended read, awaited by its writer, or the write of a promised value.
#[must_use = "a writer goes on only when its reader has done"]
pub struct Delivery(Option<Arc<Gate>>, Result<(), Termination>, Option<far::Kept<AnyWrite>>);

impl Delivery {
    fn done(result: Result<(), Termination>) -> Self {
        Self(None, result, None)
    }
}

impl Future for Delivery {
    type Output = Result<(), Termination>;

    fn poll(mut self: Pin<&mut Self>, waking: &mut task::Context<'_>) -> Poll<Self::Output> {
        if let Some(late) = &mut self.2 {
            return late.as_mut().poll(waking);
        }
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
        // The value was never made, because its maker panicked. The reader that it was promised to sees its channel retire.
        if self.promised.take().is_some() {
            return;
        }
        match self.reader.take() {
            Some(Customer::Waits(reader)) => reader.disappoint(),
            Some(Customer::Awaits(promise)) => {
                let _ = promise.keep(Made::Nothing, &Parcel::empty());
            }
            None => {
                let _ = self.core.fill(&Parcel::empty());
            }
        }
    }
}
