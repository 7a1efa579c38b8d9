//! Floor 2. How a process waits, and what it shows of itself meanwhile.

pub(super) mod blocked;
mod context;
#[cfg(all(feature = "net", unix, not(loom)))]
pub(super) mod event;
#[cfg(not(all(feature = "net", unix, not(loom))))]
#[path = "event/absent.rs"]
pub(super) mod event;
pub(super) mod future;
pub(super) mod lineage;
pub(super) mod panics;
mod parking;
pub(super) mod quietly;
pub(super) mod seen;
pub(super) mod thread;
mod turns;

/// How a process waits: the calls for the floors above.
#[allow(unused_imports, reason = "some backends do not use all of it")]
pub(super) mod park {
    pub(crate) use super::context::{
        Before, Context, Kept, Lent, Ready, Retiring, SchedulerId, running, switch_to, unwinding,
        unwinding_task, write_path,
    };
    pub(crate) use super::parking::{
        Children, INSTEAD_OF_A_CHOICE, Park, Polled, WOKEN, mark_woken, refuse_to_wait,
    };
    pub(crate) use super::thread::current::current;
    pub(crate) use super::thread::plain::{errand, rename_thread};
}
