//! A node in the middle of all that others can speak about, and what hostile ones say to it.

use crate::backend::subprocess::protocol::{
    ChannelId, Departure, Direction, Ending, Few, Machine, Message, NodeId, Offer, Out, Parcel,
    Token, TransitId,
};

/// Decides what comes next.
pub(super) trait Chance {
    /// Returns a number below `n`.
    fn below(&mut self, n: usize) -> usize;

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Each byte decides once.
struct Drawn<'a>(&'a [u8]);

impl Chance for Drawn<'_> {
    fn below(&mut self, n: usize) -> usize {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                usize::from(*first) % n
            }
            None => 0,
        }
    }
}

pub(super) type Said = Message<u32, ()>;

/// This node, and four others. The reader and the writer each hold one end of the channels here. The
/// peer holds nothing. The home is that of a channel of which this node holds both ends.
pub(super) const HERE: NodeId = NodeId(1);
pub(super) const READER: NodeId = NodeId(2);
pub(super) const WRITER: NodeId = NodeId(3);
pub(super) const PEER: NodeId = NodeId(4);
pub(super) const HOME: NodeId = NodeId(5);

/// A machine in the middle of all that others can speak about.
pub(super) struct Scene {
    pub(super) machine: Machine<u32, ()>,
    pub(super) out: Out<u32, ()>,
    /// A rendezvous channel, one with two places, and a third one whose ends travel.
    pub(super) plain: ChannelId,
    pub(super) buffered: ChannelId,
    pub(super) mobile: ChannelId,
    /// A channel of the other home, and this node's operations there.
    pub(super) far: ChannelId,
    pub(super) reads: u64,
    pub(super) writes: u64,
    /// An operation with guards at two homes.
    pub(super) chooses: u64,
    /// An end of the mobile channel: on its way in no value yet, in a value that is here, given to
    /// the reader, and on its way by the other home.
    pub(super) sent: Token,
    pub(super) stored: Token,
    pub(super) given: Token,
    pub(super) away: Token,
}

pub(super) fn parcel(body: u32, tokens: &[Token]) -> Parcel<u32> {
    Parcel::new(body, tokens.to_vec())
}

pub(super) fn read(channel: ChannelId) -> Offer<u32> {
    Offer::Read { channel, extended: false }
}

pub(super) fn write(channel: ChannelId, tokens: &[Token]) -> Offer<u32> {
    Offer::Write { channel, parcel: parcel(7, tokens) }
}

pub(super) fn post(op: u64, multi: bool, guards: Vec<(u16, Offer<u32>)>) -> Said {
    Message::Post { op, multi, guards: Few::from(guards) }
}

pub(super) fn transit(origin: NodeId, seq: u64) -> TransitId {
    TransitId { origin, seq, key: seq ^ 0x5eed }
}

impl Scene {
    pub(super) fn new() -> Self {
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
            scene.says(WRITER, move_out(mobile, seq(at), via));
        }
        // A value that the reader is given, and one that stands here.
        let (given, stored) = (scene.given, scene.stored);
        scene.says(WRITER, post(0, false, vec![(0, write(buffered, &[given]))]));
        scene.says(READER, post(0, false, vec![(0, read(buffered))]));
        scene.says(WRITER, post(1, false, vec![(0, write(buffered, &[stored]))]));
        // Operations that stand here: the reader's own choice is asked.
        scene.says(READER, post(1, true, vec![(0, Offer::Retired { channel: mobile })]));
        scene.out.send.clear();
        scene.out.events.clear();
        scene
    }

    fn says(&mut self, from: NodeId, message: Said) {
        assert_eq!(self.machine.handle(from, message, &mut self.out), Ok(()));
    }
}

pub(super) fn move_out(channel: ChannelId, transit: TransitId, via: NodeId) -> Said {
    Message::MoveOut { channel: channel.index, direction: Direction::Write, transit, via }
}

impl Scene {
    /// Draws a message of any kind about what is here.
    pub(super) fn draw<C: Chance>(&self, random: &mut C) -> Said {
        let Scene { sent, stored, given, away, reads, writes, chooses, .. } = *self;
        let direction = |random: &mut C| [Direction::Read, Direction::Write][random.below(2)];
        let node = |random: &mut C| [HERE, READER, WRITER, PEER, HOME][random.below(5)];
        let drawn = transit(node(random), random.below(14) as u64);
        let token = |random: &mut C| {
            let known = [sent, stored, given, away, Token { transit: drawn, ..sent }];
            let mut token = known[random.below(5)];
            if random.one_in(4) {
                token.channel.index = random.below(4) as u64;
            }
            token
        };
        let parcel = |random: &mut C| {
            let tokens = (0..random.below(3)).map(|_| token(random)).collect();
            Parcel::new(7, tokens)
        };
        let channel = random.below(5) as u64;
        let offer = |random: &mut C| {
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

/// Lets bytes decide what hostile nodes say, while this node goes on, and which of them die. The home
/// stays one that another node would take over, and is taken over in the end. It is over once all others are dead.
pub(in crate::backend::subprocess) fn play(bytes: &[u8]) {
    let mut drawn = Drawn(bytes);
    let mut scene = Scene::new();
    while !drawn.0.is_empty() {
        let from = [READER, WRITER, PEER, HOME][drawn.below(4)];
        match drawn.below(32) {
            0 => {
                let unread = (0..2).map(|_| scene.draw(&mut drawn)).collect();
                let _ = scene.machine.lost(from, Departure::Poisons, &[0], unread, &mut scene.out);
            }
            1 => scene.machine.shun(from, &mut scene.out),
            2 => scene.begins(&mut drawn),
            _ => {
                let message = scene.draw(&mut drawn);
                let _ = scene.machine.handle(from, message, &mut scene.out);
            }
        }
        assert!(scene.machine.home.is_sound());
        scene.out.send.clear();
        scene.out.events.clear();
    }
    let Scene { mut machine, mut out, .. } = scene;
    machine.leave(&mut out);
    let mut heir = Machine::heir(machine.into_estate()).expect("it keeps the rules");
    for node in [READER, WRITER, PEER, HOME] {
        assert_eq!(heir.lost(node, Departure::Retires, &[], Vec::new(), &mut out), Ok(()));
    }
    assert!(heir.home.is_sound());
    assert!(heir.is_over(), "nobody needs it any more");
}

impl Scene {
    /// Begins or withdraws an operation of this node.
    fn begins<C: Chance>(&mut self, chance: &mut C) {
        let Self { plain, buffered, mobile, far, .. } = *self;
        let channel = [plain, buffered, mobile, far][chance.below(4)];
        let next = self.machine.next();
        match chance.below(4) {
            0 => drop(self.machine.begin(Few::one((0, read(channel))), false, &mut self.out)),
            1 => drop(self.machine.begin(Few::one((0, write(channel, &[]))), false, &mut self.out)),
            2 => {
                let guards = vec![(0, read(channel)), (1, read(far))];
                self.machine.begin(Few::from(guards), false, &mut self.out);
            }
            _ => {
                let seq = next.seq.saturating_sub(1 + chance.below(4) as u64);
                self.machine.withdraw(super::super::OpId { seq, ..next }, &mut self.out);
            }
        }
    }
}
