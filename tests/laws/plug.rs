//! The ready-made processes impose no order on their neighbours, lose nothing, and end as they should.

use crate::processes::{sink, source};
use csp::{Channel, Process, Reader, Termination, Writer, parallel, plug, spawn};
use csp_tests::{Placement, on_each_backend, poisoned_by_reason};

/// Returns the output of `process` for a stream.
fn of<A, R>(
    backend: &Placement,
    values: Vec<u8>,
    process: impl FnOnce(Reader<u8>, Writer<u8>) -> Process<A, R>,
) -> Vec<u8>
where
    A: Send + 'static,
    R: Send + 'static,
{
    let (input, output) = (Channel::new(), Channel::new());
    let process = process(input.reader(), output.writer());
    let (_, _, all) = parallel!(
        backend.place(source(values, input.writer())),
        backend.place(process),
        backend.place(sink(output.reader())),
    );
    all
}

on_each_backend! {
    here: "plugs are parts of one OS process";

    fn each_makes_of_a_stream_what_it_says(backend) {
        let values = || vec![0, 1, 2, 3];
        assert_eq!(of(backend, values(), plug::identity), [0, 1, 2, 3]);
        assert_eq!(of(backend, values(), |i, o| plug::prefix(i, o, 9)), [9, 0, 1, 2, 3]);
        assert_eq!(of(backend, values(), plug::tail), [1, 2, 3]);
        assert_eq!(of(backend, values(), plug::successor), [1, 2, 3, 4]);
        assert_eq!(of(backend, values(), plug::pairs), [1, 3, 5]);
    }

    fn a_loop_of_them_counts(backend) {
        let (a, b, c, numbers) = (Channel::new(), Channel::new(), Channel::new(), Channel::new());
        spawn(backend.place(plug::prefix(c.reader(), a.writer(), 0)));
        spawn(backend.place(plug::delta2(a.reader(), b.writer(), numbers.writer())));
        spawn(backend.place(plug::successor(b.reader(), c.writer())));
        let numbers: Vec<u32> = numbers.reader().iter().take(100).collect();
        assert_eq!(numbers, Vec::from_iter(0..100));
        csp::shutdown();
    }

    fn delta2_lets_its_readers_choose_the_order(backend) {
        let (input, left, right) = (Channel::new(), Channel::new(), Channel::new());
        spawn(backend.place(plug::delta2(input.reader(), left.writer(), right.writer())));
        let (input, left, right) = (input.writer(), left.reader(), right.reader());
        for value in 0..100 {
            input.write(value).unwrap();
            let (first, second) = if value % 3 == 0 { (&left, &right) } else { (&right, &left) };
            assert_eq!((first.read(), second.read()), (Ok(value), Ok(value)));
        }
    }

    fn delta2_serves_the_output_that_is_left_and_ends(backend) {
        for left_stays in [true, false] {
            let (input, left, right) = (Channel::new(), Channel::new(), Channel::new());
            let delta2 = plug::delta2(input.reader(), left.writer(), right.writer());
            let delta2 = spawn(backend.place(delta2));
            let (stays, goes) = if left_stays { (left, right) } else { (right, left) };
            let (input, stays) = (input.writer(), stays.reader());
            goes.reader().retire();
            input.write(1).unwrap();
            assert_eq!(stays.read(), Ok(1));
            assert_eq!(stays.read(), Err(Termination::Retired));
            assert_eq!(delta2.join(), Err(Termination::Retired));
            assert_eq!(input.termination(), Some(Termination::Retired));
        }
    }

    fn delta2_passes_poison_on_from_any_end(backend) {
        for poisoned in 0..3 {
            let (input, left, right) = (Channel::new(), Channel::new(), Channel::new());
            let delta2 = plug::delta2(input.reader(), left.writer(), right.writer());
            let delta2 = spawn(backend.place(delta2));
            let (input, left, right) = (input.writer(), left.reader(), right.reader());
            match poisoned {
                0 => input.poison("enough"),
                1 => left.poison("enough"),
                _ => right.poison("enough"),
            }
            let _ = input.write(1);
            let end = delta2.join().unwrap_err();
            assert_eq!(poisoned_by_reason(&end).as_deref(), Some("enough"));
            assert_eq!(input.termination(), Some(end.clone()));
            assert_eq!(left.termination(), Some(end.clone()));
            assert_eq!(right.termination(), Some(end));
        }
    }

    fn plus_lets_its_writers_choose_the_order(backend) {
        let (left, right, sums) = (Channel::new(), Channel::new(), Channel::new());
        spawn(backend.place(plug::plus(left.reader(), right.reader(), sums.writer())));
        let (left, right, sums) = (left.writer(), right.writer(), sums.reader());
        for value in 0..100 {
            let (first, second) = if value % 3 == 0 { (&left, &right) } else { (&right, &left) };
            first.write(value).unwrap();
            second.write(1000).unwrap();
            assert_eq!(sums.read(), Ok(1000 + value));
        }
    }

    fn plus_ends_with_either_input(backend) {
        for left_goes in [true, false] {
            let (left, right, sums) = (Channel::<u8>::new(), Channel::<u8>::new(), Channel::new());
            let plus = plug::plus(left.reader(), right.reader(), sums.writer());
            let plus = spawn(backend.place(plus));
            let (goes, stays) = if left_goes { (left, right) } else { (right, left) };
            let (stays, sums) = (stays.writer(), sums.reader());
            goes.writer().retire();
            assert_eq!(sums.read(), Err(Termination::Retired));
            assert_eq!(plus.join(), Err(Termination::Retired));
            assert_eq!(stays.termination(), Some(Termination::Retired));
        }
    }

    fn mux2_goes_on_until_both_inputs_have_retired(backend) {
        let (left, right, merged) = (Channel::new(), Channel::new(), Channel::new());
        let (_, _, end, mut all) = parallel!(
            backend.place(source(Vec::from_iter(0..10), left.writer())),
            backend.place(source(Vec::from_iter(10..100), right.writer())),
            backend.place(plug::mux2(left.reader(), right.reader(), merged.writer())),
            backend.place(sink(merged.reader())),
        );
        assert_eq!(end, Err(Termination::Retired));
        assert!(all.iter().filter(|&&n| n < 10).is_sorted());
        assert!(all.iter().filter(|&&n| n >= 10).is_sorted());
        all.sort_unstable();
        assert_eq!(all, Vec::from_iter(0..100));
    }

    fn mux2_is_fair(backend) {
        let (left, right, merged) = (Channel::buffered(50), Channel::buffered(50), Channel::new());
        for (side, channel) in [("left", &left), ("right", &right)] {
            let full = channel.writer();
            for _ in 0..50 {
                full.write(side).unwrap();
            }
        }
        spawn(backend.place(plug::mux2(left.reader(), right.reader(), merged.writer())));
        let all: Vec<_> = merged.reader().iter().collect();
        assert_eq!(all.len(), 100);
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
    }

    fn mux2_passes_poison_on(backend) {
        let (left, right, merged) = (Channel::new(), Channel::new(), Channel::new());
        let mux2 = spawn(backend.place(plug::mux2(left.reader(), right.reader(), merged.writer())));
        let (left, right, merged) = (left.writer(), right.writer(), merged.reader());
        right.poison("enough");
        let end = merged.read().unwrap_err();
        assert_eq!(poisoned_by_reason(&end).as_deref(), Some("enough"));
        assert_eq!(mux2.join(), Err(end.clone()));
        assert_eq!(left.write(1).unwrap_err().termination, end);
    }

    fn broadcast_lets_its_readers_choose_the_order(backend) {
        let (input, outputs) = (Channel::new(), 4 * Channel::new());
        let writers = outputs.iter().map(Channel::writer).collect();
        spawn(backend.place(plug::broadcast(input.reader(), writers)));
        let input = input.writer();
        let outputs: Vec<_> = outputs.iter().map(Channel::reader).collect();
        for value in 0..50 {
            input.write(value).unwrap();
            for nth in 0..4 {
                assert_eq!(outputs[(value + 3 * nth) % 4].read(), Ok(value));
            }
        }
        input.retire();
        for output in outputs {
            assert_eq!(output.read(), Err(Termination::Retired));
        }
    }

    fn broadcast_goes_on_until_its_last_reader_has_gone(backend) {
        let (input, outputs) = (Channel::new(), 3 * Channel::new());
        let writers = outputs.iter().map(Channel::writer).collect();
        let broadcast = spawn(backend.place(plug::broadcast(input.reader(), writers)));
        let input = input.writer();
        let mut outputs: Vec<_> = outputs.iter().map(Channel::reader).collect();
        for value in 0..3 {
            input.write(value).unwrap();
            for output in &outputs {
                assert_eq!(output.read(), Ok(value));
            }
            outputs.pop();
        }
        let _ = input.write(3);
        assert_eq!(broadcast.join(), Err(Termination::Retired));
        assert!(input.write(4).is_err());
    }

    fn broadcast_gives_a_value_to_the_others_when_a_reader_leaves_instead_of_taking_it(backend) {
        let (input, stays, goes) = (Channel::new(), Channel::new(), Channel::new());
        let writers = vec![goes.writer(), stays.writer()];
        spawn(backend.place(plug::broadcast(input.reader(), writers)));
        let (input, stays, goes) = (input.writer(), stays.reader(), goes.reader());
        input.write(1).unwrap();
        assert_eq!(stays.read(), Ok(1));
        goes.retire();
        input.write(2).unwrap();
        assert_eq!(stays.read(), Ok(2));
    }

    fn broadcast_passes_poison_on(backend) {
        let (input, left, right) = (Channel::new(), Channel::new(), Channel::new());
        let writers = vec![left.writer(), right.writer()];
        let broadcast = spawn(backend.place(plug::broadcast(input.reader(), writers)));
        let (input, left, right) = (input.writer(), left.reader(), right.reader());
        left.poison("enough");
        let _ = input.write(1);
        let end = broadcast.join().unwrap_err();
        assert_eq!(poisoned_by_reason(&end).as_deref(), Some("enough"));
        assert_eq!(right.read(), Err(end.clone()));
        assert_eq!(input.termination(), Some(end));
    }

    fn a_buffer_that_drops_never_holds_up_its_writer(backend) {
        let values = || Vec::from_iter(0..100);
        for (kind, expected) in [(0, [97, 98, 99]), (1, [0, 1, 99]), (2, [0, 1, 2])] {
            let (input, output) = (Channel::new(), Channel::new());
            let (reader, writer) = (input.reader(), output.writer());
            spawn(match kind {
                0 => backend.place(plug::overwrite_oldest(reader, writer, 3)),
                1 => backend.place(plug::overwrite_newest(reader, writer, 3)),
                _ => backend.place(plug::overflow(reader, writer, 3)),
            });
            let (input, output) = (input.writer(), output.reader());
            for value in values() {
                input.write(value).unwrap();
            }
            input.retire();
            assert_eq!(output.iter().collect::<Vec<_>>(), expected);
            assert_eq!(output.termination(), Some(Termination::Retired));
        }
    }

    fn a_buffer_that_drops_gives_a_fast_reader_everything(backend) {
        let (input, output) = (Channel::new(), Channel::new());
        spawn(backend.place(plug::overwrite_oldest(input.reader(), output.writer(), 2)));
        let (input, output) = (input.writer(), output.reader());
        for value in 0..100 {
            input.write(value).unwrap();
            assert_eq!(output.read(), Ok(value));
        }
    }

    fn a_buffer_that_drops_ends_with_its_output(backend) {
        for poisoned in [false, true] {
            let (input, output) = (Channel::<u8>::new(), Channel::new());
            let buffer = plug::overflow(input.reader(), output.writer(), 2);
            let buffer = spawn(backend.place(buffer));
            let (input, output) = (input.writer(), output.reader());
            input.write(1).unwrap();
            match poisoned {
                true => output.poison("enough"),
                false => output.retire(),
            }
            let end = buffer.join().unwrap_err();
            assert_eq!(poisoned_by_reason(&end).is_some(), poisoned);
            assert!(input.write(2).is_err());
        }
    }
}
