//! Each value goes whole to exactly one reader. Each writer's values keep their order at every
//! reader. This holds for one or any writers, one or any readers, with and without a buffer.

use crate::processes::sink;
use csp::{Channel, Writer, parallel};
use csp_tests::{Placement, laws, multiprocess};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy, Serialize, Deserialize)]
struct Item {
    writer: usize,
    number: usize,
}

#[multiprocess]
fn numbered(writer: usize, count: usize, output: Writer<Item>) -> csp::Result {
    for number in 0..count {
        output.write(Item { writer, number })?;
    }
    Ok(())
}

fn exchange(backend: &Placement, writers: usize, readers: usize) {
    const COUNT: usize = 60;
    for capacity in [0, 1, 5, 10, 20] {
        let items = if capacity == 0 { Channel::new() } else { Channel::buffered(capacity) };
        let sources: Vec<_> = (0..writers)
            .map(|writer| backend.place(numbered(writer, COUNT, items.writer())))
            .collect();
        let sinks = backend.replicas(readers, sink(items.reader()));
        let (ends, read) = parallel!(sources, sinks);

        assert_eq!(ends, vec![Ok(()); writers]);
        assert_eq!(read.len(), readers);
        for read in &read {
            for writer in 0..writers {
                let from: Vec<_> = read.iter().filter(|item| item.writer == writer).collect();
                assert!(
                    from.is_sorted(),
                    "a reader saw the values of one writer out of order: {from:?}"
                );
            }
        }
        let mut all: Vec<Item> = read.into_iter().flatten().collect();
        all.sort_unstable();
        let every =
            (0..writers).flat_map(|writer| (0..COUNT).map(move |number| Item { writer, number }));
        assert!(all.into_iter().eq(every), "each value exactly once");
    }
}

laws! {
    fn one_writer_one_reader(backend) {
        exchange(backend, 1, 1);
    }

    fn any_writers_one_reader(backend) {
        exchange(backend, 4, 1);
    }

    fn one_writer_any_readers(backend) {
        exchange(backend, 1, 4);
    }

    fn any_writers_any_readers(backend) {
        exchange(backend, 4, 4);
        exchange(backend, 7, 3);
    }

    fn a_write_returns_when_a_reader_has_the_value(backend) {
        let (values, seen) = (Channel::new(), Channel::new());
        let (steps, _) = parallel!(
            backend.place(write_and_tell(values.writer(), seen.reader())),
            backend.place(read_and_tell(values.reader(), seen.writer())),
        );
        assert_eq!(steps, Ok(20));
    }
}

/// Writes numbers. After each write the value has arrived, so the reader can report its number at once.
#[multiprocess]
fn write_and_tell(output: Writer<u32>, seen: csp::Reader<u32>) -> csp::Result<u32> {
    for number in 0..20 {
        output.write(number)?;
        assert_eq!(seen.read()?, number);
    }
    Ok(20)
}

#[multiprocess]
fn read_and_tell(input: csp::Reader<u32>, seen: Writer<u32>) -> csp::Result {
    loop {
        seen.write(input.read()?)?;
    }
}
