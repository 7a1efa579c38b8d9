//! Forged messages, by kind. Each forgery is an error of its
//! sender, and has no effect. Each honest message beside it is none.

use crate::backend::subprocess::protocol::{
    ChannelId, Departure, Direction, Ending, Event, Few, Machine, Message, NodeId, Offer, Out,
    Outcome, Parcel, Token, TransitId, Wild,
};

use super::stress::Random;

type Said = Message<u32, ()>;

/// This node, and four others. The reader and the writer each hold one end of the channels here. The
/// peer holds nothing. The home is that of a channel of which this node holds both ends.
const HERE: NodeId = NodeId(1);
const READER: NodeId = NodeId(2);
const WRITER: NodeId = NodeId(3);
const PEER: NodeId = NodeId(4);
const HOME: NodeId = NodeId(5);

/// A machine in the middle of all that others can speak about.
struct Scene {
    machine: Machine<u32, ()>,
    out: Out<u32, ()>,
    /// A rendezvous channel, one with two places, and a third one whose ends travel.
    plain: ChannelId,
    buffered: ChannelId,
    mobile: ChannelId,
    /// A channel of the other home, and this node's operations there.
    far: ChannelId,
    reads: u64,
    writes: u64,
    /// An operation with guards at two homes.
    chooses: u64,
    /// An end of the mobile channel: on its way in no value yet, in a value that is here, given to
    /// the reader, and on its way by the other home.
    sent: Token,
    stored: Token,
    given: Token,
    away: Token,
}

fn parcel(body: u32, tokens: &[Token]) -> Parcel<u32> {
    Parcel { body, tokens: tokens.to_vec() }
}

fn read(channel: ChannelId) -> Offer<u32> {
    Offer::Read { channel, extended: false }
}

fn write(channel: ChannelId, tokens: &[Token]) -> Offer<u32> {
    Offer::Write { channel, parcel: parcel(7, tokens) }
}

fn post(op: u64, multi: bool, guards: Vec<(u16, Offer<u32>)>) -> Said {
    Message::Post { op, multi, guards: Few::from(guards) }
}

fn transit(origin: NodeId, seq: u64) -> TransitId {
    TransitId { origin, seq, key: seq ^ 0x5eed }
}

