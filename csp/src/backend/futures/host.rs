//! Hosts: a host polls the futures of its thread.
//!
//! Invariants:
//! - Only one thread touches a host, and a host polls one process at a time.
//! - A process that is over is not among the live processes of any batch, and its future is gone.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};

use super::batch::Batch;
use crate::process::group::Ended;
use crate::process::work::{Over, Work};
use crate::wait::blocked::Blocked;
use crate::wait::future::{Crowd, Head};
use crate::wait::park::Context;

/// The number of polls after which a host looks at messages from outside and lets the other processes of its thread
/// go on.
const TURNS: u32 = 61;

pub(super) struct Host {
    pub(super) crowd: Crowd,
    pub(super) unstarted: RefCell<VecDeque<UnstartedFutures>>,
    pub(super) batches: Cell<Option<NonNull<Batch>>>,
    pub(super) live: Cell<usize>,
    pub(super) polled: Cell<Option<NonNull<Head>>>,
}

/// Processes that have not started: those of `work` from `next` up to `end`.
pub(super) struct UnstartedFutures {
    pub(super) work: Arc<dyn Work>,
    pub(super) next: usize,
    pub(super) end: usize,
    /// The batch in which the next will lie.
    pub(super) batch: Option<NonNull<Batch>>,
}

// SAFETY: only its thread touches it, except for the parts of `Crowd` (the per-thread executor) that other threads
// may use. A host without a thread is handed to another thread through a mutex.
unsafe impl Sync for Host {}

static UNUSED: Mutex<Vec<&'static Host>> = Mutex::new(Vec::new());

