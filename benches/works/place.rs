//! Where the processes of a work run, and which clock suits that.

use csp::{Backend, Process, Replicated};

use super::clock_of;
use crate::measure::Clock;

/// The place of all processes of a work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// `None` leaves it to the library.
    pub(crate) backend: Option<Backend>,
    pub(crate) clock: Clock,
}

impl Place {
    pub(crate) fn of(backend: Backend) -> Self {
        Self { backend: Some(backend), clock: clock_of(backend) }
    }
}

/// A process, or replicas of one, that may be told where to run.
pub(crate) trait Placed {
    fn placed(self, place: Place) -> Self;
}

impl<A, R> Placed for Process<A, R> {
    fn placed(self, place: Place) -> Self {
        match place.backend {
            Some(backend) => self.on(backend),
            None => self,
        }
    }
}

impl<A, R> Placed for Replicated<A, R> {
    fn placed(self, place: Place) -> Self {
        match place.backend {
            Some(backend) => self.on(backend),
            None => self,
        }
    }
}
