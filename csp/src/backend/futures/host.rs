//! Who polls the futures of a thread.
//!
//! What holds:
//! - A host is touched by one thread only, and polls one process at a time.
//! - A process that is over is in no batch's list of the living, and its future is gone.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};

use super::batch::Batch;
use crate::awaiting::{Crowd, Head};
use crate::blocked::{Blocked, Want};
use crate::park::Context;
use crate::process::group::Ended;
use crate::process::job::{Over, Work};

/// After so many polls it looks at what comes from outside, and lets the other processes of its thread go on.
const TURNS: u32 = 61;

pub(super) struct Host {
    crowd: Crowd,
    unstarted: RefCell<VecDeque<Unstarted>>,
    batches: Cell<Option<NonNull<Batch>>>,
    live: Cell<usize>,
    /// Somebody runs it, or is about to; for coroutines.
    #[allow(dead_code, reason = "there may be none")]
    runs: Cell<bool>,
    polled: Cell<Option<NonNull<Head>>>,
}

/// The processes of `work` from `next` on have not started.
struct Unstarted {
    work: Arc<dyn Work>,
    next: usize,
    /// Where the next will lie.
    batch: Option<NonNull<Batch>>,
}

// SAFETY: only its thread touches it, but for what `Crowd` lets others do. One that no thread has is handed on, through a
// mutex, to another.
unsafe impl Sync for Host {}

static UNUSED: Mutex<Vec<&'static Host>> = Mutex::new(Vec::new());

