//! No process is forgotten. A process that can go on does so, even if the others are busy, and on any
//! backend.

use crate::processes::{hold, read_once, relay, sink, source};
use csp::{Channel, Reader, Writer, parallel, spawn};
use csp_tests::{Arrival, Placement, laws, process};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

type Flag = Arc<AtomicBool>;

/// Plays until the flag is up. One of the two players can always go on.
#[process]
fn serves(output: Writer<u32>, input: Reader<u32>, stop: Flag) -> csp::Result<u32> {
    let mut rally = 0;
    while !stop.load(Ordering::SeqCst) {
        output.write(rally)?;
        rally = input.read()? + 1;
    }
    Ok(rally)
}

#[process]
fn raises(flag: Flag, go: Option<Reader<()>>) {
    if let Some(go) = go {
        go.read().expect("a signal");
    }
    flag.store(true, Ordering::SeqCst);
}

/// Starts a busy pair.
fn rally(backend: &Placement, stop: &Flag) -> [csp::Spawned<csp::Result<u32>>; 1] {
    let (there, back) = (Channel::new(), Channel::new());
    drop(spawn(backend.place(relay(there.reader(), back.writer()))));
    [spawn(backend.place(serves(there.writer(), back.reader(), stop.clone())))]
}

#[process]
fn a_world_of_its_own(input: Reader<u32>, output: Writer<u32>, backend: Placement) -> csp::Result {
    let middle = Channel::new();
    let (first, second) = parallel!(
        backend.place(relay(input, middle.writer())),
        backend.place(relay(middle.reader(), output)),
    );
    first.and(second)
}

#[process]
fn deep(levels: usize) -> usize {
    fn descend(levels: usize) -> usize {
        let frame = std::hint::black_box([1_u8; 1024]);
        if levels == 0 { 0 } else { descend(levels - 1) + frame[levels % 1024] as usize }
    }
    descend(levels)
}

#[process(stack = "1 MiB")]
fn deep_by_attribute(levels: usize) -> usize {
    parallel!(deep(1)).0 + parallel!(deep(levels).stack(1 << 20)).0
}

