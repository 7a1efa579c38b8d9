//! Forged messages, by kind. Each forgery is an error of its
//! sender, and has no effect. Each honest message beside it is none.

use crate::backend::subprocess::protocol::{
    ChannelId, Departure, Direction, Ending, Event, Few, Message, NodeId, Offer, Outcome, Token,
    TransitId,
};

use super::scene::{
    Chance, HERE, HOME, PEER, READER, Said, Scene, WRITER, move_out, parcel, post, read, transit,
    write,
};
use super::stress::Random;
use crate::report::termination::Fate;

impl Scene {
    #[track_caller]
    fn honest(&mut self, from: NodeId, message: Said) {
        let what = format!("{message:?}");
        assert_eq!(self.machine.handle(from, message, &mut self.out), Ok(()), "{what}");
        assert!(self.out.broken.is_empty());
    }

    /// Checks that the message is an error, and changes nothing.
    #[track_caller]
    fn forged(&mut self, from: NodeId, message: Said) {
        let before = self.machine.clone();
        let what = format!("{message:?}");
        let heard = self.machine.handle(from, message, &mut self.out);
        assert!(heard.is_err(), "{from:?} may say {what}");
        assert!(self.out.send.is_empty() && self.out.events.is_empty(), "{what} has an effect");
        assert!(self.machine == before, "{what} changes something");
    }

    /// Checks that the message is no error, and gives nothing.
    #[track_caller]
    fn void(&mut self, from: NodeId, message: Said) {
        let mut before = self.machine.clone();
        let what = format!("{message:?}");
        self.honest(from, message);
        assert!(self.out.send.is_empty() && self.out.events.is_empty(), "{what} has an effect");
        before.home.counts.voids = self.machine.home.counts.voids.clone();
        assert!(self.machine == before, "{what} changes something");
    }

    /// Checks that the message waits, and that this is all that it does.
    #[track_caller]
    fn waits(&mut self, from: NodeId, message: Said) {
        let held = |scene: &Scene| {
            let counted = |direction| scene.machine.home.counted(scene.mobile.index, direction);
            [Direction::Read, Direction::Write].map(counted)
        };
        let before = held(self);
        self.honest(from, message);
        assert!(self.out.send.is_empty() && self.out.events.is_empty());
        assert_eq!(held(self), before);
    }
}

/// Lets `say` make the messages from a fresh scene, and each of them is a forgery.
#[track_caller]
fn all_forged(say: impl Fn(&Scene) -> Vec<(NodeId, Said)>) {
    all(say, Scene::forged);
}

/// The same for messages about ends that others may have made the sender believe to have.
#[track_caller]
fn all_void(say: impl Fn(&Scene) -> Vec<(NodeId, Said)>) {
    all(say, Scene::void);
}

#[track_caller]
fn all(say: impl Fn(&Scene) -> Vec<(NodeId, Said)>, are: fn(&mut Scene, NodeId, Said)) {
    let count = say(&Scene::new()).len();
    for at in 0..count {
        let mut scene = Scene::new();
        let (from, message) = say(&scene).swap_remove(at);
        are(&mut scene, from, message);
    }
}

fn ended(ending: Ending<()>, fate: Fate) -> Outcome<u32, ()> {
    Outcome::Ended { guard: 0, ending, fate }
}

#[test]
fn a_node_offers_only_at_ends_that_it_holds() {
    all_forged(|scene| {
        let Scene { plain, buffered, mobile, sent, stored, away, .. } = *scene;
        let unmade = ChannelId { home: HERE, index: 99 };
        let elsewhere = ChannelId { home: HOME, index: 0 };
        let other = Token { transit: transit(PEER, 0), ..sent };
        let not_out = Token { transit: transit(WRITER, 9), ..sent };
        let of_other_kind = Token { direction: Direction::Read, ..sent };
        vec![
            (PEER, post(0, false, vec![(0, read(plain))])),
            (PEER, post(0, true, vec![(0, Offer::Retired { channel: plain })])),
            (READER, post(9, false, vec![(0, write(plain, &[]))])),
            (WRITER, post(9, false, vec![(0, read(plain))])),
            (WRITER, post(9, true, vec![(0, write(plain, &[])), (1, read(mobile))])),
            (READER, post(9, false, vec![(0, read(unmade))])),
            (READER, post(9, false, vec![(0, read(elsewhere))])),
            (READER, post(9, false, Vec::new())),
            (READER, post(1, true, vec![(0, read(plain))])),
            (READER, post(9, true, vec![(1, read(plain)), (1, read(mobile))])),
            (READER, post(9, true, vec![(1, read(plain)), (0, read(mobile))])),
            // Values with ends that the writer has not sent out, or not in this value.
            (WRITER, post(9, false, vec![(0, write(buffered, &[other]))])),
            (WRITER, post(9, false, vec![(0, write(buffered, &[not_out]))])),
            (WRITER, post(9, false, vec![(0, write(buffered, &[of_other_kind]))])),
            (WRITER, post(9, false, vec![(0, write(buffered, &[stored]))])),
            (WRITER, post(9, false, vec![(0, write(buffered, &[away]))])),
            (WRITER, post(9, false, vec![(0, write(buffered, &[sent, sent]))])),
        ]
    });
    let mut scene = Scene::new();
    let Scene { buffered, sent, .. } = scene;
    scene.honest(WRITER, post(9, false, vec![(0, write(buffered, &[sent]))]));
}

