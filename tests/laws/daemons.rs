//! Daemons whose thread ends: no process communicates with them any more, and no value is lost.

use csp::{Channel, Process, Reader, Termination, Writer, alt, pri_alt, process, spawn};
use csp_tests::watched;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[process(daemon)]
fn reads(input: Reader<u32>) -> csp::Result {
    loop {
        input.read()?;
    }
}

#[process(daemon)]
fn begins(input: Reader<u32>) -> csp::Result {
    loop {
        drop(input.begin()?);
    }
}

#[process(daemon)]
fn chooses(input: Reader<u32>, other: Reader<u32>) -> csp::Result {
    loop {
        alt! {
            value = input.read() => value,
            value = other.read() => value,
            after(Duration::from_secs(3600)) => 0,
        }?;
    }
}

#[process(daemon)]
fn writes(output: Writer<u32>) -> csp::Result {
    (0..).try_for_each(|value| Ok(output.write(value)?))
}

/// Ignores errors and goes on.
#[process(daemon)]
fn goes_on(input: Reader<u32>) {
    loop {
        let _ = input.read();
    }
}

#[process(daemon)]
fn sleeps(woken: &'static AtomicBool, held: Reader<u32>) {
    csp::sleep(Duration::from_secs(3600));
    woken.store(true, Ordering::SeqCst);
    drop(held);
}

#[process(daemon)]
async fn reads_async(input: Reader<u32>) -> csp::Result {
    loop {
        input.read_async().await?;
    }
}

#[process(daemon)]
async fn chooses_async(input: Reader<u32>, other: Reader<u32>) -> csp::Result {
    loop {
        alt! {
            value = input.read_async().await => value,
            value = other.read_async().await => value,
        }?;
    }
}

/// Runs a daemon on a thread that ends while the daemon waits.
fn leave<A: Send + 'static>(daemon: Process<A, impl Send + 'static>) {
    let ends = thread::spawn(|| {
        drop(spawn(daemon));
        // It begins, and waits.
        csp::sleep(Duration::from_millis(1));
    });
    ends.join().expect("the thread ends");
}

fn nobody_reads(values: Channel<u32>, daemon: Process<impl Send + 'static, impl Send + 'static>) {
    let writer = values.writer();
    drop(values);
    leave(daemon);
    let refused = writer.write(7).expect_err("nobody reads");
    assert_eq!(refused.termination, Termination::Retired);
    assert_eq!(refused.into_inner(), 7);
}

#[test]
fn a_value_goes_back_to_its_writer_when_its_reader_was_a_daemon_whose_thread_has_ended() {
    watched("a value goes back to its writer", || {
        for _ in 0..50 {
            let (values, other) = (Channel::new(), Channel::new());
            let reader = values.reader();
            nobody_reads(values, reads(reader));
            let values = Channel::new();
            let reader = values.reader();
            nobody_reads(values, begins(reader));
            let values = Channel::new();
            let reader = values.reader();
            let _held = other.writer();
            nobody_reads(values, chooses(reader, other.reader()));
            let values = Channel::new();
            let reader = values.reader();
            nobody_reads(values, reads_async(reader));
            let values = Channel::new();
            let reader = values.reader();
            nobody_reads(values, chooses_async(reader, other.reader()));
        }
    });
}

#[test]
fn a_value_goes_to_a_living_reader_and_not_to_a_daemon_whose_thread_has_ended() {
    watched("a value goes to a living reader", || {
        let values = Channel::new();
        let (writer, reader) = (values.writer(), values.reader());
        leave(reads(values.reader()));
        leave(reads_async(values.reader()));
        leave(goes_on(values.reader()));
        let living = thread::spawn(move || reader.read());
        assert!(writer.write(7).is_ok());
        assert_eq!(living.join().expect("it ends well"), Ok(7));
    });
}

#[test]
fn a_daemon_whose_thread_has_ended_writes_no_more() {
    watched("a daemon writes no more", || {
        let values = Channel::new();
        let reader = values.reader();
        leave(writes(values.writer()));
        drop(values);
        assert_eq!(reader.read(), Err(Termination::Retired));
    });
}

#[test]
fn a_daemon_that_minds_no_error_is_left_without_an_operation() {
    watched("a daemon that minds no error", || {
        let values = Channel::new();
        let writer = values.writer();
        leave(goes_on(values.reader()));
        let refused = pri_alt! {
            writer.write(7) => true,
            skip => false,
        };
        assert_eq!(refused, Ok(false));
    });
}

#[test]
fn a_daemon_that_sleeps_is_not_woken_by_the_end_of_its_thread() {
    static WOKEN: AtomicBool = AtomicBool::new(false);
    watched("a daemon that sleeps", || {
        let values = Channel::new();
        leave(sleeps(&WOKEN, values.reader()));
        assert!(!WOKEN.load(Ordering::SeqCst));
    });
}

#[test]
fn whoever_joins_a_daemon_hears_of_its_end_with_its_thread() {
    watched("a daemon is joined", || {
        let values = Channel::<u32>::new();
        let _writer = values.writer();
        let (reader, other) = (values.reader(), values.reader());
        let ends = thread::spawn(|| {
            let (begun, unbegun) = (spawn(reads(reader)), spawn(reads(other)));
            (begun, unbegun)
        });
        let (one, other) = ends.join().expect("the thread ends");
        // Neither process has begun, because the thread did not wait.
        assert!(one.try_join().is_err() && other.try_join().is_err());
    });
}
