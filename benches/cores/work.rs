//! The works of this table: their names, their sizes, and what a unit of each is.

use std::fmt;

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
    /// Ten processes that do nothing, again and again.
    Nothing,
    /// So many processes that do nothing, at once.
    Many(u64),
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
}

use Work::{Commstime, FanIn, Farm, Jobs, Many, Nothing, Pipelines, Ring, Select};

/// The number of stages of a pipeline.
pub(crate) const STAGES: u64 = 8;

/// The number of replicas that do nothing.
pub(crate) const NOTHINGS: u64 = 10;

/// Communication on one core takes about this long in one network, in nanoseconds. So do all jobs of one network, several times.
const A_NETWORK: u64 = 5_000_000;

impl Work {
    /// Returns all works.
    pub fn all() -> Vec<Self> {
        let mut works = vec![Commstime, Ring, FanIn, Select, Nothing];
        works.extend([100_000, 1_000_000].map(Many));
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
            Nothing => A_NETWORK / (40 * NOTHINGS),
            Many(_) => 1,
            Pipelines { pipelines, stage: 0 } => A_NETWORK / (pipelines * STAGES * 20),
            Pipelines { pipelines, stage } => {
                (4 * A_NETWORK / (pipelines * STAGES * stage * 1_000)).max(20)
            }
            Farm { job, .. } => (4 * A_NETWORK / (job * 1_000)).max(48),
            Jobs { jobs, job, .. } => (4 * A_NETWORK / (jobs * job * 1_000)).max(2),
        }
    }

    /// Returns the number of units in one network.
    pub(crate) fn units(self) -> u64 {
        let each = match self {
            Commstime => 4,
            Ring => 1_000,
            FanIn | Select | Farm { .. } => 1,
            Nothing => NOTHINGS,
            Many(processes) => processes,
            Pipelines { pipelines, .. } => pipelines * STAGES,
            Jobs { jobs, .. } => jobs,
        };
        each * self.times()
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
            Nothing => f.write_str("parallel!(10 * nothing)"),
            Many(processes) => write!(f, "parallel!({} * nothing)", grouped(processes)),
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
        }
    }
}
