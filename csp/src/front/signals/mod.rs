//! Floor 7. Signals of the system, as values in channels.

mod kind;
#[cfg(unix)]
mod post;

use std::io;

pub use self::kind::Signal;
use crate::{Channel, Reader};

/// Returns the reading end of a channel that brings the signals of these kinds from now on.
///
/// The end is a [`Reader`] like any other: it works on coroutines and threads, in an `async fn`, and as a guard of a choice. Clones
/// of it share the signals. Each call makes a channel of its own, and each channel gets every signal of its kinds.
///
/// A signal is not lost while nobody reads. If one of its kind waits unread already, the two are one, as they are for the system. The
/// channel does not end by itself, and keeps no process alive.
///
/// While a reader for a kind exists, such a signal does nothing else, except what the program had asked for before. When the
/// last reader has gone, the kind does again what it does by default. So a program that reads one `SIGINT`, drops the reader and
/// ends its network can still be ended at once by a second `Ctrl-C`. If the program had a handler of its own for the kind, or ignored
/// it, before the first call, that stays so, and nothing is done by default. Handlers that are installed later, by
/// tokio or the crate `signal-hook` for example, work beside the readers, and want a reader to be kept.
///
/// A process that waits for a signal can be woken from outside. So it is in no deadlock, and neither are processes that wait for
/// it. While it waits, other deadlocks are found if the [holders](crate::report#what-is-found) of their ends are certain.
///
/// An OS process gets the signals that are sent to it. `Ctrl-C` reaches the topmost OS process only, so let that one
/// [stop](crate::Stop) the others.
///
/// Idea: Go's `signal.Notify`, with the default that returns by itself.
///
/// # Errors
/// Returns an error if no kind is given, if no program can handle one of them, or if the system has no thread or descriptor left. No
/// program can handle `SIGKILL`, `SIGSTOP`, `SIGSEGV`, `SIGILL`, `SIGFPE`, and numbers that the system does not know. On systems other
/// than Unix, the error is always [`Unsupported`](io::ErrorKind::Unsupported).
///
/// ```
/// use csp::{Channel, Reader, Signal, Writer, alt, parallel, process};
///
/// /// Counts until a signal comes.
/// #[process]
/// fn counts(signals: Reader<Signal>, numbers: Writer<u64>) -> csp::Result<Signal> {
///     let mut n = 0;
///     loop {
///         alt! {
///             signal = signals.read() => return Ok(signal),
///             numbers.write(n)        => n += 1,
///         }?;
///     }
/// }
///
/// /// Presses `Ctrl-C`, in a way.
/// #[process]
/// fn sends(numbers: Reader<u64>) -> csp::Result {
///     numbers.read()?;
///     let this = std::process::id().to_string();
///     csp::io(|| std::process::Command::new("kill").args(["-INT", &this]).status()).expect("`kill` is there");
///     numbers.iter().for_each(drop);
///     Ok(())
/// }
///
/// let numbers = Channel::new();
/// let signals = csp::signals([Signal::INT, Signal::TERM])?;
/// let (signal, _) = parallel!(counts(signals, numbers.writer()), sends(numbers.reader()));
/// assert_eq!(signal.unwrap().to_string(), "SIGINT");
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn signals(kinds: impl IntoIterator<Item = Signal>) -> io::Result<Reader<Signal>> {
    let mut kinds: Vec<Signal> = kinds.into_iter().collect();
    kinds.sort();
    kinds.dedup();
    let names: Vec<String> = kinds.iter().map(Signal::to_string).collect();
    let channel = Channel::buffered(kinds.len()).named(names.join(" ")).may_be_dropped();
    let reader = channel.reader();
    deliver(&reader, &kinds)?;
    Ok(reader)
}

#[cfg(unix)]
fn deliver(to: &Reader<Signal>, kinds: &[Signal]) -> io::Result<()> {
    let refuse = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if kinds.is_empty() {
        return refuse("a reader of signals needs a kind of signal".to_owned());
    }
    if let Some(kind) = kinds.iter().find(|kind| !post::may_be_handled(**kind)) {
        return refuse(format!("no program can read {kind}"));
    }
    post::Post::of_this_process().deliver_to(to.core(), kinds)
}

#[cfg(not(unix))]
fn deliver(_: &Reader<Signal>, _: &[Signal]) -> io::Result<()> {
    let why = "this system has no signals";
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}
