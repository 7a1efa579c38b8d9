//! Channels that end while a process reads or writes.

use super::Chose::{Nothing, Read};
use super::*;

#[test]
fn the_last_writer_leaves_a_reader() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, one, other) = (channel.reader(), channel.writer(), channel.writer());
        (move || read(&reader), move || drop(one), move || drop(other))
    });
    assert_eq!(seen, BTreeSet::from([(Err(How::Retired), (), ())]));
}

#[test]
fn the_last_reader_leaves_a_writer() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (writer, one, other) = (channel.writer(), channel.reader(), channel.reader());
        (move || write(&writer, 1), move || drop(one), move || drop(other))
    });
    assert_eq!(seen, BTreeSet::from([(Err((1, How::Retired)), (), ())]));
}

/// A value is delivered or comes back, exactly one of the two.
#[test]
fn a_reader_that_may_leave_takes_a_value_or_does_not() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (writer, one, other) = (channel.writer(), channel.reader(), channel.reader());
        let try_read =
            |reader: &Reader<Value>| first!(alt::read(reader) => got, alt::skip() => nothing);
        (move || write(&writer, 1), move || try_read(&one), move || try_read(&other))
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Ok(()), Ok(Read(1)), Ok(Nothing)),
            (Ok(()), Ok(Nothing), Ok(Read(1))),
            // The writer has written and gone, so there is nothing left to choose.
            (Ok(()), Ok(Read(1)), Err(How::Retired)),
            (Ok(()), Err(How::Retired), Ok(Read(1))),
            (Err((1, How::Retired)), Ok(Nothing), Ok(Nothing)),
        ])
    );
}

#[test]
fn one_writer_less_is_not_the_end() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, one, other) = (channel.reader(), channel.writer(), channel.writer());
        let passed_on = move || {
            let again = other.clone();
            drop(other);
            write(&again, 1)
        };
        (move || read(&reader), move || drop(one), passed_on)
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), (), Ok(()))]));
}

#[test]
fn the_last_handle_takes_the_missing_side_along() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, handle) = (channel.reader(), channel.clone());
        (move || read(&reader), move || drop(channel), move || drop(handle))
    });
    assert_eq!(seen, BTreeSet::from([(Err(How::Retired), (), ())]));
}

#[test]
fn a_writer_is_made_from_the_last_handle() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, handle) = (channel.reader(), channel.clone());
        let writing = move || {
            let writer = channel.writer();
            drop(channel);
            write(&writer, 1)
        };
        (move || read(&reader), writing, move || drop(handle))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(()), ())]));
}

#[test]
fn a_process_that_ends_frees_those_it_served() {
    let seen = explore(|| {
        let (requests, answers) = (Channel::new(), Channel::<Value>::new());
        let (client, writer) = (answers.reader(), requests.writer());
        let server = (requests.reader(), answers.writer());
        (move || read(&client), move || write(&writer, 1), move || drop(server))
    });
    assert_eq!(seen, BTreeSet::from([(Err(How::Retired), Err((1, How::Retired)), ())]));
}

#[test]
fn poison_meets_a_read_and_a_write() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer, poisoner) = (channel.reader(), channel.writer(), channel.reader());
        (move || read(&reader), move || write(&writer, 1), move || poisoner.poison("enough"))
    });
    let poisoned = (Err(How::Poisoned), Err((1, How::Poisoned)), ());
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(()), ()), poisoned]));
}

#[test]
fn poison_frees_all_that_wait() {
    let seen = explore(|| {
        let channel = Channel::<Value>::new();
        let (one, other, poisoner) = (channel.reader(), channel.reader(), channel.writer());
        (move || read(&one), move || read(&other), move || poisoner.poison("enough"))
    });
    assert_eq!(seen, BTreeSet::from([(Err(How::Poisoned), Err(How::Poisoned), ())]));
}

/// A process that stops because of poison passes it on. The poison was there before the process's
/// ends were dropped.
#[test]
fn poison_travels() {
    let seen = explore(|| {
        let (one, two) = (Channel::<Value>::new(), Channel::<Value>::new());
        let (last, poisoner) = (two.reader(), one.writer());
        let (from, to) = (one.reader(), two.writer());
        let middle = move || {
            let _to = to;
            read(&from)
        };
        (move || read(&last), middle, move || poisoner.poison("enough"))
    });
    assert_eq!(seen, BTreeSet::from([(Err(How::Poisoned), Err(How::Poisoned), ())]));
}

/// All see the same poison.
#[test]
fn the_first_poison_stays() {
    let seen = explore(|| {
        let channel = Channel::<Value>::new();
        let (reader, x, y) = (channel.reader(), channel.writer(), channel.writer());
        let reason = |termination: Option<Termination>| match termination {
            Some(Termination::Poisoned(poison)) => poison.to_string(),
            other => format!("{other:?}"),
        };
        (
            move || {
                let read = reason(reader.read().err());
                assert_eq!(read, reason(reader.termination()));
                read
            },
            move || {
                x.poison("x");
                reason(x.termination())
            },
            move || {
                y.poison("y");
                reason(y.termination())
            },
        )
    });
    let all = |reason: &str| (reason.to_owned(), reason.to_owned(), reason.to_owned());
    assert_eq!(seen, BTreeSet::from([all("x (by process `b`)"), all("y (by process `c`)")]));
}

#[test]
fn poison_comes_after_retirement() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (writer, reader, poisoner) = (channel.writer(), channel.reader(), channel.writer());
        (move || write(&writer, 1), move || drop(reader), move || poisoner.poison("enough"))
    });
    let back = |how| (Err((1, how)), (), ());
    assert_eq!(seen, BTreeSet::from([back(How::Retired), back(How::Poisoned)]));
}

#[test]
fn retirement_is_seen_by_who_waits_for_it() {
    let seen = explore(|| {
        let channel = Channel::<Value>::new();
        let (reader, one, other) = (channel.reader(), channel.writer(), channel.writer());
        let watch = move || choose!(alt::retired(&reader) => retired);
        (watch, move || drop(one), move || drop(other))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Chose::Retired), (), ())]));
}
