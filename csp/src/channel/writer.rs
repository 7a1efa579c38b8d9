//! The writing end.

use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

use super::awaited::WriteAsync;
use super::core::Core;
use super::ends::{End, write_otherwise};
use crate::commit::parcel::Parcel;
use crate::report::Retirement;
use crate::report::termination::{Result, Termination, WriteError};
use crate::sync::Arc;
use crate::wait::blocked::Side;
use crate::wait::seen::holders::Claim;

/// The end of a channel that values go into.
///
/// Each end counts: `clone` makes one more, and dropping the last one retires the channel once its readers
/// have what is buffered. A process that stops because of poison, panics or returns an error, poisons the ends it still holds
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

impl<T> Writer<T> {
    #[track_caller]
    pub(crate) fn new(core: Arc<Core<T>>) -> Self {
        let used = core.made(Side::Writer, Location::caller().into());
        Self(End::new(core, Side::Writer, used))
    }

    /// Makes an end that has come from another OS process. It is counted already.
    pub(crate) fn arrived(core: Arc<Core<T>>) -> Self {
        let used = core.made(Side::Writer, core.birth().place());
        Self(End { core, side: Side::Writer, retired: false, claim: Claim::none(), used })
    }

    pub(crate) fn claim(&self, sure: bool) {
        self.0.claim(sure);
    }

    pub(super) fn into_end(self) -> End<T> {
        self.0
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
    /// turns the error into its [`Termination`]. After the loss of an OS process [`WriteError::fate`] says whether a reader may have had the
    /// value all the same.
    #[track_caller]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn write(&self, value: T) -> Result<(), WriteError<T>> {
        let (core, place) = (self.core(), Location::caller());
        let given = Parcel::empty();
        given.put(value);
        match core.write(&given, place) {
            Ok(()) => Ok(()),
            Err(unwritten) => write_otherwise(core, given.open(), unwritten, place),
        }
    }

    /// [`write`](Self::write) in an `async` process. It stays on its thread, and acts for the process of that thread. A task of another
    /// executor that may move has `sink` (feature `futures`).
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
        WriteAsync::new(self.0.core(), value, Location::caller())
    }

    /// How the channel has ended, if it has.
    #[must_use]
    pub fn termination(&self) -> Option<Termination> {
        self.0.core().termination(Side::Writer)
    }

    /// Returns how the channel retired, if it has: which end was the last, and with which process it went. Only debug builds tell,
    /// and only if the channel has no ends in other OS processes.
    #[must_use]
    pub fn retirement(&self) -> Option<Retirement> {
        self.core().retirement()
    }

    /// Gives the end up. The same as dropping it, except that it retires the end of a process that has met
    /// poison, too.
    pub fn retire(self) {
        self.0.retire();
    }

    /// Ends the channel at once, for all its readers and writers, and drops the buffered values. On a channel
    /// that is poisoned already it does nothing.
    pub fn poison(&self, reason: impl Into<String>) {
        self.0.poison(reason.into());
    }
}

// The argument is that of `Channel`.
impl<T> UnwindSafe for Writer<T> {}
impl<T> RefUnwindSafe for Writer<T> {}

impl<T> Clone for Writer<T> {
    /// One more end of the same channel.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Writer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
