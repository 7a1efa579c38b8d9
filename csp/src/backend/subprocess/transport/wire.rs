//! Messages as bytes: 24 in front, then the parts of the kind, the value last. Little-endian.
//! Nothing that comes in is trusted: every length is checked against the bytes that are there.

use crate::backend::subprocess::protocol::{
    ChannelId, Direction, Ending, Few, Message, NodeId, Offer, Parcel, Token, TransitId, Wild,
};
use crate::channel::far::Bytes;

pub(in crate::backend::subprocess) type Wired = Message<Bytes, Bytes>;

/// The bytes in front: kind, flags, guard, a count, channel, operation.
const FRONT: usize = 24;

#[derive(Clone, Copy, Default)]
struct Front {
    kind: u8,
    flags: u8,
    guard: u16,
    count: u32,
    channel: u64,
    op: u64,
}

/// The flags, each for the kinds that have it.
const MULTI: u8 = 1;
/// For a `Post`: the thread that waits for it polls the links until it is answered.
const LEADS: u8 = 2;
const PARK: u8 = 1;
const WRITE: u8 = 1;
const PARCEL: u8 = 2;

mod kind {
    pub(super) const POST: u8 = 1;
    pub(super) const TAKE: u8 = 2;
    pub(super) const REFUSE: u8 = 3;
    pub(super) const HELD: u8 = 4;
    pub(super) const CANCEL: u8 = 5;
    pub(super) const PROBE: u8 = 6;
    pub(super) const FINISH: u8 = 7;
    pub(super) const DONE: u8 = 8;
    pub(super) const CLOSED: u8 = 9;
    pub(super) const WITHDRAWN: u8 = 10;
    pub(super) const PROBED: u8 = 11;
    pub(super) const CLAIM: u8 = 12;
    pub(super) const RESERVE: u8 = 13;
    pub(super) const COMMIT: u8 = 14;
    pub(super) const RELEASE: u8 = 15;
    pub(super) const RETIRE: u8 = 16;
    pub(super) const POISON: u8 = 17;
    pub(super) const MOVE_OUT: u8 = 18;
    pub(super) const MOVE_IN: u8 = 19;
    pub(super) const DROP: u8 = 20;
    pub(super) const SETTLED: u8 = 21;
    pub(super) const ASK: u8 = 22;
    pub(super) const GONE: u8 = 23;
    pub(super) const RETURNED: u8 = 24;
    pub(super) const LEAVES: u8 = 25;
    pub(super) const BACK: u8 = 26;
}

impl Front {
    #[inline]
    fn put(self, to: &mut Vec<u8>) {
        let mut bytes = [0; FRONT];
        bytes[0] = self.kind;
        bytes[1] = self.flags;
        bytes[2..4].copy_from_slice(&self.guard.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.channel.to_le_bytes());
        bytes[16..].copy_from_slice(&self.op.to_le_bytes());
        to.extend_from_slice(&bytes);
    }
}

