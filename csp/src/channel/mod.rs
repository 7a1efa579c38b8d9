//! Floor 4. Channels and their ends.

pub(super) mod awaited;
pub(super) mod core;
mod ends;
mod extended;
pub(super) mod far;
pub(super) mod lent;
mod reader;
mod room;
pub(super) mod stop;
mod writer;

use std::fmt;
use std::ops::Mul;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

use self::core::Core;
use crate::report::place::Birth;
use crate::sync::Arc;
use crate::system::quiet;
use crate::wait::blocked::Side;
use crate::wait::panics;
use crate::wait::seen::holders::{Claim, Held};
use crate::watch::{self, registry, usage};

pub use self::awaited::{BeginAsync, ReadAsync, WriteAsync};
pub use self::extended::Extended;
pub use self::reader::{IntoIter, Iter, Reader};
pub use self::stop::{Stop, StopToken};
pub use self::writer::Writer;

/// A typed channel from any number of writers to any number of readers.
///
/// A channel without a buffer is a *rendezvous*: a write returns when a reader has the value. With a buffer of
/// *n*, up to *n* written values wait in between. Values are moved, each to exactly one reader. Readers and
/// writers are served first come, first served. The two sides may run on different backends.
///
/// With the feature `cores`, the readers of a rendezvous may be on several cores. Then a reader whose core has nothing to do may be served before
/// one that came earlier. Among the readers of one core that only read it stays first come, first served. Between cores no reader waits for ever
/// while values come.
///
/// A `Channel` is only a handle to make [`Reader`]s and [`Writer`]s from. The channel is retired for good when
/// the last end of either side goes, whether there are handles or not. A side that has no end counts as gone
/// once no handle is left to make one.
///
/// Idea: PyCSP's one kind of channel, which is any-to-any. The rendezvous is that of Hoare's CSP and of occam.
///
/// ```
/// use csp::{parallel, process, Channel, Reader, Writer};
///
/// #[process]
/// fn squares(numbers: Reader<u64>, squares: Writer<u64>) -> csp::Result {
///     for n in &numbers {
///         squares.write(n * n)?;
///     }
///     Ok(())
/// }
/// #[process]
/// fn numbers(out: Writer<u64>) -> csp::Result {
///     for n in 1..=10 {
///         out.write(n)?;
///     }
///     Ok(())
/// }
/// #[process]
/// fn sum(squares: Reader<u64>) -> u64 {
///     squares.iter().sum()
/// }
///
/// let (n, s) = (Channel::new().named("numbers"), Channel::buffered(4).named("squares"));
/// let (_, _, total) =
///     parallel!(numbers(n.writer()), 3 * squares(n.reader(), s.writer()), sum(s.reader()));
/// assert_eq!(total, 385);
/// ```
pub struct Channel<T> {
    core: Arc<Core<T>>,
    claim: Claim,
}

impl<T> Channel<T> {
    /// A rendezvous channel.
    #[track_caller]
    #[must_use = "a channel does nothing without ends"]
    pub fn new() -> Self {
        Self::made(0, Location::caller().into())
    }

    /// A channel with room for `capacity` values between its writers and readers. Room for 0 is a rendezvous. No memory is taken before
    /// values come, so any capacity will do. More than `isize::MAX` counts as that.
    #[track_caller]
    #[must_use = "a channel does nothing without ends"]
    pub fn buffered(capacity: usize) -> Self {
        Self::made(capacity, Location::caller().into())
    }

    fn made(capacity: usize, birth: Birth) -> Self {
        // A process with ends may panic before it does anything else, and then its message is quoted.
        quiet::watched_by(watch::start);
        panics::remember();
        let core = Arc::new(Core::new(capacity, birth));
        registry::list(&core, usage::scope());
        Self { core, claim: Claim::none() }
    }

