//! JCSP's `extendedRendezvous` tests: the order of events when a read is extended.
//!
//! Not here:
//! - Its four kinds of channel and their versions for `int`: here is one kind of channel, for any type. The laws run over one and
//!   several writers and readers.
//! - `testOverflowingFIFOOne2OneChannel`, `testOverwritingOldestOne2OneChannel`: their buffers lose values, but no channel
//!   here does.
//! - `AltTest`: a program to be watched, with three sources of different delays. Fair choice has its own laws.

use csp::{Alternation, Barrier, Channel, Extended, Reader, alt};
use csp_tests::{Placement, on_each_backend};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Read,
    Written,
    Over,
}

use Event::{Over, Read, Written};

/// A way to begin an extended read.
type Begin = for<'a> fn(&'a Reader<u32>) -> csp::Result<Extended<'a, u32>>;

const BEGINS: [Begin; 2] = [|input| input.begin(), |input| alt! { held = input.begin() => held }];

/// Uses barriers as events, as JCSP does. The writer syncs on one after each write. The reader syncs on the other in the
/// middle of each read. The recorder offers both.
fn recorded(backend: &Placement, begin: Begin, count: usize) -> Vec<Event> {
    let [read, written, over] = [(); 3].map(|()| Barrier::new());
    let channel = Channel::new();
    let writes = backend.spawn({
        let (output, written) = (channel.writer(), written.enrol());
        move || {
            for value in 0..count as u32 {
                output.write(value).unwrap();
                written.sync();
            }
            // They stay enrolled until the end, because alone the recorder would not wait.
            written
        }
    });
    let reads = backend.spawn({
        let (input, read) = (channel.reader(), read.enrol());
        move || {
            for value in 0..count as u32 {
                let held = begin(&input).unwrap();
                assert_eq!(*held, value);
                read.sync();
                drop(held);
            }
            read
        }
    });
    let records = backend.spawn({
        let (read, written, over) = (read.enrol(), written.enrol(), over.enrol());
        move || {
            let mut events = Vec::new();
            for _ in 0..2 * count {
                events.push(
                    alt! {
                        written.sync() => Written,
                        read.sync()    => Read,
                        over.sync()    => Over,
                    }
                    .unwrap(),
                );
            }
            over.sync();
            events.push(Over);
            events
        }
    });
    drop((read, written));
    let enrolled = (writes.join(), reads.join());
    over.sync();
    let events = records.join();
    drop(enrolled);
    events
}

on_each_backend! {
    here: "the ported tests are about threads of one OS process";
    fn what_is_done_in_an_extended_read_is_done_before_the_write_ends(backend) {
        for begin in BEGINS {
            let events = recorded(backend, begin, 100);
            assert_eq!(events[..200], [Read, Written].repeat(100));
            assert_eq!(events[200..], [Over]);
        }
    }

    fn with_many_writers_one_is_released_for_each_read(backend) {
        for begin in BEGINS {
            let channel = Channel::new();
            let (released, releases) = (Channel::buffered(40), 40);
            let writers: Vec<_> = (0..4)
                .map(|who| {
                    let (output, released) = (channel.writer(), released.writer());
                    backend.spawn(move || {
                        for n in 0..10 {
                            let value = 10 * who + n;
                            output.write(value).unwrap();
                            released.write(value).unwrap();
                        }
                    })
                })
                .collect();
            let (input, output) = (channel.reader(), released.reader());
            drop((channel, released));
            let mut held = Vec::new();
            for _ in 0..releases {
                let value = begin(&input).unwrap();
                // A writer does not go on while its value is held.
                held.push(*value);
                csp_tests::settle();
                drop(value);
                assert_eq!(output.read(), Ok(*held.last().unwrap()));
            }
            held.sort_unstable();
            assert!(held.into_iter().eq(0..40));
            writers.into_iter().for_each(csp::Spawned::join);
        }
    }

    fn through_a_buffer_all_values_come_in_order_however_slow_the_reader(backend) {
        for begin in BEGINS {
            for capacity in [1, 4] {
                let channel = Channel::buffered(capacity);
                let (input, output) = (channel.reader(), channel.writer());
                drop(channel);
                let writes = backend.spawn(move || (0..100).for_each(|n| output.write(n).unwrap()));
                let reads = backend.spawn(move || {
                    for expected in 0..100 {
                        let value = begin(&input).unwrap();
                        if expected % 10 == 0 {
                            csp::sleep(Duration::from_micros(50));
                        }
                        assert_eq!(*value, expected);
                    }
                    input.read().is_err()
                });
                writes.join();
                assert!(reads.join());
            }
        }
    }

    fn a_value_that_is_held_keeps_its_place_in_the_buffer(backend) {
        for begin in BEGINS {
            let channel = Channel::buffered(2);
            let (input, output) = (channel.reader(), channel.writer());
            let log = backend.spawn(move || {
                output.write(1).unwrap();
                output.write(2).unwrap();
                let held = begin(&input).unwrap();
                let full = csp::pri_alt! { output.write(3) => false, skip => true }.unwrap();
                drop(held);
                let room = csp::pri_alt! { output.write(3) => true, skip => false }.unwrap();
                (full, room, input.read(), input.read())
            });
            assert_eq!(log.join(), (true, true, Ok(2), Ok(3)));
        }
    }

    fn the_order_is_the_same_when_sets_choose(backend) {
        let (channel, log) = (Channel::new(), std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
        let writes = backend.spawn({
            let (output, log) = (channel.writer(), std::sync::Arc::clone(&log));
            move || {
                let mut choice = Alternation::new();
                choice.write(output, || (), || log.lock().unwrap().push(Written));
                (0..50).for_each(|_| choice.choose().unwrap());
            }
        });
        let reads = backend.spawn({
            let (input, log) = (channel.reader(), std::sync::Arc::clone(&log));
            move || {
                let mut choice = Alternation::new();
                choice.begin(input, |held: Extended<'_, ()>| {
                    log.lock().unwrap().push(Read);
                    drop(held);
                });
                (0..50).for_each(|_| choice.choose().unwrap());
            }
        });
        writes.join();
        reads.join();
        // A write has ended before the next begins, so nothing can come between the two.
        assert_eq!(*log.lock().unwrap(), [Read, Written].repeat(50));
    }
}