/// Appends a message to `head`. If bytes are returned, they come behind it.
pub(in crate::backend::subprocess) fn encode(message: Wired, head: &mut Vec<u8>) -> Option<Bytes> {
    let front = Front::default();
    let of = |kind, op| Front { kind, op, ..front };
    let directed = |direction| match direction {
        Direction::Read => 0,
        Direction::Write => WRITE,
    };
    match message {
        // Operations, and the answers that carry values.
        Message::Post { op, multi, mut guards } => {
            let flags = if multi { MULTI } else { 0 };
            let count = guards.len() as u32;
            Front { flags, count, ..of(kind::POST, op) }.put(head);
            // The value of the last guard is the last part.
            let last = guards.pop();
            for (guard, offer) in guards {
                if let Some(body) = put_offer(guard, offer, head) {
                    head.extend(&*body);
                }
            }
            last.and_then(|(guard, offer)| put_offer(guard, offer, head))
        }
        Message::Done { op, guard, channel, parcel } => {
            put_parcel(Front { guard, channel, ..of(kind::DONE, op) }, parcel, head)
        }
        Message::Claim { op, guard, channel, parcel, park } => {
            let flags = if park { PARK } else { 0 };
            put_parcel(Front { guard, channel, flags, ..of(kind::CLAIM, op) }, parcel, head)
        }
        Message::Commit { op, guard, channel, parcel, park } => {
            let flags = if park { PARK } else { 0 };
            put_parcel(Front { guard, channel, flags, ..of(kind::COMMIT, op) }, parcel, head)
        }
        Message::Closed { op, guard, ending } => {
            let (flags, node, cause) = match ending {
                Ending::Retired => (0, NodeId(0), None),
                Ending::Poisoned(cause) => (1, NodeId(0), Some(cause)),
                Ending::Lost(node) => (2, node, None),
            };
            Front { guard, flags, channel: node.0, ..of(kind::CLOSED, op) }.put(head);
            cause
        }
        // Ends, and nodes.
        Message::Retire { channel, direction, ends } => {
            let flags = directed(direction);
            Front { channel, flags, count: ends, ..of(kind::RETIRE, 0) }.put(head);
            None
        }
        Message::Poison { channel, cause } => {
            Front { channel, ..of(kind::POISON, 0) }.put(head);
            Some(cause)
        }
        Message::MoveOut { channel, direction, transit, via } => {
            let flags = directed(direction);
            Front { channel, flags, ..of(kind::MOVE_OUT, transit.seq) }.put(head);
            put_transit(transit, head);
            head.extend(via.0.to_le_bytes());
            None
        }
        Message::MoveIn { channel, direction, transit } => {
            let flags = directed(direction);
            Front { channel, flags, ..of(kind::MOVE_IN, transit.seq) }.put(head);
            put_transit(transit, head);
            None
        }
        Message::Drop { channel, transit } => {
            Front { channel, ..of(kind::DROP, transit.seq) }.put(head);
            put_transit(transit, head);
            None
        }
        Message::Returned { channel, transit } => {
            Front { channel, ..of(kind::RETURNED, transit.seq) }.put(head);
            put_transit(transit, head);
            None
        }
        Message::Leaves => put_op(of(kind::LEAVES, 0), head),
        Message::Back { channel, parcel } => {
            put_parcel(Front { channel, ..of(kind::BACK, 0) }, Some(parcel), head)
        }
        Message::Settled { transit } => {
            of(kind::SETTLED, transit.seq).put(head);
            put_transit(transit, head);
            None
        }
        Message::Ask { transit, dead } => {
            Front { channel: dead.0, ..of(kind::ASK, transit.seq) }.put(head);
            put_transit(transit, head);
            None
        }
        Message::Gone { transit, dead } => {
            Front { channel: dead.0, ..of(kind::GONE, transit.seq) }.put(head);
            put_transit(transit, head);
            None
        }
        // Kinds that consist of the number of an operation.
        Message::Take { op } => put_op(of(kind::TAKE, op), head),
        Message::Refuse { op } => put_op(of(kind::REFUSE, op), head),
        Message::Held { op } => put_op(of(kind::HELD, op), head),
        Message::Cancel { op } => put_op(of(kind::CANCEL, op), head),
        Message::Probe { op } => put_op(of(kind::PROBE, op), head),
        Message::Finish { op } => put_op(of(kind::FINISH, op), head),
        Message::Withdrawn { op } => put_op(of(kind::WITHDRAWN, op), head),
        Message::Probed { op } => put_op(of(kind::PROBED, op), head),
        Message::Reserve { op } => put_op(of(kind::RESERVE, op), head),
        Message::Release { op } => put_op(of(kind::RELEASE, op), head),
    }
}

