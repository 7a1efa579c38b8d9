//! The works, as tasks of tokio. Its channels have room for one value. Where many read, the channel is async-channel's.

use std::hint::black_box;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::load::Load;
use super::quiet;
use super::work::{STAGES, Work};
use crate::peers::{Answer as _, AsyncChannel, Awaiting, OnCores, Tokio, tokios};
use crate::works::{commstime, fan_in, ring, select};

type Single = OnCores<Tokio>;
type Shared = OnCores<AsyncChannel>;

/// Does a work once.
pub(super) fn run(work: Work, microsecond: Load) -> Duration {
    let times = work.times();
    match work {
        Work::Commstime => commstime::awaiting::<Single>(times),
        Work::Ring => ring::awaiting::<Single>(times),
        Work::FanIn => fan_in::awaiting::<Single>(times),
        Work::Select => select::awaiting::<Single>(times),
        _ => Single::run(async move {
            let start = Instant::now();
            whole(work, microsecond, times).await;
            start.elapsed()
        }),
    }
}

async fn whole(work: Work, microsecond: Load, times: u64) {
    match work {
        Work::Nothing(processes) => {
            for _ in 0..times {
                let all: Vec<_> = (0..processes).map(|_| tokio::spawn(async {})).collect();
                for one in all {
                    one.await.expect("it does nothing");
                }
            }
        }
        Work::Pipelines { pipelines, stage } => {
            let load = microsecond * stage;
            let all: Vec<_> = (0..pipelines).map(|_| tokio::spawn(pipeline(load, times))).collect();
            for one in all {
                assert_eq!(one.await.expect("the pipeline ends well"), times);
            }
        }
        Work::Farm { workers, job, skewed } => {
            assert_eq!(farm(workers, microsecond * job, skewed, times).await, times);
        }
        Work::Jobs { jobs, job, skewed } => {
            for _ in 0..times {
                let load = move |number| (microsecond * job).of_job(number, skewed);
                let all: Vec<_> = (0..jobs)
                    .map(|number| tokio::spawn(async move { load(number).spin() }))
                    .collect();
                for one in all {
                    black_box(one.await.expect("it computes"));
                }
            }
        }
        other => unreachable!("{other} is not done here"),
    }
}

async fn farm(workers: u64, load: Load, skewed: bool, n: u64) -> u64 {
    let ((jobs, jobs_in), (results, mut results_in)) = (Shared::channel(0), Shared::channel(0));
    tokio::spawn(async move {
        for number in 0..n {
            Shared::write(&jobs, number).await.value()?;
        }
        Some(())
    });
    for _ in 0..workers {
        let (mut jobs, results) = (jobs_in.clone(), results.clone());
        tokio::spawn(async move {
            while let Some(number) = Shared::read(&mut jobs).await.value() {
                let result = load.of_job(number, skewed).spin();
                Shared::write(&results, result).await.value()?;
            }
            Some(())
        });
    }
    drop((jobs_in, results));
    collected::<Shared>(&mut results_in).await
}

async fn collected<P: Awaiting>(input: &mut P::Reader) -> u64 {
    let mut collected = 0;
    while let Some(value) = P::read(input).await.value() {
        black_box(value);
        collected += 1;
    }
    collected
}

type Reader = <Single as Awaiting>::Reader;

/// Starts the stages of a pipeline, and returns its output.
fn stages(mut input: Reader, load: Load) -> Reader {
    for _ in 0..STAGES {
        let (out, next) = Single::channel(0);
        let mut input = std::mem::replace(&mut input, next);
        tokio::spawn(async move {
            while let Some(value) = Single::read(&mut input).await.value() {
                let more = if load.0 == 0 { 1 } else { load.spin() };
                Single::write(&out, value.wrapping_add(more)).await.value()?;
            }
            Some(())
        });
    }
    input
}

async fn pipeline(load: Load, n: u64) -> u64 {
    let (first, input) = Single::channel(0);
    let mut output = stages(input, load);
    tokio::spawn(async move {
        for number in 0..n {
            Single::write(&first, number).await.value()?;
        }
        Some(())
    });
    collected::<Single>(&mut output).await
}

/// Measures a runtime whose tasks have ended, or wait for input.
pub(super) fn quiet(work: Work, microsecond: Load) -> ! {
    let runtime = tokios();
    runtime
        .block_on(async move {
            tokio::spawn(whole(quiet::BEFORE, microsecond, quiet::BEFORE.times())).await
        })
        .expect("they compute");
    if work == Work::Blocked {
        let (reads, reading) = mpsc::channel();
        // `current_thread` runs tasks only while its thread waits for one.
        std::thread::spawn(move || runtime.block_on(blocked(microsecond, reads)));
        reading.recv().expect("it reads");
    }
    quiet::measure(work)
}

async fn blocked(microsecond: Load, reads: mpsc::Sender<()>) -> u64 {
    let (first, input) = Single::channel(0);
    let mut output = stages(input, microsecond);
    let line = tokio::task::spawn_blocking(move || quiet::input(&reads));
    tokio::spawn(async move {
        line.await.expect("it reads");
        Single::write(&first, 1).await.value()
    });
    collected::<Single>(&mut output).await
}
