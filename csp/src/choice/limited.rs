//! Reads and writes that do not wait, or not for ever.
//!
//! Each is a choice by priority between the operation and a guard that needs no partner: `skip`, or a time. So it has the laws of a
//! choice, at channels of other OS processes too: exactly one of the two happens, and nothing is left behind.

use std::panic::Location;
use std::time::{Duration, Instant};

use super::choose::{choose_first, several_async};
use super::guard::Guard;
use super::guard::Sweep;
use super::guards::{read, time, write};
use super::unwritten::TryWriteError;
use crate::channel::{Reader, Writer};
use crate::report::termination::{Result, Unwritten, WriteError};
use crate::wait::park;

impl<T> Reader<T> {
    /// Reads a value if one is there, and returns `None` if not. It does not wait.
    ///
    /// A value is there if it is in the buffer, or if a writer waits with it. A writer that makes its value late
    /// (`output.write(value())` in [`alt!`](crate::alt)) counts as well, and its value is waited for. Values come in the same order as
    /// by [`read`](Self::read), and nobody who waits is overtaken.
    ///
    /// A process that tries in a loop lets the other coroutines of its thread go on after each attempt. An `async` process must
    /// await something for that. A channel that another OS process has ends of is asked by message, so this takes as long as the answer.
    ///
    /// # Errors
    /// The same as for [`read`](Self::read). `None` is never an end: as long as it comes, there may be a value later.
    ///
    /// # Panics
    /// Panics in an `async` process if the channel has ends in another OS process, or if the writer makes its value late. There
    /// [`read_timeout_async`](Self::read_timeout_async) with no time does the same.
    ///
    /// ```
    /// use csp::{Channel, Termination};
    ///
    /// let jobs = Channel::buffered(1);
    /// let (writer, reader) = (jobs.writer(), jobs.reader());
    /// assert_eq!(reader.try_read()?, None);
    /// writer.write(7)?;
    /// assert_eq!(reader.try_read()?, Some(7));
    /// drop(writer);
    /// assert_eq!(reader.try_read(), Err(Termination::Retired));
    /// # Ok::<(), Termination>(())
    /// ```
    #[track_caller]
    pub fn try_read(&self) -> Result<Option<T>> {
        read_unless(self, time::skip(), Location::caller())
    }

    /// Waits for a value, but no longer than the time `limit`, and then returns `None`.
    ///
    /// A wait with a limit is no part of a deadlock. The time counts from the moment at which nothing is there.
    ///
    /// # Errors
    /// The same as for [`read`](Self::read).
    ///
    /// # Panics
    /// Panics in an `async` process: there it is [`read_timeout_async`](Self::read_timeout_async).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let answers = csp::Channel::<u32>::new();
    /// let (_writer, reader) = (answers.writer(), answers.reader());
    /// assert_eq!(reader.read_timeout(Duration::from_millis(1))?, None);
    /// # Ok::<(), csp::Termination>(())
    /// ```
    #[track_caller]
    pub fn read_timeout(&self, limit: Duration) -> Result<Option<T>> {
        read_unless(self, time::after(limit), Location::caller())
    }

    /// Waits for a value, but only until the time `deadline`, and then returns `None`. Otherwise as
    /// [`read_timeout`](Self::read_timeout).
    ///
    /// # Errors
    /// The same as for [`read`](Self::read).
    ///
    /// # Panics
    /// Panics in an `async` process: there it is [`read_until_async`](Self::read_until_async).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let answers = csp::Channel::<u32>::new();
    /// let (_writer, reader) = (answers.writer(), answers.reader());
    /// // One deadline for all of them.
    /// let deadline = Instant::now() + Duration::from_millis(1);
    /// while let Some(answer) = reader.read_until(deadline)? {
    ///     println!("{answer}");
    /// }
    /// # Ok::<(), csp::Termination>(())
    /// ```
    #[track_caller]
    pub fn read_until(&self, deadline: Instant) -> Result<Option<T>> {
        read_unless(self, time::at(deadline), Location::caller())
    }

