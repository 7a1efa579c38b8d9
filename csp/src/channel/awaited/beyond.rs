//! Reads and writes beyond this OS process, in a future. Each lies on the heap, because few operations need it.
//!
//! It has a share of its channel, so it may be forgotten with its future, and threads may still look at it.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::panic::Location;
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::channel::core::{Core, Kept};
use crate::channel::far::few::Few;
use crate::channel::far::names::Offer;
use crate::channel::far::node::{Came, How};
use crate::channel::far::{Asking, Bytes, Done, Far, Finish, Opened};
use crate::commit::parcel::Parcel;
use crate::commit::waiter::Outcome;
use crate::report::termination::{Poison, Termination, Unwritten};
use crate::sync::Arc;
use crate::system::possible::Doubt;
use crate::wait::blocked::{Blocked, Object, Operation, Side, Want};
use crate::wait::park;

/// A read at a channel that is away. Its first poll begins it.
pub(crate) struct ReadBeyond<T> {
    asking: Asking,
    core: Arc<Core<T>>,
    place: &'static Location<'static>,
    far: Far<T>,
    /// The channel by which a promised value comes. One reading end of it is here.
    late: Cell<Option<Far<T>>>,
    extended: bool,
    /// It wakes the waker of its last poll, also if that is of a process.
    roams: bool,
}

impl<T> ReadBeyond<T> {
    pub(crate) fn new(
        core: Arc<Core<T>>,
        far: Far<T>,
        place: &'static Location<'static>,
        extended: bool,
        roams: bool,
    ) -> Self {
        let asking = Asking::new(far.node());
        Self { asking, core, place, far, late: Cell::new(None), extended, roams }
    }

    /// Makes a read of a value that was promised to a reader of the channel.
    pub(crate) fn of_promised(self, late: Far<T>) -> Self {
        self.late.set(Some(late.promised_by(&self.far)));
        self
    }

    /// Reads, and moves the value into the parcel. Returns `None` if a promise was not kept. The next poll begins anew.
    ///
    /// # Safety
    /// It is pinned.
    pub(crate) unsafe fn poll(
        &self,
        waker: &Waker,
        to: &Parcel<T>,
    ) -> Poll<Result<Option<Option<Kept>>, Termination>> {
        loop {
            let at = self.late.get().unwrap_or(self.far);
            if !self.asking.stands() {
                // SAFETY: the caller's promise. The drop leaves it.
                let waiter = unsafe { self.asking.make((!self.roams).then_some(waker), 1, self) };
                at.ask_to_read(&self.asking, waiter, self.extended);
            }
            if self.asking.poll(waker, self, false).is_none() {
                return Poll::Pending;
            }
            match self.asking.conclude(self) {
                Some(Came::Done { parcel, .. }) => {
                    let done = Done::new(self.asking.op(), parcel);
                    let came = at.came(park::current(), done, self.extended);
                    self.leave_late();
                    match came {
                        Ok((Opened::Value(value), finish)) => {
                            to.put(value);
                            return Poll::Ready(Ok(Some(finish.map(Kept::Far))));
                        }
                        Ok((Opened::Late(late), finish)) => {
                            finish.iter().for_each(Finish::release);
                            self.late.set(Some(late.promised_by(&self.far)));
                        }
                        Err(broken) => return Poll::Ready(Err(broken)),
                    }
                }
                Some(Came::Ended { ending, .. }) => {
                    let termination = at.node().termination(&ending);
                    let broken = termination.poison().is_some_and(Poison::is_of_serialization);
                    // A promise that was not kept leaves its reader to wait for another value.
                    let promised = self.leave_late();
                    return Poll::Ready(match promised && !broken {
                        true => Ok(None),
                        false => Err(termination),
                    });
                }
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// Drops the reading end by which a promised value comes, if there is one.
    fn leave_late(&self) -> bool {
        let late = self.late.take();
        late.iter().for_each(|late| late.drop_end(Side::Reader));
        late.is_some()
    }
}

impl<T> Drop for ReadBeyond<T> {
    /// Gives back a value that has come, and a value that may come.
    fn drop(&mut self) {
        if self.asking.stands() {
            let at = self.late.get().unwrap_or(self.far);
            let outcome = self.asking.leave(at.taken_promise());
            let came = self.asking.conclude(self);
            if outcome.is_none() {
                // The node drops the end by which a promised value comes, when the promise has gone back.
                return;
            }
            if let Some(Came::Done { parcel: Some(received), .. }) = came {
                self.far.return_value(received);
                if self.extended {
                    at.release(self.asking.op());
                }
            }
        } else if let Some(late) = self.late.get() {
            late.give_back();
        }
        self.leave_late();
    }
}

impl<T> Blocked for ReadBeyond<T> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: Operation::Read, object: Some(&*self.core as &dyn Object) });
    }
}

