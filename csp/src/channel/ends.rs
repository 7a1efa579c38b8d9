//! The two kinds of channel end.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

use super::awaited::{BeginAsync, ReadAsync, WriteAsync};
use super::core::{Core, Release, Side};
use crate::holders::{Claim, Held};
use crate::leaks::Use;
use crate::park;
use crate::sync::Arc;
use crate::termination::{Cause, Poison, Result, Termination, WriteError};

/// One end's share in a channel: counted from its making to its drop.
struct End<T> {
    core: Arc<Core<T>>,
    side: Side,
    /// It was given up in so many words, so that nothing else is to be read from its drop.
    retired: bool,
    claim: Claim,
    used: Use,
}

impl<T> End<T> {
    fn new(core: Arc<Core<T>>, side: Side, used: Use) -> Self {
        core.join(side);
        Self { core, side, retired: false, claim: Claim::none(), used }
    }

    /// What the end is used for.
    #[inline(always)]
    fn core(&self) -> &Arc<Core<T>> {
        self.used.mark();
        &self.core
    }

    fn retire(mut self) {
        self.used.mark();
        self.retired = true;
    }

    fn claim(&self, sure: bool) {
        let what = match self.side {
            Side::Reader => Held::Reader,
            Side::Writer => Held::Writer,
        };
        self.core.claim(&self.claim, what, sure);
    }

    fn poison(&self, reason: String) {
        let process = park::current().path();
        self.core().poison(Termination::Poisoned(Poison::new(Cause::Explicit { process, reason })));
    }

    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(`{}`)", self.side, self.core)
    }
}

impl<T> Clone for End<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.core), self.side, self.used)
    }
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        // In a model nobody survives a panic.
        if cfg!(loom) && std::thread::panicking() {
            return;
        }
        if !self.retired
            && let poison @ Termination::Poisoned(_) = park::current().legacy()
        {
            self.used.mark();
            self.core.poison(poison);
        }
        self.core.leave(self.side, &self.claim);
    }
}

/// The end of a channel that values come out of.
///
/// Each end counts: `clone` makes one more, and dropping the last one retires the channel. A process that
/// stops because of poison, or panics, poisons the ends it still holds instead. An end can be sent over a
/// channel like any other value. Readers are served in the order in which they came.
///
/// Idea: `ChannelEndRead` of PyCSP, `AltingChannelInput` of JCSP, `?` of occam.
///
/// ```
/// use csp::{parallel, process, Channel, Reader, Writer};
///
/// #[process]
/// fn ticks(out: Writer<u32>) -> csp::Result {
///     for tick in 1..=3 {
///         out.write(tick)?;
///     }
///     Ok(())
/// }
/// #[process]
/// fn sum(ticks: Reader<u32>) -> u32 {
///     ticks.iter().sum()
/// }
///
/// let channel = Channel::new();
/// let (_, total) = parallel!(ticks(channel.writer()), sum(channel.reader()));
/// assert_eq!(total, 6);
/// ```
pub struct Reader<T>(End<T>);

/// The end of a channel that values go into.
///
/// Each end counts: `clone` makes one more, and dropping the last one retires the channel once its readers
/// have what is buffered. A process that stops because of poison, or panics, poisons the ends it still holds
/// instead. An end can be sent over a channel like any other value. Writers are served in the order in which
/// they came.
///
/// Idea: `ChannelEndWrite` of PyCSP, `ChannelOutput` of JCSP, `!` of occam.
///
/// ```
/// use csp::{parallel, process, Channel, Reader, Termination, Writer};
///
/// #[process]
/// fn endless(out: Writer<u32>) -> csp::Result {
///     for n in 0.. {
///         out.write(n)?;
///     }
///     Ok(())
/// }
/// #[process]
/// fn first(input: Reader<u32>) -> csp::Result<u32> {
///     input.read()
/// }
///
/// let channel = Channel::new();
/// let (endless, first) = parallel!(endless(channel.writer()), first(channel.reader()));
/// assert_eq!(first, Ok(0));
/// assert_eq!(endless, Err(Termination::Retired));
/// ```
pub struct Writer<T>(End<T>);

impl<T> Reader<T> {
    #[track_caller]
    pub(super) fn new(core: Arc<Core<T>>) -> Self {
        let used = core.made(Side::Reader, Location::caller().into());
        Self(End::new(core, Side::Reader, used))
    }

    /// An end that has come from another OS process; it is counted.
    #[allow(dead_code, reason = "for a backend that may not be compiled in")]
    pub(crate) fn arrived(core: Arc<Core<T>>) -> Self {
        let used = core.made(Side::Reader, core.birth().place());
        Self(End { core, side: Side::Reader, retired: false, claim: Claim::none(), used })
    }

    pub(crate) fn claim(&self, sure: bool) {
        self.0.claim(sure);
    }

    /// It is there for its channel not to retire.
    pub(crate) fn spare(&self) {
        self.0.used.mark();
    }

    #[inline(always)]
    pub(crate) fn core(&self) -> &Arc<Core<T>> {
        self.0.core()
    }

