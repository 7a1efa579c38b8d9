//! Guards that read.
#![allow(unsafe_code)]
#![allow(missing_debug_implementations, reason = "what only macros see")]

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::task::{Poll, Waker};

use super::at_channel::{AtChannel, idle};
use crate::channel::awaited::beyond::ReadBeyond;
use crate::channel::core::{Core, Found, Kept, Release};
use crate::channel::far::{self, Done, Doubt, Finish, Opened, Post};
use crate::channel::lent::{LentLater, ToCore};
use crate::channel::{Extended, Reader};
use crate::choice::guard::{Before, Clear, Entry, Guard, LeftValue, Stand, Tried};
use crate::commit::offer::Partner;
use crate::commit::parcel::Parcel;
use crate::commit::promise::{Made, Promise};
use crate::commit::waiter::Waiter;
use crate::report::termination::Termination;
use crate::sync::{Arc, RawLock};
use crate::wait::blocked::{Side, Want};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::Context;

/// `end.read()`, and `end.begin()` where `EXTENDED`.
pub(crate) struct Input<T, C, const EXTENDED: bool> {
    at: AtChannel<T, C>,
    holds: Cell<Holds<T>>,
}

/// Something that a guard has got for a read. The value itself is in the offer. A guard holds one of them at a time to stay small,
/// because ten guards are made for each choice and nine are not used.
enum Holds<T> {
    Nothing,
    /// The writer that `attempt` has committed, for `finish`.
    Partner(Partner<T>),
    Kept(Kept),
    /// The value that is made for it, which it awaits. Its owner takes the share out, or leaves it for ever.
    Promise(ManuallyDrop<Arc<Promise<T>>>),
    /// The same for a value of another OS process.
    Beyond(ManuallyDrop<far::Kept<ReadBeyond<T>>>),
}

impl<T, C: ToCore<T>, const EXTENDED: bool> Input<T, C, EXTENDED> {
    #[inline(always)]
    pub(crate) fn new(core: C) -> Self {
        Self { at: AtChannel::new(core), holds: Cell::new(Holds::Nothing) }
    }

    #[inline(always)]
    fn holds(&self, holds: Holds<T>) {
        self.holds.set(holds);
    }

    /// Takes what is held, if `pick` asks for it.
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

    fn take_beyond(&self) -> Option<far::Kept<ReadBeyond<T>>> {
        self.pick(|holds| match holds {
            Holds::Beyond(reading) => Ok(ManuallyDrop::into_inner(reading)),
            other => Err(other),
        })
    }

    /// Returns the parcel for the value.
    #[inline(always)]
    fn parcel(&self) -> &Parcel<T> {
        self.at.standing.parcel()
    }

    #[inline(always)]
    fn keeps(&self, kept: Option<Kept>) {
        if let Some(kept) = kept {
            self.holds(Holds::Kept(kept));
        }
    }

    fn take_kept(&self) -> Option<Kept> {
        let held = self.pick(|holds| match holds {
            Holds::Kept(kept) => Ok(kept),
            other => Err(other),
        });
        held.or_else(|| self.at.standing.offer()?.held().map(Kept::Writer))
    }

    /// Takes the value of a writer that waits. Returns false if the writer has none after all.
    #[inline(always)]
    fn receive(
        &self,
        context: &'static Context,
        writer: Partner<T>,
        place: &'static Location<'static>,
    ) -> bool {
        let to = self.parcel();
        if !EXTENDED && writer.pass(to) {
            writer.wake();
            return true;
        }
        let received = self.at.core().receive(context, writer, EXTENDED, place, to);
        let found = received.is_some();
        self.keeps(received.flatten());
        found
    }

    /// Tries the guard under its lock, if it `may` be performed. Returns `None` if it may not, or if its partner could not keep its word.
    #[inline(always)]
    fn try_if(
        &self,
        context: &'static Context,
        place: &'static Location<'static>,
        may: impl FnOnce() -> bool,
    ) -> Option<Tried> {
        let mut state = self.at.core().state().lock();
        if state.is_likely(Side::Reader) && !may() {
            return None;
        }
        match state.find(EXTENDED, None, || self.parcel()) {
            Found::With(writer) => {
                drop(state);
                self.receive(context, writer, place).then_some(Tried::Performed)
            }
            Found::InBuffer(later) => {
                drop(state);
                drop(later);
                Some(Tried::Performed)
            }
            Found::Nothing => Some(idle(&state)),
        }
    }

