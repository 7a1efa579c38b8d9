//! The reading end.

use std::fmt;
use std::iter::FusedIterator;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

use super::awaited::{BeginAsync, ReadAsync};
use super::core::Core;
use super::ends::{End, read};
use super::extended::Extended;
use crate::commit::parcel::Parcel;
use crate::report::Retirement;
use crate::report::termination::{Result, Termination};
use crate::sync::Arc;
use crate::wait::blocked::Side;
use crate::wait::seen::holders::Claim;

/// The end of a channel that values come out of.
///
/// Each end counts: `clone` makes one more, and dropping the last one retires the channel. A process that
/// stops because of poison, panics or returns an error, poisons the ends it still holds instead. An end can be sent over a
/// channel like any other value. Readers are served in the order in which they came. [`Channel`](crate::Channel) says what holds for readers on several
/// cores.
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

impl<T> Reader<T> {
    #[track_caller]
    pub(super) fn new(core: Arc<Core<T>>) -> Self {
        let used = core.made(Side::Reader, Location::caller().into());
        Self(End::new(core, Side::Reader, used))
    }

    /// Makes an end that has come from another OS process. It is counted already.
    pub(crate) fn arrived(core: Arc<Core<T>>) -> Self {
        let used = core.made(Side::Reader, core.birth().place());
        Self(End { core, side: Side::Reader, retired: false, claim: Claim::none(), used })
    }

    pub(crate) fn claim(&self, sure: bool) {
        self.0.claim(sure);
    }

    pub(super) fn into_end(self) -> End<T> {
        self.0
    }

    /// Notes that it is there only to keep its channel from retiring.
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
    /// Returns [`Termination::Retired`] when no writer is left and the buffer is empty, and
    /// [`Termination::Poisoned`] as soon as the channel is poisoned.
    #[track_caller]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn read(&self) -> Result<T> {
        read(self.core(), Location::caller())
    }

    /// Reads in two steps: the writer of the value goes on only when the [`Extended`] is dropped.
    /// On a buffered channel the room of the value is kept until then. This is JCSP's extended rendezvous, occam's
    /// `??`.
    ///
    /// # Errors
    /// The same as for [`read`](Self::read).
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
    #[doc(alias = "read_extended")]
    pub fn begin(&self) -> Result<Extended<'_, T>> {
        let value = Parcel::empty();
        let begun = self.0.core().begin(&value, Location::caller());
        Extended::begun(&value, begun)
    }

    /// The `async` form of [`read`](Self::read), for `async` processes. It stays on its thread, and acts for the process of that
    /// thread. A task of another executor that may move has `stream` (feature `futures`).
    ///
    /// Nothing happens until the future is awaited. If it is dropped before it completes, nothing was read. A value
    /// that it was handed and has not returned goes to the channel's next reader, before all others. If no `Reader` is
    /// left, the value is dropped, as a buffered value would be. A reader that has already been told that the channel
    /// is retired can still get the value by reading again.
    ///
    /// # Errors
    /// The same as for [`read`](Self::read).
    ///
    /// The channel may have ends in other OS processes. If the OS process where the channel lives was killed, a value that a dropped
    /// future was handed is dropped, because the channel is lost.
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
        ReadAsync::new(self.0.core(), Location::caller())
    }

    /// The `async` form of [`begin`](Self::begin). If the future is dropped before it completes, the same holds as for
    /// [`read_async`](Self::read_async), and the writer goes on.
    ///
    /// # Errors
    /// The same as for [`read`](Self::read).
    #[track_caller]
    pub fn begin_async(&self) -> BeginAsync<'_, T> {
        BeginAsync::new(self.0.core(), Location::caller())
    }

    /// Returns an iterator over the values, which ends with the channel, and ends silently on poison as on retirement.
    /// [`termination`](Self::termination) says which it was.
    ///
    /// A sum over a poisoned channel is a sum of a part. Where that matters, ask, or read in a loop with `?`:
    ///
    /// ```
    /// # use csp::{Channel, Reader, Termination, process};
    /// #[process]
    /// fn sum(results: Reader<u64>) -> csp::Result<u64> {
    ///     let sum = results.iter().sum();
    ///     match results.termination() {
    ///         Some(Termination::Retired) => Ok(sum),
    ///         Some(poisoned) => Err(poisoned),
    ///         None => unreachable!("the iterator has ended"),
    ///     }
    /// }
    /// # let results = Channel::new();
    /// # results.writer().poison("half way");
    /// # assert!(csp::parallel!(sum(results.reader())).0.is_err());
    /// ```
    #[track_caller]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { reader: Some(self), place: Location::caller() }
    }

    /// Returns how the channel has ended for this reader. Returns `None` while it may still get a value.
    #[must_use]
    pub fn termination(&self) -> Option<Termination> {
        self.0.core().termination(Side::Reader)
    }

    /// Returns how the channel retired, if it has: which end was the last, and with which process it went. Only debug builds tell,
    /// and only if the channel has no ends in other OS processes.
    #[must_use]
    pub fn retirement(&self) -> Option<Retirement> {
        self.core().retirement()
    }

    /// Gives the end up. This is the same as dropping it, except that it retires the end of a process that has met
    /// poison, too.
    pub fn retire(self) {
        self.0.retire();
    }

    /// Ends the channel at once, for all its readers and writers, and drops the buffered values. On a channel that is
    /// poisoned already it does nothing.
    pub fn poison(&self, reason: impl Into<String>) {
        self.0.poison(reason.into());
    }
}

// The argument is that of `Channel`.
impl<T> UnwindSafe for Reader<T> {}
impl<T> RefUnwindSafe for Reader<T> {}

impl<T> Clone for Reader<T> {
    /// Makes one more end of the same channel.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An iterator over the values of a [`Reader`] (see [`Reader::iter`]).
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
    /// `None` after the end.
    reader: Option<&'a Reader<T>>,
    /// The place of the loop, because the call that asks for the next value is often in the standard library.
    place: &'static Location<'static>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        let value = read(self.reader?.core(), self.place).ok();
        if value.is_none() {
            self.reader = None;
        }
        value
    }
}

/// The iterator remembers its end. A value that a reader gives back after that is for other readers.
impl<T> FusedIterator for Iter<'_, T> {}

/// An iterator over the values of a [`Reader`], which it owns.
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
    over: bool,
    place: &'static Location<'static>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        if self.over {
            return None;
        }
        let value = read(self.reader.core(), self.place).ok();
        self.over = value.is_none();
        value
    }
}

/// The iterator remembers its end, as [`Iter`] does.
impl<T> FusedIterator for IntoIter<T> {}

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
        IntoIter { reader: self, over: false, place: Location::caller() }
    }
}
