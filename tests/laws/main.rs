//! The laws of processes and channels, each on coroutines, on threads, and on both in one network.
//! A module is a subject. A test is named by the law it checks.

mod buffered;
mod closures;
mod composition;
mod daemons;
mod defects;
mod delivery;
mod ends;
mod errors;
mod extended;
mod failures;
mod floors;
mod joining;
mod many;
mod methods;
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
mod returning;
mod scheduling;
mod spawning;
mod stopping;
mod supervising;
mod trying;
mod unwinding;
mod values;
