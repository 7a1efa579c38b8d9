//! Floor 4. Late binding: values of which it is not known yet who reads them, because the readers wait on several schedulers.
//!
//! A value that is given to the reader that has waited longest is bound to the scheduler of that reader, which may have much else to
//! do. So a value goes to a reader whose scheduler is *spare*, that is, has nothing to do. If there is none, the value is kept *ahead*,
//! and one reader of each scheduler is *told*: it is committed without a value. The first of them to go on takes the value, and tells
//! the next reader of its scheduler.
//!
//! Few values are ahead while most readers are of one scheduler. Otherwise all values of a burst would be for the readers that stand, and
//! readers that come a moment later on another scheduler would have nothing to do. The next writer waits. A reader that comes finds it,
//! unless others of its own scheduler stand.
//!
//! A channel has lines from the moment at which a reader of a second scheduler stands. One with several reader ends has them from the first
//! reader on if that is on a worker's scheduler, and another thread has used the channel. So the network is on several schedulers. A network
//! with one scheduler has no lines, and its threads, futures and coroutines are served in the order in which they came.
//!
//! At a channel with lines, plain reads of coroutines stand in the line of their scheduler. All other readers stand in the queue, and it is
//! noted when they came. The first of them has its turn when it came before all in lines that can be served.
//!
//! A channel that one thread uses pays nothing for that. While that thread owns the lock, no reader asks for its line. A channel with lines is
//! marked in the word that says how much room it has. So a write or a read that finds its partner at once looks at nothing else.
//!
//! The write has returned, so a value that is ahead counts as read. Hence these invariants, whenever the lock is free:
//!
//! - A value is for a reader that came before it. For each *n* there are at least *n* readers, in lines or told, that came before the
//!   *n*th value that is ahead. A reader keeps that if it takes the first value that came after it. If there are more readers than
//!   values, the next value may be ahead.
//! - If a line has a reader that came before the last value that is ahead, a reader of that line has been told.
//! - If a writer waits, each line with readers has one that was told. A reader that finds no value ahead takes that of a writer.
//! - While a writer waits and a reader was told, no later write overtakes it by a value ahead.
//! - Poison, retirement and the way to another OS process tell all readers. They take what is ahead before they look at anything else.
//! - No step looks at more readers or values than one for each line, however many there are. A thread that ends is an exception.
//!
//! A reader that is told of a value is woken when the lock is free. If its thread ends in between, that thread waits for the wake-up.
//!
//! To tell a reader is always right, because it comes back before all of its line that came later if there is nothing for it. Until then
//! no other reader of its line is given a value. So readers of one scheduler are served in the order in which they came. A reader whose
//! thread ends does not come back. It leaves, because no value that is ahead is for it then. No reader waits for ever while values come: after
//! 64 values that went to other lines (`MOST_PASSED`) the next one goes to its line.

#[cfg(feature = "cores")]
mod ahead;
#[cfg(feature = "cores")]
mod arrivals;
#[cfg(feature = "cores")]
mod lines;
#[cfg(not(feature = "cores"))]
#[path = "absent.rs"]
mod lines;
#[cfg(feature = "cores")]
mod serving;
#[cfg(not(feature = "cores"))]
mod soon;
#[cfg(feature = "cores")]
mod told;

#[cfg(all(test, loom, feature = "cores"))]
mod checks;
#[cfg(all(test, not(loom), feature = "cores", target_os = "linux"))]
mod crowd;
#[cfg(all(test, loom, feature = "cores"))]
mod histories;
#[cfg(all(test, loom, feature = "cores"))]
mod steps;

pub(crate) use self::lines::ToldReaders;
pub(super) use self::lines::{IS_POSSIBLE, Late};
