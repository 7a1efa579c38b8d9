//! `csp::io::Call`: a call as a guard, and its fate if it is not chosen.

use csp::io::Call;
use csp::{
    Alternation, Channel, Reader, Termination, Writer, alt, parallel, pri_alt, process,
    try_parallel,
};
use csp_tests::{on_each_backend, run};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Makes a call that returns the values it is sent, and a count of how often it was begun.
fn receiving() -> (mpsc::Sender<u32>, Call<u32>, Arc<AtomicU32>) {
    let (sender, receiver) = mpsc::channel();
    let begun = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&begun);
    let call = Call::new(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        receiver.recv().expect("the test has the sender")
    });
    (sender, call, begun)
}

#[process]
fn source(out: Writer<u32>, n: u32) -> csp::Result {
    (0..n).try_for_each(|n| Ok(out.write(n)?))
}

/// Reads all values of a channel, and the same number of results of a call.
#[process]
fn gathers(
    input: Reader<u32>,
    call: Call<u32>,
    results: usize,
) -> csp::Result<(Vec<u32>, Vec<u32>)> {
    let (mut read, mut called) = (Vec::new(), Vec::new());
    let mut open = true;
    while open || called.len() < results {
        alt! {
            if called.len() < results, n = io(call) => called.push(n),
            if open, n = input.read()               => read.push(n),
            if open, retired(input)                 => open = false,
        }?;
    }
    Ok((read, called))
}

