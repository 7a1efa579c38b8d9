//! The code around `main` and around tests: it starts them, and reports what they leave behind.

use std::process::{ExitCode, Termination};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::process::life::live;
use crate::system::stderr;
use crate::wait::park;
use crate::watch::leaks::{self, Leaks};
use crate::watch::usage;
use crate::{backend, network};

/// The options of `#[csp::main]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Main {
    /// Signals print the network.
    pub dump_on_signal: bool,
    /// Processes and channels that are left behind are not reported.
    pub allow_leaks: bool,
    /// How many cores coroutines use.
    pub cores: Option<usize>,
}

/// The options of `#[csp::test]`.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// The time that it may take.
    pub limit: Duration,
    /// Processes and channels that are left behind are no failure.
    pub allow_leaks: bool,
    /// How many cores coroutines use. By default they use one.
    pub cores: Option<usize>,
}

/// Runs `body` as the process `main`, waits for the processes that it has spawned, and warns of
/// everything that it has left behind.
#[track_caller]
pub fn main<R>(options: Main, body: fn() -> R) -> R {
    network::init();
    #[cfg(all(unix, not(loom)))]
    if options.dump_on_signal {
        super::dump::on_signal();
    }
    backend::cores_of_main(options.cores).unwrap_or_else(|error| panic!("{error}"));
    let asks = !options.allow_leaks && std::env::var("CSP_LEAKS").as_deref() != Ok("off");
    if asks {
        usage::note();
    }
    let result = match live(body) {
        Ok(result) => result,
        Err(failure) => failure.leave(&park::current().path()),
    };
    if asks {
        let leaks = leaks::left(0);
        if !leaks.is_empty() {
            stderr::say(format!("csp: left behind by `main`:\n{leaks}"));
        }
    }
    #[cfg(not(unix))]
    stderr::flush();
    result
}

/// Runs `body` as a process on a thread of its own, under a watchdog.
///
/// # Panics
/// If the test panics or returns an error, takes too long, or leaves something behind.
#[track_caller]
pub fn test<R>(name: &'static str, options: Test, body: fn() -> R)
where
    R: Termination + Send + 'static,
{
    // The test runs on its own thread, and this one watches the time.
    let limit = std::env::var("CSP_TEST_LIMIT").ok().and_then(|limit| limit.parse().ok());
    let limit = limit.map_or(options.limit, Duration::from_secs);
    let (tell, told) = channel();
    let thread = std::thread::Builder::new().name(name.to_owned());
    let thread = thread.spawn(move || {
        let scope = usage::enter(name);
        backend::cores_of_test(options.cores);
        let outcome = live(body).map(|result| (result, leaks::left(scope)));
        let _ = tell.send(outcome);
    });
    // It has ended in time, or its failure goes on here.
    let thread = thread.expect("a thread for the test");
    let (result, leaks): (R, Leaks) = match told.recv_timeout(limit) {
        Ok(Ok(ended)) => ended,
        Ok(Err(failure)) => failure.leave(name),
        Err(RecvTimeoutError::Timeout) => {
            panic!("`{name}` has not ended after {limit:?}:\n{}", crate::network());
        }
        Err(RecvTimeoutError::Disconnected) => {
            // Its result, and its leaks.
            unreachable!("a test is caught when it panics")
        }
    };
    let _ = thread.join();
    if result.report() != ExitCode::SUCCESS {
        panic!("`{name}` returned an error");
    }
    assert!(leaks.is_empty() || options.allow_leaks, "left behind by `{name}`:\n{leaks}");
}
