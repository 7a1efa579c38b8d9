//! How much of their stacks processes use: said on standard error where the environment variable `CSP_STACKS`
//! is set, for each kind of process whenever one of it has used more than all before. For choosing `stack =
//! ".."`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::engine;
use crate::process::job::{self, Work};

/// The most bytes that each kind of process has used, by name.
static MOST: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

#[inline]
fn are_wanted() -> bool {
    static WANTED: OnceLock<bool> = OnceLock::new();
    *WANTED.get_or_init(|| std::env::var_os("CSP_STACKS").is_some_and(|value| !value.is_empty()))
}

/// Runs one process of `work` here.
#[inline]
pub(super) fn run(work: &Arc<dyn Work>, index: usize) {
    if are_wanted() { run_measured(work, index) } else { job::run(work, index) }
}

#[cold]
fn run_measured(work: &Arc<dyn Work>, index: usize) {
    let Some(used) = engine::measure(|| job::run(work, index)) else { return };
    let name = work.options().name();
    let mut most = MOST.lock().unwrap_or_else(PoisonError::into_inner);
    let before = most.entry(name.to_owned()).or_default();
    if used > *before {
        *before = used;
        let size = engine::stack_size(work.options().stack());
        eprintln!("csp: `{name}` has used {used} of the {size} bytes of its stack");
    }
}