    /// Returns the value that the guard has read, once it was chosen.
    #[inline(always)]
    pub(crate) fn value(&self) -> &Parcel<T> {
        self.parcel()
    }

    /// Returns what the end of the extended read lets go.
    pub(crate) fn release(&self) -> Release<T> {
        Core::release(self.at.core(), self.take_kept())
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, both under the channel's lock.
unsafe impl<T, C: ToCore<T>, const EXTENDED: bool> Stand for Input<T, C, EXTENDED> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(self.at.core().state())
    }

    #[inline]
    fn try_alone(&self, context: &'static Context, place: &'static Location<'static>) -> Tried {
        loop {
            if let Some(tried) = self.try_if(context, place, || true) {
                return tried;
            }
        }
    }

    fn try_after(
        &self,
        context: &'static Context,
        place: &'static Location<'static>,
        before: &dyn Before,
    ) -> Option<Tried> {
        self.try_if(context, place, || before.are_alone())
    }

    unsafe fn attempt(&self, later: &mut Wakes) -> Tried {
        // SAFETY: the lock is held, and nothing else uses the state meanwhile.
        let state = unsafe { self.at.core().state().held() };
        match state.find(EXTENDED, None, || self.parcel()) {
            Found::With(writer) => self.holds(Holds::Partner(writer)),
            Found::InBuffer(woken) => later.append(woken),
            Found::Nothing => return idle(state),
        }
        Tried::Performed
    }

    unsafe fn look(&self) -> Tried {
        // SAFETY: the caller's promise.
        unsafe { self.at.look(Side::Reader) }
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the caller's promise.
        unsafe { self.at.stand(Side::Reader, waiter, index, EXTENDED) };
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

    fn is_packing(&self) -> bool {
        self.at.core().is_packing()
    }

    fn post(&self, _: &'static Context) -> Result<Option<Post>, Termination> {
        Ok(self.at.core().away_now().map(|far| far.post_read(EXTENDED)))
    }

    fn came(
        &self,
        context: &'static Context,
        done: Done,
        place: &'static Location<'static>,
    ) -> Result<bool, Termination> {
        let Some(far) = self.at.core().away() else { return Ok(false) };
        let (opened, finish) = far.came(context, done, EXTENDED)?;
        let to = self.parcel();
        let opened = self.at.core().opened(opened, finish, context, EXTENDED, place, to)?;
        let found = opened.is_some();
        self.keeps(opened.flatten());
        Ok(found)
    }

    fn begin_came(&self, context: &'static Context, done: Done) -> Result<(), Termination> {
        let Some(far) = self.at.core().away() else { return Ok(()) };
        let (opened, finish) = far.came(context, done, EXTENDED)?;
        match opened {
            Opened::Value(value) => {
                self.parcel().put(value);
                self.keeps(finish.map(Kept::Far));
            }
            Opened::Late(late) => {
                finish.iter().for_each(Finish::release);
                let core = self.at.core().counted();
                let place = Location::caller();
                let reading = ReadBeyond::new(core, far, place, EXTENDED, false).of_promised(late);
                self.holds(Holds::Beyond(ManuallyDrop::new(far.keep(reading))));
            }
        }
        Ok(())
    }

    fn poll_came(&self, waker: &Waker) -> Poll<Result<bool, Termination>> {
        let Some(reading) = self.take_beyond() else { return Poll::Ready(Ok(true)) };
        // SAFETY: it is on the heap, where it stays until it is dropped.
        match unsafe { reading.poll(waker, self.parcel()) } {
            Poll::Pending => {
                self.holds(Holds::Beyond(ManuallyDrop::new(reading)));
                Poll::Pending
            }
            Poll::Ready(Ok(Some(kept))) => {
                self.keeps(kept);
                Poll::Ready(Ok(true))
            }
            Poll::Ready(Ok(None)) => Poll::Ready(Ok(false)),
            Poll::Ready(Err(termination)) => Poll::Ready(Err(termination)),
        }
    }

    fn undo_came(&self, done: Done) {
        if let Some(far) = self.at.core().away() {
            far.undo_read(done, EXTENDED);
        }
    }

    fn told(&self, termination: &Termination, _: Option<Doubt>) {
        self.at.core().learn(Side::Reader, termination);
    }

    fn poll_finish(
        &self,
        _: &'static Context,
        _: &'static Location<'static>,
        waker: &Waker,
    ) -> Poll<bool> {
        if let Some(writer) = self.take_partner() {
            if !writer.pass(self.parcel()) {
                let promise = writer.order_later(EXTENDED);
                self.holds(Holds::Promise(ManuallyDrop::new(promise)));
            } else if EXTENDED {
                self.holds(Holds::Kept(Kept::Writer(writer.hold())));
            } else {
                writer.wake();
            }
        }
        let Some(promise) = self.take_promise() else { return Poll::Ready(true) };
        match promise.poll(waker, self.parcel()) {
            None => {
                self.holds(Holds::Promise(ManuallyDrop::new(promise)));
                Poll::Pending
            }
            Some(Made::Value(held)) => {
                self.keeps(held.map(Kept::Writer));
                Poll::Ready(true)
            }
            Some(Made::Nothing) => Poll::Ready(false),
        }
    }

    fn undo(&self) {
        // It gives its value back itself.
        let _ = self.take_beyond();
        if let Some(promise) = self.take_promise()
            && let Some(Made::Value(held)) = promise.abandon(self.parcel())
        {
            self.keeps(held.map(Kept::Writer));
        }
        let (value, held) = (self.parcel(), self.take_kept());
        if value.is_full() {
            self.at.core().give_back(value, EXTENDED && held.is_none());
        }
        if let Some(held) = held {
            drop(Core::release(self.at.core(), Some(held)));
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

    fn want_standing(&self) -> Option<Want<'_>> {
        self.at.want_standing(Side::Reader)
    }
}

/// Where a guard `end.read()` stands, and where its value comes. The guard may be gone before the value is taken.
pub struct ReadAt<T>(ManuallyDrop<Input<T, LentLater<T>, false>>);

impl<T> Default for ReadAt<T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn default() -> Self {
        Self(ManuallyDrop::new(Input::new(LentLater::new())))
    }
}

impl<T> ReadAt<T> {
    /// Takes the value out.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn open(&self) -> T {
        self.0.value().open()
    }
}

