//! Frames as bytes. In front stand 16: the length of the body (4), the kind (1), zeros (3), and the
//! count of messages handled (8). Little-endian.

use crate::backend::subprocess::protocol::Wild;
use crate::backend::subprocess::transport::inbox::LONGEST_VALUE;

/// The bytes in front of each body.
pub(super) const HEAD: usize = 16;
/// A frame is at most 64 KiB long.
pub(super) const LONGEST_BODY: usize = (64 << 10) - HEAD;
/// A value may have 64 MiB, and its ends some more.
const LONGEST: usize = LONGEST_VALUE + (4 << 20);
/// The bytes of a ping, and of its answer: a number.
pub(super) const NUMBER: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct StreamLimits {
    /// The longest body of a frame.
    pub(super) body: usize,
    /// The most weight that a peer has unhandled, unless it is one message.
    pub(super) window: usize,
    /// The longest message.
    pub(super) longest: usize,
    /// The weight of a message without bytes.
    pub(super) each: usize,
}

impl StreamLimits {
    pub(super) const USUAL: Self =
        Self { body: LONGEST_BODY, window: 1 << 20, longest: LONGEST, each: 64 };

    pub(super) fn weight(&self, length: usize) -> usize {
        length + self.each
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum FrameKind {
    /// A part of a message that goes on in a later frame. It is as long as a body may be.
    Piece = 1,
    /// A whole message, or its last part.
    Last = 2,
    Ping = 3,
    /// The answer to a ping has its number.
    Pong = 4,
    /// Nothing but the count.
    Handled = 5,
    /// The last count: its sender handles nothing more.
    Concluded = 6,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct FrameHead {
    pub(super) kind: FrameKind,
    pub(super) length: usize,
    /// The number of messages that its sender has handled, ever.
    pub(super) handled: u64,
}

impl FrameHead {
    pub(super) fn put(self, to: &mut Vec<u8>) {
        to.extend((self.length as u32).to_le_bytes());
        to.extend([self.kind as u8, 0, 0, 0]);
        to.extend(self.handled.to_le_bytes());
    }

    /// Reads the first bytes of a frame. `longest`: the longest body.
    pub(super) fn parse(bytes: [u8; HEAD], longest: usize) -> Result<Self, Wild> {
        let [a, b, c, d, kind, 0, 0, 0, handled @ ..] = bytes else {
            return Err(Wild("a frame with something where nothing stands"));
        };
        let kind = match kind {
            1 => FrameKind::Piece,
            2 => FrameKind::Last,
            3 => FrameKind::Ping,
            4 => FrameKind::Pong,
            5 => FrameKind::Handled,
            6 => FrameKind::Concluded,
            _ => return Err(Wild("a frame of no kind")),
        };
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let is_right = match kind {
            FrameKind::Piece => length == longest,
            FrameKind::Last => length <= longest,
            FrameKind::Ping | FrameKind::Pong => length == NUMBER,
            FrameKind::Handled | FrameKind::Concluded => length == 0,
        };
        match is_right {
            true => Ok(Self { kind, length, handled: u64::from_le_bytes(handled) }),
            false => Err(Wild("a frame of a length that its kind has not")),
        }
    }
}
