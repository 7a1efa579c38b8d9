//! Alternations of processes that are futures.

use crate::{sink, source};
use csp::{
    Alternation, Barrier, Channel, Reader, Termination, Writer, alt, parallel, pri_alt, process,
};
use csp_tests::{Ledger, Token, on_each_backend};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Holds up to `size` values between a reader and a writer that are not always ready.
#[process]
async fn store(input: Reader<u32>, out: Writer<u32>, size: usize) -> csp::Result {
    let mut held = VecDeque::new();
    loop {
        let next = held.front().copied().unwrap_or_default();
        alt! {
            if held.len() < size, x = input.read_async().await => held.push_back(x),
            if !held.is_empty(), out.write_async(next).await   => { held.pop_front(); }
            if held.is_empty(), retired(input).await           => return Ok(()),
        }?;
    }
}

#[process]
async fn merges(one: Reader<u32>, other: Reader<u32>) -> Vec<bool> {
    let mut all = Vec::new();
    while let Ok(from_one) = alt! {
        _ = one.read_async().await   => true,
        _ = other.read_async().await => false,
    } {
        all.push(from_one);
    }
    all
}

#[process]
async fn prefers(one: Reader<u32>, other: Reader<u32>) -> Vec<bool> {
    let mut all = Vec::new();
    while let Ok(from_one) = pri_alt! {
        _ = one.read_async().await   => true,
        _ = other.read_async().await => false,
    } {
        all.push(from_one);
    }
    all
}

#[process]
async fn polls(stop: Reader<()>, polled: Arc<AtomicBool>) -> csp::Result {
    loop {
        pri_alt! {
            stop.read_async().await => return Ok(()),
            skip                    => polled.store(true, Ordering::Relaxed),
        }?;
    }
}

/// Stops after the other process has found nothing at least once.
#[process]
async fn stops(stop: Writer<()>, polled: Arc<AtomicBool>) -> csp::Result {
    while !polled.load(Ordering::Relaxed) {
        csp::sleep_async(Duration::from_micros(100)).await;
    }
    Ok(stop.write_async(()).await?)
}