laws! {
    here: "it is about the scheduler of a thread";

    fn a_process_starts_although_others_are_always_ready(backend) {
        let stop = Flag::default();
        let pairs: Vec<_> = (0..2).flat_map(|_| rally(backend, &stop)).collect();
        csp_tests::settle();
        let raiser = spawn(backend.place(raises(stop.clone(), None)));
        raiser.join();
        for pair in pairs {
            pair.join().unwrap();
        }
    }

    fn a_signal_from_another_thread_is_heard_among_busy_processes(backend) {
        let (stop, go) = (Flag::default(), Channel::new());
        let pairs: Vec<_> = (0..2).flat_map(|_| rally(backend, &stop)).collect();
        let raiser = spawn(backend.place(raises(stop.clone(), Some(go.reader()))));
        let signal = go.writer();
        let thread = std::thread::spawn(move || signal.write(()).is_ok());
        for pair in pairs {
            pair.join().unwrap();
        }
        raiser.join();
        assert!(thread.join().unwrap());
    }

    fn main_has_its_turn_among_busy_processes(backend) {
        let (stop, values) = (Flag::default(), Channel::new());
        let pairs: Vec<_> = (0..2).flat_map(|_| rally(backend, &stop)).collect();
        let source = spawn(backend.place(source((0..50).collect(), values.writer())));
        assert_eq!(values.reader().iter().sum::<u32>(), 49 * 50 / 2);
        stop.store(true, Ordering::SeqCst);
        for pair in pairs {
            pair.join().unwrap();
        }
        assert_eq!(source.join(), Ok(()));
    }

    fn main_is_heard_by_another_thread_while_its_own_processes_are_busy(backend) {
        let (stop, there, back) = (Flag::default(), Channel::new(), Channel::new());
        let pairs: Vec<_> = (0..2).flat_map(|_| rally(backend, &stop)).collect();
        let (reader, writer) = (there.reader(), back.writer());
        let echo = std::thread::spawn(move || {
            while let Ok(value) = reader.read() {
                writer.write(value).unwrap()
            }
        });
        let (writer, reader) = (there.writer(), back.reader());
        for number in 0..50 {
            writer.write(number).unwrap();
            assert_eq!(reader.read(), Ok(number));
        }
        stop.store(true, Ordering::SeqCst);
        for pair in pairs {
            pair.join().unwrap();
        }
        writer.retire();
        echo.join().unwrap();
    }

    fn many_wait_at_once(backend) {
        let go = Channel::<()>::new();
        let release = go.writer();
        let holders = spawn(backend.replicas(backend.many(3_000, 300), hold(0, go.reader())));
        csp_tests::settle();
        release.retire();
        for holder in holders {
            holder.join();
        }
    }

    fn a_long_pipeline(backend) {
        let links = backend.many(2_000, 100) * Channel::new();
        let relays: Vec<_> = links
            .windows(2)
            .map(|pair| backend.place(relay(pair[0].reader(), pair[1].writer())))
            .collect();
        let (_, _, read) = parallel!(
            backend.place(source((0..20).collect(), links[0].writer())),
            relays,
            backend.place(sink(links.last().expect("a link").reader())),
        );
        assert_eq!(read, (0..20).collect::<Vec<u32>>());
    }

    fn a_stack_is_as_large_as_asked(backend) {
        let (deep, attribute) = parallel!(
            backend.place(deep(200).stack(1 << 20)),
            backend.place(deep_by_attribute(200)),
        );
        assert_eq!((deep, attribute), (200, 201));
    }

    fn stacks_are_used_again(backend) {
        // There are more processes than stacks can be mapped at once. They run a few at a time, with stacks of two sizes.
        let count = backend.many(40, 4);
        for round in 0..count {
            let size = if round % 2 == 0 { 64 << 10 } else { 128 << 10 };
            let processes = backend.replicas(backend.many(1_000, 50), deep(1).stack(size));
            let (sums,) = parallel!(processes);
            assert_eq!(sums.into_iter().sum::<usize>(), backend.many(1_000, 50));
        }
    }

    fn worlds_on_several_threads_meet(backend) {
        // Each world has the coroutines of its own thread. The values pass through all of them.
        let count = 4;
        let links = (count + 1) * Channel::new();
        let worlds: Vec<_> = links
            .windows(2)
            .map(|pair| a_world_of_its_own(pair[0].reader(), pair[1].writer(), backend.clone()))
            .map(|world| if backend.has_threads() { world.on(csp::Backend::Thread) } else { world })
            .collect();
        let (_, _, read) = parallel!(
            backend.place(source((0..200).collect(), links[0].writer())),
            worlds,
            backend.place(sink(links[count].reader())),
        );
        assert_eq!(read, (0..200).collect::<Vec<u32>>());
    }

    fn worlds_of_plain_threads_share_one_channel(backend) {
        let (values, read) = (Channel::new(), Arc::new(AtomicUsize::new(0)));
        let reader = values.reader();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (backend, reader, read) = (backend.clone(), reader.clone(), read.clone());
                std::thread::spawn(move || {
                    let (sums,) = parallel!(backend.replicas(5, sink(reader)));
                    read.fetch_add(sums.iter().map(Vec::len).sum(), Ordering::SeqCst);
                })
            })
            .collect();
        drop(reader);
        let (ends,) =
            parallel!(backend.replicas(4, source((0..250_u32).collect(), values.writer())));
        assert_eq!(ends, vec![Ok(()); 4]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(read.load(Ordering::SeqCst), 1_000);
    }

    fn a_thread_wakes_what_waits_on_another(backend) {
        // Nothing else keeps the waiting threads awake, so a lost wake-up would be a hang.
        for _ in 0..200 {
            let (there, back) = (Channel::new(), Channel::new());
            let (reader, writer) = (there.reader(), back.writer());
            let process = spawn(backend.place(read_once(back.reader(), Arrival::new())));
            let thread = std::thread::spawn(move || writer.write(reader.read().unwrap()).is_ok());
            there.writer().write(1).unwrap();
            assert_eq!(process.join(), Ok(1));
            assert!(thread.join().unwrap());
        }
    }
}