/// Marks an encoded `Post`: the thread that waits for it leads, which means that it polls the
/// links.
#[inline]
pub(in crate::backend::subprocess) fn set_leads(post: &mut [u8]) {
    if let [kind::POST, flags, ..] = post {
        *flags |= LEADS;
    }
}

/// Returns the operation that waits for the answer to this message, if its thread leads meanwhile.
#[inline]
pub(in crate::backend::subprocess) fn leads(message: &[u8]) -> Option<u64> {
    match message.first_chunk::<FRONT>()? {
        [kind::POST, flags, .., a, b, c, d, e, f, g, h] if flags & LEADS != 0 => {
            Some(u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
        }
        _ => None,
    }
}

fn put_op(front: Front, head: &mut Vec<u8>) -> Option<Bytes> {
    front.put(head);
    None
}

fn put_parcel(
    mut front: Front,
    parcel: Option<Parcel<Bytes>>,
    head: &mut Vec<u8>,
) -> Option<Bytes> {
    let Some(parcel) = parcel else {
        front.put(head);
        return None;
    };
    front.flags |= PARCEL;
    front.count = parcel.tokens.len() as u32;
    front.put(head);
    head.extend(parcel.turn.to_le_bytes());
    put_tokens(&parcel.tokens, head);
    Some(parcel.body)
}

/// Appends an offer. For each guard come the number, kind, number of tokens, channel, and length of
/// the value, and then tokens and value.
fn put_offer(guard: u16, offer: Offer<Bytes>, head: &mut Vec<u8>) -> Option<Bytes> {
    let (kind, channel, parcel) = match offer {
        Offer::Read { channel, extended: false } => (0u16, channel, None),
        Offer::Read { channel, extended: true } => (1, channel, None),
        Offer::Retired { channel } => (2, channel, None),
        Offer::Write { channel, parcel } => (3, channel, Some(parcel)),
    };
    let tokens = parcel.as_ref().map_or(0, |parcel| parcel.tokens.len() as u32);
    let length = parcel.as_ref().map_or(0, |parcel| parcel.body.len() as u64);
    let mut bytes = [0; 24];
    bytes[..2].copy_from_slice(&guard.to_le_bytes());
    bytes[2..4].copy_from_slice(&kind.to_le_bytes());
    bytes[4..8].copy_from_slice(&tokens.to_le_bytes());
    bytes[8..16].copy_from_slice(&channel.index.to_le_bytes());
    bytes[16..].copy_from_slice(&length.to_le_bytes());
    head.extend_from_slice(&bytes);
    let parcel = parcel?;
    put_tokens(&parcel.tokens, head);
    Some(parcel.body)
}

/// Appends what the front has not said of a journey.
fn put_transit(transit: TransitId, head: &mut Vec<u8>) {
    head.extend(transit.origin.0.to_le_bytes());
    head.extend(transit.key.to_le_bytes());
}

fn put_tokens(tokens: &[Token], head: &mut Vec<u8>) {
    for token in tokens {
        head.extend(token.channel.home.0.to_le_bytes());
        head.extend(token.channel.index.to_le_bytes());
        head.extend(token.transit.origin.0.to_le_bytes());
        head.extend(token.transit.seq.to_le_bytes());
        head.extend(token.transit.key.to_le_bytes());
        head.push(match token.direction {
            Direction::Read => 0,
            Direction::Write => 1,
        });
    }
}

const TOKEN: usize = 41;

/// The part of a message that has not been read.
struct Rest<'a>(&'a [u8]);

const SHORT: Wild = Wild("a message that ends before it should");

