//! A descriptor in the event queues: one registration for each queue in which a process has waited for it.
//!
//! Invariants:
//! - A registration is made at the first wait in its queue, and ends before the descriptor is closed.
//! - `news` counts the events of a side. A process that waits has tried its operation after it read the count, and waits for another
//!   count. So no event is missed, and none is used up by a process that does not need it.
//! - An event makes all processes of its side look. They try their operations again, and those for which nothing is left wait on.
//! - `left` is `Nothing` if an operation has found nothing more since the last event was told. All that came later is an event that is yet
//!   to be told.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::Protocol;
use socket2::{SockAddr, SockRef};

use crate::commit::queue::Queue;
use crate::commit::stand::Standing;
use crate::commit::waiter::Waiter;
use crate::report::place::Place;
use crate::report::termination::Poison;
use crate::sync::{Lock, RawLock};
use crate::wait::blocked::{Dismissal, Needs, Object, Operation, Want};
use crate::wait::event::{self, EventQueue, Key, Readiness, ReadyFor, Registrant};
use crate::wait::future::wakes::Wakes;

/// The deed that a process waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Receive,
    Transmit,
    Accept,
    Connect,
}

impl Deed {
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Receive => Operation::Receive,
            Self::Transmit => Operation::Transmit,
            Self::Accept => Operation::Accept,
            Self::Connect => Operation::Connect,
        }
    }

    fn reads(self) -> bool {
        matches!(self, Self::Receive | Self::Accept)
    }

    /// Returns the events that the system's `poll` is asked for.
    fn polled(self) -> libc::c_short {
        if self.reads() { libc::POLLIN } else { libc::POLLOUT }
    }
}

/// All registrations of one descriptor. They end when this is dropped.
#[derive(Default)]
pub(super) struct Registrations(Mutex<Vec<Arc<Registration>>>);

pub(super) struct Registration {
    queue: &'static EventQueue,
    descriptor: RawFd,
    /// `None` if the system has no events for such a descriptor, because it is always ready.
    key: OnceLock<Key>,
    /// It is a connection of TCP, as the system says.
    is_tcp: OnceLock<bool>,
    sides: [ReadySide; 2],
}

/// The processes that wait to read, or to write.
pub(super) struct ReadySide {
    state: Lock<AtSide>,
    descriptor: RawFd,
    place: &'static Location<'static>,
}

struct AtSide {
    /// The number of events so far.
    news: u32,
    left: Remains,
    waiting: Queue<()>,
}

/// The things that the next operation may find before another event is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remains {
    /// Anything.
    Perhaps,
    Nothing,
    /// Anything, for ever: no event may tell of the end of a stream, of a failure, or of what follows an urgent byte.
    Always,
}

impl Registrations {
    fn all(&self) -> MutexGuard<'_, Vec<Arc<Registration>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the registration in the queue of this thread, if there is one.
    pub(super) fn here(&self) -> Option<Arc<Registration>> {
        let queue = event::here();
        self.all().iter().find(|one| one.is_in(queue)).cloned()
    }

    /// Registers the descriptor in the queue of this thread.
    pub(super) fn register(
        &self,
        descriptor: RawFd,
        place: &'static Location<'static>,
    ) -> io::Result<Arc<Registration>> {
        let queue = event::here();
        let mut all = self.all();
        // Another thread that has the same queue may have been faster.
        if let Some(one) = all.iter().find(|one| one.is_in(queue)) {
            return Ok(Arc::clone(one));
        }
        // The house has the queue of many threads.
        let side = || ReadySide::new(descriptor, queue.is_of_one_thread(), place);
        let sides = [side(), side()];
        let (key, is_tcp) = (OnceLock::new(), OnceLock::new());
        let one = Arc::new(Registration { queue, descriptor, key, is_tcp, sides });
        match queue.add(descriptor, Arc::clone(&one) as Arc<dyn Registrant>) {
            Ok(key) => {
                let _ = one.key.set(key);
            }
            // The system says so of ordinary files. They are always ready.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
        all.push(Arc::clone(&one));
        Ok(one)
    }
}

impl Drop for Registrations {
    fn drop(&mut self) {
        for one in self.all().drain(..) {
            if let Some(key) = one.key.get() {
                one.queue.remove(one.descriptor, *key);
            }
        }
    }
}

impl Registration {
    fn is_in(&self, queue: &EventQueue) -> bool {
        std::ptr::eq(self.queue, queue)
            && self.key.get().is_none_or(|key| EventQueue::is_of_this_process(*key))
    }

