//! A way to another node and back. Messages arrive whole and in order, or not at all. Sending never
//! waits.

use std::collections::VecDeque;
use std::sync::Arc;

use super::region::Region;
use super::ring::{Consumer, LONGEST, Peek, Producer, SIZE};
use crate::backend::subprocess::protocol::Wild;
use crate::channel::far::Bytes;

/// The requirements of the protocol on a connection of two nodes, on one machine or not.
pub(in crate::backend::subprocess) trait Link: Send {
    /// Sends the message `head`, `tail`. A message that finds no room waits here.
    fn send(&mut self, head: &[u8], tail: Option<Bytes>) -> Result<(), Wild>;
    /// Sends waiting messages, as far as there is room.
    fn flush(&mut self) -> Result<(), Wild>;
    /// Returns the changes since the last call, all messages having been received.
    fn news(&mut self) -> News;
    /// Replaces the contents of `into` by the next message, if one is there. Returns whether one
    /// was.
    fn receive(&mut self, into: &mut Vec<u8>) -> Result<bool, Wild>;
    /// Returns a view that tells, from any thread, whether there is something to receive. Returns
    /// `None` if the node's [`StreamNews`](super::inbox::StreamNews) tell that.
    fn peek(&self) -> Option<Peek>;
    /// Returns whether there is something to receive, or room for a waiting message.
    fn has_news(&self) -> bool;
    /// Returns whether anything was received since the last call of `news`.
    fn has_consumed(&self) -> bool;
    /// Returns whether a message waits to be sent.
    fn is_backed_up(&self) -> bool;
    /// Returns the writer of what was sent since the last call. The caller lets it write when nothing is locked.
    #[allow(dead_code, reason = "only streams are written to by it")]
    fn writer(&mut self) -> Option<Arc<dyn LinkWriter>> {
        None
    }
    /// Lets the peer know how much this side has handled in all, because it handles nothing more. A
    /// peer with shared memory can see that.
    fn conclude(&mut self) {}
    /// Returns how the link was lost, if its peer may not know and is to be ended. A peer with shared
    /// memory is never lost before it is dead.
    fn loss(&mut self) -> Option<LostLink> {
        None
    }
    /// Returns the messages that a dead peer has not received, or may not have.
    fn left(&mut self) -> Result<LeftMessages, Wild>;
}

/// The side of a link that writes after the node was unlocked, because writing is a system call.
#[allow(dead_code, reason = "only streams have one")]
pub(in crate::backend::subprocess) trait LinkWriter:
    Send + Sync
{
    /// Writes as much as can be written now. The rest is written later, without the caller.
    fn write(&self);
}

/// How a link was lost.
#[allow(dead_code, reason = "only streams are lost")]
pub(in crate::backend::subprocess) enum LostLink {
    /// The stream has ended. That is right if the peer is about to end.
    Ended,
    /// It is broken, for this reason.
    Broken(String),
}

/// Messages for a dead peer, oldest first.
#[derive(Default)]
#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash, Debug))]
pub(in crate::backend::subprocess) struct LeftMessages {
    /// It has not received these.
    pub(in crate::backend::subprocess) unsent: Vec<Vec<u8>>,
    /// It may have received these, and has not said so. Shared memory leaves none of them.
    pub(in crate::backend::subprocess) unknown: Vec<Vec<u8>>,
}

/// The news for a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::backend::subprocess) struct News {
    /// Something was published for it.
    pub(in crate::backend::subprocess) published: bool,
    /// It waits for room, and there is some.
    pub(in crate::backend::subprocess) room: bool,
    /// A message waits to be sent.
    pub(in crate::backend::subprocess) backed_up: bool,
}

/// Two rings in shared memory.
pub(in crate::backend::subprocess) struct RingLink {
    producer: Producer,
    consumer: Consumer,
    waiting: VecDeque<Outgoing>,
    /// Messages sent in pieces that may not have been read to their end: the place of the end, and
    /// the message.
    in_pieces: VecDeque<(u64, Outgoing)>,
    /// The pieces of a message that have come.
    assembling: Vec<u8>,
    published: bool,
    consumed: bool,
}

/// A message on its way out.
#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq, Eq, Debug))]
pub(super) struct Outgoing {
    pub(super) head: Vec<u8>,
    pub(super) tail: Option<Bytes>,
    /// The number of bytes that have gone.
    pub(super) sent: usize,
}

#[cfg(test)]
impl std::hash::Hash for Outgoing {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.head, self.tail.as_deref(), self.sent).hash(state);
    }
}

/// A record is a message, a piece of one, or its last piece. A piece also says, in the bits above
/// this, how many are to come.
const WHOLE: u32 = 0;
const PIECE: u32 = 1;
const LAST: u32 = 2;
const KIND: u32 = 3;

/// The room that is made for a message in pieces when its first piece has come. It is not larger,
/// whatever the piece says.
const AT_ONCE: usize = 64 << 20;

/// One of the two processes that a link's memory connects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::backend::subprocess) enum LinkSide {
    Parent,
    Child,
}

