//! Ends are counted, also inside other values. Each replica's ends are its own. A side that never
//! had an end counts as gone once no process can make one.

use crate::processes::{read_once, sink, write_once};
use csp::{Channel, Reader, Termination, Writer, parallel, spawn};
use csp_tests::{Arrival, Placement, Wire, laws, multiprocess, process};
#[cfg(feature = "subprocess")]
use serde::{Deserialize, Serialize};

/// Keeps ends in fields, like a process of a real program.
#[derive(Clone)]
#[cfg_attr(feature = "subprocess", derive(Serialize, Deserialize))]
struct Ports {
    output: Writer<usize>,
    spare: Option<Writer<usize>>,
}

#[derive(Clone)]
#[cfg_attr(feature = "subprocess", derive(Serialize, Deserialize))]
struct Deep {
    ports: Vec<(Option<Ports>, u8)>,
}

/// A value with a writing end in it.
trait Puts: Clone + Wire {
    fn output(&self, value: usize) -> &Writer<usize>;
}

impl Puts for Writer<usize> {
    fn output(&self, _: usize) -> &Writer<usize> {
        self
    }
}

impl Puts for Ports {
    fn output(&self, _: usize) -> &Writer<usize> {
        self.spare.as_ref().unwrap_or(&self.output)
    }
}

impl Puts for (u8, Writer<usize>) {
    fn output(&self, _: usize) -> &Writer<usize> {
        &self.1
    }
}

impl Puts for Vec<Writer<usize>> {
    fn output(&self, value: usize) -> &Writer<usize> {
        &self[value - 1]
    }
}

impl Puts for Option<Writer<usize>> {
    fn output(&self, _: usize) -> &Writer<usize> {
        self.as_ref().expect("an end")
    }
}

impl Puts for Deep {
    fn output(&self, _: usize) -> &Writer<usize> {
        &self.ports[1].0.as_ref().expect("ports").output
    }
}

/// A value with a reading end in it.
trait Takes: Clone + Wire {
    fn input(&self) -> &Reader<usize>;
}

impl Takes for Reader<usize> {
    fn input(&self) -> &Reader<usize> {
        self
    }
}

impl Takes for (Reader<usize>, u8) {
    fn input(&self) -> &Reader<usize> {
        &self.0
    }
}

impl Takes for Vec<Reader<usize>> {
    fn input(&self) -> &Reader<usize> {
        &self[0]
    }
}

impl Takes for Option<Reader<usize>> {
    fn input(&self) -> &Reader<usize> {
        self.as_ref().expect("an end")
    }
}

#[multiprocess]
fn writes_two<T: Puts>(ends: T) {
    for value in [1, 2] {
        ends.output(value).write(value).expect("a reader is left");
    }
}

#[multiprocess]
fn reads_some<T: Takes>(ends: T, count: usize) -> Vec<usize> {
    let mut all = Vec::new();
    while all.len() < count {
        match ends.input().read() {
            Ok(value) => all.push(value),
            Err(_) => break,
        }
    }
    all
}

/// Holds a value that can't leave its OS process, until it is told to go.
#[process]
fn hold_here<T: Send + 'static>(_held: T, go: Reader<()>) {
    let _ = go.read();
}

/// Lets three replicas write through ends kept in `ends`. The channel ends with the last of them, not
/// the first.
fn counts_writers<T: Puts>(backend: &Placement, ends: fn(&Channel<usize>) -> T) {
    let values = Channel::new();
    let writers = backend.replicas(3, writes_two(ends(&values)));
    let (_, mut read) = parallel!(writers, backend.place(sink(values.reader())));
    read.sort_unstable();
    assert_eq!(read, [1, 1, 1, 2, 2, 2]);

    let values = Channel::new();
    let process = backend.place(writes_two(ends(&values)));
    let (_, read) = parallel!(3 * process, backend.place(sink(values.reader())));
    assert_eq!(read.len(), 6);
}

/// Does the same for readers. The first two read one value each and return. The channel lives until the
/// third has returned.
fn counts_readers<T: Takes>(backend: &Placement, ends: fn(&Channel<usize>) -> T) {
    let values = Channel::new();
    let readers = backend.replicas(3, reads_some(ends(&values), 2));
    let writer = values.writer();
    let readers = spawn(readers);
    for value in 0..6 {
        writer.write(value).expect("a reader is left");
    }
    assert_eq!(writer.write(6).unwrap_err().termination, Termination::Retired);
    let mut all: Vec<_> = readers.into_iter().flat_map(|reader| reader.join()).collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 5]);
}

