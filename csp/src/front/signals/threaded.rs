//! The hearing of signals where there is no event queue: a thread of its own waits for them.
//!
//! That thread is no process, and does not count as awake while it waits.

use std::io;

use signal_hook::iterator::{Handle, Signals};

use crate::system::helper::Helper;
use crate::system::quiet;
use crate::wait::thread::pool;

static THREAD: Helper = Helper::new("csp signals", 256 << 10);

/// Has `deliver` called with the number of each signal that comes. Returns the way to say for which kinds.
pub(super) fn hear(deliver: fn(i32)) -> io::Result<Handle> {
    let mut signals = Signals::new([0_i32; 0])?;
    let handle = signals.handle();
    THREAD.need(move || {
        quiet::ignore_this_thread();
        for number in signals.forever() {
            // It counts as awake while it wakes others.
            pool::counted(Box::new(move || deliver(number)))();
        }
    })?;
    Ok(handle)
}
