//! Deadlines of futures.

use std::ptr::NonNull;
use std::task::Waker;
use std::time::Instant;

use super::crowd::{Crowd, Timer, this_thread};
use super::head::Head;
use super::wakes::apart;
use crate::sync::Ordering;

/// Wakes the process or stranger that awaits at a deadline, once this is set and until it is dropped. It is dropped
/// before its operation says that it no longer stands.
pub(crate) struct Alarm {
    crowd: &'static Crowd,
    key: (Instant, u64),
}

impl Alarm {
    /// Makes an alarm in a process of this thread. Returns `None` if none runs here, because nobody
    /// would see to the alarm.
    pub(crate) fn new(deadline: Instant, waker: &Waker) -> Option<Self> {
        let crowd = Head::of(waker).map(|head| head.home().crowd);
        let crowd = crowd.or_else(Crowd::here)?;
        let number = crowd.armed.get() + 1;
        crowd.armed.set(number);
        Some(Self { crowd, key: (deadline, number) })
    }

    pub(crate) fn set(self, waker: &Waker) -> Self {
        let timer = match Head::of(waker) {
            Some(head) => Timer::Head(NonNull::from(head)),
            None => Timer::Stranger(waker.clone()),
        };
        self.crowd.timers.borrow_mut().insert(self.key, timer);
        self
    }

    /// Notes that the operation is polled with this waker now.
    pub(crate) fn follow(&self, waker: &Waker) {
        if Head::of(waker).is_some() {
            // It was so before, or the operation would stand anew.
            return;
        }
        let timer = Timer::Stranger(waker.clone());
        let mut timers = self.crowd.timers.borrow_mut();
        let before = timers.get_mut(&self.key).map(|before| std::mem::replace(before, timer));
        drop(timers);
        // A value that is dropped with its waker may have alarms too.
        apart(|| drop(before));
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // Otherwise its thread is ending and has left the crowd, which may be another's by now.
        if self.crowd.thread.load(Ordering::Relaxed) == this_thread() {
            let timer = self.crowd.timers.borrow_mut().remove(&self.key);
            apart(|| drop(timer));
        }
    }
}
