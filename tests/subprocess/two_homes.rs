//! Choices with input and output guards over channels of two homes, the OS processes that own them. OS processes, threads and
//! coroutines choose, and each value arrives once. `CSP_ROUNDS` sets the number of values. `ci/two_homes.sh` passes millions.

use csp::{Backend, Channel, Reader, Writer, alt, multiprocess, parallel, spawn};
use csp_tests::rounds;

use crate::tests;

type Ends = (Vec<Reader<u64>>, Vec<Writer<u64>>);

/// Makes the channels of the second home, and lasts as long as they are needed.
#[multiprocess]
fn lends(gift: Writer<(Reader<u64>, Writer<u64>)>, over: Reader<()>) {
    let channel = Channel::new();
    gift.write((channel.reader(), channel.writer())).expect("a reader");
    drop(channel);
    let _ = over.read();
}

/// Writes its values and reads those of others, as each becomes possible. Then it only reads.
#[multiprocess]
fn mixes(ends: Ends, mut next: u64, until: u64) -> Vec<u64> {
    let (inputs, outputs) = ends;
    let mut read = Vec::new();
    while next < until {
        let wrote = alt! {
            n = inputs[0].read()                => { read.push(n); false }
            outputs[1].write(next)              => true,
            n = inputs[1].read()                => { read.push(n); false }
            outputs[0].write_with(|| next)      => true,
        };
        next += u64::from(wrote.expect("both channels are open"));
    }
    drop(outputs);
    while let Ok(n) = alt! { n = inputs[0].read() => n, n = inputs[1].begin() => *n } {
        read.push(n);
    }
    read
}

tests! {
    fn each_value_arrives_once_by_choices_over_two_homes() {
        let each = rounds(30_000).div_ceil(4);
        let (gifts, over) = (Channel::new(), Channel::new());
        let lender = spawn(lends(gifts.writer(), over.reader()));
        let (reader, writer) = gifts.reader().read().expect("ends");
        let own = Channel::new();
        let ends = || (vec![own.reader(), reader.clone()], vec![own.writer(), writer.clone()]);
        let mixers: Vec<_> = [Backend::Subprocess, Backend::Thread, Backend::Subprocess, Backend::Coroutine]
            .into_iter()
            .zip(0..)
            .map(|(backend, who)| mixes(ends(), who * each, (who + 1) * each).on(backend))
            .collect();
        drop((own, reader, writer));
        let (read,) = parallel!(mixers);
        drop(over);
        lender.join();
        let mut all: Vec<u64> = read.into_iter().flatten().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..4 * each));
    }
}
