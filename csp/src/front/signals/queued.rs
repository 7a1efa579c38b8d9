//! The hearing of signals: a signal is an event in the queue of the house, beside those of descriptors.
//!
//! A scheduler's own queue would not do. A signal comes also while all schedulers compute, and may be for a process on a thread, or for
//! nobody any more. Then it ends the program.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::iterator::Handle;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use crate::wait::event::{self, ReadyFor, Registrant};

/// Has `deliver` called with the number of each signal that comes. Returns the way to say for which kinds.
pub(super) fn hear(deliver: fn(i32)) -> io::Result<Handle> {
    let (read, write) = UnixStream::pair()?;
    let signals = SignalDelivery::with_pipe(read, write, SignalOnly, [0_i32; 0])?;
    let (handle, descriptor) = (signals.handle(), signals.get_read().as_raw_fd());
    // It stays there until the program ends, so it has no need of its key.
    event::house()
        .add(descriptor, Arc::new(SignalPipe { signals: Mutex::new(signals), deliver }))?;
    Ok(handle)
}

/// The signals that have come, and what is to become of them.
struct SignalPipe {
    signals: Mutex<SignalDelivery<UnixStream, SignalOnly>>,
    deliver: fn(i32),
}

impl Registrant for SignalPipe {
    fn is_ready(&self, _: ReadyFor) {
        // The handler writes to the pipe after it has noted the signal, and the pipe is emptied before the notes are read. So what comes
        // too late here is another event.
        let come = self.signals.lock().unwrap_or_else(PoisonError::into_inner).pending();
        come.for_each(self.deliver);
    }
}
