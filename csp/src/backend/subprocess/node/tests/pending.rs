//! Writes that their process may take back at any time, while a home holds them and lets them go.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use super::node;
use crate::backend::subprocess::node::Node;
use crate::backend::subprocess::protocol::{ChannelId, Few, Message, NodeId, Offer, Parcel};
use crate::backend::subprocess::transport::wire::Wired;
use crate::channel::far::node::{Came, How};
use crate::channel::far::{Asking, Bytes};
use crate::commit::waiter::{BEYOND, Outcome};
use crate::wait::blocked::{Blocked, Want};

struct Why;

impl Blocked for Why {
    fn place(&self) -> &'static Location<'static> {
        Location::caller()
    }

    fn wants(&self, _: &mut dyn FnMut(Want<'_>)) {}
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A write at the channel of a node that says what the test has it say.
struct Pending {
    here: &'static Node,
    home: NodeId,
    asking: Asking,
    woken: Arc<Woken>,
    waker: Waker,
}

impl Pending {
    fn begin() -> Box<Self> {
        let here = node();
        // Nobody reads its link.
        let home = here.prepare().expect("memory").id;
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let pending = Box::new(Self { here, home, asking: Asking::new(here), woken, waker });
        let channel = ChannelId { home, index: 0 };
        let parcel = Parcel::new(Bytes::copy(&[7]), Vec::new());
        // SAFETY: it is on the heap, and is left at the end.
        let waiter = unsafe { pending.asking.make(None, 1, &Why) };
        pending.asking.begin(waiter, Few::one((0, Offer::Write { channel, parcel })), How::Pending);
        assert_eq!(pending.poll(), None);
        pending
    }

    fn poll(&self) -> Option<Outcome> {
        self.asking.poll(&self.waker, &Why, false)
    }

    fn hears(&self, message: impl FnOnce(u64) -> Wired) {
        let message = message(self.asking.op());
        let heard = self.here.with(|machine, out| machine.handle(self.home, message, out));
        assert_eq!(heard, Ok(()));
    }

    fn is_held_and_let_go(&self) {
        self.hears(|op| Message::Reserve { op });
        assert!(self.asking.is_held());
        self.hears(|op| Message::Release { op });
        assert!(!self.asking.is_held());
    }

    fn woken(&self) -> u32 {
        self.woken.0.load(Ordering::SeqCst)
    }
}

/// Nobody polls it, so nobody would offer it anew.
#[test]
fn a_pending_write_that_is_let_go_stands_on() {
    let pending = Pending::begin();
    for _ in 0..3 {
        pending.is_held_and_let_go();
    }
    assert_eq!((pending.woken(), pending.poll()), (0, None));
    let claim = |op| Message::Claim { op, guard: 0, channel: 0, parcel: None, park: false };
    pending.hears(claim);
    assert_eq!((pending.woken(), pending.poll()), (1, Some(Outcome::Committed(BEYOND))));
    assert!(matches!(pending.asking.conclude(&Why), Some(Came::Done { .. })));
}

/// A thread that takes it back waits for that.
#[test]
fn a_pending_write_that_is_wanted_back_is_told_when_it_is_let_go() {
    let pending = Pending::begin();
    pending.hears(|op| Message::Reserve { op });
    pending.asking.want_back();
    assert_eq!((pending.woken(), pending.poll()), (0, None));
    pending.hears(|op| Message::Release { op });
    assert_eq!((pending.woken(), pending.poll()), (1, Some(Outcome::Retry)));
    assert!(pending.asking.conclude(&Why).is_none());
}

#[test]
fn a_pending_write_is_taken_back_after_it_was_let_go() {
    let pending = Pending::begin();
    pending.is_held_and_let_go();
    pending.asking.want_back();
    let outcome = pending.asking.poll(&pending.waker, &Why, true);
    assert_eq!(outcome, Some(Outcome::Withdrawn));
    assert!(pending.asking.conclude(&Why).is_none());
}

/// Its process awaits it by another waker from then on.
#[test]
fn a_pending_write_that_is_held_changes_its_waker() {
    let mut pending = Pending::begin();
    pending.hears(|op| Message::Reserve { op });
    let before = std::mem::take(&mut pending.woken);
    pending.waker = Waker::from(Arc::clone(&pending.woken));
    assert_eq!(pending.poll(), None);
    pending.hears(|op| Message::Release { op });
    let claim = |op| Message::Claim { op, guard: 0, channel: 0, parcel: None, park: false };
    pending.hears(claim);
    assert_eq!((before.0.load(Ordering::SeqCst), pending.woken()), (0, 1));
    assert_eq!(pending.poll(), Some(Outcome::Committed(BEYOND)));
    pending.asking.conclude(&Why);
}
