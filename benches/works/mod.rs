//! The works. Each is written three times: for this library, for futures, for threads.

mod aside;
mod choice;
pub(crate) mod commstime;
pub(crate) mod fan_in;
pub mod million;
mod place;
mod producer_consumer;
pub(crate) mod ring;
pub(crate) mod select;
mod spawn;

use std::time::Duration;

use csp::Backend;

use crate::measure::{Clock, Contender, Scene, Work};
use crate::peers::go;

pub use aside::aside;
pub use commstime::commstime;
pub use fan_in::fan_in;
pub(crate) use place::{Place, Placed};
pub use producer_consumer::producer_consumer;
pub use ring::ring;
pub use spawn::spawn;

/// The stressed alternation, and choice between guards that are ready.
pub fn select() -> Vec<Work> {
    let mut works = select::select();
    works.extend(choice::choice());
    works
}

/// Returns all works.
pub fn all() -> Vec<Work> {
    [commstime(), ring(), select(), spawn(), producer_consumer(), fan_in(), aside()]
        .into_iter()
        .flatten()
        .map(go::joins)
        .collect()
}

/// Makes a work for one thread and one for OS threads, each with its peers.
fn in_both_scenes(
    name: &'static str,
    units: u64,
    ours: fn(Place, u64) -> Duration,
    on_one_thread: Vec<Contender>,
    on_threads: Vec<Contender>,
) -> Vec<Work> {
    let ours = move |backend, n| ours(Place::of(backend), n);
    vec![
        work(name, Scene::OneThread, units, ours, on_one_thread),
        work(name, Scene::Threads, units, ours, on_threads),
    ]
}

fn work(
    name: &'static str,
    scene: Scene,
    units: u64,
    ours: impl Fn(Backend, u64) -> Duration + 'static,
    peers: impl IntoIterator<Item = Contender>,
) -> Work {
    let contenders = on_backend(scene, ours).into_iter().chain(peers).collect();
    Work { name, scene, units, contenders }
}

/// Lists the peers that share the code of a work: `peers!(awaiting: Tokio, Kanal; blocking: May)`.
macro_rules! peers {
    ($($run:ident: $($peer:ident),+);+) => {
        vec![$($(Contender::new($peer::NAME, $run::<$peer>)),+),+]
    };
}
use peers;

/// Makes this library a contender, on the backend of the scene if it is compiled in.
fn on_backend(scene: Scene, run: impl Fn(Backend, u64) -> Duration + 'static) -> Option<Contender> {
    match scene {
        Scene::OneThread => cfg!(feature = "coroutines")
            .then(|| Contender::on_engine("csp", move |n| run(Backend::Coroutine, n))),
        Scene::Threads => cfg!(feature = "threads")
            .then(|| Contender::new("csp", move |n| run(Backend::Thread, n))),
    }
}

fn clock_of(backend: Backend) -> Clock {
    match backend {
        Backend::Coroutine => Clock::Thread,
        _ => Clock::Wall,
    }
}

/// Measures how long `step` takes `n` times, once it has been done `before` times. By then all processes have started and
/// have their resources. It is a macro because a step may await.
macro_rules! timed {
    ($clock:expr, $before:expr, $n:expr, $step:expr) => {{
        for _ in 0..$before {
            $step;
        }
        let elapsed = $clock.start();
        for _ in 0..$n {
            $step;
        }
        elapsed()
    }};
}
use timed;