    /// Waits for a value.
    ///
    /// # Errors
    /// [`Termination::Retired`] when no writer is left and the buffer is empty, [`Termination::Poisoned`]
    /// as soon as the channel is poisoned.
    #[track_caller]
    #[inline]
    pub fn read(&self) -> Result<T> {
        self.0.core().read(Location::caller())
    }

    /// Reads in two steps: the writer of the value goes on only when the guard is dropped (JCSP's extended
    /// rendezvous, occam's `??`). On a buffered channel the room of the value is kept until then.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// ```
    /// # use csp::{parallel, process, Channel, Reader, Writer};
    /// #[process]
    /// fn server(calls: Reader<Vec<u8>>) -> csp::Result<usize> {
    ///     let call = calls.begin()?;
    ///     Ok(call.len())      // the caller waits until here
    /// }
    /// # #[process]
    /// # fn client(calls: Writer<Vec<u8>>) -> csp::Result { Ok(calls.write(vec![1, 2])?) }
    /// # let calls = Channel::new();
    /// # assert_eq!(parallel!(client(calls.writer()), server(calls.reader())).1, Ok(2));
    /// ```
    #[track_caller]
    pub fn begin(&self) -> Result<Extended<'_, T>> {
        let (value, release) = self.0.core().begin(Location::caller())?;
        Ok(Extended::new(value, release))
    }

    /// [`read`](Self::read) in an `async` process.
    ///
    /// Nothing happens until it is awaited. It may be dropped before it is done: then nothing was read. (If it was
    /// handed a value that it has not returned, that goes to the channel's next reader, before all others. Only if no
    /// reading end is left it is dropped, as buffered values are. Who has been told meanwhile that the channel has retired
    /// finds it by another read.)
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Panics
    /// If another OS process has an end of the channel: let a process that waits read or write it, and talk to that.
    ///
    /// ```
    /// # use csp::{parallel, process, Channel, Reader, Writer};
    /// #[process]
    /// async fn sum(numbers: Reader<u64>) -> u64 {
    ///     let mut sum = 0;
    ///     while let Ok(number) = numbers.read_async().await {
    ///         sum += number;
    ///     }
    ///     sum
    /// }
    /// # #[process]
    /// # fn source(out: Writer<u64>) -> csp::Result { for n in 0..5 { out.write(n)?; } Ok(()) }
    /// # let numbers = Channel::new();
    /// # assert_eq!(parallel!(source(numbers.writer()), sum(numbers.reader())).1, 10);
    /// ```
    #[track_caller]
    #[inline]
    pub fn read_async(&self) -> ReadAsync<'_, T> {
        ReadAsync::new(&self.0.core, Location::caller())
    }

    /// [`begin`](Self::begin) in an `async` process; of a drop holds what is said of [`read_async`](Self::read_async), and
    /// the writer goes on.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Panics
    /// If another OS process has an end of the channel: let a process that waits read or write it, and talk to that.
    #[track_caller]
    pub fn begin_async(&self) -> BeginAsync<'_, T> {
        BeginAsync::new(&self.0.core, Location::caller())
    }

    /// The values one by one, until the channel ends; [`termination`](Self::termination) then says how.
    #[track_caller]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { reader: self, place: Location::caller() }
    }

    /// How the channel has ended for this reader: `None` while it may still get a value.
    pub fn termination(&self) -> Option<Termination> {
        self.0.core().termination(Side::Reader)
    }

    /// Gives the end up. The same as dropping it, except that it retires the end of a process that has met
    /// poison, too.
    pub fn retire(self) {
        self.0.retire();
    }

    /// Ends the channel at once, for all its readers and writers; what is buffered is dropped. On a channel
    /// that is poisoned already it does nothing.
    pub fn poison(&self, reason: impl Into<String>) {
        self.0.poison(reason.into());
    }
}

impl<T> Writer<T> {
    #[track_caller]
    pub(crate) fn new(core: Arc<Core<T>>) -> Self {
        let used = core.made(Side::Writer, Location::caller().into());
        Self(End::new(core, Side::Writer, used))
    }

    /// An end that has come from another OS process; it is counted.
    #[allow(dead_code, reason = "for a backend that may not be compiled in")]
    pub(crate) fn arrived(core: Arc<Core<T>>) -> Self {
        let used = core.made(Side::Writer, core.birth().place());
        Self(End { core, side: Side::Writer, retired: false, claim: Claim::none(), used })
    }

    pub(crate) fn claim(&self, sure: bool) {
        self.0.claim(sure);
    }

    /// It is there for its channel not to retire.
    pub(crate) fn spare(&self) {
        self.0.used.mark();
    }

    #[inline(always)]
    pub(crate) fn core(&self) -> &Arc<Core<T>> {
        self.0.core()
    }

    /// Waits until a reader has the value, or until it has found room in the buffer.
    ///
    /// # Errors
    /// When the channel has ended, with the value in the error: it was not and will not be delivered. `?`
    /// turns the error into its [`Termination`].
    #[track_caller]
    #[inline]
    pub fn write(&self, value: T) -> Result<(), WriteError<T>> {
        self.0.core().write(value, Location::caller())
    }

