//! `csp::compute`: CPU work on other threads, whose stacks are large and whose number is that of the cores.

use csp::{Channel, Reader, parallel, process, try_parallel};
use csp_tests::{on_each_backend, run};
use rayon::prelude::*;
use std::hint::black_box;
use std::sync::mpsc;

/// Takes a kilobyte of stack a level.
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
        assert!(failure.message().contains("no zero is wanted"), "{failure}");
        assert!(failure.process().ends_with("/run"), "{failure}");
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
        // Schedulers keep all threads of the pool for themselves, so the work must find others.
        let networks = backend.place(run(|| {
            csp::compute(|| {
                (0..100_u64).into_par_iter().map(|_| parallel!(2 * goes_deep()).0).count()
            })
        }));
        assert_eq!(parallel!(networks).0, 100);
    }
}
