//! What a process does with its arguments: a function that waits, or one that gives a future.
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

/// A function that gives a future, whose type is hidden: `fn(A) -> F`, and what is done with an `F`.
pub(crate) struct Awaiting<A, R> {
    function: fn(),
    /// Is never freed.
    table: NonNull<Table<A, R>>,
}

// SAFETY: it is a pointer to functions, which any thread may call.
unsafe impl<A, R> Send for Awaiting<A, R> {}
// SAFETY: as above.
unsafe impl<A, R> Sync for Awaiting<A, R> {}

/// A future of any type.
pub(crate) type Boxed<R> = Pin<Box<dyn Future<Output = R>>>;

struct Table<A, R> {
    layout: Layout,
    /// Calls the function and puts the future at a place.
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

/// What a function `fn(A) -> F` is called by.
struct Of<A, R, F>(std::marker::PhantomData<(A, R, F)>);

impl<A: 'static, R: 'static, F: Future<Output = R> + 'static> Of<A, R, F> {
    const TABLE: &'static Table<A, R> = &Table {
        layout: Layout::new::<F>(),
        begin: Self::begin,
        poll: Self::poll,
        drop: Self::drop,
        boxed: Self::boxed,
    };

    /// # Safety
    /// It is an `fn(A) -> F`.
    unsafe fn call(function: fn(), arguments: A) -> F {
        // SAFETY: the caller's promise; all pointers to functions are alike.
        let function = unsafe { std::mem::transmute::<fn(), fn(A) -> F>(function) };
        function(arguments)
    }

    unsafe fn begin(function: fn(), arguments: A, place: *mut u8) {
        // SAFETY: the callers in `Awaiting` promise that this is the table of that function, and that the place is large
        // enough and free.
        unsafe { place.cast::<F>().write(Self::call(function, arguments)) };
    }

    unsafe fn poll(place: *mut u8, waking: &mut Context<'_>) -> Poll<R> {
        // SAFETY: there is an `F`, which stays there until it is dropped.
        unsafe { Pin::new_unchecked(&mut *place.cast::<F>()) }.poll(waking)
    }

    unsafe fn drop(place: *mut u8) {
        // SAFETY: there is an `F`, which is used no more.
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
        // SAFETY: all pointers to functions are alike, and it is called as what it was.
        let function = unsafe { std::mem::transmute::<fn(A) -> F, fn()>(function) };
        Self { function, table: NonNull::from(Of::<A, R, F>::TABLE) }
    }

    fn table(&self) -> &Table<A, R> {
        // SAFETY: it is a constant.
        unsafe { self.table.as_ref() }
    }

    /// How much room the future takes.
    pub(crate) fn layout(self) -> Layout {
        self.table().layout
    }

    pub(crate) fn boxed(self, arguments: A) -> Boxed<R> {
        // SAFETY: the function is that of the table.
        unsafe { (self.table().boxed)(self.function, arguments) }
    }

    /// Puts the future of these arguments at `place`.
    ///
    /// # Safety
    /// There is room for `layout`, and nothing there.
    pub(crate) unsafe fn begin(self, arguments: A, place: *mut u8) {
        // SAFETY: the caller's promise, and the function is that of the table.
        unsafe { (self.table().begin)(self.function, arguments, place) };
    }

    /// # Safety
    /// `begin` has put it there, and it has not been moved since.
    pub(crate) unsafe fn poll(self, place: *mut u8, waking: &mut Context<'_>) -> Poll<R> {
        // SAFETY: the caller's promise.
        unsafe { (self.table().poll)(place, waking) }
    }

    /// # Safety
    /// As `poll`; it is not there afterwards.
    pub(crate) unsafe fn drop(self, place: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { (self.table().drop)(place) };
    }
}
