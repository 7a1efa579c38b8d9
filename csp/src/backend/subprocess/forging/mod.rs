//! OS processes that break the rules of the protocol, each by a message of its real link. Their parent
//! ends them and says why. All others go on, and nothing is left.
#![allow(unsafe_code, reason = "sections for the linker, in the crate that collects them")]

#[cfg(feature = "address")]
mod members;

use std::fs;
use std::time::Duration;

use super::node::{Node, forged};
use super::protocol::{
    ChannelId, Direction, Ending, Few, Message, NodeId, Offer, Parcel, Token, TransitId,
};
use super::transport::wire::Wired;
use super::transport::wire::samples::bytes_of;
use crate::channel::far::Bytes;
use crate::{Channel, Reader, Writer, multiprocess, spawn, try_parallel};

/// The fate of a message and of its author.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    Refused,
    /// It has no effect, and may be honest.
    Ignored,
    /// It has no effect within a program, and is refused if another program says it.
    IgnoredWithin,
    /// It is answered. The author's own node has asked nothing, so it takes its parent for a forger.
    Answered,
}
use Fate::{Answered, Ignored, IgnoredWithin, Refused};

/// Returns messages that a child without ends may not send to its parent, and some that have no
/// effect there. `me` is the child.
fn messages(me: NodeId) -> Vec<(Wired, Fate)> {
    // A channel that was never made. The last two numbers stand for ends that are void, and for ends that can't cross.
    let channel = u64::MAX - 2;
    let here = |home| ChannelId { home, index: channel };
    let transit = TransitId { origin: me, seq: 1 << 40, key: 5 };
    let parcel = || Parcel::new(Bytes::copy(b"\0value"), Vec::new());
    let (op, guard, direction) = (1 << 50, 0, Direction::Read);
    let token = Token { channel: here(me), direction, transit };
    let post = |offer| Message::Post { op, multi: false, guards: Few::one((0, offer)) };
    let value = || Some(parcel());
    vec![
        (post(Offer::Read { channel: here(me), extended: false }), Refused),
        (post(Offer::Write { channel: here(me), parcel: parcel() }), Refused),
        (post(Offer::Retired { channel: here(me) }), Refused),
        (Message::Post { op, multi: true, guards: Few::new() }, Refused),
        (Message::Take { op }, Refused),
        (Message::Refuse { op }, Refused),
        (Message::Held { op }, Refused),
        (Message::Cancel { op }, Ignored),
        (Message::Probe { op }, Ignored),
        (Message::Finish { op }, Ignored),
        (Message::Done { op, guard, channel, parcel: value() }, Refused),
        (Message::Closed { op, guard, ending: Ending::Retired }, Ignored),
        (Message::Withdrawn { op }, Refused),
        (Message::Probed { op }, Ignored),
        (Message::Claim { op, guard, channel, parcel: value(), park: false }, Answered),
        (Message::Reserve { op }, Answered),
        (Message::Commit { op, guard, channel, parcel: value(), park: false }, Refused),
        (Message::Release { op }, Refused),
        (Message::Retire { channel, direction, ends: 1 }, Refused),
        (Message::Poison { channel, cause: Bytes::copy(b"why") }, Refused),
        (Message::MoveOut { channel, direction, transit, via: me }, Refused),
        // Somebody else may have made it believe that it has these ends. They are void.
        (Message::MoveIn { channel, direction, transit }, Ignored),
        (Message::Drop { channel, transit }, Ignored),
        (Message::Returned { channel, transit }, Ignored),
        (Message::Settled { transit }, Ignored),
        (Message::Ask { transit, dead: NodeId(7) }, Refused),
        (Message::Gone { transit, dead: NodeId(7) }, IgnoredWithin),
        (Message::Back { channel, parcel: parcel() }, Refused),
        (Message::Back { channel, parcel: Parcel { tokens: vec![token; 2], ..parcel() } }, Refused),
    ]
}

/// Returns all that a child sends in its turn, as bytes. `above` is its parent.
fn forgeries(me: NodeId, above: NodeId) -> Vec<(Vec<u8>, Fate)> {
    let mut all: Vec<(Vec<u8>, Fate)> =
        messages(me).into_iter().map(|(message, fate)| (bytes_of(message), fate)).collect();
    // Notes about nodes for which it does not speak, and waves that come from above.
    all.extend(forged::notes(me, above).into_iter().map(|bytes| (bytes, Refused)));
    // Relayed: half an address, another's name, half a message.
    let take = || Message::Take { op: 1 };
    let whole = forged::relayed(me, above, take());
    all.push((whole[..10].to_vec(), Refused));
    all.push((forged::relayed(above, me, take()), Refused));
    all.push((whole[..20].to_vec(), Refused));
    // No message at all.
    all.push((vec![99; 30], Refused));
    all.push((vec![1], Refused));
    all
}