#[test]
fn a_node_answers_only_what_it_was_asked() {
    all_forged(|scene| {
        let op = 1;
        let mut all = Vec::new();
        for from in [PEER, READER] {
            all.push((from, Message::Take { op }));
            all.push((from, Message::Refuse { op }));
            all.push((from, Message::Held { op }));
        }
        let chooses = scene.chooses;
        all.push((HOME, Message::Probed { op: chooses }));
        all
    });
}

#[test]
fn only_its_home_ends_an_operation() {
    all_forged(|scene| {
        let Scene { reads, writes, chooses, .. } = *scene;
        let value = || Some(parcel(7, &[]));
        let done = |op, guard, parcel| Message::Done { op, guard, channel: 0, parcel };
        let commit = |op, parcel| Message::Commit { op, guard: 0, channel: 0, parcel, park: false };
        let claim =
            |op, guard, parcel, park| Message::Claim { op, guard, channel: 0, parcel, park };
        let closed = |op, guard, ending| Message::Closed { op, guard, ending };
        let lost = Ending::Lost(PEER);
        vec![
            // By a node where it does not stand, or another guard.
            (PEER, done(reads, 0, value())),
            (HOME, done(reads, 1, value())),
            (HOME, done(reads, 77, value())),
            (HOME, done(999, 0, value())),
            (PEER, closed(reads, 0, Ending::Retired)),
            (PEER, closed(reads, 0, lost.clone())),
            (PEER, closed(reads, 0, Ending::Poisoned(()))),
            (HOME, closed(reads, 9, lost)),
            // A reader without a value, and a writer with one.
            (HOME, done(reads, 0, None)),
            (HOME, done(writes, 0, value())),
            (HOME, claim(chooses, 0, None, false)),
            (HOME, claim(chooses, 0, value(), true)),
            // By a home that does not decide, or has not asked.
            (HOME, done(chooses, 0, value())),
            (HOME, commit(chooses, value())),
            (HOME, commit(reads, value())),
            (PEER, claim(chooses, 0, value(), false)),
            (HOME, claim(chooses, 1, value(), false)),
            (HOME, claim(reads, 0, value(), false)),
            (PEER, Message::Reserve { op: chooses }),
            (HOME, Message::Reserve { op: reads }),
            (HOME, Message::Release { op: chooses }),
            (HOME, Message::Release { op: 999 }),
            (HOME, Message::Withdrawn { op: chooses }),
            (HOME, Message::Withdrawn { op: reads }),
            (PEER, Message::Withdrawn { op: reads }),
            (HOME, Message::Withdrawn { op: 999 }),
        ]
    });
    // A home that holds an operation asks nothing more about it.
    let mut scene = Scene::new();
    let op = scene.chooses;
    scene.honest(HOME, Message::Reserve { op });
    scene.out.send.clear();
    scene.forged(HOME, Message::Reserve { op });
    let parcel = Some(parcel(7, &[]));
    scene.forged(HOME, Message::Claim { op, guard: 0, channel: 0, parcel, park: false });
    scene.forged(PEER, Message::Release { op });
    scene.honest(HOME, Message::Release { op });
}

