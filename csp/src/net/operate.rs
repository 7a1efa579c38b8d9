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
        self.wait_for(self.guard(operation))
    }

    /// Does an operation that reads a stream, so many bytes at most.
    pub(super) fn read(
        self,
        room: usize,
        operation: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.wait_for(self.guard(operation).reads(room))
    }

    fn wait_for<R>(
        self,
        mut guard: WhenReady<'_, R, impl FnMut() -> io::Result<R>>,
    ) -> io::Result<R> {
        let context = park::current();
        // A process that unwinds keeps its thread, as with any blocking call.
        let on_thread = context.park().is_thread() || thread::panicking();
        if let Some(result) = guard.try_first(!on_thread && !context.is_polled()) {
            took_one(context);
            return result;
        }
        if context.is_polled() {
            park::refuse_to_wait("an operation of a socket", "read_async(…).await", self.place);
        }
        if on_thread {
            return self.operate_on_thread(context, || guard.try_again());
        }
        let mut at = self.timeout.map(time::after);
        let chosen = choose_from(context, &[guard.offer(), entry(at.as_mut())][..], 0, self.place);
        Self::conclude(chosen, &guard)
    }

    /// Does the operation in an `async` process.
    pub(super) async fn operate_async<R>(
        self,
        operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.await_for(self.guard(operation)).await
    }

    /// Does an operation that reads a stream, so many bytes at most, in an `async` process.
    pub(super) async fn read_async(
        self,
        room: usize,
        operation: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.await_for(self.guard(operation).reads(room)).await
    }

    async fn await_for<R>(
        self,
        mut guard: WhenReady<'_, R, impl FnMut() -> io::Result<R>>,
    ) -> io::Result<R> {
        if let Some(result) = guard.try_first(true) {
            return result;
        }
        let mut at = self.timeout.map(time::after);
        let entries = [guard.offer(), entry(at.as_mut())];
        let chosen = several_async(entries, self.place).await;
        Self::conclude(chosen, &guard)
    }

    fn conclude<R>(
        chosen: Result<usize, Termination>,
        guard: &WhenReady<'_, R, impl FnMut() -> io::Result<R>>,
    ) -> io::Result<R> {
        match chosen {
            Ok(0) => guard.result(),
            // An event may be there that nobody has told.
            Ok(_) => guard.try_again().unwrap_or_else(|| Err(late())),
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream as Plain};
    use std::thread::JoinHandle;

    use super::*;
    use crate::net::{TcpStream, calls};
    use crate::{Alternation, Backend, Channel, parallel, process, process_async};

    const ROUNDS: usize = 200;
    const SIZE: usize = 64;

    fn pair() -> (TcpStream, Plain) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Plain::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0.into(), client)
    }

    /// Sends and takes its message back, some times.
    fn asks(mut client: Plain) -> JoinHandle<()> {
        thread::spawn(move || {
            for _ in 0..ROUNDS {
                client.write_all(&[7; SIZE]).unwrap();
                client.read_exact(&mut [0; SIZE]).unwrap();
            }
        })
    }

    /// Reads, and counts in how many calls of the system nothing was found.
    fn receive(stream: &TcpStream, buffer: &mut [u8], in_vain: &Cell<usize>) -> io::Result<usize> {
        let received = calls::receive(stream.polled.get_ref(), buffer);
        in_vain.set(in_vain.get() + usize::from(received.is_err()));
        received
    }

    fn site(stream: &TcpStream, deed: Deed) -> Site<'_> {
        stream.polled.site(deed, None, Location::caller())
    }

    /// The first finds nothing, and perhaps the one after the registration.
    const AT_FIRST: usize = 2;

    #[test]
    fn after_a_short_read_no_call_is_made_in_vain() {
        let (stream, client) = pair();
        let client = asks(client);
        let serves = process(move || {
            let (in_vain, mut buffer) = (Cell::new(0), [0; 4 * SIZE]);
            loop {
                let read = || receive(&stream, &mut buffer, &in_vain);
                let size = site(&stream, Deed::Receive).read(4 * SIZE, read).unwrap();
                if size == 0 {
                    return in_vain.get();
                }
                (&stream).write_all(&buffer[..size]).unwrap();
            }
        });
        let in_vain = parallel!(serves.on(Backend::Coroutine)).0;
        client.join().unwrap();
        assert!(in_vain <= AT_FIRST, "{in_vain} of {ROUNDS}");
    }

    #[test]
    fn after_a_short_read_that_is_awaited_no_call_is_made_in_vain() {
        let (stream, client) = pair();
        let client = asks(client);
        let serves = process_async(async move || {
            let (in_vain, mut buffer) = (Cell::new(0), [0; 4 * SIZE]);
            loop {
                let read = || receive(&stream, &mut buffer, &in_vain);
                let size = site(&stream, Deed::Receive).read_async(4 * SIZE, read).await.unwrap();
                if size == 0 {
                    return in_vain.get();
                }
                stream.write_all_async(&buffer[..size]).await.unwrap();
            }
        });
        let in_vain = parallel!(serves).0;
        client.join().unwrap();
        assert!(in_vain <= AT_FIRST, "{in_vain} of {ROUNDS}");
    }

    /// Chooses between a silent socket and a channel that is always ready. Returns how often the system was asked for the socket.
    fn chooses(by_priority: bool) -> usize {
        let (stream, _client) = pair();
        let numbers = Channel::buffered(ROUNDS);
        let (writer, reader) = (numbers.writer(), numbers.reader());
        (0..ROUNDS).for_each(|number| writer.write(number).unwrap());
        let asked = Cell::new(0);
        let asks = || {
            asked.set(asked.get() + 1);
            calls::receive(stream.polled.get_ref(), &mut [0])
        };
        let mut choice = if by_priority { Alternation::by_priority() } else { Alternation::new() };
        choice.add_arm(site(&stream, Deed::Receive).guard(asks).arm(|_| None));
        choice.read(&reader, Some);
        for number in 0..ROUNDS {
            assert_eq!(choice.choose(), Ok(Some(number)));
        }
        drop(choice);
        asked.get()
    }

    #[test]
    fn a_fair_choice_asks_for_a_silent_socket_no_more() {
        let asked = process(|| chooses(false));
        assert!(parallel!(asked.on(Backend::Coroutine)).0 <= AT_FIRST);
    }

    #[test]
    fn a_choice_by_priority_asks_each_time() {
        let asked = process(|| chooses(true));
        assert_eq!(parallel!(asked.on(Backend::Coroutine)).0, ROUNDS);
    }
}
