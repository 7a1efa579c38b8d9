//! Buckets: processes fall in and wait until somebody flushes them.
#![allow(unsafe_code)]

use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{self, Poll};

use super::barrier::{Waiting, give_up};
use crate::commit::awaited::Awaited;
use crate::commit::parcel::Parcel;
use crate::commit::queue::Queue;
use crate::commit::stand;
use crate::commit::waiter::{Outcome, Waiter};
use crate::report::place::Place;
use crate::report::termination::Poison;
use crate::sync::{Arc, Lock};
use crate::system::quiet;
use crate::wait::blocked::{Blocked, Needs, Object, Operation, Want};
use crate::wait::future::wakes::Wakes;
use crate::wait::{future, park};
use crate::watch;

/// A bucket: processes wait in it until another process lets them all go.
///
/// `clone` makes another handle to the same bucket. A bucket counts no enrolments: a process that falls in waits
/// until some process flushes the bucket.
///
/// Idea: `Bucket` of JCSP, `BUCKET` of occam-pi.
///
/// ```
/// use csp::{parallel, process, Barrier, Bucket};
///
/// #[process]
/// fn sleeper(bucket: Bucket) {
///     bucket.fall_in();
/// }
/// #[process]
/// fn waker(bucket: Bucket) -> usize {
///     let mut woken = 0;
///     while woken < 3 {
///         woken += bucket.flush();
/// #       csp::sleep(std::time::Duration::from_micros(50));
///     }
///     woken
/// }
///
/// let bucket = Bucket::new();
/// assert_eq!(parallel!(3 * sleeper(bucket.clone()), waker(bucket)).1, 3);
/// ```
#[derive(Clone)]
pub struct Bucket {
    core: Arc<BucketCore>,
}

/// The part of a bucket that all handles share.
struct BucketCore {
    state: Lock<InBucket>,
    birth: &'static Location<'static>,
}

struct InBucket {
    waiting: Queue<(), usize>,
    /// A deadlock has broken the bucket: no process waits here any more.
    broken: Option<Poison>,
}

impl Bucket {
    /// Makes an empty bucket.
    #[track_caller]
    pub fn new() -> Self {
        quiet::watched_by(watch::start);
        let state = InBucket { waiting: Queue::counted(), broken: None };
        let core = BucketCore { state: Lock::new(state), birth: Location::caller() };
        Self { core: Arc::new(core) }
    }

    /// Waits until the bucket is flushed. In a process that unwinds it returns at once.
    ///
    /// # Panics
    /// Panics with a deadlock report if no process is left that could flush the bucket.
    #[track_caller]
    #[doc(alias = "wait")]
    pub fn fall_in(&self) {
        if std::thread::panicking() {
            return;
        }
        let context = park::current();
        let why =
            Waiting { operation: Operation::FallIn, at: &*self.core, place: Location::caller() };
        let state = self.core.state.lock();
        if let Some(poison) = state.broken.clone() {
            drop(state);
            give_up(context, poison);
        }
        if context.is_polled() {
            drop(state);
            park::refuse_to_wait("a bucket", "fall_in_async().await", Location::caller());
        }
        let (waiter, nothing) = (Waiter::single(context), Parcel::empty());
        stand::stand(context, &waiter, state, |state| &mut state.waiting, &nothing, false, &why);
        let broken = self.core.state.lock().broken.clone();
        match broken {
            Some(poison) if waiter.outcome() == Outcome::Ended => give_up(context, poison),
            _ => context.communicated(),
        }
    }

    /// The `async` form of [`fall_in`](Self::fall_in). If the future is dropped before it completes, the process
    /// has left the bucket.
    ///
    /// # Panics
    /// As [`fall_in`](Self::fall_in).
    #[track_caller]
    pub fn fall_in_async(&self) -> impl Future<Output = ()> {
        Falling {
            bucket: &self.core,
            fallen: false,
            awaited: Awaited::new(),
            place: Location::caller(),
        }
    }

    /// Lets all processes in the bucket go. Returns their number.
    #[doc(alias("notify_all", "release"))]
    pub fn flush(&self) -> usize {
        let mut later = Wakes::new();
        let mut state = self.core.state.lock();
        let mut flushed = 0;
        while let Some(process) = state.waiting.commit_first() {
            process.wake_later(&mut later);
            flushed += 1;
        }
        drop(state);
        flushed
    }

    /// Returns the number of processes in the bucket.
    #[doc(alias = "len")]
    pub fn holding(&self) -> usize {
        self.core.state.lock().waiting.len()
    }
}

/// A process in a bucket that awaits a flush.
struct Falling<'a> {
    bucket: &'a BucketCore,
    fallen: bool,
    awaited: Awaited<()>,
    place: &'static Location<'static>,
}

impl Future for Falling<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, waking: &mut task::Context<'_>) -> Poll<()> {
        // SAFETY: nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        let context = park::current();
        if !this.fallen {
            let mut state = this.bucket.state.lock();
            if let Some(poison) = state.broken.clone() {
                drop(state);
                give_up(context, poison);
            }
            this.fallen = true;
            // SAFETY: all of it is pinned, and `drop` withdraws it.
            unsafe {
                this.awaited.stand(waking.waker(), &mut state.waiting, false, this);
            }
            drop(state);
            if !this.awaited.is_strange() {
                return Poll::Pending;
            }
        }
        let Some(outcome) = this.awaited.poll(waking.waker(), this, || this.bucket.state.lock())
        else {
            return Poll::Pending;
        };
        this.awaited.clear(this);
        this.fallen = false;
        let broken = this.bucket.state.lock().broken.clone();
        match broken {
            Some(poison) if outcome == Outcome::Ended => give_up(context, poison),
            _ => context.communicated(),
        }
        Poll::Ready(())
    }
}

impl Drop for Falling<'_> {
    fn drop(&mut self) {
        if self.fallen {
            self.awaited.withdraw(self.bucket.state.lock(), |state| &mut state.waiting);
            self.awaited.clear(self);
        }
    }
}

impl Blocked for Falling<'_> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        // If the offer is not in the queue, the same holds as at a barrier.
        let object = self.awaited.stands().then_some(self.bucket as &dyn Object);
        tell(Want { operation: Operation::FallIn, object });
    }
}

impl Default for Bucket {
    /// Makes a bucket that is known by the place of the call, as one that [`new`](Self::new) makes.
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

// A panic breaks nothing here: no code of the user's runs under the lock, and a process that unwinds has withdrawn its offer.
impl UnwindSafe for Bucket {}
impl RefUnwindSafe for Bucket {}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.core.birth)
    }
}

impl Drop for BucketCore {
    fn drop(&mut self) {
        // In a model no future is leaked, and nobody looks at what is blocked.
        if cfg!(loom) {
            return;
        }
        let mut later = Wakes::new();
        self.state.lock().waiting.end_all(true, &mut later);
        future::unseen();
    }
}

impl Object for BucketCore {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn kind(&self) -> String {
        "bucket".to_owned()
    }

    fn name(&self) -> Option<String> {
        None
    }

    fn birth(&self) -> Place {
        self.birth.into()
    }

    fn needs(&self) -> Needs {
        Needs::Unknown
    }

    fn break_off(&self, poison: &Poison, later: &mut Wakes) {
        let mut state = self.state.lock();
        state.broken = Some(poison.clone());
        state.waiting.end_all(true, later);
    }
}
