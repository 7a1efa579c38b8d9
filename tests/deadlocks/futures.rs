//! Processes that are futures.

use crate::{Case, clean, deadlock};
use csp::{Barrier, Channel, Reader, Writer, alt, parallel, process, spawn, try_parallel};
use csp_tests::Placement;
use std::pin::pin;
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    deadlock("futures_in_a_circle", in_a_circle, &["relay[0]", "relay[1]", "relay[2]"]),
    deadlock("a_future_and_another_process", of_both_kinds, &["relay", "waiting_relay"]),
    deadlock("a_future_that_chooses", at_a_choice, &["chooses", "relay"]),
    deadlock("futures_at_a_barrier", at_a_barrier, &["syncs", "reads_first"]),
    deadlock("a_future_joins_one_that_waits", joining, &["joins", "relay"]),
    deadlock("a_future_of_two_reads", of_two_reads, &["reads_either", "relay"]),
    clean("a_future_with_a_timeout", with_a_timeout),
    clean("a_future_that_another_thread_wakes", woken_by_another),
];

#[process]
async fn relay(input: Reader<u32>, out: Writer<u32>) -> csp::Result {
    loop {
        out.write_async(input.read_async().await?).await?;
    }
}

#[process]
fn waiting_relay(input: Reader<u32>, out: Writer<u32>) -> csp::Result {
    loop {
        out.write(input.read()?)?;
    }
}

fn in_a_circle(on: &Placement) {
    let channels = 3 * Channel::new();
    let relays = (0..3).map(|n| {
        let relay = relay(channels[n].reader(), channels[(n + 1) % 3].writer());
        on.place(relay.named(format!("relay[{n}]")))
    });
    let relays: Vec<_> = relays.collect();
    drop(channels);
    let _ = parallel!(relays);
}

fn of_both_kinds(on: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let one = on.place(relay(a.reader(), b.writer()));
    let other = on.place(waiting_relay(b.reader(), a.writer()));
    drop((a, b));
    let _ = parallel!(one, other);
}

#[process]
async fn chooses(one: Reader<u32>, other: Reader<u32>, out: Writer<u32>) -> csp::Result {
    let value = alt! {
        x = one.read_async().await   => x,
        x = other.read_async().await => x,
    }?;
    Ok(out.write_async(value).await?)
}

fn at_a_choice(on: &Placement) {
    let (a, b, c) = (Channel::new(), Channel::new(), Channel::new());
    let one = on.place(chooses(a.reader(), b.reader(), c.writer()));
    let other = on.place(relay(c.reader(), a.writer()));
    let kept = b.writer();
    drop((a, b, c, kept));
    let _ = parallel!(one, other);
}

#[process]
async fn syncs(barrier: Barrier, out: Writer<u32>) -> csp::Result {
    barrier.sync_async().await;
    Ok(out.write_async(1).await?)
}

#[process]
async fn reads_first(barrier: Barrier, input: Reader<u32>) -> csp::Result {
    input.read_async().await?;
    barrier.sync_async().await;
    Ok(())
}

fn at_a_barrier(on: &Placement) {
    let (barrier, channel) = (Barrier::new(), Channel::new());
    let one = on.place(syncs(barrier.clone(), channel.writer()));
    let other = on.place(reads_first(barrier, channel.reader()));
    drop(channel);
    let _ = parallel!(one, other);
}

#[process]
async fn joins(input: Reader<u32>, out: Writer<u32>) -> csp::Result {
    let (back, forth) = (input.clone(), out.clone());
    let child = spawn(relay(back, forth));
    let ended = child.join_async().await;
    out.write_async(input.read_async().await?).await?;
    ended
}

fn joining(on: &Placement) {
    let channel = Channel::new();
    let joins = on.place(joins(channel.reader(), channel.writer()));
    drop(channel);
    let _ = parallel!(joins);
}

#[process]
async fn reads_either(one: Reader<u32>, other: Reader<u32>, out: Writer<u32>) -> csp::Result {
    let value = {
        let mut one = pin!(one.read_async());
        let mut other = pin!(other.read_async());
        std::future::poll_fn(|waking| match one.as_mut().poll(waking) {
            std::task::Poll::Pending => other.as_mut().poll(waking),
            ready => ready,
        })
        .await?
    };
    Ok(out.write_async(value).await?)
}

fn of_two_reads(on: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let one = on.place(reads_either(a.reader(), a.reader(), b.writer()));
    let other = on.place(relay(b.reader(), a.writer()));
    drop((a, b));
    let _ = parallel!(one, other);
}

#[process]
async fn waits_a_while(input: Reader<u32>, out: Writer<u32>) -> csp::Result<bool> {
    let late = alt! {
        _ = input.read_async().await     => false,
        after(Duration::from_millis(20)) => true,
    }?;
    out.write_async(1).await?;
    input.read_async().await?;
    Ok(late)
}

fn with_a_timeout(on: &Placement) {
    let (a, b) = (Channel::new(), Channel::new());
    let one = on.place(waits_a_while(a.reader(), b.writer()));
    let other = on.place(relay(b.reader(), a.writer()));
    drop((a, b));
    let (late, _) = try_parallel!(one, other).expect("no deadlock");
    assert_eq!(late, Ok(true));
}

/// Ends when a thread that the library does not know wakes it.
#[process]
async fn waits_for_a_stranger(out: Writer<u32>) -> csp::Result {
    let mut started = false;
    std::future::poll_fn(|waking| {
        if std::mem::replace(&mut started, true) {
            return std::task::Poll::Ready(());
        }
        let waker = waking.waker().clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            waker.wake();
        });
        std::task::Poll::Pending
    })
    .await;
    Ok(out.write_async(1).await?)
}

#[process]
async fn reads(input: Reader<u32>) -> csp::Result<u32> {
    input.read_async().await
}

fn woken_by_another(on: &Placement) {
    let channel = Channel::new();
    let one = on.place(waits_for_a_stranger(channel.writer()));
    let other = on.place(reads(channel.reader()));
    drop(channel);
    let (_, read) = try_parallel!(one, other).expect("no deadlock");
    assert_eq!(read, Ok(1));
}
