//! The operations in which processes of this OS process wait.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use crate::backend::subprocess::protocol::Table;
use crate::channel::far::node::Slot;
use crate::commit::waiter::Waiter;
use crate::sync::UnsafeCell;

/// The processes here that wait, by the number of the operation. The table is touched under the
/// node's lock only, and the gate is called under that lock, too.
pub(super) struct Operations(UnsafeCell<Table<u64, StandingOperation>>);

// SAFETY: one thread at a time has the node's lock.
unsafe impl Sync for Operations {}
// SAFETY: as above.
unsafe impl Send for Operations {}

impl Operations {
    pub(super) fn new() -> Self {
        Self(UnsafeCell::default())
    }

    /// # Safety
    /// The caller has the node's lock.
    #[inline(always)]
    pub(super) unsafe fn insert(&self, op: u64, standing: StandingOperation) {
        // SAFETY: nobody else is here, and nothing of the table is handed out.
        unsafe { (*self.0.get()).insert(op, standing) };
    }

    /// # Safety
    /// As above.
    #[inline(always)]
    pub(super) unsafe fn get(&self, op: u64) -> Option<StandingOperation> {
        // SAFETY: as above.
        unsafe { (*self.0.get()).get(&op).copied() }
    }

    /// # Safety
    /// As above.
    #[inline(always)]
    pub(super) unsafe fn remove(&self, op: u64) -> Option<StandingOperation> {
        // SAFETY: as above.
        unsafe { (*self.0.get()).remove(&op) }
    }

    /// Marks the operation in which the process of this context waits, if it waits in one. Returns
    /// it as it was before.
    ///
    /// # Safety
    /// The caller has the node's lock.
    pub(super) unsafe fn mark(&self, context: usize) -> Option<(u64, StandingOperation)> {
        // SAFETY: nobody else is here, and nothing of the table is handed out.
        let table = unsafe { &mut *self.0.get() };
        // SAFETY: an operation in the table has a process that waits, so its waiter is there.
        let is_of =
            |standing: &StandingOperation| unsafe { standing.waiter.as_ref() }.is_of(context);
        let (op, standing) = table.each_mut().find(|(_, standing)| is_of(standing))?;
        let before = *standing;
        standing.dismissed = true;
        Some((*op, before))
    }
}

/// A process that waits for an operation.
#[derive(Clone, Copy)]
pub(super) struct StandingOperation {
    pub(super) waiter: NonNull<Waiter>,
    pub(super) slot: NonNull<Slot>,
    pub(super) mixed: bool,
    /// Its thread ends, and has asked for it.
    pub(super) dismissed: bool,
}

// SAFETY: the targets of its pointers are used under the node's lock only, while the process waits.
unsafe impl Send for StandingOperation {}
