//! A future that is dropped leaves no trace. Its offer is withdrawn, and a value that it was handed goes to the next reader.

use csp::{Alternation, Channel, Reader, Termination, Writer, alt, parallel, process, spawn};
use csp_tests::{Ledger, Placement, Random, Token, on_each_backend, rounds, seed};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

/// Polls a future once, and drops it unless it is ready.
async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|waking| match future.as_mut().poll(waking) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Polls a future once, lets others go on for a while, and drops it without looking again.
async fn for_a_while<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let early = poll_fn(|waking| Poll::Ready(future.as_mut().poll(waking))).await;
    if let Poll::Ready(output) = early {
        return Some(output);
    }
    csp::sleep_async(Duration::from_micros(50)).await;
    None
}

#[process]
async fn gives_up_reading(input: Reader<u32>) -> Vec<bool> {
    let mut done = vec![once(input.read_async()).await.is_some()];
    done.push(once(input.begin_async()).await.is_some());
    let choice = async {
        alt! { _ = input.read_async().await => () }
    };
    done.push(once(choice).await.is_some());
    let mut choice = Alternation::new();
    choice.read(&input, |_| ());
    done.push(once(choice.choose_async()).await.is_some());
    done
}

#[process]
async fn gives_up_writing(out: Writer<Token>, ledger: Ledger) -> Vec<bool> {
    let mut done = vec![once(out.write_async(ledger.token(0))).await.is_some()];
    let token = ledger.token(1);
    let choice = async {
        alt! { out.write_async(token).await => () }
    };
    done.push(once(choice).await.is_some());
    let choice = async {
        alt! { out.write_with_async(|| ledger.token(2)).await => () }
    };
    done.push(once(choice).await.is_some());
    done
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn what_is_withdrawn_is_offered_no_more(backend) {
        let channel = Channel::new();
        let _writer = channel.writer();
        let (done,) = parallel!(backend.place(gives_up_reading(channel.reader())));
        assert_eq!(done, [false; 4]);
        let offered = csp::pri_alt! { _writer.write(1) => true, skip => false };
        assert_eq!(offered, Err(Termination::Retired));

        let (channel, ledger) = (Channel::new(), Ledger::new(3));
        let reader = channel.reader();
        let (done,) = parallel!(backend.place(gives_up_writing(channel.writer(), ledger.clone())));
        assert_eq!(done, [false; 3]);
        assert_eq!(reader.read().err(), Some(Termination::Retired));
        drop(ledger.token(2));
        ledger.balance();
    }
}

/// Reads, and often gives up.
#[process]
async fn reads_restlessly(input: Reader<Token>, mut random: Random) -> usize {
    let mut count = 0;
    let other = Channel::<Token>::new();
    let (never, _writer) = (other.reader(), other.writer());
    loop {
        let read = match random.below(6) {
            0 => once(input.read_async()).await,
            1 => for_a_while(input.read_async()).await,
            2 => {
                let reading = async { input.begin_async().await.map(csp::Extended::into_inner) };
                for_a_while(reading).await
            }
            3 => {
                let choice = async {
                    alt! { x = never.read_async().await => x, x = input.read_async().await => x }
                };
                for_a_while(choice).await
            }
            4 => {
                let mut choice = Alternation::new();
                choice.read(&never, |x| x);
                choice.read(&input, |x| x);
                for_a_while(choice.choose_async()).await
            }
            _ => Some(input.read_async().await),
        };
        match read {
            Some(Ok(_)) => count += 1,
            Some(Err(_)) => return count,
            None => {}
        }
    }
}

/// Writes, and often gives up. Returns how many values it has surely written, and how many it may have written.
#[process]
async fn writes_restlessly(
    out: Writer<Token>,
    tokens: Vec<Token>,
    mut random: Random,
) -> (usize, usize) {
    let (mut certain, mut perhaps) = (0, 0);
    for token in tokens {
        let written = match random.below(4) {
            0 => {
                for_a_while(async { out.write_async(token).await.map_err(Termination::from) }).await
            }
            1 => {
                let choice = async {
                    alt! { out.write_async(token).await => () }
                };
                for_a_while(choice).await
            }
            2 => {
                let choice = async {
                    alt! { out.write_with_async(|| token).await => () }
                };
                for_a_while(choice).await
            }
            _ => Some(out.write_async(token).await.map_err(Termination::from)),
        };
        match written {
            Some(end) => certain += usize::from(end.is_ok()),
            None => perhaps += 1,
        }
    }
    (certain, perhaps)
}

#[process]
fn writes(out: Writer<Token>, tokens: Vec<Token>) -> csp::Result {
    tokens.into_iter().try_for_each(|token| Ok(out.write(token)?))
}

#[process]
fn makes(out: Writer<Token>, tokens: Vec<Token>) -> csp::Result {
    for token in tokens {
        alt! { out.write_with(|| token) => () }?;
    }
    Ok(())
}

#[process]
fn reads(input: Reader<Token>) -> usize {
    input.iter().count()
}

#[process]
fn begins(input: Reader<Token>) -> usize {
    let mut count = 0;
    while let Ok(held) = input.begin() {
        csp::sleep(Duration::from_micros(10));
        drop(held);
        count += 1;
    }
    count
}

