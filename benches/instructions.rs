//! Does a number of steps of one work. `ci/instructions.sh` counts the instructions of two runs and takes the difference.
//!
//! The program uses nothing but csp, and no new part of it, so the script can build it with an older version too.

use std::env;

use csp::{Channel, Reader, Writer, alt, parallel, parallel_async, pri_alt, process, spawn};

/// A name, and a function that takes the number of steps.
type Work = (&'static str, fn(u64));

const WORKS: [Work; 14] = [
    ("commstime: a communication", commstime),
    ("commstime, async: a communication", commstime_async),
    ("100 buffered: a value", buffered),
    ("ring of 1,000: a hop", ring),
    ("select 10 × 10: a choice", select),
    ("a write and alt!, first of 2 ready", ready),
    ("a write and pri_alt!, first of 2 ready", ready_by_priority),
    ("a write and pri_alt!, last of 2 ready", last_by_priority),
    ("the same, used by two threads", last_by_priority_shared),
    ("a write and pri_alt!, last of 2, before skip", ready_before_skip),
    ("pri_alt!, skip after 1", skip_after_one),
    ("pri_alt!, skip after 2", skip_after_two),
    ("1000 * p: a process", replicas),
    ("spawn(p).join()", spawn_and_join),
];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let numbers: Vec<u64> = arguments.iter().filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [] => WORKS.iter().for_each(|(name, _)| println!("{name}")),
        [work, steps] => WORKS[work as usize].1(steps),
        _ => panic!("give nothing, or the number of a work and how many steps"),
    }
}

#[process]
fn prefix(input: Reader<u64>, output: Writer<u64>) -> csp::Result {
    output.write(0)?;
    loop {
        output.write(input.read()?)?;
    }
}

