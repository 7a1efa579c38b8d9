//! A value that was read while its writer still waits.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::core::Release;
use crate::commit::parcel::Parcel;
use crate::report::termination::Result;

/// A value whose writer still waits: see [`Reader::begin`](crate::Reader::begin). Dropping it, also in a panic, lets the writer go.
///
/// A guard that is forgotten (`mem::forget`) keeps its writer for ever.
///
/// ```
/// use csp::{Channel, Reader, Writer, parallel, process};
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// static DONE: AtomicBool = AtomicBool::new(false);
///
/// #[process]
/// fn writer(out: Writer<u32>) -> csp::Result<bool> {
///     out.write(5)?;
///     Ok(DONE.load(Ordering::SeqCst)) // not before the reader has done with it
/// }
/// #[process]
/// fn reader(input: Reader<u32>) -> csp::Result<u32> {
///     let held = input.begin()?;
///     DONE.store(true, Ordering::SeqCst);
///     Ok(*held) // dropped here
/// }
///
/// let values = Channel::new();
/// assert_eq!(parallel!(writer(values.writer()), reader(values.reader())), (Ok(true), Ok(5)));
/// ```
#[must_use = "the writer waits only until this is dropped"]
pub struct Extended<'a, T> {
    value: T,
    release: Release<T>,
    reader: PhantomData<&'a ()>,
}

impl<T> Extended<'_, T> {
    /// Its value is in the parcel.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn new(value: &Parcel<T>, release: Release<T>) -> Self {
        Self { value: value.open(), release, reader: PhantomData }
    }

    /// The value is in the parcel, if there is any.
    pub(super) fn begun(value: &Parcel<T>, begun: Result<Release<T>>) -> Result<Self> {
        match begun {
            Ok(release) => Ok(Self::new(value, release)),
            Err(termination) => Err(termination),
        }
    }

    /// Returns the value, and lets the writer go on.
    pub fn into_inner(self) -> T {
        let Self { value, release, .. } = self;
        drop(release);
        value
    }
}

impl<T> Deref for Extended<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Extended<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Extended<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Extended").field(&self.value).finish()
    }
}