/// Sends the message with this number, and goes on as if nothing were.
#[multiprocess(crate = crate)]
fn forger(number: usize, gone_on: Writer<u64>) {
    let node = Node::here();
    let above = super::node::parent().expect("a parent");
    let bytes = forgeries(node.id(), above).swap_remove(number).0;
    node.say(above, &bytes);
    // Its parent may have heard the first, and cut it off.
    let _ = gone_on.write(number as u64);
}

/// Sends a message in its own name to a node of which its parent knows the way.
#[multiprocess(crate = crate)]
fn slanders(other: u64, gone_on: Option<Writer<u64>>) {
    let node = Node::here();
    let poison = Message::Poison { channel: 77, cause: Bytes::copy(b"why") };
    let above = super::node::parent().expect("a parent");
    node.say(above, &forged::relayed(node.id(), NodeId(other), poison));
    match gone_on {
        Some(gone_on) => gone_on.write(1).expect("a reader"),
        None => loop {
            std::thread::park();
        },
    }
}

/// Has a child that forges, and passes that on.
#[multiprocess(crate = crate)]
fn has_a_forger(gone_on: Writer<u64>) -> String {
    let above = super::node::parent().expect("a parent");
    let failure = spawn(slanders(above.0, None)).try_join().expect_err("it is cut off");
    gone_on.write(1).expect("a reader");
    failure.message().to_owned()
}

#[multiprocess(crate = crate)]
fn honest(name: Writer<u64>, jobs: Reader<u64>, results: Writer<u64>) {
    name.write(Node::here().id().0).expect("a reader");
    drop(name);
    for job in &jobs {
        results.write(job + 1).expect("a reader");
    }
}

/// Runs in an OS process of its own, because it counts what that has.
#[multiprocess(crate = crate)]
fn forges_one_by_one() {
    let (name, jobs, results) = (Channel::new(), Channel::new(), Channel::new());
    let other = spawn(honest(name.writer(), jobs.reader(), results.writer()));
    let sibling = name.reader().read().expect("a name");
    let (to, back) = (jobs.writer(), results.reader());
    drop((name, jobs, results));
    let goes_on = |n: u64| {
        to.write(n).expect("the honest one reads");
        assert_eq!(back.read(), Ok(n + 1));
    };
    let descriptors = || fs::read_dir("/proc/self/fd").expect("/proc").count();
    let forges = |number| {
        let gone_on = Channel::new();
        let input = gone_on.reader();
        let forging = spawn(forger(number, gone_on.writer()));
        drop(gone_on);
        let heard = input.read();
        (heard, forging.try_join())
    };
    // Threads and tables are made once.
    assert!(forges(7).1.is_ok());
    let before = descriptors();
    let here = Node::here().id();
    for (number, (bytes, fate)) in forgeries(NodeId(1), here).into_iter().enumerate() {
        let (heard, ended) = forges(number);
        let what = format!("{number}: {bytes:?}");
        match fate {
            Answered => assert!(ended.is_err(), "{what}: {ended:?}"),
            Ignored | IgnoredWithin => {
                assert!(heard.is_ok() && ended.is_ok(), "{what}: {heard:?} {ended:?}");
            }
            Refused => {
                let failure = ended.err().unwrap_or_else(|| panic!("{what} was heard"));
                assert!(failure.message().contains("broke the protocol"), "{what}: {failure}");
                assert!(heard.is_err(), "{what}");
            }
        }
        goes_on(number as u64);
    }
    // Siblings: the one that is slandered hears no more of the other, and nobody ends.
    let gone_on = Channel::new();
    let (input, forging) = (gone_on.reader(), spawn(slanders(sibling, Some(gone_on.writer()))));
    drop(gone_on);
    assert_eq!(input.read(), Ok(1));
    forging.try_join().expect("it has wronged only its sibling");
    goes_on(1000);
    // A forger behind a child is ended by that, and the child goes on.
    let gone_on = Channel::new();
    let (input, parent) = (gone_on.reader(), spawn(has_a_forger(gone_on.writer())));
    drop(gone_on);
    input.read().expect("it goes on");
    let why = parent.try_join().expect("it has done nothing wrong");
    assert!(why.contains("broke the protocol"), "{why}");
    goes_on(1001);
    // The threads that stand for children end soon after them.
    while descriptors() > before {
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(to);
    other.join();
}

#[test]
fn each_forgery_ends_its_author_and_nobody_else() {
    let done = try_parallel!(forges_one_by_one());
    assert!(done.is_ok(), "{done:?}");
}
