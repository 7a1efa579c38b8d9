//! The place of a guard at a channel.
#![allow(unsafe_code)]
#![allow(missing_debug_implementations, reason = "what only macros see")]

use crate::channel::core::State;
use crate::channel::lent::ToCore;
use crate::choice::guard::{Before, Tried};
use crate::commit::stand::Standing;
use crate::commit::waiter::Waiter;
use crate::report::termination::Termination;
use crate::wait::blocked::{Operation, Side, Want};

/// The common part of the guards of both sides of a channel. `C` is the channel, or a reference to it.
pub(crate) struct AtChannel<T, C> {
    core: C,
    pub(super) standing: Standing<T>,
}

impl<T, C: ToCore<T>> AtChannel<T, C> {
    #[inline(always)]
    pub(super) fn new(core: C) -> Self {
        Self { core, standing: Standing::new() }
    }

    #[inline(always)]
    pub(super) fn core(&self) -> &C {
        &self.core
    }

    /// # Safety
    /// See `Stand::stand`.
    pub(super) unsafe fn stand(&self, side: Side, waiter: &Waiter, index: u32, extended: bool) {
        // SAFETY: the lock is held.
        let state = unsafe { self.core().state().held() };
        // A guard that is left out is no longer counted, so nothing that its channel may yet see is to reach it.
        if state.ended.is_none() && !state.is_away() {
            // SAFETY: the caller's promise.
            unsafe { self.standing.stand(state.queue(side), waiter, index, extended) };
            if side == Side::Reader {
                state.reader_came();
            }
        }
    }

    pub(super) fn withdraw(&self, side: Side) {
        self.standing.withdraw(self.core().state().lock().queue(side));
    }

    /// Does `Stand::try_after`.
    #[inline(always)]
    pub(super) fn try_after(
        &self,
        side: Side,
        before: &dyn Before,
        perform: impl FnOnce(&mut State<T>) -> Tried,
    ) -> Option<Tried> {
        let mut state = self.core().state().lock();
        (!state.is_likely(side) || before.are_alone()).then(|| perform(&mut state))
    }

    pub(super) fn ended(&self, side: Side) -> Option<Termination> {
        self.core().termination(side)
    }

    /// # Safety
    /// The lock of the channel is held.
    pub(super) unsafe fn look(&self, side: Side) -> Tried {
        // SAFETY: the lock is held, and nothing else uses the state meanwhile.
        let state = unsafe { self.core().state().held() };
        if state.is_likely(side) { Tried::Performed } else { idle(state) }
    }

    #[cold]
    pub(super) fn is_likely(&self, side: Side) -> bool {
        self.core().state().lock().is_likely(side)
    }

    pub(super) fn want(&self, side: Side) -> Want<'_> {
        let operation = match side {
            Side::Reader => Operation::Read,
            Side::Writer => Operation::Write,
        };
        Want { operation, object: Some(&**self.core()) }
    }

    pub(super) fn want_standing(&self, side: Side) -> Option<Want<'_>> {
        self.standing.stands().then(|| self.want(side))
    }
}

/// Returns how a channel stands when it has nothing for a guard.
#[inline(always)]
pub(super) fn idle<T>(state: &State<T>) -> Tried {
    match state.ended {
        None if state.is_away() => Tried::Far,
        None => Tried::NotReady,
        Some(Termination::Retired) => Tried::Retired,
        Some(Termination::Poisoned(_)) => Tried::Poisoned,
    }
}
