//! Channels with room in between.

use super::*;

/// Reads everything, up to the end.
fn read_all(reader: &Reader<Value>) -> (Vec<u8>, Option<How>) {
    (reader.iter().map(|value| value.0).collect(), reader.termination().map(How::from))
}

#[test]
fn all_values_pass_in_order_before_the_end() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || read_all(&reader), move || [1, 2, 3].map(|n| write(&writer, n)))
    });
    assert_eq!(seen, BTreeSet::from([((vec![1, 2, 3], Some(How::Retired)), [Ok(()); 3])]));
}

#[test]
fn who_waits_for_room_is_served() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, one, other) = (channel.reader(), channel.writer(), channel.writer());
        (
            move || read_all(&reader),
            move || [write(&one, 1), write(&one, 2)],
            move || write(&other, 3),
        )
    });
    let orders = [[1, 2, 3], [1, 3, 2], [3, 1, 2]];
    let served = |order: [u8; 3]| ((order.to_vec(), Some(How::Retired)), [Ok(()); 2], Ok(()));
    assert_eq!(seen, BTreeSet::from(orders.map(served)));
}

#[test]
fn each_value_has_one_reader() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (writer, one, other) = (channel.writer(), channel.reader(), channel.reader());
        (
            move || [write(&writer, 1), write(&writer, 2)],
            move || read_all(&one),
            move || read_all(&other),
        )
    });
    let got = |one: &[u8], other: &[u8]| {
        let all = |values: &[u8]| (values.to_vec(), Some(How::Retired));
        ([Ok(()); 2], all(one), all(other))
    };
    assert_eq!(
        seen,
        BTreeSet::from([got(&[1, 2], &[]), got(&[1], &[2]), got(&[2], &[1]), got(&[], &[1, 2])])
    );
}

/// The values in the buffer are dropped then. Any other value comes back.
#[test]
fn the_last_reader_leaves_a_full_buffer() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || read(&reader), move || [1, 2, 3].map(|n| write(&writer, n)))
    });
    let back = |n| Err((n, How::Retired));
    assert_eq!(
        seen,
        BTreeSet::from([(Ok(1), [Ok(()), back(2), back(3)]), (Ok(1), [Ok(()), Ok(()), back(3)]),])
    );
}

#[test]
fn poison_empties_the_buffer() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, writer, poisoner) = (channel.reader(), channel.writer(), channel.writer());
        (
            move || read_all(&reader),
            move || [write(&writer, 1), write(&writer, 2)],
            move || poisoner.poison("enough"),
        )
    });
    let poisoned = Some(How::Poisoned);
    let back = |n| Err((n, How::Poisoned));
    assert_eq!(
        seen,
        BTreeSet::from([
            ((vec![], poisoned), [back(1), back(2)], ()),
            ((vec![], poisoned), [Ok(()), back(2)], ()),
            ((vec![1], poisoned), [Ok(()), back(2)], ()),
            ((vec![1], poisoned), [Ok(()), Ok(())], ()),
            ((vec![1, 2], poisoned), [Ok(()), Ok(())], ()),
        ])
    );
}

/// `retired` waits for the buffer to be empty.
#[test]
fn retirement_is_seen_when_all_is_read() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, watcher, writer) = (channel.reader(), channel.reader(), channel.writer());
        let watch = move || {
            let retired = choose!(alt::retired(&watcher) => retired);
            (retired, read(&watcher))
        };
        (move || read(&reader), watch, move || write(&writer, 1))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), (Ok(Chose::Retired), Err(How::Retired)), Ok(()))]));
}

/// An alternation that waits for room gets it. Its value goes in at that moment.
#[test]
fn an_alternation_waits_for_room() {
    let seen = explore(|| {
        let (full, other) = (Channel::buffered(1), Channel::<Value>::new());
        let (reader, writer) = (full.reader(), full.writer());
        let (never, keeper) = (other.reader(), other.writer());
        let writing = move || {
            let first = write(&writer, 1);
            let second = choose!(
                alt::write(&writer, Value::new(2)) => wrote,
                alt::read(&never) => got,
            );
            (first, second)
        };
        let reading = move || {
            let _keeper = keeper;
            [read(&reader), read(&reader)]
        };
        (writing, reading)
    });
    assert_eq!(seen, BTreeSet::from([((Ok(()), Ok(Chose::Wrote)), [Ok(1), Ok(2)])]));
}
