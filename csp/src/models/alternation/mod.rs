//! Choices: against plain reads and writes, against each other, against ends of channels, and
//! against time.

mod priority;

use super::Chose::{Late, Nothing, Read, Wrote};
use super::*;
use crate::choice::alternation::Alternation;

const RETIRED: How = How::Retired;
const POISONED: How = How::Poisoned;

#[test]
fn two_writes_meet_one_choice() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.reader());
        let (one, other) = (left.writer(), right.writer());
        let choice = move || choose!(alt::read(&a) => got, alt::read(&b) => got);
        (choice, move || write(&one, 1), move || write(&other, 2))
    });
    let back = |n| Err((n, RETIRED));
    assert_eq!(
        seen,
        BTreeSet::from([(Ok(Read(1)), Ok(()), back(2)), (Ok(Read(2)), back(1), Ok(()))])
    );
}

#[test]
fn two_reads_meet_one_choice() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.writer(), right.writer());
        let (one, other) = (left.reader(), right.reader());
        let choice = move || {
            choose!(
                alt::write(&a, Value::new(1)) => |()| 1,
                alt::write(&b, Value::new(2)) => |()| 2,
            )
        };
        (choice, move || read(&one), move || read(&other))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(1), Err(RETIRED)), (Ok(2), Err(RETIRED), Ok(2))]));
}

#[test]
fn a_read_and_a_write_meet_one_choice() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.writer());
        let (one, other) = (left.writer(), right.reader());
        let choice = move || choose!(alt::read(&a) => got, alt::write(&b, Value::new(2)) => wrote);
        (choice, move || write(&one, 1), move || read(&other))
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Ok(Read(1)), Ok(()), Err(RETIRED)),
            (Ok(Wrote), Err((1, RETIRED)), Ok(2)),
        ])
    );
}

/// Inputs against outputs, in the opposite order, twice: once in each round.
#[test]
fn two_choices_meet_once_a_round() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.reader());
        let (c, d) = (left.writer(), right.writer());
        let inputs = move || [(); 2].map(|()| choose!(alt::read(&a) => got, alt::read(&b) => got));
        let outputs = move || {
            [1, 2].map(|n| {
                choose!(
                    alt::write(&d, Value::new(10 + n)) => |()| Chose::Read(10 + n),
                    alt::write(&c, Value::new(20 + n)) => |()| Chose::Read(20 + n),
                )
            })
        };
        (inputs, outputs)
    });
    assert!(seen.iter().all(|(inputs, outputs)| inputs == outputs), "{seen:?}");
    assert!(seen.iter().flat_map(|(inputs, _)| inputs).all(std::result::Result::is_ok), "{seen:?}");
    assert!(seen.len() > 1, "{seen:?}");
}

/// Each of two processes has an input and an output to the other, and offers both.
#[test]
fn two_choices_of_both_directions_meet_once() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.writer());
        let (c, d) = (right.reader(), left.writer());
        let one = move || choose!(alt::read(&a) => got, alt::write(&b, Value::new(1)) => wrote);
        let other = move || choose!(alt::read(&c) => got, alt::write(&d, Value::new(2)) => wrote);
        (one, other)
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Read(2)), Ok(Wrote)), (Ok(Wrote), Ok(Read(1)))]));
}

/// Each can read from its left or write to its right. Two of them agree, and the third is left
/// alone.
#[test]
fn of_three_choices_in_a_ring_two_meet() {
    let seen = explore(|| {
        let (one, two, three) = (Channel::new(), Channel::new(), Channel::new());
        let member = |from: Reader<Value>, to: Writer<Value>, n| move || choose!(alt::read(&from) => got, alt::write(&to, Value::new(n)) => wrote);
        (
            member(one.reader(), two.writer(), 1),
            member(two.reader(), three.writer(), 2),
            member(three.reader(), one.writer(), 3),
        )
    });
    let (wrote, alone) = (Ok(Wrote), Err(RETIRED));
    assert_eq!(
        seen,
        BTreeSet::from([
            (wrote, Ok(Read(1)), alone),
            (alone, wrote, Ok(Read(2))),
            (Ok(Read(3)), alone, wrote),
        ])
    );
}

