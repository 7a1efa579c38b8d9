//! Words that the threads of all schedulers share: the types of `std`. In a build with `--cfg csp_count_shared` each write to one is
//! counted, because a write takes the cache line from all other cores: see `ci/shared.sh`.

#[cfg(not(csp_count_shared))]
#[allow(unused_imports, reason = "for a backend that may not be compiled in")]
pub(crate) use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize},
};

#[cfg(csp_count_shared)]
#[allow(unused_imports, reason = "for a backend that may not be compiled in")]
pub(crate) use self::counting::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Mutex, writes,
};

/// Counts a write to another word that all share.
#[inline(always)]
pub(crate) fn wrote() {
    #[cfg(csp_count_shared)]
    counting::count();
}

#[cfg(csp_count_shared)]
mod counting {
    use std::sync::atomic::{self, Ordering};
    use std::sync::{LockResult, MutexGuard};

    static WRITES: atomic::AtomicU64 = atomic::AtomicU64::new(0);

    pub(super) fn count() {
        WRITES.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many writes there were.
    pub(crate) fn writes() -> u64 {
        WRITES.load(Ordering::Relaxed)
    }

    /// A thread that takes a lock writes to it, and has its line when it gives the lock back.
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(data: T) -> Self {
            Self(std::sync::Mutex::new(data))
        }

        pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            count();
            self.0.lock()
        }
    }

    macro_rules! counted {
        ($($word:ident[$($of:ident)?] $value:ty { $($name:ident),* })*) => {$(
            #[derive(Debug)]
            pub(crate) struct $word$(<$of>)?(atomic::$word$(<$of>)?);

            #[allow(dead_code, reason = "as those of std")]
            impl$(<$of>)? $word$(<$of>)? {
                pub(crate) const fn new(value: $value) -> Self {
                    Self(atomic::$word::new(value))
                }

                pub(crate) fn load(&self, order: Ordering) -> $value {
                    self.0.load(order)
                }

                pub(crate) fn store(&self, value: $value, order: Ordering) {
                    count();
                    self.0.store(value, order);
                }

                pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                    count();
                    self.0.swap(value, order)
                }

                pub(crate) fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    count();
                    self.0.compare_exchange(current, new, success, failure)
                }

                pub(crate) fn fetch_update(
                    &self,
                    success: Ordering,
                    failure: Ordering,
                    update: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    count();
                    self.0.fetch_update(success, failure, update)
                }

                $(pub(crate) fn $name(&self, value: $value, order: Ordering) -> $value {
                    count();
                    self.0.$name(value, order)
                })*
            }
        )*};
    }

    counted! {
        AtomicBool[] bool {}
        AtomicPtr[T] *mut T {}
        AtomicU32[] u32 { fetch_add, fetch_sub, fetch_max }
        AtomicU64[] u64 { fetch_add, fetch_sub, fetch_max }
        AtomicUsize[] usize { fetch_add, fetch_sub, fetch_max }
    }
}
