//! A million processes. The peak of memory belongs to an OS process, so each measurement has an OS process of its own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use csp::{Backend, Channel, Reader, Writer, parallel, process};

use super::spawn::all_live;
use crate::measure::Clock;
use crate::peers::{Answer as _, AsyncChannel, Awaiting, Kanal, go, on_tokio};

const MILLION: usize = 1_000_000;

/// The contenders, and true for those that run on coroutines of this library.
pub const CONTENDERS: &[(&str, bool)] = &[
    #[cfg(feature = "coroutines")]
    ("csp", true),
    #[cfg(feature = "coroutines")]
    (ASYNC, false),
    (Kanal::NAME, false),
    (AsyncChannel::NAME, false),
    (go::NAME, false),
];

/// This library's processes that are futures.
const ASYNC: &str = "csp async";

/// The ways to run a million: each is served as soon as it has started, or all wait at once.
pub const WAYS: &[&str] = &["lazily started", "live and blocked"];

/// The time and memory of a million processes.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The time of the first million of an OS process.
    pub cold: Duration,
    /// The peak of memory of the OS process until then, in KiB, or 0 if the system doesn't tell it.
    pub peak: u64,
    /// The time of the second million, which reuses the memory of the first.
    pub warm: Duration,
}

/// Runs a million, and another million.
///
/// # Errors
/// Returns the message of a contender that can't run a million.
pub fn run_twice(contender: &str, way: &str) -> Result<Taken, String> {
    if contender == go::NAME {
        let way = if way == WAYS[1] { "live" } else { "lazy" };
        return go::million(way).map(|(cold, peak, warm)| Taken { cold, peak, warm });
    }
    let cold = run(contender, way)?;
    let peak = peak_kib();
    HERE.store(0, Ordering::Relaxed);
    Ok(Taken { cold, peak, warm: run(contender, way)? })
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Runs a million, and returns how long that took.
///
/// # Errors
/// Returns the message of a contender that can't run a million.
fn run(contender: &str, way: &str) -> Result<Duration, String> {
    let live = way == WAYS[1];
    let elapsed = Clock::Thread.start();
    match (contender, live) {
        ("csp", false) => lazy()?,
        ("csp", true) => {
            let values =
                all_live(Backend::Coroutine, MILLION).map_err(|failure| format!("{failure:#}"))?;
            assert!(values.iter().all(Result::is_ok));
        }
        (ASYNC, _) => asyncs(live)?,
        (Kanal::NAME, true) => on_tokio(live_futures::<Kanal>()).ok_or("one was lost")?,
        (Kanal::NAME, false) => on_tokio(lazy_futures::<Kanal>()).ok_or("one was lost")?,
        (AsyncChannel::NAME, true) => {
            on_tokio(live_futures::<AsyncChannel>()).ok_or("one was lost")?;
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
    let sum = values.into_iter().sum::<csp::Result<u64>>().map_err(|end| format!("{end:#}"))?;
    assert_eq!(sum, MILLION as u64 * (MILLION as u64 - 1) / 2);
    Ok(())
}

/// The number of processes that have started.
static HERE: AtomicUsize = AtomicUsize::new(0);

fn are_all_here() -> bool {
    HERE.load(Ordering::Relaxed) == MILLION
}

/// The end of the channel that reports the start of all. The channel has room for the message.
static COMPLETE: Mutex<Option<Writer<()>>> = Mutex::new(None);

/// Counts one more that has started. It is a function of its own, because the future is to be small.
#[inline(never)]
fn is_here() -> csp::Result {
    HERE.fetch_add(1, Ordering::Relaxed);
    match are_all_here().then(|| COMPLETE.lock().expect("nobody panics").take()).flatten() {
        Some(complete) => Ok(complete.write(())?),
        None => Ok(()),
    }
}

#[process]
async fn one_async(input: Reader<u64>) -> csp::Result<u64> {
    is_here()?;
    input.read_async().await
}

/// Feeds the processes, as soon as all have started.
#[process]
async fn patient_feeder(complete: Option<Reader<()>>, out: Writer<u64>) -> csp::Result {
    if let Some(complete) = &complete {
        complete.read_async().await?;
    }
    for n in 0..MILLION as u64 {
        out.write_async(n).await?;
    }
    Ok(())
}

fn asyncs(live: bool) -> Result<(), String> {
    let (channel, complete) = (Channel::new(), Channel::buffered(1));
    let begin = live.then(|| complete.reader());
    *COMPLETE.lock().expect("nobody panics") = live.then(|| complete.writer());
    let ones = MILLION * one_async(channel.reader()).on(Backend::Coroutine);
    let feeder = patient_feeder(begin, channel.writer()).on(Backend::Coroutine);
    let (values, _) = parallel!(ones, feeder);
    let sum = values.into_iter().sum::<csp::Result<u64>>().map_err(|end| format!("{end:#}"))?;
    assert_eq!(sum, MILLION as u64 * (MILLION as u64 - 1) / 2);
    Ok(())
}

async fn live_futures<P: Awaiting<Reader: Clone>>() -> Option<()> {
    let (out, input) = P::channel(0);
    let futures: Vec<_> = (0..MILLION)
        .map(|_| {
            let mut input = input.clone();
            tokio::spawn(async move {
                HERE.fetch_add(1, Ordering::Relaxed);
                P::read(&mut input).await.value()
            })
        })
        .collect();
    while !are_all_here() {
        tokio::task::yield_now().await;
    }
    for n in 0..MILLION as u64 {
        P::write(&out, n).await.value()?;
    }
    for future in futures {
        future.await.ok()??;
    }
    Some(())
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