on_each_backend! {
    here: "a blocking call is waited for in the OS process that begins it";
    fn a_call_and_a_channel_are_waited_for_at_once(backend) {
        let (sender, call, begun) = receiving();
        let values = Channel::new();
        for n in 0..50 {
            sender.send(n).unwrap();
        }
        let (_, both) = parallel!(
            backend.place(source(values.writer(), 50)),
            backend.place(gathers(values.reader(), call, 50)),
        );
        let expected: Vec<_> = (0..50).collect();
        assert_eq!(both, Ok((expected.clone(), expected)));
        assert_eq!(begun.load(Ordering::SeqCst), 50, "none was made in vain");
    }

    fn a_call_that_is_not_chosen_is_found_by_the_next_alternation(backend) {
        let (sender, call, begun) = receiving();
        let values = Channel::buffered(3);
        let (writer, reader) = (values.writer(), values.reader());
        for n in 0..3 {
            writer.write(n).unwrap();
        }
        let process = backend.place(run(move || {
            let mut read = Vec::new();
            for _ in 0..3 {
                alt! {
                    n = io(call)       => panic!("nothing was sent, and yet came {n}"),
                    n = reader.read()  => read.push(n),
                }
                .unwrap();
            }
            assert_eq!(read, [0, 1, 2]);
            assert!(call.is_begun());
            sender.send(99).unwrap();
            // This is another alternation, at another place.
            let found = alt! { n = io(call) => n, _ = reader.read() => 0 };
            assert_eq!(found, Ok(99));
            assert!(!call.is_begun());
        }));
        parallel!(process);
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        drop(writer);
    }

    fn a_result_that_nobody_has_taken_waits(backend) {
        let (sender, call, _) = receiving();
        let process = backend.place(run(move || {
            let begun = pri_alt! { n = io(call) => Some(n), skip => None };
            assert_eq!(begun, Ok(None));
            sender.send(5).unwrap();
            let polled = loop {
                let polled = pri_alt! { n = io(call) => Some(n), skip => None };
                if let Some(n) = polled.unwrap() {
                    break n;
                }
            };
            assert_eq!(polled, 5);
            sender.send(6).unwrap();
            call.next()
        }));
        assert_eq!(parallel!(process).0, Some(6));
    }

    fn a_guard_whose_condition_is_false_begins_nothing(backend) {
        let (_sender, call, begun) = receiving();
        let process = backend.place(run(move || {
            alt! {
                if false, n = io(call)            => panic!("{n}"),
                after(Duration::from_millis(5))   => (),
            }
            .unwrap();
            assert_eq!(call.finish(), None);
        }));
        parallel!(process);
        assert_eq!(begun.load(Ordering::SeqCst), 0);
    }

    fn a_timeout_leaves_a_call_under_way(backend) {
        let (sender, call, begun) = receiving();
        let process = backend.place(run(move || {
            let late = alt! { n = io(call) => n, after(Duration::from_millis(5)) => 0 };
            assert_eq!(late, Ok(0));
            sender.send(8).unwrap();
            call.finish()
        }));
        assert_eq!(parallel!(process).0, Some(8));
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    }

    fn an_alternation_with_a_call_does_not_retire(backend) {
        let (sender, call, _) = receiving();
        let values = Channel::<u32>::new();
        let reader = values.reader();
        drop(values);
        let process = backend.place(run(move || {
            alt! { n = io(call) => n, n = reader.read() => n }
        }));
        let sends = backend.place(run(move || {
            csp::sleep(Duration::from_millis(5));
            sender.send(4).unwrap();
            sender
        }));
        assert_eq!(parallel!(process, sends).0, Ok(4));
    }

    fn poison_ends_an_alternation_with_a_call(backend) {
        let (sender, call, _) = receiving();
        let values = Channel::<u32>::new();
        let (writer, reader) = (values.writer(), values.reader());
        let process = backend.place(run(move || {
            let ended = alt! { n = io(call) => n, n = reader.read() => n };
            assert!(matches!(ended, Err(Termination::Poisoned(_))), "{ended:?}");
            // The call is not lost with the choice.
            sender.send(3).unwrap();
            call.finish()
        }));
        let poisons = backend.place(run(move || {
            csp::sleep(Duration::from_millis(5));
            writer.poison("enough");
        }));
        assert_eq!(parallel!(process, poisons).0, Some(3));
    }

    fn the_panic_of_a_call_goes_on_where_its_result_is_taken(backend) {
        let call: Call<()> = Call::new(|| panic!("the plug was pulled"));
        let process = backend.place(run(move || {
            let _ = alt! { io(call) => (), after(Duration::from_secs(1000)) => () };
        }));
        let failure = try_parallel!(process).unwrap_err();
        assert_eq!(failure.message(), "the plug was pulled");
        assert!(failure.process().ends_with("/run"), "{failure:#}");
    }

    fn a_call_that_is_dropped_is_not_waited_for(backend) {
        let (sender, call, begun) = receiving();
        let process = backend.place(run(move || {
            let begun = pri_alt! { n = io(call) => Some(n), skip => None };
            assert_eq!(begun, Ok(None));
            drop(call);
        }));
        parallel!(process);
        while begun.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        sender.send(1).unwrap();
    }

    fn what_comes_too_late_is_dropped(backend) {
        struct Falls(mpsc::Sender<()>);
        impl Drop for Falls {
            fn drop(&mut self) {
                self.0.send(()).unwrap();
            }
        }
        let ((go, waits), (fell, falls)) = (mpsc::channel::<()>(), mpsc::channel());
        let call = Call::new(move || {
            let _ = waits.recv();
            Falls(fell.clone())
        });
        let process = backend.place(run(move || {
            let begun = pri_alt! { _ = io(call) => true, skip => false };
            assert_eq!(begun, Ok(false));
        }));
        parallel!(process);
        drop(go);
        falls.recv().unwrap();
    }

    fn an_alternation_of_run_time_takes_calls(backend) {
        let (sender, call, _) = receiving();
        let (other_sender, other, _) = receiving();
        let process = backend.place(run(move || {
            let mut choice = Alternation::new();
            choice.io(&call, |n| n);
            let second = choice.io(other, |n| 10 * n);
            sender.send(1).unwrap();
            assert_eq!(choice.choose(), Ok(1));
            other_sender.send(2).unwrap();
            assert_eq!(choice.choose(), Ok(20));
            choice.set_enabled(second, false);
            sender.send(3).unwrap();
            assert_eq!((choice.choose(), choice.chosen()), (Ok(3), Some(0)));
        }));
        parallel!(process);
    }

    fn who_waits_for_a_call_that_is_a_guard_is_in_no_deadlock(backend) {
        let call = Call::new(|| std::thread::sleep(Duration::from_millis(700)));
        let (never, ends) = (Channel::<()>::new(), Channel::<()>::new());
        // Without the call, each process would hold the end that the other waits for.
        let (writer, reader, end) = (never.writer(), never.reader(), ends.writer());
        let waits = backend.place(run(move || {
            let woken = alt! { io(call) => (), reader.read() => () };
            drop(end);
            woken
        }));
        let reader = ends.reader();
        let holds = backend.place(run(move || {
            let retired = reader.read();
            drop(writer);
            retired
        }));
        drop((never, ends));
        assert_eq!(parallel!(waits, holds), (Ok(()), Err(Termination::Retired)));
    }
}
