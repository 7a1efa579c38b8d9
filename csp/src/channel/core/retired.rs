//! The things that debug builds tell of a channel that has retired: who gave up its last end, and where an end is made too late.

use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use super::Core;
use super::remembered::word;
use crate::report::Retirement;
use crate::report::place::Place;
use crate::system::stderr;
use crate::wait::blocked::Side;

impl<T> Core<T> {
    /// Returns how the channel retired, as far as that was noted.
    pub(crate) fn retirement(&self) -> Option<Retirement> {
        self.state.lock().remembered.get().cloned()
    }

    /// Says on standard error that an end is made too late here. A debug build calls it, and says so once a place.
    #[cold]
    pub(crate) fn tell_if_late(&self, side: Side, place: &'static Location<'static>) {
        let what = word(side);
        // An end of the other side may well come later. It is told how the channel has ended.
        let Some(retirement) = self.retirement().filter(|retirement| retirement.what == what)
        else {
            return;
        };
        let place = Place::from(place);
        if !is_first(place) {
            return;
        }
        stderr::say(format!(
            "csp: {place} makes a {what} of the channel `{self}`, which has retired: {retirement}.\n\
             A channel retires with the last end of a side, and for good. Keep one {what} as long as others may come, and clone it.\n"
        ));
    }
}

/// Returns whether nothing was said of this place yet.
fn is_first(place: Place) -> bool {
    static TOLD: Mutex<BTreeSet<Place>> = Mutex::new(BTreeSet::new());
    TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(place)
}
