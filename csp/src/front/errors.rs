//! Errors of any type: the end of a channel that is among them, or else the poison that they become.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use crate::process::Failure;
use crate::report::termination::{Cause, NoEnd, Poison, Termination};
use crate::wait::park;

/// Returns the end of a channel that is the error, or is among its sources.
pub(super) fn termination_in(error: &(dyn Error + 'static)) -> Option<Termination> {
    let mut next = Some(error);
    while let Some(error) = next {
        let known = error
            .downcast_ref::<Termination>()
            .cloned()
            .or_else(|| error.downcast_ref::<NoEnd>().map(|_| Termination::Retired))
            .or_else(|| error.downcast_ref::<Poison>().cloned().map(Termination::Poisoned))
            .or_else(|| error.downcast_ref::<Failure>().cloned().map(Termination::from))
            .or_else(|| {
                error.downcast_ref::<Cause>().cloned().map(Poison::new).map(Termination::Poisoned)
            });
        if known.is_some() {
            return known;
        }
        // The source of an `io::Error` is the source of the error inside.
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inside.map(|inside| inside as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

/// Returns the text of an error and of its sources, each that the text does not have yet.
pub(super) fn with_sources(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        if !text.contains(&words) {
            let _ = write!(text, ": {words}");
        }
        next = source.source();
    }
    text
}

/// Returns the end of a channel that stands in the error. If there is none, the result is poison of the current process.
pub(crate) fn termination_of(error: &(dyn Error + 'static)) -> Termination {
    termination_in(error).unwrap_or_else(|| {
        let cause = Cause::Error { process: park::current().path(), message: with_sources(error) };
        Termination::Poisoned(Poison::new(cause))
    })
}

/// An end of a channel that was made an `io::Error` is again what it was. Any other error becomes a poison with
/// [`Cause::Error`], by the current process.
///
/// ```
/// use csp::{Cause, Channel, Reader, Termination, Writer, parallel, process};
///
/// #[process]
/// fn source(out: Writer<u8>) -> csp::Result {
///     for byte in std::fs::read("/no/such/file")? {
///         out.write(byte)?;
///     }
///     Ok(())
/// }
/// # let bytes = Channel::new();
/// # let _reader = bytes.reader();
/// let (ended,) = parallel!(source(bytes.writer()));
/// let Err(Termination::Poisoned(poison)) = ended else { panic!("there is no such file") };
/// assert!(matches!(poison.cause(), Cause::Error { process, .. } if process == "main/source"));
/// ```
impl From<io::Error> for Termination {
    fn from(error: io::Error) -> Self {
        termination_of(&error)
    }
}
