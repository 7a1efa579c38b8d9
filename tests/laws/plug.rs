//! The ready-made processes impose no order on their neighbours, lose nothing, and end as they should.

use crate::processes::{sink, source};
use csp::{Channel, Process, Reader, Termination, Writer, parallel, plug, spawn};
use csp_tests::{Placement, on_each_backend, poisoned_by_reason};

/// What `process` makes of a stream.
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
}
