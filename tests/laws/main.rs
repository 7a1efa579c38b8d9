//! The laws of processes and channels, each on coroutines, on threads, and on both in one network.
//! A module is a subject, a test is named by the law it checks.

mod buffered;
mod composition;
mod defects;
mod delivery;
mod extended;
mod failures;
mod floors;
mod many;
mod misuse;
mod mobility;
mod names;
mod order;
mod panics;
mod plug;
mod poison;
mod processes;
mod propagation;
mod retire;
mod retire_counting;
mod scheduling;
mod spawning;
mod unwinding;
mod values;
