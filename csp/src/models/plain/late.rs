//! Reads of several schedulers: values that are ahead.
//!
//! Each process is a thread of its own, whatever scheduler it says that it has. So the models have more interleavings than there are.

use super::*;
use crate::models::Chose::{Read, Wrote};
use crate::models::extended::{Work, serve};

/// A mistake, and a model that finds it.
const MISTAKES: [(&str, &str); 10] = [
    ("the next is not told", "of_one_scheduler_each_tells_the_next"),
    ("more values than readers", "a_writer_waits_when_all_readers_have_values"),
    ("a value for a later reader", "a_read_that_began_later_gets_nothing"),
    ("nobody is told", "each_reader_of_two_schedulers_gets_a_value"),
    ("a reader that is told takes nothing", "each_reader_of_two_schedulers_gets_a_value"),
    ("an end tells nobody", "an_end_comes_to_all_readers"),
    ("the end is looked at first", "poison_takes_no_value"),
    ("told in vain, and gone", "a_reader_that_is_told_in_vain_waits_on"),
    ("no look at writers", "values_made_late_meet_readers"),
    ("readers that stood before are not counted", "readers_stood_before_there_were_lines"),
];

fn read_on(scheduler: usize, reader: &Reader<Value>) -> Got {
    is_on_scheduler(scheduler);
    read(reader)
}

const RETIRED: How = How::Retired;

#[test]
fn of_two_schedulers_one_gets_the_value() {
    for spare in [&[][..], &[1], &[2], &[1, 2]] {
        let seen = explore(move || {
            are_spare(spare);
            let channel = Channel::new();
            let (one, other, writer) = (channel.reader(), channel.reader(), channel.writer());
            (move || read_on(1, &one), move || read_on(2, &other), move || write(&writer, 1))
        });
        let end = Err(RETIRED);
        assert_eq!(seen, BTreeSet::from([(Ok(1), end, Ok(())), (end, Ok(1), Ok(()))]));
    }
}

/// The channel does not end before both have read.
#[test]
fn each_reader_of_two_schedulers_gets_a_value() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other, writer) = (channel.reader(), channel.reader(), channel.writer());
        let writer = Rc::new(writer);
        let (kept, kept_too) = (Rc::clone(&writer), Rc::clone(&writer));
        (
            move || (read_on(1, &one), drop(kept)).0,
            move || (read_on(2, &other), drop(kept_too)).0,
            move || [write(&writer, 1), write(&writer, 2)],
        )
    });
    let written = [Ok(()), Ok(())];
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(2), written), (Ok(2), Ok(1), written)]));
}

#[test]
fn of_one_scheduler_each_tells_the_next() {
    three_readers_get_a_value_each(|| ());
}

/// Readers of one scheduler stand in the queue until one of another scheduler comes.
#[test]
fn readers_stood_before_there_were_lines() {
    three_readers_get_a_value_each(lines_come_later);
}

/// Two readers are of one scheduler, and the third is of another. `begins` is called first.
fn three_readers_get_a_value_each(begins: fn()) {
    let seen = explore(move || {
        begins();
        let channel = Channel::new();
        let (one, other, third) = (channel.reader(), channel.reader(), channel.reader());
        let writer = Rc::new(channel.writer());
        let kept = [(); 3].map(|()| Rc::clone(&writer));
        let [first, second, last] = kept;
        (
            move || (read_on(1, &one), drop(first)).0.is_ok(),
            move || (read_on(1, &other), drop(second)).0.is_ok(),
            move || (read_on(2, &third), drop(last)).0.is_ok(),
            move || [1, 2, 3].map(|n| write(&writer, n).is_ok()),
        )
    });
    assert_eq!(seen, BTreeSet::from([(true, true, true, [true; 3])]));
}

#[test]
fn an_end_comes_to_readers_that_stood_before_there_were_lines() {
    for poison in [false, true] {
        let seen = explore(move || {
            lines_come_later();
            let channel = Channel::new();
            let (one, other, writer) = (channel.reader(), channel.reader(), channel.writer());
            let end = move || {
                let written = write(&writer, 1);
                if poison {
                    writer.poison("as the model says");
                }
                written
            };
            (move || read_on(1, &one), move || read_on(2, &other), end)
        });
        let end = Err(if poison { How::Poisoned } else { RETIRED });
        assert_eq!(seen, BTreeSet::from([(Ok(1), end, Ok(())), (end, Ok(1), Ok(()))]));
    }
}

#[test]
fn a_writer_waits_when_all_readers_have_values() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other, writer) = (channel.reader(), channel.reader(), channel.writer());
        (
            move || read_on(1, &one),
            move || read_on(2, &other),
            move || [1, 2, 3].map(|n| write(&writer, n)),
        )
    });
    let written = [Ok(()), Ok(()), Err((3, RETIRED))];
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(2), written), (Ok(2), Ok(1), written)]));
}

/// A process that has written does not read its own value, though that may be ahead when it reads.
#[test]
fn a_read_that_began_later_gets_nothing() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other, own) = (channel.reader(), channel.reader(), channel.reader());
        let (writer, last) = (channel.writer(), channel.writer());
        (
            move || read_on(1, &one),
            move || read_on(2, &other),
            move || drop(last),
            move || {
                is_on_scheduler(3);
                let written = write(&writer, 1);
                drop(writer);
                (written, read(&own))
            },
        )
    });
    let (end, wrote) = (Err(RETIRED), (Ok(()), Err(RETIRED)));
    assert_eq!(seen, BTreeSet::from([(Ok(1), end, (), wrote), (end, Ok(1), (), wrote)]));
}

