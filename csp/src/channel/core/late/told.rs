//! Reads that stand in lines.

use std::panic::Location;

use super::super::Core;
use super::super::state::{Found, State};
use super::ToldReaders;
use crate::commit::parcel::Parcel;
use crate::commit::queue::line::{EARLIEST, Stamp};
use crate::commit::stand;
use crate::commit::waiter::{Outcome, Waiter};
use crate::report::termination::Termination;
use crate::sync::Guard;
use crate::sync::planted::is_planted;
use crate::wait::blocked::{Operation, Side};
use crate::wait::park::Context;

impl<T> Core<T> {
    /// Does the rest of a read that has left the queue without a value. If it was told of one, it stood there before there were lines.
    #[cfg_attr(not(debug_assertions), inline(always))]
    #[track_caller]
    pub(in crate::channel::core) fn read_untold(
        &self,
        context: &'static Context,
        waiter: &Waiter,
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Result<(), Option<Termination>> {
        to.put(self.go_on_without(context, waiter, place)?);
        Ok(())
    }

    /// Waits for a value in the line of its scheduler. `Err(None)` says that nothing came of it, and the read begins anew.
    #[track_caller]
    pub(in crate::channel::core) fn read_in_line<'a>(
        &'a self,
        context: &'static Context,
        mut state: Guard<'a, State<T>>,
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Result<(), Option<Termination>> {
        let came = state.comes_to_line(context.scheduler());
        self.stand_in_line(context, state, came, false, place, to)
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn go_on_without(
        &self,
        context: &'static Context,
        waiter: &Waiter,
        place: &'static Location<'static>,
    ) -> Result<T, Option<Termination>> {
        match waiter.outcome() {
            Outcome::Committed(_) => {}
            Outcome::Retry => return Err(context.dismissed()),
            _ => return Err(Some(self.meet_end(context, Side::Reader))),
        }
        let at = self.state.lock().late.lines().line_of(context.scheduler());
        let to = Parcel::empty();
        let read = match self.take_told(context, (at, EARLIEST), place, &to)? {
            Some(state) => self.stand_in_line(context, state, (at, EARLIEST), true, place, &to),
            None => Ok(()),
        };
        to.given(read)
    }

    fn stand_in_line<'a>(
        &'a self,
        context: &'static Context,
        mut state: Guard<'a, State<T>>,
        (at, stamp): (usize, Stamp),
        mut again: bool,
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Result<(), Option<Termination>> {
        let why = self.at(Operation::Read, place);
        loop {
            state.late.lines().standing += 1;
            let outcome = stand::stand_in_line(
                context,
                state,
                |state| &mut state.late.lines().each[at].readers,
                (stamp, again),
                to,
                &why,
            );
            if to.is_full() {
                context.communicated();
                return Ok(());
            }
            if outcome == Outcome::Retry {
                return Err(context.dismissed());
            }
            match self.take_told(context, (at, stamp), place, to)? {
                Some(locked) => state = locked,
                None => return Ok(()),
            }
            again = true;
            if is_planted("told in vain, and gone") {
                context.wait_otherwise(&why, None);
            }
        }
    }

    /// Takes a value for a reader that was told. Returns the state if there is none, and the reader stands again.
    fn take_told(
        &self,
        context: &'static Context,
        (at, stamp): (usize, Stamp),
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Result<Option<Guard<'_, State<T>>>, Option<Termination>> {
        // Its thread ends, if that is so. It takes what is ahead for it all the same.
        let dismissed = context.dismissed();
        let mut state = self.state.lock();
        if state.ended.is_some() && is_planted("the end is looked at first") {
            drop(state);
            return Err(Some(self.meet_end(context, Side::Reader)));
        }
        state.late.lines().came(at);
        loop {
            let mut told = ToldReaders::nobody();
            let leaves = dismissed.is_some();
            match state.find_told((at, stamp), leaves, to, &mut told) {
                Found::InBuffer(later) => {
                    drop(state);
                    told.wake();
                    drop(later);
                }
                Found::With(writer) => {
                    drop(state);
                    told.wake();
                    if self.receive(context, writer, false, place, to).is_none() {
                        // Values may have come meanwhile.
                        state = self.state.lock();
                        continue;
                    }
                }
                Found::Nothing if leaves => {
                    drop(state);
                    told.wake();
                    return Err(dismissed);
                }
                Found::Nothing if state.ended.is_some() => {
                    drop(state);
                    return Err(Some(self.meet_end(context, Side::Reader)));
                }
                Found::Nothing if state.away.is_some() => return Err(None),
                Found::Nothing => return Ok(Some(state)),
            }
            context.communicated();
            return Ok(None);
        }
    }
}
