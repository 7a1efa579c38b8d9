//! A writing end as a sink.
#![allow(unsafe_code)]

use std::fmt;
use std::future::poll_fn;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures_sink::Sink;

use super::acting::Acting;
use super::roaming::{Housed, TaskEnd};
use super::writing::Writing;
use crate::channel::core::Core;
use crate::channel::writer::Writer;
use crate::report::termination::{Result, Termination, WriteError};
use crate::sync::Arc;
use crate::wait::blocked::Side;
use crate::wait::park;

/// A [`Writer`] as a sink, for tasks of other executors such as tokio: see [`Writer::sink`].
///
/// It takes one value at a time, and is ready for the next when a reader has the last one, or the buffer. So it has the
/// back-pressure of the channel: on a rendezvous channel [`send`](Self::send) returns when a reader has the value.
///
/// A sink belongs to no thread and to no process. It may be polled by any thread, each time by another, and wakes the waker that it was
/// polled with last. The value that it has is on offer all the time, also when nobody polls it. A sink that is dropped drops its value, unless a reader has
/// it by then. [`take_pending`](Self::take_pending) and [`into_pending`](Self::into_pending) return it instead. Each value is written or comes
/// back, and never both.
///
/// Dropping a sink retires its end. A panic that drops it poisons the channel, with the panic as the cause, unless it was told to
/// [retire](Self::retire_on_panic). The poison that a sink has met goes no further by itself, because a task holds other ends that the library
/// does not know. In an `async` process it does go further: a sink that the process polls or drops counts as its own. A process that
/// [returns an error](crate::guide::errors) poisons the sinks among its arguments.
///
/// A clone is another end of the channel, and has no value yet.
///
/// The channel may have ends in other OS processes.
///
/// ```
/// use csp::{Channel, Reader, process};
///
/// #[process]
/// fn sum(numbers: Reader<u32>) -> u32 {
///     numbers.iter().sum()
/// }
///
/// let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
/// let channel = Channel::new();
/// let mut numbers = channel.writer().sink();
/// let sent = runtime.spawn(async move {
///     for number in 1..=3 {
///         numbers.send(number).await?;
///     }
///     Ok::<_, csp::Termination>(())
/// });
/// assert_eq!(csp::parallel!(sum(channel.reader())).0, 6);
/// assert_eq!(runtime.block_on(sent)?, Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a sink retires when it is dropped"]
pub struct WriterSink<T> {
    writing: Housed<Writing<Arc<Core<T>>, T>>,
    /// `None` once it is closed.
    end: Option<TaskEnd<T>>,
}

// SAFETY: as for `ReaderStream`.
unsafe impl<T: Send> Send for WriterSink<T> {}
// SAFETY: as for `ReaderStream`. A shared sink can be cloned, and the clone has no value.
unsafe impl<T: Send> Sync for WriterSink<T> {}

// The argument is that of `Channel`.
impl<T> UnwindSafe for WriterSink<T> {}
impl<T> RefUnwindSafe for WriterSink<T> {}

impl<T> Writer<T> {
    /// Turns the end into a sink, which tasks of other executors can use: an axum handler, `tokio::spawn`. It is `Send`, and
    /// [`write_async`](Self::write_async) is not. The guide has a [chapter](crate::guide::with_tokio) on it.
    ///
    /// Needs the feature `futures`.
    #[track_caller]
    pub fn sink(self) -> WriterSink<T> {
        let end = self.into_end();
        let core = Arc::clone(&end.core);
        WriterSink::of(core, Some(TaskEnd::new(end)), Location::caller())
    }
}

impl<T> WriterSink<T> {
    fn of(core: Arc<Core<T>>, end: Option<TaskEnd<T>>, place: &'static Location<'static>) -> Self {
        Self { writing: Housed::new(Writing::idle(core, place)), end }
    }

    /// Writes a value, and waits until a reader has it, or the buffer.
    ///
    /// If its future is dropped, the sink keeps the value, which stays on offer. [`take_pending`](Self::take_pending) takes it back. The next
    /// call waits first until that value is written. A value that is still behind another one is dropped with the future.
    ///
    /// This takes the place of the method of the same name that `SinkExt` of the crate `futures` has. That one does not give the value
    /// back.
    ///
    /// # Errors
    /// If the channel has ended, with the value in the error. An earlier value that the sink still has then stays in the sink.
    pub async fn send(&mut self, value: T) -> Result<(), WriteError<T>> {
        let earlier = poll_fn(|waking| self.poll_written(waking.waker())).await;
        if let Err(termination) = earlier.and_then(|()| self.is_open()) {
            return Err(WriteError::new(value, termination));
        }
        let sent = match self.offer(value) {
            Ok(()) => poll_fn(|waking| self.poll_written(waking.waker())).await,
            Err(termination) => Err(termination),
        };
        sent.map_err(|termination| {
            let unwritten = self.writing.get().unwritten(termination);
            WriteError::new(self.take_pending().expect("it was not written"), unwritten)
        })
    }

