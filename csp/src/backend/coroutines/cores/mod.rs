//! Floor 5. Schedulers on several cores. A network stays with one of them as long as it mostly communicates.
//!
//! - `share`: the part of a scheduler that the others see.
//! - `pool`: the schedulers that share work, and the threads of those that do nothing else.
//! - `looks`: how often a scheduler looks at its letters while it has something to do.
//! - `placing`: processes with `on = cores`, which are dealt out when they are started.
//! - `thief`: workers, which take processes that have not started from schedulers that are busy.
//! - `known`: processes that workers take without evidence.
//! - `brief`: how they come to be known.
//! - `evidence`: what a worker must have seen before it takes anything.

mod brief;
mod evidence;
mod known;
mod looks;
mod loose;
mod placing;
mod pool;
mod share;
mod thief;

pub(super) use self::loose::Loose;
pub(in crate::backend) use self::placing::place;
pub(super) use self::share::Share;
pub(super) use crate::sync::stealing::Stealing as Queue;
