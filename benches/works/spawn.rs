//! The cost of a process from its start to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use csp::{Backend, Channel, Failure, Reader, Writer, parallel, process, try_parallel};

use super::{clock_of, peers, timed, work};
use crate::measure::{Clock, Contender, Scene, Work};
use crate::peers::{
    Answer as _, AsyncChannel, Awaiting, Blocking, Crossbeam, Flume, FlumeThreads, Kanal,
    KanalThreads, May, Std, Tokio, on_tokio,
};

const REPLICAS: usize = 1_000;

/// The time of one process.
pub fn spawn() -> Vec<Work> {
    use Scene::{OneThread, Threads};
    let replicas = REPLICAS as u64;
    let one_peers = vec![
        Contender::new(Tokio::NAME, one_future),
        Contender::new(May::NAME, one_blocking::<May>),
    ];
    let lazy_peers = vec![
        Contender::new(Tokio::NAME, lazy_futures),
        Contender::new(May::NAME, lazy_blocking::<May>),
    ];
    let live_peers = peers!(live_futures: Kanal, Flume, AsyncChannel);
    let live_threads = peers!(live_blocking: KanalThreads, FlumeThreads, Crossbeam);
    vec![
        work("spawn and join one", OneThread, 1, one, one_peers),
        work("1,000 that never block", OneThread, replicas, lazy, lazy_peers),
        work("1,000 live at once", OneThread, replicas, live, live_peers),
        work("spawn and join one", Threads, 1, one, peers!(one_blocking: Std)),
        work("1,000 that never block", Threads, replicas, lazy, peers!(lazy_blocking: Std)),
        work("1,000 live at once", Threads, replicas, live, live_threads),
    ]
}

#[process]
fn nothing() {}

#[process]
fn spawner(backend: Backend, clock: Clock, n: u64) -> Duration {
    timed!(clock, 20, n, csp::spawn(nothing().on(backend)).join())
}

fn one(backend: Backend, n: u64) -> Duration {
    parallel!(spawner(backend, clock_of(backend), n).on(backend)).0
}

fn one_future(n: u64) -> Duration {
    on_tokio(async move {
        timed!(Clock::Thread, 20, n, tokio::spawn(async {}).await.expect("it does nothing"))
    })
}

fn one_blocking<P: Blocking>(n: u64) -> Duration {
    P::start(move || timed!(P::CLOCK, 20, n, P::start(|| ())()))()
}

fn lazy(backend: Backend, n: u64) -> Duration {
    timed!(clock_of(backend), 1, n, parallel!(REPLICAS * nothing().on(backend)))
}

fn lazy_futures(n: u64) -> Duration {
    on_tokio(async move {
        timed!(Clock::Thread, 1, n, {
            let all: Vec<_> = (0..REPLICAS).map(|_| tokio::spawn(async {})).collect();
            for one in all {
                one.await.expect("it does nothing");
            }
        })
    })
}

fn lazy_blocking<P: Blocking>(n: u64) -> Duration {
    P::start(move || {
        timed!(P::CLOCK, 1, n, {
            let all: Vec<_> = (0..REPLICAS).map(|_| P::start(|| ())).collect();
            all.into_iter().for_each(|join| join());
        })
    })()
}

/// Counts the processes that have started, and returns true for the last.
fn last_of(here: &AtomicUsize, all: usize) -> bool {
    here.fetch_add(1, Ordering::Relaxed) + 1 == all
}

#[process]
fn live_one(
    all: usize,
    here: Arc<AtomicUsize>,
    complete: Writer<u64>,
    input: Reader<u64>,
) -> csp::Result<u64> {
    if last_of(&here, all) {
        complete.write(0)?;
    }
    input.read()
}

#[process]
fn feeder(all: usize, complete: Reader<u64>, out: Writer<u64>) -> csp::Result {
    complete.read()?;
    for n in 0..all {
        out.write(n as u64)?;
    }
    Ok(())
}

/// Runs `all` processes, which all wait before the first may go on.
pub(super) fn all_live(backend: Backend, all: usize) -> Result<Vec<csp::Result<u64>>, Failure> {
    let (values, complete) = (Channel::new(), Channel::new());
    let here = Arc::new(AtomicUsize::new(0));
    let one = live_one(all, here, complete.writer(), values.reader());
    let feeder = feeder(all, complete.reader(), values.writer());
    try_parallel!(all * one.on(backend), feeder.on(backend)).map(|(values, _)| values)
}

fn live(backend: Backend, n: u64) -> Duration {
    let elapsed = clock_of(backend).start();
    for _ in 0..n {
        let values = all_live(backend, REPLICAS).expect("so many can be had");
        assert!(values.iter().all(Result::is_ok));
    }
    elapsed()
}

async fn live_future<P: Awaiting>(
    all: usize,
    here: Arc<AtomicUsize>,
    complete: P::Writer,
    mut input: P::Reader,
) -> Option<u64> {
    if last_of(&here, all) {
        P::write(&complete, 0).await.value()?;
    }
    P::read(&mut input).await.value()
}

/// Runs `all` futures, which all wait before the first may go on.
async fn all_live_futures<P: Awaiting<Reader: Clone>>(all: usize) -> Option<()> {
    let ((out, input), (complete, mut completion)) = (P::channel(0), P::channel(0));
    let here = Arc::new(AtomicUsize::new(0));
    let futures: Vec<_> = (0..all)
        .map(|_| tokio::spawn(live_future::<P>(all, here.clone(), complete.clone(), input.clone())))
        .collect();
    P::read(&mut completion).await.value()?;
    for n in 0..all {
        P::write(&out, n as u64).await.value()?;
    }
    for future in futures {
        future.await.ok()??;
    }
    Some(())
}

fn live_futures<P: Awaiting<Reader: Clone>>(n: u64) -> Duration {
    on_tokio(async move {
        let elapsed = Clock::Thread.start();
        for _ in 0..n {
            all_live_futures::<P>(REPLICAS).await.expect("all are served");
        }
        elapsed()
    })
}

fn live_blocking<P: Blocking<Reader: Clone>>(n: u64) -> Duration {
    let elapsed = P::CLOCK.start();
    for _ in 0..n {
        let ((out, input), (complete, completion)) = (P::channel(0), P::channel(0));
        let here = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..REPLICAS)
            .map(|_| {
                let (here, complete, input) = (here.clone(), complete.clone(), input.clone());
                P::start(move || {
                    if last_of(&here, REPLICAS) {
                        P::write(&complete, 0)?;
                    }
                    P::read(&input)
                })
            })
            .collect();
        P::read(&completion).expect("all start");
        (0..REPLICAS as u64).for_each(|n| P::write(&out, n).expect("all are served"));
        assert!(threads.into_iter().all(|join| join().is_some()));
    }
    elapsed()
}
