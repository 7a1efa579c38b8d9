//! Channels of OS processes that have ended. If the OS process ended normally, nothing is lost, and its channels go on.

use csp::{
    Cause, Channel, Reader, SharedBuf, Termination, Writer, alt, multiprocess, parallel, spawn,
};

use crate::{here, tests};

#[multiprocess]
fn stores(values: Vec<u64>) -> Reader<u64> {
    let channel = Channel::buffered(values.len());
    let writer = channel.writer();
    values.into_iter().for_each(|value| writer.write(value).expect("room"));
    channel.reader()
}

#[multiprocess]
fn has_it_stored(values: Vec<u64>) -> (u32, Reader<u64>) {
    let (reader,) = parallel!(stores(values));
    (here(), reader)
}

#[multiprocess]
fn has_it_stored_below(values: Vec<u64>) -> Reader<u64> {
    let ((_, reader),) = parallel!(has_it_stored(values));
    reader
}

#[multiprocess]
fn stores_in_many(channels: usize, values: u64) -> Vec<Reader<u64>> {
    let channels: Vec<_> = (0..channels).map(|_| Channel::buffered(values as usize)).collect();
    let writers: Vec<_> = channels.iter().map(Channel::writer).collect();
    for n in 0..values {
        for (at, writer) in (0..).zip(&writers) {
            writer.write(at * values + n).expect("room");
        }
    }
    channels.iter().map(Channel::reader).collect()
}

#[multiprocess]
fn stores_long_ones(length: usize, values: u8) -> Reader<Vec<u8>> {
    let channel = Channel::buffered(usize::from(values));
    let writer = channel.writer();
    (0..values).for_each(|value| writer.write(vec![value; length]).expect("room"));
    channel.reader()
}

#[multiprocess]
fn stores_a_buffer() -> Reader<(u8, SharedBuf)> {
    let channel = Channel::buffered(2);
    let writer = channel.writer();
    for value in [1, 2] {
        let mut buffer = SharedBuf::new(100_000).expect("memory");
        buffer.get_mut().expect("its only holder").fill(value);
        writer.write((value, buffer)).expect("room");
    }
    channel.reader()
}

#[multiprocess]
fn stores_ends() -> Reader<Reader<u64>> {
    let (outer, inner) = (Channel::buffered(2), Channel::buffered(1));
    inner.writer().write(7).expect("room");
    let writer = outer.writer();
    writer.write(inner.reader()).expect("room");
    outer.reader()
}

#[multiprocess]
fn makes(capacity: usize) -> (Reader<u64>, Writer<u64>) {
    let channel = Channel::buffered(capacity);
    (channel.reader(), channel.writer())
}

#[multiprocess]
fn writes(out: Writer<u64>, values: Vec<u64>) -> csp::Result {
    values.into_iter().try_for_each(|value| out.write(value).map_err(Into::into))
}

#[multiprocess]
fn reads(from: Reader<u64>) -> Vec<u64> {
    from.iter().collect()
}

#[multiprocess]
fn poisons() -> Reader<u64> {
    let channel = Channel::new();
    channel.writer().poison("no more of it");
    channel.reader()
}

#[multiprocess(on_panic = retire)]
fn stores_and_aborts(gifts: Writer<Reader<u64>>, go: Reader<()>) {
    let channel = Channel::buffered(3);
    let writer = channel.writer();
    writer.write(1).expect("room");
    gifts.write(channel.reader()).expect("a reader");
    let _ = go.read();
    std::process::abort();
}

fn some() -> Vec<u64> {
    (1..=20).collect()
}

tests! {
    fn what_a_child_has_stored_is_read_after_its_end() {
        for _ in 0..10 {
            let (reader,) = parallel!(stores(some()));
            assert_eq!(reader.iter().collect::<Vec<_>>(), some());
            assert_eq!(reader.termination(), Some(Termination::Retired));
        }
    }

    fn it_is_read_wherever_its_reader_goes() {
        let (reader,) = parallel!(stores(some()));
        assert_eq!(parallel!(reads(reader)).0, some());
        let (reader,) = parallel!(stores(some()));
        // Two processes share the channel, so each reads some of the values.
        let (first, second) = (reader.read(), reader.read());
        assert_eq!((first, second), (Ok(1), Ok(2)));
        let (mut left, mut right) = parallel!(reads(reader.clone()), reads(reader));
        left.append(&mut right);
        left.sort_unstable();
        assert_eq!(left, some()[2..]);
    }

    fn who_survives_has_what_those_below_have_stored() {
        let (reader,) = parallel!(has_it_stored_below(some()));
        assert_eq!(reader.read(), Ok(1));
        assert_eq!(parallel!(reads(reader)).0, some()[1..]);
        let ((_, reader),) = parallel!(has_it_stored(some()));
        assert_eq!(alt! { n = reader.read() => n }, Ok(1));
    }

    fn many_channels_keep_what_they_hold() {
        let (readers,) = parallel!(stores_in_many(50, 40));
        let got: Vec<u64> = readers.iter().flat_map(Reader::iter).collect();
        assert_eq!(got, (0..2000).collect::<Vec<_>>());
    }

    fn long_values_are_kept() {
        let (reader,) = parallel!(stores_long_ones(1 << 20, 9));
        for value in 0..9 {
            let long = reader.read().expect("stored");
            assert!(long.len() == 1 << 20 && long.iter().all(|byte| *byte == value));
        }
        assert_eq!(reader.read(), Err(Termination::Retired));
    }

    fn buffers_and_ends_in_them_are_kept() {
        let (reader,) = parallel!(stores_a_buffer());
        for (value, buffer) in &reader {
            assert!(buffer.len() == 100_000 && buffer.iter().all(|byte| *byte == value));
        }
        let (reader,) = parallel!(stores_ends());
        let inner = reader.read().expect("an end");
        assert_eq!(inner.iter().collect::<Vec<_>>(), [7]);
        assert!(reader.read().is_err());
    }

    fn a_channel_outlives_the_child_that_has_made_it() {
        for capacity in [0, 3] {
            let ((reader, writer),) = parallel!(makes(capacity));
            let (_, _, got) = parallel!(
                writes(writer.clone(), some()),
                writes(writer, some()),
                reads(reader.clone()),
            );
            assert_eq!(got.iter().sum::<u64>(), 2 * some().iter().sum::<u64>());
            assert_eq!(reader.read(), Err(Termination::Retired));
        }
        let ((reader, writer),) = parallel!(makes(0));
        drop(reader);
        assert_eq!(writer.write(1).map_err(|error| error.termination), Err(Termination::Retired));
    }

    fn its_poison_is_told_after_its_end() {
        let (reader,) = parallel!(poisons());
        let ended = reader.read().expect_err("poison");
        assert!(format!("{ended:#}").contains("no more of it"), "{ended:#}");
    }

    fn what_a_killed_child_has_stored_is_lost_with_it() {
        let (gifts, go) = (Channel::new(), Channel::<()>::new());
        let child = spawn(stores_and_aborts(gifts.writer(), go.reader()));
        let reader = gifts.reader().read().expect("an end");
        drop(go);
        assert!(child.try_join().is_err());
        let ended = reader.read().expect_err("its home is dead");
        assert!(matches!(ended.poison().map(csp::Poison::cause), Some(Cause::Lost { .. })), "{ended:#}");
    }
}
