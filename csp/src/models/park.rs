//! The parking of a plain thread: each `unpark` lets one `park` go on, whether that began before it
//! or not.
//!
//! Here threads wait with `ThreadPark`. In the other models they wait with `Post`, which has the
//! same contract.

use super::*;
use crate::wait::blocked::Want;
use crate::wait::park::current;

struct Nothing;

impl Blocked for Nothing {
    fn place(&self) -> &'static Location<'static> {
        Location::caller()
    }

    fn wants(&self, _: &mut dyn FnMut(Want<'_>)) {}
}

/// Returns the results that `main` may have, in all orders with the threads that it spawns. It is
/// given the `Park` of its thread.
fn explore_thread<R: Outcome>(
    main: impl Fn(&'static dyn Park) -> R + Send + Sync + 'static,
) -> BTreeSet<R> {
    check(bound(2), move |judge| judge(main(current().park())))
}

#[test]
fn an_unpark_lets_a_park_go_on() {
    let seen = explore_thread(|park| {
        thread::spawn(|| park.unpark());
        park.park(&Nothing, None)
    });
    assert_eq!(seen, BTreeSet::from([true]));
}

#[test]
fn an_unpark_is_kept_for_a_later_park() {
    let seen = explore_thread(|park| {
        park.unpark();
        (park.park(&Nothing, None), park.park(&Nothing, Some(Instant::now())))
    });
    assert_eq!(seen, BTreeSet::from([(true, false)]));
}

/// In time or not, the `unpark` is taken once.
#[test]
fn an_unpark_meets_a_deadline() {
    let seen = explore_thread(|park| {
        thread::spawn(|| park.unpark());
        let in_time = park.park(&Nothing, Some(Instant::now()));
        if !in_time {
            assert!(park.park(&Nothing, None));
        }
        assert!(!park.park(&Nothing, Some(Instant::now())));
        in_time
    });
    assert_eq!(seen, BTreeSet::from([true, false]));
}

#[test]
fn two_threads_park_in_turn() {
    let seen = explore_thread(|park| {
        let other = Rc::new(Cell::new(None));
        let me = Rc::clone(&other);
        thread::spawn(move || {
            let mine = current().park();
            me.set(Some(mine));
            park.unpark();
            mine.park(&Nothing, None);
            park.unpark();
        });
        let first = park.park(&Nothing, None);
        other.get().expect("it was set before the `unpark`").unpark();
        (first, park.park(&Nothing, None))
    });
    assert_eq!(seen, BTreeSet::from([(true, true)]));
}

#[test]
fn two_threads_communicate() {
    let seen = explore_thread(|_| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        thread::spawn(move || [1, 2].map(|n| write(&writer, n)));
        drop(channel);
        [read(&reader), read(&reader), read(&reader)]
    });
    assert_eq!(seen, BTreeSet::from([[Ok(1), Ok(2), Err(How::Retired)]]));
}

#[test]
fn two_threads_choose() {
    let seen = explore_thread(|_| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.writer());
        let (c, d) = (right.reader(), left.writer());
        thread::spawn(
            move || choose!(alt::read(&c) => got, alt::write(&d, Value::new(2)) => wrote),
        );
        drop((left, right));
        choose!(alt::read(&a) => got, alt::write(&b, Value::new(1)) => wrote)
    });
    assert_eq!(seen, BTreeSet::from([Ok(Chose::Read(2)), Ok(Chose::Wrote)]));
}