impl<'a> Rest<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Wild> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(SHORT)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Wild> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn u64(&mut self) -> Result<u64, Wild> {
        self.array().map(u64::from_le_bytes)
    }

    fn node(&mut self) -> Result<NodeId, Wild> {
        self.u64().map(NodeId)
    }

    fn tokens(&mut self, count: u32) -> Result<Vec<Token>, Wild> {
        let count = count as usize;
        // The check comes before room is made for them.
        if self.0.len() / TOKEN < count {
            return Err(SHORT);
        }
        (0..count)
            .map(|_| {
                let channel = ChannelId { home: self.node()?, index: self.u64()? };
                let transit =
                    TransitId { origin: self.node()?, seq: self.u64()?, key: self.u64()? };
                let direction = direction(self.array::<1>()?[0]);
                Ok(Token { channel, direction, transit })
            })
            .collect()
    }
}

impl Rest<'_> {
    /// Skips what stands in a message ahead of the value that is given.
    fn skip_given(&mut self, count: u32) -> Result<(), Wild> {
        self.u64()?;
        let length = (count as usize).checked_mul(TOKEN).ok_or(SHORT)?;
        self.bytes(length).map(drop)
    }
}

fn direction(flag: u8) -> Direction {
    match flag & WRITE {
        0 => Direction::Read,
        _ => Direction::Write,
    }
}

fn front(rest: &mut Rest<'_>) -> Result<Front, Wild> {
    let bytes = rest.array::<FRONT>()?;
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    let (first, channel, op) = (word(0), word(8), word(16));
    Ok(Front {
        kind: first as u8,
        flags: (first >> 8) as u8,
        guard: (first >> 16) as u16,
        count: (first >> 32) as u32,
        channel,
        op,
    })
}

/// Reads a message that has come to the node `me`. The message's bytes are taken over only if a
/// long value is among them.
pub(in crate::backend::subprocess) fn decode(
    me: NodeId,
    message: &mut Vec<u8>,
) -> Result<Wired, Wild> {
    let length = message.len();
    let mut rest = Rest(message);
    let front = front(&mut rest)?;
    let Front { flags, guard, channel, op, .. } = front;
    let on = |flag| flags & flag != 0;
    let transit =
        |rest: &mut Rest<'_>| Ok(TransitId { origin: rest.node()?, seq: op, key: rest.u64()? });
    Ok(match front.kind {
        // Operations, and the answers that carry values.
        kind::POST => {
            let mut guards = Few::new();
            for _ in 1..front.count {
                let (guard, offered) = offer(me, &mut rest)?;
                guards.push((guard, offered.whole(&mut rest)?));
            }
            if front.count > 0 {
                let (guard, offered) = offer(me, &mut rest)?;
                let offer = match offered {
                    Offered::Write { channel, tokens, length: last } if last == rest.0.len() => {
                        let body = Bytes::rest(message, length - last);
                        Offer::Write { channel, parcel: Parcel::new(body, tokens) }
                    }
                    offered => offered.whole(&mut rest)?,
                };
                guards.push((guard, offer));
            }
            Message::Post { op, multi: on(MULTI), guards }
        }
        kind::DONE | kind::CLAIM | kind::COMMIT => {
            let (turn, tokens) = match on(PARCEL) {
                true => (rest.u64()?, rest.tokens(front.count)?),
                false => (0, Vec::new()),
            };
            let start = length - rest.0.len();
            let body = on(PARCEL).then(|| Bytes::rest(message, start));
            let parcel = body.map(|body| Parcel { body, tokens, turn });
            let park = on(PARK);
            match front.kind {
                kind::DONE => Message::Done { op, guard, channel, parcel },
                kind::CLAIM => Message::Claim { op, guard, channel, parcel, park },
                _ => Message::Commit { op, guard, channel, parcel, park },
            }
        }
        kind::CLOSED => {
            let ending = match flags {
                0 => Ending::Retired,
                1 => Ending::Poisoned(Bytes::copy(rest.0)),
                2 => Ending::Lost(NodeId(channel)),
                _ => return Err(Wild("an ending of no kind")),
            };
            Message::Closed { op, guard, ending }
        }
        // Ends, and nodes.
        kind::RETIRE => Message::Retire { channel, direction: direction(flags), ends: front.count },
        kind::POISON => Message::Poison { channel, cause: Bytes::copy(rest.0) },
        kind::MOVE_OUT => {
            let transit = transit(&mut rest)?;
            let via = rest.node()?;
            Message::MoveOut { channel, direction: direction(flags), transit, via }
        }
        kind::MOVE_IN => {
            let transit = transit(&mut rest)?;
            Message::MoveIn { channel, direction: direction(flags), transit }
        }
        kind::DROP => Message::Drop { channel, transit: transit(&mut rest)? },
        kind::RETURNED => Message::Returned { channel, transit: transit(&mut rest)? },
        kind::LEAVES => Message::Leaves,
        kind::BACK => {
            let (turn, tokens) = (rest.u64()?, rest.tokens(front.count)?);
            let start = length - rest.0.len();
            let body = Bytes::rest(message, start);
            Message::Back { channel, parcel: Parcel { body, tokens, turn } }
        }
        kind::SETTLED => Message::Settled { transit: transit(&mut rest)? },
        kind::ASK => Message::Ask { transit: transit(&mut rest)?, dead: NodeId(channel) },
        kind::GONE => Message::Gone { transit: transit(&mut rest)?, dead: NodeId(channel) },
        // Kinds that consist of the number of an operation.
        kind::TAKE => Message::Take { op },
        kind::REFUSE => Message::Refuse { op },
        kind::HELD => Message::Held { op },
        kind::CANCEL => Message::Cancel { op },
        kind::PROBE => Message::Probe { op },
        kind::FINISH => Message::Finish { op },
        kind::WITHDRAWN => Message::Withdrawn { op },
        kind::PROBED => Message::Probed { op },
        kind::RESERVE => Message::Reserve { op },
        kind::RELEASE => Message::Release { op },
        _ => return Err(Wild("a message of no kind")),
    })
}

