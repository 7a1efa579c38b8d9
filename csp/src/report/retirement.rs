//! How a channel retired, as debug builds remember it.

use std::fmt;

use super::place::Place;

/// The end or the handle whose loss retired a channel. Debug builds remember it, and other builds have none.
///
/// [`Reader::retirement`](crate::Reader::retirement), [`Writer::retirement`](crate::Writer::retirement) and
/// [`ChannelState::retirement`](crate::report::ChannelState::retirement) return it. Its text says all of it in a sentence.
///
/// ```
/// use csp::{Channel, Writer, process};
///
/// #[process]
/// fn leaves(out: Writer<u32>) {
///     drop(out);
/// }
///
/// let values = Channel::new();
/// let reader = values.reader();
/// csp::parallel!(leaves(values.writer()));
/// if let Some(retirement) = reader.retirement() {
///     assert!(retirement.process().ends_with("/leaves"));
///     println!("{retirement}"); // its last writer, made at src/main.rs:10:31, went with process `main/leaves`
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retirement {
    pub(crate) what: &'static str,
    pub(crate) made: Option<Place>,
    pub(crate) process: String,
    pub(crate) waited: Option<Place>,
}

impl Retirement {
    /// Returns the path of the process that gave up the last end.
    pub fn process(&self) -> &str {
        &self.process
    }

    /// Returns the place where that end was made. A clone counts as made where its original was. Returns `None` if no end was
    /// left to make, because the last handle went.
    pub fn made(&self) -> Option<Place> {
        self.made
    }

    /// Returns the place where that process waited last before, if it did.
    pub fn waited(&self) -> Option<Place> {
        self.waited
    }
}

impl fmt::Display for Retirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, made, process, waited } = self;
        write!(f, "its last {what}")?;
        if let Some(made) = made {
            write!(f, ", made at {made},")?;
        }
        write!(f, " went with process `{process}`")?;
        if let Some(waited) = waited {
            write!(f, ", which had waited at {waited} before")?;
        }
        Ok(())
    }
}
