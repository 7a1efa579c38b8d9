//! Runs code of the user's in places where nothing may unwind: a `Drop`, above all. A panic's payload is caught and dropped, and
//! the panic hook has shown it by then.
//!
//! Invariant: no panic leaves a function of this file unasked, with any payload. A panic that unwinds meanwhile keeps its record.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::panics::{self, Record};

type Payload = Box<dyn Any + Send>;

/// A panic that was caught. The payload is the user's, and its drop may panic too.
pub(crate) struct Caught {
    payload: Option<Payload>,
    /// The hook saw this much.
    seen: Option<Record>,
}

impl Caught {
    /// Returns the message, if it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        panics::text_of(self.payload.as_deref()?)
    }

    /// Returns the message, or a substitute if the payload is not text. It includes the place if the hook
    /// saw this very panic.
    pub(crate) fn told(&self) -> Record {
        let message = self.text().unwrap_or(panics::NO_TEXT);
        // One that was caught and is raised again passes the hook by.
        let seen = self.seen.as_ref().filter(|(seen, _)| seen == message);
        (message.to_owned(), seen.and_then(|(_, place)| place.clone()))
    }

    /// Lets the panic go on here.
    pub(crate) fn resume(mut self) -> ! {
        panics::put(self.seen.take());
        resume_unwind(self.payload.take().expect("it is there until it is dropped"))
    }
}

impl From<Payload> for Caught {
    fn from(payload: Payload) -> Self {
        Self { payload: Some(payload), seen: None }
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        if let Some(payload) = self.payload.take() {
            drop_payload(payload);
        }
    }
}

impl fmt::Debug for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caught({:?})", self.text())
    }
}

/// Runs code of the user's.
#[inline]
pub(crate) fn catch<R>(call: impl FnOnce() -> R) -> Result<R, Caught> {
    let caught = |payload| Caught { payload: Some(payload), seen: panics::take() };
    catch_unwind(AssertUnwindSafe(call)).map_err(caught)
}

/// Drops a value of the user's.
#[inline]
pub(crate) fn drop_quietly<T>(value: T) {
    if std::mem::needs_drop::<T>() {
        drop(panics::apart(|| catch(|| drop(value))));
    }
}

/// Drops values of the user's one by one: two that panic in one drop would end the program.
#[inline]
pub(crate) fn drop_each<T>(values: impl IntoIterator<Item = T>) {
    values.into_iter().for_each(drop_quietly);
}

/// Does the same in a call of the user's: when all have been dropped, the first panic goes on, unless one unwinds
/// already.
#[inline]
pub(crate) fn drop_all<T>(values: impl IntoIterator<Item = T>) {
    let caught = |value| panics::apart(|| catch(|| drop(value))).err();
    let first = values.into_iter().filter_map(caught).reduce(|first, _| first);
    if let Some(first) = first
        && !std::thread::panicking()
    {
        first.resume();
    }
}

/// Drops a payload. It may throw another one when it is dropped, which may do the same. There is no end to that, so the last one
/// is leaked.
#[cold]
fn drop_payload(mut payload: Payload) {
    const MOST: usize = 100;
    for _ in 0..MOST {
        let mut next = match panics::apart(|| catch(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => next,
        };
        match next.payload.take() {
            Some(next) => payload = next,
            None => return,
        }
    }
    std::mem::forget(payload);
}
