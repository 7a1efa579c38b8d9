//! Looks of other threads at operations that stand, and how their objects outlive them.

use crate::sync::{Ordering, fence};
use crate::system::shared::AtomicUsize;

/// The number of threads that look at operations that stand.
static LOOKS: AtomicUsize = AtomicUsize::new(0);

/// There has been a thread that polls futures. Otherwise no operation stands that a look
/// could find.
pub(super) static ANY: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// A look at operations that stand.
///
/// Invariant: the object of an operation is there for as long as the look lasts, if its offer was found in a queue. The reason:
/// the offer leaves the queue before the object goes, and a call of [`unseen`] comes in between.
pub(super) struct Look;

impl Look {
    pub(super) fn new() -> Self {
        LOOKS.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        Self
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        LOOKS.fetch_sub(1, Ordering::Release);
    }
}

/// Waits until nobody looks at an operation. Called before an object of operations is freed, when none of them is in a queue of it
/// any more.
#[inline]
pub(crate) fn unseen() {
    if ANY.load(Ordering::Relaxed) {
        fence(Ordering::SeqCst);
        while LOOKS.load(Ordering::Acquire) != 0 {
            std::thread::yield_now();
        }
    }
}