    fn is_open(&self) -> Result {
        if self.end.is_some() { Ok(()) } else { Err(Termination::Retired) }
    }

    fn offer(&mut self, value: T) -> Result {
        self.end.iter().for_each(|end| end.get().used.mark());
        // SAFETY: nothing is moved out of it, and it is pinned.
        unsafe { self.writing.pinned().get_unchecked_mut().offer(value) }
    }

    fn poll_written(&mut self, waker: &Waker) -> Poll<Result> {
        // SAFETY: as above.
        unsafe { self.writing.pinned().get_unchecked_mut().poll_written(waker) }
    }

    /// Takes back the value that the sink has, unless a reader has it. The sink is then ready for another.
    ///
    /// It does not wait, with one exception. While another OS process asks a reader whether it takes the value, nobody can tell, and
    /// the thread waits for the answer. Such a reader chooses between several OS processes.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// use std::time::Duration;
    ///
    /// let jobs = csp::Channel::new();
    /// let (_reader, mut sink) = (jobs.reader(), jobs.writer().sink());
    /// let sent = tokio::time::timeout(Duration::from_millis(1), sink.send("a job")).await;
    /// assert!(sent.is_err()); // nobody has come for it
    /// assert_eq!(sink.take_pending(), Some("a job"));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_pending(&mut self) -> Option<T> {
        // SAFETY: as above.
        unsafe { self.writing.pinned().get_unchecked_mut().take_back() }
    }

    /// Does [`take_pending`](Self::take_pending) and drops the sink.
    pub fn into_pending(mut self) -> Option<T> {
        self.take_pending()
    }

    /// Returns how the channel has ended, if it has. A sink that was closed says [`Termination::Retired`].
    #[must_use]
    pub fn termination(&self) -> Option<Termination> {
        match &self.end {
            Some(end) => end.get().core().termination(Side::Writer),
            None => Some(Termination::Retired),
        }
    }

    /// Retires the end also if a panic drops the sink. Otherwise that poisons the channel. Clones that are made later do so too.
    ///
    /// A service wants this for what its request handlers hold, if one failed request is not to end the network behind it.
    pub fn retire_on_panic(mut self) -> Self {
        self.end.iter_mut().for_each(TaskEnd::retire_on_panic);
        self
    }

    /// Gives the end up. This is the same as dropping the sink, except that it never poisons.
    pub fn retire(self) {
        let Self { writing, end } = self;
        drop(writing);
        end.into_iter().for_each(TaskEnd::retire);
    }

    /// Ends the channel at once, for all its readers and writers, and drops the buffered values. On a channel that is poisoned already,
    /// and after the sink was closed, it does nothing.
    pub fn poison(&self, reason: impl Into<String>) {
        if let Some(end) = &self.end {
            end.get().poison(reason.into());
        }
    }
}

/// The error keeps no value. The sink does: [`take_pending`](WriterSink::take_pending).
///
/// Closing the sink waits until its value is written, and then retires the end.
///
/// # Panics
/// `start_send` panics if the sink has a value already, which `poll_ready` waits for.
impl<T> Sink<T> for WriterSink<T> {
    type Error = Termination;

    fn poll_ready(self: Pin<&mut Self>, waking: &mut Context<'_>) -> Poll<Result> {
        let this = self.get_mut();
        ready!(this.poll_written(waking.waker()))?;
        this.is_open()?;
        let core = this.writing.get().core();
        let has_ended = core.state().lock().ended.is_some();
        Poll::Ready(match has_ended {
            true => Err(Arc::<Core<T>>::meet_end(core, park::current(), Side::Writer)),
            false => Ok(()),
        })
    }

    fn start_send(self: Pin<&mut Self>, value: T) -> Result {
        let this = self.get_mut();
        assert!(this.writing.get().is_idle(), "a sink that has a value is not ready for another");
        match this.is_open() {
            Ok(()) => this.offer(value),
            Err(closed) => {
                // SAFETY: nothing is moved out of it, and it is pinned.
                unsafe { this.writing.pinned().get_unchecked_mut() }.keep(value);
                Err(closed)
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, waking: &mut Context<'_>) -> Poll<Result> {
        self.get_mut().poll_written(waking.waker())
    }

    fn poll_close(self: Pin<&mut Self>, waking: &mut Context<'_>) -> Poll<Result> {
        let this = self.get_mut();
        ready!(this.poll_written(waking.waker()))?;
        this.end.take().into_iter().for_each(TaskEnd::retire);
        Poll::Ready(Ok(()))
    }
}

impl<T> Clone for WriterSink<T> {
    /// Makes one more end of the same channel. A clone of a sink that was closed is closed, too.
    #[track_caller]
    fn clone(&self) -> Self {
        let core = Arc::clone(self.writing.get().core());
        Self::of(core, self.end.clone(), Location::caller())
    }
}

impl<T> fmt::Debug for WriterSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriterSink(`{}`)", self.writing.get().core())
    }
}