impl Host {
    /// One for this thread.
    fn take() -> &'static Self {
        let unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let host = unused.unwrap_or_else(|| {
            Box::leak(Box::new(Self {
                crowd: Crowd::new(),
                unstarted: RefCell::default(),
                batches: Cell::new(None),
                live: Cell::new(0),
                runs: Cell::new(false),
                polled: Cell::new(None),
            }))
        });
        host.crowd.join_thread();
        host
    }

    /// The thread needs it no more.
    fn give_back(&'static self) {
        self.crowd.leave_thread();
        // What is still blocked was told to keep nothing alive, and stays as it is for ever.
        if self.live.get() == 0 && self.unstarted.borrow().is_empty() {
            UNUSED.lock().unwrap_or_else(PoisonError::into_inner).push(self);
        }
    }

    /// Polls them until none is left.
    fn run(&'static self, context: &'static Context, why: &dyn Blocked) {
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
        let batch = unstarted
            .batch
            .take()
            .unwrap_or_else(|| self.add(&unstarted.work, unstarted.next, usize::MAX));
        // SAFETY: it is in the list, as it is not full.
        let there = unsafe { batch.as_ref() };
        let head = there.begin();
        self.live.set(self.live.get() + 1);
        unstarted.next += 1;
        if !there.is_full() {
            unstarted.batch = Some(batch);
        }
        if unstarted.next < unstarted.work.count() {
            self.unstarted.borrow_mut().push_back(unstarted);
        } else {
            // Not after the process, of whose job it might be the last: that holds what is the user's.
            drop(unstarted);
        }
        self.begin(context, head);
        true
    }

    fn add(&self, work: &Arc<dyn Work>, first: usize, most: usize) -> NonNull<Batch> {
        let batch = Batch::new(self.crowd(), Arc::clone(work), first, most);
        let next = self.batches.replace(Some(batch));
        // SAFETY: both are in the list.
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
        // SAFETY: what is in the list is there.
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
        // SAFETY: its place in the list.
        unsafe { Batch::release(batch) };
    }

    /// Its processes that are not over. For who looks at it while it does nothing else.
    fn live(&'static self) -> impl Iterator<Item = &'static Head> {
        // SAFETY: what is in the list is there.
        let batch = |batch: NonNull<Batch>| unsafe { &*batch.as_ptr() };
        let all = std::iter::successors(self.batches.get().map(batch), move |last: &&Batch| {
            last.next.get().map(batch)
        });
        // SAFETY: as above.
        all.flat_map(|batch| batch.live().map(|head| unsafe { &*head.as_ptr() }))
    }

    /// Makes the future of a head, and polls it for the first time.
    fn begin(&self, context: &'static Context, head: NonNull<Head>) {
        self.as_process(context, head, |batch, there, waking| {
            let (index, place) = (batch.index(there), batch.place(head));
            // SAFETY: it has just been made, and there is nothing at its place.
            match unsafe { batch.futures().begin(index, place) } {
                Some(over) => Poll::Ready(over),
                // SAFETY: it is there now.
                None => unsafe { batch.futures().poll(index, place, waking) },
            }
        });
    }

    #[inline]
    fn poll(&self, context: &'static Context, head: NonNull<Head>) {
        self.as_process(context, head, |batch, there, waking| {
            // SAFETY: it was begun, and is not over.
            unsafe { batch.futures().poll(batch.index(there), batch.place(head), waking) }
        });
    }

    /// Does what `poll` says as the process of this head, whatever comes before and after it.
    #[inline]
    fn as_process(
        &self,
        context: &'static Context,
        head: NonNull<Head>,
        poll: impl FnOnce(&Batch, &Head, &mut task::Context<'_>) -> Poll<Over>,
    ) {
        // SAFETY: it is not over, and so there until `finish`.
        let there: &'static Head = unsafe { &*head.as_ptr() };
        let batch = Batch::of(there);
        self.polled.set(Some(head));
        let mut rare = there.take_rare();
        context.resume(there, rare.as_mut().map(|rare| &mut rare.kept), batch.retires_on_panic());
        let ending = rare.as_mut().and_then(|rare| rare.ending.take());
        if let Some(rare) = rare {
            there.put_rare(rare);
        }
        let waker = there.waker();
        let waking = &mut task::Context::from_waker(&waker);
        let over = match ending {
            Some(ending) => self.end(batch, there, waking, ending),
            None => match poll(batch, there, waking) {
                Poll::Pending => false,
                Poll::Ready(Over::Whole) => true,
                Poll::Ready(Over::Children(group, outcome)) => {
                    let ending = Box::pin(async move {
                        Ended::new(Arc::clone(&group)).await;
                        (outcome, group.take_failure())
                    });
                    self.end(batch, there, waking, ending)
                }
            },
        };
        let kept = context.suspend();
        self.polled.set(None);
        if over {
            drop(kept);
            self.finish(head);
        } else if let Some(kept) = kept {
            there.with_rare(|rare| rare.kept = kept);
        }
    }

    /// Waits for the children of a process whose function is over. True: so is the process.
    fn end(
        &self,
        batch: &Batch,
        head: &Head,
        waking: &mut task::Context<'_>,
        mut ending: crate::awaiting::Ending,
    ) -> bool {
        match ending.as_mut().poll(waking) {
            Poll::Ready((outcome, failure)) => {
                drop(ending);
                batch.futures().end(batch.index(head), outcome, failure);
                true
            }
            Poll::Pending => {
                head.with_rare(|rare| rare.ending = Some(ending));
                false
            }
        }
    }

    fn finish(&self, head: NonNull<Head>) {
        // SAFETY: until `Head::end` it is there.
        let batch = NonNull::from(Batch::of(unsafe { head.as_ref() }));
        self.live.set(self.live.get() - 1);
        // SAFETY: it is in the list.
        if unsafe { batch.as_ref() }.one_less() {
            self.remove(batch);
        }
        // SAFETY: it is over, and not polled again.
        unsafe { Head::end(head) };
    }
}

/// Runs one process of `work`, which is a future, on this thread.
#[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
pub(in crate::backend) fn run_alone(work: &Arc<dyn Work>, index: usize) {
    crate::process::job::as_process(work, index, || {
        let context = crate::park::current();
        let host = Host::take();
        let batch = host.add(work, index, 1);
        // SAFETY: it is in the list until its process is over.
        let head = unsafe { batch.as_ref() }.begin();
        host.live.set(1);
        host.begin(context, head);
        host.run(context, &Alone(host));
        host.give_back();
    });
}

/// A host whose one process waits; that is what is seen.
#[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
struct Alone(&'static Host);

#[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
impl Alone {
    /// Called while the thread of the host sleeps.
    fn look<T>(&self, look: impl FnOnce(&dyn Blocked) -> T) -> Option<T> {
        self.0.live().next().map(|head| look(head))
    }
}

#[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
impl Blocked for Alone {
    fn place(&self) -> &'static Location<'static> {
        self.look(|head| head.place()).unwrap_or(Location::caller())
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        self.look(|head| head.wants(tell));
    }

    fn chooses(&self) -> bool {
        self.look(|head| head.chooses()).unwrap_or(false)
    }
}

/// A host that waits is no process to be seen; those are that it polls.
#[cfg(all(feature = "coroutines", not(loom)))]
struct Hidden(&'static Location<'static>);

#[cfg(all(feature = "coroutines", not(loom)))]
impl Blocked for Hidden {
    fn place(&self) -> &'static Location<'static> {
        self.0
    }

    fn wants(&self, _: &mut dyn FnMut(Want<'_>)) {}
}

#[cfg(all(feature = "coroutines", not(loom)))]
mod on_coroutine {
    use std::cell::Cell;
    use std::fmt;
    use std::panic::Location;
    use std::ptr::NonNull;
    use std::sync::Arc;

    use super::{Hidden, Host, Unstarted};
    use crate::backend::coroutines;
    use crate::blocked::Blocked;
    use crate::park::{self, Activity, Identity, Named, Observer, Subject};
    use crate::process::Options;
    use crate::process::definition::Definition;
    use crate::process::job::{There, Work};

    std::thread_local! {
        static HOST: Cell<Option<&'static Host>> = const { Cell::new(None) };
        /// What else is to be done when the thread ends.
        static BEFORE: Cell<Option<fn()>> = const { Cell::new(None) };
    }

    /// The coroutine that polls: it needs a stack as deep as the deepest future.
    static DEFINITION: Definition = Definition::new("futures").stack(1 << 20);

    struct Polls {
        host: &'static Host,
        options: Options,
    }

    impl Named for Polls {
        fn write_name(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
            out.write_str("futures")
        }

        fn write_path(&self, index: usize, out: &mut dyn fmt::Write) -> fmt::Result {
            self.write_name(index, out)
        }

        fn is_daemon(&self) -> bool {
            true
        }
    }

    impl Work for Polls {
        fn options(&self) -> &Options {
            &self.options
        }

        fn count(&self) -> usize {
            1
        }

        fn run(&self, _: usize) {
            let context = park::current();
            context.be_nobody();
            self.host.run(context, &Hidden(Location::caller()));
            self.host.runs.set(false);
        }

        fn run_away(&self, _: usize, _: &mut dyn There) {
            unreachable!("it is run where it was started");
        }

        fn refuse(&self, _: usize, reason: &str) {
            self.host.runs.set(false);
            self.host.refuse(reason);
        }

        fn is_seen(&self) -> bool {
            false
        }
    }

    impl Host {
        fn of_this_thread() -> &'static Self {
            HOST.get().unwrap_or_else(|| {
                let host = Self::take();
                HOST.set(Some(host));
                BEFORE.set(park::current().at_exit.replace(Some(|| {
                    if let Some(host) = HOST.take() {
                        host.give_back();
                    }
                    if let Some(before) = BEFORE.take() {
                        before();
                    }
                })));
                host
            })
        }

        /// There is no stack for who polls them.
        fn refuse(&self, reason: &str) {
            let unstarted = self.unstarted.take();
            for Unstarted { work, next, .. } in unstarted {
                for index in next..work.count() {
                    crate::process::job::refuse(&work, index, reason);
                }
                crate::process::job::drop_quietly(work);
            }
        }
    }

    /// Shows those of this thread, which is asked by who looks at all.
    pub(in crate::backend) fn show(observer: &mut dyn Observer) {
        let Some(host) = HOST.get() else { return };
        for head in host.live() {
            let activity = match head.why() {
                _ if host.polled.get() == Some(NonNull::from(head)) => Activity::Running,
                Some(why) => Activity::Blocked { why, deadline: None },
                None => Activity::Ready,
            };
            observer.process(Subject::Polled(head), activity);
        }
        for Unstarted { work, next, .. } in &*host.unstarted.borrow() {
            let first = Identity { of: work.clone(), index: *next };
            observer.unstarted(&first, work.count() - next);
        }
    }

    /// What the process of this address waits for, if it is one of this thread and blocked.
    pub(in crate::backend) fn why(address: usize) -> Option<&'static dyn Blocked> {
        let mut heads = HOST.get()?.live();
        heads.find(|head| std::ptr::from_ref(*head).addr() == address)?.why()
    }

    /// Takes in what wakes those of this thread, and nothing else.
    pub(in crate::backend) fn take_letters() {
        if let Some(host) = HOST.get() {
            host.crowd.take_letters();
        }
    }

    /// Starts the processes of `work`, which are futures, on this thread.
    pub(in crate::backend) fn start(work: Arc<dyn Work>) {
        // First: what ends with the thread is put upon what the scheduler does then.
        coroutines::make_scheduler();
        let host = Host::of_this_thread();
        host.unstarted.borrow_mut().push_back(Unstarted { work, next: 0, batch: None });
        if host.runs.replace(true) {
            host.crowd.rouse();
        } else {
            let options = Options::new(&DEFINITION);
            coroutines::start(Arc::new(Polls { host, options }));
        }
    }
}

#[cfg(all(feature = "coroutines", not(loom)))]
pub(in crate::backend) use on_coroutine::{show, start, take_letters, why};
