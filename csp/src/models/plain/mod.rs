//! Reads and writes, and nothing else.

#[cfg(feature = "cores")]
mod late;

use loom::cell::UnsafeCell;

use super::*;

#[test]
fn a_write_meets_a_read() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || read(&reader), move || write(&writer, 1))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(()))]));
}

/// The work of either side before the rendezvous is visible to the other afterwards.
#[test]
fn a_rendezvous_orders_both_sides() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let (left, right) = (Rc::new(UnsafeCell::new(0)), Rc::new(UnsafeCell::new(0)));
        let (my_left, my_right) = (Rc::clone(&left), Rc::clone(&right));
        // SAFETY: `loom` checks that no other thread is at the cells.
        let (get, set) =
            (|cell: *const i32| unsafe { *cell }, |cell: *mut i32| unsafe { *cell = 1 });
        (
            move || {
                left.with_mut(set);
                (read(&reader), right.with(get))
            },
            move || {
                my_right.with_mut(set);
                (write(&writer, 1), my_left.with(get))
            },
        )
    });
    assert_eq!(seen, BTreeSet::from([((Ok(1), 1), (Ok(()), 1))]));
}

#[test]
fn of_two_readers_one_gets_the_value() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other, writer) = (channel.reader(), channel.reader(), channel.writer());
        (move || read(&one), move || read(&other), move || write(&writer, 1))
    });
    let retired = Err(How::Retired);
    assert_eq!(seen, BTreeSet::from([(Ok(1), retired, Ok(())), (retired, Ok(1), Ok(()))]));
}

#[test]
fn of_two_writers_one_gets_its_value_back() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, one, other) = (channel.reader(), channel.writer(), channel.writer());
        (move || read(&reader), move || write(&one, 1), move || write(&other, 2))
    });
    let back = |n| Err((n, How::Retired));
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(()), back(2)), (Ok(2), back(1), Ok(()))]));
}

#[test]
fn two_writers_are_both_served() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, one, other) = (channel.reader(), channel.writer(), channel.writer());
        (
            move || [read(&reader), read(&reader), read(&reader)],
            move || write(&one, 1),
            move || write(&other, 2),
        )
    });
    let end = Err(How::Retired);
    assert_eq!(
        seen,
        BTreeSet::from([
            ([Ok(1), Ok(2), end], Ok(()), Ok(())),
            ([Ok(2), Ok(1), end], Ok(()), Ok(()))
        ])
    );
}

#[test]
fn two_pairs_meet_on_one_channel() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (one, other) = (channel.reader(), channel.reader());
        let (first, second) = (channel.writer(), channel.writer());
        (
            move || read(&one),
            move || read(&other),
            move || write(&first, 1),
            move || write(&second, 2),
        )
    });
    let (a, b) = ((Ok(1), Ok(2), Ok(()), Ok(())), (Ok(2), Ok(1), Ok(()), Ok(())));
    assert_eq!(seen, BTreeSet::from([a, b]));
}

/// The processes of a group, and a process that waits for them.
#[test]
fn who_waits_for_a_group_goes_on_when_all_have_left() {
    let seen = explore(|| {
        let group = Rc::new(Group::new(Location::caller()));
        group.enter(2);
        let (one, other) = (Rc::clone(&group), Rc::clone(&group));
        (move || group.wait(), move || one.leave(1), move || other.leave(1))
    });
    assert_eq!(seen, BTreeSet::from([((), (), ())]));
}