impl<T> Clear for ReadAt<T> {
    fn clear(&self) {
        self.0.value().clear();
    }
}

/// The guard `end.read()`.
pub struct Read<'a, T>(&'a Input<T, LentLater<T>, false>);

/// The guard `end.read()`.
#[inline(always)]
pub fn read<'a, T>(end: &'a Reader<T>, at: &'a ReadAt<T>) -> Read<'a, T> {
    at.0.at.core().lend(end.core());
    Read(&at.0)
}

impl<T> Guard for Read<'_, T> {
    type Left = LeftValue<T>;

    #[inline(always)]
    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self.0))
    }

    #[inline(always)]
    fn keep(&mut self, left: &LeftValue<T>) {
        self.0.value().pass(left.parcel());
    }
}

/// Where a guard `end.begin()` stands, and where its value comes.
pub struct BeginAt<T>(Input<T, LentLater<T>, true>);

impl<T> Default for BeginAt<T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn default() -> Self {
        Self(Input::new(LentLater::new()))
    }
}

/// The guard `end.begin()`.
pub struct Begin<'a, T>(&'a Input<T, LentLater<T>, true>);

/// The guard `end.begin()`.
#[inline]
pub fn begin<'a, T>(end: &'a Reader<T>, at: &'a BeginAt<T>) -> Begin<'a, T> {
    at.0.at.core().lend(end.core());
    Begin(&at.0)
}

impl<T> Guard for Begin<'_, T> {
    type Left = BeginLeft<T>;

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self.0))
    }

    fn keep(&mut self, left: &BeginLeft<T>) {
        self.0.value().pass(&left.value);
        left.release.set(Some(self.0.release()));
    }
}

/// A place for a value whose writer still waits.
pub struct BeginLeft<T> {
    value: ManuallyDrop<Parcel<T>>,
    release: ManuallyDrop<Cell<Option<Release<T>>>>,
}

impl<T> Default for BeginLeft<T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn default() -> Self {
        Self {
            value: ManuallyDrop::new(Parcel::empty()),
            release: ManuallyDrop::new(Cell::new(None)),
        }
    }
}

impl<T> BeginLeft<T> {
    /// Takes it out.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn open(&self) -> Extended<'static, T> {
        let release = self.release.take().expect("it was kept with the value");
        Extended::new(&self.value, release)
    }
}

impl<T> Clear for BeginLeft<T> {
    fn clear(&self) {
        if self.value.is_full() {
            drop(self.open());
        }
    }
}