    /// [`write`](Self::write) in an `async` process.
    ///
    /// Nothing happens until it is awaited. If it is dropped before it is done, the value was written or is dropped with
    /// it: written if a reader (or the buffer) had it by then, and not written at all if not. To keep a value, offer
    /// it in [`alt!`](crate::alt).
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// # Panics
    /// If another OS process has an end of the channel: let a process that waits read or write it, and talk to that.
    ///
    /// ```
    /// # use csp::{parallel, process, Channel, Reader, Writer};
    /// #[process]
    /// async fn ticks(out: Writer<u32>) -> csp::Result {
    ///     for tick in 0..3 {
    ///         out.write_async(tick).await?;
    ///     }
    ///     Ok(())
    /// }
    /// # #[process]
    /// # fn all(input: Reader<u32>) -> Vec<u32> { input.iter().collect() }
    /// # let channel = Channel::new();
    /// # assert_eq!(parallel!(ticks(channel.writer()), all(channel.reader())).1, [0, 1, 2]);
    /// ```
    #[track_caller]
    #[inline]
    pub fn write_async(&self, value: T) -> WriteAsync<'_, T> {
        WriteAsync::new(&self.0.core, value, Location::caller())
    }

    /// How the channel has ended, if it has.
    pub fn termination(&self) -> Option<Termination> {
        self.0.core().termination(Side::Writer)
    }

    /// Gives the end up. The same as dropping it, except that it retires the end of a process that has met
    /// poison, too.
    pub fn retire(self) {
        self.0.retire();
    }

    /// Ends the channel at once, for all its readers and writers; what is buffered is dropped. On a channel
    /// that is poisoned already it does nothing.
    pub fn poison(&self, reason: impl Into<String>) {
        self.0.poison(reason.into());
    }
}

impl<T> Clone for Reader<T> {
    /// One more end of the same channel.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for Writer<T> {
    /// One more end of the same channel.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> fmt::Debug for Writer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The values of a [`Reader`]; see [`Reader::iter`].
///
/// ```
/// let values = csp::Channel::buffered(2);
/// let (writer, reader) = (values.writer(), values.reader());
/// writer.write(1)?;
/// writer.write(2)?;
/// drop(writer);
/// let mut all: csp::Iter<'_, u32> = reader.iter();
/// assert_eq!((all.next(), all.next(), all.next()), (Some(1), Some(2), None));
/// # Ok::<(), csp::Termination>(())
/// ```
#[derive(Debug)]
pub struct Iter<'a, T> {
    reader: &'a Reader<T>,
    /// Who asks for the next value is often in the standard library.
    place: &'static Location<'static>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.reader.core().read(self.place).ok()
    }
}

/// The values of a [`Reader`] that is used up by it.
///
/// ```
/// let values = csp::Channel::buffered(2);
/// let (writer, reader) = (values.writer(), values.reader());
/// writer.write(1)?;
/// writer.write(2)?;
/// drop(writer);
/// let all: csp::IntoIter<u32> = reader.into_iter();
/// assert_eq!(all.sum::<u32>(), 3);
/// # Ok::<(), csp::Termination>(())
/// ```
#[derive(Debug)]
pub struct IntoIter<T> {
    reader: Reader<T>,
    place: &'static Location<'static>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.reader.core().read(self.place).ok()
    }
}

impl<'a, T> IntoIterator for &'a Reader<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    #[track_caller]
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Reader<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    #[track_caller]
    fn into_iter(self) -> IntoIter<T> {
        IntoIter { reader: self, place: Location::caller() }
    }
}

/// A value whose writer still waits; see [`Reader::begin`]. Dropping it, also in a panic, lets the writer go.
///
/// A guard that is forgotten (`mem::forget`) keeps its writer for ever.
///
/// ```
/// use csp::{Channel, Reader, Writer, parallel, process};
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// static DONE: AtomicBool = AtomicBool::new(false);
///
/// #[process]
/// fn writer(out: Writer<u32>) -> csp::Result<bool> {
///     out.write(5)?;
///     Ok(DONE.load(Ordering::SeqCst)) // not before the reader has done with it
/// }
/// #[process]
/// fn reader(input: Reader<u32>) -> csp::Result<u32> {
///     let held = input.begin()?;
///     DONE.store(true, Ordering::SeqCst);
///     Ok(*held) // dropped here
/// }
///
/// let values = Channel::new();
/// assert_eq!(parallel!(writer(values.writer()), reader(values.reader())), (Ok(true), Ok(5)));
/// ```
#[must_use = "the writer waits only until this is dropped"]
pub struct Extended<'a, T> {
    value: T,
    release: Release<T>,
    reader: PhantomData<&'a ()>,
}

impl<T> Extended<'_, T> {
    pub(crate) fn new(value: T, release: Release<T>) -> Self {
        Self { value, release, reader: PhantomData }
    }

    /// The value; the writer goes on.
    pub fn into_inner(self) -> T {
        let Self { value, release, .. } = self;
        drop(release);
        value
    }
}

impl<T> Deref for Extended<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Extended<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Extended<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Extended").field(&self.value).finish()
    }
}