    /// The `async` form of [`read_timeout`](Self::read_timeout). If the future is dropped before it completes, the same holds as
    /// for [`read_async`](Self::read_async).
    ///
    /// The library keeps the time, so this is for processes. A task of another executor has timers of its own, such as
    /// `tokio::time::timeout`, around [`read_async`](Self::read_async).
    ///
    /// # Errors
    /// The same as for [`read`](Self::read).
    ///
    /// # Panics
    /// Panics on another executor.
    ///
    /// ```
    /// # use csp::{parallel, process, Channel, Reader};
    /// # use std::time::Duration;
    /// #[process]
    /// async fn patient(input: Reader<u32>) -> csp::Result<Option<u32>> {
    ///     input.read_timeout_async(Duration::from_millis(1)).await
    /// }
    /// # let (channel, reader) = { let c = Channel::new(); let r = c.reader(); (c.writer(), r) };
    /// assert_eq!(parallel!(patient(reader)).0, Ok(None));
    /// # drop(channel);
    /// ```
    #[track_caller]
    pub fn read_timeout_async(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Result<Option<T>>> + use<'_, T> {
        read_unless_async(self, time::after(limit), Location::caller())
    }

    /// The `async` form of [`read_until`](Self::read_until), as [`read_timeout_async`](Self::read_timeout_async) is of
    /// `read_timeout`.
    ///
    /// # Errors
    /// The same as for [`read`](Self::read).
    ///
    /// # Panics
    /// Panics on another executor.
    #[track_caller]
    pub fn read_until_async(
        &self,
        deadline: Instant,
    ) -> impl Future<Output = Result<Option<T>>> + use<'_, T> {
        read_unless_async(self, time::at(deadline), Location::caller())
    }

    /// Returns an iterator over the values that are there now: it ends as soon as [`try_read`](Self::try_read) finds none.
    ///
    /// The iterator does not wait, and does not say whether the channel has ended: [`termination`](Self::termination) does.
    ///
    /// ```
    /// let log = csp::Channel::buffered(10);
    /// let (writer, reader) = (log.writer(), log.reader());
    /// writer.write("one")?;
    /// writer.write("two")?;
    /// assert_eq!(reader.try_iter().collect::<Vec<_>>(), ["one", "two"]);
    /// assert_eq!(reader.try_iter().next(), None);
    /// # Ok::<(), csp::Termination>(())
    /// ```
    #[track_caller]
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { reader: self, place: Location::caller() }
    }
}

impl<T> Writer<T> {
    /// Writes a value if a reader waits for it, or if the buffer has room. It does not wait.
    ///
    /// A reader that reads by extended rendezvous ([`begin`](Reader::begin)) keeps the writer until it has done, because the value is
    /// written by then. Nobody who waits is overtaken. A channel that another OS process has ends of is asked by message, so this takes
    /// as long as the answer.
    ///
    /// # Errors
    /// Returns [`TryWriteError::Full`] if nobody takes the value now, and [`TryWriteError::Ended`] if the channel has ended. Both
    /// have the value.
    ///
    /// # Panics
    /// Panics in an `async` process if another OS process has an end of the channel. There
    /// [`write_timeout_async`](Self::write_timeout_async) with no time does the same.
    ///
    /// ```
    /// use csp::{Channel, TryWriteError};
    ///
    /// let latest = Channel::buffered(1);
    /// let (writer, reader) = (latest.writer(), latest.reader());
    /// writer.try_write(1).unwrap();
    /// match writer.try_write(2) {
    ///     Err(TryWriteError::Full(value)) => assert_eq!(value, 2),
    ///     other => panic!("{other:?}"),
    /// }
    /// drop(reader);
    /// assert!(matches!(writer.try_write(3), Err(TryWriteError::Ended(_))));
    /// ```
    #[track_caller]
    pub fn try_write(&self, value: T) -> Result<(), TryWriteError<T>> {
        write_unless(self, value, time::skip(), Location::caller())
    }

    /// Waits until a reader or the buffer has the value, but no longer than the time `limit`. The value then comes back.
    ///
    /// A wait with a limit is no part of a deadlock. The time counts from the moment at which nobody takes the value.
    ///
    /// # Errors
    /// The same as for [`try_write`](Self::try_write).
    ///
    /// # Panics
    /// Panics in an `async` process: there it is [`write_timeout_async`](Self::write_timeout_async).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let jobs = csp::Channel::new();
    /// let (writer, _reader) = (jobs.writer(), jobs.reader());
    /// let refused = writer.write_timeout("job", Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(refused.into_inner(), "job");
    /// ```
    #[track_caller]
    pub fn write_timeout(&self, value: T, limit: Duration) -> Result<(), TryWriteError<T>> {
        write_unless(self, value, time::after(limit), Location::caller())
    }

