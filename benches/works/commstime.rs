//! Four processes pass a number around and count. Implementations of occam have used this measure since 1990.

use std::time::Duration;

use csp::{Channel, Reader, Writer, parallel, process};

use super::{Place, Placed as _, in_both_scenes, peers, timed};
use crate::measure::{Clock, Contender, Work};
use crate::peers::{
    Answer as _, AsyncChannel, Awaiting, Blocking, Crossbeam, Flume, FlumeThreads, Kanal,
    KanalThreads, Std, Tokio,
};

/// The time of one communication, four of which make one number.
pub fn commstime() -> Vec<Work> {
    in_both_scenes(
        "commstime",
        4,
        ours,
        peers!(awaiting: Tokio, Kanal, Flume, AsyncChannel),
        peers!(blocking: KanalThreads, FlumeThreads, Crossbeam, Std),
    )
}

#[process]
fn prefix(first: u64, input: Reader<u64>, out: Writer<u64>) -> csp::Result {
    out.write(first)?;
    loop {
        out.write(input.read()?)?;
    }
}

#[process]
fn delta(input: Reader<u64>, left: Writer<u64>, right: Writer<u64>) -> csp::Result {
    loop {
        let value = input.read()?;
        left.write(value)?;
        right.write(value)?;
    }
}

#[process]
fn successor(input: Reader<u64>, out: Writer<u64>) -> csp::Result {
    loop {
        out.write(input.read()? + 1)?;
    }
}

#[process]
fn consume(input: Reader<u64>, clock: Clock, n: u64) -> csp::Result<Duration> {
    Ok(timed!(clock, 20, n, input.read()?))
}

pub(crate) fn ours(place: Place, n: u64) -> Duration {
    let [a, b, c, d] = [(); 4].map(|()| Channel::new());
    let network = (
        prefix(0, a.reader(), b.writer()).placed(place),
        delta(b.reader(), c.writer(), d.writer()).placed(place),
        successor(c.reader(), a.writer()).placed(place),
        consume(d.reader(), place.clock, n).placed(place),
    );
    parallel!(network).0.3.expect("the others never end")
}

pub(crate) fn awaiting<P: Awaiting>(n: u64) -> Duration {
    async fn prefix<P: Awaiting>(mut input: P::Reader, out: P::Writer) -> Option<()> {
        P::write(&out, 0).await.value()?;
        loop {
            P::write(&out, P::read(&mut input).await.value()?).await.value()?;
        }
    }
    async fn delta<P: Awaiting>(
        mut input: P::Reader,
        left: P::Writer,
        right: P::Writer,
    ) -> Option<()> {
        loop {
            let value = P::read(&mut input).await.value()?;
            P::write(&left, value).await.value()?;
            P::write(&right, value).await.value()?;
        }
    }
    async fn successor<P: Awaiting>(mut input: P::Reader, out: P::Writer) -> Option<()> {
        loop {
            P::write(&out, P::read(&mut input).await.value()? + 1).await.value()?;
        }
    }
    async fn consume<P: Awaiting>(mut input: P::Reader, n: u64) -> Option<Duration> {
        Some(timed!(P::CLOCK, 20, n, P::read(&mut input).await.value()?))
    }
    P::run(async move {
        let [(aw, ar), (bw, br), (cw, cr), (dw, dr)] = [(); 4].map(|()| P::channel(0));
        tokio::spawn(prefix::<P>(ar, bw));
        tokio::spawn(delta::<P>(br, cw, dw));
        tokio::spawn(successor::<P>(cr, aw));
        consume::<P>(dr, n).await.expect("the others never end")
    })
}

fn blocking<P: Blocking>(n: u64) -> Duration {
    let [(aw, ar), (bw, br), (cw, cr), (dw, dr)] = [(); 4].map(|()| P::channel(0));
    let prefix = P::start(move || -> Option<()> {
        P::write(&bw, 0)?;
        loop {
            P::write(&bw, P::read(&ar)?)?;
        }
    });
    let delta = P::start(move || -> Option<()> {
        loop {
            let value = P::read(&br)?;
            P::write(&cw, value)?;
            P::write(&dw, value)?;
        }
    });
    let successor = P::start(move || -> Option<()> {
        loop {
            P::write(&aw, P::read(&cr)? + 1)?;
        }
    });
    let took = P::start(move || Some(timed!(P::CLOCK, 20, n, P::read(&dr)?)))();
    prefix();
    delta();
    successor();
    took.expect("the others never end")
}
