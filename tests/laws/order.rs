//! First come, first served: for readers, for writers, with and without a buffer.
//!
//! On all cores this holds among the readers of one scheduler. Between schedulers no reader waits for ever while values come.

use crate::processes::{read_once, sink, source, write_once};
use csp::{Channel, Reader, Writer, parallel, spawn};
use csp_tests::{Arrival, Notes, laws, multiprocess, settle};

/// The reason why a law runs here only: the order is the order of arrival at the channel's home, the OS process that owns it.
const SEEN: &str = "a process that sleeps in another OS process, or on its way there, need not have come to the channel yet";

const CAPACITIES: [usize; 4] = [0, 1, 2, 7];

fn channel<T: Send + 'static>(capacity: usize) -> Channel<T> {
    if capacity == 0 { Channel::new() } else { Channel::buffered(capacity) }
}

fn arrivals(count: usize) -> Vec<Arrival> {
    (0..count).map(|_| Arrival::new()).collect()
}

#[multiprocess]
fn keen_reader(who: usize, input: Reader<usize>, arrival: Arrival, served: Option<Notes>) {
    loop {
        arrival.announce();
        if input.read().is_err() {
            return;
        }
        if let Some(served) = &served {
            served.push(who.to_string());
        }
    }
}

#[multiprocess]
fn keen_writer(who: usize, output: Writer<usize>, arrival: Arrival) {
    loop {
        arrival.announce();
        if output.write(who).is_err() {
            return;
        }
    }
}

