//! The end of a test that hangs.

use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Ends the program if the test hangs, and prints what the processes wait for.
pub(crate) fn watchdog() -> mpsc::Sender<()> {
    let (over, is_over) = mpsc::channel();
    thread::spawn(move || {
        if is_over.recv_timeout(Duration::from_secs(300)) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = writeln!(std::io::stderr(), "the test hangs: {}", csp::network());
            std::process::abort();
        }
    });
    over
}
