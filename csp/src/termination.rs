//! How a channel ends: retired, because nobody is left on one side, or poisoned, with a cause.

use std::fmt;
use std::sync::Arc;

use crate::report::Deadlock;

/// What a process, a read or a whole network comes to: `()` or a [`Termination`], unless said otherwise.
///
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

/// Why a channel can no longer be used. Both ways come from occam-pi's successors JCSP and PyCSP:
/// poison (Welch, Brown and Allen) and retirement (Vinter, Friborg and Bjørndalen).
///
/// Two terminations are equal when they are of the same kind and, for poison, the very same poison.
///
/// ```
/// use csp::{Channel, Termination};
///
/// let values = Channel::<u32>::new();
/// let (writer, reader) = (values.writer(), values.reader());
/// drop(writer);
/// assert_eq!(reader.read(), Err(Termination::Retired));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Termination {
    /// The last end of the other side (or of this one) is gone. Values that were buffered have been
    /// delivered before a reader sees this.
    Retired,
    /// Somebody ended the channel at once and for all; buffered values were dropped.
    Poisoned(Poison),
}

impl Termination {
    /// The poison, if it was poison.
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
            Self::Poisoned(poison) => write!(f, "the channel is poisoned: {poison}"),
        }
    }
}

impl std::error::Error for Termination {}

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

    /// A value could not be taken apart, or not be put together again.
    #[allow(dead_code, reason = "for a backend that may not be compiled in")]
    pub(crate) fn is_of_serialization(&self) -> bool {
        matches!(self.cause(), Cause::Serialization { .. })
    }

    pub(crate) fn into_cause(self) -> Arc<Cause> {
        self.0
    }

    /// What started it.
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
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// A process called `poison` on an end.
    Explicit {
        /// Path of the process that did.
        process: String,
        /// What it said.
        reason: String,
    },
    /// A process panicked while it held an end.
    Panic {
        /// Path of that process.
        process: String,
        /// The panic's message.
        message: String,
        /// File, line and column of the panic, where they are known.
        place: Option<String>,
    },
    /// A process came to an alternation that has no guard, or none that is enabled.
    NoGuard {
        /// Path of that process.
        process: String,
        /// File, line and column of the alternation.
        place: String,
    },
    /// Processes waited for one another, and for nobody else.
    Deadlock(Deadlock),
    /// A process could not be started: no thread or no stack was to be had for it.
    Unstarted {
        /// Path of that process.
        process: String,
        /// What was missing, and what to do.
        reason: String,
    },
    /// The OS process that a process ran in ended before the process did: it was killed, it aborted, or something in it
    /// called `exit`.
    Lost {
        /// Path of that process.
        process: String,
        /// The signal or the exit status, and what it wrote to standard error last.
        message: String,
    },
    /// A value was to cross to another OS process and could not: its `Serialize` or its `Deserialize` failed or panicked.
    Serialization {
        /// Path of the process that wrote or read it.
        process: String,
        /// What it failed of.
        reason: String,
    },
}

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
            Self::Lost { process, message } => write!(f, "process `{process}` was lost: {message}"),
            Self::Serialization { process, reason } => {
                write!(
                    f,
                    "a value of process `{process}` could not cross to another OS process: {reason}"
                )
            }
        }
    }
}

/// A value that found no reader, and why. `?` keeps only the [`Termination`].
///
/// ```
/// let channel = csp::Channel::new();
/// let writer = channel.writer();
/// channel.reader().retire();
/// let refused = writer.write(String::from("kept")).unwrap_err();
/// assert_eq!(refused.value, "kept");
/// assert_eq!(refused.termination, csp::Termination::Retired);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct WriteError<T> {
    /// The value, back with its writer.
    pub value: T,
    /// What became of the channel.
    pub termination: Termination,
}

impl<T> WriteError<T> {
    /// The value that was not delivered.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> From<WriteError<T>> for Termination {
    fn from(error: WriteError<T>) -> Self {
        error.termination
    }
}

impl<T> fmt::Debug for WriteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteError").field("termination", &self.termination).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for WriteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value was not written: {}", self.termination)
    }
}

impl<T> std::error::Error for WriteError<T> {}
