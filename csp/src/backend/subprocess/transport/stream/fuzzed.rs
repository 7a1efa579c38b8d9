//! Frames that follow no rule.

use std::time::Duration;

use super::frame::StreamLimits;
use super::frames::{Frames, PEER_TIMEOUT, StreamSide};
use crate::backend::subprocess::transport::link::Outgoing;

/// Gives both sides of a link bytes that follow no rule. They may end it, and do nothing else.
pub(in crate::backend::subprocess) fn take_frames(bytes: &[u8]) {
    let now = Duration::from_secs(100);
    let put = |frames: &mut Frames| {
        let mut out = Vec::new();
        frames.output(now, &mut out);
        frames.written(now, out.len());
        out.len()
    };
    for side in [StreamSide::Starter, StreamSide::Started] {
        let mut frames = Frames::new(side, PEER_TIMEOUT, StreamLimits::USUAL, now);
        for number in 0..3 {
            let message = Outgoing { head: vec![number; 9], tail: None, sent: 0 };
            assert!(frames.send(message).is_ok());
        }
        put(&mut frames);
        for part in bytes.chunks(7) {
            frames.input(now, part);
            assert!(frames.held() <= 2 * bytes.len() + 64, "memory that no bytes fill");
        }
        while frames.receive(now).is_some() {}
        assert!(put(&mut frames) < 100, "it answers a ping, or is lost");
        let left = frames.left();
        assert!(left.unsent.len() + left.unknown.len() <= 3);
    }
}