#[test]
fn poison_takes_no_value() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other, writer) = (channel.reader(), channel.reader(), channel.writer());
        (
            move || read_on(1, &one),
            move || read_on(2, &other),
            move || {
                let written = write(&writer, 1);
                writer.poison("as the model says");
                written
            },
        )
    });
    let end = Err(How::Poisoned);
    assert_eq!(seen, BTreeSet::from([(Ok(1), end, Ok(())), (end, Ok(1), Ok(()))]));
}

#[test]
fn an_end_comes_to_all_readers() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other, writer) = (channel.reader(), channel.reader(), channel.writer());
        (move || read_on(1, &one), move || read_on(1, &other), move || drop(writer))
    });
    assert_eq!(seen, BTreeSet::from([(Err(RETIRED), Err(RETIRED), ())]));
}

/// Two readers are told, and there is one value. The second value comes when it comes.
#[test]
fn a_reader_that_is_told_in_vain_waits_on() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other) = (channel.reader(), channel.reader());
        let (first, second) = (Rc::new(channel.writer()), Rc::new(channel.writer()));
        let kept = [(); 2].map(|()| (Rc::clone(&first), Rc::clone(&second)));
        let [ours, theirs] = kept;
        (
            move || (read_on(1, &one), drop(ours)).0,
            move || (read_on(2, &other), drop(theirs)).0,
            move || write(&first, 1),
            move || write(&second, 2),
        )
    });
    let (a, b) = ((Ok(1), Ok(2), Ok(()), Ok(())), (Ok(2), Ok(1), Ok(()), Ok(())));
    assert_eq!(seen, BTreeSet::from([a, b]));
}

#[test]
fn a_reader_reads_in_the_order_written() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other, writer) = (channel.reader(), channel.reader(), channel.writer());
        (
            move || [read_on(1, &one), read_on(1, &one)],
            move || read_on(2, &other),
            move || [1, 2, 3].map(|n| write(&writer, n).is_ok()),
        )
    });
    let of = |a, b, c| ([Ok(a), Ok(b)], Ok(c), [true; 3]);
    assert_eq!(seen, BTreeSet::from([of(1, 2, 3), of(1, 3, 2), of(2, 3, 1)]));
}

#[test]
fn a_choice_stands_beside_plain_readers() {
    let seen = explore(|| {
        let (channel, never) = (Channel::new(), Channel::<Value>::new());
        let (one, other, third) = (channel.reader(), channel.reader(), channel.reader());
        let (silent, writer) = (never.reader(), Rc::new(channel.writer()));
        let kept = [(); 3].map(|()| (Rc::clone(&writer), never.writer()));
        let [first, second, last] = kept;
        (
            move || (read_on(1, &one), drop(first)).0.is_ok(),
            move || (read_on(2, &other), drop(second)).0.is_ok(),
            move || {
                is_on_scheduler(1);
                let chosen = choose!(alt::read(&third) => got, alt::read(&silent) => got);
                drop(last);
                matches!(chosen, Ok(Read(1..=3)))
            },
            move || [1, 2, 3].map(|n| write(&writer, n).is_ok()),
        )
    });
    assert_eq!(seen, BTreeSet::from([(true, true, true, [true; 3])]));
}

#[test]
fn an_extended_read_stands_beside_plain_readers() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other, writer) = (channel.reader(), channel.reader(), channel.writer());
        let work = Work::new();
        (
            move || read_on(1, &one).is_ok(),
            move || {
                is_on_scheduler(2);
                serve(&other, &work).is_ok()
            },
            move || [1, 2].map(|n| write(&writer, n).is_ok()),
        )
    });
    assert_eq!(seen, BTreeSet::from([(true, true, [true; 2])]));
}

#[test]
fn an_output_guard_meets_readers_of_two_schedulers() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other, writer) = (channel.reader(), channel.reader(), channel.writer());
        let write = move || choose!(alt::write(&writer, Value::new(1)) => wrote);
        (move || read_on(1, &one), move || read_on(2, &other), write)
    });
    let end = Err(RETIRED);
    assert_eq!(seen, BTreeSet::from([(Ok(1), end, Ok(Wrote)), (end, Ok(1), Ok(Wrote))]));
}

fn deliver(writer: &Writer<Value>, n: u8) -> Result<Chose, How> {
    choose!(alt::defer(writer) => |handover: crate::choice::guards::late::Handover<Value>| {
        let _ = handover.deliver(Value::new(n));
        Wrote
    })
}

#[test]
fn values_made_late_meet_readers() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other) = (channel.reader(), channel.reader());
        let (first, second) = (Rc::new(channel.writer()), Rc::new(channel.writer()));
        let kept = [(); 2].map(|()| (Rc::clone(&first), Rc::clone(&second)));
        let [ours, theirs] = kept;
        (
            move || (read_on(1, &one), drop(ours)).0.is_ok(),
            move || (read_on(2, &other), drop(theirs)).0.is_ok(),
            move || deliver(&first, 1),
            move || (write(&second, 2), drop(second)).0,
        )
    });
    assert_eq!(seen, BTreeSet::from([(true, true, Ok(Wrote), Ok(()))]));
}

/// A value is ahead, and another is to be made.
#[test]
fn a_value_made_late_leaves_values_ahead() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other) = (channel.reader(), channel.reader());
        let writer = Rc::new(channel.writer());
        let kept = [(); 2].map(|()| Rc::clone(&writer));
        let [ours, theirs] = kept;
        (
            move || (read_on(1, &one), drop(ours)).0.is_ok(),
            move || (read_on(1, &other), drop(theirs)).0.is_ok(),
            move || (write(&writer, 1), deliver(&writer, 2)),
        )
    });
    assert_eq!(seen, BTreeSet::from([(true, true, (Ok(()), Ok(Wrote)))]));
}

#[test]
fn each_mistake_is_found() {
    all_are_found(module_path!(), &MISTAKES);
}
