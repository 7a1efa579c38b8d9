//! One process writes and one reads, by rendezvous and with room for 100 values between them.

use std::time::Duration;

use csp::{Backend, Channel, Reader, Writer, parallel, process};

use super::{clock_of, timed, work};
use crate::measure::{Clock, Contender, Scene, Work};
use crate::peers::{
    Answer as _, AsyncChannel, Awaiting, Blocking, Crossbeam, Flume, FlumeThreads, Kanal,
    KanalThreads, Std, Tokio, on_tokio,
};

/// The time of one value.
pub fn producer_consumer() -> Vec<Work> {
    let rooms = [("producer–consumer, rendezvous", 0), ("producer–consumer, 100 buffered", 100)];
    let one_thread = rooms.map(|(name, room)| {
        let peers = [
            Contender::new(Tokio::NAME, move |n| awaiting::<Tokio>(room, n)),
            Contender::new(Kanal::NAME, move |n| awaiting::<Kanal>(room, n)),
            Contender::new(Flume::NAME, move |n| awaiting::<Flume>(room, n)),
            Contender::new(AsyncChannel::NAME, move |n| awaiting::<AsyncChannel>(room, n)),
        ];
        work(name, Scene::OneThread, 1, move |backend, n| ours(backend, room, n), peers)
    });
    let threads = rooms.map(|(name, room)| {
        let coroutines = cfg!(feature = "coroutines")
            .then(|| Contender::on_engine("csp", move |n| two_schedulers(room, n)));
        let peers = [
            Contender::new(KanalThreads::NAME, move |n| blocking::<KanalThreads>(room, n)),
            Contender::new(FlumeThreads::NAME, move |n| blocking::<FlumeThreads>(room, n)),
            Contender::new(Crossbeam::NAME, move |n| blocking::<Crossbeam>(room, n)),
            Contender::new(Std::NAME, move |n| blocking::<Std>(room, n)),
        ];
        let others = coroutines.into_iter().chain(peers);
        work(name, Scene::Threads, 1, move |backend, n| ours(backend, room, n), others)
    });
    one_thread.into_iter().chain(threads).collect()
}

#[process]
fn produce(out: Writer<u64>) -> csp::Result {
    loop {
        out.write(1)?;
    }
}

#[process]
fn consume(input: Reader<u64>, clock: Clock, n: u64) -> csp::Result<Duration> {
    Ok(timed!(clock, 200, n, input.read()?))
}

fn ours(backend: Backend, room: usize, n: u64) -> Duration {
    let channel = Channel::buffered(room);
    let producer = produce(channel.writer()).on(backend);
    parallel!(producer, consume(channel.reader(), clock_of(backend), n).on(backend))
        .1
        .expect("the producer never ends")
}

/// Runs one coroutine on each of two threads' schedulers.
fn two_schedulers(room: usize, n: u64) -> Duration {
    let channel = Channel::buffered(room);
    let (out, input) = (channel.writer(), channel.reader());
    let producer = std::thread::spawn(move || parallel!(produce(out).on(Backend::Coroutine)));
    let took = parallel!(consume(input, Clock::Wall, n).on(Backend::Coroutine)).0;
    drop(producer.join());
    took.expect("the producer never ends")
}

fn awaiting<P: Awaiting>(room: usize, n: u64) -> Duration {
    async fn produce<P: Awaiting>(out: P::Writer) -> Option<()> {
        loop {
            P::write(&out, 1).await.value()?;
        }
    }
    async fn consume<P: Awaiting>(mut input: P::Reader, n: u64) -> Option<Duration> {
        Some(timed!(Clock::Thread, 200, n, P::read(&mut input).await.value()?))
    }
    on_tokio(async move {
        let (out, input) = P::channel(room);
        tokio::spawn(produce::<P>(out));
        consume::<P>(input, n).await.expect("the producer never ends")
    })
}

fn blocking<P: Blocking>(room: usize, n: u64) -> Duration {
    let (out, input) = P::channel(room);
    let producer = P::start(move || -> Option<()> {
        loop {
            P::write(&out, 1)?;
        }
    });
    let took = P::start(move || Some(timed!(P::CLOCK, 200, n, P::read(&input)?)))();
    producer();
    took.expect("the producer never ends")
}