laws! {
    fn values_arrive_in_the_order_written(backend) {
        for capacity in CAPACITIES {
            let values = channel(capacity);
            let written: Vec<u32> = (0..500).collect();
            let (end, read) = parallel!(
                backend.place(source(written.clone(), values.writer())),
                backend.place(sink(values.reader())),
            );
            assert_eq!(end, Ok(()));
            assert_eq!(read, written);
        }
    }

    fn readers_are_served_first_come_first_served(backend, here: SEEN) {
        for capacity in CAPACITIES {
            let values = channel(capacity);
            let (mut readers, mut threads) = (Vec::new(), Vec::new());
            for arrival in arrivals(12) {
                readers.push(spawn(backend.place(read_once(values.reader(), arrival.clone()))));
                arrival.until_blocked();
                threads.push(arrival.thread());
            }
            let writer = values.writer();
            for value in 0..readers.len() {
                writer.write(value).unwrap();
            }
            let read: Vec<_> = readers.into_iter().map(|it| it.join().unwrap()).collect();
            if backend.has_cores() {
                for thread in &threads {
                    let of = read.iter().zip(&threads).filter(|(_, its)| *its == thread);
                    let of: Vec<_> = of.map(|(value, _)| value).collect();
                    assert!(of.is_sorted(), "{of:?} of {read:?}");
                }
                let mut read = read;
                read.sort_unstable();
                assert_eq!(read, (0..12).collect::<Vec<_>>());
            } else {
                assert_eq!(read, (0..12).collect::<Vec<_>>());
            }
        }
    }

    fn writers_are_served_first_come_first_served(backend, here: SEEN) {
        for capacity in CAPACITIES {
            let values = channel(capacity);
            let full = values.writer();
            for value in 0..capacity {
                full.write(value).unwrap();
            }
            let mut writers = Vec::new();
            for (turn, arrival) in arrivals(12).into_iter().enumerate() {
                let write = write_once(capacity + turn, values.writer(), arrival.clone());
                writers.push(spawn(backend.place(write)));
                arrival.until_blocked();
            }
            let reader = values.reader();
            for expected in 0..capacity + writers.len() {
                assert_eq!(reader.read(), Ok(expected));
            }
            for writer in writers {
                writer.join().unwrap();
            }
        }
    }

    fn a_reader_served_goes_to_the_end_of_the_queue(backend, here: SEEN) {
        for capacity in CAPACITIES {
            let values = channel(capacity);
            let served = Notes::new();
            let arrivals = arrivals(3);
            for (who, arrival) in arrivals.iter().enumerate() {
                let reader = keen_reader(who, values.reader(), arrival.clone(), Some(served.clone()));
                let _ = spawn(backend.place(reader));
                arrival.until_blocked();
            }
            let writer = values.writer();
            if backend.has_cores() {
                // By the turn in which each was served last, the longest waiting first.
                let mut last: Vec<usize> = (0..arrivals.len()).collect();
                let mut times = [1; 3];
                for turn in 0..15_usize {
                    writer.write(turn).unwrap();
                    while served.entries().len() <= turn {
                        settle();
                    }
                    let who: usize = served.entries()[turn].parse().unwrap();
                    times[who] += 1;
                    arrivals[who].until_blocked_again(times[who]);
                    let alike = |other: &&usize| arrivals[**other].thread() == arrivals[who].thread();
                    assert_eq!(last.iter().find(alike), Some(&who), "at turn {turn}");
                    last.retain(|other| *other != who);
                    last.push(who);
                }
                continue;
            }
            for turn in 0..15_usize {
                let next = turn % arrivals.len();
                writer.write(turn).unwrap();
                arrivals[next].until_blocked_again(2 + (turn / arrivals.len()) as u64);
                assert_eq!(
                    served.entries().last(),
                    Some(&next.to_string()),
                    "at turn {turn}, capacity {capacity}"
                );
            }
        }
    }

    fn a_writer_served_goes_to_the_end_of_the_queue(backend, here: SEEN) {
        for capacity in CAPACITIES {
            let values = channel(capacity);
            let full = values.writer();
            for _ in 0..capacity {
                full.write(0).unwrap();
            }
            let arrivals = arrivals(3);
            for (who, arrival) in arrivals.iter().enumerate() {
                let _ =
                    spawn(backend.place(keen_writer(1 + who, values.writer(), arrival.clone())));
                arrival.until_blocked();
            }
            let reader = values.reader();
            for turn in 0..15_usize {
                // The value that is read was written `capacity` turns ago. Its slot goes to the
                // writer that waits longest.
                let written =
                    turn.checked_sub(capacity).map_or(0, |turn| 1 + turn % arrivals.len());
                assert_eq!(reader.read(), Ok(written), "at turn {turn}, capacity {capacity}");
                arrivals[turn % arrivals.len()]
                    .until_blocked_again(2 + (turn / arrivals.len()) as u64);
            }
        }
    }

    fn no_reader_is_served_twice_before_one_who_waits_longer(backend, here: SEEN) {
        const OTHERS: usize = 5;
        for capacity in CAPACITIES {
            for _ in 0..10 {
                let values = channel(capacity);
                for _ in 0..OTHERS {
                    let reader = keen_reader(0, values.reader(), Arrival::new(), None);
                    let _ = spawn(backend.place(reader));
                }
                let arrival = Arrival::new();
                let waiting = spawn(backend.place(read_once(values.reader(), arrival.clone())));
                arrival.until_blocked();
                // The others come and go at any time. At most all of them waited longer.
                let writer = values.writer();
                if backend.has_cores() {
                    // They may be on other schedulers. But it does not wait for ever.
                    for value in 0..3_000 {
                        writer.write(value).unwrap();
                    }
                    drop(writer);
                    drop(values);
                    assert!(waiting.join().is_ok());
                    continue;
                }
                for value in 0..4 * OTHERS {
                    writer.write(value).unwrap();
                }
                let turn = waiting.join().unwrap();
                assert!(turn <= OTHERS, "served at turn {turn}, after {OTHERS} others");
            }
        }
    }

    fn no_writer_is_served_twice_before_one_who_waits_longer(backend, here: SEEN) {
        const OTHERS: usize = 5;
        for capacity in CAPACITIES {
            for _ in 0..10 {
                let values = channel(capacity);
                let full = values.writer();
                for _ in 0..capacity {
                    full.write(0).unwrap();
                }
                for _ in 0..OTHERS {
                    let _ = spawn(backend.place(keen_writer(0, values.writer(), Arrival::new())));
                }
                let arrival = Arrival::new();
                let waiting = spawn(backend.place(write_once(1, values.writer(), arrival.clone())));
                arrival.until_blocked();
                let reader = values.reader();
                let turn = (0..4 * OTHERS + capacity).position(|_| reader.read() == Ok(1));
                let turn = turn.expect("the one who waits is served");
                assert!(
                    turn <= OTHERS + capacity,
                    "served at turn {turn}, after {OTHERS} others and {capacity} values"
                );
                waiting.join().unwrap();
            }
        }
    }
}
