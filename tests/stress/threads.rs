//! Threads that become schedulers and end at random. Nothing that one leaves behind reaches another. `CSP_ROUNDS=100000` runs
//! for minutes.

use csp::{Backend, Channel, Reader, Writer, alt, parallel, process, spawn};
use csp_tests::{Random, rounds, seed, watched};
use std::collections::VecDeque;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

#[process]
fn writes(output: Writer<u32>, value: u32) {
    let _ = output.write(value);
}

#[process]
fn echoes(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    loop {
        output.write(input.read()?)?;
    }
}

#[process]
fn idles() {}

#[process]
fn dozes(time: Duration) {
    takes_at_least(time, || csp::sleep(time));
}

#[process]
async fn dozes_async(time: Duration) {
    let start = Instant::now();
    csp::sleep_async(time).await;
    assert!(start.elapsed() >= time, "woken after {:?} of {time:?}", start.elapsed());
}

/// Reads until a deadline, which may still be ahead when its thread ends.
#[process]
fn lingers(input: Reader<u32>, time: Duration) -> csp::Result {
    loop {
        alt! {
            value = input.read() => value,
            after(time) => 0,
        }?;
    }
}

fn takes_at_least(time: Duration, act: impl FnOnce()) {
    let start = Instant::now();
    act();
    assert!(start.elapsed() >= time, "woken after {:?} of {time:?}", start.elapsed());
}

/// Does some things that a thread may do before it ends.
fn live(random: &mut Random) {
    for _ in 0..=random.below(4) {
        let brief = Duration::from_micros(100 * random.below(20) as u64);
        let far = 4 * brief + Duration::from_micros(100);
        match random.below(9) {
            0 => takes_at_least(brief, || csp::sleep(brief)),
            1 => {
                let values = Channel::new();
                let reader = values.reader();
                drop(spawn(writes(values.writer(), 7)));
                drop(values);
                let start = Instant::now();
                let value = alt! {
                    value = reader.read() => Some(value),
                    after(far) => None,
                };
                match value.expect("a value or a timeout") {
                    Some(value) => assert_eq!(value, 7),
                    None => assert!(start.elapsed() >= far),
                }
            }
            2 => takes_at_least(brief, || {
                let values = Channel::<u32>::new();
                let (reader, _writer) = (values.reader(), values.writer());
                alt! {
                    value = reader.read() => panic!("nobody wrote {value}"),
                    after(brief) => (),
                }
                .expect("a timeout");
            }),
            3 => drop(parallel!(5 * idles())),
            4 => drop(parallel!(2 * dozes(brief), dozes_async(brief))),
            5 => drop(parallel!(dozes(brief).on(Backend::Thread), dozes(brief))),
            6 => {
                let values = Channel::new();
                drop(spawn(lingers(values.reader(), far).daemon()));
                let writer = values.writer();
                drop(values);
                if random.once_in(2) {
                    assert!(writer.write(1).is_ok(), "the daemon reads");
                } else {
                    csp::sleep(brief);
                }
            }
            7 => {
                let (there, back) = (Channel::new(), Channel::new());
                let (writer, reader) = (there.writer(), back.reader());
                drop(spawn(echoes(there.reader(), back.writer()).daemon()));
                drop((there, back));
                for value in 0..5 {
                    writer.write(value).expect("an echo");
                    assert_eq!(reader.read(), Ok(value));
                }
            }
            // The thread waits for this process when it ends.
            _ => drop(spawn(dozes(brief))),
        }
    }
}

#[test]
fn a_deadline_that_a_thread_has_left_wakes_nobody() {
    const LEFT: Duration = Duration::from_millis(20);
    watched("a_deadline_that_a_thread_has_left_wakes_nobody", || {
        for _ in 0..rounds(5) {
            let leaves = thread::spawn(|| {
                let values = Channel::new();
                let reader = values.reader();
                drop(spawn(writes(values.writer(), 7)));
                alt! { value = reader.read() => value == 7, after(LEFT) => true }
            });
            assert_eq!(leaves.join().expect("it ends well"), Ok(true));
            // This thread takes over the processes that the other has left.
            let sleeps = thread::spawn(|| {
                parallel!(idles());
                takes_at_least(3 * LEFT, || csp::sleep(3 * LEFT));
            });
            sleeps.join().expect("nobody wakes it");
        }
    });
}

#[test]
fn nobody_is_woken_by_what_a_thread_that_has_ended_left() {
    watched("nobody_is_woken_by_what_a_thread_that_has_ended_left", || {
        let mut random = Random::seeded(seed());
        let mut threads: VecDeque<JoinHandle<()>> = VecDeque::new();
        for _ in 0..rounds(600) {
            let mut own = random.fork();
            threads.push_back(thread::spawn(move || live(&mut own)));
            while threads.len() > random.below(8) {
                let thread = threads.pop_front().expect("there are some");
                thread.join().expect("all was as it should be");
            }
        }
        threads.into_iter().for_each(|thread| thread.join().expect("all was as it should be"));
    });
}
