//! The messages that go out, until the peer has handled them.

use std::collections::VecDeque;
use std::time::Duration;

use super::frame::{FrameHead, FrameKind, HEAD, StreamLimits};
use crate::backend::subprocess::protocol::Wild;
use crate::backend::subprocess::transport::link::{LeftMessages, Outgoing};

#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash, Debug))]
pub(super) struct Sending {
    limits: StreamLimits,
    /// Messages of which not all bytes have been put out. Only the first may have begun.
    queue: VecDeque<Outgoing>,
    /// Messages that were put out and that the peer has not handled, as far as is known, each with
    /// the place of its end in the stream.
    out: VecDeque<(u64, Outgoing)>,
    /// When the stream took the last byte of the first of them, as far as it has.
    taken_at: VecDeque<Duration>,
    /// When the last bytes were put out.
    put_at: Duration,
    /// The weight of the messages that have begun and are not handled.
    unhandled: usize,
    /// The bytes that were put out, and those that the stream has taken, ever.
    put: u64,
    written: u64,
    /// The bytes that writes were said to have taken, and those that they may have taken. The answer of a peer may
    /// come before that of the write.
    reported: u64,
    offered: u64,
    /// The number of messages that the peer has handled, ever.
    handled: u64,
    /// The peer handles nothing more.
    is_concluded: bool,
    #[cfg(test)]
    pub(super) fault: super::model::FrameFault,
}

impl Sending {
    pub(super) fn new(limits: StreamLimits) -> Self {
        Self {
            limits,
            queue: VecDeque::new(),
            out: VecDeque::new(),
            taken_at: VecDeque::new(),
            put_at: Duration::ZERO,
            unhandled: 0,
            put: 0,
            written: 0,
            reported: 0,
            offered: 0,
            handled: 0,
            is_concluded: false,
            #[cfg(test)]
            fault: Default::default(),
        }
    }

    pub(super) fn send(&mut self, message: Outgoing) -> Result<(), Wild> {
        if message.length() > self.limits.longest {
            return Err(Wild("a message longer than any"));
        }
        self.queue.push_back(message);
        Ok(())
    }

    /// Returns the most weight that the peer has unhandled.
    pub(super) fn window(&self) -> usize {
        self.limits.window
    }

    /// Returns whether something waits to be taken by the stream.
    pub(super) fn is_backed_up(&self) -> bool {
        !self.queue.is_empty() || self.written < self.put
    }

    /// Puts a frame without a message out.
    pub(super) fn put_frame(
        &mut self,
        kind: FrameKind,
        handled: u64,
        body: &[u8],
        to: &mut Vec<u8>,
    ) {
        let before = to.len();
        FrameHead { kind, length: body.len(), handled }.put(to);
        to.extend_from_slice(body);
        self.put += (to.len() - before) as u64;
    }

    /// Puts pieces of messages out, as many as the peer may have unhandled. `handled`: the count
    /// that goes with each.
    pub(super) fn put_pieces(&mut self, handled: u64, to: &mut Vec<u8>) {
        // A stream takes about one long frame at once.
        while to.len() < self.limits.body + HEAD {
            let Some(message) = self.queue.front_mut() else { return };
            let weight = self.limits.weight(message.length());
            if message.sent == 0 {
                if self.unhandled > 0 && self.unhandled + weight > self.limits.window {
                    return;
                }
                self.unhandled += weight;
            }
            // The next piece, and perhaps the end of the message.
            let end = message.length().min(message.sent + self.limits.body);
            let is_last = end == message.length();
            let kind = if is_last { FrameKind::Last } else { FrameKind::Piece };
            let before = to.len();
            FrameHead { kind, length: end - message.sent, handled }.put(to);
            message.part(message.sent, end).iter().for_each(|part| to.extend_from_slice(part));
            message.sent = end;
            self.put += (to.len() - before) as u64;
            if is_last && let Some(message) = self.queue.pop_front() {
                self.out.push_back((self.put, message));
            }
        }
    }

    /// Records the time at which something was put out.
    pub(super) fn was_put(&mut self, now: Duration) {
        self.put_at = now;
    }

    /// Records that the stream is offered so many bytes more. It may take some of them before `written` says so.
    pub(super) fn offer(&mut self, bytes: usize) {
        self.offered = self.reported + bytes as u64;
    }

    /// Records that the stream has taken so many bytes more.
    pub(super) fn written(&mut self, now: Duration, bytes: usize) {
        self.reported += bytes as u64;
        debug_assert!(self.reported <= self.put, "only what was put out can be written");
        self.take(now, self.reported);
    }

    /// Records that the stream has taken the bytes up to this place.
    fn take(&mut self, now: Duration, place: u64) {
        self.written = self.written.max(place);
        while let Some((end, _)) = self.out.get(self.taken_at.len())
            && *end <= self.written
        {
            self.taken_at.push_back(now);
        }
    }

    /// Returns since when something waits for the peer: bytes that the stream does not take, or a message
    /// that it has taken and that is not handled. A peer that has said its last count handles none.
    pub(super) fn waits_since(&self) -> Option<Duration> {
        let put = (self.written < self.put).then_some(self.put_at);
        let taken = self.taken_at.front().copied().filter(|_| !self.is_concluded);
        put.into_iter().chain(taken).min()
    }

    /// Records that the peer has handled so many messages, ever.
    pub(super) fn handled(&mut self, count: u64) -> Result<(), Wild> {
        if count < self.handled {
            return Err(Wild("less handled than before"));
        }
        if self.is_concluded && count > self.handled {
            return Err(Wild("something handled after the last count"));
        }
        while self.handled < count {
            // The stream has taken it, though the write may not have returned.
            if let (true, Some((end, _))) = (self.taken_at.is_empty(), self.out.front())
                && *end <= self.may_be_taken()
            {
                self.take(self.put_at, *end);
            }
            self.taken_at.pop_front().ok_or(Wild("more handled than was sent"))?;
            if let Some((_, message)) = self.out.pop_front() {
                self.unhandled -= self.limits.weight(message.length());
            }
            self.handled += 1;
        }
        Ok(())
    }

    fn may_be_taken(&self) -> u64 {
        #[cfg(test)]
        if self.fault == super::model::FrameFault::AwaitsReport {
            return self.reported;
        }
        self.offered
    }

    /// Records that the peer handles nothing more.
    pub(super) fn conclude(&mut self) {
        self.is_concluded = true;
    }

    /// Returns the messages that the peer has not handled, or may not have. A message of which the
    /// stream has not taken the last byte can't have been handled. Once the peer has said its last count,
    /// nothing is unknown.
    pub(super) fn left(&mut self) -> LeftMessages {
        let (written, is_concluded) = (self.written, self.is_concluded);
        let is_unknown = |end: u64| {
            #[cfg(test)]
            if self.fault == super::model::FrameFault::UnknownIsUnsent {
                return false;
            }
            end <= written && !is_concluded
        };
        let mut left = LeftMessages::default();
        for (end, message) in std::mem::take(&mut self.out) {
            let list = if is_unknown(end) { &mut left.unknown } else { &mut left.unsent };
            list.push(message.into_message());
        }
        #[cfg(test)]
        if self.fault == super::model::FrameFault::ForgetsBegun
            && self.queue.front().is_some_and(|message| message.sent > 0)
        {
            self.queue.pop_front();
        }
        left.unsent.extend(self.queue.drain(..).map(Outgoing::into_message));
        left
    }
}
