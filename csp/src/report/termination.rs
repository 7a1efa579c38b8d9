//! The end of a channel: it is retired, because no end is left on one side, or poisoned, with a
//! cause. The error of a write gives the value back.
//!
//! Invariant: no `&WriteError<T>` leads to a `&T`, unless `T` is `Sync`. Each function that looks at the value through a shared
//! reference asks for `T: Sync`.

use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::report::Deadlock;
use crate::system::possible::Doubt;

/// The result of a process, a read or a whole network: `()` or a [`Termination`], unless said
/// otherwise.
/// ```
/// use csp::{process, Reader, Writer};
///
/// #[process]
/// fn doubler(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
///     loop {
///         output.write(2 * input.read()?)?;
///     }
/// }
/// # let (a, b) = (csp::Channel::new(), csp::Channel::new());
/// # let doubler = csp::spawn(doubler(a.reader(), b.writer()));
/// # let (to, from) = (a.writer(), b.reader());
/// # to.write(4).unwrap();
/// # assert_eq!(from.read(), Ok(8));
/// # to.retire();
/// # assert_eq!(doubler.join(), Err(csp::Termination::Retired));
/// ```
pub type Result<T = (), E = Termination> = std::result::Result<T, E>;

/// The reason why a channel can no longer be used. Both reasons come from occam-pi's successors
/// JCSP and PyCSP: poison (Welch, Brown and Allen) and retirement (Vinter, Friborg and Bjørndalen).
///
/// Two terminations are equal if they are of the same kind and, for poison, the very same poison.
///
/// The text of a poisoned channel names the process that is the cause. [`source`](Error::source) is the [`Poison`], which tells
/// the whole cause, so a chain printer such as that of `anyhow` tells each thing once. `{:#}` writes all of it in one line.
///
/// ```
/// use csp::{Channel, Termination};
///
/// let values = Channel::<u32>::new();
/// let (writer, reader) = (values.writer(), values.reader());
/// drop(writer);
/// assert_eq!(reader.read(), Err(Termination::Retired));
///
/// let values = Channel::<u32>::new();
/// let (writer, reader) = (values.writer(), values.reader());
/// writer.poison("found it");
/// let ended = reader.read().unwrap_err();
/// assert_eq!(ended.to_string(), "the channel is poisoned by process `main`");
/// assert_eq!(format!("{ended:#}"), "the channel is poisoned: found it (by process `main`)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Termination {
    /// The last end of the other side (or of this one) is gone. Values that were buffered have been
    /// delivered before a reader sees this.
    Retired,
    /// A process ended the channel at once and for all. Buffered values were dropped.
    Poisoned(Poison),
}

impl Termination {
    /// Returns the poison, if it was poison.
    pub fn poison(&self) -> Option<&Poison> {
        match self {
            Self::Retired => None,
            Self::Poisoned(poison) => Some(poison),
        }
    }
}

impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retired => f.write_str("the channel is retired"),
            Self::Poisoned(poison) if f.alternate() => {
                write!(f, "the channel is poisoned: {poison}")
            }
            Self::Poisoned(poison) => match poison.cause() {
                Cause::Deadlock(_) => f.write_str("the channel is poisoned by a deadlock"),
                cause => write!(f, "the channel is poisoned by process `{}`", cause.process()),
            },
        }
    }
}

impl Error for Termination {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Retired => Some(&NoEnd),
            Self::Poisoned(poison) => Some(poison),
        }
    }
}

/// The source of [`Termination::Retired`]. An error type that is transparent hides its termination and shows only this.
#[derive(Debug)]
pub(crate) struct NoEnd;

impl fmt::Display for NoEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no end is left on one of its sides")
    }
}

impl Error for NoEnd {}

/// Poison spreads from process to process and carries its first cause along, unchanged.
///
/// ```
/// use csp::Channel;
///
/// let values = Channel::<u32>::new();
/// let (writer, reader) = (values.writer(), values.reader());
/// writer.poison("found it");
/// let ended = reader.read().unwrap_err();
/// assert!(ended.poison().unwrap().to_string().contains("found it"));
/// ```
#[derive(Clone)]
pub struct Poison(Arc<Cause>);

impl Poison {
    pub(crate) fn new(cause: Cause) -> Self {
        Self(Arc::new(cause))
    }