    fn side(&self, deed: Deed) -> &ReadySide {
        &self.sides[usize::from(!deed.reads())]
    }

    pub(super) fn lock(&self, deed: Deed) -> &dyn RawLock {
        &self.side(deed).state
    }

    /// Returns the number of events so far, and whether an operation would find nothing before the next one.
    pub(super) fn news(&self, deed: Deed) -> (u32, bool) {
        let state = self.side(deed).state.lock();
        (state.news, state.left == Remains::Nothing)
    }

    /// Returns whether all events that came up to a moment ago are told.
    pub(super) fn is_up_to_date(&self) -> bool {
        self.queue.is_up_to_date()
    }

    /// Notes that an operation has left nothing, which was tried when so many events had been told.
    pub(super) fn found_nothing(&self, deed: Deed, news: u32) {
        // A descriptor that is always ready has no events.
        if self.key.get().is_some() {
            let mut state = self.side(deed).state.lock();
            if state.news == news && state.left == Remains::Perhaps {
                state.left = Remains::Nothing;
            }
        }
    }

    /// Returns whether a read that is given less than it asked for has left nothing. Only TCP on Linux promises that. Other streams stop at
    /// the bounds of messages, or at descriptors that came with them. Other systems do not tell of an urgent byte, at which TCP stops.
    pub(super) fn tells_by_short_reads(&self) -> bool {
        *self.is_tcp.get_or_init(|| {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            {
                // SAFETY: the descriptor is open, because an operation has just read from it.
                let descriptor = unsafe { BorrowedFd::borrow_raw(self.descriptor) };
                SockRef::from(&descriptor).protocol().is_ok_and(|is| is == Some(Protocol::TCP))
            }
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            false
        })
    }

    /// # Safety
    /// The caller holds the lock.
    pub(super) unsafe fn news_locked(&self, deed: Deed) -> u32 {
        // SAFETY: the caller's promise. The reference is gone at once.
        unsafe { self.side(deed).state.held() }.news
    }

    /// Leaves the offer of a guard.
    ///
    /// # Safety
    /// The caller holds the lock. Guard and waiter stay where they are until [`withdraw`](Self::withdraw) was called.
    pub(super) unsafe fn stand(
        &self,
        deed: Deed,
        standing: &Standing<()>,
        waiter: &Waiter,
        index: u32,
    ) {
        self.queue.waits();
        // SAFETY: the caller's promise.
        unsafe {
            let state = self.side(deed).state.held();
            standing.stand(&mut state.waiting, waiter, index, false);
        }
    }

    /// Takes the offer out again. It stood, or was taken.
    pub(super) fn withdraw(&self, deed: Deed, standing: &Standing<()>) {
        standing.withdraw(&mut self.side(deed).state.lock().waiting);
        self.queue.waited();
    }

    pub(super) fn want(&self, deed: Deed) -> Want<'_> {
        Want { operation: deed.operation(), object: Some(self.side(deed)) }
    }
}

impl Registrant for Registration {
    fn is_ready(&self, seen: ReadyFor) {
        for (side, ready) in self.sides.iter().zip([seen.reads, seen.writes]) {
            if ready != Readiness::No {
                side.tell(ready);
            }
        }
    }
}

impl AtSide {
    fn new() -> Self {
        Self { news: 0, left: Remains::Perhaps, waiting: Queue::new() }
    }
}

