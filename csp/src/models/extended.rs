//! Reads in two steps, which keep their writer waiting.

use loom::cell::UnsafeCell;

use super::*;
use crate::channel::Extended;

/// A server's work before it releases its client. `loom` finds a client that does not wait for it.
#[derive(Clone)]
pub(super) struct Work(Rc<UnsafeCell<u8>>);

impl Work {
    pub(super) fn new() -> Self {
        Self(Rc::new(UnsafeCell::new(0)))
    }

    pub(super) fn done(&self, n: u8) {
        // SAFETY: `loom` checks that no other thread is at the cell.
        self.0.with_mut(|work| unsafe { *work = n });
    }

    pub(super) fn look(&self) -> u8 {
        // SAFETY: as above.
        self.0.with(|work| unsafe { *work })
    }
}

pub(super) fn serve(reader: &Reader<Value>, work: &Work) -> Got {
    let value = reader.begin()?;
    work.done(value.0);
    Ok(value.into_inner().0)
}

#[test]
fn a_writer_waits_for_the_end_of_an_extended_read() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let work = Work::new();
        let served = work.clone();
        (move || serve(&reader, &work), move || (write(&writer, 1), served.look()))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), (Ok(()), 1))]));
}

#[test]
fn a_second_writer_waits_for_its_turn() {
    let seen = explore(|| {
        let channel = Channel::<Value>::new();
        let (reader, one, other) = (channel.reader(), channel.writer(), channel.writer());
        (
            move || {
                let first = reader.begin().map(|value| value.0);
                let second = reader.begin().map(|value| value.0);
                (first.map_err(How::from), second.map_err(How::from))
            },
            move || write(&one, 1),
            move || write(&other, 2),
        )
    });
    let (one, other) = ((Ok(1), Ok(2)), (Ok(2), Ok(1)));
    assert_eq!(seen, BTreeSet::from([(one, Ok(()), Ok(())), (other, Ok(()), Ok(()))]));
}

#[test]
fn poison_comes_too_late_for_an_extended_read() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer, poisoner) = (channel.reader(), channel.writer(), channel.writer());
        let work = Work::new();
        let served = work.clone();
        (
            move || serve(&reader, &work),
            move || {
                let wrote = write(&writer, 1);
                (wrote, wrote.is_ok().then(|| served.look()))
            },
            move || poisoner.poison("enough"),
        )
    });
    let poisoned = (Err(How::Poisoned), (Err((1, How::Poisoned)), None), ());
    assert_eq!(seen, BTreeSet::from([(Ok(1), (Ok(()), Some(1)), ()), poisoned]));
}

#[test]
fn an_alternation_waits_for_the_end_of_an_extended_read() {
    let seen = explore(|| {
        let (calls, other) = (Channel::new(), Channel::<Value>::new());
        let (reader, writer) = (calls.reader(), calls.writer());
        let (never, keeper) = (other.reader(), other.writer());
        let work = Work::new();
        let served = work.clone();
        let serving = move || {
            let _keeper = keeper;
            serve(&reader, &work)
        };
        let calling = move || {
            choose!(
                alt::read(&never) => |_| None,
                alt::write(&writer, Value::new(1)) => |()| Some(served.look()),
            )
        };
        (serving, calling)
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(Some(1)))]));
}

#[test]
fn an_alternation_reads_extended() {
    let seen = explore(|| {
        let (calls, others) = (Channel::new(), Channel::new());
        let (call, writer) = (calls.reader(), calls.writer());
        let (other, second) = (others.reader(), others.writer());
        let work = Work::new();
        let served = work.clone();
        let serve = move || {
            let begun = |value: Extended<'_, Value>| {
                work.done(value.0);
                value.into_inner().0
            };
            choose!(alt::begin(&call) => begun, alt::read(&other) => |value: Value| value.0)
        };
        let call = move || {
            let wrote = write(&writer, 1);
            (wrote, wrote.is_ok().then(|| served.look()))
        };
        (serve, call, move || write(&second, 2))
    });
    let back = |n| Err((n, How::Retired));
    let (one, other) = ((Ok(1), (Ok(()), Some(1)), back(2)), (Ok(2), (back(1), None), Ok(())));
    assert_eq!(seen, BTreeSet::from([one, other]));
}

/// Its room is free again only when the read is over.
#[test]
fn an_extended_read_keeps_the_room_of_its_value() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, writer) = (channel.reader(), channel.writer());
        let work = Work::new();
        let served = work.clone();
        let serve = move || {
            let first = serve(&reader, &work);
            (first, read(&reader))
        };
        (serve, move || (write(&writer, 1), write(&writer, 2), served.look()))
    });
    assert_eq!(seen, BTreeSet::from([((Ok(1), Ok(2)), (Ok(()), Ok(()), 1))]));
}
