//! Floor 2. Stacks for coroutines, and the switch between them. No process, channel or scheduler is known here.
//!
//! [`engine`] is the seam. `slab` and `generator` are the two engines behind it. If an engine is not compiled in,
//! `none.rs` stands in for it.

#[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
pub(super) mod depth;
#[cfg(all(feature = "coroutines", not(loom)))]
pub(super) mod engine;
#[cfg(all(
    feature = "coroutines",
    not(loom),
    any(
        feature = "generator",
        not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))
    )
))]
mod generator;
#[cfg(all(
    feature = "coroutines",
    not(any(loom, feature = "generator")),
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[path = "none.rs"]
mod generator;
#[cfg(not(all(
    feature = "coroutines",
    not(loom),
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "none.rs"]
pub(super) mod slab;
#[cfg(all(
    feature = "coroutines",
    not(loom),
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(super) mod slab;
#[cfg(all(
    feature = "coroutines",
    not(loom),
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod tsan;

#[cfg(all(feature = "coroutines", not(loom)))]
#[allow(unreachable_pub, reason = "for tests and benchmarks")]
pub use self::engine::ENGINES;

/// No coroutine, no engine.
#[cfg(not(all(feature = "coroutines", not(loom))))]
#[allow(unreachable_pub, reason = "for tests and benchmarks")]
pub const ENGINES: &[&str] = &[];
