//! The page below each stack that must never be touched.
//!
//! Best is a mark in the page table, which costs no mapping: a million fit in one. Where the kernel has no
//! such marks a guard is a protected page, which with its stack costs two of the mappings that a program may
//! have; some are left for the program.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::memory;
use super::stack::Stack;
use super::{NoStack, valgrind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guards {
    /// `MADV_GUARD_INSTALL`.
    Marked,
    /// `mprotect`; at most so many.
    Protected { limit: usize },
}

static KIND: OnceLock<Guards> = OnceLock::new();
/// Protected guards that exist. They stay when their stacks are freed.
static PROTECTED: AtomicUsize = AtomicUsize::new(0);

impl Guards {
    /// What this kernel has; found out on a stack that nothing is on yet.
    fn of_this_kernel(probe: &mut Stack) -> Guards {
        *KIND.get_or_init(|| {
            // valgrind does not see the marks, and reports the fault as one of its own.
            let unwanted = valgrind::is_running()
                || std::env::var_os("CSP_GUARDS").is_some_and(|kind| kind == "mprotect");
            if !unwanted && memory::install_guards(std::slice::from_mut(probe)).1.is_ok() {
                return Guards::Marked;
            }
            Guards::Protected { limit: affordable(most_mappings()) }
        })
    }

    /// Whether guards are marks; false as long as nobody knows.
    pub(super) fn are_marks() -> bool {
        KIND.get() == Some(&Guards::Marked)
    }

    /// How many fresh stacks to guard at once when `wanted` would be of use.
    pub(super) fn batch(wanted: usize) -> usize {
        if Guards::are_marks() { wanted } else { wanted.min(16) }
    }
}

/// Guards stacks that have none: how many got theirs, from the first on, and why not all.
pub(super) fn guard(stacks: &mut [Stack]) -> (usize, Result<(), NoStack>) {
    let Some(probe) = stacks.first_mut() else { return (0, Ok(())) };
    let (done, result) = match Guards::of_this_kernel(probe) {
        Guards::Marked => {
            let (done, result) = memory::install_guards(stacks);
            (done, result.map_err(NoStack::memory))
        }
        Guards::Protected { limit } => protect(stacks, limit),
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
            // All that it can be is the limit on mappings, which others use up too.
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

/// Two mappings a stack; a twelfth of all is left for heaps, libraries and threads, which do not take a
/// refusal well.
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
