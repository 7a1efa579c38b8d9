//! The cost of a communication, a choice and a process, beside their cost in other libraries.
//!
//! A [`Work`] is one thing to do, with all its contenders: this library on each of its backends, and its peers. A work
//! is written once and measured twice. Criterion measures it (`cargo bench -p csp-benches`). `cargo run --release -p csp-benches`
//! measures all works in a minute, and writes the files of `results/`.

pub mod chart;
pub mod cores;
mod criterions;
pub mod measure;
mod peers;
pub mod works;

pub use criterions::criterions;
pub use measure::{Contender, Scene, Work};
pub use peers::go;