/// Judges a message that is passed on, as far as that needs no knowledge of its receiver: it is whole,
/// and its author speaks of its own journeys only. A node that passes a message on has to judge it so.
pub(in crate::backend::subprocess) fn judge_passing(
    author: NodeId,
    message: &[u8],
) -> Result<(), Wild> {
    let mut rest = Rest(message);
    let Front { kind, flags, count, channel, .. } = front(&mut rest)?;
    match kind {
        kind::POST => judge_offers(author, count, &mut rest)?,
        kind::DONE | kind::CLAIM | kind::COMMIT if flags & PARCEL != 0 => rest.skip_given(count)?,
        kind::BACK => rest.skip_given(count)?,
        kind::CLOSED if flags > 2 => return Err(Wild("an ending of no kind")),
        kind::MOVE_OUT | kind::ASK => {
            let origin = rest.node()?;
            rest.u64()?;
            let of = if kind == kind::ASK { NodeId(channel) } else { author };
            if origin != of {
                return Err(Wild("about the journey of another"));
            }
            if kind == kind::MOVE_OUT {
                rest.node()?;
            }
        }
        kind::MOVE_IN | kind::DROP | kind::RETURNED | kind::SETTLED | kind::GONE => {
            rest.bytes(16).map(drop)?;
        }
        kind::TAKE | kind::REFUSE | kind::HELD | kind::CANCEL | kind::PROBE | kind::FINISH => {}
        kind::DONE | kind::CLAIM | kind::COMMIT | kind::CLOSED | kind::WITHDRAWN => {}
        kind::PROBED | kind::RESERVE | kind::RELEASE => {}
        kind::RETIRE | kind::POISON | kind::LEAVES => {}
        _ => return Err(Wild("a message of no kind")),
    }
    Ok(())
}

