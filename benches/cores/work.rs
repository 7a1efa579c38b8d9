//! The works of this table: their names, their sizes, and what a unit of each is.

use std::fmt;
use std::time::Duration;

use super::load::Load;

/// One work. The times of jobs and stages are in microseconds of one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Four processes pass a number around.
    Commstime,
    /// A token goes around a ring of 1,000.
    Ring,
    /// Ten write to one.
    FanIn,
    /// One chooses between ten channels, each with ten writers.
    Select,
    /// So many processes that do nothing.
    Nothing(u64),
    /// Values go through eight stages. There are that many pipelines.
    Pipelines {
        /// How many pipelines run at once.
        pipelines: u64,
        /// The time that each value takes in each stage.
        stage: u64,
    },
    /// One deals out jobs by one channel. One collects results from another.
    Farm {
        /// The number of workers.
        workers: u64,
        /// The time that a job takes.
        job: u64,
        /// True if each 16th job takes 16 times as long.
        skewed: bool,
    },
    /// Processes that compute and end.
    Jobs {
        /// The number of processes of one `parallel!`.
        jobs: u64,
        /// The time that a job takes.
        job: u64,
        /// True if each 16th job takes 16 times as long.
        skewed: bool,
    },
    /// The network has ended. The CPU time counts.
    Idle,
    /// A pipeline waits for input. The CPU time counts.
    Blocked,
}

use Work::{Blocked, Commstime, FanIn, Farm, Idle, Jobs, Nothing, Pipelines, Ring, Select};

/// The number of stages of a pipeline.
pub(crate) const STAGES: u64 = 8;

/// Communication on one core takes about this long in one network, in nanoseconds. So do all jobs of one network, several times.
const A_NETWORK: u64 = 5_000_000;

impl Work {
    /// Returns all works.
    pub fn all() -> Vec<Self> {
        let mut works = vec![Commstime, Ring, FanIn, Select];
        works.extend([10, 100_000, 1_000_000].map(Nothing));
        for pipelines in [1, 16] {
            works.extend([0, 1, 10, 100].map(|stage| Pipelines { pipelines, stage }));
        }
        for job in [1, 10, 100, 1_000] {
            works.extend([10, 100, 1_000].map(|workers| Farm { workers, job, skewed: false }));
        }
        for job in [10, 100] {
            works.extend([10, 100].map(|workers| Farm { workers, job, skewed: true }));
        }
        for jobs in [2, 16, 64] {
            works.extend([1, 10, 50, 1_000].map(|job| Jobs { jobs, job, skewed: false }));
        }
        works.extend([10, 100].map(|job| Jobs { jobs: 64, job, skewed: true }));
        works.extend([Idle, Blocked]);
        works
    }

    /// Returns the work of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|work| work.to_string() == name)
    }

    /// Returns how many times one network does it.
    pub(crate) fn times(self) -> u64 {
        match self {
            Commstime => A_NETWORK / 60,
            Ring => A_NETWORK / 25_000,
            FanIn => A_NETWORK / 17,
            Select => A_NETWORK / 40,
            Nothing(processes) => (A_NETWORK / (40 * processes)).max(1),
            Pipelines { pipelines, stage: 0 } => A_NETWORK / (pipelines * STAGES * 20),
            Pipelines { pipelines, stage } => {
                (4 * A_NETWORK / (pipelines * STAGES * stage * 1_000)).max(20)
            }
            Farm { job, .. } => (4 * A_NETWORK / (job * 1_000)).max(48),
            Jobs { jobs, job, .. } => (4 * A_NETWORK / (jobs * job * 1_000)).max(2),
            Idle | Blocked => 1,
        }
    }

    /// Returns the number of units in one network.
    pub(crate) fn units(self) -> u64 {
        let each = match self {
            Commstime => 4,
            Ring => 1_000,
            FanIn | Select | Farm { .. } | Idle | Blocked => 1,
            Nothing(processes) => processes,
            Pipelines { pipelines, .. } => pipelines * STAGES,
            Jobs { jobs, .. } => jobs,
        };
        each * self.times()
    }

    /// Returns how long it lasts: it is repeated for so long, or nothing happens for so long.
    pub(crate) fn goal(self) -> Duration {
        if self.is_quiet() { Duration::from_secs(3) } else { Duration::from_millis(60) }
    }

    /// Returns its word and its numbers for a program in another language.
    pub fn words(self, steps_per_millisecond: u64) -> Vec<String> {
        let microsecond = Load::microsecond(steps_per_millisecond);
        let steps = |microseconds| (microsecond * microseconds).0;
        let (word, numbers) = match self {
            Commstime => ("commstime", vec![]),
            Ring => ("ring", vec![]),
            FanIn => ("fan-in", vec![]),
            Select => ("select", vec![]),
            Nothing(processes) => ("nothing", vec![processes]),
            Pipelines { pipelines, stage } => ("pipelines", vec![pipelines, steps(stage)]),
            Farm { workers, job, skewed } => ("farm", vec![workers, steps(job), skewed.into()]),
            Jobs { jobs, job, skewed } => ("jobs", vec![jobs, steps(job), skewed.into()]),
            Idle => ("idle", vec![steps(50)]),
            Blocked => ("blocked", vec![steps(50)]),
        };
        let goal = self.goal().as_nanos() as u64;
        let numbers = [self.times(), self.units(), goal].into_iter().chain(numbers);
        std::iter::once(word.to_owned()).chain(numbers.map(|number| number.to_string())).collect()
    }

    /// Returns true if nothing happens, and the CPU time counts.
    pub fn is_quiet(self) -> bool {
        matches!(self, Idle | Blocked)
    }

    /// Returns true if its processes compute.
    pub fn computes(self) -> bool {
        match self {
            Pipelines { stage, .. } => stage > 0,
            Farm { .. } | Jobs { .. } => true,
            _ => false,
        }
    }

    /// Returns true if its processes only compute, and end.
    pub fn only_computes(self) -> bool {
        matches!(self, Jobs { .. })
    }
}

/// Prints `1,000` and the like.
fn grouped(n: u64) -> String {
    if n < 1_000 { n.to_string() } else { format!("{},{:03}", grouped(n / 1_000), n % 1_000) }
}

/// Prints a time, given in microseconds.
fn time(microseconds: u64) -> String {
    match microseconds {
        1_000 => "1 ms".to_owned(),
        us => format!("{us} µs"),
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skew = |skewed| if skewed { ", skewed" } else { "" };
        match *self {
            Commstime => f.write_str("commstime"),
            Ring => f.write_str("ring of 1,000"),
            FanIn => f.write_str("fan-in of 10"),
            Select => f.write_str("select, 10 × 10"),
            Nothing(processes) => write!(f, "parallel!({} * nothing)", grouped(processes)),
            Pipelines { pipelines: 1, stage } => write!(f, "pipeline of 8, {}", time(stage)),
            Pipelines { pipelines, stage } => {
                write!(f, "{pipelines} pipelines of 8, {}", time(stage))
            }
            Farm { workers, job, skewed } => {
                write!(f, "farm of {}, {}{}", grouped(workers), time(job), skew(skewed))
            }
            Jobs { jobs, job, skewed } => {
                write!(f, "parallel!, {jobs} jobs, {}{}", time(job), skew(skewed))
            }
            Idle => f.write_str("idle for 3 s"),
            Blocked => f.write_str("blocked for 3 s"),
        }
    }
}
