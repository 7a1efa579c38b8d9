//! The cost of handing work to another thread while a coroutine waits.

use std::hint::black_box;
use std::time::Duration;

use csp::{Backend, parallel, process};

use super::timed;
use crate::measure::{Clock, Contender, Scene, Work};
use crate::peers::{Awaiting, Blocking, Std, Tokio, on_tokio};

/// The time of one call that does nothing, there and back.
pub fn aside() -> Vec<Work> {
    let work = |name, contenders| Work { name, scene: Scene::Threads, units: 1, contenders };
    let on_coroutine =
        |run: fn(u64) -> Duration| cfg!(feature = "coroutines").then(|| Contender::new("csp", run));
    let calls = [Contender::new(Tokio::NAME, spawn_blocking), Contender::new(Std::NAME, thread)];
    vec![
        work("a blocking call", on_coroutine(io).into_iter().chain(calls).collect()),
        work(
            "work on the pool of rayon",
            on_coroutine(compute).into_iter().chain([Contender::new(Std::NAME, thread)]).collect(),
        ),
    ]
}

#[process]
fn calls(n: u64) -> Duration {
    timed!(Clock::Wall, 20, n, csp::io(|| black_box(1)))
}

fn io(n: u64) -> Duration {
    parallel!(calls(n).on(Backend::Coroutine)).0
}

#[process]
fn computes(n: u64) -> Duration {
    timed!(Clock::Wall, 20, n, csp::compute(|| black_box(1)))
}

fn compute(n: u64) -> Duration {
    parallel!(computes(n).on(Backend::Coroutine)).0
}

fn spawn_blocking(n: u64) -> Duration {
    on_tokio(async move {
        timed!(
            Clock::Wall,
            20,
            n,
            tokio::task::spawn_blocking(|| black_box(1)).await.expect("it does nothing")
        )
    })
}

fn thread(n: u64) -> Duration {
    timed!(Clock::Wall, 20, n, std::thread::spawn(|| black_box(1)).join().expect("it does nothing"))
}
