//! Measures how much of their stacks processes use, to help with the choice of `stack = ".."`.
//!
//! If the environment variable `CSP_STACKS` is set, standard error shows each new maximum for a kind of process.
//! A maximum is new if one process of the kind has used more than all before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::process::work;
use crate::process::work::Work;
use crate::stack::engine;
use crate::system::stderr;

/// The largest number of bytes that each kind of process has used, by name.
static MOST: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

#[inline]
fn are_wanted() -> bool {
    static WANTED: OnceLock<bool> = OnceLock::new();
    *WANTED.get_or_init(|| std::env::var_os("CSP_STACKS").is_some_and(|value| !value.is_empty()))
}

/// Runs one process of `work` here.
#[inline]
pub(super) fn run(work: &Arc<dyn Work>, index: usize) {
    if are_wanted() { run_measured(work, index) } else { work::run(work, index) }
}

#[cold]
fn run_measured(work: &Arc<dyn Work>, index: usize) {
    let Some(used) = engine::measure(|| work::run(work, index)) else { return };
    let name = work.options().name();
    let mut most = MOST.lock().unwrap_or_else(PoisonError::into_inner);
    let before = most.entry(name.to_owned()).or_default();
    if used > *before {
        *before = used;
        drop(most);
        let size = engine::stack_size(work.options().stack());
        stderr::say(format!("csp: `{name}` has used {used} of the {size} bytes of its stack\n"));
    }
}
