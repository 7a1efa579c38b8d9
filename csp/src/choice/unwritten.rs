//! The value of a write that did not wait, or not for ever.

use std::error::Error;
use std::fmt;

use crate::report::termination::{Fate, Termination, WriteError};

/// A value that nobody took at once, or in time, and the reason.
///
/// [`Writer::try_write`](crate::Writer::try_write) and [`write_timeout`](crate::Writer::write_timeout) return it, and their kin.
/// [`into_full`](Self::into_full) tells a full channel from one that has ended, in a form for `?`.
///
/// ```
/// use csp::{Writer, process};
///
/// /// Counts the ticks that nobody took.
/// #[process]
/// fn ticker(ticks: Writer<u32>) -> csp::Result<u32> {
///     let mut missed = 0;
///     for tick in 0..3 {
///         if let Err(refused) = ticks.try_write(tick) {
///             refused.into_full()?; // the end of the channel is the end of the process
///             missed += 1;
///         }
///     }
///     Ok(missed)
/// }
///
/// let ticks = csp::Channel::buffered(2);
/// let _reader = ticks.reader();
/// assert_eq!(csp::parallel!(ticker(ticks.writer())).0, Ok(1));
/// ```
pub enum TryWriteError<T> {
    /// No reader waited for the value and no room was in the buffer, now or in time. The value is back with its writer.
    Full(T),
    /// The channel has ended.
    Ended(WriteError<T>),
}

impl<T> TryWriteError<T> {
    /// Returns the value that was not written.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) => value,
            Self::Ended(error) => error.into_inner(),
        }
    }

    /// Returns the value if the channel was only full.
    ///
    /// # Errors
    /// Returns the [`WriteError`] if the channel has ended.
    pub fn into_full(self) -> Result<T, WriteError<T>> {
        match self {
            Self::Full(value) => Ok(value),
            Self::Ended(error) => Err(error),
        }
    }

    /// Returns whether the channel was only full, and has not ended.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Returns what has become of the value: see [`WriteError::fate`].
    pub fn fate(&self) -> Fate {
        match self {
            Self::Full(_) => Fate::Returned,
            Self::Ended(error) => error.fate(),
        }
    }

    /// Returns how the channel has ended, if it has.
    pub fn termination(&self) -> Option<&Termination> {
        match self {
            Self::Full(_) => None,
            Self::Ended(error) => Some(&error.termination),
        }
    }
}

// By hand, because a `WriteError` asks for `T: Sync`.
impl<T: Clone + Sync> Clone for TryWriteError<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Full(value) => Self::Full(value.clone()),
            Self::Ended(error) => Self::Ended(error.clone()),
        }
    }
}

impl<T: PartialEq + Sync> PartialEq for TryWriteError<T> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Full(value), Self::Full(other)) => value == other,
            (Self::Ended(error), Self::Ended(other)) => error == other,
            _ => false,
        }
    }
}

impl<T: Eq + Sync> Eq for TryWriteError<T> {}

impl<T> From<WriteError<T>> for TryWriteError<T> {
    fn from(error: WriteError<T>) -> Self {
        Self::Ended(error)
    }
}

impl<T> fmt::Debug for TryWriteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Ended(error) => f.debug_tuple("Ended").field(error).finish(),
        }
    }
}

impl<T> fmt::Display for TryWriteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("the value was not written: nobody took it in time"),
            Self::Ended(error) => error.fmt(f),
        }
    }
}

impl<T> Error for TryWriteError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Full(_) => None,
            // The text is that of the error, so its source is the next.
            Self::Ended(error) => Some(&error.termination),
        }
    }
}