#[test]
fn a_node_retires_poisons_and_sends_out_only_ends_that_it_holds() {
    all_forged(|scene| {
        let Scene { plain, mobile, sent, .. } = *scene;
        let retire = |direction, ends| Message::Retire { channel: plain.index, direction, ends };
        let poison = |channel| Message::Poison { channel, cause: () };
        let out = |seq| move_out(mobile, transit(WRITER, seq), HERE);
        let other = |origin| move_out(mobile, transit(origin, 9), HERE);
        vec![
            (PEER, retire(Direction::Read, 1)),
            (READER, retire(Direction::Write, 1)),
            (READER, retire(Direction::Read, 2)),
            (READER, Message::Retire { channel: 99, direction: Direction::Read, ends: 1 }),
            (PEER, poison(plain.index)),
            (READER, poison(99)),
            // The end or the name is another's, or the journey is told twice or too late.
            (READER, other(READER)),
            (PEER, other(PEER)),
            (WRITER, other(READER)),
            (WRITER, move_out(mobile, sent.transit, HERE)),
            (WRITER, out(1)),
        ]
    });
    // The largest number is a number.
    let mut scene = Scene::new();
    let mobile = scene.mobile;
    scene.honest(WRITER, move_out(mobile, transit(WRITER, u64::MAX), HERE));
    scene.honest(WRITER, Message::Poison { channel: mobile.index, cause: () });
}

#[test]
fn an_end_arrives_only_where_it_was_given() {
    all_void(|scene| {
        let Scene { plain, mobile, sent, stored, given, away, .. } = *scene;
        let arrives = |token: Token| Message::MoveIn {
            channel: token.channel.index,
            direction: token.direction,
            transit: token.transit,
        };
        let as_reading = |token| arrives(Token { direction: Direction::Read, ..token });
        let at_plain = |token| arrives(Token { channel: plain, ..token });
        let guessed = |token: Token| Token {
            transit: TransitId { key: token.transit.key + 1, ..token.transit },
            ..token
        };
        let of = |origin, seq| arrives(Token { transit: transit(origin, seq), ..sent });
        let drops = |channel: ChannelId, token: Token| Message::Drop {
            channel: channel.index,
            transit: token.transit,
        };
        let returned = |token: Token| Message::Returned {
            channel: token.channel.index,
            transit: token.transit,
        };
        vec![
            // Given to another, to nobody, of another channel or direction, guessed.
            (PEER, arrives(given)),
            (PEER, arrives(stored)),
            (READER, arrives(stored)),
            (PEER, arrives(sent)),
            (READER, at_plain(given)),
            (READER, as_reading(given)),
            (PEER, arrives(guessed(away))),
            (READER, arrives(guessed(given))),
            (PEER, at_plain(away)),
            // Sent out by nobody.
            (PEER, of(PEER, 0)),
            (WRITER, of(WRITER, 50)),
            (PEER, of(HERE, 50)),
            // The same of an end that was destroyed.
            (PEER, drops(mobile, given)),
            (PEER, drops(mobile, stored)),
            (WRITER, drops(mobile, stored)),
            (WRITER, drops(mobile, given)),
            (PEER, drops(mobile, sent)),
            (READER, drops(plain, given)),
            (PEER, drops(mobile, Token { transit: transit(HERE, 50), ..sent })),
            // And of one that came back.
            (HOME, returned(away)),
            (PEER, returned(given)),
        ]
    });
    for token in [Scene::new().given, Scene::new().away] {
        let mut scene = Scene::new();
        let Token { channel, direction, transit } = token;
        let arrives = || Message::MoveIn { channel: channel.index, direction, transit };
        scene.honest(READER, arrives());
        // A second time it is another's, or nobody's.
        scene.out.send.clear();
        scene.void(READER, arrives());
        scene.void(PEER, arrives());
    }
    let mut scene = Scene::new();
    let Token { channel, transit, .. } = scene.sent;
    scene.honest(WRITER, Message::Drop { channel: channel.index, transit });
    // An end that is on its way no more is dropped without an effect.
    let Token { channel, transit, .. } = scene.away;
    let guessed = TransitId { key: transit.key + 1, ..transit };
    let before = scene.machine.clone();
    scene.honest(PEER, Message::Drop { channel: channel.index, transit: guessed });
    assert!(scene.machine == before);
}

