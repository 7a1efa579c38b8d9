//! Chooses between a process that waits and its twin, the `async fn` that awaits.

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

/// Decides which processes of a law are futures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds {
    futures: Futures,
    made: Arc<AtomicUsize>,
    awaiting: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Futures {
    #[default]
    None,
    All,
    /// Every other process, in the order in which they are made.
    Half,
}

std::thread_local! {
    static OF_THIS_LAW: RefCell<Kinds> = RefCell::default();
}

impl Kinds {
    pub(crate) fn new(futures: Futures) -> Self {
        Self { futures, ..Self::default() }
    }

    /// Makes this decide for all processes that this thread makes from now on.
    pub(crate) fn enter(&self) {
        OF_THIS_LAW.with_borrow_mut(|kinds| *kinds = self.clone());
    }

    /// Panics if the processes of a law were all to be futures, but none was.
    pub(crate) fn check(&self) {
        let all = matches!(self.futures, Futures::All);
        assert!(
            !all || self.awaiting.load(Ordering::Relaxed) > 0,
            "none of its processes was a future: say why, by `async: \"…\"`"
        );
    }

    fn next_awaits(&self) -> bool {
        let turn = self.made.fetch_add(1, Ordering::Relaxed);
        let awaits = match self.futures {
            Futures::None => false,
            Futures::All => true,
            Futures::Half => turn.is_multiple_of(2),
        };
        self.awaiting.fetch_add(usize::from(awaits), Ordering::Relaxed);
        awaits
    }
}

/// Returns true if the process that is made now must be the twin that awaits.
#[doc(hidden)]
pub fn awaits() -> bool {
    OF_THIS_LAW.with_borrow(Kinds::next_awaits)
}

/// Replaces `caught!` in a twin. It catches a panic in any poll of the future.
#[doc(hidden)]
pub async fn caught_async<R>(work: impl Future<Output = R>) -> std::thread::Result<R> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// Replaces `iter` in a twin.
#[doc(hidden)]
pub trait Iterate {
    type Iter<'a>: Iterator
    where
        Self: 'a;

    fn iter_async(&self) -> impl Future<Output = Self::Iter<'_>>;
}

/// Collects all values first.
impl<T> Iterate for csp::Reader<T> {
    type Iter<'a>
        = std::vec::IntoIter<T>
    where
        T: 'a;

    async fn iter_async(&self) -> Self::Iter<'_> {
        let mut all = Vec::new();
        while let Ok(value) = self.read_async().await {
            all.push(value);
        }
        all.into_iter()
    }
}

impl<T> Iterate for [T] {
    type Iter<'a>
        = std::slice::Iter<'a, T>
    where
        T: 'a;

    async fn iter_async(&self) -> Self::Iter<'_> {
        self.iter()
    }
}
