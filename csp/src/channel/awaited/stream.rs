//! A reading end as a stream.
#![allow(unsafe_code)]

use std::fmt;
use std::future::poll_fn;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::stream::{FusedStream, Stream};

use super::reading::Reading;
use super::roaming::{Housed, TaskEnd};
use crate::channel::core::Core;
use crate::channel::reader::Reader;
use crate::commit::parcel::Parcel;
use crate::report::termination::{Result, Termination};
use crate::sync::Arc;
use crate::wait::blocked::Side;

/// A [`Reader`] as a stream, for tasks of other executors such as tokio: see [`Reader::stream`].
///
/// Its items are the values of the channel. Poison is an item too, an `Err`, and the last one. A channel that retires ends the stream
/// without one. After its end the stream gives `None` for ever.
///
/// A stream belongs to no thread and to no process. It may be polled by any thread, each time by another, and wakes the waker that it was
/// polled with last. While it waits, a writer may hand it a value, also when nobody polls it. A stream that is dropped gives such a
/// value back: the next reader of the channel gets it, before all others. Dropping the future of [`next`](Self::next) leaves the stream as
/// it is, and no value is lost.
///
/// Dropping a stream retires its end. A panic that drops it poisons the channel, with the panic as the cause, unless it was told to
/// [retire](Self::retire_on_panic). The poison that a stream has met goes no further by itself, because a task holds other ends that the
/// library does not know. In an `async` process it does go further: a stream that the process polls or drops counts as its own. A process that
/// [returns an error](crate::guide::errors) poisons the streams among its arguments.
///
/// The channel may have ends in other OS processes.
///
/// ```
/// use csp::{Channel, Writer, process};
///
/// #[process]
/// fn squares(out: Writer<u32>) -> csp::Result {
///     (1..=3).try_for_each(|n| Ok(out.write(n * n)?))
/// }
///
/// let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
/// let channel = Channel::new();
/// let mut numbers = channel.reader().stream();
/// let sum = runtime.spawn(async move {
///     let mut sum = 0;
///     while let Some(number) = numbers.next().await {
///         sum += number?;
///     }
///     Ok::<_, csp::Termination>(sum)
/// });
/// csp::parallel!(squares(channel.writer()));
/// assert_eq!(runtime.block_on(sum)?, Ok(14));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a stream does nothing until it is polled"]
pub struct ReaderStream<T> {
    /// Goes before the end, because it gives a value back.
    reading: Housed<Reading<Arc<Core<T>>, T, false>>,
    end: TaskEnd<T>,
    /// It has told of its end.
    over: bool,
}

// SAFETY: the operation belongs to no thread, because its offer stands as a stranger. A thread that commits the offer points at it on the
// heap. It touches the offer under the channel's lock, and from then on until it has woken it. The owner of the stream touches it under
// that lock, or when it is woken. The value in it moves with it, and is `Send`.
unsafe impl<T: Send> Send for ReaderStream<T> {}
// SAFETY: a shared stream shows its channel only, which any thread may use.
unsafe impl<T: Send> Sync for ReaderStream<T> {}

// The argument is that of `Channel`.
impl<T> UnwindSafe for ReaderStream<T> {}
impl<T> RefUnwindSafe for ReaderStream<T> {}

impl<T> Reader<T> {
    /// Turns the end into a stream, which tasks of other executors can use: an axum handler, `tokio::spawn`. It is `Send`, and
    /// [`read_async`](Self::read_async) is not. The guide has a [chapter](crate::guide::with_tokio) on it.
    ///
    /// Needs the feature `futures`.
    #[track_caller]
    pub fn stream(self) -> ReaderStream<T> {
        let end = self.into_end();
        let reading = Housed::new(Reading::new(Arc::clone(&end.core), Location::caller()));
        ReaderStream { reading, end: TaskEnd::new(end), over: false }
    }
}

impl<T> ReaderStream<T> {
    /// Waits for a value. Returns `None` if the channel has retired, and after an error.
    ///
    /// This is the method of the same name that `StreamExt` of the crate `futures` has. If its future is dropped, nothing is lost. The
    /// stream goes on to wait at the channel, and the next call returns the value that it was handed.
    ///
    /// # Errors
    /// Returns [`Termination::Poisoned`] once, as soon as the channel is poisoned.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|waking| self.poll(waking.waker())).await
    }

    fn poll(&mut self, waker: &Waker) -> Poll<Option<Result<T>>> {
        if self.over {
            return Poll::Ready(None);
        }
        self.end.get().used.mark();
        let value = Parcel::empty();
        // SAFETY: nothing is moved out of it, and it is pinned.
        let read = unsafe { self.reading.pinned().get_unchecked_mut().poll_next(waker, &value) };
        let Poll::Ready(read) = read else { return Poll::Pending };
        self.over = read.is_err();
        Poll::Ready(match value.given(read) {
            Err(Termination::Retired) => None,
            item => Some(item),
        })
    }

    /// Returns how the channel has ended for this reader. Returns `None` while there may be another value.
    #[must_use]
    pub fn termination(&self) -> Option<Termination> {
        self.end.get().core().termination(Side::Reader)
    }

    /// Retires the end also if a panic drops the stream. Otherwise that poisons the channel.
    ///
    /// A service wants this for what its request handlers hold, if one failed request is not to end the network behind it.
    pub fn retire_on_panic(mut self) -> Self {
        self.end.retire_on_panic();
        self
    }

    /// Gives the end up. This is the same as dropping the stream, except that it never poisons.
    pub fn retire(self) {
        let Self { reading, end, .. } = self;
        drop(reading);
        end.retire();
    }

    /// Ends the channel at once, for all its readers and writers. On a channel that is poisoned already it does nothing.
    pub fn poison(&self, reason: impl Into<String>) {
        self.end.get().poison(reason.into());
    }
}

impl<T> Stream for ReaderStream<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, waking: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        self.get_mut().poll(waking.waker())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, if self.over { Some(0) } else { None })
    }
}

/// The stream remembers its end, as [`Iter`](crate::Iter) does.
impl<T> FusedStream for ReaderStream<T> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}

impl<T> fmt::Debug for ReaderStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReaderStream(`{}`)", self.end.get().core)
    }
}