/// A process that offers both ends of one channel never meets itself.
#[test]
fn two_choices_of_both_ends_meet_each_other() {
    let seen = explore(|| {
        let channel = Channel::new();
        let member = |n| {
            let (reader, writer) = (channel.reader(), channel.writer());
            move || choose!(alt::read(&reader) => got, alt::write(&writer, Value::new(n)) => wrote)
        };
        (member(1), member(2))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Read(2)), Ok(Wrote)), (Ok(Wrote), Ok(Read(1)))]));
}

/// The value is read or written, or late for both.
#[test]
fn a_choice_of_both_ends_meets_others() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let (one, other) = (channel.reader(), channel.writer());
        let both = move || {
            choose!(
                alt::write(&writer, Value::new(1)) => wrote,
                alt::read(&reader) => got,
                timeout() => late,
            )
        };
        (both, move || read(&one), move || write(&other, 2))
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Ok(Wrote), Ok(1), Err((2, RETIRED))),
            (Ok(Read(2)), Err(RETIRED), Ok(())),
            (Ok(Late), Ok(2), Ok(())),
        ])
    );
}

/// The process that is poisoned poisons the other ends that it holds.
#[test]
fn poison_meets_a_choice() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::<Value>::new());
        let (a, b) = (left.reader(), right.reader());
        let (writer, poisoner) = (left.writer(), right.writer());
        let choice = move || choose!(alt::read(&a) => got, alt::read(&b) => got);
        (choice, move || write(&writer, 1), move || poisoner.poison("enough"))
    });
    assert_eq!(
        seen,
        BTreeSet::from([(Ok(Read(1)), Ok(()), ()), (Err(POISONED), Err((1, POISONED)), ()),])
    );
}

#[test]
fn poison_meets_two_choices() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::<Value>::new());
        let (a, b) = (left.reader(), right.reader());
        let (c, d) = (left.writer(), right.reader());
        let poisoner = right.writer();
        let inputs = move || choose!(alt::read(&a) => got, alt::read(&b) => got);
        let mixed = move || choose!(alt::read(&d) => got, alt::write(&c, Value::new(1)) => wrote);
        (inputs, mixed, move || poisoner.poison("enough"))
    });
    assert_eq!(
        seen,
        BTreeSet::from([(Ok(Read(1)), Ok(Wrote), ()), (Err(POISONED), Err(POISONED), ()),])
    );
}

#[test]
fn a_retired_guard_is_left_out() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::<Value>::new());
        let (a, b) = (left.reader(), right.reader());
        let (writer, leaver) = (left.writer(), right.writer());
        let choice = move || choose!(alt::read(&b) => got, alt::read(&a) => got);
        (choice, move || write(&writer, 1), move || drop(leaver))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Read(1)), Ok(()), ())]));
}

#[test]
fn a_choice_ends_when_all_its_channels_have() {
    let seen = explore(|| {
        let (left, right) = (Channel::<Value>::new(), Channel::new());
        let (a, b) = (left.reader(), right.writer());
        let (one, other) = (left.writer(), right.reader());
        let choice = move || choose!(alt::read(&a) => got, alt::write(&b, Value::new(1)) => wrote);
        (choice, move || drop(one), move || drop(other))
    });
    assert_eq!(seen, BTreeSet::from([(Err(RETIRED), (), ())]));
}

/// It stands twice in one channel's queue, and so is counted twice when the channel ends.
#[test]
fn a_choice_of_one_channel_twice_ends_with_it() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (a, b, writer) = (channel.reader(), channel.reader(), channel.writer());
        let choice = move || [(); 2].map(|()| choose!(alt::read(&a) => got, alt::read(&b) => got));
        (choice, move || write(&writer, 1))
    });
    assert_eq!(seen, BTreeSet::from([([Ok(Read(1)), Err(RETIRED)], Ok(()))]));
}

/// Retirement is a guard of its own, and not the end of the choice.
#[test]
fn a_choice_waits_for_retirement_too() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::<Value>::new());
        let (a, b) = (left.reader(), right.reader());
        let (writer, leaver) = (left.writer(), right.writer());
        let choice = move || choose!(alt::read(&a) => got, alt::retired(&b) => retired);
        (choice, move || write(&writer, 1), move || drop(leaver))
    });
    assert_eq!(
        seen,
        BTreeSet::from([(Ok(Read(1)), Ok(()), ()), (Ok(Chose::Retired), Err((1, RETIRED)), ()),])
    );
}