    pub(crate) fn of(cause: Arc<Cause>) -> Self {
        Self(cause)
    }

    /// Returns whether a value could not be serialised or deserialised.
    pub(crate) fn is_of_serialization(&self) -> bool {
        matches!(self.cause(), Cause::Serialization { .. })
    }

    pub(crate) fn into_cause(self) -> Arc<Cause> {
        self.0
    }

    /// Returns the first cause.
    pub fn cause(&self) -> &Cause {
        &self.0
    }
}

impl PartialEq for Poison {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Poison {}

impl Hash for Poison {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Error for Poison {}

impl fmt::Debug for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The first cause of a [`Poison`].
///
/// ```
/// use csp::{Cause, Channel};
///
/// let values = Channel::<u32>::new();
/// let (writer, reader) = (values.writer(), values.reader());
/// writer.poison("found it");
/// let ended = reader.read().unwrap_err();
/// match ended.poison().unwrap().cause() {
///     Cause::Explicit { reason, .. } => assert_eq!(reason, "found it"),
///     other => panic!("{other}"),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A process called `poison` on an end.
    Explicit {
        /// The path of the process that did.
        process: String,
        /// The reason that it gave.
        reason: String,
    },
    /// A process panicked while it held an end.
    Panic {
        /// The path of that process.
        process: String,
        /// The panic's message. Ends are dropped before the payload can be looked at, so it is the
        /// message that a panic hook saw. If the program has replaced that hook, the message says
        /// so.
        message: String,
        /// The file, line and column of the panic, if they are known.
        place: Option<String>,
    },
    /// A process came to an alternation that has no guard, or none that is enabled.
    NoGuard {
        /// The path of that process.
        process: String,
        /// The file, line and column of the alternation.
        place: String,
    },
    /// Processes waited for one another, and for no other process.
    Deadlock(Deadlock),
    /// A process could not be started: no thread or no stack was to be had for it.
    Unstarted {
        /// The path of that process.
        process: String,
        /// The resource that was missing, and a remedy.
        reason: String,
    },
    /// The OS process in which a process ran ended before the process did: it was killed, it
    /// aborted, or its code called `exit`.
    Lost {
        /// The path of that process.
        process: String,
        /// The signal or the exit status, and the last that it wrote to standard error.
        message: String,
        /// The host that was lost, if the process was lost with a whole host.
        host: Option<LostHost>,
    },
    /// A value was to cross to another OS process and could not, because its `Serialize` or its
    /// `Deserialize` failed or panicked. Or a program at the other end of a connection takes no more
    /// operations of this one.
    Serialization {
        /// The path of the process that wrote or read it.
        process: String,
        /// The reason of the failure.
        reason: String,
    },
    /// A process met an error that is no end of a channel.
    Error {
        /// The path of that process.
        process: String,
        /// The text of the error, and of its sources.
        message: String,
    },
}

/// A host that was lost, with all that ran there: see [`Cause::Lost`].
///
/// ```
/// use csp::{Cause, Poison};
///
/// /// Says how much work may be done although nobody has its result.
/// fn in_doubt(poison: &Poison, channel: &str) -> usize {
///     match poison.cause() {
///         Cause::Lost { host: Some(host), .. } => {
///             host.unknown().filter(|(name, _)| *name == channel).map(|(_, values)| values).sum()
///         }
///         _ => 0,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LostHost {
    name: String,
    unheard: Duration,
    unknown: Vec<(String, usize)>,
}

impl LostHost {
    pub(crate) fn new(name: String, unheard: Duration, unknown: Vec<(String, usize)>) -> Self {
        Self { name, unheard, unknown }
    }

    /// Returns the name of the host.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how long nothing had been heard from the host when it was given up.
    pub fn unheard(&self) -> Duration {
        self.unheard
    }

    /// Returns the channels that had values on their way to the host, each with the number of these values. The host may have read them, or
    /// not. Values that had certainly not arrived are not among them, because these went back.
    ///
    /// A channel goes by its name, or by the place where it was made. One that this program has no end of goes by the name *another channel*.
    pub fn unknown(&self) -> impl Iterator<Item = (&str, usize)> {
        self.unknown.iter().map(|(channel, values)| (&**channel, *values))
    }
}

