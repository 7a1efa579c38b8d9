//! A law runs on a thread of its own, so that no law sees the rest that another left in its thread. A
//! watchdog reports a hang with the state of the network, and ends the test program.

use crate::Placement;
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::Builder;
use std::time::Duration;

/// Returns how long a law may take: `CSP_TEST_LIMIT` in seconds, or 600. No law depends on it. Some laws with threads that
/// communicate take minutes if other programs want the core, because each communication then waits for its turn.
pub fn limit() -> Duration {
    let seconds = std::env::var("CSP_TEST_LIMIT").ok().and_then(|limit| limit.parse().ok());
    Duration::from_secs(seconds.unwrap_or(600))
}

/// Runs a law, and then ends the processes that it left running.
pub fn check(name: &'static str, placement: Placement, law: fn(&Placement)) {
    let placed = placement.clone();
    watch(
        name,
        move || placed.state(),
        move || {
            // The other processes of the law stay on one scheduler.
            if !placement.has_cores() {
                csp::__private::cores_of_this_thread(1);
            }
            placement.kinds().enter();
            law(&placement);
            placement.kinds().check();
        },
    );
}

/// Does the same for a test that chooses the backends of its processes itself.
pub fn watched(name: &'static str, test: impl FnOnce() + Send + 'static) {
    watch(name, String::new, test);
}

fn watch(
    name: &'static str,
    state: impl Fn() -> String + Send + 'static,
    law: impl FnOnce() + Send + 'static,
) {
    let (ended, end) = channel::<()>();
    let watchdog = Builder::new()
        .name("watchdog".into())
        .spawn(move || {
            if end.recv_timeout(limit()) == Err(RecvTimeoutError::Timeout) {
                // `eprintln!` would not do, because the test harness would capture and lose the text.
                let report = report(name, &state());
                let _ = std::io::stderr().write_all(report.as_bytes());
                std::process::abort();
            }
        })
        .expect("a thread for the watchdog");
    let body = Builder::new()
        .name("law".into())
        .spawn(move || {
            law();
            csp::shutdown();
        })
        .expect("a thread for the law");
    // The thread is joined, not only awaited, so the watchdog also covers the library's work at the end of a thread.
    let outcome = body.join();
    drop(ended);
    watchdog.join().expect("the watchdog ends");
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

fn report(name: &str, state: &str) -> String {
    let limit = limit();
    format!("\n{name} hangs: no end after {limit:?}\n{state}\n{}\n", csp::network())
}