/// The bytes of shared memory that a link takes.
pub(in crate::backend::subprocess) const LINK: usize = 2 * SIZE.next_multiple_of(128);

impl RingLink {
    /// `None` if the memory is too small.
    pub(in crate::backend::subprocess) fn new(memory: &Region, side: LinkSide) -> Option<Self> {
        let ring = |at| memory.part(at * SIZE.next_multiple_of(128), SIZE);
        let (out, back) = match side {
            LinkSide::Parent => (0, 1),
            LinkSide::Child => (1, 0),
        };
        Some(RingLink {
            producer: Producer::new(ring(out)?)?,
            consumer: Consumer::new(ring(back)?)?,
            waiting: VecDeque::new(),
            in_pieces: VecDeque::new(),
            assembling: Vec::new(),
            published: false,
            consumed: false,
        })
    }

    /// Sends as much of the message in front as there is room for. Returns whether that was all.
    fn advance(&mut self) -> Result<bool, Wild> {
        let Some(message) = self.waiting.front_mut() else {
            return Ok(true);
        };
        let length = message.length();
        let in_pieces = length > LONGEST;
        // Each record has a piece, and says how many are to come.
        loop {
            let end = length.min(message.sent + LONGEST);
            let to_come = (length - end).div_ceil(LONGEST).min(1 << 28) as u32;
            let tag = match (in_pieces, to_come) {
                (false, _) => WHOLE,
                (true, 0) => LAST,
                (true, _) => PIECE | to_come << 2,
            };
            if !self.producer.push(tag, message.part(message.sent, end))? {
                return Ok(false);
            }
            self.published = true;
            message.sent = end;
            if end == length {
                break;
            }
        }
        // A message in pieces is kept until its last piece has been read.
        if let Some(message) = self.waiting.pop_front()
            && in_pieces
        {
            self.in_pieces.push_back((self.producer.written(), message));
        }
        Ok(true)
    }

    fn forget_read(&mut self) -> Result<(), Wild> {
        let read = self.producer.look()?;
        while self.in_pieces.front().is_some_and(|(end, _)| *end <= read) {
            self.in_pieces.pop_front();
        }
        Ok(())
    }
}

impl Outgoing {
    pub(super) fn length(&self) -> usize {
        self.head.len() + self.tail.as_ref().map_or(0, |tail| tail.len())
    }

    /// Returns the bytes from `start` to `end`, as they stand in the two parts.
    pub(super) fn part(&self, start: usize, end: usize) -> [&[u8]; 2] {
        let head = self.head.len();
        let tail = self.tail.as_deref().unwrap_or_default();
        let of_head = &self.head[start.min(head)..end.min(head)];
        [of_head, &tail[start.max(head) - head..end.max(head) - head]]
    }

    pub(super) fn into_message(mut self) -> Vec<u8> {
        self.head.extend(self.tail.iter().flat_map(|tail| tail.iter()));
        self.head
    }
}