impl ReadySide {
    /// Makes a side at which nobody waits. It may be that only this thread will use it.
    pub(super) fn new(descriptor: RawFd, owned: bool, place: &'static Location<'static>) -> Self {
        Self { state: Lock::owned_if(owned, AtSide::new()), descriptor, place }
    }

    fn tell(&self, ready: Readiness) {
        let mut later = Wakes::new();
        let mut state = self.state.lock();
        state.news = state.news.wrapping_add(1);
        state.left = match state.left {
            Remains::Perhaps | Remains::Nothing if ready != Readiness::Untold => Remains::Perhaps,
            _ => Remains::Always,
        };
        while let Some(waiting) = state.waiting.commit_first() {
            waiting.wake_later(&mut later);
        }
        drop(state);
        drop(later);
    }
}

impl Object for ReadySide {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn kind(&self) -> String {
        "descriptor".to_owned()
    }

    fn name(&self) -> Option<String> {
        Some(describe(self.descriptor))
    }

    fn birth(&self) -> Place {
        self.place.into()
    }

    fn needs(&self) -> Needs {
        Needs::Unknown
    }

    fn dismiss(&self, context: usize, _: bool) -> Dismissal {
        match self.state.lock().waiting.dismiss(context) {
            true => Dismissal::Done,
            false => Dismissal::Nothing,
        }
    }

    fn break_off(&self, _: &Poison, later: &mut Wakes) {
        // It can be woken from outside, so it is in no deadlock.
        self.state.lock().waiting.begin_anew(later);
    }
}

/// Returns the name of a descriptor, which is open: `127.0.0.1:80, fd 9`, or `pipe, fd 9`.
pub(super) fn describe(descriptor: RawFd) -> String {
    // SAFETY: the descriptor is open, because a process waits for it, and the reference is gone at the end.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let number = descriptor.as_raw_fd();
    let socket = SockRef::from(&descriptor);
    let name = |address: io::Result<SockAddr>| {
        let address = address.ok()?;
        let path = || address.as_pathname().map(|path| path.display().to_string());
        address.as_socket().map(|address| address.to_string()).or_else(path)
    };
    let address = name(socket.peer_addr()).or_else(|| name(socket.local_addr()));
    match address.or_else(|| name_by_system(number)) {
        Some(name) => format!("{name}, fd {number}"),
        None => format!("fd {number}"),
    }
}

/// Returns what the system calls a descriptor that is no socket: `pipe`, `inotify`, `pidfd`, `/dev/tty`. Only Linux says so.
fn name_by_system(number: RawFd) -> Option<String> {
    let target = std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    let target = target.to_str()?;
    match target.split_once(':') {
        _ if target.starts_with('/') => Some(target.to_owned()),
        Some((kind @ ("pipe" | "pidfd"), _)) => Some(kind.to_owned()),
        Some(("anon_inode", kind)) => Some(kind.trim_matches(['[', ']']).to_owned()),
        _ => None,
    }
}

/// Waits until the system says that the descriptor is ready for this, or for so long: `None` is for ever. Returns whether it is.
///
/// # Errors
/// The errors of the system's `poll`, except those of signals.
pub(super) fn poll(
    descriptor: BorrowedFd<'_>,
    deed: Deed,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut left = timeout;
    loop {
        let mut polled =
            libc::pollfd { fd: descriptor.as_raw_fd(), events: deed.polled(), revents: 0 };
        let millis = left.map_or(-1, |left| {
            left.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(libc::c_int::MAX)
        });
        // SAFETY: the call writes into the one structure that it is given.
        match unsafe { libc::poll(&raw mut polled, 1, millis) } {
            1.. => return Ok(true),
            0 if left.is_none_or(|left| left.is_zero()) => return Ok(false),
            0 => {}
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
        left = until.map(|until| until.saturating_duration_since(Instant::now()));
    }
}
