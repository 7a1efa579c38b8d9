//! crossbeam-channel's `tests/zero.rs`: the rendezvous channel.

use csp::{Channel, Reader, Termination, TryWriteError, Writer, alt};
use csp_tests::{Arrival, Ledger, on_each_backend};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn try_write<T>(output: &Writer<T>, value: T) -> csp::Result<bool> {
    taken(output.try_write(value))
}

fn write_within<T>(output: &Writer<T>, value: T, patience: Duration) -> csp::Result<bool> {
    taken(output.write_timeout(value, patience))
}

fn taken<T>(written: Result<(), TryWriteError<T>>) -> csp::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(TryWriteError::Full(_)) => Ok(false),
        Err(TryWriteError::Ended(error)) => Err(error.termination),
    }
}

const MOMENT: Duration = Duration::from_micros(200);
const HOUR: Duration = Duration::from_secs(3600);

on_each_backend! {
    here: "the ported tests are about threads of one OS process";
    fn smoke(backend) {
        backend
            .spawn(|| {
                let channel = Channel::new();
                let (input, output) = (channel.reader(), channel.writer());
                assert_eq!(try_write(&output, 7), Ok(false));
                assert_eq!(input.try_read(), Ok(None));
            })
            .join();
    }

    fn len_empty_full(_backend) {
        let channel = Channel::<u32>::new();
        let (input, output) = (channel.reader(), channel.writer());
        assert_eq!((input.len(), output.len(), channel.capacity()), (0, 0, 0));
        assert!(input.is_empty() && input.is_full() && output.is_empty() && output.is_full());
    }

    fn try_recv(backend) {
        let channel = Channel::new();
        let (input, output, arrival) = (channel.reader(), channel.writer(), Arrival::new());
        drop(channel);
        assert_eq!(input.try_read(), Ok(None));
        let writes = backend.spawn({
            let arrival = arrival.clone();
            move || {
                arrival.announce();
                output.write(7).is_ok()
            }
        });
        arrival.until_blocked();
        assert_eq!(input.try_read(), Ok(Some(7)));
        assert!(writes.join());
        assert_eq!(input.try_read(), Err(Termination::Retired));
    }

    fn try_send(backend) {
        let channel = Channel::new();
        let (input, output, arrival) = (channel.reader(), channel.writer(), Arrival::new());
        drop(channel);
        assert_eq!(try_write(&output, 7), Ok(false));
        let reads = backend.spawn({
            let arrival = arrival.clone();
            move || {
                arrival.announce();
                input.read()
            }
        });
        arrival.until_blocked();
        assert_eq!(try_write(&output, 8), Ok(true));
        assert_eq!(reads.join(), Ok(8));
        assert_eq!(try_write(&output, 9), Err(Termination::Retired));
    }

    fn recv_and_send(backend) {
        let channel = Channel::new();
        let (input, output) = (channel.reader(), channel.writer());
        drop(channel);
        let reads = backend.spawn(move || [(); 4].map(|()| input.read()));
        let writes = backend.spawn(move || [7, 8, 9].map(|value| output.write(value).is_ok()));
        assert_eq!(reads.join(), [Ok(7), Ok(8), Ok(9), Err(Termination::Retired)]);
        assert_eq!(writes.join(), [true; 3]);
    }

    fn recv_timeout(backend) {
        let channel = Channel::new();
        let (input, output) = (channel.reader(), channel.writer());
        drop(channel);
        let (go, gone) = (Channel::new(), Channel::<()>::new());
        let reads = backend.spawn({
            let (go, gone) = (go.writer(), gone.reader());
            move || {
                let first = input.read_timeout(MOMENT);
                go.write(()).unwrap();
                let second = input.read_timeout(HOUR);
                gone.read().unwrap_err();
                [first, second, input.read_timeout(HOUR)]
            }
        });
        let writes = backend.spawn({
            let (go, gone) = (go.reader(), gone.writer());
            move || {
                go.read().unwrap();
                let written = output.write(7).is_ok();
                drop(output);
                drop(gone);
                written
            }
        });
        drop((go, gone));
        assert_eq!(reads.join(), [Ok(None), Ok(Some(7)), Err(Termination::Retired)]);
        assert!(writes.join());
    }

    fn send_timeout(backend) {
        let channel = Channel::new();
        let (input, output) = (channel.reader(), channel.writer());
        drop(channel);
        let go = Channel::new();
        let writes = backend.spawn({
            let go = go.writer();
            move || {
                let first = write_within(&output, 7, MOMENT);
                go.write(()).unwrap();
                let second = write_within(&output, 8, HOUR);
                // The reader will end soon, so an hour is enough.
                [first, second, write_within(&output, 9, HOUR)]
            }
        });
        let reads = backend.spawn({
            let go = go.reader();
            move || {
                go.read().unwrap();
                input.read()
            }
        });
        assert_eq!(writes.join(), [Ok(false), Ok(true), Err(Termination::Retired)]);
        assert_eq!(reads.join(), Ok(8));
    }

    fn disconnect_wakes_sender_and_receiver(backend) {
        let channels = [Channel::<u8>::new(), Channel::new()];
        let (input, output) = (channels[0].reader(), channels[1].writer());
        let arrivals = [Arrival::new(), Arrival::new()];
        let reads = backend.spawn({
            let arrival = arrivals[0].clone();
            move || {
                arrival.announce();
                input.read()
            }
        });
        let writes = backend.spawn({
            let arrival = arrivals[1].clone();
            move || {
                arrival.announce();
                output.write(5)
            }
        });
        arrivals.iter().for_each(Arrival::until_blocked);
        drop((channels[0].writer(), channels[1].reader()));
        assert_eq!(reads.join(), Err(Termination::Retired));
        assert_eq!(writes.join().unwrap_err().into_inner(), 5);
    }

    fn spsc(backend) {
        const COUNT: usize = 3_000;
        let channel = Channel::new();
        let (input, output) = (channel.reader(), channel.writer());
        drop(channel);
        let reads = backend.spawn(move || input.iter().eq(0..COUNT) && input.read().is_err());
        let writes = backend.spawn(move || (0..COUNT).all(|n| output.write(n).is_ok()));
        assert!(reads.join() && writes.join());
    }

    fn mpmc(backend) {
        const COUNT: usize = 500;
        let channel = Channel::new();
        let seen: Arc<Vec<_>> = Arc::new((0..COUNT).map(|_| AtomicUsize::new(0)).collect());
        let reads: Vec<_> = (0..4)
            .map(|_| {
                let (input, seen) = (channel.reader(), Arc::clone(&seen));
                backend.spawn(move || {
                    for _ in 0..COUNT {
                        let n: usize = input.read().unwrap();
                        seen[n].fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let writes: Vec<_> = (0..4)
            .map(|_| {
                let output = channel.writer();
                backend.spawn(move || (0..COUNT).for_each(|n| output.write(n).unwrap()))
            })
            .collect();
        reads.into_iter().chain(writes).for_each(csp::Spawned::join);
        assert!(seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 4));
    }

    fn stress_oneshot(backend) {
        for n in 0..backend.many(3_000, 200) {
            let channel = Channel::new();
            let (input, output) = (channel.reader(), channel.writer());
            let reads = backend.spawn(move || input.read());
            let writes = backend.spawn(move || output.write(n).is_ok());
            assert!(writes.join());
            assert_eq!(reads.join(), Ok(n));
        }
    }

    fn stress_iter(backend) {
        const COUNT: usize = 300;
        let (requests, responses) = (Channel::new(), Channel::new());
        let asks = backend.spawn({
            let (request, response) = (requests.writer(), responses.reader());
            move || {
                let mut count = 0;
                loop {
                    while let Some(more) = response.try_read().unwrap() {
                        count += more;
                        if count == COUNT {
                            return;
                        }
                    }
                    let _ = try_write(&request, ());
                }
            }
        });
        let (request, response) = (requests.reader(), responses.writer());
        drop((requests, responses));
        for () in &request {
            if response.write(1).is_err() {
                break;
            }
        }
        asks.join();
    }

    fn stress_timeout_two_threads(backend) {
        const COUNT: usize = 200;
        let channel = Channel::new();
        let (input, output) = (channel.reader(), channel.writer());
        let writes = backend.spawn(move || {
            for n in 0..COUNT {
                if n % 2 == 0 {
                    csp::sleep(Duration::from_micros(50));
                }
                while !write_within(&output, n, Duration::from_micros(20)).unwrap() {}
            }
        });
        let reads = backend.spawn(move || {
            for n in 0..COUNT {
                if n % 3 == 0 {
                    csp::sleep(Duration::from_micros(50));
                }
                let read = loop {
                    if let Some(read) = input.read_timeout(Duration::from_micros(20)).unwrap() {
                        break read;
                    }
                };
                assert_eq!(read, n);
            }
        });
        writes.join();
        reads.join();
    }

    fn drops(backend) {
        for steps in [0, 1, 17, 400] {
            let ledger = Ledger::new(steps);
            let channel = Channel::new();
            let (input, output) = (channel.reader(), channel.writer());
            let reads = backend.spawn(move || (0..steps).for_each(|_| drop(input.read().unwrap())));
            let writes = backend.spawn({
                let ledger = ledger.clone();
                move || (0..steps).for_each(|id| output.write(ledger.token(id)).unwrap())
            });
            reads.join();
            writes.join();
            drop(channel);
            ledger.balance();
        }
    }

    fn fairness(backend) {
        const COUNT: usize = 2_000;
        let channels = [Channel::new(), Channel::new()];
        let reads = backend.spawn({
            let [a, b] = channels.each_ref().map(Channel::reader);
            move || {
                let mut hits = [0; 2];
                for _ in 0..COUNT {
                    hits[alt! { a.read() => 0, b.read() => 1 }.unwrap()] += 1;
                }
                hits
            }
        });
        let writes = backend.spawn({
            let [a, b] = channels.each_ref().map(Channel::writer);
            move || {
                let mut hits = [0; 2];
                for _ in 0..COUNT {
                    hits[alt! { a.write(()) => 0, b.write(()) => 1 }.unwrap()] += 1;
                }
                hits
            }
        });
        let (read, written) = (reads.join(), writes.join());
        assert_eq!(read, written);
        // The shares need not be equal, because on two threads one may begin to offer while the other looks.
        assert!(read.iter().all(|&hits| hits >= COUNT / 2 / 50), "{read:?}");
    }

    fn fairness_duplicates(backend) {
        const COUNT: usize = 2_000;
        let channel = Channel::new();
        let reads = backend.spawn({
            let r = channel.reader();
            move || {
                let mut hits = [0; 5];
                for _ in 0..COUNT {
                    let hit = alt! {
                        r.read() => 0,
                        r.read() => 1,
                        r.read() => 2,
                        r.read() => 3,
                        r.read() => 4,
                    };
                    hits[hit.unwrap()] += 1;
                }
                hits
            }
        });
        let writes = backend.spawn({
            let w = channel.writer();
            move || {
                let mut hits = [0; 5];
                for _ in 0..COUNT {
                    let hit = alt! {
                        w.write(()) => 0,
                        w.write(()) => 1,
                        w.write(()) => 2,
                        w.write(()) => 3,
                        w.write(()) => 4,
                    };
                    hits[hit.unwrap()] += 1;
                }
                hits
            }
        });
        for hits in [reads.join(), writes.join()] {
            assert_eq!(hits.iter().sum::<usize>(), COUNT);
            assert!(hits.iter().all(|hits| *hits >= COUNT / 10), "{hits:?}");
        }
    }

    fn recv_in_send(backend) {
        let channel = Channel::new();
        let (read_first, read_last, written) = (Arrival::new(), channel.reader(), channel.writer());
        let waits = backend.spawn({
            let (input, arrival) = (channel.reader(), read_first.clone());
            move || {
                arrival.announce();
                input.read()
            }
        });
        read_first.until_blocked();
        let writes = backend.spawn(move || (written.write(1).is_ok(), written.write(2).is_ok()));
        let chooses = backend.spawn({
            let (input, output) = (read_last, channel.writer());
            move || alt! { output.write(10 * input.read().unwrap()) => {} }
        });
        // The value is read on the same channel before the choice begins.
        assert_eq!(waits.join(), Ok(1));
        assert_eq!(writes.join(), (true, true));
        assert_eq!(channel.reader().read(), Ok(20));
        assert_eq!(chooses.join(), Ok(()));
    }

    fn channel_through_channel(backend) {
        const COUNT: usize = 300;
        type Anything = Box<dyn Any + Send>;
        let first = Channel::<Anything>::new();
        let (mut output, mut input) = (first.writer(), first.reader());
        drop(first);
        let writes = backend.spawn(move || {
            for _ in 0..COUNT {
                let next = Channel::<Anything>::new();
                output.write(Box::new(next.reader())).unwrap();
                output = next.writer();
            }
        });
        let reads = backend.spawn(move || {
            for _ in 0..COUNT {
                input = *input.read().unwrap().downcast::<Reader<Anything>>().unwrap();
            }
        });
        writes.join();
        reads.join();
    }
}
