//! Batches: the memory in which the futures of processes lie. A batch holds many futures of one job, each behind
//! its head (its task header).
//!
//! Invariant: `refs` counts the heads that have been made and not freed, and in addition the batch's place in the
//! list of its host. The batch is in that list until all its processes are over.
#![allow(unsafe_code)]

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::process::work::{Futures, Work};
use crate::wait::future::{Crowd, Head, Home};
use crate::wait::lineage::Identity;
use crate::wait::park::Retiring;

/// The size of a batch, in bytes.
const SIZE: usize = 32 << 10;

#[repr(C)]
pub(super) struct Batch {
    /// This field comes first, because heads point at it.
    home: Home,
    work: Arc<dyn Work>,
    retiring: Retiring,
    /// The index of the first process.
    first: usize,
    places: usize,
    begun: Cell<usize>,
    live: Cell<usize>,
    refs: AtomicUsize,
    /// The offset of the first cell, and the distance from one cell to the next.
    start: usize,
    stride: usize,
    future: usize,
    layout: Layout,
    /// The neighbours in the list of the host.
    pub(super) next: Cell<Option<NonNull<Batch>>>,
    pub(super) previous: Cell<Option<NonNull<Batch>>>,
}

impl Batch {
    /// Makes room for processes of `work` from the index `first` on.
    pub(super) fn new(
        crowd: &'static Crowd,
        work: Arc<dyn Work>,
        first: usize,
        most: usize,
    ) -> NonNull<Self> {
        // A cell is a head with its future behind it.
        let future = work.futures().expect("they are futures").layout();
        let (cell, offset) = Layout::new::<Head>().extend(future).expect("a size in bytes");
        let cell = cell.pad_to_align();
        let places = (work.count() - first).min(most).min((SIZE / cell.size()).max(1));
        let cells = Layout::from_size_align(cell.size() * places, cell.align());
        let (layout, start) =
            Layout::new::<Self>().extend(cells.expect("a size")).expect("a size in bytes");
        // SAFETY: the size is not 0.
        let place = NonNull::new(unsafe { alloc::alloc(layout) }.cast::<Self>());
        let Some(place) = place else { alloc::handle_alloc_error(layout) };
        // Heads find the executor and their names through `home`.
        let home = Home {
            crowd,
            identity: |head| Self::of(head).identity(head),
            named: |head| {
                let batch = Self::of(head);
                (&*batch.work, batch.index(head))
            },
            free: Self::free,
        };
        let batch = Self {
            home,
            retiring: work.options().retiring(),
            work,
            first,
            places,
            begun: Cell::new(0),
            live: Cell::new(0),
            refs: AtomicUsize::new(1),
            stride: cell.size(),
            start,
            future: offset,
            layout,
            next: Cell::new(None),
            previous: Cell::new(None),
        };
        // SAFETY: the place has been allocated for this.
        unsafe { place.write(batch) };
        place
    }

    /// Returns the batch that a head lies in.
    pub(super) fn of(head: &Head) -> &Self {
        // SAFETY: `begin` makes all heads, with a home that is the first field of a batch.
        unsafe { &*std::ptr::from_ref(head.home()).cast() }
    }

    pub(super) fn futures(&self) -> &dyn Futures {
        self.work.futures().expect("they are futures")
    }

    pub(super) fn work(&self) -> Arc<dyn Work> {
        Arc::clone(&self.work)
    }

    pub(super) fn retiring(&self) -> Retiring {
        self.retiring
    }

    fn cell(&self, number: usize) -> NonNull<Head> {
        // SAFETY: the cell lies in the allocation.
        unsafe { NonNull::from(self).cast::<u8>().add(self.start + number * self.stride).cast() }
    }

    pub(super) fn index(&self, head: &Head) -> usize {
        let distance = std::ptr::from_ref(head).addr() - std::ptr::from_ref(self).addr();
        self.first + (distance - self.start) / self.stride
    }

    pub(super) fn identity(&self, head: &Head) -> Identity {
        Identity { of: self.work.clone(), index: self.index(head) }
    }

    /// Returns the place of a head's future.
    pub(super) fn place(&self, head: NonNull<Head>) -> *mut u8 {
        // SAFETY: the place lies in the same cell.
        unsafe { head.cast::<u8>().add(self.future).as_ptr() }
    }

    /// Makes the next head. Its future is not there yet.
    pub(super) fn begin(&self) -> NonNull<Head> {
        let number = self.begun.get();
        assert!(number < self.places, "there is room for it");
        self.begun.set(number + 1);
        self.live.set(self.live.get() + 1);
        self.refs.fetch_add(1, Ordering::Relaxed);
        let head = self.cell(number);
        // SAFETY: the place is free, and a batch is not freed before its heads.
        unsafe { head.write(Head::new(NonNull::from(&self.home))) };
        head
    }

    pub(super) fn is_full(&self) -> bool {
        self.begun.get() == self.places
    }

    /// Records that one of its processes is over. Returns `true` if all are over and no further one will be begun.
    pub(super) fn one_less(&self) -> bool {
        self.live.set(self.live.get() - 1);
        self.live.get() == 0 && self.is_full()
    }

    /// Returns its processes that are not over.
    pub(super) fn live(&self) -> impl Iterator<Item = NonNull<Head>> {
        let heads = (0..self.begun.get()).map(|number| self.cell(number));
        // SAFETY: as long as the batch is in its list, it has the heads that were begun.
        heads.filter(|head| unsafe { !head.as_ref().is_over() })
    }

    /// Gives up one share: its place in the list, or that of a head.
    ///
    /// # Safety
    /// The caller owns the share, and does not use the batch afterwards.
    pub(super) unsafe fn release(this: NonNull<Self>) {
        // `AcqRel` replaces a fence before the batch is freed, because ThreadSanitizer does not know fences.
        // SAFETY: the batch exists until here.
        if unsafe { this.as_ref() }.refs.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: this was the last share.
            let Self { work, layout, .. } = unsafe { this.read() };
            // SAFETY: the layout is that of the allocation.
            unsafe { alloc::dealloc(this.as_ptr().cast(), layout) };
            drop(work);
        }
    }

    /// # Safety
    /// See [`Home::free`].
    unsafe fn free(head: NonNull<Head>) {
        // SAFETY: the head still exists.
        let batch = NonNull::from(Self::of(unsafe { head.as_ref() }));
        // SAFETY: nobody uses the head any more.
        unsafe { head.drop_in_place() };
        // SAFETY: this is the head's share.
        unsafe { Self::release(batch) };
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} × {})", self.places, self.work.name(self.first))
    }
}
