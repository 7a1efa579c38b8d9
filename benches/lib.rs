//! What a communication, a choice and a process cost, beside what they cost elsewhere.
//!
//! A [`Work`] is one thing to do, with everybody who can do it: this library on each of its backends, and
//! its peers. It is written once and measured twice, by criterion (`cargo bench -p csp-benches`) and, all at
//! once and in a minute, by `cargo run --release -p csp-benches`, which writes what is in `results/`.

mod criterions;
pub mod measure;
mod peers;
pub mod works;

pub use criterions::criterions;
pub use measure::{Contender, Scene, Work};
pub use peers::go;