#[process]
async fn gives_up(input: Reader<u32>) -> (Duration, bool) {
    let start = Instant::now();
    let chosen = alt! {
        _ = input.read_async().await     => false,
        after(Duration::from_millis(3))  => true,
    };
    (start.elapsed(), chosen == Ok(true))
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn a_store_passes_all_on_in_order(backend) {
        for size in [1, 3, 100] {
            let (a, b) = (Channel::new(), Channel::new());
            let (.., all) = parallel!(
                backend.place(source(100, a.writer())),
                backend.place(store(a.reader(), b.writer(), size)),
                backend.place(sink(b.reader())),
            );
            assert_eq!(all, (0..100).collect::<Vec<_>>());
        }
    }

    fn a_fair_choice_serves_by_turns_what_stays_ready(backend) {
        let (a, b) = (Channel::buffered(50), Channel::buffered(50));
        let _ = parallel!(source(50, a.writer()), source(50, b.writer()));
        let (all,) = parallel!(backend.place(merges(a.reader(), b.reader())));
        assert_eq!(all.len(), 100);
        assert!(all[..100].windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
    }

    fn a_choice_by_priority_takes_the_first(backend) {
        let (a, b) = (Channel::buffered(50), Channel::buffered(50));
        let _ = parallel!(source(50, a.writer()), source(50, b.writer()));
        let (all,) = parallel!(backend.place(prefers(a.reader(), b.reader())));
        assert!(all[..50].iter().all(|one| *one) && !all[50..].iter().any(|one| *one), "{all:?}");
    }

    fn who_polls_lets_the_others_go_on(backend) {
        let (stop, polled) = (Channel::new(), Arc::new(AtomicBool::new(false)));
        let ends = parallel!(
            backend.place(polls(stop.reader(), Arc::clone(&polled))),
            backend.place(stops(stop.writer(), polled)),
        );
        assert_eq!(ends, (Ok(()), Ok(())));
    }

    fn a_timeout_comes_when_nothing_else_does(backend) {
        let channel = Channel::new();
        let _writer = channel.writer();
        let given_up = backend.replicas(10, gives_up(channel.reader()));
        for (took, timed_out) in parallel!(given_up).0 {
            assert!(timed_out && took >= Duration::from_millis(3));
        }
    }
}

/// Offers each value on both channels until one takes it.
#[process]
async fn offers(one: Writer<Token>, other: Writer<Token>, tokens: Vec<Token>) -> [usize; 2] {
    let mut count = [0, 0];
    for token in tokens {
        let chosen = alt! {
            one.write_async(token).await   => 0,
            other.write_async(token).await => 1,
        };
        let Ok(chosen) = chosen else { break };
        count[chosen] += 1;
    }
    count
}

#[process]
async fn makes(one: Writer<Token>, tokens: Vec<Token>) -> usize {
    let mut tokens = tokens.into_iter().peekable();
    let mut made = 0;
    while tokens.peek().is_some() {
        let chosen = alt! {
            one.write_with_async(|| tokens.next().unwrap()).await => (),
        };
        if chosen.is_err() {
            break;
        }
        made += 1;
    }
    made
}

#[process]
fn waiting_makes(one: Writer<Token>, tokens: Vec<Token>) -> usize {
    let mut tokens = tokens.into_iter().peekable();
    let mut made = 0;
    while tokens.peek().is_some()
        && alt! { one.write_with(|| tokens.next().unwrap()) => () }.is_ok()
    {
        made += 1;
    }
    made
}

#[process]
async fn takes(input: Reader<Token>) -> usize {
    let mut count = 0;
    while input.read_async().await.is_ok() {
        count += 1;
    }
    count
}

#[process]
fn waiting_takes(input: Reader<Token>) -> usize {
    input.iter().count()
}

#[process]
async fn takes_by_choice(one: Reader<Token>, other: Reader<Token>) -> usize {
    let mut count = 0;
    while alt! { _ = one.read_async().await => (), _ = other.read_async().await => () }.is_ok() {
        count += 1;
    }
    count
}

#[process]
async fn begins_by_choice(one: Reader<Token>, other: Reader<Token>) -> usize {
    let mut count = 0;
    while alt! {
        held = one.begin_async().await   => drop(held),
        held = other.begin_async().await => drop(held),
    }
    .is_ok()
    {
        count += 1;
    }
    count
}

#[process]
async fn begins(input: Reader<Token>) -> usize {
    let mut count = 0;
    while let Ok(held) = input.begin_async().await {
        drop(held);
        count += 1;
    }
    count
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn every_pairing_of_a_writer_and_a_reader_loses_nothing(backend) {
        const COUNT: usize = 30;
        for capacity in [0, 2] {
            for reader in 0..5 {
                for writer in 0..3 {
                    backend.note(format!("capacity {capacity}, writer {writer}, reader {reader}"));
                    let ledger = Ledger::new(COUNT);
                    let tokens = (0..COUNT).map(|id| ledger.token(id)).collect();
                    let (a, b) = (Channel::buffered(capacity), Channel::buffered(capacity));
                    let writer = match writer {
                        0 => {
                            let both = offers(a.writer(), b.writer(), tokens);
                            vec![backend.place(sums(both).erased())]
                        }
                        1 => vec![backend.place(makes(a.writer(), tokens).erased())],
                        _ => vec![backend.place(waiting_makes(a.writer(), tokens).erased())],
                    };
                    let (ra, rb) = (a.reader(), b.reader());
                    let readers = match reader {
                        0 => vec![takes(ra).erased(), takes(rb).erased()],
                        1 => vec![takes_by_choice(ra, rb).erased()],
                        2 => vec![begins_by_choice(ra, rb).erased()],
                        3 => vec![waiting_takes(ra).erased(), begins(rb).erased()],
                        _ => vec![begins(ra).erased(), waiting_takes(rb).erased()],
                    };
                    drop((a, b));
                    let readers: Vec<_> = readers.into_iter().map(|r| backend.place(r)).collect();
                    let (written, read) = parallel!(writer, readers);
                    assert_eq!(written[0], COUNT);
                    assert_eq!(read.into_iter().sum::<usize>(), COUNT);
                    ledger.balance();
                }
            }
        }
    }
}

type Offers = csp::Process<(Writer<Token>, Writer<Token>, Vec<Token>), [usize; 2]>;

/// Returns the sum of the values that another process writes.
#[process]
async fn sums(both: Offers) -> usize {
    csp::parallel_async!(both).await.0.into_iter().sum()
}

#[process]
async fn merges_many(inputs: Vec<Reader<u32>>) -> Vec<usize> {
    let mut counts = vec![0; inputs.len()];
    let mut choice = Alternation::new();
    for (number, input) in inputs.into_iter().enumerate() {
        choice.read(input, move |_| number);
    }
    while let Ok(number) = choice.choose_async().await {
        counts[number] += 1;
    }
    drop(choice);
    counts
}

#[process]
async fn writes_and_syncs(out: Writer<u32>, steps: Barrier, rounds: u32) -> (u32, u32) {
    let (mut written, mut synced) = (0, 0);
    while synced < rounds {
        let chosen = alt! {
            out.write_async(written).await => written += 1,
            steps.sync_async().await       => synced += 1,
        };
        if chosen.is_err() {
            steps.sync_async().await;
            synced += 1;
        }
    }
    (written, synced)
}

#[process]
async fn reads_then_syncs(input: Reader<u32>, steps: Barrier, rounds: u32) -> u32 {
    let mut read = 0;
    for _ in 0..rounds {
        for _ in 0..5 {
            read += u32::from(input.read_async().await.is_ok());
        }
        steps.sync_async().await;
    }
    read
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn a_choice_made_at_run_time_merges_all(backend) {
        let channels = 6 * Channel::new();
        let sources = channels.iter().map(|channel| backend.place(source(40, channel.writer())));
        let sources: Vec<_> = sources.collect();
        let inputs = channels.iter().map(Channel::reader).collect();
        let (_, counts) = parallel!(sources, backend.place(merges_many(inputs)));
        assert_eq!(counts, [40; 6]);
    }

    fn a_barrier_is_a_guard(backend) {
        let (channel, steps) = (Channel::new(), Barrier::new());
        let (wrote, read) = parallel!(
            backend.place(writes_and_syncs(channel.writer(), steps.clone(), 10)),
            backend.place(reads_then_syncs(channel.reader(), steps, 10)),
        );
        assert_eq!(wrote, (50, 10));
        assert_eq!(read, 50);
    }
}

#[process]
async fn calls(stop: Reader<u32>) -> (u32, u32) {
    let mut n = 0;
    let call = csp::io::Call::new(move || {
        n += 1;
        n
    });
    let mut sum = 0;
    loop {
        let chosen = alt! {
            x = io(call)                     => { sum += x; None }
            x = stop.read_async().await      => Some(x),
        };
        match chosen {
            Ok(None) if sum < 6 => {}
            Ok(Some(x)) => return (sum, x),
            _ => return (sum, csp::io_async(|| 7).await + csp::compute_async(|| 1).await),
        }
    }
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn a_blocking_call_is_a_guard(backend) {
        let stop = Channel::new();
        let _writer = stop.writer();
        let (called,) = parallel!(backend.place(calls(stop.reader())));
        assert_eq!(called, (6, 8));
    }
}

#[process]
async fn ends_of_a_choice(retired: Reader<u32>, poisoned: Reader<u32>) -> [Termination; 3] {
    let one = alt! {
        _ = retired.read_async().await => (),
        after(Duration::from_secs(1000)) => (),
    };
    let two = alt! { _ = retired.read_async().await => (), _ = poisoned.read_async().await => () };
    let none = alt! { if false, _ = retired.read_async().await => () };
    [one.unwrap_err(), two.unwrap_err(), none.unwrap_err()]
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn a_choice_ends_as_its_channels_do(backend) {
        let (retired, poisoned) = (Channel::<u32>::new(), Channel::<u32>::new());
        drop(retired.writer());
        poisoned.writer().poison("bad");
        let (ends,) = parallel!(backend.place(ends_of_a_choice(retired.reader(), poisoned.reader())));
        assert_eq!(ends[0], Termination::Retired);
        assert!(format!("{:#}", ends[1]).contains("bad"), "{}", ends[1]);
        assert!(ends[2].poison().is_some());
    }
}
