//! The process that an awaited operation acts for.

use crate::channel::core::Core;
use crate::channel::lent::{Lent, ToCore};
use crate::report::termination::Termination;
use crate::sync::Arc;
use crate::wait::blocked::Side;
use crate::wait::park::{self, Context};

/// The way in which an operation has its channel.
pub(super) trait Acting<T>: ToCore<T> {
    /// It may move between threads from one poll to the next, and wakes the waker of the last one.
    const ROAMS: bool;

    /// Returns the process that the operation acts for. One that roams acts for a process only if that is a future and polls it. On
    /// any other thread it may be one of many tasks, and nothing that it meets stays with the thread.
    #[inline(always)]
    fn process(context: &'static Context) -> Option<&'static Context> {
        (!Self::ROAMS || context.is_polled()).then_some(context)
    }

    #[inline(always)]
    fn communicated(context: &'static Context) {
        if let Some(process) = Self::process(context) {
            process.communicated();
        }
    }

    /// Returns how the channel has ended, which the operation has met.
    fn meet_end(core: &Core<T>, context: &'static Context, side: Side) -> Termination {
        match Self::process(context) {
            Some(process) => core.meet_end(process, side),
            None => core.find_end(side),
        }
    }

    /// Notes how a channel that is away has ended for the operation.
    fn met_beyond(
        core: &Core<T>,
        context: &'static Context,
        side: Side,
        termination: Termination,
    ) -> Termination {
        core.learn(side, &termination);
        if let Some(process) = Self::process(context) {
            process.met(&termination);
        }
        termination
    }

    /// Returns the result that an operation has instead of waiting, on a thread that unwinds.
    #[inline(always)]
    fn unwinding(context: &'static Context) -> Option<Termination> {
        match Self::process(context) {
            Some(process) => park::unwinding(process),
            None => park::unwinding_task(context),
        }
    }
}

impl<T> Acting<T> for Lent<'_, T> {
    const ROAMS: bool = false;
}

impl<T> Acting<T> for Arc<Core<T>> {
    const ROAMS: bool = true;
}