impl Host {
    /// Takes a host for this thread.
    pub(super) fn take() -> &'static Self {
        let unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let host = unused.unwrap_or_else(|| {
            Box::leak(Box::new(Self {
                crowd: Crowd::new(),
                unstarted: RefCell::default(),
                batches: Cell::new(None),
                live: Cell::new(0),
                polled: Cell::new(None),
            }))
        });
        host.crowd.join_thread();
        host
    }

    /// Gives the host back, because its thread no longer needs it.
    pub(super) fn give_back(&'static self) {
        let is_unused = self.live.get() == 0 && self.unstarted.borrow().is_empty();
        self.crowd.leave_thread();
        // Processes that are left here wait for children that stay as they are for ever.
        if is_unused {
            UNUSED.lock().unwrap_or_else(PoisonError::into_inner).push(self);
        }
    }

    /// Polls its processes until none is left.
    pub(super) fn run(&'static self, context: &'static Context, why: &dyn Blocked) {
        loop {
            for _ in 0..TURNS {
                match self.crowd.next() {
                    Some(head) => self.poll(context, head),
                    None if self.begin_next(context) => {}
                    None => break,
                }
            }
            self.crowd.look_outside();
            self.begin_next(context);
            if self.crowd.has_ready() || !self.unstarted.borrow().is_empty() {
                context.pass();
            } else if self.live.get() == 0 {
                return;
            } else {
                self.crowd.sleep(context, why);
                self.crowd.look_outside();
            }
        }
    }

    /// Begins the next process that has not started. The jobs take turns.
    fn begin_next(&self, context: &'static Context) -> bool {
        let Some(mut unstarted) = self.unstarted.borrow_mut().pop_front() else { return false };
        let left = unstarted.end - unstarted.next;
        let batch = unstarted
            .batch
            .take()
            .unwrap_or_else(|| self.add(&unstarted.work, unstarted.next, left));
        // SAFETY: the batch is in the list, because it is not full.
        let there = unsafe { batch.as_ref() };
        let head = there.begin();
        self.live.set(self.live.get() + 1);
        unstarted.next += 1;
        if !there.is_full() {
            unstarted.batch = Some(batch);
        }
        if unstarted.next < unstarted.end {
            self.unstarted.borrow_mut().push_back(unstarted);
        } else {
            // The job is dropped before the process is begun. Afterwards this might be its last reference, and a
            // job holds the user's values.
            drop(unstarted);
        }
        self.begin(context, head);
        true
    }

    pub(super) fn add(&self, work: &Arc<dyn Work>, first: usize, most: usize) -> NonNull<Batch> {
        let batch = Batch::new(self.crowd(), Arc::clone(work), first, most);
        let next = self.batches.replace(Some(batch));
        // SAFETY: both batches are in the list.
        unsafe { batch.as_ref() }.next.set(next);
        if let Some(next) = next {
            // SAFETY: as above.
            unsafe { next.as_ref() }.previous.set(Some(batch));
        }
        batch
    }

    fn crowd(&self) -> &'static Crowd {
        // SAFETY: hosts are never freed.
        unsafe { &*std::ptr::from_ref(&self.crowd) }
    }

    fn remove(&self, batch: NonNull<Batch>) {
        // SAFETY: a batch in the list exists.
        let there = unsafe { batch.as_ref() };
        let (previous, next) = (there.previous.get(), there.next.get());
        match previous {
            // SAFETY: as above.
            Some(previous) => unsafe { previous.as_ref() }.next.set(next),
            None => self.batches.set(next),
        }
        if let Some(next) = next {
            // SAFETY: as above.
            unsafe { next.as_ref() }.previous.set(previous);
        }
        // SAFETY: this is its place in the list.
        unsafe { Batch::release(batch) };
    }

    /// Returns its processes that are not over. The host must do nothing else meanwhile.
    pub(super) fn live(&'static self) -> impl Iterator<Item = &'static Head> {
        // SAFETY: a batch in the list exists.
        let batch = |batch: NonNull<Batch>| unsafe { &*batch.as_ptr() };
        let all = std::iter::successors(self.batches.get().map(batch), move |last: &&Batch| {
            last.next.get().map(batch)
        });
        // SAFETY: as above.
        all.flat_map(|batch| batch.live().map(|head| unsafe { &*head.as_ptr() }))
    }

    /// Makes the future of a head, and polls it for the first time.
    pub(super) fn begin(&self, context: &'static Context, head: NonNull<Head>) {
        self.as_process(context, head, |batch, there, waking| {
            let (index, place) = (batch.index(there), batch.place(head));
            // SAFETY: the head has just been made, and its place is empty.
            match unsafe { batch.futures().begin(index, place) } {
                Some(over) => Poll::Ready(over),
                // SAFETY: the future is there now.
                None => unsafe { batch.futures().poll(index, place, waking) },
            }
        });
    }

    #[inline]
    fn poll(&self, context: &'static Context, head: NonNull<Head>) {
        self.as_process(context, head, |batch, there, waking| {
            // SAFETY: the future was begun, and is not over.
            unsafe { batch.futures().poll(batch.index(there), batch.place(head), waking) }
        });
    }

    /// Calls `poll` as the process of this head, with everything that comes before and after it.
    #[inline]
    pub(super) fn as_process(
        &self,
        context: &'static Context,
        head: NonNull<Head>,
        poll: impl FnOnce(&Batch, &Head, &mut task::Context<'_>) -> Poll<Over>,
    ) {
        // SAFETY: the process is not over, so the head exists until `finish`.
        let there: &'static Head = unsafe { &*head.as_ptr() };
        // The context becomes this process.
        let batch = Batch::of(there);
        self.polled.set(Some(head));
        let mut rare = there.take_rare();
        context.resume(there, rare.as_mut().map(|rare| &mut rare.kept), batch.retiring());
        let ending = rare.as_mut().and_then(|rare| rare.ending.take());
        if let Some(rare) = rare {
            there.put_rare(rare);
        }
        let waker = there.waker();
        let waking = &mut task::Context::from_waker(&waker);
        // A process whose function is over only waits for its children. Any other is polled.
        let over = match ending {
            Some(ending) => Self::end(there, waking, ending),
            None => match poll(batch, there, waking) {
                Poll::Pending => false,
                Poll::Ready(Over::Whole) => true,
                Poll::Ready(Over::Children(group, outcome)) => {
                    let (work, index) = (batch.work(), batch.index(there));
                    let ending = Box::pin(async move {
                        Ended::new(Arc::clone(&group)).await;
                        let failure = group.take_failure();
                        drop(group);
                        work.futures().expect("it was polled").end(index, outcome, failure);
                    });
                    Self::end(there, waking, ending)
                }
            },
        };
        // The context becomes the host again.
        let kept = context.suspend();
        self.polled.set(None);
        if over {
            drop(kept);
            self.finish(head);
        } else if let Some(kept) = kept {
            there.with_rare(|rare| rare.kept = kept);
        }
    }

    /// Polls the wait for the children of a process whose function is over. Returns `true` if the process is over
    /// too.
    fn end(
        head: &Head,
        waking: &mut task::Context<'_>,
        mut ending: crate::wait::future::Ending,
    ) -> bool {
        let over = ending.as_mut().poll(waking).is_ready();
        if !over {
            head.with_rare(|rare| rare.ending = Some(ending));
        }
        over
    }

    fn finish(&self, head: NonNull<Head>) {
        // SAFETY: the head exists until `Head::end`.
        let batch = NonNull::from(Batch::of(unsafe { head.as_ref() }));
        self.live.set(self.live.get() - 1);
        // SAFETY: the batch is in the list.
        if unsafe { batch.as_ref() }.one_less() {
            self.remove(batch);
        }
        // SAFETY: the process is over, and is not polled again.
        unsafe { Head::end(head) };
    }
}
