//! `csp::compute`: CPU work on other threads. Their stacks are large, and there is one for each core.

use csp::{Channel, Reader, Writer, parallel, process, try_parallel};
use csp_tests::{on_each_backend, run};
use rayon::prelude::*;
use std::hint::black_box;
use std::sync::mpsc;

/// Takes a kilobyte of stack for each level.
fn deep(levels: usize) -> usize {
    let frame = black_box([1_u8; 1024]);
    if levels == 0 { 0 } else { deep(levels - 1) + usize::from(frame[levels % 1024]) }
}

#[process]
fn goes_deep() -> usize {
    csp::compute(|| deep(300))
}

#[process]
fn sums_in_parallel(n: u64) -> u64 {
    let numbers: Vec<_> = (0..n).collect();
    csp::compute(|| numbers.par_iter().map(|n| n % 7).sum())
}

#[process]
fn computes(input: Reader<u64>) -> u64 {
    input.iter().map(|n| csp::compute(|| (0..n).sum::<u64>())).sum()
}

on_each_backend! {
    here: "a blocking call is waited for in the OS process that begins it";
    fn work_has_the_stack_of_a_thread(backend) {
        assert_eq!(parallel!(backend.replicas(5, goes_deep())).0, [300; 5]);
    }

    fn loops_of_rayon_run_inside(backend) {
        let expected = (0..10_000).map(|n| n % 7).sum::<u64>();
        assert_eq!(parallel!(backend.replicas(5, sums_in_parallel(10_000))).0, [expected; 5]);
    }

    fn the_others_go_on_while_a_process_computes(backend) {
        let (go, waits) = mpsc::channel::<()>();
        let work = move || csp::compute(move || waits.recv().is_err());
        let (over, ()) = parallel!(backend.place(run(work)), backend.place(run(move || drop(go))));
        assert!(over);
    }

    fn work_is_shared_by_a_farm(backend) {
        let jobs = Channel::new();
        let (writer, farm) = (jobs.writer(), backend.replicas(10, computes(jobs.reader())));
        drop(jobs);
        let source = backend.place(run(move || (0..1000).all(|n| writer.write(n).is_ok())));
        let (all_taken, sums) = parallel!(source, farm);
        assert!(all_taken);
        assert_eq!(sums.iter().sum::<u64>(), (0..1000).map(|n: u64| (0..n).sum::<u64>()).sum());
    }

    fn a_panic_in_work_comes_back(backend) {
        let process = backend.place(run(|| csp::compute(|| [0_u8; 3].par_iter().for_each(|n| {
            assert_ne!(*n, 0, "no zero is wanted");
        }))));
        let failure = try_parallel!(process).unwrap_err();
        assert!(failure.message().contains("no zero is wanted"), "{failure:#}");
        assert!(failure.process().ends_with("/run"), "{failure:#}");
    }

    fn work_within_work_and_networks_within_work_run(backend) {
        let process = backend.place(run(|| {
            csp::compute(|| {
                let (inner,) = parallel!(3 * goes_deep());
                csp::compute(|| deep(10)) + inner.iter().sum::<usize>()
            })
        }));
        assert_eq!(parallel!(process).0, 910);
    }

    fn a_network_in_every_thread_of_rayon_still_gets_its_work_done(backend) {
        // Schedulers keep all threads of the pool, so the work must find other threads.
        let networks = backend.place(run(|| {
            csp::compute(|| {
                (0..100_u64).into_par_iter().map(|_| parallel!(2 * goes_deep()).0).count()
            })
        }));
        assert_eq!(parallel!(networks).0, 100);
    }
}

/// Returns a number of jobs that exceeds the number of the pool's threads.
fn crowd() -> usize {
    4 * std::thread::available_parallelism().map_or(4, usize::from)
}

#[process]
fn reads_in_work(input: Reader<usize>) -> csp::Result<usize> {
    csp::compute(|| input.read())
}

#[process]
fn writes_in_work(out: Writer<usize>, n: usize) -> csp::Result {
    csp::compute(|| Ok(out.write(n)?))
}

/// Reads in work and writes in work, both inside other work.
#[process]
fn network_in_work(n: usize) -> usize {
    csp::compute(|| {
        let link = Channel::new();
        let pair = (writes_in_work(link.writer(), n), reads_in_work(link.reader()));
        drop(link);
        parallel!(pair.0, pair.1).1.unwrap_or(0)
    })
}

#[process]
fn meets_in_work(barrier: csp::Barrier) {
    csp::compute(|| barrier.sync());
}

#[process]
fn chooses_in_work(left: Reader<usize>, right: Reader<usize>) -> csp::Result<usize> {
    csp::compute(|| {
        csp::alt! {
            n = left.read() => n,
            n = right.read() => n,
        }
    })
}

#[process]
fn loops(n: u64) -> u64 {
    csp::compute(|| (0..n).into_par_iter().sum())
}

#[process]
fn network_of_loops(n: u64) -> u64 {
    csp::compute(|| parallel!(4 * loops(n)).0.iter().sum())
}

