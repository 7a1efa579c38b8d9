//! Works, who does them, and how long they take.

use std::fmt;
use std::time::{Duration, Instant};

/// Something to do, and who can do it.
#[derive(Debug)]
pub struct Work {
    /// What it is.
    pub name: &'static str,
    /// Where it is done.
    pub scene: Scene,
    /// How many of what is counted (communications, choices, processes) one iteration does.
    pub units: u64,
    /// Who does it. The others are compared with the first.
    pub contenders: Vec<Contender>,
}

/// Where a work is done. What is done on one thread and what is done on many is never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// All on one OS thread: coroutines and futures.
    OneThread,
    /// On OS threads that communicate.
    Threads,
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneThread => "one thread",
            Self::Threads => "OS threads",
        })
    }
}

/// One who does a work.
pub struct Contender {
    /// `csp`, or a peer.
    pub name: &'static str,
    /// It runs on coroutines of ours, so each of their engines is one contender more.
    pub on_engine: bool,
    run: Box<dyn Fn(u64) -> Duration>,
}

impl Contender {
    /// `run` does so many iterations, and says how long they took; what comes before and after is not counted.
    pub fn new(name: &'static str, run: impl Fn(u64) -> Duration + 'static) -> Self {
        Self { name, on_engine: false, run: Box::new(run) }
    }

    /// One on coroutines of ours.
    pub fn on_engine(name: &'static str, run: impl Fn(u64) -> Duration + 'static) -> Self {
        Self { on_engine: true, ..Self::new(name, run) }
    }

    /// Does so many iterations.
    pub fn run(&self, iterations: u64) -> Duration {
        (self.run)(iterations)
    }

    /// Its name, and the engine that this OS process runs coroutines on.
    pub fn label(&self) -> String {
        if self.on_engine { with_engine(self.name, &engine()) } else { self.name.to_owned() }
    }
}

impl fmt::Debug for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

/// What a work's time is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The time that the calling OS thread has had a CPU: for what is done by one that never waits, so that others
    /// on the machine do not count.
    Thread,
    /// The time of day: for threads that wait for each other.
    Wall,
}

impl Clock {
    /// Starts it; what is returned gives the time since.
    pub fn start(self) -> impl Fn() -> Duration {
        let (wall, thread) = (Instant::now(), thread_time());
        move || match (self, thread, thread_time()) {
            (Self::Thread, Some(start), Some(now)) => now - start,
            _ => wall.elapsed(),
        }
    }
}

#[cfg(unix)]
fn thread_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().ok()
}

#[cfg(not(unix))]
fn thread_time() -> Option<Duration> {
    None
}

/// The coroutine engines compiled in; the first is what is used unless `CSP_ENGINE` says otherwise.
pub const ENGINES: &[&str] = &[
    #[cfg(all(
        feature = "slab",
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    "slab",
    #[cfg(feature = "coroutines")]
    "generator",
];

/// The coroutine engine of this OS process.
pub fn engine() -> String {
    std::env::var("CSP_ENGINE").unwrap_or_else(|_| ENGINES[0].to_owned())
}

/// `csp (generator)`
pub fn with_engine(name: &str, engine: &str) -> String {
    format!("{name} ({engine})")
}

/// How many iterations take about `goal`.
pub fn iterations_for(goal: Duration, mut run: impl FnMut(u64) -> Duration) -> u64 {
    let mut iterations = 1;
    loop {
        let took = run(iterations).max(Duration::from_nanos(1));
        let factor = goal.as_secs_f64() / took.as_secs_f64();
        if factor <= 4.0 {
            return ((iterations as f64 * factor) as u64).max(1);
        }
        // What so few have taken says little.
        iterations = (iterations as f64 * factor.min(50.0)) as u64;
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}