/// The journeys that one node gives up do not push out those of another that are younger.
#[test]
fn the_journeys_that_were_given_up_last_are_remembered() {
    let mut scene = Scene::new();
    let Scene { plain, mobile, .. } = scene;
    assert!(READER < WRITER, "the names of the older journeys are the greater ones");
    let died = scene.machine.lost(PEER, Departure::Retires, &[], Vec::new(), &mut scene.out);
    assert_eq!(died, Ok(()));
    // A journey by a dead node is given up.
    for seq in 100..70_000 {
        scene.honest(WRITER, move_out(mobile, transit(WRITER, seq), PEER));
    }
    let read = |seq| (plain.index, Direction::Read, transit(READER, seq));
    for seq in [0, 1] {
        let (channel, direction, transit) = read(seq);
        scene.honest(READER, Message::MoveOut { channel, direction, transit, via: PEER });
    }
    let (channel, direction, first) = read(0);
    scene.honest(HOME, Message::MoveIn { channel, direction, transit: first });
    let (channel, _, second) = read(1);
    scene.honest(READER, Message::Drop { channel, transit: second });
    // Neither is remembered any longer.
    scene.out.send.clear();
    scene.void(HOME, Message::MoveIn { channel, direction, transit: first });
    scene.void(HOME, Message::MoveIn { channel, direction, transit: second });
}

/// Nobody is cut off because of a drop that comes when the home has forgotten the journey.
#[test]
fn a_drop_of_a_forgotten_journey_is_no_error() {
    let mut scene = Scene::new();
    let Scene { plain, mobile, .. } = scene;
    for seq in 100..70_000 {
        let transit = transit(WRITER, seq);
        scene.honest(WRITER, move_out(mobile, transit, HERE));
        scene.honest(WRITER, Message::Drop { channel: mobile.index, transit });
    }
    let died = scene.machine.lost(PEER, Departure::Retires, &[], Vec::new(), &mut scene.out);
    assert_eq!(died, Ok(()));
    let (channel, transit) = (plain.index, transit(READER, 0));
    let direction = Direction::Read;
    scene.honest(READER, Message::MoveOut { channel, direction, transit, via: PEER });
    scene.honest(READER, Message::Drop { channel, transit });
    scene.honest(READER, Message::Drop { channel, transit });
}

#[test]
fn an_end_that_has_not_set_out_gives_nothing() {
    let of = |seq| TransitId { origin: WRITER, seq, key: 77 };
    let arrives = |scene: &Scene, seq| Message::MoveIn {
        channel: scene.mobile.index,
        direction: Direction::Write,
        transit: of(seq),
    };
    let uses = |scene: &Scene| post(0, false, vec![(0, write(scene.mobile, &[]))]);
    // It waits, and so does all that is said later.
    let mut scene = Scene::new();
    let (first, second) = (arrives(&scene, 10), uses(&scene));
    scene.waits(PEER, first);
    scene.waits(PEER, second);
    // The news comes: what it said is heard.
    let mobile = scene.mobile;
    scene.honest(WRITER, move_out(mobile, of(10), HOME));
    assert!(scene.machine.home.stands(super::super::OpId { node: PEER, seq: 0 }));
    // Another journey shows that this one will not begin.
    let mut scene = Scene::new();
    let (first, second) = (arrives(&scene, 10), uses(&scene));
    scene.waits(PEER, first);
    scene.waits(PEER, second);
    let heard = scene.machine.handle(
        WRITER,
        move_out(scene.mobile, transit(WRITER, 11), HOME),
        &mut scene.out,
    );
    assert_eq!(heard, Ok(()), "the writer has done nothing wrong");
    let told = |scene: &Scene| {
        let closed = Message::Closed { op: 0, guard: 0, ending: Ending::Retired };
        scene.out.broken.is_empty() && scene.out.send.contains(&(PEER, closed))
    };
    assert!(told(&scene), "the end is void, and its holder goes on");
    // So does the end of the node that is said to have sent it.
    let mut scene = Scene::new();
    let (first, second) = (arrives(&scene, 10), uses(&scene));
    scene.waits(PEER, first);
    scene.waits(PEER, second);
    let heard = scene.machine.lost(WRITER, Departure::Retires, &[], Vec::new(), &mut scene.out);
    assert_eq!(heard, Ok(()));
    assert!(told(&scene));
    // The number of messages that wait is limited.
    let mut scene = Scene::new();
    let first = arrives(&scene, 10);
    scene.waits(PEER, first);
    let mut say = || {
        let message = uses(&scene);
        scene.machine.handle(PEER, message, &mut scene.out)
    };
    assert!((0..100_000).any(|_| say().is_err()));
}

