//! Outputs whose value is made after a reader has committed.

use super::Chose::{Late, Nothing, Read, Wrote};
use super::extended::{Work, serve};
use super::*;
use crate::channel::Extended;
use crate::choice::guards::late::Handover;

fn deliver(handover: Handover<Value>) -> Chose {
    let _ = handover.deliver(Value::new(1));
    Wrote
}

/// Its maker fails before there is a value.
fn fail(handover: Handover<Value>) -> Chose {
    drop(handover);
    Nothing
}

const RETIRED: How = How::Retired;

#[test]
fn a_value_made_late_meets_a_read() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || read(&reader), move || choose!(alt::defer(&writer) => deliver))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(Wrote))]));
}

/// Nothing was agreed, so the reader begins anew.
#[test]
fn a_value_never_made_leaves_the_reader_where_it_was() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, maker, writer) = (channel.reader(), channel.writer(), channel.writer());
        (
            move || read(&reader),
            move || choose!(alt::defer(&maker) => fail),
            move || write(&writer, 2),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([(Ok(2), Ok(Nothing), Ok(())), (Ok(2), Err(RETIRED), Ok(())),])
    );
}

#[test]
fn a_value_made_late_meets_a_choice() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.reader());
        let (maker, writer) = (left.writer(), right.writer());
        let choice = move || choose!(alt::read(&a) => got, alt::read(&b) => got);
        (choice, move || choose!(alt::defer(&maker) => deliver), move || write(&writer, 2))
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Ok(Read(1)), Ok(Wrote), Err((2, RETIRED))),
            (Ok(Read(2)), Err(RETIRED), Ok(())),
        ])
    );
}

#[test]
fn a_value_never_made_leaves_a_choice_as_it_was() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.reader());
        let (maker, writer) = (left.writer(), right.writer());
        let choice = move || choose!(alt::read(&a) => got, alt::read(&b) => got);
        (choice, move || choose!(alt::defer(&maker) => fail), move || write(&writer, 2))
    });
    assert_eq!(
        seen,
        BTreeSet::from([(Ok(Read(2)), Ok(Nothing), Ok(())), (Ok(Read(2)), Err(RETIRED), Ok(())),])
    );
}

/// One of the outputs or the input happens. The other side has the opposite order.
#[test]
fn two_choices_meet_late() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.writer());
        let (c, d) = (right.reader(), left.writer());
        let one = move || choose!(alt::read(&a) => got, alt::defer(&b) => deliver);
        let other = move || choose!(alt::read(&c) => got, alt::defer(&d) => deliver);
        (one, other)
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Read(1)), Ok(Wrote)), (Ok(Wrote), Ok(Read(1))),]));
}

/// A reader that has agreed is not late any more.
#[test]
fn a_value_made_late_is_in_time() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, maker) = (channel.reader(), channel.writer());
        let patient = move || choose!(alt::read(&reader) => got, timeout() => late);
        let maker = move || choose!(alt::defer(&maker) => deliver, timeout() => late);
        (patient, maker)
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Ok(Read(1)), Ok(Wrote)),
            (Ok(Late), Ok(Late)),
            (Ok(Late), Err(RETIRED)),
            (Err(RETIRED), Ok(Late)),
        ])
    );
}

/// A timed choice that is disappointed may then be late.
#[test]
fn a_value_never_made_leaves_time_to_be_late() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, maker) = (channel.reader(), channel.writer());
        let patient = move || choose!(alt::read(&reader) => got, timeout() => late);
        (patient, move || choose!(alt::defer(&maker) => fail))
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Ok(Late), Ok(Nothing)),
            (Ok(Late), Err(RETIRED)),
            (Err(RETIRED), Ok(Nothing)),
        ])
    );
}

#[test]
fn poison_comes_too_late_for_who_has_agreed() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, maker, poisoner) = (channel.reader(), channel.writer(), channel.writer());
        (
            move || read(&reader),
            move || choose!(alt::defer(&maker) => deliver),
            move || poisoner.poison("enough"),
        )
    });
    let poisoned = How::Poisoned;
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(Wrote), ()), (Err(poisoned), Err(poisoned), ()),]));
}

/// The maker of the value waits for the end of that read.
#[test]
fn a_value_made_late_meets_an_extended_read() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let work = Work::new();
        let served = work.clone();
        let make = move || (choose!(alt::defer(&writer) => deliver), served.look());
        (move || serve(&reader, &work), make)
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), (Ok(Wrote), 1))]));
}

#[test]
fn a_value_made_late_meets_an_extended_read_of_a_choice() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.reader());
        let (maker, writer) = (left.writer(), right.writer());
        let work = Work::new();
        let served = work.clone();
        let serve = move || {
            let begun = |value: Extended<'_, Value>| {
                work.done(value.0);
                Read(value.into_inner().0)
            };
            choose!(alt::begin(&a) => begun, alt::read(&b) => got)
        };
        let make =
            move || choose!(alt::defer(&maker) => |handover| (deliver(handover), served.look()));
        (serve, make, move || write(&writer, 2))
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Ok(Read(1)), Ok((Wrote, 1)), Err((2, RETIRED))),
            (Ok(Read(2)), Err(RETIRED), Ok(())),
        ])
    );
}

#[test]
fn room_is_kept_for_a_value_made_late() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, maker, writer) = (channel.reader(), channel.writer(), channel.writer());
        (
            move || [read(&reader), read(&reader), read(&reader)],
            move || choose!(alt::defer(&maker) => deliver),
            move || write(&writer, 2),
        )
    });
    let end = Err(RETIRED);
    assert_eq!(
        seen,
        BTreeSet::from([
            ([Ok(1), Ok(2), end], Ok(Wrote), Ok(())),
            ([Ok(2), Ok(1), end], Ok(Wrote), Ok(())),
        ])
    );
}

#[test]
fn room_kept_in_vain_is_given_to_the_next() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, maker, writer) = (channel.reader(), channel.writer(), channel.writer());
        (
            move || [read(&reader), read(&reader), read(&reader)],
            move || choose!(alt::defer(&maker) => fail),
            move || [write(&writer, 2), write(&writer, 3)],
        )
    });
    let all = [Ok(2), Ok(3), Err(RETIRED)];
    assert_eq!(seen, BTreeSet::from([(all, Ok(Nothing), [Ok(()); 2])]));
}

#[test]
fn room_is_kept_and_the_reader_leaves() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, maker) = (channel.reader(), channel.writer());
        (move || drop(reader), move || choose!(alt::defer(&maker) => deliver))
    });
    assert_eq!(seen, BTreeSet::from([((), Ok(Wrote)), ((), Err(RETIRED))]));
}

/// The outcome is as if the value had been written before, and was dropped with the buffer.
#[test]
fn room_is_kept_and_poison_comes() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, poisoner) = (channel.reader(), channel.reader());
        let maker = channel.writer();
        (
            move || drop(reader),
            move || choose!(alt::defer(&maker) => deliver),
            move || poisoner.poison("enough"),
        )
    });
    assert_eq!(seen, BTreeSet::from([((), Ok(Wrote), ()), ((), Err(How::Poisoned), ())]));
}
