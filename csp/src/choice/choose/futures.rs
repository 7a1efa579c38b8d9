//! The futures of choices: one with its guards beside it, and that of an alternation.
#![allow(missing_debug_implementations, reason = "what only macros see")]
#![allow(unsafe_code)]

use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context as Waking, Poll, Waker};

use super::among::{Guards, Order, Site, enabled};
use super::awaited::Choice;
use crate::choice::guard::{Entry, Stand};
use crate::report::termination::Termination;
use crate::wait::blocked::{Blocked, Operation, Want};
use crate::wait::park;

/// Tells what a choice stands for. The choice may have been forgotten, and the channels of some guards may be gone.
fn tell_of<G: Guards + ?Sized>(choice: &Choice, guards: &G, tell: &mut dyn FnMut(Want<'_>)) {
    enabled(guards).filter_map(|(_, guard)| guard.want_standing()).for_each(&mut *tell);
    // A guard that is away waits for a channel that may be gone, too, and nobody here can say who serves that.
    if !choice.offers() {
        // It is about to be woken.
        tell(Want { operation: Operation::Await, object: None });
    }
}

/// A choice that is awaited.
#[must_use = "nothing is chosen until it is awaited"]
pub struct Choose<'a, const N: usize> {
    place: &'static Location<'static>,
    /// None: by priority.
    site: Option<&'static Site>,
    entries: [Entry<'a>; N],
    choice: Choice,
}

/// [`choose`](super::choose), awaited. The guards stay where they are until it is dropped: the macro awaits it at once.
#[inline]
pub fn choose_async<'a, const N: usize>(
    site: &'static Site,
    entries: [Entry<'a>; N],
) -> Choose<'a, N> {
    Choose { place: site.place, site: Some(site), entries, choice: Choice::new() }
}

/// [`first`](super::first), awaited, likewise.
#[inline]
pub fn first_async<'a, const N: usize>(
    site: &'static Site,
    entries: [Entry<'a>; N],
) -> Choose<'a, N> {
    Choose { place: site.place, site: None, entries, choice: Choice::new() }
}

/// Does the same for an operation of this place in the user's code.
pub(crate) fn several_async<'a, const N: usize>(
    entries: [Entry<'a>; N],
    place: &'static Location<'static>,
) -> Choose<'a, N> {
    Choose { place, site: None, entries, choice: Choice::new() }
}

impl<const N: usize> Future for Choose<'_, N> {
    type Output = Result<usize, Termination>;

    fn poll(self: Pin<&mut Self>, waking: &mut Waking<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out of it while it stands.
        let this = unsafe { self.get_unchecked_mut() };
        let wheels = &park::current().wheels;
        let order = match this.site {
            Some(site) => Order::From(wheels.get(site.address())),
            None => Order::Priority,
        };
        let why: *const Self = this;
        // SAFETY: of itself it shows only what does not change.
        let why: &dyn Blocked = unsafe { &*why };
        // SAFETY: it is pinned and borrows the guards, and its drop withdraws them.
        let polled =
            unsafe { this.choice.poll(&this.entries[..], order, this.place, waking.waker(), why) };
        if let (Poll::Ready(Ok(chosen)), Some(site)) = (&polled, this.site) {
            let address = site.address();
            // It may have been replaced since.
            wheels.get(address);
            wheels.set(address, chosen + 1);
        }
        polled
    }
}

impl<const N: usize> Drop for Choose<'_, N> {
    fn drop(&mut self) {
        let why: *const Self = self;
        // SAFETY: as in `poll`.
        self.choice.withdraw(&self.entries[..], unsafe { &*why });
    }
}

impl<const N: usize> Blocked for Choose<'_, N> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell_of(&self.choice, &self.entries[..], tell);
    }

    fn chooses(&self) -> bool {
        N > 1
    }
}

/// The guards and the choice of an [`Alternation`](crate::Alternation) that is awaited. They are apart from it, because the future may
/// be forgotten and the alternation moved.
pub(crate) struct Standing {
    guards: Vec<Option<NonNull<dyn Stand>>>,
    choice: Choice,
    place: &'static Location<'static>,
}

impl Standing {
    pub(crate) fn new(place: &'static Location<'static>) -> Self {
        Self { guards: Vec::new(), choice: Choice::new(), place }
    }

    /// Begins a round.
    ///
    /// # Safety
    /// It is on the heap. The guards are where they are until it is over, or withdrawn.
    pub(crate) unsafe fn begin<'a>(
        &mut self,
        guards: impl Iterator<Item = Option<&'a dyn Stand>>,
        place: &'static Location<'static>,
    ) {
        self.place = place;
        self.choice = Choice::new();
        // SAFETY: only the lifetime changes. The caller promises the rest.
        self.guards.extend(guards.map(|guard| unsafe {
            guard.map(|guard| {
                std::mem::transmute::<NonNull<dyn Stand + 'a>, NonNull<dyn Stand>>(NonNull::from(
                    guard,
                ))
            })
        }));
    }

    /// # Safety
    /// See `begin`.
    pub(crate) unsafe fn poll(
        &mut self,
        order: Order,
        waker: &Waker,
    ) -> Poll<Result<usize, Termination>> {
        let why: *const Self = self;
        // SAFETY: it shows only parts of itself that do not change meanwhile. The caller promises the rest.
        let polled = unsafe { self.choice.poll(&self.guards[..], order, self.place, waker, &*why) };
        if polled.is_ready() {
            self.guards.clear();
        }
        polled
    }

    pub(crate) fn withdraw(&mut self) {
        let why: *const Self = self;
        // SAFETY: as in `poll`.
        self.choice.withdraw(&self.guards[..], unsafe { &*why });
        self.guards.clear();
    }
}

impl Guards for [Option<NonNull<dyn Stand>>] {
    fn len(&self) -> usize {
        <[_]>::len(self)
    }

    fn get(&self, index: usize) -> Option<&dyn Stand> {
        // SAFETY: they are there as long as they are in the list: the promise given to `begin`.
        self[index].map(|guard| unsafe { guard.as_ref() })
    }
}

impl Blocked for Standing {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell_of(&self.choice, &self.guards[..], tell);
    }

    fn chooses(&self) -> bool {
        true
    }
}
