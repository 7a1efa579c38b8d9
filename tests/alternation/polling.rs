//! Choices that do not wait: with `skip`, or with a time that has come.

use csp::{Alternation, Channel, Reader, Termination, Writer, alt, pri_alt};
use csp_tests::{on_each_backend, start};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Polls until there is something to read.
type Poll = fn(&Reader<u32>) -> csp::Result<Option<u32>>;

const POLLS: [Poll; 4] = [
    |input| {
        pri_alt! {
            x = input.read() => Some(x),
            skip             => None,
        }
    },
    |input| {
        alt! {
            x = input.read()      => Some(x),
            after(Duration::ZERO) => None,
        }
    },
    |input| {
        pri_alt! {
            x = input.read()    => Some(x),
            at(Instant::now())  => None,
        }
    },
    |input| {
        let mut choice = Alternation::by_priority();
        choice.read(input, Some);
        choice.skip(|| None);
        choice.choose()
    },
];

on_each_backend! {
    fn a_process_that_polls_lets_the_others_go_on(backend) {
        for poll in 0..POLLS.len() {
            let (channel, back) = (Channel::new(), Channel::new());
            let polls = start!(
                backend,
                (poll: usize = poll, input: Reader<u32> = channel.reader(), output: Writer<()> = back.writer()) -> csp::Result {
                    while POLLS[poll](&input)?.is_none() {}
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
        for poll in POLLS {
            let channel = Channel::new();
            let (input, output) = (channel.reader(), channel.writer());
            drop(channel);
            let writes = start!(backend, (output: Writer<u32> = output) -> () { drop(output.write(1)) });
            while poll(&input).unwrap().is_none() {}
            drop(input);
            writes.join();
        }
    }

    fn a_sleep_of_no_length_lets_the_others_go_on(backend, here: "it has no channel") {
        let flag = Arc::new(AtomicBool::new(false));
        let waits = backend.spawn({
            let flag = Arc::clone(&flag);
            move || {
                while !flag.load(Ordering::Relaxed) {
                    csp::sleep(Duration::ZERO);
                }
            }
        });
        let sets = backend.spawn(move || flag.store(true, Ordering::Relaxed));
        waits.join();
        sets.join();
    }

    fn a_poll_is_told_of_retirement(backend) {
        for poll in 0..POLLS.len() {
            let channel = Channel::<u32>::new();
            let (input, output) = (channel.reader(), channel.writer());
            let polls = start!(backend, (poll: usize = poll, input: Reader<u32> = input) -> csp::Result {
                loop {
                    POLLS[poll](&input)?;
                }
            });
            start!(backend, (output: Writer<u32> = output) -> () { drop(output) }).join();
            let end: csp::Result = polls.join();
            assert_eq!(end, Err(Termination::Retired));
        }
    }

    fn a_poll_is_told_of_poison(backend) {
        for poll in 0..POLLS.len() {
            let channel = Channel::<u32>::new();
            let (input, output) = (channel.reader(), channel.writer());
            let polls = start!(backend, (poll: usize = poll, input: Reader<u32> = input) -> csp::Result {
                loop {
                    POLLS[poll](&input)?;
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
            // PyCSP's fast choice took 0 of 200 (its defect 15).
            (0..200).map(|_| POLLS[0](&input).unwrap()).collect()
        });
        assert_eq!(polled.join(), (0..200).map(Some).collect::<Vec<_>>());
    }
}
