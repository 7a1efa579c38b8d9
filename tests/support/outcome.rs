//! Reads the cause that ended a channel or a process.

use csp::{Cause, Failure, Termination};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Returns true if a channel ended by retirement.
pub fn retired(termination: &Termination) -> bool {
    matches!(termination, Termination::Retired)
}

/// Returns the reason given to `poison`, if `poison` ended the channel.
pub fn poisoned_by_reason(termination: &Termination) -> Option<String> {
    let Termination::Poisoned(poison) = termination else { return None };
    match poison.cause() {
        Cause::Explicit { reason, .. } => Some(reason.to_string()),
        _ => None,
    }
}

/// Returns the process and the message of the panic, if a panic ended the channel.
pub fn poisoned_by_panic(termination: &Termination) -> Option<(String, String)> {
    let Termination::Poisoned(poison) = termination else { return None };
    match poison.cause() {
        Cause::Panic { process, message, .. } => Some((process.to_string(), message.to_string())),
        _ => None,
    }
}

/// Returns the message of the panic that must end `run`.
#[track_caller]
pub fn panic_of<R>(run: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(run)) else { panic!("it was to panic") };
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    let text = text.or_else(|| panic.downcast_ref::<Failure>().map(ToString::to_string));
    text.expect("a panic that says something")
}
