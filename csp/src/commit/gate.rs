//! A gate that opens once.

use std::task::Waker;

use crate::sync::Lock;
use crate::wait::future::wakes::apart;

/// A gate, which a writer awaits after an extended read has taken its value. It is apart from the writer, which may be dropped.
pub(crate) struct Gate(Lock<Gated>);

struct Gated {
    open: bool,
    waker: Option<Waker>,
    _counted: Counted,
}

/// In a model: how many gates and promises there are.
#[cfg(loom)]
pub(crate) mod shares {
    std::thread_local! {
        pub(crate) static COUNT: std::cell::Cell<isize> = const { std::cell::Cell::new(0) };
    }
}

pub(super) struct Counted;

impl Counted {
    pub(super) fn new() -> Self {
        #[cfg(loom)]
        shares::COUNT.set(shares::COUNT.get() + 1);
        Self
    }
}

#[cfg(loom)]
impl Drop for Counted {
    fn drop(&mut self) {
        shares::COUNT.set(shares::COUNT.get() - 1);
    }
}

impl Gate {
    pub(super) fn new() -> Self {
        Self(Lock::new(Gated { open: false, waker: None, _counted: Counted::new() }))
    }

    pub(super) fn open(&self) {
        let mut gated = self.0.lock();
        gated.open = true;
        let waker = gated.waker.take();
        drop(gated);
        if let Some(waker) = waker {
            apart(|| waker.wake());
        }
    }

    /// Returns whether it is open.
    pub(crate) fn poll(&self, waker: &Waker) -> bool {
        // A waker is the user's code: it is cloned and dropped where no lock is held.
        let waker = waker.clone();
        let mut gated = self.0.lock();
        let spare = if gated.open { Some(waker) } else { gated.waker.replace(waker) };
        let open = gated.open;
        drop(gated);
        drop(spare);
        open
    }
}
