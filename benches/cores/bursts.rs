//! Processes that only compute, as loops of rayon.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::load::Load;
use super::work::Work;

/// Does a work once.
pub(super) fn run(work: Work, microsecond: Load) -> Duration {
    let Work::Jobs { jobs, job, skewed } = work else { unreachable!("{work} is no loop") };
    // Outside of its threads each loop would wait for one of them to wake up.
    rayon::scope(|_| {
        let start = Instant::now();
        for _ in 0..work.times() {
            let load = |number| (microsecond * job).of_job(number, skewed);
            let results: Vec<u64> =
                (0..jobs).into_par_iter().map(|number| load(number).spin()).collect();
            black_box(results);
        }
        start.elapsed()
    })
}
