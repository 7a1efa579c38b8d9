//! Other OS processes, as threads see them that are about to wait: one of these looks into the links to them meanwhile.
//!
//! A backend whose processes are OS processes makes itself known with [`know`]. Without one a thread that is about to sleep
//! pays for one load.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The work that one waiting thread does for all.
pub(crate) trait Links: Sync {
    /// Leads until `until` is true or the deadline is over. Leads not at all if there are no links, or
    /// another thread leads. A thread that makes `until` true afterwards calls [`poke`](Self::poke). `sleeps` is
    /// called each time before this thread sleeps, when there is nothing to see. Returns true if the
    /// operation that this thread was chosen for is over. Then nobody wakes it, and it
    /// has not slept.
    fn lead(
        &self,
        until: &dyn Fn() -> bool,
        deadline: Option<Instant>,
        sleeps: &mut dyn FnMut(),
    ) -> bool;
    /// Lets a leader look up, because something has changed here.
    fn poke(&self);
    /// Rings for everything that a thread has put off. It was about to wait, and need not.
    fn ring(&self);
}

static LINKS: OnceLock<&'static dyn Links> = OnceLock::new();

/// Whether there have ever been other OS processes.
static LINKED: AtomicBool = AtomicBool::new(false);

/// From now on there may be other OS processes.
pub(crate) fn know(links: &'static dyn Links) {
    let _ = LINKS.set(links);
    LINKED.store(true, Ordering::Release);
}

/// Whether there are other OS processes to hear of.
#[inline(always)]
pub(crate) fn is_linked() -> bool {
    LINKED.load(Ordering::Relaxed)
}

/// Leads, if there is anything to lead: see [`Links::lead`].
pub(crate) fn lead(
    until: &dyn Fn() -> bool,
    deadline: Option<Instant>,
    sleeps: &mut dyn FnMut(),
) -> bool {
    LINKS.get().is_some_and(|links| links.lead(until, deadline, sleeps))
}

/// Has a leader look up, because something has changed here.
pub(crate) fn poke() {
    LINKS.get().into_iter().for_each(|links| links.poke());
}

/// Rings for what was put off: the process that was about to wait need not.
pub(crate) fn ring() {
    LINKS.get().into_iter().for_each(|links| links.ring());
}
