//! Workers of a farm, killed and stopped at random moments, also while they start. The system knows the children of an OS process
//! before they have sent anything. No process hangs and no job is done twice. No job is lost, except a job that a dead worker had
//! taken.

use std::collections::HashSet;
use std::fs;
use std::thread;
use std::time::Duration;

use csp::{
    Backend, Channel, Process, Reader, Termination, Writer, alt, multiprocess, parallel, process,
    spawn,
};
use csp_tests::{Random, rounds, seed};
use rustix::process::{Pid, Signal, kill_process};

const WORKERS: usize = 4;
const JOBS: u64 = 600;

#[process]
fn source(jobs: Writer<u64>, first: u64) -> csp::Result {
    for job in (first..JOBS).step_by(2) {
        jobs.write(job)?;
    }
    Ok(())
}

#[process]
fn sink(results: Reader<u64>) -> Vec<u64> {
    results.iter().collect()
}

#[multiprocess(on_panic = retire)]
fn reader(jobs: Reader<u64>, more: Reader<u64>, results: Writer<u64>) -> csp::Result {
    for job in &jobs {
        results.write(job)?;
    }
    for job in &more {
        results.write(job)?;
    }
    Ok(())
}

#[multiprocess(on_panic = retire)]
fn chooser(jobs: Reader<u64>, more: Reader<u64>, results: Writer<u64>) -> csp::Result {
    let mut held = None;
    loop {
        if let Some(job) = held {
            alt! {
                results.write(job) => held = None,
            }?;
        } else {
            held = Some(alt! {
                job = jobs.read() => job,
                job = more.read() => job,
            }?);
        }
    }
}

type Worker = Process<(Reader<u64>, Reader<u64>, Writer<u64>), csp::Result>;

/// Returns the children of this OS process, including those that are just starting.
fn children() -> Vec<Pid> {
    let mut children = Vec::new();
    for task in fs::read_dir("/proc/self/task").expect("/proc").flatten() {
        // A thread may have ended by now.
        let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        let pids = list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        children.extend(pids);
    }
    children
}

/// The outcome of a farm.
#[derive(Default)]
struct Sums {
    killed: usize,
    stopped: usize,
    lost: usize,
}

/// Runs a farm in an OS process of its own, so that all children of the OS process belong to the farm.
#[multiprocess]
fn arena(seed: u64, kills: usize) {
    let mut random = Random::seeded(seed);
    let mut sums = Sums::default();
    while sums.killed < kills {
        farm(&mut random, &mut sums);
    }
    println!("{} killed, {} stopped, {} jobs lost", sums.killed, sums.stopped, sums.lost);
    assert!(sums.lost <= sums.killed);
}

fn farm(random: &mut Random, sums: &mut Sums) {
    let capacity = random.below(2) * 3;
    let made = || if capacity == 0 { Channel::new() } else { Channel::buffered(capacity) };
    let (jobs, more, results) = (made(), made(), made());
    let worker = if random.once_in(2) { reader } else { chooser };
    let worker: Worker = worker(jobs.reader(), more.reader(), results.writer());

    let sources = [(&jobs, 0), (&more, 1)]
        .map(|(jobs, first)| spawn(source(jobs.writer(), first).on(Backend::Thread)));
    let sink = spawn(sink(results.reader()).on(Backend::Thread));
    // These stay when all the workers are dead.
    let last = reader(jobs.reader(), more.reader(), results.writer()).on(Backend::Thread);
    drop((jobs, more, results));
    let workers = spawn(WORKERS * worker);

    let before = sums.killed;
    while !workers.iter().all(csp::Spawned::has_ended) {
        thread::sleep(Duration::from_micros(random.below(1500) as u64));
        let children = children();
        if children.is_empty() {
            continue;
        }
        let child = children[random.below(children.len())];
        if random.once_in(4) {
            // The child may have ended since it was listed. No other OS process can have got its number so soon.
            if kill_process(child, Signal::STOP).is_ok() {
                thread::sleep(Duration::from_micros(random.below(1500) as u64));
                let _ = kill_process(child, Signal::CONT);
                sums.stopped += 1;
            }
        } else {
            let _ = kill_process(child, Signal::KILL);
        }
    }
    for worker in workers {
        match worker.try_join() {
            Ok(Ok(()) | Err(Termination::Retired)) => {}
            Ok(Err(poisoned)) => panic!("{poisoned}"),
            Err(failure) => {
                let message = failure.message();
                assert!(message.contains("SIGKILL") || message.contains("began"), "{failure:#}");
                sums.killed += 1;
            }
        }
    }
    let (_,) = parallel!(last);
    for source in sources {
        assert_eq!(source.join(), Ok(()), "every job was taken by somebody, or is in a buffer");
    }
    let done = sink.join();
    let once: HashSet<_> = done.iter().collect();
    assert_eq!(once.len(), done.len(), "a job was done twice");
    let (killed, lost) = (sums.killed - before, JOBS as usize - done.len());
    assert!(lost <= killed, "{lost} jobs lost by {killed} workers");
    sums.lost += lost;
}

#[test]
fn a_farm_survives_its_workers() {
    let kills = rounds(400) as usize / 4;
    // Each part may take as long as a test.
    for part in 0..4 {
        let arena = move || parallel!(arena(4 * seed() + part, kills)).0;
        csp_tests::watched("farm::a_farm_survives_its_workers", arena);
    }
}