impl Cause {
    /// Returns the path of the process that is the cause. For a deadlock this is the path of the first process in it.
    pub(crate) fn process(&self) -> &str {
        match self {
            Self::Panic { process, .. }
            | Self::Unstarted { process, .. }
            | Self::Lost { process, .. }
            | Self::Explicit { process, .. }
            | Self::NoGuard { process, .. }
            | Self::Serialization { process, .. }
            | Self::Error { process, .. } => process,
            Self::Deadlock(deadlock) => deadlock.first(),
        }
    }
}

impl Error for Cause {}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit { process, reason } => write!(f, "{reason} (by process `{process}`)"),
            Self::Panic { process, message, place: Some(place) } => {
                write!(f, "process `{process}` panicked at {place}: {message}")
            }
            Self::Panic { process, message, place: None } => {
                write!(f, "process `{process}` panicked: {message}")
            }
            Self::NoGuard { process, place } => write!(
                f,
                "process `{process}` would wait for ever: no guard is enabled in the alternation at {place}"
            ),
            Self::Deadlock(deadlock) => f.write_str(deadlock.summary()),
            Self::Unstarted { process, reason } => {
                write!(f, "process `{process}` could not be started: {reason}")
            }
            Self::Lost { process, message, .. } => {
                write!(f, "process `{process}` was lost: {message}")
            }
            Self::Serialization { process, reason } => {
                write!(
                    f,
                    "a value of process `{process}` could not cross to another OS process: {reason}"
                )
            }
            Self::Error { process, message } => {
                write!(f, "process `{process}` met an error: {message}")
            }
        }
    }
}

/// The reason why a value was not written, and what has become of it.
#[derive(Debug)]
pub(crate) struct Unwritten {
    pub(crate) termination: Termination,
    pub(crate) doubt: Option<Doubt>,
}

/// No reader has the value.
impl From<Termination> for Unwritten {
    fn from(termination: Termination) -> Self {
        Self { termination, doubt: None }
    }
}

/// A value that found no reader, and the reason. `?` keeps only the [`Termination`].
///
/// ```
/// let channel = csp::Channel::new();
/// let writer = channel.writer();
/// channel.reader().retire();
/// let refused = writer.write(String::from("kept")).unwrap_err();
/// assert_eq!(refused.termination, csp::Termination::Retired);
/// assert_eq!(refused.into_inner(), "kept");
/// ```
///
/// # In an error type of your own
///
/// `?` turns a `WriteError<T>` into a [`Termination`], into an [`io::Error`], and into the error types of `anyhow` and `eyre`.
/// An error type of your own gets three lines, because no derive can write them for every `T`:
/// ```
/// use csp::{Termination, WriteError, Writer};
///
/// #[derive(Debug, thiserror::Error)]
/// enum Failed {
///     #[error("a file")]
///     Io(#[from] std::io::Error),
///     #[error(transparent)]
///     Ended(#[from] Termination),
/// }
///
/// impl<T> From<WriteError<T>> for Failed {
///     fn from(error: WriteError<T>) -> Self { Self::Ended(error.termination) }
/// }
///
/// #[csp::process]
/// fn source(out: Writer<u8>) -> Result<(), Failed> {
///     for byte in std::fs::read("/dev/null")? {
///         out.write(byte)?;
///     }
///     Ok(())
/// }
/// # let bytes = csp::Channel::new();
/// # let _reader = bytes.reader();
/// # assert!(csp::parallel!(source(bytes.writer())).0.is_ok());
/// ```
/// Without the three lines each write says it:
/// ```
/// # use csp::{Termination, Writer};
/// # #[derive(Debug)]
/// # enum Failed { Ended(#[allow(dead_code)] Termination) }
/// # impl From<Termination> for Failed { fn from(ended: Termination) -> Self { Self::Ended(ended) } }
/// #[csp::process]
/// fn one(out: Writer<u8>) -> Result<(), Failed> {
///     out.write(1).map_err(Termination::from)?;
///     Ok(())
/// }
/// # let bytes = csp::Channel::new();
/// # drop(bytes.reader());
/// # assert!(csp::parallel!(one(bytes.writer())).0.is_err());
/// ```
/// With `anyhow`, nothing is needed. It keeps the value too, for `downcast`:
/// ```
/// use csp::{Writer, WriteError};
///
/// #[csp::process]
/// fn one(out: Writer<String>) -> anyhow::Result<()> {
///     out.write("one".to_owned())?;
///     Ok(())
/// }
/// let words = csp::Channel::new();
/// drop(words.reader());
/// let error = csp::parallel!(one(words.writer())).0.unwrap_err();
/// assert!(format!("{error:#}").starts_with("the value was not written: the channel is retired"));
/// assert_eq!(error.downcast::<WriteError<String>>().unwrap().into_inner(), "one");
/// ```
pub struct WriteError<T> {
    value: T,
    /// A reader may have had the value.
    doubt: Option<Doubt>,
    /// The channel's end.
    pub termination: Termination,
}

