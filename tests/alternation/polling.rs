//! Choices that do not wait, because they have `skip` or a time that has passed.

use csp::{Alternation, Channel, Reader, Termination, Writer, alt, pri_alt};
use csp_tests::{awaitable, in_place, laws, start, wait_for};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const POLLS: usize = 4;

/// Reads a value if there is one, by one of the ways to poll.
#[awaitable]
fn poll(way: usize, input: &Reader<u32>) -> csp::Result<Option<u32>> {
    match way {
        0 => pri_alt! {
            x = input.read() => Some(x),
            skip             => None,
        },
        1 => alt! {
            x = input.read()      => Some(x),
            after(Duration::ZERO) => None,
        },
        2 => pri_alt! {
            x = input.read()    => Some(x),
            at(Instant::now())  => None,
        },
        _ => {
            let mut choice = Alternation::by_priority();
            choice.read(input, Some);
            choice.skip(|| None);
            choice.choose()
        }
    }
}

laws! {
    fn a_process_that_polls_lets_the_others_go_on(backend) {
        for way in 0..POLLS {
            let (channel, back) = (Channel::new(), Channel::new());
            let polls = start!(
                backend,
                (way: usize = way, input: Reader<u32> = channel.reader(), output: Writer<()> = back.writer()) -> csp::Result {
                    while wait_for!(poll(way, &input))?.is_none() {}
                    Ok(output.write(())?)
                }
            );
            let writes = start!(backend, (output: Writer<u32> = channel.writer()) -> () { drop(output.write(1)) });
            drop(channel);
            assert_eq!(back.reader().read(), Ok(()));
            assert_eq!(polls.join(), Ok(()));
            writes.join();
        }
    }

    fn the_thread_that_polls_lets_its_coroutines_go_on(backend) {
        for way in 0..POLLS {
            let channel = Channel::new();
            let (input, output) = (channel.reader(), channel.writer());
            drop(channel);
            let writes = start!(backend, (output: Writer<u32> = output) -> () { drop(output.write(1)) });
            while poll(way, &input).unwrap().is_none() {}
            drop(input);
            writes.join();
        }
    }

    fn a_sleep_of_no_length_lets_the_others_go_on(backend, here: "it has no channel") {
        let flag = Arc::new(AtomicBool::new(false));
        let waits = backend.start({
            let flag = Arc::clone(&flag);
            in_place!(move || {
                while !flag.load(Ordering::Relaxed) {
                    csp::sleep(Duration::ZERO);
                }
            })
        });
        let sets = backend.start(in_place!(move || flag.store(true, Ordering::Relaxed)));
        waits.join();
        sets.join();
    }

    fn a_poll_is_told_of_retirement(backend) {
        for way in 0..POLLS {
            let channel = Channel::<u32>::new();
            let (input, output) = (channel.reader(), channel.writer());
            let polls = start!(backend, (way: usize = way, input: Reader<u32> = input) -> csp::Result {
                loop {
                    wait_for!(poll(way, &input))?;
                }
            });
            start!(backend, (output: Writer<u32> = output) -> () { drop(output) }).join();
            let end: csp::Result = polls.join();
            assert_eq!(end, Err(Termination::Retired));
        }
    }

    fn a_poll_is_told_of_poison(backend) {
        for way in 0..POLLS {
            let channel = Channel::<u32>::new();
            let (input, output) = (channel.reader(), channel.writer());
            let polls = start!(backend, (way: usize = way, input: Reader<u32> = input) -> csp::Result {
                loop {
                    wait_for!(poll(way, &input))?;
                }
            });
            start!(backend, (output: Writer<u32> = output) -> () { output.poison("enough") }).join();
            let end: csp::Result = polls.join();
            assert!(matches!(end, Err(Termination::Poisoned(_))));
        }
    }

    fn a_poll_with_a_guard_for_retirement_takes_it(backend) {
        let channel = Channel::<u32>::new();
        let (input, output) = (channel.reader(), channel.writer());
        let polls = start!(backend, (input: Reader<u32> = input) -> String {
            loop {
                alt! {
                    input.read()          => unreachable!(),
                    retired(input)        => return "retired".into(),
                    after(Duration::ZERO) => {}
                }
                .unwrap();
            }
        });
        start!(backend, (output: Writer<u32> = output) -> () { drop(output) }).join();
        assert_eq!(polls.join(), "retired");
    }

    fn a_poll_takes_what_is_ready(backend) {
        let channel = Channel::buffered(200);
        let (input, output) = (channel.reader(), channel.writer());
        let polled = start!(backend, (input: Reader<u32> = input, output: Writer<u32> = output) -> Vec<Option<u32>> {
            for n in 0..200 {
                output.write(n).unwrap();
            }
            // PyCSP's fast choice took the value in 0 of 200 cases (defect 15).
            let mut polled = Vec::new();
            for _ in 0..200 {
                polled.push(wait_for!(poll(0, &input)).unwrap());
            }
            polled
        });
        assert_eq!(polled.join(), (0..200).map(Some).collect::<Vec<_>>());
    }
}
