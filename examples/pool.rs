//! A farm whose workers may crash: each has a minder that hires a new worker and gives it the job again.
//!
//! ```text
//!                   ┌─▶ minder[0] ─┐
//! source ── jobs ───┼─▶ minder[1] ─┼─── results ──▶ sink
//!                   └─▶    …      ─┘
//!                        │    ▲
//!                 orders ▼    │ answers
//!                        worker
//! ```
//!
//! A worker holds one end each of two channels. Only its minder uses the other ends. When the worker crashes the channels are poisoned,
//! so the minder's next read or write fails, after any kind of crash. The minder learns the kind from `try_join`. It hires a new worker
//! with new channels, and goes on with the same job. Once it has communicated again it has recovered, and does not pass the poison on.
//!
//! On `subprocess` a crash may be a panic, an exit or an abort of the OS process. On other backends an abort would end the
//! whole program, so there each crash is a panic.

use std::collections::BTreeMap;

use clap::Parser;
use csp::{
    Backend, Cause, Channel, Reader, Spawned, Writer, multiprocess, parallel, process, spawn,
};

/// Squares numbers with workers that crash now and then.
#[derive(Parser)]
struct Arguments {
    /// Jobs to do
    #[arg(long, default_value_t = 100)]
    jobs: u64,
    /// Workers at once
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// One in so many jobs crashes the first worker that gets it (0 for none)
    #[arg(long, default_value_t = 10)]
    crash: u64,
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
    for job in 0..count {
        jobs.write(job)?;
    }
    Ok(())
}

/// Counts how often each result came.
#[process]
fn sink(results: Reader<(u64, u64)>) -> BTreeMap<(u64, u64), usize> {
    let mut all = BTreeMap::new();
    for result in &results {
        *all.entry(result).or_default() += 1;
    }
    all
}

/// A job, and how often it was given to a worker before.
type Order = (u64, u64);

#[multiprocess]
fn worker(orders: Reader<Order>, answers: Writer<u64>, crash: u64, alone: bool) -> csp::Result {
    loop {
        let (job, attempt) = orders.read()?;
        if crash > 0 && attempt == 0 && job % crash == crash - 1 {
            match (job / crash) % 3 {
                0 if alone => std::process::exit(3),
                1 if alone => std::process::abort(),
                _ => panic!("job {job} is too much"),
            }
        }
        answers.write(job * job)?;
    }
}

/// A worker, and the channels to it.
struct Hired {
    orders: Writer<Order>,
    answers: Reader<u64>,
    worker: Spawned<csp::Result>,
}

impl Hired {
    fn new(crash: u64, on: Backend) -> Self {
        let (orders, answers) = (Channel::new(), Channel::new());
        let alone = on == Backend::Subprocess;
        let worker = worker(orders.reader(), answers.writer(), crash, alone).on(on);
        Self { orders: orders.writer(), answers: answers.reader(), worker: spawn(worker) }
    }

    fn ask(&self, order: Order) -> csp::Result<u64> {
        self.orders.write(order)?;
        self.answers.read()
    }
}

/// Returns the number of crashes that it has seen.
#[process]
fn minder(
    jobs: Reader<u64>,
    results: Writer<(u64, u64)>,
    crash: u64,
    on: Backend,
) -> csp::Result<usize> {
    let mut hired = Hired::new(crash, on);
    let mut crashes = 0;
    for job in &jobs {
        for attempt in 0.. {
            if let Ok(answer) = hired.ask((job, attempt)) {
                results.write((job, answer))?;
                break;
            }
            let fired = std::mem::replace(&mut hired, Hired::new(crash, on));
            if let Err(failure) = fired.worker.try_join() {
                if matches!(failure.cause(), Cause::Unstarted { .. }) {
                    return Err(failure.into()); // the next one would fare no better
                }
                println!("{failure:#}");
                crashes += 1;
            }
        }
    }
    Ok(crashes)
}

#[csp::main]
fn main() -> csp::Result {
    let Arguments { jobs: count, workers, crash, on } = Arguments::parse();
    let (jobs, results) = (Channel::new(), Channel::new());
    let (_, crashes, squares) = parallel!(
        source(jobs.writer(), count),
        workers * minder(jobs.reader(), results.writer(), crash, on),
        sink(results.reader()),
    );
    let right = (0..count).filter(|&job| squares.get(&(job, job * job)) == Some(&1)).count();
    let crashes = crashes.into_iter().sum::<csp::Result<usize>>()?;
    println!("{right} of {count} jobs done once, {crashes} workers replaced");
    Ok(())
}
