//! The retirement of a channel, as debug builds remember it.

use crate::report::Retirement;
use crate::report::place::Place;
use crate::wait::blocked::Side;

/// The retirement of a channel. It takes no room where debug assertions are off.
pub(super) struct Remembered(#[cfg(debug_assertions)] Option<Box<Retirement>>);

impl Remembered {
    pub(super) const fn nothing() -> Self {
        Self(
            #[cfg(debug_assertions)]
            None,
        )
    }

    /// Notes that the current process gives up the last `what`, which was `made` there.
    #[cfg(debug_assertions)]
    pub(super) fn note(&mut self, what: &'static str, made: Option<Place>) {
        // A model has no names.
        if cfg!(loom) || self.0.is_some() {
            return;
        }
        let context = crate::wait::park::current();
        let process = context.path_if_any().unwrap_or_default();
        let waited = context.berth.last_place().map(Place::from);
        self.0 = Some(Box::new(Retirement { what, made, process, waited }));
    }

    #[cfg(not(debug_assertions))]
    #[inline(always)]
    pub(super) fn note(&mut self, _what: &'static str, _made: Option<Place>) {}

    pub(super) fn get(&self) -> Option<&Retirement> {
        #[cfg(debug_assertions)]
        return self.0.as_deref();
        #[cfg(not(debug_assertions))]
        None
    }
}

/// Returns the word for an end of this side.
pub(super) fn word(side: Side) -> &'static str {
    match side {
        Side::Reader => "reader",
        Side::Writer => "writer",
    }
}
