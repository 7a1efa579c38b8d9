//! What the macros expand to. Not part of the interface.

pub use crate::process::definition::{Definition, OnPanic};

use crate::network::{self, Component, Output};
use crate::process::{Failure, Options, Process};

/// Behind `#[process]`. What must be `Send + 'static` is said by [`argument`] and [`result`], at the type that
/// is not, and again where the process is run.
pub fn process<A, R>(
    definition: &'static Definition,
    arguments: A,
    body: fn(A) -> R,
) -> Process<A, R> {
    Process { options: Options::new(definition), arguments, body }
}

/// An argument of a process.
#[inline(always)]
pub fn argument<T: Send + 'static>(value: T) -> T {
    value
}

/// The result of a process.
#[inline(always)]
pub fn result<T: Send + 'static>(value: T) -> T {
    value
}

/// Behind `parallel!`.
#[track_caller]
pub fn parallel<C: Component>(components: C) -> Output<C> {
    network::expect(network::try_parallel(components))
}

/// Behind `try_parallel!`.
#[track_caller]
pub fn try_parallel<C: Component>(components: C) -> Result<Output<C>, Failure> {
    network::try_parallel(components)
}

/// Behind `sequence!`.
#[track_caller]
pub fn sequence<C: Component>(components: C) -> Output<C> {
    network::expect(network::try_sequence(components))
}

/// Behind `try_sequence!`.
#[track_caller]
pub fn try_sequence<C: Component>(components: C) -> Result<Output<C>, Failure> {
    network::try_sequence(components)
}

/// Behind `#[csp::main]`.
#[track_caller]
pub fn main<R>(body: fn() -> R) -> R {
    network::main(body)
}

pub use csp_macros::{alt, pri_alt};

/// Behind `alt!` and `pri_alt!`.
pub mod alt {
    pub use crate::alternation::{Site, choose, first};
    pub use crate::barrier::sync;
    pub use crate::guard::{
        Guard, Moves, Place, after, at, begin, defer, read, retired, skip, write,
    };
}
