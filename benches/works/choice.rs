//! The cost of the guards of a choice in which no process has to wait. The process writes each value back to
//! the channel it came from, which has room for one.

use std::time::Duration;

use csp::{Alternation, Backend, Channel, parallel, process};

use super::{clock_of, timed};
use crate::measure::{Clock, Contender, Scene, Work};
use crate::peers::{
    Answer as _, AsyncChannel, Awaiting, Blocking, Crossbeam, Flume, Kanal, Tokio, on_tokio,
};

/// The set of ready guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    All,
    Last,
}

impl Ready {
    fn is(self, index: usize, guards: usize) -> bool {
        self == Self::All || index + 1 == guards
    }
}

/// The time of one choice and one buffered write.
pub(super) fn choice() -> Vec<Work> {
    vec![
        work("choice, 1 guard", 1, Ready::All),
        work("choice, 10 ready", 10, Ready::All),
        work("choice, 100 ready", 100, Ready::All),
        work("choice, 1,000 ready", 1_000, Ready::All),
        work("choice, last of 10 ready", 10, Ready::Last),
        work("choice, last of 100 ready", 100, Ready::Last),
        work("choice, last of 1,000 ready", 1_000, Ready::Last),
    ]
}

fn work(name: &'static str, guards: usize, ready: Ready) -> Work {
    let mut peers = vec![
        Contender::new(Crossbeam::NAME, move |n| crossbeam(guards, ready, n)),
        Contender::new(Flume::NAME, move |n| flume(guards, ready, n)),
    ];
    if guards == 10 {
        // The number of guards of a `select!` is fixed in the source.
        peers.extend([
            Contender::new(Tokio::NAME, move |n| awaiting::<Tokio>(ready, n)),
            Contender::new(Kanal::NAME, move |n| awaiting::<Kanal>(ready, n)),
            Contender::new(AsyncChannel::NAME, move |n| awaiting::<AsyncChannel>(ready, n)),
        ]);
    }
    super::work(name, Scene::OneThread, 1, move |backend, n| ours(backend, guards, ready, n), peers)
}

#[process]
fn choose(
    channels: Vec<Channel<u64>>,
    ready: Ready,
    clock: Clock,
    n: u64,
) -> csp::Result<Duration> {
    let outs: Vec<_> = channels.iter().map(Channel::writer).collect();
    for (_, out) in outs.iter().enumerate().filter(|&(index, _)| ready.is(index, outs.len())) {
        out.write(1)?;
    }
    let mut choice = Alternation::new();
    for (index, channel) in channels.iter().enumerate() {
        choice.read(channel.reader(), move |value| (index, value));
    }
    Ok(timed!(clock, 20, n, {
        let (index, value) = choice.choose()?;
        outs[index].write(value)?;
    }))
}

fn ours(backend: Backend, guards: usize, ready: Ready, n: u64) -> Duration {
    let channels = guards * Channel::buffered(1);
    let choose = choose(channels, ready, clock_of(backend), n).on(backend);
    parallel!(choose).0.expect("no channel ends")
}

fn awaiting<P: Awaiting>(ready: Ready, n: u64) -> Duration {
    async fn choose<P: Awaiting>(
        outs: Vec<P::Writer>,
        inputs: [P::Reader; 10],
        n: u64,
    ) -> Option<Duration> {
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h, mut i, mut j] = inputs;
        Some(timed!(Clock::Thread, 20, n, {
            let (chosen, value) = tokio::select! {
                value = P::read(&mut a) => (0, value.value()?),
                value = P::read(&mut b) => (1, value.value()?),
                value = P::read(&mut c) => (2, value.value()?),
                value = P::read(&mut d) => (3, value.value()?),
                value = P::read(&mut e) => (4, value.value()?),
                value = P::read(&mut f) => (5, value.value()?),
                value = P::read(&mut g) => (6, value.value()?),
                value = P::read(&mut h) => (7, value.value()?),
                value = P::read(&mut i) => (8, value.value()?),
                value = P::read(&mut j) => (9, value.value()?),
            };
            P::write(&outs[chosen], value).await.value()?;
        }))
    }
    on_tokio(async move {
        let mut outs = Vec::new();
        let inputs = std::array::from_fn(|_| {
            let (out, input) = P::channel(1);
            outs.push(out);
            input
        });
        for (_, out) in outs.iter().enumerate().filter(|&(index, _)| ready.is(index, 10)) {
            P::write(out, 1).await;
        }
        choose::<P>(outs, inputs, n).await.expect("no channel ends")
    })
}

fn crossbeam(guards: usize, ready: Ready, n: u64) -> Duration {
    let (outs, inputs): (Vec<_>, Vec<_>) =
        (0..guards).map(|_| crossbeam_channel::bounded(1)).unzip();
    for (_, out) in outs.iter().enumerate().filter(|&(index, _)| ready.is(index, guards)) {
        out.send(1).expect("its reader is here");
    }
    let mut set = crossbeam_channel::Select::new();
    for input in &inputs {
        set.recv(input);
    }
    timed!(Clock::Thread, 20, n, {
        let chosen = set.select();
        let index = chosen.index();
        let value: u64 = chosen.recv(&inputs[index]).expect("its writer is here");
        outs[index].send(value).expect("its reader is here");
    })
}

fn flume(guards: usize, ready: Ready, n: u64) -> Duration {
    let (outs, inputs): (Vec<_>, Vec<_>) = (0..guards).map(|_| flume::bounded(1)).unzip();
    for (_, out) in outs.iter().enumerate().filter(|&(index, _)| ready.is(index, guards)) {
        out.send(1).expect("its reader is here");
    }
    timed!(Clock::Thread, 20, n, {
        let set = flume::Selector::new();
        let set = inputs.iter().enumerate().fold(set, |set, (index, input)| {
            set.recv(input, move |value: Result<u64, _>| (index, value))
        });
        let (index, value) = set.wait();
        outs[index].send(value.expect("its writer is here")).expect("its reader is here");
    })
}
