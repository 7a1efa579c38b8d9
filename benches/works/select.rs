//! The stressed alternation: one process chooses fairly between 10 channels, each with 10 processes that write
//! as fast as they can.

use std::time::Duration;

use csp::{Channel, Reader, Writer, alt, parallel, process};

use super::{Place, Placed as _, in_both_scenes, peers, timed};
use crate::measure::{Clock, Contender, Work};
use crate::peers::{
    Answer as _, AsyncChannel, Awaiting, Blocking, Crossbeam, Flume, FlumeThreads, Kanal, Tokio,
};

const CHANNELS: usize = 10;
const WRITERS: usize = 10;

/// The time of one choice.
pub(super) fn select() -> Vec<Work> {
    in_both_scenes(
        "select, 10 × 10",
        1,
        ours,
        peers!(awaiting: Tokio, Kanal, Flume, AsyncChannel),
        vec![
            Contender::new(FlumeThreads::NAME, |n| blocking::<FlumeThreads>(n, flume_choices)),
            Contender::new(Crossbeam::NAME, |n| blocking::<Crossbeam>(n, crossbeam_choices)),
        ],
    )
}

#[process]
fn write(out: Writer<u64>) -> csp::Result {
    loop {
        out.write(1)?;
    }
}

#[process]
fn choose(inputs: [Reader<u64>; CHANNELS], clock: Clock, n: u64) -> csp::Result<Duration> {
    let [a, b, c, d, e, f, g, h, i, j] = &inputs;
    Ok(timed!(clock, 200, n, {
        alt! {
            value = a.read() => value,
            value = b.read() => value,
            value = c.read() => value,
            value = d.read() => value,
            value = e.read() => value,
            value = f.read() => value,
            value = g.read() => value,
            value = h.read() => value,
            value = i.read() => value,
            value = j.read() => value,
        }?
    }))
}

pub(crate) fn ours(place: Place, n: u64) -> Duration {
    let channels = [(); CHANNELS].map(|()| Channel::new());
    let writers: Vec<_> =
        channels.iter().map(|channel| WRITERS * write(channel.writer()).placed(place)).collect();
    let inputs = channels.each_ref().map(Channel::reader);
    drop(channels);
    parallel!(writers, choose(inputs, place.clock, n).placed(place))
        .1
        .expect("the writers never end")
}

pub(crate) fn awaiting<P: Awaiting>(n: u64) -> Duration {
    async fn write<P: Awaiting>(out: P::Writer) -> Option<()> {
        loop {
            P::write(&out, 1).await.value()?;
        }
    }
    async fn choose<P: Awaiting>(inputs: [P::Reader; CHANNELS], n: u64) -> Option<Duration> {
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h, mut i, mut j] = inputs;
        Some(timed!(P::CLOCK, 200, n, {
            tokio::select! {
                value = P::read(&mut a) => value.value()?,
                value = P::read(&mut b) => value.value()?,
                value = P::read(&mut c) => value.value()?,
                value = P::read(&mut d) => value.value()?,
                value = P::read(&mut e) => value.value()?,
                value = P::read(&mut f) => value.value()?,
                value = P::read(&mut g) => value.value()?,
                value = P::read(&mut h) => value.value()?,
                value = P::read(&mut i) => value.value()?,
                value = P::read(&mut j) => value.value()?,
            }
        }))
    }
    P::run(async move {
        let inputs = [(); CHANNELS].map(|()| {
            let (out, input) = P::channel(0);
            for _ in 0..WRITERS {
                tokio::spawn(write::<P>(out.clone()));
            }
            input
        });
        choose::<P>(inputs, n).await.expect("the writers never end")
    })
}

fn blocking<P: Blocking>(n: u64, choices: fn(&[P::Reader], u64) -> Option<Duration>) -> Duration {
    let mut writers = Vec::new();
    let inputs: Vec<_> = (0..CHANNELS)
        .map(|_| {
            let (out, input) = P::channel(0);
            writers.extend((0..WRITERS).map(|_| {
                let out = out.clone();
                P::start(move || -> Option<()> {
                    loop {
                        P::write(&out, 1)?;
                    }
                })
            }));
            input
        })
        .collect();
    let took = P::start(move || choices(&inputs, n))();
    for join in writers {
        join();
    }
    took.expect("the writers never end")
}

fn crossbeam_choices(inputs: &[crossbeam_channel::Receiver<u64>], n: u64) -> Option<Duration> {
    let mut guards = crossbeam_channel::Select::new();
    for input in inputs {
        guards.recv(input);
    }
    Some(timed!(Clock::Wall, 200, n, {
        let chosen = guards.select();
        let input = &inputs[chosen.index()];
        chosen.recv(input).ok()?
    }))
}

fn flume_choices(inputs: &[flume::Receiver<u64>], n: u64) -> Option<Duration> {
    Some(timed!(Clock::Wall, 200, n, {
        inputs
            .iter()
            .fold(flume::Selector::new(), |set, input| set.recv(input, |value| value))
            .wait()
            .ok()?
    }))
}
