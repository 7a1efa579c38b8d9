//! The two parts of a stream or a sink: its operation, and its end. They may move between threads.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr::NonNull;

use crate::channel::ends::End;
use crate::report::termination::Termination;
use crate::wait::park;

/// An operation in a place of its own on the heap. Other threads point at its offer, and its owner may move meanwhile. It is no `Box`,
/// because a box that moves says that nothing points into it.
pub(super) struct Housed<O>(NonNull<O>);

impl<O> Housed<O> {
    pub(super) fn new(operation: O) -> Self {
        Self(NonNull::from(Box::leak(Box::new(operation))))
    }

    pub(super) fn get(&self) -> &O {
        // SAFETY: it is there until the drop. Its owner is borrowed.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn pinned(&mut self) -> Pin<&mut O> {
        // SAFETY: as above, and it stays in its place until it is dropped there.
        unsafe { Pin::new_unchecked(self.0.as_mut()) }
    }
}

impl<O> Drop for Housed<O> {
    fn drop(&mut self) {
        // SAFETY: `new` has made it, and nobody else drops it. It is dropped in its place, and only then the place goes.
        unsafe {
            self.0.drop_in_place();
            drop(Box::from_raw(self.0.cast::<MaybeUninit<O>>().as_ptr()));
        }
    }
}

/// An end that a task has. It is dropped on any thread, so it leaves nothing behind that concerns the thread alone.
pub(super) struct TaskEnd<T> {
    end: End<T>,
    retires_on_panic: bool,
}

impl<T> TaskEnd<T> {
    pub(super) fn new(end: End<T>) -> Self {
        Self { end, retires_on_panic: false }
    }

    pub(super) fn retire_on_panic(&mut self) {
        self.retires_on_panic = true;
    }

    /// The end, which is used.
    pub(super) fn get(&self) -> &End<T> {
        &self.end
    }

    /// Gives the end up, now.
    pub(super) fn retire(mut self) {
        self.end.used.mark();
        self.end.retired = true;
    }
}

impl<T> Clone for TaskEnd<T> {
    fn clone(&self) -> Self {
        Self { end: self.end.clone(), retires_on_panic: self.retires_on_panic }
    }
}

impl<T> Drop for TaskEnd<T> {
    fn drop(&mut self) {
        // In a model nobody survives a panic.
        if cfg!(loom) && std::thread::panicking() {
            return;
        }
        let retires = self.end.retired || (self.retires_on_panic && std::thread::panicking());
        if !retires && let poison @ Termination::Poisoned(_) = park::current().legacy_of_task() {
            self.end.used.mark();
            self.end.core.poison(poison);
        }
        // That was all it had to say.
        self.end.retired = true;
    }
}
