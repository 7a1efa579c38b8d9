//! Many processes on one channel. The example `many_readers` prints how time grows. Here
//! each process is served, in order.

use crate::processes::sink;
use csp::{Channel, Reader, Writer, parallel, spawn};
use csp_tests::{Notes, laws, multiprocess};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lets these laws take turns, because the whole program can have at most 30,000 stacks.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[multiprocess]
fn reads_one(input: Reader<usize>, arrived: Option<Notes>) -> csp::Result<usize> {
    if let Some(arrived) = arrived {
        arrived.push("reads");
    }
    input.read()
}

#[multiprocess]
fn writes_one(value: usize, output: Writer<usize>, arrived: Notes) -> csp::Result {
    arrived.push("writes");
    Ok(output.write(value)?)
}

#[multiprocess]
fn writes_all(count: usize, output: Writer<usize>) -> csp::Result {
    for value in 0..count {
        output.write(value)?;
    }
    Ok(())
}

laws! {
    fn a_hundred_thousand_readers_of_one_channel(backend) {
        let count = backend.many(100_000, 300);
        let values = Channel::new();
        let (read, written) = parallel!(
            count * backend.place(reads_one(values.reader(), None)),
            backend.place(writes_all(count, values.writer())),
        );
        assert_eq!(written, Ok(()));
        let mut read: Vec<usize> = read.into_iter().map(Result::unwrap).collect();
        read.sort_unstable();
        assert!(read.into_iter().eq(0..count));
    }

    fn a_hundred_thousand_writes_by_main(backend) {
        let count = backend.many(100_000, 300);
        let values = Channel::new();
        let readers = spawn(count * backend.place(reads_one(values.reader(), None)));
        let writer = values.writer();
        for value in 0..count {
            writer.write(value).unwrap();
        }
        let sum: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert_eq!(sum, count * (count - 1) / 2);
    }

    fn ten_thousand_blocked_readers_of_one_channel(backend) {
        let (_turn, count) = (alone(), backend.many(10_000, 300));
        let (values, arrived) = (Channel::new(), Notes::new());
        let readers = spawn(backend.replicas(count, reads_one(values.reader(), Some(arrived.clone()))));
        while arrived.entries().len() < count {
            csp_tests::settle();
        }
        let writer = values.writer();
        for value in 0..count {
            writer.write(value).unwrap();
        }
        let sum: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert_eq!(sum, count * (count - 1) / 2);
    }

    fn ten_thousand_blocked_writers_of_one_channel(backend) {
        let (_turn, count) = (alone(), backend.many(10_000, 300));
        for values in [Channel::new(), Channel::buffered(100)] {
            let arrived = Notes::new();
            let writes = |value| writes_one(value, values.writer(), arrived.clone());
            let writers: Vec<_> = (0..count).map(|value| backend.place(writes(value))).collect();
            let writers = spawn(writers);
            while arrived.entries().len() < count {
                csp_tests::settle();
            }
            let (read,) = parallel!(backend.place(sink(values.reader())));
            assert_eq!(read.len(), count);
            assert_eq!(read.iter().sum::<usize>(), count * (count - 1) / 2);
            for writer in writers {
                writer.join().unwrap();
            }
        }
    }

    fn ten_thousand_blocked_processes_end_at_once(backend) {
        let (_turn, count) = (alone(), backend.many(10_000, 300));
        for poisoned in [false, true] {
            let (values, arrived) = (Channel::<usize>::new(), Notes::new());
            let writer = values.writer();
            let readers =
                spawn(backend.replicas(count, reads_one(values.reader(), Some(arrived.clone()))));
            while arrived.entries().len() < count {
                csp_tests::settle();
            }
            if poisoned {
                writer.poison("at once")
            } else {
                writer.retire()
            }
            assert!(readers.into_iter().all(|reader| reader.join().is_err()));
        }
    }
}