fn tokens(ledger: &Ledger, from: usize, count: usize) -> Vec<Token> {
    (from..from + count).map(|id| ledger.token(id)).collect()
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn no_value_is_lost_by_readers_that_give_up(backend) {
        const COUNT: usize = 40;
        for round in 0..rounds(6) {
            for capacity in [0, 2] {
                let mut random = Random::seeded(seed() + round);
                backend.note(format!("round {round}, capacity {capacity}"));
                let (channel, ledger) = (Channel::buffered(capacity), Ledger::new(2 * COUNT));
                let readers: Vec<_> = (0..3)
                    .map(|_| backend.place(reads_restlessly(channel.reader(), random.fork())))
                    .collect();
                let (a, b, read) = parallel!(
                    backend.place(writes(channel.writer(), tokens(&ledger, 0, COUNT))),
                    backend.place(makes(channel.writer(), tokens(&ledger, COUNT, COUNT))),
                    readers,
                );
                assert_eq!((a, b), (Ok(()), Ok(())));
                assert_eq!(read.into_iter().sum::<usize>(), 2 * COUNT);
                ledger.balance();
            }
        }
    }

    fn a_write_that_is_given_up_has_happened_or_not(backend) {
        const COUNT: usize = 40;
        for round in 0..rounds(6) {
            for capacity in [0, 2] {
                let mut random = Random::seeded(seed() + 100 + round);
                backend.note(format!("round {round}, capacity {capacity}"));
                let (channel, ledger) = (Channel::buffered(capacity), Ledger::new(2 * COUNT));
                let writers: Vec<_> = (0..2)
                    .map(|n| tokens(&ledger, n * COUNT, COUNT))
                    .map(|tokens| writes_restlessly(channel.writer(), tokens, random.fork()))
                    .map(|writer| backend.place(writer))
                    .collect();
                let (written, read, begun) = parallel!(
                    writers,
                    backend.place(reads(channel.reader())),
                    backend.place(begins(channel.reader())),
                );
                let certain: usize = written.iter().map(|(certain, _)| certain).sum();
                let perhaps: usize = written.iter().map(|(_, perhaps)| perhaps).sum();
                let read = read + begun;
                assert!(certain <= read && read <= certain + perhaps, "{read}: {written:?}");
                ledger.balance();
            }
        }
    }
}

type Reading = Pin<Box<dyn Future<Output = csp::Result<u32>>>>;

/// Forgets a read that waits.
#[process]
async fn forgets(input: &'static Reader<u32>) {
    let mut reading: Reading = Box::pin(input.read_async());
    poll_fn(|waking| Poll::Ready(reading.as_mut().poll(waking).is_pending())).await;
    std::mem::forget(reading);
}

/// Forgets a choice that waits, and chooses again.
#[process]
async fn forgets_a_choice(input: Reader<u32>, forgotten: Writer<()>) -> csp::Result<u32> {
    let mut choice = Alternation::new();
    choice.read(&input, |x| x);
    let mut choosing = Box::pin(choice.choose_async());
    poll_fn(|waking| Poll::Ready(choosing.as_mut().poll(waking).is_pending())).await;
    std::mem::forget(choosing);
    forgotten.write_async(()).await?;
    let again = choice.choose_async().await;
    let mut choosing = Box::pin(choice.choose_async());
    poll_fn(|waking| Poll::Ready(choosing.as_mut().poll(waking).is_pending())).await;
    std::mem::forget(choosing);
    drop(choice);
    again
}

/// Continues a read that another process of the thread has begun.
#[process]
async fn takes_over(first: bool, input: &'static Reader<u32>, taken: Arc<AtomicBool>) -> u32 {
    std::thread_local! {
        static HANDED: std::cell::RefCell<Option<Reading>> = const { std::cell::RefCell::new(None) };
    }
    if first {
        let mut reading: Reading = Box::pin(input.read_async());
        poll_fn(|waking| Poll::Ready(reading.as_mut().poll(waking).is_pending())).await;
        HANDED.set(Some(reading));
        taken.store(true, Ordering::SeqCst);
        return 0;
    }
    assert!(taken.load(Ordering::SeqCst));
    HANDED.take().expect("it was handed over").await.unwrap()
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";
    fn a_future_may_be_forgotten(backend) {
        let channel = Channel::new();
        let reader: &'static Reader<u32> = Box::leak(Box::new(channel.reader()));
        parallel!(backend.replicas(3, forgets(reader)));
        // The offers of the forgotten reads are still there, and take values.
        let writer = channel.writer();
        (0..3).for_each(|n| writer.write(n).unwrap());
        let (channel, forgotten) = (Channel::new(), Channel::new());
        let choice = forgets_a_choice(channel.reader(), forgotten.writer());
        let choosing = spawn(backend.place(choice));
        forgotten.reader().read().unwrap();
        channel.writer().write(1).unwrap();
        assert_eq!(choosing.join(), Ok(1));
    }
}

#[cfg(feature = "coroutines")]
#[test]
fn a_future_may_go_on_in_another_process() {
    fn law(_: &Placement) {
        let channel = Channel::new();
        let reader: &'static Reader<u32> = Box::leak(Box::new(channel.reader()));
        let taken = Arc::new(AtomicBool::new(false));
        parallel!(takes_over(true, reader, taken.clone()));
        let other = spawn(takes_over(false, reader, taken));
        csp_tests::settle();
        channel.writer().write(7).unwrap();
        assert_eq!(other.join(), 7);
    }
    csp_tests::check("a future may go on in another process", Placement::coroutines(), law);
}
