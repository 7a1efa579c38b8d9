//! The stand-in for late binding, where one thread has all coroutines: a value goes to the reader that has waited longest.

use std::panic::Location;

use super::super::Core;
use super::super::state::{Placed, Placing, ReaderPlace, State};
use crate::commit::offer::Partner;
use crate::commit::parcel::Parcel;
use crate::commit::waiter::Waiter;
use crate::report::termination::Termination;
use crate::sync::Guard;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::Context;

#[rustfmt::skip]
#[allow(clippy::unused_self, reason = "as the other one")]
impl<T> State<T> {
    #[inline(always)]
    pub(in crate::channel::core) fn stands_behind(&self, _: &'static Context) -> bool { false }
    #[inline(always)]
    pub(in crate::channel::core) fn place_of(&mut self, _: &'static Context) -> ReaderPlace { ReaderPlace::Queue }
    #[inline(always)]
    pub(in crate::channel::core) fn place_of_extended(&self) -> ReaderPlace { ReaderPlace::Queue }
    #[inline(always)]
    pub(in crate::channel::core) fn note_last_reader(&mut self) {}
    #[inline(always)]
    pub(in crate::channel::core) fn place_late(&mut self, _: &Parcel<T>, _: Placing) -> Placed<T> { Placed::Nowhere }
    #[inline(always)]
    pub(in crate::channel::core) fn dismiss_late(&mut self, _: usize, _: bool, _: &mut Wakes) -> (bool, Option<Parcel<T>>) { (false, None) }
    #[inline(always)]
    pub(in crate::channel::core) fn late_customer(&mut self) -> Option<Partner<T>> { None }
}

#[allow(clippy::unused_self, reason = "as the other one")]
impl<T> Core<T> {
    #[inline(always)]
    pub(in crate::channel::core) fn read_untold(
        &self,
        context: &'static Context,
        _: &Waiter,
        _: &'static Location<'static>,
        _: &Parcel<T>,
    ) -> Result<(), Option<Termination>> {
        Err(context.dismissed())
    }

    #[inline(always)]
    pub(in crate::channel::core) fn read_in_line<'a>(
        &'a self,
        context: &'static Context,
        _: Guard<'a, State<T>>,
        _: &'static Location<'static>,
        _: &Parcel<T>,
    ) -> Result<(), Option<Termination>> {
        Err(context.dismissed())
    }
}
