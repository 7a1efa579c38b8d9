//! Operations that are offered beyond this OS process: alone, or among the guards of an alternation.

use std::time::Instant;

use super::asking::Asking;
use super::bytes::Bytes;
use super::few::Few;
use super::names::Offer;
use super::node::{Came, How, Received, Remote, Slot};
use crate::commit::waiter::{BEYOND, Outcome, Waiter};
use crate::report::termination::{Fate, Termination};
use crate::system::possible::{Doubt, Kept, Possible};
use crate::wait::blocked::Blocked;
use crate::wait::park::Context;

/// One operation with one guard, for good or ill.
pub(super) fn operate(
    node: &'static dyn Remote,
    context: &'static Context,
    offer: Offer<Bytes>,
    why: &dyn Blocked,
) -> Result<(u64, Came), Termination> {
    let waiter = Waiter::single(context);
    let slot = Slot::new();
    let leads = waiter.is_of_thread() && !node.is_home_of(offer.channel()) && node.choose();
    let how = if leads { How::Led } else { How::Alone };
    // SAFETY: both stay here until the operation is over.
    let begun = unsafe { node.begin(Few::one((0, offer)), &waiter, &slot, how) };
    if !begun.over {
        waiter.wait(why, None);
    }
    if leads {
        node.discharge();
    }
    // A single guard is done, or its channel has ended. Otherwise this thread ends, and has taken the operation back.
    slot.take().map(|came| (begun.op, came)).ok_or_else(|| {
        context.dismiss();
        Termination::Retired
    })
}

/// A guard's offer beyond this OS process. If it is dropped unused, the ends in it are dropped.
pub(crate) struct Post {
    node: &'static dyn Remote,
    offer: Option<Offer<Bytes>>,
    possible: Possible,
}

impl Post {
    pub(super) fn new(node: &'static dyn Remote, offer: Offer<Bytes>, possible: Possible) -> Self {
        Self { node, offer: Some(offer), possible }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        if let Some(Offer::Write { parcel, .. }) = self.offer.take() {
            for token in parcel.tokens {
                self.node.discard(token);
            }
        }
    }
}

/// A guard that was performed beyond this OS process.
pub(crate) struct Done {
    pub(super) op: u64,
    pub(super) received: Option<Received>,
}

impl Done {
    pub(crate) fn new(op: u64, received: Option<Received>) -> Self {
        Self { op, received }
    }
}

/// The part of an alternation that is beyond this OS process.
pub(crate) struct Beyond {
    offers: Vec<(u16, Offer<Bytes>)>,
    /// The guard of each offer.
    guards: Vec<usize>,
    node: &'static dyn Remote,
    slot: Slot,
    op: u64,
    possible: Possible,
}

/// The same part of an alternation that is awaited.
pub(crate) struct AskedBeyond {
    pub(crate) beyond: Beyond,
    pub(crate) asking: Asking,
}

/// The outcome of that part.
pub(crate) enum Became {
    /// This guard was performed.
    Done(usize, Done),
    /// These guards can't be performed any more. A value that one of them would have written may be in doubt.
    Ended(Vec<usize>, Termination, Option<Doubt>),
    Nothing,
}

/// The number by which a waiter is committed to an offer of its node.
pub(crate) fn number(offer: u16) -> u32 {
    BEYOND + u32::from(offer)
}

impl Drop for Beyond {
    fn drop(&mut self) {
        let (node, possible) = (self.node, self.possible);
        self.offers.drain(..).for_each(|(_, offer)| drop(Post::new(node, offer, possible)));
    }
}

impl Beyond {
    /// Makes the part of at most `most` guards. The first of them offers `post`.
    pub(crate) fn new(most: usize, guard: usize, post: Post) -> Self {
        let (offers, guards) = (Vec::with_capacity(most), Vec::with_capacity(most));
        let (node, possible) = (post.node, post.possible);
        let mut beyond = Self { offers, guards, node, slot: Slot::new(), op: 0, possible };
        beyond.add(guard, post);
        beyond
    }