impl Scene {
    fn new() -> Self {
        let mut machine = Machine::new(HERE);
        let mut out = Out::new(HERE);
        let [plain, buffered, mobile] = [0, 2, 0].map(|capacity| machine.create(capacity));
        // The ends, as they come to their holders.
        for channel in [plain, buffered, mobile] {
            for (direction, node) in [(Direction::Read, READER), (Direction::Write, WRITER)] {
                let token = machine.depart(channel, direction, node, &mut out);
                let Token { transit, .. } = token;
                let arrives = Message::MoveIn { channel: channel.index, direction, transit };
                assert_eq!(machine.handle(node, arrives, &mut out), Ok(()));
            }
        }
        // This node holds both ends of a channel elsewhere, and of the plain one here.
        let far = ChannelId { home: HOME, index: 0 };
        for (seq, direction) in [(0, Direction::Read), (1, Direction::Write)] {
            machine
                .arrive(Token { channel: far, direction, transit: transit(HOME, seq) }, &mut out);
            machine.add_end(plain, direction);
        }
        let reads = machine.begin(Few::one((0, read(far))), false, &mut out).seq;
        let writes = machine.begin(Few::one((0, write(far, &[]))), false, &mut out).seq;
        let guards = vec![(0, read(far)), (1, read(plain))];
        let chooses = machine.begin(Few::from(guards), false, &mut out).seq;
        let seq = |seq| transit(WRITER, seq);
        let token = |seq| Token {
            channel: mobile,
            direction: Direction::Write,
            transit: transit(WRITER, seq),
        };
        let mut scene = Scene {
            machine,
            out,
            plain,
            buffered,
            mobile,
            far,
            reads,
            writes,
            chooses,
            sent: token(0),
            stored: token(1),
            given: token(2),
            away: token(3),
        };
        for (at, via) in [(0, HERE), (1, HERE), (2, HERE), (3, HOME)] {
            scene.honest(WRITER, move_out(mobile, seq(at), via));
        }
        // A value that the reader is given, and one that stands here.
        let (given, stored) = (scene.given, scene.stored);
        scene.honest(WRITER, post(0, false, vec![(0, write(buffered, &[given]))]));
        scene.honest(READER, post(0, false, vec![(0, read(buffered))]));
        scene.honest(WRITER, post(1, false, vec![(0, write(buffered, &[stored]))]));
        // Operations that stand here: the reader's own choice is asked.
        scene.honest(READER, post(1, true, vec![(0, Offer::Retired { channel: mobile })]));
        scene.out.send.clear();
        scene.out.events.clear();
        scene
    }

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

fn move_out(channel: ChannelId, transit: TransitId, via: NodeId) -> Said {
    Message::MoveOut { channel: channel.index, direction: Direction::Write, transit, via }
}

/// Lets `say` make the messages from a fresh scene, and each of them is a forgery.
#[track_caller]
fn all_forged(say: impl Fn(&Scene) -> Vec<(NodeId, Said)>) {
    let count = say(&Scene::new()).len();
    for at in 0..count {
        let mut scene = Scene::new();
        let (from, message) = say(&scene).swap_remove(at);
        scene.forged(from, message);
    }
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
        let Scene { reads, writes, chooses, mobile, stored, given, .. } = *scene;
        let value = || Some(parcel(7, &[]));
        let done = |op, guard, parcel| Message::Done { op, guard, channel: 0, parcel };
        let commit = |op, parcel| Message::Commit { op, guard: 0, channel: 0, parcel, park: false };
        let claim =
            |op, guard, parcel, park| Message::Claim { op, guard, channel: 0, parcel, park };
        let unknown =
            Token { channel: mobile, direction: Direction::Read, transit: transit(HOME, 9) };
        let own = Token { transit: transit(HERE, 99), ..unknown };
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
            // With ends that the home does not have.
            (HOME, done(reads, 0, Some(parcel(7, &[stored])))),
            (HOME, done(reads, 0, Some(parcel(7, &[given])))),
            (HOME, done(reads, 0, Some(parcel(7, &[unknown])))),
            (HOME, done(reads, 0, Some(parcel(7, &[own])))),
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
    all_forged(|scene| {
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
        scene.forged(READER, arrives());
        scene.forged(PEER, arrives());
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
    scene.forged(HOME, Message::MoveIn { channel, direction, transit: first });
    scene.forged(HOME, Message::MoveIn { channel, direction, transit: second });
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
    assert!(matches!(scene.out.broken[..], [(PEER, Wild(_))]));
    // So does the end of the node that is said to have sent it.
    let mut scene = Scene::new();
    let first = arrives(&scene, 10);
    scene.waits(PEER, first);
    let heard = scene.machine.lost(WRITER, Departure::Retires, &[], Vec::new(), &mut scene.out);
    assert_eq!(heard, Ok(()));
    assert!(matches!(scene.out.broken[..], [(PEER, Wild(_))]));
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
    all_forged(|scene| {
        let Scene { stored, given, away, .. } = *scene;
        let settled = |token: Token| Message::Settled { transit: token.transit };
        let ask = |token: Token, dead| Message::Ask { transit: token.transit, dead };
        let gone = |token: Token, dead| Message::Gone { transit: token.transit, dead };
        vec![
            (PEER, settled(stored)),
            (READER, settled(given)),
            (PEER, ask(stored, WRITER)),
            (PEER, ask(stored, READER)),
            (PEER, gone(away, WRITER)),
            (PEER, gone(given, READER)),
            (READER, gone(given, READER)),
        ]
    });
    // Nothing is remembered of journeys that the sender or this home would have begun.
    let mut scene = Scene::new();
    let died = scene.machine.lost(PEER, Departure::Retires, &[], Vec::new(), &mut scene.out);
    assert_eq!(died, Ok(()));
    scene.out.send.clear();
    scene.out.events.clear();
    for origin in [HOME, HERE] {
        scene.forged(HOME, Message::Gone { transit: transit(origin, 50), dead: PEER });
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

impl Scene {
    /// Draws a message of any kind about what is here.
    fn draw(&self, random: &mut Random) -> Said {
        let Scene { sent, stored, given, away, reads, writes, chooses, .. } = *self;
        let direction = |random: &mut Random| [Direction::Read, Direction::Write][random.below(2)];
        let node = |random: &mut Random| [HERE, READER, WRITER, PEER, HOME][random.below(5)];
        let drawn = transit(node(random), random.below(14) as u64);
        let token = |random: &mut Random| {
            let known = [sent, stored, given, away, Token { transit: drawn, ..sent }];
            let mut token = known[random.below(5)];
            if random.one_in(4) {
                token.channel.index = random.below(4) as u64;
            }
            token
        };
        let parcel = |random: &mut Random| {
            let tokens = (0..random.below(3)).map(|_| token(random)).collect();
            Parcel { body: 7, tokens }
        };
        let channel = random.below(5) as u64;
        let offer = |random: &mut Random| {
            let channel = ChannelId { home: HERE, index: random.below(5) as u64 };
            match random.below(3) {
                0 => Offer::Read { channel, extended: random.one_in(3) },
                1 => Offer::Write { channel, parcel: parcel(random) },
                _ => Offer::Retired { channel },
            }
        };
        let op = [reads, writes, chooses, 1, random.below(6) as u64][random.below(5)];
        let (guard, park) = (random.below(3) as u16, random.one_in(3));
        let Token { transit, .. } = token(random);
        let value = random.one_in(2).then(|| parcel(random));
        let dead = node(random);
        match random.below(26) {
            0..3 => {
                let (count, multi) = (1 + random.below(2) as u16, random.one_in(2));
                let guards = (0..count).map(|guard| (guard, offer(random))).collect();
                Message::Post { op, multi, guards }
            }
            3 => Message::Take { op },
            4 => Message::Refuse { op },
            5 => Message::Held { op },
            6 => Message::Cancel { op },
            7 => Message::Probe { op },
            8 => Message::Finish { op },
            9 => Message::Done { op, guard, channel, parcel: value },
            10 => Message::Closed { op, guard, ending: Ending::Retired },
            11 => Message::Closed { op, guard, ending: Ending::Lost(dead) },
            12 => Message::Withdrawn { op },
            13 => Message::Probed { op },
            14 => Message::Claim { op, guard, channel, parcel: value, park },
            15 => Message::Reserve { op },
            16 => Message::Commit { op, guard, channel, parcel: value, park },
            17 => Message::Release { op },
            18 => {
                let ends = random.below(3) as u32;
                Message::Retire { channel, direction: direction(random), ends }
            }
            19 => Message::MoveOut { channel, direction: direction(random), transit, via: dead },
            20 => Message::MoveIn { channel, direction: direction(random), transit },
            21 => Message::Drop { channel, transit },
            22 => Message::Back { channel, parcel: parcel(random) },
            23 => Message::Returned { channel, transit },
            24 => Message::Settled { transit },
            _ if random.one_in(2) => Message::Ask { transit, dead },
            _ => Message::Gone { transit, dead },
        }
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