impl Link for RingLink {
    fn send(&mut self, head: &[u8], tail: Option<Bytes>) -> Result<(), Wild> {
        let bytes = tail.as_deref().unwrap_or_default();
        if self.waiting.is_empty()
            && head.len() + bytes.len() <= LONGEST
            && self.producer.push(WHOLE, [head, bytes])?
        {
            self.published = true;
            return Ok(());
        }
        self.waiting.push_back(Outgoing { head: head.to_vec(), tail, sent: 0 });
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Wild> {
        if !self.in_pieces.is_empty() {
            self.forget_read()?;
        }
        while !self.waiting.is_empty() {
            if !self.advance()? {
                self.producer.starve();
                // Room may have been made before the peer could know of the request.
                if !self.advance()? {
                    break;
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn news(&mut self) -> News {
        News {
            published: std::mem::take(&mut self.published),
            room: std::mem::take(&mut self.consumed) && self.consumer.fed(),
            backed_up: !self.waiting.is_empty(),
        }
    }

    #[inline]
    fn receive(&mut self, into: &mut Vec<u8>) -> Result<bool, Wild> {
        into.clear();
        loop {
            let first = self.assembling.is_empty();
            let to = if first { &mut *into } else { &mut self.assembling };
            let Some(tag) = self.consumer.pop(to)? else { return Ok(false) };
            self.consumed = true;
            match tag & KIND {
                WHOLE if first => return Ok(true),
                PIECE if first => {
                    self.assembling = std::mem::take(into);
                    let to_come = (tag >> 2) as usize * LONGEST;
                    self.assembling.reserve_exact(to_come.min(AT_ONCE));
                }
                PIECE => {}
                LAST if !first => {
                    *into = std::mem::take(&mut self.assembling);
                    return Ok(true);
                }
                _ => return Err(Wild("a record of no kind, or out of its order")),
            }
        }
    }

    fn peek(&self) -> Option<Peek> {
        Some(self.consumer.peek())
    }

    fn has_news(&self) -> bool {
        // A request that has been answered must be made again, however little room there was.
        let may_flush = || self.producer.has_room() || !self.producer.is_starving();
        !self.consumer.is_empty() || (!self.waiting.is_empty() && may_flush())
    }

    #[inline]
    fn has_consumed(&self) -> bool {
        self.consumed
    }

    fn is_backed_up(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn left(&mut self) -> Result<LeftMessages, Wild> {
        self.forget_read()?;
        let mut messages = Vec::new();
        for (tag, bytes) in self.producer.unread()? {
            match tag & KIND {
                WHOLE => messages.push(bytes),
                LAST => {
                    let message = self.in_pieces.pop_front();
                    messages.extend(message.map(|(_, message)| message.into_message()));
                }
                _ => {}
            }
        }
        messages.extend(self.waiting.drain(..).map(Outgoing::into_message));
        Ok(LeftMessages { unsent: messages, unknown: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (RingLink, RingLink) {
        let memory = Region::private(LINK);
        let parent = RingLink::new(&memory, LinkSide::Parent).expect("room for a link");
        (parent, RingLink::new(&memory, LinkSide::Child).expect("room for a link"))
    }

    fn receive(link: &mut RingLink) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        link.receive(&mut message).expect("tame").then_some(message)
    }

    /// Returns a number, from the same sequence every time.
    fn draw(seed: &mut u64) -> usize {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*seed >> 33) as usize
    }

    fn message(number: u32, seed: &mut u64) -> Vec<u8> {
        let length = match draw(seed) % 8 {
            0 => draw(seed) % 300_000,
            1 => LONGEST - 2 + draw(seed) % 4,
            _ => draw(seed) % 200,
        };
        let mut message = vec![number as u8; length.max(4)];
        message[..4].copy_from_slice(&number.to_le_bytes());
        message
    }

    fn send(link: &mut RingLink, message: &[u8], seed: &mut u64) {
        let (head, tail) = message.split_at(draw(seed) % message.len());
        link.send(head, Some(Bytes::copy(tail))).expect("tame");
    }

    #[test]
    fn messages_of_any_size_arrive_whole_and_in_order() {
        let (mut out, mut back) = pair();
        let (mut seed, mut received) = (1, 0u32);
        let messages: Vec<_> = (0..500).map(|number| message(number, &mut seed)).collect();
        for message in &messages {
            send(&mut out, message, &mut seed);
            for _ in 0..draw(&mut seed) % 3 {
                if let Some(got) = receive(&mut back) {
                    assert!(got == messages[received as usize]);
                    received += 1;
                }
            }
        }
        while received < 500 {
            assert!(back.has_news());
            while let Some(got) = receive(&mut back) {
                assert!(got == messages[received as usize]);
                received += 1;
            }
            if back.news().room {
                assert!(out.has_news());
                out.flush().expect("tame");
            }
        }
        assert!(!out.is_backed_up() && !out.has_news());
    }

    #[test]
    fn what_a_dead_peer_has_not_received_is_there() {
        for seed in 0..300 {
            let (mut out, mut back) = pair();
            let mut seed = seed;
            let messages: Vec<_> =
                (0..draw(&mut seed) as u32 % 20).map(|n| message(n, &mut seed)).collect();
            let mut arrived = Vec::new();
            for message in &messages {
                send(&mut out, message, &mut seed);
                for _ in 0..draw(&mut seed) % 3 {
                    arrived.extend(receive(&mut back));
                    out.flush().expect("tame");
                }
            }
            let left = out.left().expect("tame");
            assert!(left.unknown.is_empty());
            arrived.extend(left.unsent);
            assert!(arrived == messages);
        }
    }

    /// Room for one record is not worth a notification while more records are to be read. Once all
    /// are read, it is.
    #[test]
    fn a_sender_is_told_of_much_room_and_not_of_a_little() {
        let (mut out, mut back) = pair();
        out.send(&[0; 16], None).expect("tame");
        out.send(&vec![7; 1_000_000], None).expect("tame");
        assert!(out.is_backed_up() && !out.has_news());
        assert!(receive(&mut back).is_some_and(|small| small.len() == 16));
        assert!(!back.news().room && !out.has_news());
        for _ in 0..10 {
            assert!(receive(&mut back).is_none());
            assert!(back.news().room && out.has_news());
            out.flush().expect("tame");
            assert!(out.is_backed_up() && !out.has_news());
        }
    }

    #[test]
    fn a_sender_that_found_no_room_is_told_of_it() {
        let (mut out, mut back) = pair();
        out.send(&vec![7; 1_000_000], None).expect("tame");
        assert!(out.is_backed_up() && out.news().published);
        let (waited, rings) = std::thread::scope(|scope| {
            let sender = scope.spawn(move || {
                let mut waited = 0;
                while out.is_backed_up() {
                    out.flush().expect("tame");
                    waited += 1;
                    std::thread::yield_now();
                }
                waited
            });
            let mut rings = 0;
            loop {
                let message = receive(&mut back);
                rings += u32::from(back.news().room);
                if let Some(message) = message {
                    assert!(message == vec![7; 1_000_000]);
                    break (sender.join().expect("a sender"), rings);
                }
                std::thread::yield_now();
            }
        });
        assert!(waited > 0 && rings > 0);
    }
}
