//! A value that is promised to a reader that awaits.

use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Waker;

use super::gate::{Counted, Gate};
use super::held::Held;
use super::parcel::Parcel;
use super::waiter::{COMMITTED, Waiter};
use crate::sync::Lock;
use crate::wait::blocked::Blocked;
use crate::wait::future::wakes::apart;
use crate::wait::park::{self, Context};

/// The value that a reader awaits while the writer, which has committed, makes it. It is apart from both.
pub(crate) struct Promise<T> {
    state: Lock<Promised<T>>,
    extended: bool,
}

struct Promised<T> {
    made: Option<Made>,
    value: Parcel<T>,
    waker: Option<Waker>,
    /// The reader has gone.
    abandoned: bool,
    _counted: Counted,
}

/// The outcome of a promise.
pub(crate) enum Made {
    /// A value is there. With it comes the writer that an extended read keeps waiting.
    Value(Option<Held>),
    /// There is none, and nothing was agreed.
    Nothing,
}

impl Made {
    /// Lets the writer go on, because the value was made in vain.
    fn unkept(self) -> Self {
        match self {
            Self::Value(held) => {
                held.into_iter().for_each(Held::forget);
                Self::Value(None)
            }
            Self::Nothing => Self::Nothing,
        }
    }
}

/// A model does not see that the last owner of a share comes after the others. It sees the lock.
#[cfg(loom)]
impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            drop(self.state.lock());
        }
    }
}

impl<T> Promise<T> {
    pub(super) fn new(extended: bool) -> Self {
        let value = Parcel::empty();
        let state =
            Promised { made: None, value, waker: None, abandoned: false, _counted: Counted::new() };
        Self { state: Lock::new(state), extended }
    }

    pub(crate) fn is_extended(&self) -> bool {
        self.extended
    }

    /// Hands over what was made, with its value. If the reader has gone both are given back.
    pub(crate) fn keep(&self, made: Made, value: &Parcel<T>) -> Result<(), Made> {
        let mut state = self.state.lock();
        if state.abandoned {
            return Err(made);
        }
        value.pass(&state.value);
        state.made = Some(made);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            apart(|| waker.wake());
        }
        Ok(())
    }

    /// Does [`keep`](Self::keep) for a writer that waits until an extended read of the value has ended.
    #[track_caller]
    pub(crate) fn keep_and_wait(
        &self,
        value: &Parcel<T>,
        context: &'static Context,
        why: &dyn Blocked,
    ) -> Result<(), Made> {
        if context.is_polled() {
            self.keep(Made::Value(None), value)?;
            park::refuse_to_wait("a write", "end.write_async(value).await", why.place());
        }
        let writer = Waiter::single(context);
        writer.leave(COMMITTED);
        self.keep(Made::Value(Some(Held::waits(NonNull::from(&writer)))), value)
            .map_err(Made::unkept)?;
        writer.wait(why, None);
        Ok(())
    }

    /// Does the same for a writer that awaits it.
    pub(crate) fn keep_and_await(&self, value: &Parcel<T>) -> Result<Arc<Gate>, Made> {
        let gate = Arc::new(Gate::new());
        self.keep(Made::Value(Some(Held::awaits(Arc::clone(&gate)))), value)
            .map_err(Made::unkept)?;
        Ok(gate)
    }

    /// Returns what was made, and moves its value into the parcel.
    pub(crate) fn poll(&self, waker: &Waker, to: &Parcel<T>) -> Option<Made> {
        let waker = waker.clone();
        let mut state = self.state.lock();
        let spare = if state.made.is_none() { state.waker.replace(waker) } else { Some(waker) };
        let made = state.made.take();
        state.value.pass(to);
        drop(state);
        drop(spare);
        made
    }

    /// Notes that the reader goes. Returns what was made for it, and moves its value into the parcel.
    pub(crate) fn abandon(&self, to: &Parcel<T>) -> Option<Made> {
        let mut state = self.state.lock();
        state.abandoned = true;
        let (made, waker) = (state.made.take(), state.waker.take());
        state.value.pass(to);
        drop(state);
        drop(waker);
        made
    }
}
