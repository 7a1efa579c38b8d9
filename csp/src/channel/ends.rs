//! The two kinds of channel end.

use std::fmt;
use std::panic::Location;

use super::core::Core;
use crate::commit::parcel::Parcel;
use crate::report::termination::{Cause, Poison, Result, Termination, Unwritten, WriteError};
use crate::sync::Arc;
use crate::wait::blocked::Side;
use crate::wait::park;
use crate::wait::seen::holders::{Claim, Held};
use crate::watch::usage::Use;

/// One end's share in a channel: counted from its making to its drop.
pub(super) struct End<T> {
    pub(super) core: Arc<Core<T>>,
    pub(super) side: Side,
    /// It was given up by `retire`, so its drop says nothing else.
    pub(super) retired: bool,
    pub(super) claim: Claim,
    pub(super) used: Use,
}

impl<T> End<T> {
    pub(super) fn new(core: Arc<Core<T>>, side: Side, used: Use) -> Self {
        core.join(side);
        Self { core, side, retired: false, claim: Claim::none(), used }
    }

    /// The record of how the end is used.
    #[inline(always)]
    pub(super) fn core(&self) -> &Arc<Core<T>> {
        self.used.mark();
        &self.core
    }

    pub(super) fn retire(mut self) {
        self.used.mark();
        self.retired = true;
    }

    pub(super) fn claim(&self, sure: bool) {
        let what = match self.side {
            Side::Reader => Held::Reader,
            Side::Writer => Held::Writer,
        };
        self.core.claim(&self.claim, what, sure);
    }

    pub(super) fn poison(&self, reason: String) {
        let process = park::current().path();
        self.core().poison(Termination::Poisoned(Poison::new(Cause::Explicit { process, reason })));
    }

    pub(super) fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(`{}`)", self.side, self.core)
    }
}

impl<T> Clone for End<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.core), self.side, self.used)
    }
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        // In a model nobody survives a panic.
        if cfg!(loom) && std::thread::panicking() {
            return;
        }
        if !self.retired
            && let poison @ Termination::Poisoned(_) = park::current().legacy()
        {
            self.used.mark();
            self.core.poison(poison);
        }
        self.core.leave(self.side, &self.claim, self.used.made());
    }
}

#[inline(always)]
#[track_caller]
pub(super) fn read<T>(core: &Core<T>, place: &'static Location<'static>) -> Result<T> {
    let value = Parcel::empty();
    match core.read(&value, place) {
        Ok(()) => value.given(Ok(())),
        Err(unread) => core.read_otherwise(unread, place),
    }
}

#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn write_otherwise<T>(
    core: &Core<T>,
    value: T,
    unwritten: Option<Termination>,
    place: &'static Location<'static>,
) -> Result<(), WriteError<T>> {
    let given = Parcel::empty();
    given.put(value);
    match core.write_otherwise(&given, unwritten, place) {
        Ok(()) => Ok(()),
        Err(unwritten) => refused(&given, unwritten),
    }
}

/// A value that nobody has taken, back with its writer.
#[cold]
pub(super) fn refused<T>(value: &Parcel<T>, unwritten: Unwritten) -> Result<(), WriteError<T>> {
    Err(WriteError::new(value.open(), unwritten))
}
