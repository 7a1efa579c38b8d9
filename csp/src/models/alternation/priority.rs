//! Choices by priority: a guard is never taken while another has been ready before it.

use super::*;

fn by_priority(first: &Reader<Value>, second: &Reader<Value>) -> Result<Chose, How> {
    first!(alt::read(first) => got, alt::read(second) => got)
}

fn by_alternation(first: &Reader<Value>, second: &Reader<Value>) -> Result<Chose, How> {
    let mut alternation = Alternation::by_priority();
    alternation.read(first, got);
    alternation.read(second, got);
    alternation.choose().map_err(How::from)
}

fn by_future(first: &Reader<Value>, second: &Reader<Value>) -> Result<Chose, How> {
    futures::drive(async {
        static SITE: alt::Site = alt::Site::new();
        let (mut one, mut other) = (alt::read(first), alt::read(second));
        match alt::first_async(&SITE, [one.offer(), other.offer()]).await {
            Err(termination) => Err(How::from(termination)),
            Ok(0) => Ok(got(one.value())),
            Ok(_) => Ok(got(other.value())),
        }
    })
}

type Choice = fn(&Reader<Value>, &Reader<Value>) -> Result<Chose, How>;

const CHOICES: [Choice; 3] = [by_priority, by_alternation, by_future];

/// Explores a choice against a process that makes its guards ready.
fn against(
    choice: Choice,
    capacity: usize,
    makes: impl Fn(Writer<Value>, Writer<Value>) + Copy + Send + Sync + 'static,
) -> BTreeSet<Result<Chose, How>> {
    let seen = explore(move || {
        let channel = || match capacity {
            0 => Channel::new(),
            room => Channel::buffered(room),
        };
        let (first, second) = (channel(), channel());
        let (a, b) = (first.reader(), second.reader());
        let (one, other) = (first.writer(), second.writer());
        (move || choice(&a, &b), move || makes(one, other))
    });
    seen.into_iter().map(|(chosen, ())| chosen).collect()
}

#[test]
fn what_is_written_first_is_read_first() {
    for choice in CHOICES {
        let seen = against(choice, 1, |one, other| {
            let _ = write(&one, 1);
            let _ = write(&other, 2);
        });
        assert_eq!(seen, BTreeSet::from([Ok(Read(1))]));
    }
}

/// The process that chooses has made the channels, so their locks belong to its thread until the other one comes. It takes a second
/// guard without a second look at the first one only if no other thread has been at the first.
#[test]
fn an_owner_reads_first_what_is_written_first() {
    for choice in [by_priority, by_alternation] {
        let seen = explore_owned(3, move || {
            let (first, second) = (Channel::buffered(1), Channel::buffered(1));
            let (a, b) = (first.reader(), second.reader());
            let (one, other) = (first.writer(), second.writer());
            let readers = (first.reader(), second.reader());
            let writes = move || {
                let _readers = readers;
                (write(&one, 1), write(&other, 2))
            };
            (writes, move || choice(&a, &b))
        });
        assert_eq!(seen, BTreeSet::from([((Ok(()), Ok(())), Ok(Read(1)))]));
    }
}

/// A value is at the second channel from the beginning, so the choice may be made before the other process comes.
#[test]
fn an_owner_reads_second_what_alone_is_there() {
    for choice in [by_priority, by_alternation] {
        let seen = explore_owned(3, move || {
            let (first, second) = (Channel::buffered(1), Channel::buffered(1));
            let (a, b) = (first.reader(), second.reader());
            let (one, other) = (first.writer(), second.writer());
            assert_eq!(write(&other, 2), Ok(()));
            (move || write(&one, 1), move || choice(&a, &b))
        });
        let chosen: BTreeSet<_> = seen.into_iter().map(|(_, chosen)| chosen).collect();
        assert_eq!(chosen, BTreeSet::from([Ok(Read(1)), Ok(Read(2))]));
    }
}

/// The other process makes the first guard ready, and then looks whether the second is still ready. If it is, the choice comes later.
#[test]
fn an_owner_that_has_chosen_second_has_chosen_before_the_first_was_ready() {
    for choice in [by_priority, by_alternation] {
        let seen = explore_owned(3, move || {
            let (first, second) = (Channel::buffered(1), Channel::buffered(1));
            let (a, b) = (first.reader(), second.reader());
            let (one, other) = (first.writer(), second.writer());
            let readers = (first.reader(), second.reader());
            assert_eq!(write(&other, 2), Ok(()));
            let looks = move || {
                let _readers = readers;
                assert_eq!(write(&one, 1), Ok(()));
                first!(alt::write(&other, Value::new(3)) => wrote, alt::skip() => nothing)
            };
            (looks, move || choice(&a, &b))
        });
        let second = (Ok(Wrote), Ok(Read(2)));
        assert_eq!(seen, BTreeSet::from([second, (Ok(Nothing), Ok(Read(1)))]));
    }
}

