//! The event queues of this program: one for each scheduler, and one of the house for all other threads.
//!
//! Invariants:
//! - A queue in which a process waits counts as one more thread that is awake. So no process that waits for a descriptor is in a deadlock
//!   of all.
//! - The thread of a queue counts as awake before it tells of events, and until those that it woke are counted.
//! - A copy made by `fork` begins anew with queues of its own, and leaves those of the original alone.

use std::cell::Cell;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mio::Token;

use super::engine::Events;
use super::registrant::Registrant;
use crate::system::forked::{self, Afresh};
use crate::system::helper::Helper;
use crate::system::quiet;

/// A busy thread looks into its queue after so long.
const PERIOD: Duration = Duration::from_micros(100);

/// The place of a source in a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    token: Token,
    /// The OS process in whose queue it is.
    generation: u32,
}

pub(crate) struct EventQueue {
    engine: Afresh<OnceLock<Events>>,
    /// How many waits there are for descriptors of this queue.
    waits: AtomicUsize,
    /// When a busy thread looked here last.
    looked: Cell<Option<Instant>>,
}

// SAFETY: only the thread of a scheduler uses `looked`, and the house does not.
#[allow(unsafe_code)]
unsafe impl Sync for EventQueue {}

/// The queue for all threads that are no schedulers.
static HOUSE: EventQueue = EventQueue::new();
static THREAD: Helper = Helper::new("csp events", 256 << 10);

std::thread_local! {
    /// The queue of this thread, if it is a scheduler.
    static HERE: Cell<Option<&'static EventQueue>> = const { Cell::new(None) };
}

/// Makes this the queue of the calling thread, which looks into it from now on.
pub(crate) fn adopt(queue: &'static EventQueue) {
    HERE.set(Some(queue));
}

/// Ends that.
pub(crate) fn leave() {
    HERE.set(None);
}

/// Returns the queue in which a process of this thread waits.
pub(crate) fn here() -> &'static EventQueue {
    HERE.try_with(Cell::get).ok().flatten().unwrap_or(&HOUSE)
}

/// Returns the queue that a thread of the library's own serves, whatever the schedulers do.
pub(crate) fn house() -> &'static EventQueue {
    &HOUSE
}

impl EventQueue {
    pub(crate) const fn new() -> Self {
        Self { engine: Afresh::new(), waits: AtomicUsize::new(0), looked: Cell::new(None) }
    }

    /// Returns whether one thread has it, which alone tells of events.
    pub(crate) fn is_of_one_thread(&self) -> bool {
        !std::ptr::eq(self, &raw const HOUSE)
    }

    /// Returns the engine, which is there if anything was ever added.
    fn engine(&self) -> Option<&'static Events> {
        self.engine.get(OnceLock::new).get()
    }

    fn make_engine(&self) -> io::Result<&'static Events> {
        let place = self.engine.get(OnceLock::new);
        if place.get().is_none() {
            // Another thread may have been faster.
            let _ = place.set(Events::new()?);
        }
        if !self.is_of_one_thread() {
            THREAD.need(|| HOUSE.serve())?;
        }
        Ok(place.get().expect("as set"))
    }

    /// Tells the source from now on when the descriptor becomes ready, and first whether it is.
    pub(crate) fn add(&self, descriptor: RawFd, source: Arc<dyn Registrant>) -> io::Result<Key> {
        let token = self.make_engine()?.add(descriptor, source)?;
        Ok(Key { token, generation: forked::generation() })
    }

    /// Ends that. The descriptor is still open.
    pub(crate) fn remove(&self, descriptor: RawFd, key: Key) {
        // A copy of the OS process shares the queue with the original, which goes on to use it.
        if let Some(engine) = self.engine()
            && Self::is_of_this_process(key)
        {
            engine.remove(descriptor, key.token);
        }
    }

    pub(crate) fn is_of_this_process(key: Key) -> bool {
        key.generation == forked::generation()
    }

    /// Says that a process is about to wait for a descriptor of this queue.
    pub(crate) fn waits(&self) {
        if self.waits.fetch_add(1, Ordering::Relaxed) == 0 {
            quiet::wake();
        }
    }

    /// Says that it waits no longer, and is awake.
    pub(crate) fn waited(&self) {
        if self.waits.fetch_sub(1, Ordering::Relaxed) == 1 {
            quiet::fall_asleep();
        }
    }

    /// Returns whether a process waits for a descriptor of this queue.
    #[inline(always)]
    pub(crate) fn is_awaited(&self) -> bool {
        self.waits.load(Ordering::Relaxed) > 0
    }

    /// Returns whether it is time for a busy thread to look here.
    pub(crate) fn is_due(&self) -> bool {
        let now = Instant::now();
        let due = self.looked.get().is_none_or(|looked| now.duration_since(looked) >= PERIOD);
        if due {
            self.looked.set(Some(now));
        }
        due
    }

    /// Tells of the events that are there. `begins` is called before, if there are any.
    pub(crate) fn look(&self, begins: impl FnOnce()) {
        if let Some(engine) = self.engine() {
            engine.look();
            self.deliver(begins);
        }
    }

    /// Looks, unless the last look was a moment ago. Returns whether all events of before that moment are told. Called by the thread of
    /// the queue, if it has one.
    pub(crate) fn is_up_to_date(&self) -> bool {
        if self.is_of_one_thread() && self.is_due() {
            self.look(|| ());
        }
        self.is_of_one_thread()
    }

    /// Waits until an event comes, another thread [wakes](Self::wake) this one, or the deadline does. Nothing is told yet.
    pub(crate) fn wait(&self, deadline: Option<Instant>) {
        if let Some(engine) = self.engine() {
            engine.wait(deadline);
            if self.is_of_one_thread() {
                self.looked.set(Some(Instant::now()));
            }
        }
    }

    /// Tells of the events that a wait has fetched. `begins` is called before, if there are any.
    pub(crate) fn deliver(&self, begins: impl FnOnce()) {
        if let Some(engine) = self.engine() {
            engine.deliver(begins, |source, ready| source.is_ready(ready));
        }
    }

    /// Lets the thread of this queue go on, which waits here or is about to.
    pub(crate) fn wake(&self) {
        if let Some(engine) = self.engine() {
            engine.wake();
        }
    }

    /// Tells of events for ever: what the thread of the house does.
    fn serve(&self) {
        quiet::ignore_this_thread();
        loop {
            self.wait(None);
            let awake = Cell::new(false);
            self.deliver(|| {
                quiet::wake();
                awake.set(true);
            });
            if awake.get() {
                quiet::fall_asleep();
            }
        }
    }
}
