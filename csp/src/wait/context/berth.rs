//! The place of a coroutine among those of its thread: its scheduling state and its node in the run queue.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr};

use crate::stack::slab::Suspender;
use crate::sync::{self, Ordering};
use crate::wait::blocked::Blocked;

/// A process that has a berth. It is never freed.
pub(crate) trait Berthed: Sized + 'static {
    fn berth(&self) -> &Berth<Self>;
}

/// The scheduling state of a coroutine, and its node in the run queue of its thread (an intrusive list). It has all that it
/// takes to give the coroutine its thread again. Together with the fiber, which stands before it, that is one cache line.
///
/// The floors above have to know this much of a backend. In the engine `slab`, the switch of stacks must be compiled into
/// the process that parks. If it were a function of its own, its `ret` after the switch would be one that the processor
/// has predicted for the stack before. The switch would then take 17 to 25 ns instead of 7. A wake-up by another process
/// of its thread only puts it into a queue.
///
/// Only its own thread touches it, except `ready`.
#[repr(C)]
pub(crate) struct Berth<N: 'static> {
    /// `None` if it parks in another way.
    pub(crate) suspender: Cell<Option<Suspender>>,
    /// The thing it waits for. The pointer is good while it is parked.
    why: Cell<Option<NonNull<dyn Blocked>>>,
    /// The queue of its thread, if that has one. Only that thread changes it. Any thread may look.
    pub(super) ready: AtomicPtr<RunQueue<N>>,
    next: Link<N>,
    pub(crate) parked: Cell<bool>,
    /// It was unparked while it was not parked.
    pub(crate) token: Cell<bool>,
    /// It waits for a deadline.
    pub(crate) armed: Cell<bool>,
    /// It woke because its deadline came.
    pub(crate) late: Cell<bool>,
    /// A poison has reached the process, or it has panicked.
    pub(in crate::wait) stopped: Cell<bool>,
    /// The process that runs here polls others, and one of them runs: it can't wait.
    pub(super) polls: Cell<bool>,
    /// Where the process waited last, for threads that look when it goes on for too long. Any thread
    /// may look.
    #[cfg(debug_assertions)]
    pub(super) last: AtomicPtr<Location<'static>>,
}

/// The processes of one thread that could go on, first in first out.
pub(crate) struct RunQueue<N: 'static> {
    first: Link<N>,
    last: Cell<Option<&'static N>>,
    /// The thread has nothing to do. Other threads look at this, and take it away.
    spare: Apart<AtomicBool>,
    /// The thread is a worker's.
    #[allow(dead_code, reason = "for schedulers on several cores")]
    works: AtomicBool,
}

/// Data in cache lines of its own.
#[repr(align(128))]
struct Apart<T>(T);

/// A process, or none. Only one thread changes it. Any thread may look.
struct Link<N: 'static>(AtomicPtr<N>);

impl<N> Link<N> {
    const fn none() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline(always)]
    fn get(&self) -> Option<&'static N> {
        // SAFETY: it was made of a reference that is good for ever.
        unsafe { self.0.load(Ordering::Relaxed).as_ref() }
    }

    #[inline(always)]
    fn set(&self, context: Option<&'static N>) {
        let context = context.map_or(ptr::null(), ptr::from_ref);
        self.0.store(context.cast_mut(), Ordering::Relaxed);
    }

    #[inline(always)]
    fn take(&self) -> Option<&'static N> {
        let context = self.get();
        self.set(None);
        context
    }
}