    /// Gives the channel a name for reports. Otherwise it goes by the place where it was made. A channel
    /// that has a name keeps it.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        self.core.set_name(name.into().into_boxed_str());
        self
    }

    /// Excuses the channel from leak checks: its values may be dropped unread, and its ends may never be used. Call it before ends are
    /// made.
    ///
    /// [`#[csp::test]`](crate::test) and [`#[csp::main]`](crate::main) report such leftovers. Some networks have them by intent: a
    /// deadline that gives up on a slow answer, a client that is thrown out, an end that only keeps a channel open.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// #[csp::test]
    /// fn an_answer_that_is_late_is_not_waited_for() {
    ///     let answers = csp::Channel::buffered(1).may_be_dropped();
    ///     let (answer, ask) = (answers.reader(), answers.writer());
    ///     assert_eq!(answer.read_timeout(Duration::ZERO), Ok(None));
    ///     ask.write("late").unwrap(); // and nobody reads it
    /// }
    /// ```
    #[must_use]
    pub fn may_be_dropped(self) -> Self {
        registry::list_in_scope(&*self.core, usage::EXCUSED);
        self
    }

    /// Makes one more reading end.
    ///
    /// A channel retires with the last end of a side, and stays retired: an end that is made later is of no use. Debug builds name the
    /// place of such a call on standard error, once. To let ends come and go, keep one of them, and clone it.
    #[track_caller]
    pub fn reader(&self) -> Reader<T> {
        if cfg!(debug_assertions) {
            self.core.tell_if_late(Side::Reader, Location::caller());
        }
        Reader::new(Arc::clone(&self.core))
    }

    /// Makes one more writing end. A channel that has retired has no use for it, as [`reader`](Self::reader) says.
    #[track_caller]
    pub fn writer(&self) -> Writer<T> {
        if cfg!(debug_assertions) {
            self.core.tell_if_late(Side::Writer, Location::caller());
        }
        Writer::new(Arc::clone(&self.core))
    }

    fn core(&self) -> &Arc<Core<T>> {
        &self.core
    }

    pub(crate) fn claim(&self, sure: bool) {
        self.core.claim(&self.claim, Held::Handle, sure);
    }

    /// `n` channels like this one, each new. A name gets an index.
    fn times(&self, n: usize) -> Vec<Self> {
        (0..n)
            .map(|i| {
                let channel = Self::made(self.core.capacity(), self.core.birth());
                if self.core.scope() == usage::EXCUSED {
                    registry::list_in_scope(&*channel.core, usage::EXCUSED);
                }
                match self.core.name() {
                    Some(name) => channel.named(format!("{name}[{i}]")),
                    None => channel,
                }
            })
            .collect()
    }
}

impl<T> Default for Channel<T> {
    /// Makes a rendezvous channel. It is known by the place of the call, as one that [`new`](Self::new) makes. A derived
    /// `Default` makes its channels where it is derived.
    ///
    /// ```
    /// #[derive(Default)]
    /// struct Plumbing {
    ///     jobs: csp::Channel<u32>,
    ///     results: csp::Channel<String>,
    /// }
    /// let plumbing = Plumbing::default();
    /// assert_eq!(plumbing.jobs.capacity(), 0);
    /// # drop(plumbing.results);
    /// ```
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

// A panic breaks nothing that another process could then see: no code of the user's runs under a channel's lock, and an operation
// that unwinds has withdrawn its offer. The values in a channel are only moved, so nothing of theirs is seen half changed.
impl<T> UnwindSafe for Channel<T> {}
impl<T> RefUnwindSafe for Channel<T> {}

impl<T> Clone for Channel<T> {
    /// One more handle to the same channel.
    fn clone(&self) -> Self {
        self.core.add_handle();
        Self { core: Arc::clone(&self.core), claim: Claim::none() }
    }
}

impl<T> Drop for Channel<T> {
    fn drop(&mut self) {
        self.core.drop_handle(&self.claim);
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel(`{}`)", self.core)
    }
}

impl<T> Mul<Channel<T>> for usize {
    type Output = Vec<Channel<T>>;

    /// `n` new channels of the same kind.
    fn mul(self, channel: Channel<T>) -> Vec<Channel<T>> {
        channel.times(self)
    }
}

impl<T> Mul<usize> for Channel<T> {
    type Output = Vec<Channel<T>>;

    /// `n` new channels of the same kind.
    fn mul(self, n: usize) -> Vec<Channel<T>> {
        self.times(n)
    }
}
