//! What ends tell of their channel, and what they survive.

use csp::{Channel, Reader, Writer};
use csp_tests::{laws, multiprocess};
use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};
use std::task::{Context, Waker};

/// Returns the capacity, and whether both are ends of one channel.
#[multiprocess]
fn compares(one: Writer<u32>, other: Writer<u32>) -> (usize, bool) {
    (one.capacity(), one.same_channel(&other))
}

laws! {
    fn ends_know_their_channel_wherever_they_are(backend) {
        let (one, other) = (Channel::buffered(3), Channel::buffered(3));
        let kept = one.writer();
        let same = csp::spawn(backend.place(compares(kept.clone(), one.writer()))).join();
        assert_eq!(same, (3, true));
        let different = csp::spawn(backend.place(compares(kept, other.writer()))).join();
        assert_eq!(different, (3, false));
        assert!(one.same_channel(&one.clone()) && !one.same_channel(&other));
    }
}

/// Its values are not read, and its ends are not used.
#[csp::test]
fn a_channel_may_be_excused_from_the_question_for_leftovers() {
    let channels = 2 * Channel::buffered(3).may_be_dropped();
    for channel in &channels {
        let (_input, output) = (channel.reader(), channel.writer());
        output.write(1).unwrap();
    }
    let lives = Channel::buffered(1).may_be_dropped();
    let ends = (lives.reader(), lives.writer(), lives.writer());
    ends.2.write(1).unwrap();
    std::mem::forget(ends);
}

/// A reader that was handed the last value gives it back after the end.
#[test]
fn an_iterator_remembers_its_end() {
    let values = Channel::new();
    let (input, other, output) = (values.reader(), values.reader(), values.writer());
    let mut owned = input.clone().into_iter();
    let mut reads = Box::pin(other.read_async());
    assert!(reads.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    output.write(1).unwrap();
    drop((output, values));
    let mut lent = input.iter();
    assert_eq!((lent.next(), owned.next()), (None, None));
    drop(reads);
    assert_eq!((lent.next(), owned.next()), (None, None));
    assert_eq!(input.read(), Ok(1), "the value is there for who asks anew");
}

#[test]
fn the_filling_of_a_channel_is_told_by_all_that_have_it() {
    let values = Channel::buffered(2);
    let (input, output) = (values.reader(), values.writer());
    let told = || {
        let (r, w, c) = (&input, &output, &values);
        assert_eq!((r.len(), w.len(), r.capacity(), w.capacity()), (c.len(), c.len(), 2, 2));
        assert_eq!((r.is_empty(), w.is_empty()), (c.is_empty(), c.is_empty()));
        assert_eq!((r.is_full(), w.is_full()), (c.is_full(), c.is_full()));
        (c.len(), c.is_empty(), c.is_full())
    };
    assert_eq!(told(), (0, true, false));
    output.write(1).unwrap();
    assert_eq!(told(), (1, false, false));
    output.write(2).unwrap();
    assert_eq!(told(), (2, false, true));
    // An extended read keeps the room.
    let held = input.begin().unwrap();
    assert_eq!(told(), (1, false, true));
    drop(held);
    assert_eq!(told(), (1, false, false));
}

#[test]
fn a_read_may_be_caught_with_its_end() {
    let values = Channel::<u32>::new();
    let (input, output) = (values.reader(), values.writer());
    drop((output, values));
    assert!(catch_unwind(|| input.read()).unwrap().is_err());
}

#[test]
fn a_default_is_made_at_the_place_of_its_call() {
    let values: Channel<u32> = Channel::default();
    assert!(format!("{values:?}").contains(&format!("{}:{}:", file!(), line!() - 1)));
}

/// Ends of values that are not safe themselves are safe.
#[test]
fn what_processes_share_survives_a_panic() {
    fn safe<T: UnwindSafe + RefUnwindSafe>() {}
    type Value = std::cell::Cell<&'static mut u32>;
    safe::<Channel<Value>>();
    safe::<Reader<Value>>();
    safe::<Writer<Value>>();
    safe::<csp::Iter<'_, Value>>();
    safe::<csp::TryIter<'_, Value>>();
    safe::<csp::IntoIter<Value>>();
    safe::<csp::Barrier>();
    safe::<csp::Bucket>();
    safe::<csp::Spawned<Value>>();
}

#[test]
fn snapshots_of_one_state_are_equal() {
    let channel = Channel::<u32>::new().named("seen twice");
    let of = |network: csp::Network| {
        let mut found =
            network.channels().iter().filter(|found| found.name() == Some("seen twice"));
        found.next().cloned()
    };
    assert_eq!(of(csp::network()), of(csp::network()));
    let before = of(csp::network());
    let reader = channel.reader();
    assert_ne!(before, of(csp::network()));
    drop(reader);
}