laws! {
    fn each_replica_has_its_own_end(backend) {
        counts_writers(backend, Channel::writer);
        counts_readers(backend, Channel::reader);
    }

    fn each_replica_has_its_own_ends_in_a_field(backend) {
        counts_writers(backend, |values| Ports { output: values.writer(), spare: None });
        counts_writers(backend, |values| Ports {
            output: values.writer(),
            spare: Some(values.writer()),
        });
    }

    fn each_replica_has_its_own_ends_in_a_tuple(backend) {
        counts_writers(backend, |values| (0_u8, values.writer()));
        counts_readers(backend, |values| (values.reader(), 0_u8));
    }

    fn each_replica_has_its_own_ends_in_a_vec(backend) {
        counts_writers(backend, |values| vec![values.writer(), values.writer()]);
        counts_readers(backend, |values| vec![values.reader()]);
    }

    fn each_replica_has_its_own_ends_in_an_option(backend) {
        counts_writers(backend, |values| Some(values.writer()));
        counts_readers(backend, |values| Some(values.reader()));
    }

    fn each_replica_has_its_own_ends_however_deep(backend) {
        counts_writers(backend, |values| Deep {
            ports: vec![(None, 0), (Some(Ports { output: values.writer(), spare: None }), 1)],
        });
    }

    fn a_clone_of_an_end_is_an_end(backend) {
        let values = Channel::new();
        let writer = values.writer();
        let copy = writer.clone();
        let sink = spawn(backend.place(sink(values.reader())));
        writer.write(1).unwrap();
        writer.retire();
        copy.write(2).unwrap();
        copy.retire();
        assert_eq!(sink.join(), [1, 2]);
    }

    fn a_process_never_run_retires_its_ends(backend) {
        let values = Channel::new();
        let reader = values.reader();
        let process = backend.place(write_once(1, values.writer(), Arrival::new()));
        assert_eq!(reader.termination(), None);
        drop(process);
        assert_eq!(reader.read(), Err(Termination::Retired));
    }

    fn no_replica_at_all_retires_the_ends(backend) {
        let values = Channel::new();
        let reader = values.reader();
        let (none,) = parallel!(0 * backend.place(write_once(1, values.writer(), Arrival::new())));
        assert!(none.is_empty());
        assert_eq!(reader.read(), Err(Termination::Retired));
    }

    fn a_side_without_ends_is_waited_for_while_a_handle_is_left(backend) {
        let values = Channel::new();
        let arrival = Arrival::new();
        let write = spawn(backend.place(write_once(1, values.writer(), arrival.clone())));
        arrival.until_blocked();
        assert_eq!(values.reader().read(), Ok(1));
        write.join().unwrap();

        let values = Channel::new();
        let arrival = Arrival::new();
        let read = spawn(backend.place(read_once(values.reader(), arrival.clone())));
        arrival.until_blocked();
        values.writer().write(2).unwrap();
        assert_eq!(read.join(), Ok(2));
    }

    fn a_side_that_never_had_an_end_is_gone_with_the_last_handle(backend) {
        let values = Channel::new();
        let arrival = Arrival::new();
        let write = spawn(backend.place(write_once(1, values.writer(), arrival.clone())));
        arrival.until_blocked();
        let other_handle = values.clone();
        drop(values);
        assert_eq!(other_handle.writer().termination(), None, "a handle is left");
        drop(other_handle);
        assert_eq!(write.join().unwrap_err().into_inner(), 1);

        let values = Channel::<u8>::new();
        let arrival = Arrival::new();
        let read = spawn(backend.place(read_once(values.reader(), arrival.clone())));
        arrival.until_blocked();
        drop(values);
        assert_eq!(read.join(), Err(Termination::Retired));
    }

    fn without_a_handle_the_missing_side_is_gone_before_the_first_use(backend) {
        let writer = Channel::new().writer();
        let reader = Channel::<u8>::new().reader();
        let (write, read) = parallel!(
            backend.place(write_once(1, writer, Arrival::new())),
            backend.place(read_once(reader, Arrival::new())),
        );
        assert_eq!(write.unwrap_err().termination, Termination::Retired);
        assert_eq!(read, Err(Termination::Retired));
    }

    fn a_handle_kept_by_a_process_is_a_handle(backend, here: "a handle makes ends where its channel is") {
        let values = Channel::<u8>::new();
        let (go, arrival) = (Channel::new(), Arrival::new());
        let read = spawn(backend.place(read_once(values.reader(), arrival.clone())));
        let holder = spawn(backend.place(hold_here(values, go.reader())));
        arrival.until_blocked();
        go.writer().retire();
        holder.join();
        assert_eq!(read.join(), Err(Termination::Retired));
    }

    fn a_handle_does_not_keep_a_channel_that_had_both_sides(backend) {
        let values = Channel::<u8>::new();
        let sink = spawn(backend.place(sink(values.reader())));
        values.writer().write(9).unwrap();
        assert_eq!(sink.join(), [9]);
        drop(values);
    }

    fn ends_are_counted_while_many_come_and_go(backend) {
        let values = Channel::new();
        let reader: Reader<usize> = values.reader();
        let readers = spawn(backend.replicas(4, sink(reader)));
        let makers = backend.replicas(4, clones_and_writes(values.writer(), 50));
        let (written,) = parallel!(makers);
        assert_eq!(written.iter().sum::<usize>(), 4 * 50);
        let read: usize = readers.into_iter().map(|reader| reader.join().len()).sum();
        assert_eq!(read, 4 * 50);
    }
}

#[multiprocess]
fn clones_and_writes(first: Writer<usize>, count: usize) -> usize {
    let mut end = first;
    for number in 0..count {
        let next = end.clone();
        end.write(number).expect("a reader is left");
        end.retire();
        end = next;
    }
    count
}
