//! Works, their contenders, and how long they take.

use std::fmt;
use std::time::{Duration, Instant};

/// Something to do, and its contenders.
#[derive(Debug)]
pub struct Work {
    /// Its name.
    pub name: &'static str,
    /// The place where it is done.
    pub scene: Scene,
    /// How many units (communications, choices or processes) one iteration does.
    pub units: u64,
    /// Its contenders. The others are compared with the first.
    pub contenders: Vec<Contender>,
}

/// The place where a work is done. Figures for one thread and for many threads are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// All processes share one OS thread: coroutines and futures.
    OneThread,
    /// OS threads communicate.
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

/// A library that does a work.
pub struct Contender {
    /// `csp`, or a peer.
    pub name: &'static str,
    /// True if it runs on coroutines of this library, so each of their engines is one more contender.
    pub on_engine: bool,
    run: Box<dyn Fn(u64) -> Duration>,
}

impl Contender {
    /// Makes a contender. `run` does that many iterations and returns how long they took, without start and end.
    pub fn new(name: &'static str, run: impl Fn(u64) -> Duration + 'static) -> Self {
        Self { name, on_engine: false, run: Box::new(run) }
    }

    /// Makes a contender that runs on coroutines of this library.
    pub fn on_engine(name: &'static str, run: impl Fn(u64) -> Duration + 'static) -> Self {
        Self { on_engine: true, ..Self::new(name, run) }
    }

    /// Does that many iterations.
    pub fn run(&self, iterations: u64) -> Duration {
        (self.run)(iterations)
    }

    /// Returns its name, and the engine that this OS process runs coroutines on.
    pub fn label(&self) -> String {
        if self.on_engine { with_engine(self.name, &engine()) } else { self.name.to_owned() }
    }
}

impl fmt::Debug for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

/// The clock that measures a work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The time that the calling OS thread has had a CPU. It suits one thread that never waits, because other programs
    /// on the machine do not count.
    Thread,
    /// The time of day. It suits threads that wait for each other.
    Wall,
}

impl Clock {
    /// Starts the clock. The returned function gives the time since then.
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

/// The coroutine engines compiled in. The first is used unless `CSP_ENGINE` names another.
pub use csp::__private::ENGINES;

/// Returns the coroutine engine of this OS process.
pub fn engine() -> String {
    std::env::var("CSP_ENGINE").unwrap_or_else(|_| ENGINES[0].to_owned())
}

/// Returns a label such as `csp (generator)`.
pub fn with_engine(name: &str, engine: &str) -> String {
    format!("{name} ({engine})")
}

/// Returns how many iterations take about `goal`.
pub fn iterations_for(goal: Duration, mut run: impl FnMut(u64) -> Duration) -> u64 {
    let mut iterations = 1;
    loop {
        let took = run(iterations).max(Duration::from_nanos(1));
        let factor = goal.as_secs_f64() / took.as_secs_f64();
        if factor <= 4.0 {
            return ((iterations as f64 * factor) as u64).max(1);
        }
        // The time of so few iterations says little.
        iterations = (iterations as f64 * factor.min(50.0)) as u64;
    }
}

/// Returns the median.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}

/// The machine of the measurements, in words.
#[derive(Debug)]
pub struct Machine {
    cpu: String,
    cores: usize,
}

impl Machine {
    /// Returns the machine that this program runs on.
    pub fn this() -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = info.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let cpu = match (field("model name"), field("cpu family"), field("model\t")) {
            (Some(name), Some(family), Some(model)) => {
                format!("{name} (family {family}, model {model})")
            }
            _ => std::env::consts::ARCH.to_owned(),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cpu, cores }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} cores, {}", self.cpu, self.cores, std::env::consts::OS)
    }
}
