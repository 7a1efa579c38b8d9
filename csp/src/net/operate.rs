//! An operation on a descriptor: it is tried at once, and waits if it is not ready.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::Location;
use std::thread;
use std::time::{Duration, Instant};

use super::guard::{WhenReady, took_one};
use super::registration::{Deed, ReadySide, Registrations, poll};
use crate::choice::choose::{choose_from, several_async};
use crate::choice::guard::{Entry, Guard};
use crate::choice::guards::time::{self, At};
use crate::report::termination::Termination;
use crate::system::quiet;
use crate::wait::blocked::{Blocked, Want};
use crate::wait::park::{self, Context};

/// Where an operation is made.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) registrations: &'a Registrations,
    pub(super) descriptor: BorrowedFd<'a>,
    pub(super) deed: Deed,
    pub(super) timeout: Option<Duration>,
    pub(super) place: &'static Location<'static>,
}

impl<'a> Site<'a> {
    /// Makes the operation a guard.
    pub(super) fn guard<R, F: FnMut() -> io::Result<R>>(self, operation: F) -> WhenReady<'a, R, F> {
        WhenReady::new(self.registrations, self.descriptor, self.deed, operation)
    }

    /// Does the operation, and waits until it is ready.
    pub(super) fn operate<R>(self, operation: impl FnMut() -> io::Result<R>) -> io::Result<R> {
        let mut guard = self.guard(operation);
        let context = park::current();
        if let Some(result) = guard.try_first() {
            took_one(context);
            return result;
        }
        if context.is_polled() {
            park::refuse_to_wait("an operation of a socket", "read_async(…).await", self.place);
        }
        // A process that unwinds keeps its thread, as with any blocking call.
        if context.park().is_thread() || thread::panicking() {
            return self.operate_on_thread(context, || guard.try_again());
        }
        let mut at = self.timeout.map(time::after);
        let chosen = choose_from(context, &[guard.offer(), entry(at.as_mut())][..], 0, self.place);
        Self::conclude(chosen, || guard.result())
    }

    /// Does the operation in an `async` process.
    pub(super) async fn operate_async<R>(
        self,
        operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        let mut guard = self.guard(operation);
        if let Some(result) = guard.try_first() {
            return result;
        }
        let mut at = self.timeout.map(time::after);
        let entries = [guard.offer(), entry(at.as_mut())];
        let chosen = several_async(entries, self.place).await;
        Self::conclude(chosen, || guard.result())
    }

    fn conclude<R>(
        chosen: Result<usize, Termination>,
        result: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        match chosen {
            Ok(0) => result(),
            Ok(_) => Err(late()),
            Err(termination) => Err(io::Error::other(termination)),
        }
    }

    /// Does the operation on a thread that has nothing else to do. `attempt` returns nothing if it is not ready.
    fn operate_on_thread<R>(
        self,
        context: &Context,
        mut attempt: impl FnMut() -> Option<io::Result<R>>,
    ) -> io::Result<R> {
        let until = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let side = ReadySide::new(self.descriptor.as_raw_fd(), false, self.place);
        let why = OnThread { side, deed: self.deed, place: self.place };
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let mut ready = Ok(false);
            // The thread can be woken from outside, so it is in no deadlock of all.
            quiet::wake();
            context
                .park()
                .wait_outside(&why, &mut || ready = poll(self.descriptor, self.deed, left));
            quiet::fall_asleep();
            if !ready? {
                return Err(late());
            }
            if let Some(result) = attempt() {
                return result;
            }
        }
    }
}

fn entry(at: Option<&mut At>) -> Entry<'_> {
    at.map_or(Entry(None), Guard::offer)
}

/// The error of a timeout, which is the same as that of the standard library on Unix.
fn late() -> io::Error {
    io::Error::from(io::ErrorKind::WouldBlock)
}

/// A thread that waits for a descriptor in the system's `poll`.
struct OnThread {
    side: ReadySide,
    deed: Deed,
    place: &'static Location<'static>,
}

impl Blocked for OnThread {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: self.deed.operation(), object: Some(&self.side) });
    }
}
