//! The arms of an `Alternation`, a type for each kind of guard.
#![allow(unsafe_code)]

use std::borrow::Borrow;
use std::panic::Location;

use super::guard::Stand;
use super::guards::call::{Call, Due};
use super::guards::join::TryJoin;
use super::guards::late::{Delivery, Output};
use super::guards::read::Input;
use super::guards::time::At;
use crate::channel::Extended;
use crate::channel::core::Core;
use crate::process::Failure;
use crate::report::termination::Termination;
use crate::sync::Arc;

/// A guard with its closure.
pub(crate) trait Arm<R> {
    /// Begins a round. Guards of time need this.
    fn begin(&self) {}
    fn guard(&self) -> &dyn Stand;
    /// It was chosen. An error: its value can't leave this OS process.
    fn perform(&mut self, place: &'static Location<'static>) -> Result<R, Termination>;
    /// It was chosen by one who awaits: what is to be awaited before it is [concluded](Self::conclude).
    fn hand_over(&mut self, _place: &'static Location<'static>) -> Option<Delivery> {
        None
    }
    /// The rest of `perform`, after [`hand_over`](Self::hand_over).
    fn conclude(&mut self, place: &'static Location<'static>) -> Result<R, Termination> {
        self.perform(place)
    }
}

pub(super) struct ReadArm<T, E, F> {
    pub(super) input: Input<T, Arc<Core<T>>, false>,
    pub(super) then: F,
    pub(super) _end: E,
}

impl<T, E, R, F: FnMut(T) -> R> Arm<R> for ReadArm<T, E, F> {
    fn guard(&self) -> &dyn Stand {
        &self.input
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)(self.input.value().open()))
    }
}

pub(super) struct BeginArm<T, E, F> {
    pub(super) input: Input<T, Arc<Core<T>>, true>,
    pub(super) then: F,
    pub(super) _end: E,
}

impl<T, E, R, F> Arm<R> for BeginArm<T, E, F>
where
    T: 'static,
    F: FnMut(Extended<'static, T>) -> R,
{
    fn guard(&self) -> &dyn Stand {
        &self.input
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)(Extended::new(self.input.value(), self.input.release())))
    }
}

pub(super) struct WriteArm<T, E, V, F> {
    pub(super) output: Output<T, Arc<Core<T>>>,
    pub(super) value: V,
    pub(super) then: F,
    pub(super) _end: E,
}

impl<T, E, R, V: FnMut() -> T, F: FnMut() -> R> Arm<R> for WriteArm<T, E, V, F> {
    fn guard(&self) -> &dyn Stand {
        &self.output
    }

    fn perform(&mut self, place: &'static Location<'static>) -> Result<R, Termination> {
        let handover = self.output.handover(place);
        handover.deliver((self.value)())?;
        Ok((self.then)())
    }

    fn hand_over(&mut self, place: &'static Location<'static>) -> Option<Delivery> {
        let handover = self.output.handover(place);
        Some(handover.deliver_async((self.value)()))
    }

    fn conclude(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)())
    }
}

pub(super) struct IoArm<T, C, F> {
    pub(super) due: Due<T, C>,
    pub(super) then: F,
}

impl<T: Send + 'static, C: Borrow<Call<T>>, R, F: FnMut(T) -> R> Arm<R> for IoArm<T, C, F> {
    fn guard(&self) -> &dyn Stand {
        &self.due
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)(self.due.result()))
    }
}

pub(super) struct JoinArm<T, C, F> {
    pub(super) end: TryJoin<T>,
    pub(super) then: F,
    pub(super) _child: C,
}

impl<T, C, R, F: FnMut(Result<T, Failure>) -> R> Arm<R> for JoinArm<T, C, F> {
    fn guard(&self) -> &dyn Stand {
        &self.end
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)(self.end.taken()))
    }
}

pub(super) struct TimeArm<F> {
    pub(super) at: At,
    pub(super) then: F,
}

impl<R, F: FnMut() -> R> Arm<R> for TimeArm<F> {
    fn begin(&self) {
        self.at.begin();
    }

    fn guard(&self) -> &dyn Stand {
        &self.at
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)())
    }
}

/// A guard that gives nothing.
pub(super) struct PlainArm<G, H, F> {
    pub(super) guard: G,
    pub(super) then: F,
    pub(super) _held: H,
}

impl<G: Stand, H, R, F: FnMut() -> R> Arm<R> for PlainArm<G, H, F> {
    fn guard(&self) -> &dyn Stand {
        &self.guard
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)())
    }
}
