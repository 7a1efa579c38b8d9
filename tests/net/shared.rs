//! A stream that two processes share, on one scheduler and on two.

use std::io::{Read, Write};
use std::sync::Arc;

use csp::{parallel, process, spawn};
use csp_tests::on_each_backend;

use super::{pair, unique, until_it_waits};

on_each_backend! {
    here: "no socket can be sent to another OS process";

    fn one_reads_and_another_writes(backend) {
        const SIZE: usize = 3 << 20;
        let (one, mut other) = pair();
        let reads = Arc::new(one);
        let writer = Arc::clone(&reads);
        let back = std::thread::spawn(move || {
            let mut copy = other.try_clone().unwrap();
            let sends = std::thread::spawn(move || copy.write_all(&vec![1; SIZE]).unwrap());
            let mut all = vec![0; SIZE];
            other.read_exact(&mut all).unwrap();
            sends.join().unwrap();
            all.iter().all(|byte| *byte == 2)
        });
        let (read, ()) = parallel!(
            backend.place(process(move || {
                let mut all = vec![0; SIZE];
                (&*reads).read_exact(&mut all).unwrap();
                all.iter().all(|byte| *byte == 1)
            })),
            backend.place(process(move || (&*writer).write_all(&vec![2; SIZE]).unwrap())),
        );
        assert!(read && back.join().unwrap());
    }

    fn it_is_dropped_by_one_when_the_other_has_waited(backend) {
        for round in 0..20 {
            let names = [unique("shares"), unique("shares")];
            let (one, mut other) = pair();
            let shared = Arc::new(one);
            let clones = [Arc::clone(&shared), shared];
            let waits: Vec<_> = clones.into_iter().enumerate().map(|(index, stream)| {
                spawn(backend.place(process(move || (&*stream).read(&mut [0]).unwrap()).named(names[index].clone())))
            }).collect();
            until_it_waits(&names[0]);
            until_it_waits(&names[1]);
            if round % 2 == 0 {
                other.write_all(b"xy").unwrap();
                assert_eq!(waits.into_iter().map(csp::Spawned::join).sum::<usize>(), 2);
            } else {
                drop(other);
                assert_eq!(waits.into_iter().map(csp::Spawned::join).sum::<usize>(), 0);
            }
        }
    }
}

/// Each of two threads schedules one holder of a stream. Both holders wait for it, and each drops it while the other may have
/// fetched an event of it. The number of its descriptor is used again at once, in either queue.
#[cfg(feature = "coroutines")]
#[test]
fn holders_on_two_schedulers_drop_it_at_any_moment() {
    use csp::net::TcpStream;
    use csp::{Backend, alt};
    use std::time::Duration;

    const ROUNDS: usize = 200;

    /// Waits for the stream in the queue of this thread, and then drops it.
    fn hold(stream: Arc<TcpStream>, byte: u8, writes: bool) -> bool {
        let holds = process(move || {
            // It is registered here, and its events come from now on.
            let ready = alt! {
                ready = stream.readable()           => { ready.unwrap(); true },
                after(Duration::from_micros(20))    => false,
            };
            if writes {
                (&*stream).write_all(&[byte]).unwrap();
                return true;
            }
            // More events come to the other than it waits for.
            let mut come = [0; 3];
            (&*stream).read_exact(&mut come).unwrap();
            let _ = ready;
            come == [byte; 3]
        });
        parallel!(holds.on(Backend::Coroutine)).0
    }

    csp_tests::watched("two schedulers", || {
        let (to_reader, for_reader) = std::sync::mpsc::channel::<(Arc<TcpStream>, u8)>();
        let (to_writer, for_writer) = std::sync::mpsc::channel::<(Arc<TcpStream>, u8)>();
        let holder = |for_it: std::sync::mpsc::Receiver<(Arc<TcpStream>, u8)>, writes| {
            std::thread::spawn(move || {
                for_it.iter().all(|(stream, byte)| hold(stream, byte, writes))
            })
        };
        let (reader, writer) = (holder(for_reader, false), holder(for_writer, true));
        for round in 0..ROUNDS {
            let byte = u8::try_from(round % 251).unwrap();
            let (one, other) = pair();
            let mut other = std::net::TcpStream::from(other);
            let one = Arc::new(one);
            to_reader.send((Arc::clone(&one), byte)).unwrap();
            to_writer.send((one, byte)).unwrap();
            for _ in 0..3 {
                other.write_all(&[byte]).unwrap();
                csp_tests::settle();
            }
            let mut come = Vec::new();
            // The end comes when the last of the two has dropped it.
            other.read_to_end(&mut come).unwrap();
            assert_eq!(come, [byte]);
        }
        drop((to_reader, to_writer));
        assert!(reader.join().unwrap() && writer.join().unwrap());
    });
}
