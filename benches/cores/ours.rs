//! The works, as processes of this library.

use std::hint::black_box;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use csp::{Channel, Process, Reader, Writer, parallel, process};

use super::load::Load;
use super::quiet;
use super::work::{STAGES, Work};
use crate::works::{Place, Placed as _, commstime, fan_in, ring, select};

/// Runs the network of a work once. `microsecond` is the load of one. With `compute` the loads are given to `csp::compute`.
pub(super) fn run(work: Work, place: Place, microsecond: Load, compute: bool) -> Duration {
    let times = work.times();
    let load = |microseconds| microsecond * microseconds;
    let start = Instant::now();
    match work {
        // These measure themselves, once all processes are at work.
        Work::Commstime => return commstime::ours(place, times),
        Work::Ring => return ring::ours(place, times),
        Work::FanIn => return fan_in::ours(place, times),
        Work::Select => return select::ours(place, times),
        Work::Nothing(processes) => {
            for _ in 0..times {
                parallel!(processes as usize * nothing().placed(place));
            }
        }
        Work::Pipelines { pipelines: 1, stage } => {
            assert_eq!(pipeline(|out| producer(out, times), load(stage), compute, place), times);
        }
        Work::Pipelines { pipelines, stage } => {
            // The stages stay beside their pipeline, which is what is placed.
            let inside = Place { backend: None, ..place };
            let pipeline = whole_pipeline(load(stage), compute, inside, times).placed(place);
            let (collected,) = parallel!(pipelines as usize * pipeline);
            assert!(collected.iter().all(|n| *n == times));
        }
        Work::Farm { workers, job, skewed } => {
            let (jobs, results) = (Channel::new(), Channel::new());
            let worker = worker(jobs.reader(), results.writer(), load(job), skewed, compute);
            let (produced, _, collected) = parallel!(
                producer(jobs.writer(), times),
                workers as usize * worker.placed(place),
                collector(results.reader()),
            );
            assert_eq!((produced, collected), (Ok(()), times));
        }
        Work::Jobs { jobs, job, skewed: false } => {
            for _ in 0..times {
                black_box(parallel!(jobs as usize * job_of(load(job), compute).placed(place)));
            }
        }
        Work::Jobs { jobs, job, skewed: true } => {
            for _ in 0..times {
                let jobs: Vec<_> = (0..jobs)
                    .map(|number| job_of(load(job).of_job(number, true), compute).placed(place))
                    .collect();
                black_box(parallel!(jobs));
            }
        }
        Work::Idle | Work::Blocked => unreachable!("its CPU time is measured instead"),
    }
    start.elapsed()
}

#[process]
fn nothing() {}

/// Does the load here, or where `csp::compute` does it.
fn done(load: Load, compute: bool) -> u64 {
    #[cfg(feature = "compute")]
    if compute {
        return csp::compute(move || load.spin());
    }
    let _ = compute;
    load.spin()
}

#[process]
fn job_of(load: Load, compute: bool) -> u64 {
    done(load, compute)
}

#[process]
fn producer(jobs: Writer<u64>, n: u64) -> csp::Result {
    for number in 0..n {
        jobs.write(number)?;
    }
    Ok(())
}

#[process]
fn worker(
    jobs: Reader<u64>,
    results: Writer<u64>,
    load: Load,
    skewed: bool,
    compute: bool,
) -> csp::Result {
    for number in &jobs {
        results.write(done(load.of_job(number, skewed), compute))?;
    }
    Ok(())
}

/// Returns how many results there were.
#[process]
fn collector(results: Reader<u64>) -> u64 {
    results.iter().map(black_box).count() as u64
}

#[process]
fn stage(input: Reader<u64>, out: Writer<u64>, load: Load, compute: bool) -> csp::Result {
    for value in &input {
        let more = if load.0 == 0 { 1 } else { done(load, compute) };
        out.write(value.wrapping_add(more))?;
    }
    Ok(())
}

/// Sends the values of a source through a pipeline, and returns how many have arrived.
fn pipeline<A: Send + 'static>(
    source: impl FnOnce(Writer<u64>) -> Process<A, csp::Result>,
    load: Load,
    compute: bool,
    place: Place,
) -> u64 {
    let first = Channel::new();
    let mut input = first.reader();
    let stages: Vec<_> = (0..STAGES)
        .map(|_| {
            let next = Channel::new();
            let input = std::mem::replace(&mut input, next.reader());
            stage(input, next.writer(), load, compute).placed(place)
        })
        .collect();
    let (sent, _, collected) = parallel!(source(first.writer()), stages, collector(input));
    sent.expect("the stages read all");
    collected
}

#[process]
fn whole_pipeline(load: Load, compute: bool, place: Place, n: u64) -> u64 {
    pipeline(|out| producer(out, n), load, compute, place)
}

#[process]
fn input(out: Writer<u64>, reads: mpsc::Sender<()>) -> csp::Result {
    csp::io(|| quiet::input(&reads));
    Ok(out.write(1)?)
}

/// Measures this OS process when a network has ended, or when one waits for input.
pub(super) fn quiet(work: Work, place: Place, microsecond: Load) -> ! {
    run(quiet::BEFORE, place, microsecond, false);
    if work == Work::Blocked {
        let (reads, reading) = mpsc::channel();
        std::thread::spawn(move || pipeline(|out| input(out, reads), microsecond, false, place));
        reading.recv().expect("it reads");
    }
    quiet::measure(work)
}
