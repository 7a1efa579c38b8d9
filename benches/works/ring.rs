//! One token goes around a ring of 1,000 processes: switches with cold stacks.

use std::time::Duration;

use csp::{Channel, Reader, Writer, parallel, process};

use super::{Place, Placed as _, in_both_scenes, peers, timed};
use crate::measure::{Clock, Contender, Work};
use crate::peers::{
    Answer as _, AsyncChannel, Awaiting, Blocking, Crossbeam, Flume, FlumeThreads, Kanal,
    KanalThreads, May, Tokio,
};

const PROCESSES: usize = 1_000;

/// The time of one of the 1,000 communications of a lap.
pub fn ring() -> Vec<Work> {
    in_both_scenes(
        "ring of 1,000",
        PROCESSES as u64,
        ours,
        peers!(awaiting: Tokio, Kanal, Flume, AsyncChannel; blocking: May),
        peers!(blocking: KanalThreads, FlumeThreads, Crossbeam),
    )
}

#[process]
fn element(input: Reader<u64>, out: Writer<u64>) -> csp::Result {
    loop {
        out.write(input.read()? + 1)?;
    }
}

#[process]
fn laps(input: Reader<u64>, out: Writer<u64>, clock: Clock, n: u64) -> csp::Result<Duration> {
    Ok(timed!(clock, 2, n, {
        out.write(0)?;
        input.read()?
    }))
}

pub(crate) fn ours(place: Place, n: u64) -> Duration {
    let channels: Vec<Channel<u64>> = PROCESSES * Channel::new();
    let elements: Vec<_> = channels
        .windows(2)
        .map(|pair| element(pair[0].reader(), pair[1].writer()).placed(place))
        .collect();
    let first = channels[0].writer();
    let last = channels[PROCESSES - 1].reader();
    drop(channels);
    parallel!(elements, laps(last, first, place.clock, n).placed(place))
        .1
        .expect("the others never end")
}

pub(crate) fn awaiting<P: Awaiting>(n: u64) -> Duration {
    async fn element<P: Awaiting>(mut input: P::Reader, out: P::Writer) -> Option<()> {
        loop {
            P::write(&out, P::read(&mut input).await.value()? + 1).await.value()?;
        }
    }
    async fn laps<P: Awaiting>(mut input: P::Reader, out: P::Writer, n: u64) -> Option<Duration> {
        Some(timed!(P::CLOCK, 2, n, {
            P::write(&out, 0).await.value()?;
            P::read(&mut input).await.value()?
        }))
    }
    P::run(async move {
        let (first, mut input) = P::channel(0);
        for _ in 1..PROCESSES {
            let (out, next) = P::channel(0);
            tokio::spawn(element::<P>(std::mem::replace(&mut input, next), out));
        }
        laps::<P>(input, first, n).await.expect("the others never end")
    })
}

fn blocking<P: Blocking>(n: u64) -> Duration {
    let (first, mut input) = P::channel(0);
    let elements: Vec<_> = (1..PROCESSES)
        .map(|_| {
            let (out, next) = P::channel(0);
            let input = std::mem::replace(&mut input, next);
            P::start(move || -> Option<()> {
                loop {
                    P::write(&out, P::read(&input)? + 1)?;
                }
            })
        })
        .collect();
    let took = P::start(move || {
        Some(timed!(P::CLOCK, 2, n, {
            P::write(&first, 0)?;
            P::read(&input)?
        }))
    })();
    for join in elements {
        join();
    }
    took.expect("the others never end")
}