#[process]
fn successor(input: Reader<u64>, output: Writer<u64>) -> csp::Result {
    loop {
        output.write(input.read()? + 1)?;
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
fn consume(input: Reader<u64>, count: u64) -> csp::Result {
    for _ in 0..count {
        input.read()?;
    }
    Ok(())
}

fn commstime(steps: u64) {
    let [a, b, c, d] = [(); 4].map(|()| Channel::new());
    let _ = parallel!(
        prefix(a.reader(), b.writer()),
        delta(b.reader(), c.writer(), d.writer()),
        successor(c.reader(), a.writer()),
        consume(d.reader(), steps / 4),
    );
}

#[process]
async fn prefix_async(input: Reader<u64>, output: Writer<u64>) -> csp::Result {
    output.write_async(0).await?;
    loop {
        output.write_async(input.read_async().await?).await?;
    }
}

#[process]
async fn successor_async(input: Reader<u64>, output: Writer<u64>) -> csp::Result {
    loop {
        output.write_async(input.read_async().await? + 1).await?;
    }
}

#[process]
async fn delta_async(input: Reader<u64>, left: Writer<u64>, right: Writer<u64>) -> csp::Result {
    loop {
        let value = input.read_async().await?;
        left.write_async(value).await?;
        right.write_async(value).await?;
    }
}

#[process]
async fn consume_async(input: Reader<u64>, count: u64) -> csp::Result {
    for _ in 0..count {
        input.read_async().await?;
    }
    Ok(())
}

#[process]
async fn network_async(count: u64) {
    let [a, b, c, d] = [(); 4].map(|()| Channel::new());
    let network = parallel_async!(
        prefix_async(a.reader(), b.writer()),
        delta_async(b.reader(), c.writer(), d.writer()),
        successor_async(c.reader(), a.writer()),
        consume_async(d.reader(), count),
    );
    let _ = network.await;
}

fn commstime_async(steps: u64) {
    parallel!(network_async(steps / 4));
}

#[process]
fn produce(output: Writer<u64>, count: u64) -> csp::Result {
    for value in 0..count {
        output.write(value)?;
    }
    Ok(())
}

fn buffered(steps: u64) {
    let values = Channel::buffered(100);
    let _ = parallel!(produce(values.writer(), steps), consume(values.reader(), steps));
}

const RING: u64 = 1_000;

#[process]
fn laps(input: Reader<u64>, output: Writer<u64>, count: u64) -> csp::Result {
    for _ in 0..count {
        output.write(0)?;
        input.read()?;
    }
    Ok(())
}

fn ring(steps: u64) {
    let channels: Vec<Channel<u64>> = RING as usize * Channel::new();
    let elements = channels.windows(2).map(|pair| successor(pair[0].reader(), pair[1].writer()));
    let elements: Vec<_> = elements.collect();
    let (first, last) = (channels[0].writer(), channels[RING as usize - 1].reader());
    drop(channels);
    let _ = parallel!(elements, laps(last, first, steps / RING));
}

#[process]
fn write(output: Writer<u64>) -> csp::Result {
    loop {
        output.write(1)?;
    }
}

#[process]
fn choose(inputs: [Reader<u64>; 10], count: u64) -> csp::Result {
    let [a, b, c, d, e, f, g, h, i, j] = &inputs;
    for _ in 0..count {
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
        }?;
    }
    Ok(())
}

fn select(steps: u64) {
    let channels = [(); 10].map(|()| Channel::new());
    let writers: Vec<_> = channels.iter().map(|channel| 10 * write(channel.writer())).collect();
    let inputs = channels.each_ref().map(Channel::reader);
    drop(channels);
    let _ = parallel!(writers, choose(inputs, steps));
}

#[process]
fn choose_ready(full: Channel<u64>, empty: Channel<u64>, count: u64) -> csp::Result {
    let (output, input, other) = (full.writer(), full.reader(), empty.reader());
    let _stays = empty.writer();
    for value in 0..count {
        output.write(value)?;
        alt! {
            value = input.read() => value,
            value = other.read() => value,
        }?;
    }
    Ok(())
}

/// Writes with one end and chooses between two, the first of which goes before the second.
#[process]
fn choose_by_priority(
    output: Writer<u64>,
    first: Reader<u64>,
    second: Reader<u64>,
    count: u64,
) -> csp::Result {
    for value in 0..count {
        output.write(value)?;
        pri_alt! {
            value = first.read() => value,
            value = second.read() => value,
        }?;
    }
    Ok(())
}

fn ready(steps: u64) {
    let _ = parallel!(choose_ready(Channel::buffered(1), Channel::new(), steps));
}

fn ready_by_priority(steps: u64) {
    let (full, empty) = (Channel::buffered(1), Channel::new());
    let _stays = empty.writer();
    let _ = parallel!(choose_by_priority(full.writer(), full.reader(), empty.reader(), steps));
}

fn last_by_priority(steps: u64) {
    let (full, empty) = (Channel::buffered(1), Channel::new());
    let _stays = empty.writer();
    let _ = parallel!(choose_by_priority(full.writer(), empty.reader(), full.reader(), steps));
}

fn last_by_priority_shared(steps: u64) {
    let (full, empty) = (Channel::buffered(1), Channel::new());
    let ends = (full.writer(), empty.reader(), full.reader(), empty.writer());
    let others = ends.clone();
    std::thread::spawn(move || drop(others)).join().unwrap();
    let _ = parallel!(choose_by_priority(full.writer(), empty.reader(), full.reader(), steps));
    drop(ends);
}

#[process]
fn choose_before_skip(full: Channel<u64>, empty: Channel<u64>, count: u64) -> csp::Result {
    let (output, input, other) = (full.writer(), full.reader(), empty.reader());
    let _stays = empty.writer();
    for value in 0..count {
        output.write(value)?;
        pri_alt! {
            value = other.read() => value,
            value = input.read() => value,
            skip => 0,
        }?;
    }
    Ok(())
}

fn ready_before_skip(steps: u64) {
    let _ = parallel!(choose_before_skip(Channel::buffered(1), Channel::new(), steps));
}

#[process]
fn skip_one(empty: Channel<u64>, count: u64) -> csp::Result {
    let (input, _stays) = (empty.reader(), empty.writer());
    for _ in 0..count {
        pri_alt! {
            value = input.read() => value,
            skip => 0,
        }?;
    }
    Ok(())
}

fn skip_after_one(steps: u64) {
    let _ = parallel!(skip_one(Channel::new(), steps));
}

#[process]
fn skip_two(one: Channel<u64>, two: Channel<u64>, count: u64) -> csp::Result {
    let (input, _stays) = (one.reader(), one.writer());
    let (other, _stays_too) = (two.reader(), two.writer());
    for _ in 0..count {
        pri_alt! {
            value = input.read() => value,
            value = other.read() => value,
            skip => 0,
        }?;
    }
    Ok(())
}

fn skip_after_two(steps: u64) {
    let _ = parallel!(skip_two(Channel::new(), Channel::new(), steps));
}

#[process]
fn nothing() {}

fn replicas(steps: u64) {
    for _ in 0..steps / 1_000 {
        parallel!(1_000 * nothing());
    }
}

#[process]
fn spawn_each(count: u64) {
    for _ in 0..count {
        spawn(nothing()).join();
    }
}

fn spawn_and_join(steps: u64) {
    parallel!(spawn_each(steps));
}
