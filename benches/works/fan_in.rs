//! Ten processes write to one channel, and one process reads.

use std::time::Duration;

use csp::{Channel, Reader, Writer, parallel, process};

use super::{Place, Placed as _, in_both_scenes, peers, timed};
use crate::measure::{Clock, Contender, Work};
use crate::peers::{
    Answer as _, AsyncChannel, Awaiting, Blocking, Crossbeam, Flume, FlumeThreads, Kanal,
    KanalThreads, Std, Tokio,
};

const WRITERS: usize = 10;

/// The time of one value.
pub fn fan_in() -> Vec<Work> {
    in_both_scenes(
        "fan-in of 10",
        1,
        ours,
        peers!(awaiting: Tokio, Kanal, Flume, AsyncChannel),
        peers!(blocking: KanalThreads, FlumeThreads, Crossbeam, Std),
    )
}

#[process]
fn write(out: Writer<u64>) -> csp::Result {
    loop {
        out.write(1)?;
    }
}

#[process]
fn read(input: Reader<u64>, clock: Clock, n: u64) -> csp::Result<Duration> {
    Ok(timed!(clock, 200, n, input.read()?))
}

pub(crate) fn ours(place: Place, n: u64) -> Duration {
    let channel = Channel::new();
    let writers = WRITERS * write(channel.writer()).placed(place);
    parallel!(writers, read(channel.reader(), place.clock, n).placed(place))
        .1
        .expect("the writers never end")
}

pub(crate) fn awaiting<P: Awaiting>(n: u64) -> Duration {
    async fn write<P: Awaiting>(out: P::Writer) -> Option<()> {
        loop {
            P::write(&out, 1).await.value()?;
        }
    }
    async fn read<P: Awaiting>(mut input: P::Reader, n: u64) -> Option<Duration> {
        Some(timed!(P::CLOCK, 200, n, P::read(&mut input).await.value()?))
    }
    P::run(async move {
        let (out, input) = P::channel(0);
        for _ in 0..WRITERS {
            tokio::spawn(write::<P>(out.clone()));
        }
        read::<P>(input, n).await.expect("the writers never end")
    })
}

fn blocking<P: Blocking>(n: u64) -> Duration {
    let (out, input) = P::channel(0);
    let writers = [(); WRITERS].map(|()| {
        let out = out.clone();
        P::start(move || -> Option<()> {
            loop {
                P::write(&out, 1)?;
            }
        })
    });
    let took = P::start(move || Some(timed!(P::CLOCK, 200, n, P::read(&input)?)))();
    for join in writers {
        join();
    }
    took.expect("the writers never end")
}
