//! Barriers: many processes are committed at once, some of them elsewhere too.

use loom::cell::UnsafeCell;

use super::Chose::{Late, Read, Synced, Wrote};
use super::*;
use crate::choice::barrier::Barrier;
use crate::choice::bucket::Bucket;

/// Each process's work before the barrier is visible to all afterwards.
#[test]
fn all_who_are_enrolled_meet() {
    let seen = explore(|| {
        let barrier = Barrier::new();
        let cells = Rc::new([(); 3].map(|()| UnsafeCell::new(0)));
        let member = |n: usize, barrier: Barrier| {
            let cells = Rc::clone(&cells);
            move || {
                // SAFETY: `loom` checks that no other thread is at the cell.
                cells[n].with_mut(|cell| unsafe { *cell = 1 });
                barrier.sync();
                // SAFETY: as above.
                cells.iter().map(|cell| cell.with(|cell| unsafe { *cell })).sum::<i32>()
            }
        };
        (member(0, barrier.enrol()), member(1, barrier.enrol()), member(2, barrier))
    });
    assert_eq!(seen, BTreeSet::from([(3, 3, 3)]));
}

#[test]
fn who_resigns_is_not_waited_for() {
    let seen = explore(|| {
        let barrier = Barrier::new();
        let (one, other) = (barrier.enrol(), barrier.enrol());
        (move || barrier.sync(), move || other.sync(), move || drop(one))
    });
    assert_eq!(seen, BTreeSet::from([((), (), ())]));
}

/// Both synchronise, or both communicate.
#[test]
fn two_choices_of_a_barrier_and_a_channel_agree() {
    let seen = explore(|| {
        let (barrier, channel) = (Barrier::new(), Channel::new());
        let (other, reader, writer) = (barrier.enrol(), channel.reader(), channel.writer());
        (
            move || choose!(alt::sync(&barrier) => synced, alt::read(&reader) => got),
            move || choose!(alt::write(&writer, Value::new(1)) => wrote, alt::sync(&other) => synced),
        )
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Synced), Ok(Synced)), (Ok(Read(1)), Ok(Wrote))]));
}

/// A process that a channel has committed is not there for the barrier, and the other way round.
#[test]
fn a_choice_of_a_barrier_and_a_channel_takes_one() {
    let seen = explore(|| {
        let (barrier, channel) = (Barrier::new(), Channel::new());
        let (other, reader, writer) = (barrier.enrol(), channel.reader(), channel.writer());
        (
            move || choose!(alt::sync(&barrier) => synced, alt::read(&reader) => got),
            move || other.sync(),
            move || write(&writer, 1),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([(Ok(Synced), (), Err((1, How::Retired))), (Ok(Read(1)), (), Ok(())),])
    );
}

/// Two barriers reserve the same processes, in whatever order they came.
#[test]
fn three_choices_of_two_barriers_agree() {
    let seen = explore(|| {
        let (left, right) = (Barrier::new(), Barrier::new());
        let member = |left: Barrier, right: Barrier, turned: bool| {
            move || {
                if turned {
                    choose!(alt::sync(&right) => |()| "right", alt::sync(&left) => |()| "left")
                } else {
                    choose!(alt::sync(&left) => |()| "left", alt::sync(&right) => |()| "right")
                }
            }
        };
        (
            member(left.enrol(), right.enrol(), false),
            member(left.enrol(), right.enrol(), true),
            member(left, right, false),
        )
    });
    let all = |barrier| (Ok(barrier), Ok(barrier), Ok(barrier));
    assert_eq!(seen, BTreeSet::from([all("left"), all("right")]));
}

/// The barrier that is not chosen goes on without the chooser, which has resigned by then.
#[test]
fn a_choice_of_two_barriers_takes_one() {
    let seen = explore(|| {
        let (left, right) = (Barrier::new(), Barrier::new());
        let (one, other) = (left.enrol(), right.enrol());
        let choice =
            move || choose!(alt::sync(&left) => |()| "left", alt::sync(&right) => |()| "right");
        (choice, move || one.sync(), move || other.sync())
    });
    assert_eq!(seen, BTreeSet::from([(Ok("left"), (), ()), (Ok("right"), (), ())]));
}

#[test]
fn who_synchronises_is_in_time_or_was_late() {
    let seen = explore(|| {
        let barrier = Barrier::new();
        let member =
            |barrier: Barrier| move || choose!(alt::sync(&barrier) => synced, timeout() => late);
        (member(barrier.enrol()), member(barrier))
    });
    // A process that comes after the other has resigned synchronises with nobody.
    assert_eq!(
        seen,
        BTreeSet::from([
            (Ok(Synced), Ok(Synced)),
            (Ok(Late), Ok(Late)),
            (Ok(Late), Ok(Synced)),
            (Ok(Synced), Ok(Late)),
        ])
    );
}

#[test]
fn poison_takes_one_out_of_a_barrier() {
    let seen = explore(|| {
        let (barrier, channel) = (Barrier::new(), Channel::<Value>::new());
        let (other, reader, poisoner) = (barrier.enrol(), channel.reader(), channel.writer());
        (
            move || choose!(alt::sync(&barrier) => synced, alt::read(&reader) => got),
            move || other.sync(),
            move || poisoner.poison("enough"),
        )
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Synced), (), ()), (Err(How::Poisoned), (), ())]));
}

#[test]
fn a_bucket_lets_go_whom_it_holds() {
    let seen = explore(|| {
        let bucket = Bucket::new();
        let (one, other) = (bucket.clone(), bucket.clone());
        let flush = move || {
            let mut flushed = 0;
            while flushed < 2 {
                flushed += bucket.flush();
                thread::yield_now();
            }
            (flushed, bucket.holding())
        };
        (flush, move || one.fall_in(), move || other.fall_in())
    });
    assert_eq!(seen, BTreeSet::from([((2, 0), (), ())]));
}
