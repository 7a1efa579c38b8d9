//! A channel without values: its end tells processes to stop.

use std::fmt;

use super::{Channel, Reader, Writer};

/// The values of the channel: there are none.
#[derive(Debug)]
pub enum NoValue {}

/// Tells processes to stop. It belongs to the process that decides, and gives a [`StopToken`] to each process that is to stop.
///
/// [`stop`](Self::stop) ends all waits for the tokens, and so does dropping the `Stop`. A `Stop` is the only writer of a channel that
/// carries no values, and its tokens are the readers. So a token works on every backend, and a deadlock that includes a wait for a token
/// is found. The poison of a process that held the `Stop` reaches the tokens as it reaches every channel.
///
/// Idea: `std::stop_source` of C++, with the retirement of PyCSP as its means.
///
/// ```
/// use csp::{Channel, Stop, StopToken, Writer, alt, process, spawn};
///
/// /// Counts until it is told to stop.
/// #[process]
/// fn counter(numbers: Writer<u64>, stop: StopToken) -> csp::Result<u64> {
///     let mut n = 0;
///     loop {
///         alt! {
///             numbers.write(n) => n += 1,
///             retired(stop)    => return Ok(n),
///         }?;
///     }
/// }
///
/// let (numbers, stop) = (Channel::new(), Stop::new());
/// let counter = spawn(counter(numbers.writer(), stop.token()));
/// let numbers = numbers.reader();
/// assert_eq!((numbers.read()?, numbers.read()?), (0, 1));
/// stop.stop();
/// assert_eq!(counter.join(), Ok(2));
/// # Ok::<(), csp::Termination>(())
/// ```
pub struct Stop {
    writer: Writer<NoValue>,
    /// The channel has not retired while there is no other token.
    token: StopToken,
}

/// The sign by which a process is told to stop.
///
/// It is a guard of every choice: `retired(stop) => …`. A process that computes asks [`is_stopped`](Self::is_stopped) now and then. A
/// clone is told at the same time. A token can be an argument of a process, or a value in a channel, and is so between OS processes too.
///
/// ```
/// use csp::{Stop, StopToken, process, spawn};
///
/// #[process]
/// fn search(stop: StopToken) -> u64 {
///     let mut looked_at = 0;
///     while !stop.is_stopped() {
///         looked_at += 1;
///     }
///     looked_at
/// }
///
/// let stop = Stop::new();
/// let search = spawn(search(stop.token()));
/// stop.stop();
/// search.join();
/// ```
#[derive(Clone)]
pub struct StopToken(Reader<NoValue>);

impl Stop {
    /// Makes a `Stop` that has stopped nothing yet.
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "it is known by the place it is made")]
    pub fn new() -> Self {
        let channel = Channel::new();
        let (writer, reader) = (channel.writer(), channel.reader());
        // Neither is a mistake if it is never used.
        writer.spare();
        reader.spare();
        Self { writer, token: StopToken(reader) }
    }

    /// Returns a token for a process that is to stop.
    pub fn token(&self) -> StopToken {
        self.token.clone()
    }

    /// Ends all waits for the tokens, now and for ever. Dropping does the same, except if the process has met poison. Then its drop
    /// poisons them.
    pub fn stop(self) {
        self.writer.retire();
    }

    pub(crate) fn claim(&self, sure: bool) {
        self.writer.claim(sure);
        self.token.claim(sure);
    }
}

impl StopToken {
    /// Makes a token that has come from another OS process.
    pub(crate) fn of(reader: Reader<NoValue>) -> Self {
        Self(reader)
    }

    pub(crate) fn reader(&self) -> &Reader<NoValue> {
        &self.0
    }

    pub(crate) fn claim(&self, sure: bool) {
        self.0.claim(sure);
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stop({:?})", self.writer)
    }
}

impl fmt::Debug for StopToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StopToken({:?})", self.0)
    }
}