    /// Waits until a reader or the buffer has the value, but only until the time `deadline`. Otherwise as
    /// [`write_timeout`](Self::write_timeout).
    ///
    /// # Errors
    /// The same as for [`try_write`](Self::try_write).
    ///
    /// # Panics
    /// Panics in an `async` process: there it is [`write_until_async`](Self::write_until_async).
    #[track_caller]
    pub fn write_until(&self, value: T, deadline: Instant) -> Result<(), TryWriteError<T>> {
        write_unless(self, value, time::at(deadline), Location::caller())
    }

    /// The `async` form of [`write_timeout`](Self::write_timeout). If the future is dropped before it completes, the same holds as
    /// for [`write_async`](Self::write_async).
    ///
    /// # Errors
    /// The same as for [`try_write`](Self::try_write).
    ///
    /// # Panics
    /// Panics on another executor.
    #[track_caller]
    pub fn write_timeout_async(
        &self,
        value: T,
        limit: Duration,
    ) -> impl Future<Output = Result<(), TryWriteError<T>>> + use<'_, T> {
        write_unless_async(self, value, time::after(limit), Location::caller())
    }

    /// The `async` form of [`write_until`](Self::write_until), as [`write_timeout_async`](Self::write_timeout_async) is of
    /// `write_timeout`.
    ///
    /// # Errors
    /// The same as for [`try_write`](Self::try_write).
    ///
    /// # Panics
    /// Panics on another executor.
    #[track_caller]
    pub fn write_until_async(
        &self,
        value: T,
        deadline: Instant,
    ) -> impl Future<Output = Result<(), TryWriteError<T>>> + use<'_, T> {
        write_unless_async(self, value, time::at(deadline), Location::caller())
    }
}

#[track_caller]
fn read_unless<T>(
    end: &Reader<T>,
    mut otherwise: impl Guard,
    place: &'static Location<'static>,
) -> Result<Option<T>> {
    let at = read::ReadAt::default();
    let sweep = Sweep::new(&at);
    let mut guard = read::read(end, &at);
    let entries = [guard.offer(), otherwise.offer()];
    let chosen = choose_first(park::current(), &entries[..], place);
    sweep.end();
    Ok((chosen? == 0).then(|| at.open()))
}

async fn read_unless_async<T>(
    end: &Reader<T>,
    mut otherwise: impl Guard,
    place: &'static Location<'static>,
) -> Result<Option<T>> {
    let at = read::ReadAt::default();
    let sweep = Sweep::new(&at);
    let mut guard = read::read(end, &at);
    let chosen = several_async([guard.offer(), otherwise.offer()], place).await;
    sweep.end();
    Ok((chosen? == 0).then(|| at.open()))
}

#[track_caller]
fn write_unless<T>(
    end: &Writer<T>,
    value: T,
    mut otherwise: impl Guard,
    place: &'static Location<'static>,
) -> Result<(), TryWriteError<T>> {
    let at = write::WriteAt::default();
    let mut guard = write::write(end, value, &at);
    let entries = [guard.offer(), otherwise.offer()];
    let chosen = choose_first(park::current(), &entries[..], place);
    written(&at, chosen)
}

async fn write_unless_async<T>(
    end: &Writer<T>,
    value: T,
    mut otherwise: impl Guard,
    place: &'static Location<'static>,
) -> Result<(), TryWriteError<T>> {
    let at = write::WriteAt::default();
    let mut guard = write::write(end, value, &at);
    let chosen = several_async([guard.offer(), otherwise.offer()], place).await;
    written(&at, chosen)
}

/// Gives the value back if the guard was not chosen.
fn written<T>(at: &write::WriteAt<T>, chosen: Result<usize>) -> Result<(), TryWriteError<T>> {
    match (chosen, at.unwritten()) {
        (_, None) => Ok(()),
        (Ok(_), Some(value)) => Err(TryWriteError::Full(value)),
        (Err(termination), Some(value)) => {
            let unwritten = Unwritten { termination, doubt: at.doubt() };
            Err(TryWriteError::Ended(WriteError::new(value, unwritten)))
        }
    }
}

/// An iterator over the values of a [`Reader`] that are there at this moment (see [`Reader::try_iter`]).
///
/// ```
/// let values = csp::Channel::buffered(2);
/// let (writer, reader) = (values.writer(), values.reader());
/// writer.write(1)?;
/// let mut there: csp::TryIter<'_, u32> = reader.try_iter();
/// assert_eq!((there.next(), there.next()), (Some(1), None));
/// # Ok::<(), csp::Termination>(())
/// ```
#[derive(Debug)]
pub struct TryIter<'a, T> {
    reader: &'a Reader<T>,
    place: &'static Location<'static>,
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        read_unless(self.reader, time::skip(), self.place).ok().flatten()
    }
}