#[test]
fn a_write_is_in_time_or_comes_back() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let write = move || {
            choose!(
                alt::write(&writer, Value::new(1)) => wrote,
                timeout() => late,
            )
        };
        (write, move || read(&reader))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Wrote), Ok(1)), (Ok(Late), Err(RETIRED))]));
}

#[test]
fn two_choices_are_both_in_time_or_neither() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let write = move || {
            choose!(
                alt::write(&writer, Value::new(1)) => wrote,
                timeout() => late,
            )
        };
        let read = move || choose!(alt::read(&reader) => got, timeout() => late);
        (write, read)
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Ok(Wrote), Ok(Read(1))),
            (Ok(Late), Ok(Late)),
            (Ok(Late), Err(RETIRED)),
            (Err(RETIRED), Ok(Late)),
        ])
    );
}

#[test]
fn of_two_writes_and_a_timeout_one_is_chosen() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.reader());
        let (one, other) = (left.writer(), right.writer());
        let choice = move || choose!(alt::read(&a) => got, timeout() => late, alt::read(&b) => got);
        (choice, move || write(&one, 1), move || write(&other, 2))
    });
    let back = |n| Err((n, RETIRED));
    assert_eq!(
        seen,
        BTreeSet::from([
            (Ok(Read(1)), Ok(()), back(2)),
            (Ok(Read(2)), back(1), Ok(())),
            (Ok(Late), back(1), back(2)),
        ])
    );
}

/// Retirement ends it in time, or is too late.
#[test]
fn a_timeout_meets_retirement_and_poison() {
    let seen = explore(|| {
        let (left, right) = (Channel::<Value>::new(), Channel::<Value>::new());
        let (a, b) = (left.reader(), right.reader());
        let (leaver, poisoner) = (left.writer(), right.writer());
        let choice = move || choose!(alt::read(&a) => got, alt::read(&b) => got, timeout() => late);
        (choice, move || drop(leaver), move || poisoner.poison("enough"))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Late), (), ()), (Err(POISONED), (), ())]));
}

/// A choice that only looks meets one that waits. The value is found, or left where it is.
#[test]
fn a_choice_with_skip_takes_a_value_or_leaves_it() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::<Value>::new());
        let (looker, writer) = (left.reader(), left.writer());
        let (never, keeper) = (right.reader(), right.writer());
        let look = move || {
            let _keeper = keeper;
            first!(alt::read(&looker) => got, alt::skip() => nothing)
        };
        let wait =
            move || choose!(alt::write(&writer, Value::new(1)) => wrote, alt::read(&never) => got);
        (look, wait)
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Read(1)), Ok(Wrote)), (Ok(Nothing), Err(RETIRED))]));
}

/// Guards are kept from one round to the next. A guard that stood before, and was withdrawn, stands
/// again.
#[test]
fn an_alternation_is_used_again() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.writer());
        let (one, other) = (left.writer(), right.reader());
        let twice = move || {
            let mut alternation = Alternation::new();
            alternation.read(&a, got);
            alternation.write(&b, || Value::new(2), || Wrote);
            [(); 2].map(|()| alternation.choose().map_err(How::from))
        };
        (twice, move || write(&one, 1), move || read(&other))
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            ([Ok(Read(1)), Ok(Wrote)], Ok(()), Ok(2)),
            ([Ok(Wrote), Ok(Read(1))], Ok(()), Ok(2)),
        ])
    );
}

/// A guard that was left out stays out. Later events at its channel do not concern it.
#[test]
fn a_guard_that_was_left_out_does_not_come_back() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b, writer) = (left.reader(), right.reader(), right.writer());
        drop(left.writer());
        let choice = move || choose!(alt::read(&a) => got, alt::read(&b) => got);
        let late = move || {
            let late = left.writer();
            write(&late, 2)
        };
        (choice, move || write(&writer, 1), late)
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Read(1)), Ok(()), Err((2, RETIRED)))]));
}
