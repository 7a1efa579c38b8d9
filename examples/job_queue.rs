//! A job queue: work that fails is tried again later, but not for ever, and each client gets the results of its own jobs.
//!
//! ```text
//! client[0] ─┐          ┌─────────┐          ┌─▶ worker[0] ── work
//! client[1] ─┼ orders ─▶│  queue  ├── jobs ──┼─▶ worker[1] ── work
//!     …     ─┘          └─▲────┬──┘          └─▶    …
//!     ▲                   │    │                    │
//!     │                   └────│───── outcomes ─────┘
//!     └───────── answers ──────┘
//! ```
//!
//! An order carries the writing end of its client's channel for answers. The queue keeps that end until the order is done or given up, and
//! then drops it. So a client knows that it has all its answers when its channel retires, and counts nothing.
//!
//! The queue does several things at once: it takes orders, gives out jobs, takes outcomes, and waits for the time to try a job again.
//! It is one choice, with a guard for each. The guard that gives out a job is in the choice only while a job is ready.
//!
//! A worker runs each piece of work as a process. So the work may return an error, panic, or abort its OS process (`--on subprocess`):
//! each is an error in the worker's hands, and the worker goes on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use clap::Parser;
use csp::{Backend, Channel, Reader, Writer, alt, multiprocess, parallel, process, try_parallel};

/// Does jobs that fail now and then.
#[derive(Parser, Clone)]
pub(crate) struct Arguments {
    /// Clients
    #[arg(long, default_value_t = 4)]
    pub(crate) clients: u64,
    /// Jobs of each client
    #[arg(long, default_value_t = 25)]
    pub(crate) jobs: u64,
    /// Workers at once
    #[arg(long, default_value_t = 3)]
    pub(crate) workers: usize,
    /// Attempts at a job before it is given up
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) attempts: u32,
    /// Milliseconds before the second attempt; twice as long before each further one
    #[arg(long, default_value_t = 2)]
    pub(crate) pause: u64,
    /// Backend of the work, if it is compiled in: coroutine, thread or subprocess
    #[arg(long, default_value_t = Backend::Coroutine)]
    pub(crate) on: Backend,
}

/// A wish of a client.
struct Order {
    number: u64,
    answers: Writer<Answer>,
}

/// The end of an order.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) number: u64,
    pub(crate) attempts: u32,
    pub(crate) result: Outcome,
}

type Outcome = Result<u64, String>;

/// An attempt at an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Job {
    order: u64,
    number: u64,
    attempt: u32,
}

/// Squares a number. The number says how many attempts fail, and in which way.
#[multiprocess]
fn work(number: u64, attempt: u32, alone: bool) -> Outcome {
    csp::sleep(Duration::from_millis(1));
    if u64::from(attempt) > number % 4 {
        return Ok(number * number);
    }
    match number % 3 {
        0 if alone => std::process::abort(),
        0 | 1 => panic!("{number} is too much"),
        _ => Err(format!("{number} is not for today")),
    }
}

#[process]
fn worker(jobs: Reader<Job>, outcomes: Writer<(Job, Outcome)>, on: Backend) -> csp::Result {
    let alone = on == Backend::Subprocess && cfg!(feature = "subprocess");
    for job in &jobs {
        let outcome = match try_parallel!(work(job.number, job.attempt, alone).on(on)) {
            Ok((outcome,)) => outcome,
            Err(failure) => Err(failure.to_string()),
        };
        outcomes.write((job, outcome))?;
    }
    Ok(())
}

/// Returns how many attempts there were.
#[process]
fn queue(
    orders: Reader<Order>,
    jobs: Writer<Job>,
    outcomes: Reader<(Job, Outcome)>,
    attempts: u32,
    pause: Duration,
) -> csp::Result<usize> {
    let mut open = true;
    let (mut taken, mut tried) = (0, 0);
    let mut unanswered = BTreeMap::new();
    let mut ready = VecDeque::new();
    let mut later = BinaryHeap::new();
    while open || !unanswered.is_empty() {
        let next = ready.front().copied();
        let due = later.peek().map(|Reverse((due, _))| *due);
        alt! {
            if open, order = orders.read() => {
                let Order { number, answers } = order;
                taken += 1;
                unanswered.insert(taken, answers);
                ready.push_back(Job { order: taken, number, attempt: 1 });
            },
            if open, retired(orders) => open = false,
            if let Some(job) = next, jobs.write(job) => {
                tried += 1;
                ready.pop_front();
            },
            tried = outcomes.read() => {
                let (job, result) = tried;
                if result.is_err() && job.attempt < attempts {
                    let due = Instant::now() + pause * 2_u32.pow(job.attempt - 1);
                    later.push(Reverse((due, Job { attempt: job.attempt + 1, ..job })));
                } else if let Some(answers) = unanswered.remove(&job.order) {
                    let answer = Answer { number: job.number, attempts: job.attempt, result };
                    // The client may have gone. There is room for all of its answers, so nobody waits for it.
                    let _ = answers.write(answer);
                }
            },
            if let Some(due) = due, at(due) => {
                ready.extend(later.pop().map(|Reverse((_, job))| job));
            },
        }?;
    }
    Ok(tried)
}

/// Orders the numbers `first..first + count`. Returns the answers in the order in which they came.
#[process]
fn client(orders: Writer<Order>, first: u64, count: u64) -> csp::Result<Vec<Answer>> {
    let channel = Channel::buffered(count as usize);
    let (to_queue, answers) = (channel.writer(), channel.reader());
    for number in first..first + count {
        orders.write(Order { number, answers: to_queue.clone() })?;
    }
    // Only orders have writing ends from now on, and the last one that is answered retires the channel.
    drop((orders, channel, to_queue));
    Ok(answers.iter().collect())
}

/// Returns the answers of all clients, and how many attempts there were.
pub(crate) fn run(arguments: Arguments) -> csp::Result<(Vec<Vec<Answer>>, usize)> {
    let Arguments { clients, jobs: count, workers, attempts, pause, on } = arguments;
    let pause = Duration::from_millis(pause);
    let (orders, jobs, outcomes) = (Channel::new(), Channel::new(), Channel::new());
    let client = |n| client(orders.writer(), n * count, count).named(format!("client[{n}]"));
    let clients: Vec<_> = (0..clients).map(client).collect();
    let queue = queue(orders.reader(), jobs.writer(), outcomes.reader(), attempts, pause);
    // While the handle is there, somebody might still make the first writer. Without clients, nobody does.
    drop(orders);
    let (answers, tried, _) =
        parallel!(clients, queue, workers * worker(jobs.reader(), outcomes.writer(), on));
    Ok((answers.into_iter().collect::<csp::Result<_>>()?, tried?))
}

#[csp::main]
fn main() -> csp::Result {
    let (answers, tried) = run(Arguments::parse())?;
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    let done = answers.iter().filter(|answer| answer.result.is_ok()).count();
    let given_up = answers.len() - done;
    println!("{} jobs: {done} done, {given_up} given up, {tried} attempts", answers.len());
    Ok(())
}
