//! The guard that is ready when a channel has ended.
#![allow(unsafe_code)]
#![allow(missing_debug_implementations, reason = "what only macros see")]

use std::marker::PhantomData;
use std::panic::Location;

use crate::channel::core::{Core, State};
use crate::channel::far::{Doubt, Post};
use crate::channel::lent::{Lent, ToCore};
use crate::channel::stop::NoValue;
use crate::channel::{Reader, StopToken, Writer};
use crate::choice::choose::choose_first;
use crate::choice::guard::{Entry, Guard, Stand, Tried};
use crate::choice::guards::time;
use crate::commit::stand::Standing;
use crate::commit::waiter::Waiter;
use crate::report::termination::Termination;
use crate::sync::{Arc, RawLock};
use crate::wait::blocked::{Operation, Side, Want};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};

/// A channel end, or a pointer to one: what `retired` takes.
#[diagnostic::on_unimplemented(
    message = "`retired` takes a channel end: `{Self}` is none",
    label = "expected a `Reader`, a `Writer` or a `StopToken`"
)]
pub trait End: sealed::End {}

impl<E: sealed::End + ?Sized> End for E {}

mod sealed {
    use crate::channel::core::Core;
    use crate::sync::Arc;

    pub trait End {
        type Value;
        fn core(&self) -> &Arc<Core<Self::Value>>;
    }
}

impl<T> sealed::End for Reader<T> {
    type Value = T;

    fn core(&self) -> &Arc<Core<T>> {
        Self::core(self)
    }
}

impl<T> sealed::End for Writer<T> {
    type Value = T;

    fn core(&self) -> &Arc<Core<T>> {
        Self::core(self)
    }
}

impl sealed::End for StopToken {
    type Value = NoValue;

    fn core(&self) -> &Arc<Core<NoValue>> {
        self.reader().core()
    }
}

impl StopToken {
    /// Returns whether the [`Stop`](crate::Stop) has stopped, or was dropped or poisoned.
    ///
    /// It does not wait for that. If the `Stop` is in another OS process, that process is asked. An `async` process does not ask, and
    /// there returns what this OS process has heard.
    #[track_caller]
    pub fn is_stopped(&self) -> bool {
        if self.reader().termination().is_some() {
            return true;
        }
        let context = park::current();
        if self.reader().core().away().is_none() || context.is_polled() {
            return false;
        }
        let (mut told, mut otherwise) = (retired(self), time::skip());
        let guards = [told.offer(), otherwise.offer()];
        choose_first(context, &guards[..], Location::caller()) != Ok(1)
    }
}

macro_rules! pointers_to_ends {
    ($($pointer:ty),*) => { $(
        impl<E: sealed::End + ?Sized> sealed::End for $pointer {
            type Value = E::Value;

            fn core(&self) -> &Arc<Core<E::Value>> {
                (**self).core()
            }
        }
    )* };
}

pointers_to_ends!(&E, &mut E, Box<E>, std::sync::Arc<E>, std::rc::Rc<E>);

/// The guard `retired(end)`.
pub struct Retired<T, C> {
    core: C,
    standing: Standing<()>,
    values: PhantomData<fn(T)>,
}

impl<T, C> Retired<T, C> {
    fn new(core: C) -> Self {
        Self { core, standing: Standing::new(), values: PhantomData }
    }
}

/// The guard `retired(end)`: ready when the channel is retired and has nothing left to read.
pub fn retired<E: End + ?Sized>(
    end: &E,
) -> Retired<<E as sealed::End>::Value, Lent<'_, <E as sealed::End>::Value>> {
    expected(end.core());
    Retired::new(Lent::of(end.core()))
}

/// Whichever side waits for the end of a channel: the ends of the other are of use.
fn expected<T>(core: &Core<T>) {
    core.told(Side::Reader);
    core.told(Side::Writer);
}

/// The guard `retired(end)`, for longer than the end is borrowed.
pub(crate) fn watch<E: End + ?Sized>(
    end: &E,
) -> Retired<<E as sealed::End>::Value, Arc<Core<<E as sealed::End>::Value>>> {
    expected(end.core());
    Retired::new(Arc::clone(end.core()))
}

impl<T, C: ToCore<T>> Retired<T, C> {
    fn core(&self) -> &C {
        &self.core
    }

    fn perform(state: &State<T>) -> Tried {
        match state.ended {
            Some(Termination::Poisoned(_)) => Tried::Poisoned,
            Some(Termination::Retired) if state.is_retired() => Tried::Performed,
            _ if state.is_away() => Tried::Far,
            _ => Tried::NotReady,
        }
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, both under the channel's lock.
unsafe impl<T, C: ToCore<T>> Stand for Retired<T, C> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(self.core().state())
    }

    fn try_alone(&self, _: &Context, _: &'static Location<'static>) -> Tried {
        Self::perform(&self.core().state().lock())
    }

    unsafe fn attempt(&self, _: &mut Wakes) -> Tried {
        // SAFETY: the caller holds the lock.
        Self::perform(unsafe { self.core().state().held() })
    }

    unsafe fn look(&self) -> Tried {
        // SAFETY: the caller holds the lock. This changes nothing.
        Self::perform(unsafe { self.core().state().held() })
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the lock is held.
        let state = unsafe { self.core().state().held() };
        if state.is_away() {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe { self.standing.stand(&mut state.watchers, waiter, index, false) };
    }

    fn withdraw(&self) {
        self.standing.withdraw(&mut self.core().state().lock().watchers);
    }

    fn finish(&self, _: &Context, _: &'static Location<'static>) -> bool {
        true
    }

    fn is_packing(&self) -> bool {
        self.core().is_packing()
    }

    fn post(&self, _: &'static Context) -> Result<Option<Post>, Termination> {
        Ok(self.core().away_now().map(|far| far.post_retired()))
    }

    fn told(&self, termination: &Termination, _: Option<Doubt>) {
        self.core().learn(Side::Reader, termination);
    }

    fn ended(&self) -> Option<Termination> {
        self.core().termination(Side::Reader).filter(|ended| ended.poison().is_some())
    }

    fn want(&self) -> Want<'_> {
        Want { operation: Operation::Retirement, object: Some(&**self.core()) }
    }

    fn want_standing(&self) -> Option<Want<'_>> {
        self.standing.stands().then(|| self.want())
    }
}

impl<T, C: ToCore<T>> Guard for Retired<T, C> {
    type Left = ();

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn keep(&mut self, (): &()) {}
}
