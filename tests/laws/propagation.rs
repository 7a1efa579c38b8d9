//! The end of one channel ends the processes behind it. Poison travels with its cause, until
//! a process recovers.

use crate::processes::{relay, sink, source};
use csp::{Channel, Reader, Termination, Writer, parallel, spawn};
use csp_tests::{laws, multiprocess, poisoned_by_reason};

#[multiprocess]
pub(crate) fn poisons(output: Writer<u32>, reason: String) {
    output.poison(reason);
}

#[multiprocess]
fn poisons_after(count: usize, input: Reader<u32>, reason: String) -> csp::Result {
    for _ in 0..count {
        input.read()?;
    }
    input.poison(reason);
    Ok(())
}

/// Reads until it is poisoned, and then goes on with other work.
#[multiprocess]
fn recovers(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    let poison = input.read().unwrap_err();
    assert!(poisoned_by_reason(&poison).is_some());
    output.write(1)?;
    Ok(())
}

/// Sums what it reads. Poison ends its iteration silently, and it stops all the same.
#[multiprocess]
fn sums(input: Reader<u32>, output: Writer<u32>) -> u32 {
    let mut sum = 0;
    for value in &input {
        sum += value;
    }
    drop(output);
    sum
}

/// Holds ends that are not among its arguments: made here, received, or kept in a field of a boxed value.
#[multiprocess]
fn keeps_ends_in_odd_places(
    input: Reader<u32>,
    ends: Reader<Writer<u32>>,
    made: Writer<Reader<u32>>,
) -> csp::Result {
    let own = Channel::<u32>::new();
    made.write(own.reader())?;
    let received: Box<dyn Send> = Box::new((ends.read()?, own.writer()));
    let keep = move || received;
    input.read()?;
    drop(keep);
    Ok(())
}

/// Stops because of poison, but retires one of its two outputs explicitly.
#[multiprocess]
fn retires_one(input: Reader<u32>, kept: Writer<u32>, retired: Writer<u32>) -> csp::Result {
    let end = input.read();
    retired.retire();
    let _kept = kept;
    end.map(drop)
}

#[track_caller]
fn reason<T: std::fmt::Debug>(end: csp::Result<T>) -> String {
    poisoned_by_reason(&end.unwrap_err()).expect("poison")
}

laws! {
    fn poison_carries_its_cause_down_a_pipeline(backend) {
        let links = 5 * Channel::new();
        let relays: Vec<_> = links
            .windows(2)
            .map(|pair| backend.place(relay(pair[0].reader(), pair[1].writer())))
            .collect();
        let last = links[4].reader();
        let (_, ends) =
            parallel!(backend.place(poisons(links[0].writer(), "no ink".into())), relays);
        assert_eq!(reason(ends[0].clone()), "no ink");
        assert!(ends.iter().all(|end| *end == ends[0]), "one poison, not four: {ends:?}");
        assert_eq!(last.read().map(drop), ends[0]);
    }

    fn poison_carries_its_cause_up_a_pipeline(backend) {
        let links = 5 * Channel::new();
        let relays: Vec<_> = links
            .windows(2)
            .map(|pair| backend.place(relay(pair[0].reader(), pair[1].writer())))
            .collect();
        let (end, ends, last) = parallel!(
            backend.place(source((0..).take(1_000_000).collect(), links[0].writer())),
            relays,
            backend.place(poisons_after(10, links[4].reader(), "seen enough".into())),
        );
        assert_eq!(last, Ok(()));
        assert_eq!(reason(end.clone()), "seen enough");
        assert!(ends.iter().all(|other| *other == end), "{ends:?}");
    }

    fn a_recovered_process_propagates_nothing(backend) {
        let (bad, good) = (Channel::new(), Channel::new());
        let (_, end, read) = parallel!(
            backend.place(poisons(bad.writer(), "bad".into())),
            backend.place(recovers(bad.reader(), good.writer())),
            backend.place(sink(good.reader())),
        );
        assert_eq!(end, Ok(()));
        assert_eq!(read, [1]);
        assert_eq!(good.reader().termination(), Some(Termination::Retired));
    }

    fn a_process_stopped_by_poison_poisons_the_other_ends_it_held(backend) {
        let (bad, behind) = (Channel::<u32>::new(), Channel::new());
        let reader = behind.reader();
        let relay = spawn(backend.place(relay(bad.reader(), behind.writer())));
        bad.writer().poison("stopped");
        assert_eq!(reason(reader.read()), "stopped");
        assert_eq!(reason(relay.join()), "stopped");
    }

    fn a_process_stopped_by_poison_propagates_it_whatever_it_returns(backend) {
        let (bad, behind) = (Channel::new(), Channel::new());
        let reader = behind.reader();
        let (_, sum) = parallel!(
            backend.place(poisons(bad.writer(), "unsaid".into())),
            backend.place(sums(bad.reader(), behind.writer())),
        );
        assert_eq!(sum, 0);
        assert_eq!(reason(reader.read()), "unsaid");
    }

    fn an_end_retired_in_so_many_words_is_retired(backend) {
        let (bad, kept, retired) = (Channel::<u32>::new(), Channel::new(), Channel::new());
        let (kept_reader, retired_reader) = (kept.reader(), retired.reader());
        bad.writer().poison("in part");
        let process = retires_one(bad.reader(), kept.writer(), retired.writer());
        assert_eq!(reason(spawn(backend.place(process)).join()), "in part");
        assert_eq!(retired_reader.read(), Err(Termination::Retired));
        assert_eq!(reason(kept_reader.read()), "in part");
    }

    fn poison_reaches_ends_wherever_a_process_keeps_them(backend) {
        let (bad, ends, made) = (Channel::<u32>::new(), Channel::new(), Channel::new());
        let process = spawn(backend.place(keeps_ends_in_odd_places(
            bad.reader(),
            ends.reader(),
            made.writer(),
        )));
        let own = made.reader().read().unwrap();
        let handed = Channel::new();
        ends.writer().write(handed.writer()).unwrap();
        let poisoner = bad.writer();
        poisoner.poison("odd");
        assert_eq!(reason(process.join()), "odd");
        assert_eq!(reason(own.read()), "odd");
        assert_eq!(reason(handed.reader().read()), "odd");
    }

    fn poison_spreads_over_a_ring(backend) {
        let size = backend.many(200, 20);
        let links = size * Channel::<u32>::new();
        let relays: Vec<_> = (0..size)
            .map(|place| {
                backend.place(relay(links[place].reader(), links[(place + 1) % size].writer()))
            })
            .collect();
        let relays = spawn(relays);
        let token = links[0].writer();
        token.write(1).unwrap();
        links[size / 2].writer().poison("ring");
        for relay in relays {
            assert_eq!(reason(relay.join()), "ring");
        }
        assert_eq!(reason(token.write(2).map_err(Termination::from)), "ring");
    }

    fn a_write_error_becomes_a_termination(backend) {
        let values = Channel::new();
        let writer = values.writer();
        values.reader().poison("turned");
        let (end,) = parallel!(backend.place(source(vec![1], writer)));
        assert_eq!(reason(end), "turned");
    }
}
