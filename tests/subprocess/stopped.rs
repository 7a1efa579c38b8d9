//! Children stopped and continued at any moment. A stop is no death. `CSP_STOPS` sets the number of networks, 200 by default.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use csp::{Channel, Writer, process, spawn};
use rustix::process::Signal;

use crate::killed::{Random, signal, worker};
use crate::tests;

fn how_many() -> u64 {
    std::env::var("CSP_STOPS").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
}

#[process]
fn writes(out: Writer<u64>, from: u64, n: u64) -> csp::Result {
    for job in from..from + n {
        out.write(job)?;
    }
    Ok(())
}

/// Stops the children now and then for a while, one or more at once, and returns how often.
fn stops(pids: &[u32], random: &mut Random) -> u64 {
    let times = 1 + random.below(3);
    for _ in 0..times {
        thread::sleep(Duration::from_micros(random.below(2000)));
        let first = random.below(pids.len() as u64) as usize;
        let both = random.below(4) == 0;
        let stopped = if both { pids } else { &pids[first..=first] };
        stopped.iter().for_each(|pid| signal(*pid, Signal::STOP));
        thread::sleep(Duration::from_micros(random.below(3000)));
        stopped.iter().for_each(|pid| signal(*pid, Signal::CONT));
    }
    times
}

tests! {
    fn each_value_arrives_once_though_workers_are_stopped() {
        const JOBS: u64 = 150;
        const OTHERS: u64 = 100;
        let mut random = Random(std::process::id().into());
        let mut stopped = 0;
        for run in 0..how_many() {
            let (jobs, others, results) = (Channel::new(), Channel::new(), Channel::new());
            let born = Channel::new();
            let writing = [
                spawn(writes(jobs.writer(), 0, JOBS).on(csp::Backend::Thread)),
                spawn(writes(others.writer(), JOBS, OTHERS).on(csp::Backend::Thread)),
            ];
            // The second worker reads both channels, for every choice of the first.
            let workers = [run % 4, 2].map(|way| {
                spawn(worker(born.writer(), way, jobs.reader(), others.reader(), results.writer()))
            });
            let (said, passed_on) = (born.reader(), results.reader());
            drop((jobs, others, results, born));
            let pids = [(); 2].map(|()| said.read().expect("a worker"));
            let mut seen = BTreeSet::new();
            thread::scope(|scope| {
                let stopping = scope.spawn(|| stops(&pids, &mut random));
                for value in &passed_on {
                    assert!(seen.insert(value), "run {run}: {value} came twice");
                }
                stopped += stopping.join().expect("no panic");
            });
            assert!(seen.into_iter().eq(0..JOBS + OTHERS), "run {run}");
            for writer in writing {
                assert_eq!(writer.join(), Ok(()));
            }
            for worker in workers {
                assert_eq!(worker.join(), Err(csp::Termination::Retired));
            }
        }
        println!("{stopped} stops");
    }
}
