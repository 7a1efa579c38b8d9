//! The event queue of the system, by the crate `mio`. Another engine would be a file like this one.
//!
//! Invariants:
//! - A token names an entry of the table and its generation. An event of an entry that has gone is an event of nobody.
//! - Only the thread that the queue belongs to fetches events. Any thread may add and remove descriptors, and wake that thread.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Poll, Registry, Token, Waker};

use super::registrant::{Readiness, ReadyFor, Registrant};

/// How many events are fetched at a time.
const BATCH: usize = 256;

/// The token of the wake-up by another thread.
const WAKE: Token = Token(usize::MAX);

/// The system waits for whole milliseconds only. A shorter rest is waited for in another way.
const COARSE: Duration = Duration::from_millis(4);

pub(super) struct Events {
    registry: Registry,
    waker: Waker,
    fetched: Mutex<InHand>,
    table: Mutex<Table>,
}

/// The queue itself, and what was fetched from it.
struct InHand {
    poll: Poll,
    events: mio::Events,
}

/// The sources, by token.
#[derive(Default)]
struct Table {
    entries: Vec<TableEntry>,
    free: Vec<usize>,
}

#[derive(Default)]
struct TableEntry {
    generation: usize,
    source: Option<Arc<dyn Registrant>>,
}

impl Table {
    const BITS: u32 = usize::BITS / 2;
    const INDEX: usize = (1 << Self::BITS) - 1;

    fn add(&mut self, source: Arc<dyn Registrant>) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(TableEntry::default());
            self.entries.len() - 1
        });
        assert!(index < Self::INDEX, "no system has so many descriptors");
        let entry = &mut self.entries[index];
        entry.source = Some(source);
        Token(entry.generation << Self::BITS | index)
    }

    fn get(&mut self, token: Token) -> Option<&mut TableEntry> {
        let entry = self.entries.get_mut(token.0 & Self::INDEX)?;
        (entry.generation == token.0 >> Self::BITS).then_some(entry)
    }

    fn remove(&mut self, token: Token) -> Option<Arc<dyn Registrant>> {
        let entry = self.get(token)?;
        let source = entry.source.take();
        entry.generation = (entry.generation + 1) & Self::INDEX;
        self.free.push(token.0 & Self::INDEX);
        source
    }
}

impl Events {
    pub(super) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&registry, WAKE)?;
        let fetched = Mutex::new(InHand { poll, events: mio::Events::with_capacity(BATCH) });
        Ok(Self { registry, waker, fetched, table: Mutex::default() })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetched(&self) -> MutexGuard<'_, InHand> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the source from now on when the descriptor becomes ready, and first whether it is.
    pub(super) fn add(&self, descriptor: RawFd, source: Arc<dyn Registrant>) -> io::Result<Token> {
        let token = self.table().add(source);
        let both = Interest::READABLE | Interest::WRITABLE;
        // A read stops short at an urgent byte, so that byte must be known.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let both = both | Interest::PRIORITY;
        let added = self.registry.register(&mut SourceFd(&descriptor), token, both);
        if let Err(error) = added {
            drop(self.table().remove(token));
            return Err(error);
        }
        Ok(token)
    }

    /// Ends that. The descriptor is still open.
    pub(super) fn remove(&self, descriptor: RawFd, token: Token) {
        drop(self.table().remove(token));
        // An error says that the descriptor was closed behind the library's back, and so has left the queue.
        let _ = self.registry.deregister(&mut SourceFd(&descriptor));
    }

    /// Lets the thread go on that waits, or the next time at once.
    pub(super) fn wake(&self) {
        // There is no other way to fail than a descriptor that is closed.
        let _ = self.waker.wake();
    }

    /// Fetches events. Waits for the first until the deadline, for ever without one.
    pub(super) fn wait(&self, deadline: Option<Instant>) {
        let InHand { poll, events } = &mut *self.fetched();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = match left {
            Some(left) if !left.is_zero() && left < COARSE => {
                wait_finely(poll.as_raw_fd(), left);
                Some(Duration::ZERO)
            }
            // The last part of it is waited for finely.
            Some(left) => Some(left.saturating_sub(COARSE / 2)),
            None => None,
        };
        fetch(poll, events, timeout);
    }

    /// Fetches what is there.
    pub(super) fn look(&self) {
        let InHand { poll, events } = &mut *self.fetched();
        fetch(poll, events, Some(Duration::ZERO));
    }

    /// Tells the sources what was fetched. `begins` is called before, if there is anything. Returns whether the batch was full.
    pub(super) fn deliver(
        &self,
        begins: impl FnOnce(),
        tell: impl Fn(&dyn Registrant, ReadyFor),
    ) -> bool {
        let mut fetched = self.fetched();
        let mut told: Vec<(Arc<dyn Registrant>, ReadyFor)> = Vec::new();
        let mut table = self.table();
        for event in &fetched.events {
            let source = table.get(event.token()).and_then(|entry| entry.source.clone());
            let readiness = |ready: bool, untold: bool| match (ready, untold) {
                (_, true) => Readiness::Untold,
                (true, false) => Readiness::Yes,
                (false, false) => Readiness::No,
            };
            let failed = event.is_error();
            let ended = (event.is_read_closed(), event.is_write_closed());
            let seen = ReadyFor {
                reads: readiness(event.is_readable(), ended.0 || failed || event.is_priority()),
                writes: readiness(event.is_writable(), ended.1 || failed),
            };
            told.extend(source.map(|source| (source, seen)));
        }
        drop(table);
        let full = fetched.events.iter().count() == BATCH;
        fetched.events.clear();
        drop(fetched);
        if !told.is_empty() {
            begins();
        }
        told.iter().for_each(|(source, seen)| tell(&**source, *seen));
        full
    }
}

