//! A process's body: a function that blocks, or a function that returns a future.
#![allow(unsafe_code)]

use std::alloc::Layout;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

/// The body of a process.
pub(crate) enum Body<A, R> {
    Waits(fn(A) -> R),
    Awaits(Awaiting<A, R>),
}

/// A function `fn(A) -> F` that returns a future, with the type `F` hidden. The table says what can be done with an
/// `F`.
pub(crate) struct Awaiting<A, R> {
    function: fn(),
    /// This table is never freed.
    table: NonNull<FutureTable<A, R>>,
}

// SAFETY: the value consists of pointers to functions and constants, which any thread may use.
unsafe impl<A, R> Send for Awaiting<A, R> {}
// SAFETY: as above.
unsafe impl<A, R> Sync for Awaiting<A, R> {}

/// A future of any type.
pub(crate) type Boxed<R> = Pin<Box<dyn Future<Output = R>>>;

struct FutureTable<A, R> {
    layout: Layout,
    /// Calls the function and puts its future at the given place.
    begin: unsafe fn(fn(), A, *mut u8),
    poll: unsafe fn(*mut u8, &mut Context<'_>) -> Poll<R>,
    drop: unsafe fn(*mut u8),
    boxed: unsafe fn(fn(), A) -> Boxed<R>,
}

impl<A, R> Clone for Body<A, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, R> Copy for Body<A, R> {}

impl<A, R> Clone for Awaiting<A, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, R> Copy for Awaiting<A, R> {}

/// The functions of the table for an `fn(A) -> F`.
struct Of<A, R, F>(std::marker::PhantomData<(A, R, F)>);

impl<A: 'static, R: 'static, F: Future<Output = R> + 'static> Of<A, R, F> {
    const TABLE: &'static FutureTable<A, R> = &FutureTable {
        layout: Layout::new::<F>(),
        begin: Self::begin,
        poll: Self::poll,
        drop: Self::drop,
        boxed: Self::boxed,
    };

    /// # Safety
    /// `function` is an `fn(A) -> F`.
    unsafe fn call(function: fn(), arguments: A) -> F {
        // SAFETY: by the caller's promise the pointer is of this type. All pointers to functions have one
        // representation.
        let function = unsafe { std::mem::transmute::<fn(), fn(A) -> F>(function) };
        function(arguments)
    }

    unsafe fn begin(function: fn(), arguments: A, place: *mut u8) {
        // SAFETY: the callers in `Awaiting` promise that this is the table of that function, and that the place is
        // large enough and free.
        unsafe { place.cast::<F>().write(Self::call(function, arguments)) };
    }

    unsafe fn poll(place: *mut u8, waking: &mut Context<'_>) -> Poll<R> {
        // SAFETY: the place holds an `F`, which stays there until it is dropped.
        unsafe { Pin::new_unchecked(&mut *place.cast::<F>()) }.poll(waking)
    }

    unsafe fn drop(place: *mut u8) {
        // SAFETY: the place holds an `F`, which nobody uses afterwards.
        unsafe { place.cast::<F>().drop_in_place() };
    }

    unsafe fn boxed(function: fn(), arguments: A) -> Boxed<R> {
        // SAFETY: as in `begin`.
        Box::pin(unsafe { Self::call(function, arguments) })
    }
}

impl<A, R> Awaiting<A, R> {
    pub(crate) fn of<F: Future<Output = R> + 'static>(function: fn(A) -> F) -> Self
    where
        A: 'static,
        R: 'static,
    {
        // SAFETY: all pointers to functions have one representation. The table casts it back to its own type
        // before the call.
        let function = unsafe { std::mem::transmute::<fn(A) -> F, fn()>(function) };
        Self { function, table: NonNull::from(Of::<A, R, F>::TABLE) }
    }

    fn table(&self) -> &FutureTable<A, R> {
        // SAFETY: the table is a constant.
        unsafe { self.table.as_ref() }
    }

    /// Returns the size and the alignment of the future.
    pub(crate) fn layout(self) -> Layout {
        self.table().layout
    }

    pub(crate) fn boxed(self, arguments: A) -> Boxed<R> {
        // SAFETY: the function belongs to the table.
        unsafe { (self.table().boxed)(self.function, arguments) }
    }

    /// Puts the future of these arguments at `place`.
    ///
    /// # Safety
    /// `place` has room for `layout` and is free.
    pub(crate) unsafe fn begin(self, arguments: A, place: *mut u8) {
        // SAFETY: the caller's promise. The function belongs to the table.
        unsafe { (self.table().begin)(self.function, arguments, place) };
    }

    /// # Safety
    /// `begin` has put the future at `place`, and the future has not been moved since.
    pub(crate) unsafe fn poll(self, place: *mut u8, waking: &mut Context<'_>) -> Poll<R> {
        // SAFETY: the caller's promise.
        unsafe { (self.table().poll)(place, waking) }
    }

    /// # Safety
    /// As for `poll`. Afterwards the place is free.
    pub(crate) unsafe fn drop(self, place: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { (self.table().drop)(place) };
    }
}
