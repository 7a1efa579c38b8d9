//! A million processes. What they take at most is the OS process's, so each measurement has one of its own.

use std::time::Duration;

use csp::{Backend, Channel, Reader, Writer, parallel, process};

use super::spawn::{all_live, all_live_futures};
use crate::measure::Clock;
use crate::peers::{Answer as _, AsyncChannel, Awaiting, Kanal, on_tokio};

const MILLION: usize = 1_000_000;

/// Who is measured, and whether it runs on coroutines of ours.
pub const CONTENDERS: &[(&str, bool)] = &[
    #[cfg(feature = "coroutines")]
    ("csp", true),
    (Kanal::NAME, false),
    (AsyncChannel::NAME, false),
];

/// How the million are run: each served as soon as it has started, or all waiting at once.
pub const WAYS: &[&str] = &["lazily started", "live and blocked"];

/// How long it took, or why it could not be done.
///
/// # Errors
/// What was said by whom a million are too many for.
pub fn run(contender: &str, way: &str) -> Result<Duration, String> {
    let live = way == WAYS[1];
    let elapsed = Clock::Thread.start();
    match (contender, live) {
        ("csp", false) => lazy()?,
        ("csp", true) => {
            let values =
                all_live(Backend::Coroutine, MILLION).map_err(|failure| failure.to_string())?;
            assert!(values.iter().all(Result::is_ok));
        }
        (Kanal::NAME, true) => {
            on_tokio(all_live_futures::<Kanal>(MILLION)).ok_or("one was lost")?
        }
        (Kanal::NAME, false) => on_tokio(lazy_futures::<Kanal>()).ok_or("one was lost")?,
        (AsyncChannel::NAME, true) => {
            on_tokio(all_live_futures::<AsyncChannel>(MILLION)).ok_or("one was lost")?;
        }
        (AsyncChannel::NAME, false) => {
            on_tokio(lazy_futures::<AsyncChannel>()).ok_or("one was lost")?;
        }
        _ => return Err(format!("nobody is called {contender}")),
    }
    Ok(elapsed())
}

#[process]
fn one(input: Reader<u64>) -> csp::Result<u64> {
    input.read()
}

#[process]
fn feeder(out: Writer<u64>) -> csp::Result {
    for n in 0..MILLION as u64 {
        out.write(n)?;
    }
    Ok(())
}

fn lazy() -> Result<(), String> {
    let channel = Channel::new();
    let (values, _) = parallel!(MILLION * one(channel.reader()), feeder(channel.writer()));
    let sum = values.into_iter().sum::<csp::Result<u64>>().map_err(|end| end.to_string())?;
    assert_eq!(sum, MILLION as u64 * (MILLION as u64 - 1) / 2);
    Ok(())
}

async fn lazy_futures<P: Awaiting<Reader: Clone>>() -> Option<()> {
    let (out, input) = P::channel(0);
    let futures: Vec<_> = (0..MILLION)
        .map(|_| {
            let mut input = input.clone();
            tokio::spawn(async move { P::read(&mut input).await.value() })
        })
        .collect();
    for n in 0..MILLION as u64 {
        P::write(&out, n).await.value()?;
    }
    for future in futures {
        future.await.ok()??;
    }
    Some(())
}
