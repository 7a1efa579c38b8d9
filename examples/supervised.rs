//! A pool of workers under a supervisor: a worker that crashes is replaced, and the others do not notice.
//!
//! ```text
//!                   ┌─▶ worker ─┐
//! source ── jobs ───┼─▶ worker ─┼─── results ──▶ sink
//!                   └─▶   …    ─┘
//!                        pool
//! ```
//!
//! The pool keeps an end of each channel, and gives each worker a clone. So the channels outlive a worker that crashes. The job that it
//! had taken is lost with it. `pool.rs` shows how a job is given again.

use std::cell::Cell;
use std::time::Duration;

use clap::Parser;
use csp::{Backend, Channel, GaveUp, Reader, Supervisor, Writer, multiprocess, parallel, process};

/// Squares numbers with workers that crash now and then.
#[derive(Parser)]
struct Arguments {
    /// Jobs to do
    #[arg(long, default_value_t = 100)]
    jobs: u64,
    /// Workers at once
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// One in so many jobs crashes its worker (0 for none)
    #[arg(long, default_value_t = 25)]
    crash: u64,
    /// Crashes that the pool stands before it gives up
    #[arg(long, default_value_t = 10)]
    restarts: usize,
    /// Backend of a worker: coroutine, thread or subprocess
    #[arg(long, default_value_t = usual())]
    on: Backend,
}

fn usual() -> Backend {
    match Backend::Subprocess.is_compiled_in() {
        true => Backend::Subprocess,
        false => Backend::Coroutine,
    }
}

#[process]
fn source(jobs: Writer<u64>, count: u64) -> csp::Result {
    for job in 1..=count {
        jobs.write(job)?;
    }
    Ok(())
}

#[multiprocess]
fn worker(jobs: Reader<u64>, results: Writer<u64>, crash: u64) -> csp::Result {
    loop {
        let job = jobs.read()?;
        assert!(crash == 0 || job % crash != 0, "job {job} is too much");
        results.write(job * job)?;
    }
}

/// Runs the workers until there are no more jobs. Returns how many it has replaced.
#[process]
fn pool(
    jobs: Reader<u64>,
    results: Writer<u64>,
    workers: usize,
    crash: u64,
    restarts: usize,
    on: Backend,
) -> Result<usize, GaveUp> {
    let made = Cell::new(0);
    Supervisor::one_for_one()
        .intensity(restarts, Duration::from_secs(60))
        .children(workers, |_stop| {
            made.set(made.get() + 1);
            worker(jobs.clone(), results.clone(), crash).on(on)
        })
        .run()?;
    Ok(made.get() - workers)
}

#[process]
fn sink(results: Reader<u64>) -> usize {
    results.iter().count()
}

#[csp::main]
fn main() -> Result<(), GaveUp> {
    let Arguments { jobs: count, workers, crash, restarts, on } = Arguments::parse();
    let (jobs, results) = (Channel::new(), Channel::new());
    let (_, replaced, done) = parallel!(
        source(jobs.writer(), count),
        pool(jobs.reader(), results.writer(), workers, crash, restarts, on),
        sink(results.reader()),
    );
    println!("{done} of {count} jobs done, {} workers replaced", replaced?);
    Ok(())
}
