//! Futures on a scheduler's thread: a coroutine of it, their host, polls them all.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Poll;

use super::host::{Host, UnstartedFutures};
use crate::backend::coroutines::{self, Guest};
use crate::process::Options;
use crate::process::definition::Definition;
use crate::process::work::{self, There, Work};
use crate::wait::blocked::{Blocked, Want};
use crate::wait::lineage::{Identity, Named};
use crate::wait::park::{self, Context};
use crate::wait::seen::observe::{Activity, Observer, Subject};

/// The wait of a host, which observers do not see as a process. They see the processes that the host polls.
struct HostWaits(&'static Location<'static>);

impl Blocked for HostWaits {
    fn place(&self) -> &'static Location<'static> {
        self.0
    }

    fn wants(&self, _: &mut dyn FnMut(Want<'_>)) {}
}

std::thread_local! {
    static HOST: Cell<Option<&'static Host>> = const { Cell::new(None) };
    /// A coroutine of this thread runs the host, or is about to.
    static RUNS: Cell<bool> = const { Cell::new(false) };
    /// The earlier hook for the end of the thread, which must run too.
    static BEFORE: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// The coroutine that polls. It needs a stack as deep as the deepest future.
static DEFINITION: Definition = Definition::new("futures").stack(1 << 20);

struct Polls {
    host: &'static Host,
    options: Options,
}

impl Named for Polls {
    fn write_name(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str("futures")
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
        self.host.run(context, &HostWaits(Location::caller()));
        RUNS.set(false);
    }

    fn run_away(&self, _: usize, _: &mut dyn There) {
        unreachable!("it is run where it was started");
    }

    fn refuse(&self, _: usize, reason: &str) {
        RUNS.set(false);
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
                if let Some(host) = HOST.get() {
                    host.drop_all(park::current());
                }
                // The scheduler runs everything that is left, and the polling coroutine to its end.
                if let Some(before) = BEFORE.take() {
                    before();
                }
                if let Some(host) = HOST.take() {
                    host.give_back();
                }
            })));
            host
        })
    }

    /// Drops all processes, because the thread ends. Only daemons are alive now. Dropping them withdraws their
    /// operations.
    fn drop_all(&'static self, context: &'static Context) {
        const REASON: &str = "the thread that ran it has ended";
        self.refuse(REASON);
        context.communicated();
        let live: Vec<_> = self.live().map(NonNull::from).collect();
        for head in live {
            self.as_process(context, head, |batch, there, _| {
                let place = batch.place(head);
                // SAFETY: the future was begun there, is not over, and is not being polled now.
                Poll::Ready(unsafe { batch.futures().give_up(batch.index(there), place, REASON) })
            });
        }
        self.crowd.rouse();
    }

    /// Refuses the unstarted processes, because the polling coroutine gets no stack or the thread ends.
    fn refuse(&self, reason: &str) {
        let unstarted = self.unstarted.take();
        for UnstartedFutures { work, next, end, .. } in unstarted {
            for index in next..end {
                work::refuse(&work, index, reason);
            }
        }
    }
}

struct Futures;

impl Guest for Futures {
    fn begin(&self, work: Arc<dyn Work>, next: usize, end: usize) {
        begin(work, next, end);
    }

    fn show(&self, observer: &mut dyn Observer) {
        let Some(host) = HOST.get() else { return };
        for head in host.live() {
            let activity = match head.why() {
                _ if host.polled.get() == Some(NonNull::from(head)) => Activity::Running,
                Some(why) => Activity::Blocked { why, deadline: None },
                None => Activity::Ready,
            };
            observer.process(Subject::Polled(head), activity);
        }
        for UnstartedFutures { work, next, end, .. } in &*host.unstarted.borrow() {
            let first = Identity { of: work.clone(), index: *next };
            observer.unstarted(&first, end - next);
        }
    }

    fn why(&self, address: usize) -> Option<&'static dyn Blocked> {
        let mut heads = HOST.get()?.live();
        heads.find(|head| std::ptr::from_ref(*head).addr() == address)?.why()
    }

    fn take_letters(&self) {
        if let Some(host) = HOST.get() {
            host.crowd.take_letters();
        }
    }
}

/// Starts the processes of `work`, which are futures, on this thread.
pub(in crate::backend) fn start(work: Arc<dyn Work>) {
    let count = work.count();
    begin(work, 0, count);
}

/// Makes the futures known to the schedulers.
#[allow(dead_code, reason = "for schedulers on several cores")]
pub(in crate::backend) fn welcome() {
    coroutines::welcome(&Futures);
}

fn begin(work: Arc<dyn Work>, next: usize, end: usize) {
    // This comes first, because the host's hook for the end of the thread is put on top of the scheduler's.
    coroutines::make_scheduler();
    coroutines::welcome(&Futures);
    let host = Host::of_this_thread();
    host.unstarted.borrow_mut().push_back(UnstartedFutures { work, next, end, batch: None });
    if RUNS.replace(true) {
        host.crowd.rouse();
    } else {
        let options = Options::new(&DEFINITION);
        coroutines::start(Arc::new(Polls { host, options }));
    }
}