/// An end that somebody was given, and that was never sent to it, is as of a channel that has retired.
#[test]
fn a_void_end_ends_nobody() {
    let mut scene = Scene::new();
    let Scene { plain, buffered, mobile, given, .. } = scene;
    let Token { transit: known, .. } = given;
    let arrives =
        |direction, transit| Message::MoveIn { channel: mobile.index, direction, transit };
    let closed = |op, guard| Message::Closed { op, guard, ending: Ending::Retired };
    let counted = |scene: &Scene| scene.machine.home.counted(mobile.index, Direction::Write);
    let before = counted(&scene);
    // Its operations there are closed, and those at other ends stand.
    scene.void(PEER, arrives(Direction::Write, known));
    scene.void(PEER, arrives(Direction::Write, known));
    scene.honest(PEER, post(0, false, vec![(0, write(mobile, &[]))]));
    assert_eq!(scene.out.send.pop(), Some((PEER, closed(0, 0))));
    scene.forged(PEER, post(1, false, vec![(0, read(mobile))]));
    scene.forged(PEER, post(1, false, vec![(0, write(plain, &[]))]));
    scene.void(PEER, Message::Poison { channel: mobile.index, cause: () });
    scene.void(WRITER, arrives(Direction::Read, known));
    scene.honest(WRITER, post(5, true, vec![(0, write(plain, &[])), (1, read(mobile))]));
    let told = (WRITER, closed(5, 1));
    assert!(scene.out.send.contains(&told));
    scene.out.send.clear();
    assert!(scene.machine.home.stands(super::super::OpId { node: WRITER, seq: 5 }));
    // It may be dropped, as often as it was given.
    let retire =
        |ends| Message::Retire { channel: mobile.index, direction: Direction::Write, ends };
    scene.forged(PEER, retire(3));
    scene.void(PEER, retire(2));
    scene.forged(PEER, post(1, false, vec![(0, write(mobile, &[]))]));
    // Sent on, it is void where it arrives.
    let token = Token { channel: mobile, direction: Direction::Read, transit: transit(WRITER, 20) };
    let Token { direction, transit, .. } = token;
    let channel = mobile.index;
    scene.honest(WRITER, Message::MoveOut { channel, direction, transit, via: HERE });
    scene.honest(WRITER, post(6, false, vec![(0, write(buffered, &[token]))]));
    for op in [20, 21] {
        scene.honest(READER, post(op, false, vec![(0, read(buffered))]));
    }
    scene.out.send.clear();
    let read_before = scene.machine.home.counted(channel, direction);
    scene.void(READER, arrives(direction, transit));
    assert_eq!(scene.machine.home.counted(channel, direction), read_before);
    assert_eq!(counted(&scene), before);
    // The number of them is limited.
    let mut scene = Scene::new();
    let mut say = |channel| {
        let message = Message::MoveIn { channel, direction, transit: known };
        scene.machine.handle(PEER, message, &mut scene.out)
    };
    assert!((0..100_000).any(|channel| say(channel).is_err()));
}

/// A home passes on what others write there. So a value may come with an end that the home does not
/// have, and the end is void.
#[test]
fn a_value_comes_with_void_ends() {
    let Scene { mobile, stored, given, .. } = Scene::new();
    let unknown = Token { channel: mobile, direction: Direction::Read, transit: transit(HOME, 9) };
    let own = Token { transit: transit(HERE, 99), ..unknown };
    for token in [stored, given, unknown, own] {
        let mut scene = Scene::new();
        let counted = |scene: &Scene| {
            let counted = |direction| scene.machine.home.counted(mobile.index, direction);
            [Direction::Read, Direction::Write].map(counted)
        };
        let (before, op) = (counted(&scene), scene.reads);
        let value = Some(parcel(7, &[token]));
        scene.honest(HOME, Message::Done { op, guard: 0, channel: 0, parcel: value });
        let event = scene.out.events.pop().map(|event| event.outcome);
        let Some(Outcome::Done { parcel: Some(value), .. }) = event else { panic!("{event:?}") };
        let [Token { channel, direction, .. }] = value.tokens[..] else { panic!("one end") };
        assert_eq!((direction, channel.home), (token.direction, HERE));
        // It is there, and good for nothing.
        let offer = match direction {
            Direction::Read => read(channel),
            Direction::Write => write(channel, &[]),
        };
        scene.machine.begin(Few::one((0, offer)), false, &mut scene.out);
        let event = scene.out.events.pop().map(|event| event.outcome);
        assert_eq!(event, Some(ended(Ending::Retired, Fate::Returned)));
        let sent = scene.machine.depart(channel, direction, READER, &mut scene.out);
        scene.machine.drop_end(channel, direction, &mut scene.out);
        let Token { transit, .. } = sent;
        scene.honest(READER, Message::MoveIn { channel: channel.index, direction, transit });
        scene.honest(READER, Message::Retire { channel: channel.index, direction, ends: 1 });
        assert_eq!(counted(&scene), before);
        assert!(!scene.out.wild);
    }
}

