//! The frames of a link, as the node and the threads that read and write share them, and the clock that all of them go by.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::frames::Frames;

/// Returns the time since the machine was started. It goes on while the machine sleeps, as it does for
/// the peer.
pub(super) fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

pub(super) struct StreamState {
    pub(super) frames: Frames,
    /// The node has been told that there is something to receive.
    pub(super) is_told: bool,
    /// The node waits until the stream has taken everything.
    pub(super) waits_for_room: bool,
}

impl StreamState {
    pub(super) fn new(frames: Frames) -> Self {
        Self { frames, is_told: false, waits_for_room: false }
    }

    /// Returns whether the node is to be told that the stream has taken everything. It is told once.
    pub(super) fn has_room_at_last(&mut self) -> bool {
        let has_room = self.waits_for_room && !self.frames.is_backed_up();
        self.waits_for_room &= !has_room;
        has_room
    }
}