    pub(crate) fn add(&mut self, guard: usize, mut post: Post) {
        if let Some(offer) = post.offer.take() {
            self.offers.push((self.guards.len() as u16, offer));
            self.guards.push(guard);
        }
    }

    pub(crate) fn has(&self, guard: usize) -> bool {
        self.guards.contains(&guard)
    }

    /// Keeps it for a choice that is awaited, with the operation that its guards are offered in. Returns it with the offers.
    pub(crate) fn kept(mut self) -> (Kept<AskedBeyond>, Few<(u16, Offer<Bytes>)>) {
        let (offers, asking, possible) = (self.offers(), Asking::new(self.node), self.possible);
        (Kept::new(AskedBeyond { beyond: self, asking }, possible), offers)
    }

    fn offers(&mut self) -> Few<(u16, Offer<Bytes>)> {
        match self.offers.len() {
            1 => self.offers.pop().map_or_else(Few::new, Few::one),
            _ => std::mem::take(&mut self.offers).into(),
        }
    }

    /// Offers all of them together, and waits until one of them is performed, or the waiter was committed to another guard, or
    /// the deadline has come. It is `mixed` if there are other guards, at which the waiter stands.
    pub(crate) fn wait(
        &mut self,
        waiter: &Waiter,
        mixed: bool,
        why: &dyn Blocked,
        deadline: Option<Instant>,
    ) -> Outcome {
        let how = if mixed { How::Mixed } else { How::Alone };
        let offers = self.offers();
        // SAFETY: both stay where they are until the operation is over or taken back, below. Nothing unwinds in between.
        let begun = unsafe { self.node.begin(offers, waiter, &self.slot, how) };
        self.op = begun.op;
        let outcome = match waiter.decided().filter(|_| begun.over) {
            Some(outcome) => outcome,
            None if mixed => waiter.wait(why, deadline),
            None => waiter.wait_or(why, deadline, || self.node.withdraw(begun.op)),
        };
        if mixed {
            self.node.take_back(begun.op);
        }
        outcome
    }

    /// Asks what can be had now.
    pub(crate) fn ask(&mut self, context: &'static Context, why: &dyn Blocked) {
        if context.is_polled() {
            crate::wait::park::refuse_to_wait(
                "an attempt at a channel that another OS process has ends of",
                "end.read_timeout_async(Duration::ZERO).await",
                why.place(),
            );
        }
        let waiter = Waiter::single(context);
        let offers = self.offers();
        // SAFETY: as above.
        let begun = unsafe { self.node.begin(offers, &waiter, &self.slot, How::Poll) };
        self.op = begun.op;
        if !begun.over {
            waiter.wait(why, None);
        }
    }

    /// Returns whether the waiter was committed to one of these, and not to another guard.
    pub(crate) fn is_for(index: u32) -> bool {
        index >= BEYOND
    }

    pub(crate) fn became(&mut self) -> Became {
        self.became_by(self.op, self.slot.take())
    }

    /// Returns the outcome of the operation `op` with these guards.
    pub(crate) fn became_by(&self, op: u64, came: Option<Came>) -> Became {
        match came {
            None => Became::Nothing,
            Some(Came::Done { guard, parcel }) => match self.guards.get(usize::from(guard)) {
                Some(guard) => Became::Done(*guard, Done { op, received: parcel }),
                None => Became::Nothing,
            },
            Some(Came::Ended { guard, ending, fate }) => {
                let termination = self.node.termination(&ending);
                let doubt = (fate == Fate::Unknown).then(|| Doubt::new(self.possible));
                let guards = match (&termination, self.guards.get(usize::from(guard))) {
                    (Termination::Poisoned(_), Some(guard)) => vec![*guard],
                    _ => self.guards.clone(),
                };
                Became::Ended(guards, termination, doubt)
            }
        }
    }
}
