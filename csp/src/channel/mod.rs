//! Channels and their ends.

mod awaited;
pub(crate) mod core;
mod ends;

use std::fmt;
use std::ops::Mul;
use std::panic::Location;

pub use self::awaited::{BeginAsync, ReadAsync, WriteAsync};
pub use self::ends::{Extended, IntoIter, Iter, Reader, Writer};

use self::core::Core;
use crate::holders::{Claim, Held};
use crate::park::last_panic;
use crate::place::Birth;
use crate::sync::Arc;
use crate::{leaks, registry};

/// A typed channel from any number of writers to any number of readers.
///
/// A channel without a buffer is a *rendezvous*: a write returns when a reader has the value. With a buffer of
/// *n*, up to *n* written values wait in between. Values are moved, each to exactly one reader; readers and
/// writers are served first come, first served. The two sides may run on different backends.
///
/// A `Channel` is only a handle to make [`Reader`]s and [`Writer`]s from. The channel is retired for good when
/// the last end of either side goes, whether there are handles or not; a side that has no end counts as gone
/// once no handle is left to make one.
///
/// Idea: PyCSP's one kind of channel, which is any-to-any; the rendezvous is that of Hoare's CSP and of occam.
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
    #[allow(clippy::new_without_default, reason = "a channel is known by the place it is made")]
    pub fn new() -> Self {
        Self::made(0, Location::caller().into())
    }

    /// A channel with room for `capacity` values between its writers and readers; 0 is a rendezvous.
    #[track_caller]
    pub fn buffered(capacity: usize) -> Self {
        Self::made(capacity, Location::caller().into())
    }

    fn made(capacity: usize, birth: Birth) -> Self {
        // Who has ends may panic before it does anything else, and is then to be quoted.
        last_panic::remember();
        let core = Arc::new(Core::new(capacity, birth));
        registry::list(&core, leaks::scope());
        Self { core, claim: Claim::none() }
    }

    /// Gives the channel a name for reports; otherwise it goes by the place it was made. A channel
    /// that has a name keeps it.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        self.core.set_name(name.into().into_boxed_str());
        self
    }

    /// One more reading end.
    #[track_caller]
    pub fn reader(&self) -> Reader<T> {
        Reader::new(Arc::clone(&self.core))
    }

    /// One more writing end.
    #[track_caller]
    pub fn writer(&self) -> Writer<T> {
        Writer::new(Arc::clone(&self.core))
    }

    pub(crate) fn claim(&self, sure: bool) {
        self.core.claim(&self.claim, Held::Handle, sure);
    }

    /// `n` channels like this one, each new; a name gets an index.
    fn times(&self, n: usize) -> Vec<Self> {
        (0..n)
            .map(|i| {
                let channel = Self::made(self.core.capacity(), self.core.birth());
                match self.core.name() {
                    Some(name) => channel.named(format!("{name}[{i}]")),
                    None => channel,
                }
            })
            .collect()
    }
}

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