fn judge_offers(author: NodeId, count: u32, rest: &mut Rest<'_>) -> Result<(), Wild> {
    let mut last = None;
    for _ in 0..count {
        let (guard, offered) = offer(author, rest)?;
        if last >= Some(guard) {
            return Err(Wild("guards out of their order"));
        }
        last = Some(guard);
        if let Offered::Write { tokens, length, .. } = offered {
            let mut met: Vec<TransitId> = tokens.iter().map(|token| token.transit).collect();
            met.sort_unstable();
            if met.iter().any(|transit| transit.origin != author) {
                return Err(Wild("a value with an end that its writer has not sent out"));
            }
            if met.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(Wild("an end twice in a value"));
            }
            rest.bytes(length)?;
        }
    }
    match last {
        Some(_) => Ok(()),
        None => Err(Wild("an operation of nothing")),
    }
}

/// A guard without its value, which comes next.
enum Offered {
    Plain(Offer<Bytes>),
    Write { channel: ChannelId, tokens: Vec<Token>, length: usize },
}

impl Offered {
    fn whole(self, rest: &mut Rest<'_>) -> Result<Offer<Bytes>, Wild> {
        Ok(match self {
            Self::Plain(offer) => offer,
            Self::Write { channel, tokens, length } => {
                let body = Bytes::copy(rest.bytes(length)?);
                Offer::Write { channel, parcel: Parcel::new(body, tokens) }
            }
        })
    }
}

fn offer(me: NodeId, rest: &mut Rest<'_>) -> Result<(u16, Offered), Wild> {
    let first = rest.u64()?;
    let (guard, kind, tokens) = (first as u16, (first >> 16) as u16, (first >> 32) as u32);
    let channel = ChannelId { home: me, index: rest.u64()? };
    let length = usize::try_from(rest.u64()?).map_err(|_| SHORT)?;
    let offered = match kind {
        0 | 1 => Offered::Plain(Offer::Read { channel, extended: kind == 1 }),
        2 => Offered::Plain(Offer::Retired { channel }),
        3 => Offered::Write { channel, tokens: rest.tokens(tokens)?, length },
        _ => return Err(Wild("a guard of no kind")),
    };
    Ok((guard, offered))
}

/// Messages of every kind.
#[cfg(test)]
pub(in crate::backend::subprocess) mod samples {
    use super::*;

    pub(super) const ME: NodeId = NodeId(0x0123_4567_89ab_cdef);

    pub(super) fn samples() -> Vec<Wired> {
        let transit = TransitId { origin: NodeId(5), seq: 6, key: 7 };
        let channel = ChannelId { home: ME, index: 3 };
        let token = |direction| Token { channel, direction, transit };
        let tokens = [token(Direction::Read), token(Direction::Write)];
        let parcel = |length: usize| {
            let body = (0..length).map(|n| n as u8).collect::<Vec<_>>();
            Parcel::new(Bytes::from(body), tokens[..length % 3].to_vec())
        };
        let given = |length: usize| Parcel { turn: 11 + length as u64, ..parcel(length) };
        let mut samples = vec![
            Message::Post {
                op: 1,
                multi: true,
                guards: Few::from(vec![
                    (0, Offer::Read { channel, extended: false }),
                    (4, Offer::Write { channel, parcel: parcel(100) }),
                    (5, Offer::Read { channel, extended: true }),
                    (6, Offer::Retired { channel }),
                    (7, Offer::Write { channel, parcel: parcel(5) }),
                ]),
            },
            Message::Take { op: 2 },
            Message::Refuse { op: u64::MAX },
            Message::Held { op: 4 },
            Message::Cancel { op: 5 },
            Message::Probe { op: 6 },
            Message::Finish { op: 7 },
            Message::Closed { op: 1, guard: 2, ending: Ending::Retired },
            Message::Closed { op: 1, guard: 2, ending: Ending::Poisoned(Bytes::copy(b"why")) },
            Message::Closed { op: 1, guard: 2, ending: Ending::Lost(NodeId(9)) },
            Message::Withdrawn { op: 8 },
            Message::Probed { op: 9 },
            Message::Reserve { op: 10 },
            Message::Release { op: 11 },
            Message::Retire { channel: 1, direction: Direction::Write, ends: 7 },
            Message::Poison { channel: 1, cause: Bytes::copy(b"because") },
            Message::MoveOut { channel: 1, direction: Direction::Read, transit, via: ME },
            Message::MoveIn { channel: 1, direction: Direction::Write, transit },
            Message::Drop { channel: 1, transit },
            Message::Leaves,
            Message::Returned { channel: 1, transit },
            Message::Back { channel: 1, parcel: given(2) },
            Message::Back { channel: 1, parcel: given(4000) },
            Message::Settled { transit },
            Message::Ask { transit, dead: NodeId(7) },
            Message::Gone { transit, dead: NodeId(7) },
        ];
        for length in [0, 1, 22, 23, 5000] {
            let value = Some(given(length));
            samples.push(Message::Done { op: 1, guard: 2, channel: 3, parcel: value.clone() });
            let (op, guard, channel) = (3, 9, 4);
            samples.push(Message::Claim { op, guard, channel, parcel: value.clone(), park: false });
            samples.push(Message::Commit { op, guard, channel, parcel: value, park: true });
        }
        samples.push(Message::Done { op: 1, guard: 2, channel: 3, parcel: None });
        samples.push(Message::Claim { op: 1, guard: 2, channel: 3, parcel: None, park: true });
        samples
    }