/// The fate of a value whose write has failed: see [`WriteError::fate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// No reader has had it, and none will.
    Returned,
    /// Nobody knows whether a reader has had it. The OS process that decided about the channel was lost
    /// after it had heard of the write, and before it answered.
    Unknown,
}

// SAFETY: by the file's invariant a shared reference gives other threads nothing of the value, except if `T` is `Sync`. A
// thread that gets the value by `into_inner` or `get_mut` owns the whole error or has it for itself, and `T` is `Send`.
#[allow(unsafe_code, reason = "see there")]
unsafe impl<T: Send> Sync for WriteError<T> {}

impl<T> WriteError<T> {
    pub(crate) fn new(value: T, unwritten: impl Into<Unwritten>) -> Self {
        let Unwritten { termination, doubt } = unwritten.into();
        Self { value, doubt, termination }
    }

    /// Returns what has become of the value that the error gives back.
    ///
    /// A value is read once at most. It is [`Fate::Returned`] as long as nothing is lost: no reader has had it, so it can be written
    /// elsewhere. Each channel has one OS process that decides about it, which is the one that made the channel. If that is
    /// killed, or its host is lost, a write there that it had heard of ends with [`Fate::Unknown`]: a reader may have had the value, once. If it is
    /// written again, it may be read twice.
    ///
    /// ```
    /// use csp::{Channel, Fate};
    ///
    /// let channel = Channel::new();
    /// let writer = channel.writer();
    /// channel.reader().retire();
    /// assert_eq!(writer.write(1).unwrap_err().fate(), Fate::Returned);
    /// ```
    pub fn fate(&self) -> Fate {
        if self.doubt.is_some() { Fate::Unknown } else { Fate::Returned }
    }

    /// Returns the value that was not delivered.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Returns the value that was not delivered, to be changed in its place.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: Sync> WriteError<T> {
    /// Returns the value that was not delivered.
    pub(crate) fn value(&self) -> &T {
        &self.value
    }
}

impl<T: Clone + Sync> Clone for WriteError<T> {
    fn clone(&self) -> Self {
        let Self { value, doubt, termination } = self;
        Self { value: value.clone(), doubt: *doubt, termination: termination.clone() }
    }
}

impl<T: PartialEq + Sync> PartialEq for WriteError<T> {
    fn eq(&self, other: &Self) -> bool {
        let is_same = (self.doubt, &self.termination) == (other.doubt, &other.termination);
        is_same && self.value == other.value
    }
}

impl<T: Eq + Sync> Eq for WriteError<T> {}

impl<T> From<WriteError<T>> for Termination {
    fn from(error: WriteError<T>) -> Self {
        error.termination
    }
}

impl<T> From<WriteError<T>> for io::Error {
    fn from(error: WriteError<T>) -> Self {
        error.termination.into()
    }
}

/// A retired channel is a broken pipe. The kind of a poisoned one is `Other`.
impl From<Termination> for io::Error {
    fn from(ended: Termination) -> Self {
        let kind = match ended {
            Termination::Retired => io::ErrorKind::BrokenPipe,
            Termination::Poisoned(_) => io::ErrorKind::Other,
        };
        Self::new(kind, ended)
    }
}

impl<T> fmt::Debug for WriteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteError")
            .field("termination", &self.termination)
            .field("fate", &self.fate())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Display for WriteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fate() {
            Fate::Returned => "the value was not written",
            Fate::Unknown => "nobody knows whether the value was written",
        };
        match f.alternate() {
            true => write!(f, "{what}: {:#}", self.termination),
            false => f.write_str(what),
        }
    }
}

impl<T> Error for WriteError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.termination)
    }
}
