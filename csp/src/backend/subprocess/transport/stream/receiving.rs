//! Bytes that come in, until they are messages. Every length is checked before memory is made, and
//! memory is made for bytes that have come.

use std::collections::VecDeque;

use super::frame::{FrameHead, FrameKind, HEAD, NUMBER, StreamLimits};
use crate::backend::subprocess::protocol::Wild;

#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash, Debug))]
pub(super) struct Receiving {
    limits: StreamLimits,
    /// The first bytes of a frame, as far as they have come.
    head: [u8; HEAD],
    head_filled: usize,
    /// The frame whose body comes, and how much of it has come.
    frame: Option<(FrameHead, usize)>,
    number: [u8; NUMBER],
    /// The pieces of the message that comes.
    joined: Vec<u8>,
    ready: VecDeque<Vec<u8>>,
    /// The weight of the messages that have come and are not handled.
    unhandled: usize,
    /// The number of messages that have come whole, ever.
    came: u64,
}

/// A frame that has come whole.
pub(super) struct CameFrame {
    pub(super) kind: FrameKind,
    pub(super) handled: u64,
    /// The number of a ping, or of its answer.
    pub(super) number: u64,
}

impl Receiving {
    pub(super) fn new(limits: StreamLimits) -> Self {
        Self {
            limits,
            head: [0; HEAD],
            head_filled: 0,
            frame: None,
            number: [0; NUMBER],
            joined: Vec::new(),
            ready: VecDeque::new(),
            unhandled: 0,
            came: 0,
        }
    }

    pub(super) fn came(&self) -> u64 {
        self.came
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    /// Records that a message of this length was handled.
    pub(super) fn handled(&mut self, length: usize) -> usize {
        let weight = self.limits.weight(length);
        self.unhandled -= weight;
        weight
    }

    /// Takes bytes from the front of `bytes`, up to the end of a frame. Returns that frame, or
    /// `None` if its end is yet to come.
    pub(super) fn take_in(&mut self, bytes: &mut &[u8]) -> Result<Option<CameFrame>, Wild> {
        let (frame, filled) = match &mut self.frame {
            Some(frame) => frame,
            None => {
                let count = bytes.len().min(HEAD - self.head_filled);
                let (now, later) = bytes.split_at(count);
                self.head[self.head_filled..][..count].copy_from_slice(now);
                self.head_filled += count;
                *bytes = later;
                if self.head_filled < HEAD {
                    return Ok(None);
                }
                self.head_filled = 0;
                let frame = FrameHead::parse(self.head, self.limits.body)?;
                self.judge(&frame)?;
                self.frame.insert((frame, 0))
            }
        };
        // The body, as far as it is there.
        let count = bytes.len().min(frame.length - *filled);
        let (now, later) = bytes.split_at(count);
        match frame.kind {
            FrameKind::Piece | FrameKind::Last => self.joined.extend_from_slice(now),
            FrameKind::Ping | FrameKind::Pong => {
                self.number[*filled..][..count].copy_from_slice(now);
            }
            FrameKind::Handled | FrameKind::Concluded => {}
        }
        *filled += count;
        *bytes = later;
        if *filled < frame.length {
            return Ok(None);
        }
        // The end of the frame.
        let FrameHead { kind, handled, .. } = *frame;
        self.frame = None;
        if kind == FrameKind::Last {
            let message = std::mem::take(&mut self.joined);
            self.unhandled += self.limits.weight(message.len());
            self.came += 1;
            self.ready.push_back(message);
        }
        Ok(Some(CameFrame { kind, handled, number: u64::from_le_bytes(self.number) }))
    }

    /// Judges whether the message may be as long as it becomes by this frame.
    fn judge(&self, frame: &FrameHead) -> Result<(), Wild> {
        if !matches!(frame.kind, FrameKind::Piece | FrameKind::Last) {
            return Ok(());
        }
        let length = self.joined.len() + frame.length;
        if length > self.limits.longest {
            return Err(Wild("a message longer than any"));
        }
        // A message that begins while nothing is unhandled may be as long as any.
        if self.unhandled > 0 && self.unhandled + self.limits.weight(length) > self.limits.window {
            return Err(Wild("more than may be unhandled"));
        }
        Ok(())
    }

    /// Returns how many bytes of memory it holds.
    #[cfg(any(test, csp_fuzz))]
    pub(super) fn held(&self) -> usize {
        self.joined.capacity() + self.ready.iter().map(Vec::capacity).sum::<usize>()
    }
}