/// Shares a loop with the pool, and then waits for its neighbour.
#[process]
fn loops_and_passes(
    input: Reader<u64>,
    out: Writer<u64>,
    rounds: u64,
    first: bool,
) -> csp::Result<u64> {
    let mut last = 0;
    for round in 0..rounds {
        last = csp::compute(|| -> csp::Result<u64> {
            if first {
                out.write(round)?;
            }
            let n = input.read()?;
            let more: u64 = (0..200_u64).into_par_iter().map(|n| black_box(n) % 2).sum();
            if !first {
                out.write(n + more)?;
            }
            Ok(n)
        })?;
    }
    Ok(last)
}

on_each_backend! {
    here: "a blocking call is waited for in the OS process that begins it";
    fn more_work_that_waits_than_threads_all_ends(backend) {
        let links = crowd() * Channel::new();
        let reads: Vec<_> =
            links.iter().map(|link| backend.place(reads_in_work(link.reader()))).collect();
        let numbered = links.iter().enumerate();
        let writes: Vec<_> =
            numbered.map(|(n, link)| backend.place(writes_in_work(link.writer(), n))).collect();
        drop(links);
        let (read, _) = parallel!(reads, writes);
        let read: Result<Vec<_>, _> = read.into_iter().collect();
        assert_eq!(read, Ok((0..crowd()).collect()));
    }

    fn more_networks_in_work_than_threads_all_end(backend) {
        assert_eq!(parallel!(backend.replicas(crowd(), network_in_work(3))).0, vec![3; crowd()]);
    }

    fn more_work_that_meets_than_threads_all_ends(backend) {
        let barrier = csp::Barrier::new();
        parallel!(backend.replicas(crowd(), meets_in_work(barrier)));
    }

    fn more_work_that_chooses_than_threads_all_ends(backend) {
        let links = crowd() * Channel::new();
        let never = Channel::new();
        let kept = never.writer();
        let numbered = links.iter().enumerate();
        let chooses = numbered.clone().map(|(n, link)| {
            let ends = [never.reader(), link.reader()];
            let [left, right] = if n % 2 == 0 { ends } else { let [a, b] = ends; [b, a] };
            backend.place(chooses_in_work(left, right))
        });
        let chooses: Vec<_> = chooses.collect();
        let writes: Vec<_> =
            numbered.map(|(n, link)| backend.place(writes_in_work(link.writer(), n))).collect();
        drop((links, never));
        let (chosen, _) = parallel!(chooses, writes);
        drop(kept);
        let chosen: Result<Vec<_>, _> = chosen.into_iter().collect();
        assert_eq!(chosen, Ok((0..crowd()).collect()));
    }

    fn more_calls_in_work_than_threads_all_return(backend) {
        let (signals, waits): (Vec<_>, Vec<_>) = (0..crowd()).map(|_| mpsc::channel::<()>()).unzip();
        let waits: Vec<_> = waits
            .into_iter()
            .map(|wait| backend.place(run(move || csp::compute(move || csp::io(move || wait.recv().is_ok())))))
            .collect();
        let tells = backend.place(run(move || {
            csp::compute(|| signals.iter().all(|signal| signal.send(()).is_ok()))
        }));
        let (waited, told) = parallel!(waits, tells);
        assert!(told && waited.iter().all(|waited| *waited));
    }

    fn what_work_spawns_may_work_too(backend) {
        let spawns = backend.replicas(crowd(), run(|| {
            csp::compute(|| {
                let spawned = csp::spawn(3 * loops(10));
                spawned.into_iter().map(|loops| loops.join()).sum::<u64>()
            })
        }));
        assert_eq!(parallel!(spawns).0, vec![135; crowd()]);
    }

    fn work_that_waits_keeps_no_loop_from_ending(backend) {
        // Each process waits for the one before it, and shares loops with the threads of the others.
        const ROUNDS: u64 = 50;
        let nodes = crowd();
        let links = nodes * Channel::new();
        let ring: Vec<_> = (0..nodes)
            .map(|n| {
                let (input, out) = (links[n].reader(), links[(n + 1) % nodes].writer());
                backend.place(loops_and_passes(input, out, ROUNDS, n == 0))
            })
            .collect();
        drop(links);
        let passed: Result<Vec<_>, _> = parallel!(ring).0.into_iter().collect();
        assert_eq!(passed.map(|passed| passed[0]), Ok(ROUNDS - 1 + 100 * (nodes as u64 - 1)));
    }
}

/// Lets all threads of rayon's global pool wait for work that has loops itself. In a process that is a thread, work is a plain
/// call, and its loops run on the global pool.
#[cfg(feature = "coroutines")]
#[test]
fn loops_run_in_work_of_networks_in_loops() {
    csp_tests::watched("loops_run_in_work_of_networks_in_loops", || {
        let sums =
            (0..16_u64).into_par_iter().map(|_| parallel!(3 * loops(100)).0.iter().sum::<u64>());
        assert_eq!(sums.sum::<u64>(), 16 * 3 * 4950);
        let sums = (0..4_u64)
            .into_par_iter()
            .map(|_| parallel!(3 * network_of_loops(100)).0.iter().sum::<u64>());
        assert_eq!(sums.sum::<u64>(), 4 * 3 * 4 * 4950);
    });
}