impl<N: Berthed> RunQueue<N> {
    pub(crate) const fn new() -> Self {
        Self {
            first: Link::none(),
            last: Cell::new(None),
            spare: Apart(AtomicBool::new(false)),
            works: AtomicBool::new(false),
        }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// Says whether the thread has nothing to do.
    #[allow(dead_code, reason = "for schedulers on several cores")]
    pub(crate) fn set_spare(&self, spare: bool) {
        self.spare.0.store(spare, Ordering::Relaxed);
    }

    /// Returns whether the thread has nothing to do. From then on it counts as having something. Any thread may ask.
    pub(super) fn take_spare(&self) -> bool {
        self.spare.0.load(Ordering::Relaxed) && self.spare.0.swap(false, Ordering::Relaxed)
    }

    /// Says that the thread is a worker's, which stays so.
    #[allow(dead_code, reason = "for schedulers on several cores")]
    pub(crate) fn set_worker(&self) {
        self.works.store(true, Ordering::Relaxed);
    }

    /// Returns whether the thread is a worker's. Any thread may ask.
    pub(super) fn is_worker(&self) -> bool {
        self.works.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn push(&self, context: &'static N) {
        match self.last.replace(Some(context)) {
            Some(last) => last.berth().next.set(Some(context)),
            None => self.first.set(Some(context)),
        }
    }

    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<&'static N> {
        let first = self.first.get()?;
        let next = first.berth().next.take();
        self.first.set(next);
        match next {
            Some(next) => next.berth().is_next(),
            None => self.last.set(None),
        }
        Some(first)
    }

    /// Returns the first of them, and whether there are more. Any thread may look. The result is right if the owning
    /// thread did nothing meanwhile.
    pub(crate) fn look(&self, most: usize) -> (Vec<&'static N>, bool) {
        let all = std::iter::successors(self.first.get(), |before| before.berth().next.get());
        let mut seen: Vec<_> = all.take(most + 1).collect();
        let more = seen.len() > most;
        seen.truncate(most);
        (seen, more)
    }
}

impl<N> Berth<N> {
    pub(super) const fn new() -> Self {
        Self {
            suspender: Cell::new(None),
            why: Cell::new(None),
            ready: AtomicPtr::new(ptr::null_mut()),
            next: Link::none(),
            parked: Cell::new(false),
            token: Cell::new(false),
            armed: Cell::new(false),
            late: Cell::new(false),
            stopped: Cell::new(false),
            polls: Cell::new(false),
            #[cfg(debug_assertions)]
            last: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Prepares for its turn, when it has the next one and others come after it. Prefetches the data needed to resume it,
    /// and the berth (run-queue node) of the one behind it. That one is asked for the same a turn later.
    #[inline(always)]
    fn is_next(&self) {
        if let Some(second) = self.next.get() {
            sync::prefetch(second);
            if let Some(why) = self.why.get() {
                // On its stack, beside the data that it goes on with.
                sync::prefetch(why.as_ptr().cast::<u8>().wrapping_sub(64));
                sync::prefetch(why.as_ptr().cast::<u8>());
            }
            Suspender::prefetch(self.suspender.get());
        }
    }

    /// Shows the wait of a process that is about to park.
    #[inline(always)]
    pub(crate) fn show(&self, why: &dyn Blocked) {
        // SAFETY: only the lifetime changes. The pointer is used while the process is parked for
        // this.
        let why = unsafe {
            std::mem::transmute::<NonNull<dyn Blocked + '_>, NonNull<dyn Blocked>>(NonNull::from(
                why,
            ))
        };
        self.why.set(Some(why));
        #[cfg(debug_assertions)]
        // SAFETY: it is about to park, and `why` is good until then.
        self.last.store(ptr_of(unsafe { why.as_ref() }.place()), Ordering::Relaxed);
    }

    /// Returns where it waited last, in builds with debug assertions. Any thread may look.
    pub(crate) fn last_place(&self) -> Option<&'static Location<'static>> {
        #[cfg(debug_assertions)]
        // SAFETY: it was made of a reference that is good for ever.
        return unsafe { self.last.load(Ordering::Relaxed).as_ref() };
        #[cfg(not(debug_assertions))]
        None
    }

    /// Returns the thing the process waits for, if it is parked. Called on its own thread.
    pub(crate) fn shown(&self) -> Option<&dyn Blocked> {
        let why = self.why.get().filter(|_| self.parked.get())?;
        // SAFETY: it is parked, and goes on on this thread alone.
        Some(unsafe { why.as_ref() })
    }
}

#[cfg(debug_assertions)]
fn ptr_of(place: &'static Location<'static>) -> *mut Location<'static> {
    ptr::from_ref(place).cast_mut()
}