/// A write at a channel that is away. Its owner has the value.
pub(crate) struct WriteBeyond<T> {
    asking: Asking,
    core: Arc<Core<T>>,
    place: &'static Location<'static>,
    far: Far<T>,
    kind: Writes,
    /// It is over, and nobody knows whether the value was read.
    doubt: Cell<Option<Doubt>>,
}

/// How a write is offered beyond this OS process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    Alone,
    /// For the waker of its last poll.
    Roaming,
    /// Likewise, and as one of several, so that it can be taken back at once.
    Pending,
}

impl<T> WriteBeyond<T> {
    pub(crate) fn new(
        core: Arc<Core<T>>,
        far: Far<T>,
        place: &'static Location<'static>,
        kind: Writes,
    ) -> Self {
        let (asking, doubt) = (Asking::new(far.node()), Cell::new(None));
        Self { asking, core, place, far, kind, doubt }
    }

    /// Offers the value, which is packed here.
    ///
    /// # Safety
    /// It is pinned, and does not stand.
    pub(crate) unsafe fn begin(&self, waker: &Waker, value: &Parcel<T>) -> Result<(), Termination> {
        let offer =
            value.look(|value| self.far.offer_to_write(value)).expect("a value is written once")?;
        // SAFETY: the caller's promise.
        unsafe { self.begin_with(waker, offer) };
        Ok(())
    }

    unsafe fn begin_with(&self, waker: &Waker, offer: Offer<Bytes>) {
        let how = if self.kind == Writes::Pending { How::Pending } else { How::Alone };
        let waker = (self.kind == Writes::Alone).then_some(waker);
        // SAFETY: the caller's promise. The drop leaves it.
        let waiter = unsafe { self.asking.make(waker, 1, self) };
        self.asking.begin(waiter, Few::one((0, offer)), how);
    }

    /// Returns whether it is over, and nobody knows whether the value was read.
    pub(crate) fn doubt(&self) -> Option<Doubt> {
        self.doubt.get()
    }

    /// Returns whether the value is written, or how the channel has ended. `Ok(false)` says that the write begins anew.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Result<bool, Unwritten>> {
        assert!(self.doubt.get().is_none(), "a write that is done was polled again");
        if self.asking.poll(waker, self, false).is_none() {
            return Poll::Pending;
        }
        Poll::Ready(match self.asking.conclude(self) {
            Some(Came::Done { .. }) => Ok(true),
            Some(Came::Ended { ending, fate, .. }) => {
                let unwritten = self.far.unwritten(&ending, fate);
                self.doubt.set(unwritten.doubt);
                Err(unwritten)
            }
            None => Ok(false),
        })
    }

    /// Ends the write, which is pending. Returns whether the value is written. While the home of the channel asks a reader whether it takes
    /// the value, nobody can say that, and the thread waits for the answer.
    pub(crate) fn take_back(&self) -> bool {
        if self.doubt.get().is_some() {
            return false;
        }
        let waker = Waker::from(std::sync::Arc::new(ThisThread(thread::current())));
        self.asking.want_back();
        let outcome = loop {
            if let Some(outcome) = self.asking.poll(&waker, self, true) {
                break Some(outcome);
            }
            if !self.asking.is_held() {
                break self.asking.leave(None);
            }
            thread::park();
        };
        self.asking.conclude(self);
        // Without an outcome a reader has it, and keeps its writer.
        matches!(outcome, None | Some(Outcome::Committed(_)))
    }

    /// Ends its waiting. The value is written all the same, as soon as there is a reader.
    pub(crate) fn goes_on(&self) {
        if self.asking.stands() {
            self.far.add_end(Side::Writer);
            self.asking.detach(self.far.channel());
            self.asking.conclude(self);
        }
    }
}

/// Wakes a thread that waits for an answer.
struct ThisThread(Thread);

impl Wake for ThisThread {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

impl<T> Drop for WriteBeyond<T> {
    fn drop(&mut self) {
        if self.asking.stands() {
            self.asking.leave(None);
            self.asking.conclude(self);
        }
    }
}

impl<T> Blocked for WriteBeyond<T> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: Operation::Write, object: Some(&*self.core as &dyn Object) });
    }
}
