//! Around `main` and around tests: what starts them, and what is said when they have ended.

use std::io::Write as _;
use std::process::{ExitCode, Termination};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::leaks::{self, Leaks};
use crate::network;
use crate::process::job::live;

/// What `#[csp::main]` asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Main {
    /// Signals print the network.
    pub dump_on_signal: bool,
    /// What is left behind is not mentioned.
    pub allow_leaks: bool,
}

/// What `#[csp::test]` asks for.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// How long it may take.
    pub limit: Duration,
    /// What is left behind is no failure.
    pub allow_leaks: bool,
}

/// Runs `body` as the process `main`, waits for what it has spawned, and warns of what it has left behind.
#[track_caller]
pub fn main<R>(options: Main, body: fn() -> R) -> R {
    network::init();
    #[cfg(all(unix, not(loom)))]
    if options.dump_on_signal {
        crate::signals::dump();
    }
    let asks = !options.allow_leaks && std::env::var("CSP_LEAKS").as_deref() != Ok("off");
    if asks {
        leaks::note();
    }
    let result = network::expect(live(body));
    if asks {
        let leaks = leaks::left(0);
        if !leaks.is_empty() {
            let text = format!("csp: left behind by `main`:\n{leaks}");
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }
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
    let limit = std::env::var("CSP_TEST_LIMIT").ok().and_then(|limit| limit.parse().ok());
    let limit = limit.map_or(options.limit, Duration::from_secs);
    let (tell, told) = channel();
    let thread = std::thread::Builder::new().name(name.to_owned());
    let thread = thread.spawn(move || {
        let scope = leaks::enter(name);
        let outcome = live(body).map(|result| (result, leaks::left(scope)));
        let _ = tell.send(outcome);
    });
    let thread = thread.expect("a thread for the test");
    let (result, leaks): (R, Leaks) = match told.recv_timeout(limit) {
        Ok(Ok(ended)) => ended,
        Ok(Err(failure)) => failure.raise(),
        Err(RecvTimeoutError::Timeout) => {
            eprint!("{}", crate::network());
            panic!("`{name}` has not ended after {limit:?}: the network is above");
        }
        Err(RecvTimeoutError::Disconnected) => {
            unreachable!("a test is caught when it panics")
        }
    };
    let _ = thread.join();
    if result.report() != ExitCode::SUCCESS {
        panic!("`{name}` returned an error");
    }
    assert!(leaks.is_empty() || options.allow_leaks, "left behind by `{name}`:\n{leaks}");
}