/// The second guard is ready, then is not, and is ready again after the first. A look at the first that is over before the lock of the
/// second is taken would miss that.
#[test]
fn a_second_guard_that_is_ready_again_comes_after_the_first() {
    for choice in CHOICES {
        let seen = explore(move || {
            let (first, second) = (Channel::buffered(1), Channel::buffered(1));
            let (a, b) = (first.reader(), second.reader());
            let (one, other) = (first.writer(), second.writer());
            let (keeps, takes) = (first.reader(), second.reader());
            assert_eq!(write(&other, 2), Ok(()));
            let makes = move || {
                let _keeps = keeps;
                let taken = first!(alt::read(&takes) => got, alt::skip() => nothing);
                assert_eq!([write(&one, 1), write(&other, 3)], [Ok(()); 2]);
                taken
            };
            (move || choice(&a, &b), makes)
        });
        let (first, second) = ((Ok(Read(1)), Ok(Read(2))), (Ok(Read(2)), Ok(Nothing)));
        assert_eq!(seen, BTreeSet::from([first, second]));
    }
}

/// Both become ready at one moment, by a choice of the same order.
#[test]
fn of_what_is_offered_at_once_the_first_is_read() {
    for choice in CHOICES {
        let seen = against(choice, 0, |one, other| {
            let _ = first!(
                alt::write(&one, Value::new(1)) => wrote,
                alt::write(&other, Value::new(2)) => wrote,
            );
        });
        assert_eq!(seen, BTreeSet::from([Ok(Read(1))]));
    }
}

/// The channel of the first guard has retired by the time at which the second is ready.
#[test]
fn a_first_guard_that_has_retired_is_no_longer_ready() {
    for choice in CHOICES {
        let seen = against(choice, 1, |one, other| {
            drop(one);
            let _ = write(&other, 2);
        });
        assert_eq!(seen, BTreeSet::from([Ok(Read(2))]));
    }
}

#[test]
fn a_first_guard_that_is_poisoned_ends_the_choice() {
    for choice in CHOICES {
        let seen = against(choice, 1, |one, other| {
            one.poison("enough");
            let _ = write(&other, 2);
        });
        assert_eq!(seen, BTreeSet::from([Err(How::Poisoned)]));
    }
}

#[test]
fn what_there_is_room_for_first_is_written_first() {
    let seen = explore(|| {
        let (first, second) = (Channel::buffered(1), Channel::buffered(1));
        let (a, b) = (first.writer(), second.writer());
        let (one, other) = (first.reader(), second.reader());
        // Both are full.
        let full = [write(&a, 1), write(&b, 2)];
        assert_eq!(full, [Ok(()); 2]);
        let readers = (first.reader(), second.reader());
        let choice = move || {
            let _readers = readers;
            first!(
                alt::write(&a, Value::new(3)) => |()| Read(3),
                alt::write(&b, Value::new(4)) => |()| Read(4),
            )
        };
        (choice, move || [read(&one), read(&other)])
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Read(3)), [Ok(1), Ok(2)])]));
}

#[test]
fn skip_is_taken_only_if_at_one_moment_no_other_is_ready() {
    let seen = explore(|| {
        let (first, second) = (Channel::buffered(1), Channel::buffered(1));
        let (a, b) = (first.reader(), second.reader());
        let (one, other) = (first.writer(), second.reader());
        // There is a value in one of the two at any time.
        let filler = second.writer();
        assert_eq!(write(&filler, 2), Ok(()));
        let moves = move || {
            let _filler = filler;
            let wrote = write(&one, 1);
            (wrote, first!(alt::read(&other) => got, alt::skip() => nothing))
        };
        (move || first!(alt::read(&a) => got, alt::read(&b) => got, alt::skip() => nothing), moves)
    });
    let chosen: BTreeSet<_> = seen.into_iter().map(|(chosen, _)| chosen).collect();
    assert_eq!(chosen, BTreeSet::from([Ok(Read(1)), Ok(Read(2))]));
}

/// Two choices by priority offer the two ends of the same channels, in opposite orders. Each may be
/// the one that finds the other.
#[test]
fn two_choices_by_priority_meet() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.writer());
        let (c, d) = (right.reader(), left.writer());
        let one = move || first!(alt::read(&a) => got, alt::write(&b, Value::new(1)) => wrote);
        let other = move || first!(alt::read(&c) => got, alt::write(&d, Value::new(2)) => wrote);
        (one, other)
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Read(2)), Ok(Wrote)), (Ok(Wrote), Ok(Read(1)))]));
}

#[test]
fn a_value_made_late_meets_a_choice_by_priority() {
    let seen = explore(|| {
        let (first, second) = (Channel::new(), Channel::<Value>::new());
        let (a, b) = (first.reader(), second.reader());
        let (one, keeper) = (first.writer(), second.writer());
        let choice = move || {
            let _keeper = keeper;
            first!(alt::read(&b) => got, alt::read(&a) => got, timeout() => late)
        };
        (choice, move || {
            choose!(alt::defer(&one) => |handover: crate::choice::guards::late::Handover<Value>| {
                handover.give(Value::new(1));
                Wrote
            })
        })
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Read(1)), Ok(Wrote)), (Ok(Late), Err(How::Retired))]));
}