#[test]
fn only_what_was_given_comes_back() {
    all_forged(|scene| {
        let Scene { plain, buffered, sent, stored, given, far, .. } = *scene;
        let back = |channel: ChannelId, tokens: &[Token]| Message::Back {
            channel: channel.index,
            parcel: parcel(7, tokens),
        };
        let elsewhere = Token { channel: far, ..sent };
        vec![
            (PEER, back(buffered, &[])),
            (WRITER, back(buffered, &[])),
            (READER, back(plain, &[])),
            (READER, Message::Back { channel: 99, parcel: parcel(7, &[]) }),
            (READER, back(buffered, &[stored])),
            (READER, back(buffered, &[sent])),
            (READER, back(buffered, &[given, given])),
            (READER, back(buffered, &[elsewhere])),
        ]
    });
    // It comes back once.
    let mut scene = Scene::new();
    let Scene { buffered, given, .. } = scene;
    let back = || Message::Back { channel: buffered.index, parcel: parcel(7, &[given]) };
    scene.honest(READER, back());
    scene.out.send.clear();
    scene.forged(READER, back());
}

#[test]
fn only_the_homes_of_an_end_speak_of_its_journey() {
    let ask = |token: Token, dead| Message::Ask { transit: token.transit, dead };
    all_forged(|scene| vec![(PEER, ask(scene.stored, READER))]);
    all_void(|scene| {
        let Scene { stored, given, away, .. } = *scene;
        let settled = |token: Token| Message::Settled { transit: token.transit };
        let gone = |token: Token, dead| Message::Gone { transit: token.transit, dead };
        vec![
            (PEER, settled(stored)),
            (READER, settled(given)),
            (PEER, gone(away, WRITER)),
            (PEER, gone(given, READER)),
            (READER, gone(given, READER)),
        ]
    });
    // A home that asks about an end of another is told that its own is not there.
    let mut scene = Scene::new();
    let (stored, dead) = (scene.stored, WRITER);
    scene.honest(PEER, ask(stored, dead));
    let died = scene.machine.lost(dead, Departure::Retires, &[], Vec::new(), &mut scene.out);
    assert_eq!(died, Ok(()));
    let gone = Message::Gone { transit: stored.transit, dead };
    assert!(scene.out.send.contains(&(PEER, gone)));
    // Nothing is remembered of journeys that the sender or this home would have begun.
    let mut scene = Scene::new();
    let died = scene.machine.lost(PEER, Departure::Retires, &[], Vec::new(), &mut scene.out);
    assert_eq!(died, Ok(()));
    scene.out.send.clear();
    scene.out.events.clear();
    for origin in [HOME, HERE] {
        scene.void(HOME, Message::Gone { transit: transit(origin, 50), dead: PEER });
    }
    // The number of statements about nodes that are not dead is limited.
    let mut scene = Scene::new();
    let mut say = |seq: u64| {
        let dead = NodeId(seq + 100);
        let message = Message::Ask { transit: transit(dead, seq), dead };
        scene.machine.handle(PEER, message, &mut scene.out)
    };
    assert!((0..100_000).any(|seq| say(seq).is_err()));
}

/// A node that has left holds nothing any more.
#[test]
fn a_node_that_has_left_uses_no_end() {
    let mut scene = Scene::new();
    scene.honest(READER, Message::Leaves);
    scene.out.send.clear();
    let plain = scene.plain;
    scene.forged(READER, post(9, false, vec![(0, read(plain))]));
    // The others do not leave by that.
    scene.honest(WRITER, post(9, false, vec![(0, write(plain, &[]))]));
}

