//! Main leaves a process, values and ends behind; and some that it may leave.

use csp::{Channel, Reader, Writer, parallel, process, spawn};
use csp_tests::backend;

#[process]
fn waits(input: Reader<u32>) -> csp::Result<u32> {
    input.read()
}

#[process]
fn numbers(output: Writer<u32>, count: u32) -> csp::Result {
    for number in 0..count {
        output.write(number)?;
    }
    Ok(())
}

/// A farm that gets no work: its results are never written.
#[process]
fn works(jobs: Reader<u32>, results: Writer<u32>) -> csp::Result {
    loop {
        results.write(jobs.read()?)?;
    }
}

#[process]
fn sums(results: Reader<u32>) -> u32 {
    results.iter().sum()
}

/// Tells by its end that it is over.
#[process]
fn done(_done: Writer<()>) {}

#[process]
fn ends(done: Reader<()>) -> csp::Result {
    csp::alt! { retired(done) => () }
}

#[csp::main]
fn main() {
    // Nobody's business: a farm without jobs, an end whose retirement is waited for, an end that keeps a channel, a daemon.
    let (jobs, results, over) = (Channel::new(), Channel::new(), Channel::new());
    let work = (
        numbers(jobs.writer(), 0).on(backend()),
        (3 * works(jobs.reader(), results.writer()))
            .into_iter()
            .map(|w| w.on(backend()))
            .collect::<Vec<_>>(),
        sums(results.reader()).on(backend()),
        done(over.writer()).on(backend()),
        ends(over.reader()).on(backend()),
    );
    drop((jobs, results, over));
    let _ = parallel!(work);
    let kept = Channel::<u32>::new();
    let _kept = kept.writer();
    let _ = spawn(waits(kept.reader()).on(backend()).daemon());

    // Three values, of which one is read.
    let full = Channel::buffered(4).named("full");
    let (input, output) = (full.reader(), full.writer());
    for number in 0..3 {
        output.write(number).unwrap();
    }
    input.read().unwrap();
    drop((input, output, full));

    // Values in a channel that is kept for ever.
    let stays = Channel::buffered(1).named("stays");
    stays.writer().write("a value").unwrap();
    let end = stays.reader();
    assert!(end.termination().is_none());
    std::mem::forget(end);

    // An end that nobody uses.
    let unused = Channel::<u8>::new().named("unused");
    let end = unused.reader();
    unused.writer().poison("over");
    drop(end);

    // A process that another thread has started.
    let alive = Channel::<u32>::new();
    let (input, output) = (alive.reader(), alive.writer());
    let other = std::thread::Builder::new().name("other".into());
    other.spawn(move || spawn(waits(input).on(backend())).join()).unwrap();
    for waits in ["other: blocked", "other/waits: blocked", "main/waits (daemon): blocked"] {
        while !csp::network().to_string().contains(waits) {
            csp::sleep(std::time::Duration::from_millis(1));
        }
    }
    std::mem::forget(output);
}
