//! Main leaves a process, values and ends behind, and also some that it may leave.

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

/// Works in a farm that gets no jobs, so its results are never written.
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

/// Ends, and so retires its end.
#[process]
fn done(_done: Writer<()>) {}

#[process]
fn ends(done: Reader<()>) -> csp::Result {
    csp::alt! { retired(done) => () }
}

#[csp::main]
fn main() {
    // These are allowed: a farm without jobs, an end whose retirement is awaited, an end that keeps a channel, a daemon.
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

    // One of these three values is read.
    let full = Channel::buffered(4).named("full");
    let (input, output) = (full.reader(), full.writer());
    for number in 0..3 {
        output.write(number).unwrap();
    }
    input.read().unwrap();
    drop((input, output, full));

    // These values are in a channel that is kept for ever.
    let stays = Channel::buffered(1).named("stays");
    stays.writer().write("a value").unwrap();
    let end = stays.reader();
    assert!(end.termination().is_none());
    std::mem::forget(end);

    // This end is never used.
    let unused = Channel::<u8>::new().named("unused");
    let end = unused.reader();
    unused.writer().poison("over");
    drop(end);

    // Another thread has started this process.
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
    with_futures();
}

// Each of these ends is used once, and only by a future.

#[process]
async fn awaits(one: Writer<u8>, two: Writer<u8>, three: Writer<u8>) -> csp::Result {
    one.write_async(1).await?;
    two.write_async(2).await?;
    csp::alt! { three.write_async(3).await => () }
}

#[process]
async fn receives(one: Reader<u8>, two: Reader<u8>, three: Reader<u8>) -> csp::Result<u8> {
    let first = one.read_async().await?;
    let second = *two.begin_async().await?;
    csp::alt! { third = three.read_async().await => first + second + third }
}

fn with_futures() {
    let (one, two, three) = (Channel::new(), Channel::new(), Channel::new());
    let writes = awaits(one.writer(), two.writer(), three.writer());
    let reads = receives(one.reader(), two.reader(), three.reader());
    assert!(matches!(parallel!(writes, reads), (Ok(()), Ok(6))));
}
