//! Programs that a newcomer wrote: an end for the answer is made for each question, and the channel has retired by the second one. The
//! case `kept` has the answer to that: one writer is kept, and cloned.
//!
//! The load balancer is Rob Pike's ("Concurrency is not parallelism", 2012).

use std::collections::BTreeSet;

use csp::{Channel, Reader, Writer, alt, parallel, process, spawn};
use csp_tests::backend;

const REQUESTERS: usize = 100;
const WORKERS: usize = 10;
const EACH: usize = 5;

struct Request {
    number: u64,
    reply: Writer<u64>,
}

/// Waits until the writer that went with a request has gone, so that the mistake shows in each run.
fn until_it_has_retired(answer: &Reader<u64>) {
    while answer.termination().is_none() {
        csp::sleep(std::time::Duration::from_millis(1));
    }
}

#[process]
fn client(work: Writer<Request>) -> csp::Result<u64> {
    let answers = Channel::new();
    let answer = answers.reader();
    let mut sum = 0;
    for number in 0..EACH as u64 {
        work.write(Request { number, reply: answers.writer() })?;
        sum += answer.read()?;
        until_it_has_retired(&answer);
    }
    Ok(sum)
}

#[process]
fn careful_client(work: Writer<Request>) -> csp::Result<u64> {
    let answers = Channel::new();
    let (reply, answer) = (answers.writer(), answers.reader());
    let mut sum = 0;
    for number in 0..EACH as u64 {
        work.write(Request { number, reply: reply.clone() })?;
        sum += answer.read()?;
    }
    Ok(sum)
}

#[process]
fn server(requests: Reader<Request>) -> csp::Result {
    for request in &requests {
        request.reply.write(request.number)?;
    }
    Ok(())
}

#[process]
fn worker(requests: Reader<Request>, done: Writer<usize>, me: usize) -> csp::Result {
    for request in &requests {
        request.reply.write(request.number)?;
        drop(request);
        done.write(me)?;
    }
    Ok(())
}

/// Returns the highest load that a worker had.
#[process]
fn balancer(work: Reader<Request>) -> csp::Result<usize> {
    // The balancer ends with the last request, and not with the last worker.
    let done = Channel::buffered(WORKERS).may_be_dropped();
    let mut pending = [0; WORKERS];
    let mut heap: BTreeSet<(usize, usize)> = (0..WORKERS).map(|w| (0, w)).collect();
    let queues: Vec<Writer<Request>> = (0..WORKERS)
        .map(|me| {
            let requests = Channel::buffered(REQUESTERS);
            drop(spawn(worker(requests.reader(), done.writer(), me).on(backend())));
            requests.writer()
        })
        .collect();
    let finished = done.reader();
    drop(done);
    let mut highest = 0;
    loop {
        alt! {
            request = work.read() => {
                let (load, w) = heap.pop_first().expect("there are workers");
                queues[w].write(request)?;
                pending[w] = load + 1;
                highest = highest.max(load + 1);
                heap.insert((load + 1, w));
            }
            w = finished.read() => {
                heap.remove(&(pending[w], w));
                pending[w] -= 1;
                heap.insert((pending[w], w));
            }
            retired(work) => return Ok(highest),
        }?;
    }
}

#[csp::main]
fn main() {
    let work = Channel::new().named("work");
    let right = Ok((0..EACH as u64).sum());
    match std::env::args().nth(2).expect("a case").as_str() {
        "client" => {
            let (client, _) = parallel!(
                client(work.writer()).on(backend()),
                server(work.reader()).on(backend()),
            );
            println!("{client:?}");
        }
        "balancer" => {
            // A worker ends at the first reply that it cannot give, and the balancer with it.
            let (sums, _) = parallel!(
                REQUESTERS * client(work.writer()).on(backend()),
                balancer(work.reader()).on(backend()),
            );
            let retired = sums.iter().filter(|sum| **sum == Err(csp::Termination::Retired));
            println!("{} of {REQUESTERS} retired", retired.count());
        }
        "kept" => {
            let (sums, highest) = parallel!(
                REQUESTERS * careful_client(work.writer()).on(backend()),
                balancer(work.reader()).on(backend()),
            );
            let right = sums.iter().filter(|sum| **sum == right).count();
            let is_balanced = highest.is_ok_and(|load| load <= REQUESTERS.div_ceil(WORKERS) + 2);
            println!("{right} of {REQUESTERS} right, {is_balanced}");
        }
        case => unreachable!("no such case: {case}"),
    }
}