    pub(in crate::backend::subprocess) fn bytes_of(message: Wired) -> Vec<u8> {
        let mut bytes = Vec::new();
        let tail = encode(message, &mut bytes);
        bytes.extend(tail.iter().flat_map(|tail| tail.iter()));
        bytes
    }

    pub(in crate::backend::subprocess) fn bytes() -> Vec<Vec<u8>> {
        samples().into_iter().map(bytes_of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{ME, bytes_of as bytes, samples};
    use super::*;

    #[test]
    fn every_message_comes_out_as_it_went_in() {
        for message in samples() {
            assert_eq!(decode(ME, &mut bytes(message.clone())), Ok(message));
        }
    }

    #[test]
    fn a_post_says_that_its_process_leads() {
        for message in samples() {
            let mut bytes = bytes(message.clone());
            assert_eq!(leads(&bytes), None);
            set_leads(&mut bytes);
            match message {
                Message::Post { op, .. } => assert_eq!(leads(&bytes), Some(op)),
                _ => assert_eq!(leads(&bytes), None),
            }
            assert_eq!(decode(ME, &mut bytes), Ok(message));
        }
    }

    /// A message that may be passed on can be read, and an honest one may be passed on.
    #[test]
    fn a_message_that_is_passed_on_is_whole() {
        let author = NodeId(5);
        for message in samples() {
            let honest = !matches!(&message, Message::Post { .. } | Message::Ask { .. });
            let bytes = bytes(message);
            assert!(judge_passing(author, &bytes).is_ok() || !honest);
            assert!(bytes[0] != kind::MOVE_OUT || judge_passing(NodeId(6), &bytes).is_err());
            for length in 0..bytes.len().min(200) {
                let cut = &bytes[..length];
                assert!(
                    judge_passing(author, cut).is_err() || decode(ME, &mut cut.to_vec()).is_ok()
                );
            }
        }
    }

    /// A message cut at every place, and with each byte changed, is an error or another message,
    /// and nothing worse.
    #[test]
    fn what_comes_in_is_not_believed() {
        for message in samples() {
            let bytes = bytes(message);
            for length in 0..bytes.len().min(200) {
                let _ = decode(ME, &mut bytes[..length].to_vec());
            }
            for at in 0..bytes.len().min(200) {
                for other in [0, 1, 0x7f, 0xff] {
                    let mut bytes = bytes.clone();
                    bytes[at] = other;
                    let _ = decode(ME, &mut bytes);
                }
            }
        }
    }
}