fn fetch(poll: &mut Poll, events: &mut mio::Events, timeout: Option<Duration>) {
    // A signal has interrupted it, and nothing was fetched. Another error would be a mistake in the arguments.
    if let Err(error) = poll.poll(events, timeout) {
        debug_assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{error}");
        events.clear();
    }
}

/// Waits until something is in the queue, or for this short time.
#[allow(unsafe_code, reason = "a call of the system")]
fn wait_finely(queue: RawFd, left: Duration) {
    let mut polled = libc::pollfd { fd: queue, events: libc::POLLIN, revents: 0 };
    // SAFETY: the call writes into the one structure that it is given. The answer does not matter.
    unsafe {
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        {
            let mut timeout: libc::timespec = std::mem::zeroed();
            timeout.tv_nsec = left.subsec_nanos().into();
            libc::ppoll(&raw mut polled, 1, &raw const timeout, std::ptr::null());
        }
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
        {
            let timeout = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(1);
            libc::poll(&raw mut polled, 1, timeout);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counts(AtomicUsize);

    impl Registrant for Counts {
        fn is_ready(&self, seen: ReadyFor) {
            self.0.fetch_add(usize::from(seen.reads != Readiness::No), Ordering::SeqCst);
        }
    }

    fn deliver(engine: &Events) {
        engine.deliver(|| (), |source, seen| source.is_ready(seen));
    }

    /// An event was fetched, and its descriptor is closed and its number used again before the event is told.
    #[test]
    fn an_event_of_one_that_has_gone_is_nobodys() {
        let engine = Events::new().unwrap();
        let (first, second) = (Arc::<Counts>::default(), Arc::<Counts>::default());
        let (here, mut there) = UnixStream::pair().unwrap();
        let descriptor = here.as_raw_fd();
        let token = engine.add(descriptor, first.clone()).unwrap();
        there.write_all(b"x").unwrap();
        engine.wait(None);
        engine.remove(descriptor, token);
        drop(here);
        let (again, _other) = UnixStream::pair().unwrap();
        assert_eq!(again.as_raw_fd(), descriptor, "the number is used again");
        let next = engine.add(descriptor, second.clone()).unwrap();
        assert_eq!(next.0 & Table::INDEX, token.0 & Table::INDEX, "so is the entry");
        deliver(&engine);
        engine.look();
        deliver(&engine);
        let counts = [&first, &second].map(|counts| counts.0.load(Ordering::SeqCst));
        assert_eq!(counts, [0, 0]);
    }

    #[test]
    fn each_change_is_told_once() {
        let engine = Events::new().unwrap();
        let counts = Arc::<Counts>::default();
        let (here, mut there) = UnixStream::pair().unwrap();
        engine.add(here.as_raw_fd(), counts.clone()).unwrap();
        for written in 1..=3 {
            there.write_all(b"x").unwrap();
            engine.wait(None);
            deliver(&engine);
            engine.look();
            deliver(&engine);
            assert_eq!(counts.0.load(Ordering::SeqCst), written);
        }
    }

    #[test]
    fn a_deadline_ends_a_wait_and_not_early() {
        let engine = Events::new().unwrap();
        for micros in [0, 50, 900, 5_500] {
            let deadline = Instant::now() + Duration::from_micros(micros);
            while Instant::now() < deadline {
                engine.wait(Some(deadline));
            }
        }
        engine.wake();
        engine.wait(None);
    }
}
