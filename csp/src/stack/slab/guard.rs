//! The guard below each stack, which must never be touched.
//!
//! Marks in the page table are best, because they cost no mapping: the guards of a million stacks
//! fit in one. If the kernel has no such marks, a guard is protected memory. With its stack it then
//! costs two of the mappings that a program may have. Some mappings are left for the program.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;

use super::memory;
use super::stack::{NoStack, Stack};
use super::valgrind;
use crate::system::shared::AtomicUsize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GuardKind {
    /// `MADV_GUARD_INSTALL`.
    Marked,
    /// `mprotect`, with a limit of the number of stacks.
    Protected { limit: usize },
}

static KIND: OnceLock<GuardKind> = OnceLock::new();
/// The number of protected guards. They stay when their stacks are freed.
static PROTECTED: AtomicUsize = AtomicUsize::new(0);

impl GuardKind {
    /// Returns the kind that this kernel has. It is found out on a stack that is not in use yet.
    fn of_this_kernel(probe: &mut Stack) -> GuardKind {
        *KIND.get_or_init(|| {
            // valgrind does not see the marks, and reports the fault as one of its own.
            let unwanted = valgrind::is_running()
                || std::env::var_os("CSP_GUARDS").is_some_and(|kind| kind == "mprotect");
            if !unwanted && memory::install_guards(std::slice::from_mut(probe)).1.is_ok() {
                return GuardKind::Marked;
            }
            GuardKind::Protected { limit: affordable(most_mappings()) }
        })
    }

    /// Returns whether guards are marks. Returns false as long as that is not known.
    pub(super) fn are_marks() -> bool {
        KIND.get() == Some(&GuardKind::Marked)
    }

    /// Returns how many fresh stacks to guard at once when `wanted` would be of use.
    pub(super) fn batch(wanted: usize) -> usize {
        if GuardKind::are_marks() { wanted } else { wanted.min(16) }
    }
}

/// Guards stacks that have no guard. Returns how many got theirs, from the first on, and why not
/// all did.
pub(super) fn guard(stacks: &mut [Stack]) -> (usize, Result<(), NoStack>) {
    let Some(probe) = stacks.first_mut() else { return (0, Ok(())) };
    let (done, result) = match GuardKind::of_this_kernel(probe) {
        GuardKind::Marked => {
            let (done, result) = memory::install_guards(stacks);
            (done, result.map_err(NoStack::memory))
        }
        GuardKind::Protected { limit } => protect(stacks, limit),
    };
    if valgrind::is_running() {
        stacks[..done].iter().for_each(valgrind::register);
    }
    (done, result)
}

fn protect(stacks: &mut [Stack], limit: usize) -> (usize, Result<(), NoStack>) {
    for (done, stack) in stacks.iter_mut().enumerate() {
        if PROTECTED.fetch_add(1, Relaxed) >= limit {
            PROTECTED.fetch_sub(1, Relaxed);
            return (done, Err(NoStack::Mappings { stacks: limit }));
        }
        if memory::protect_guard(stack).is_err() {
            // The only possible cause is the limit on mappings, which other code uses up too.
            let stacks = PROTECTED.fetch_sub(1, Relaxed) - 1;
            return (done, Err(NoStack::Mappings { stacks }));
        }
    }
    (stacks.len(), Ok(()))
}

fn most_mappings() -> usize {
    const DEFAULT: usize = 65_530;
    let setting = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    setting.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(DEFAULT)
}

/// Returns how many stacks these mappings suffice for, at two a stack. A twelfth is left for heaps,
/// libraries and threads, which do not take a refusal well.
fn affordable(mappings: usize) -> usize {
    (mappings - mappings / 12) / 2
}

#[cfg(test)]
mod tests {
    #[test]
    fn protected_guards_leave_mappings_for_others() {
        assert_eq!(super::affordable(65_530), 30_035);
        assert_eq!(super::affordable(0), 0);
    }
}