/// A node that is not heard any more is waited for no longer. When it dies, all of it is over.
#[test]
fn a_node_that_is_shunned_has_nothing_here() {
    for node in [READER, WRITER, HOME] {
        let mut scene = Scene::new();
        let Scene { plain, buffered, far, .. } = scene;
        scene.machine.shun(node, &mut scene.out);
        assert_eq!(scene.machine.home.check(), None);
        let own: Vec<_> = scene.out.events.drain(..).map(|event| event.outcome).collect();
        // It may have given the value of the write away. It would have asked about the choice.
        let fates = [Fate::Returned, Fate::Unknown, Fate::Returned];
        match node {
            HOME => assert_eq!(own, fates.map(|fate| ended(Ending::Lost(node), fate))),
            _ => assert_eq!(scene.machine.ending(plain, Direction::Read), Some(Ending::Lost(node))),
        }
        // It says nothing more, and nobody begins anything there.
        let before = scene.machine.clone();
        scene.honest(node, post(50, false, vec![(0, read(buffered))]));
        scene.honest(node, Message::Poison { channel: 99, cause: () });
        assert!(scene.machine == before);
        scene.machine.begin(Few::one((0, read(far))), false, &mut scene.out);
        let ended = scene.out.events.pop().map(|event| event.outcome);
        assert_eq!(ended.is_some(), node == HOME, "{ended:?}");
        let died = scene.machine.lost(node, Departure::Retires, &[], Vec::new(), &mut scene.out);
        assert_eq!((died, scene.machine.home.check()), (Ok(()), None));
    }
}

/// The unread messages of a dead node come from others. A value among them was given.
#[test]
fn what_a_dead_node_had_not_read_was_said_to_it() {
    let said = |scene: &Scene, tokens: &[Token]| Message::Done {
        op: 0,
        guard: 0,
        channel: scene.buffered.index,
        parcel: Some(parcel(7, tokens)),
    };
    let dies = |node, unread: fn(&Scene) -> Vec<Token>| {
        let mut scene = Scene::new();
        let unread = vec![said(&scene, &unread(&scene))];
        scene.machine.lost(node, Departure::Retires, &[], unread, &mut scene.out)
    };
    assert_eq!(dies(READER, |scene| vec![scene.given]), Ok(()));
    assert!(dies(READER, |scene| vec![scene.stored]).is_err());
    assert!(dies(PEER, |_| Vec::new()).is_err());
    assert!(dies(WRITER, |_| Vec::new()).is_err());
    // Its home had retired, and has not read a question that this node never asked.
    for (guard, offer) in
        [(0, Offer::Retired { channel: Scene::new().far }), (5, read(Scene::new().far))]
    {
        let mut scene = Scene::new();
        let unread = vec![post(scene.reads, false, vec![(guard, offer)])];
        let heard = scene.machine.lost(HOME, Departure::Retires, &[0], unread, &mut scene.out);
        let done = |event: &Event<u32, ()>| matches!(event.outcome, Outcome::Done { .. });
        assert!(!scene.out.events.iter().any(done), "nothing was read");
        assert!(heard.is_err() || guard == 0);
    }
}

/// Nodes say anything, until they are cut off and die. Nothing panics, and the home stays sound.
#[test]
fn no_message_breaks_a_home() {
    let (mut believed, mut refused) = (0, 0);
    for seed in 0..4_000 {
        let mut random = Random(seed);
        let mut scene = Scene::new();
        for _ in 0..40 {
            let from = [READER, WRITER, PEER, HOME][random.below(4)];
            let message = scene.draw(&mut random);
            let what = format!("{message:?}");
            match scene.machine.handle(from, message, &mut scene.out) {
                Ok(()) => believed += 1,
                Err(_) => refused += 1,
            }
            assert_eq!(scene.machine.home.check(), None, "seed {seed}: {from:?} said {what}");
            assert!(!scene.out.wild, "seed {seed}: {from:?} said {what}");
            if random.one_in(30) {
                let unread = (0..2).map(|_| scene.draw(&mut random)).collect();
                let _ = scene.machine.lost(from, Departure::Poisons, &[], unread, &mut scene.out);
                assert_eq!(scene.machine.home.check(), None, "seed {seed}: {from:?} died");
            }
            scene.out.send.clear();
            scene.out.events.clear();
        }
    }
    assert!(believed > 10_000 && refused > 10_000, "{believed} and {refused}");
}
